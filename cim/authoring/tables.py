"""Tables of facts: CSV rows and TOML files that a recipe reads, with errors that name the line."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cim.errors import SourceError

__all__ = ["KEYS", "Row", "Tables", "read_rows", "read_toml"]

KEYS: Mapping[str, tuple[str, ...]] = {
    "roads": ("name",), "courses": ("road", "order"), "crossings": ("road_a", "road_b"),
    "landmarks": ("source_id",), "named": ("source_id",), "fabrics": ("fabric",),
    "frontages": ("rank", "block"), "infill": ("rank", "block"), "numbering": ("road",),
    "areas": ("kind", "source_id"), "points": ("kind", "source_id"), "bowls": ("name",),
    "greens": ("source_id",), "trees": ("road", "from_road", "to_road"),
    "outfalls": ("catchment",), "lines": ("system",), "conflicts": ("conflict",),
    "bus_stops": ("source_id",),
}  # fmt: skip
"""Tables a recipe knows, and what names a row of each: rows count in this order, not the file's."""


@dataclass(frozen=True)
class Row:
    """One line of a CSV table; every value is read with its type.

    Attributes
    ----------
    where
        File name and line, for messages.
    values
        Column -> text as it stands in the file, stripped.
    """

    where: str
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return the text of `column`; empty where it is empty."""
        return self._raw(column)

    def text_or_none(self, column: str) -> str | None:
        """Return the text of `column`, None where it is empty."""
        return self._raw(column) or None

    def real(self, column: str) -> float:
        """Return the number in `column`."""
        try:
            return float(self._raw(column))
        except ValueError:
            raise self._bad(column) from None

    def real_or_none(self, column: str) -> float | None:
        """Return the number in `column`, None where it is empty."""
        return self.real(column) if self._raw(column) else None

    def whole(self, column: str) -> int:
        """Return the whole number in `column`."""
        try:
            return int(self._raw(column))
        except ValueError:
            raise self._bad(column) from None

    def whole_or_none(self, column: str) -> int | None:
        """Return the whole number in `column`, None where it is empty."""
        return self.whole(column) if self._raw(column) else None

    def words(self, column: str) -> list[str]:
        """Return the blank-separated words of `column`."""
        return self._raw(column).split()

    def _raw(self, column: str) -> str:
        if column not in self.values:
            raise SourceError("authoring.no_column", given=self.where, values={"column": column})
        return self.values[column]

    def _bad(self, column: str) -> SourceError:
        return SourceError(
            "authoring.bad_value",
            given=self.where,
            values={"column": column, "value": self._raw(column)},
        )


@dataclass(frozen=True)
class Tables:
    """The tables of a district: a folder of CSV and TOML files.

    Raises
    ------
    SourceError
        The folder holds a CSV table that no recipe knows: its name is misspelt.
    """

    folder: Path

    def __post_init__(self) -> None:
        for path in sorted(self.folder.glob("*.csv")):
            if path.stem not in KEYS:
                known = ", ".join(KEYS)
                raise SourceError("authoring.odd_table", given=path.name, values={"known": known})

    def rows(self, name: str) -> list[Row]:
        """Return the rows of a table in the order of their keys; none where it is missing."""
        path = self.folder / f"{name}.csv"
        return read_rows(path, KEYS[name]) if path.is_file() else []

    def needed(self, name: str) -> list[Row]:
        """Return the rows of a table that no district can do without."""
        return read_rows(self.folder / f"{name}.csv", KEYS[name])

    def toml(self, name: str) -> dict[str, Any]:
        """Return a TOML table."""
        return read_toml(self.folder / f"{name}.toml")


def read_rows(path: Path, key: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a CSV table in UTF-8 whose first line names the columns.

    Parameters
    ----------
    key
        Columns that name a row: rows are returned in their order, so that the order of lines
        in the file means nothing. Whole numbers sort as numbers.

    Raises
    ------
    SourceError
        The table is missing, a line has more or fewer values than there are columns, or two
        lines have one key.
    """
    if not path.is_file():
        raise SourceError("authoring.no_table", given=path.name)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    header, rows = (lines[0] if lines else []), []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise SourceError(
                "authoring.bad_line",
                given=f"{path.name}:{number}",
                values={"found": len(line), "wanted": len(header)},
            )
        values = {name: value.strip() for name, value in zip(header, line, strict=True)}
        rows.append(Row(f"{path.name}:{number}", values))
    if not key:
        return rows
    rows.sort(key=lambda row: [_sortable(row.text(name)) for name in key])
    for one, other in pairwise(rows):
        if [one.text(name) for name in key] == [other.text(name) for name in key]:
            named = " ".join(one.text(name) for name in key)
            raise SourceError("authoring.twice", given=other.where, values={"key": named})
    return rows


def _sortable(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML table.

    Raises
    ------
    SourceError
        The file is missing or not TOML.
    """
    if not path.is_file():
        raise SourceError("authoring.no_table", given=path.name)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise SourceError(
            "authoring.bad_toml", given=path.name, values={"problem": problem}
        ) from None
