"""What the attributes of a file say as a whole: its own ids, units that cannot be, times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cim.errors import UnitError
from cim.model.kinds import COMMON, Field, Kind
from cim.sources.columns import Column, Rows
from cim.sources.feeding import ID_NAMES, SETTINGS, demand, taken_columns
from cim.sources.numeric import HIGHEST_M, LIMITED, Attributes, parsed, raw_numbers, wrong_type
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import to_text

__all__ = ["Whole"]


@dataclass
class Whole:
    """What is judged of a file as a whole, gathered piece by piece before it is read.

    Attributes
    ----------
    heights
        Attribute -> its numbers in metres, a piece each.
    texts
        Column -> attribute, texts that are no number, texts, one of them.
    naive
        Column of times -> those without offset, one of them.
    names
        Column that may number the objects -> hashes of its values; None where one lacks.
    own
        Column with the source's own ids, None where there is none; known once judged.
    numbering
        Other columns that differ in every row, hashes of their values until judged.
    idle
        Columns of a file of which none feeds any attribute of the kind.
    looked
        Whether a piece was looked at.
    """

    heights: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    texts: dict[str, tuple[str, int, int, str]] = field(default_factory=dict)
    naive: dict[str, tuple[int, str]] = field(default_factory=dict)
    names: dict[str, list[NDArray[np.int64]] | None] = field(default_factory=dict)
    own: str | None = None
    numbering: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    looked: bool = False

    def gather(self, rows: Rows, spec: LayerSpec, kind: Kind) -> None:
        """Look at one piece."""
        self._gather_names(rows, spec)
        if spec.id_field is not None:
            demand(rows, spec, "id", spec.id_field)
        taken = taken_columns(rows, spec, kind, Report(), "", spec.id_field)
        used = {*taken.values(), spec.id_field or ""}
        if spec.options.get("guess") and kind.fields and not taken:
            own = (name for name in rows.columns if name.lower() not in (*ID_NAMES, *SETTINGS))
            self.idle = tuple(own)
        self._gather_numbering(rows, used)
        for name, column in rows.columns.items():
            if column.type == "instant":
                self._gather_times(name, column)
        for declared in (*kind.fields, *COMMON):
            known = taken.get(declared.name)
            if known is None or declared.name in spec.constants:
                continue
            column = rows.columns[known]
            if declared.type == "instant" and column.type != "instant":
                self._gather_times(known, column)
            text = column.type == "text" and declared.type in ("real", "integer")
            if text or declared.name in LIMITED:
                self._gather_numbers(declared, column, spec, known)

    def _gather_numbering(self, rows: Rows, taken: Iterable[str]) -> None:
        """Keep the columns of texts and whole numbers that may name every row, piece by piece."""
        used = set(taken)
        first = not self.looked
        self.looked = True
        for name, column in rows.columns.items():
            known = self.numbering.setdefault(name, []) if first else self.numbering.get(name)
            if known is None:
                continue
            texts = to_text(column.values) if column.type in ("text", "integer") else []
            marks = np.fromiter(map(hash, texts), dtype=np.int64)
            if name in used or not texts or None in texts or len(np.unique(marks)) < len(marks):
                del self.numbering[name]
            else:
                known.append(marks)

    def _gather_names(self, rows: Rows, spec: LayerSpec) -> None:
        if spec.id_field is not None or not spec.options.get("guess"):
            return
        for name in rows.columns:
            if name.lower() in ID_NAMES and self.names.setdefault(name, []) is not None:
                texts = to_text(rows.columns[name].values)
                known = self.names[name]
                if None in texts:
                    self.names[name] = None
                elif known is not None:
                    known.append(np.fromiter(map(hash, texts), dtype=np.int64))

    def _gather_times(self, name: str, column: Column) -> None:
        naive = [text for text in to_text(column.values) if text and not _has_offset(text)]
        if naive:
            count, example = self.naive.get(name, (0, naive[0]))
            self.naive[name] = (count + len(naive), example)

    def _gather_numbers(self, declared: Field, column: Column, spec: LayerSpec, name: str) -> None:
        if column.type == "text":
            there = [v for v in column.values if v is not None]
            numbers = parsed(Attributes(), declared, column, 1.0)
            _, lost, count, example = self.texts.get(name, ("", 0, 0, "-"))
            lost += len(there) - int(np.isfinite(numbers).sum())
            example = str(there[0]) if example == "-" and there else example
            self.texts[name] = (declared.name, lost, count + len(there), example)
        if declared.name in LIMITED:
            values = raw_numbers(Attributes(), declared, column, spec, name)
            self.heights.setdefault(declared.name, []).append(values)

    def judge(self, spec: LayerSpec) -> None:
        """Refuse what cannot be meant.

        Raises
        ------
        SourceError
            A column of texts of which most are no numbers.
        UnitError
            Heights in millimetres.
        """
        self.own = spec.id_field or self._numbering()
        for column, (attribute, lost, count, example) in self.texts.items():
            if lost > count / 2 and not spec.options.get("free_text"):
                raise wrong_type(attribute, example, spec, column)
        for attribute, parts in self.heights.items():
            values = np.concatenate(parts)
            if (values > HIGHEST_M).any() and float(np.nanmedian(values)) > HIGHEST_M:
                raise UnitError(
                    "source.heights_absurd",
                    given=f"{attribute} = {float(np.nanmedian(values)):g} m",
                    values={"file": spec.file.name, "attribute": attribute},
                )
        self.heights.clear()

    def notes(self, spec: LayerSpec) -> dict[str, dict[str, str]]:
        """Return what a reader may mend: note -> its values. Nothing before it is judged."""
        found: dict[str, dict[str, str]] = {}
        if self.idle:
            found["source.nothing_recognised"] = {"columns": ", ".join(self.idle)}
        every = {n: np.concatenate(known) for n, known in self.numbering.items() if known}
        named = [n for n, marks in every.items() if 1 < len(marks) == len(np.unique(marks))]
        if self.own is None and named:
            found["source.no_id"] = {"columns": ", ".join(named)}
        self.numbering.clear()
        return found

    def _numbering(self) -> str | None:
        names, self.names = self.names, {}
        for name, known in names.items():
            every = np.concatenate(known) if known else np.empty(0, dtype=np.int64)
            if known is not None and len(np.unique(every)) >= 0.8 * len(every):
                return name
        return None


def _has_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
