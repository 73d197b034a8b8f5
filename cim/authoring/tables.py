"""Tables of facts: CSV rows and TOML files that a recipe reads, with errors that name the line."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cim.errors import SourceError

__all__ = ["Row", "read_rows", "read_toml"]


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


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV table in UTF-8 whose first line names the columns.

    Raises
    ------
    SourceError
        The table is missing, or a line has more or fewer values than there are columns.
    """
    if not path.is_file():
        raise SourceError("authoring.no_table", given=path.name)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    header, rows = lines[0], []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise SourceError(
                "authoring.bad_line",
                given=f"{path.name}:{number}",
                values={"found": len(line), "wanted": len(header)},
            )
        values = {name: value.strip() for name, value in zip(header, line, strict=True)}
        rows.append(Row(f"{path.name}:{number}", values))
    return rows


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
