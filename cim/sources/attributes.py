"""Which columns of a file feed which attributes, in which unit, and what cannot be read.

A column is taken for an attribute when the mapping says so, else when it has the
attribute's name, else (files without a mapping) under a usual name, said aloud. All
others keep their own names and types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError, UnitError
from cim.model.kinds import COMMON, Field, Kind
from cim.model.table import as_column
from cim.sources.columns import Column, Rows
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import (
    ALIASES,
    MAY_BE_NEGATIVE,
    base_unit,
    factor,
    parse_number,
    parse_truth,
    to_text,
)

__all__ = ["ID_NAMES", "SETTINGS", "Attributes", "attributes", "own_id_column"]

HIGHEST_M = 1000.0  # above ground; the tallest building of 2025 stands 828 m
_HEIGHTS = ("height_m", "ridge_m")
_MISSING = (-99.0, -999.0, -9999.0, -99999.0, -32768.0)  # usual marks of a missing number
_HIGHEST = {  # above the first, up to the second; what is outside no city has
    "speed_mps": (0.0, 70.0),
    "lanes": (0.0, 30.0),
    "storeys_above": (-1.0, 250.0),
}
ID_NAMES = ("id", "fid", "objectid", "gid", "uuid", "guid", "osm_id", "full_id", "编号", "ogc_fid")
"""Columns that number objects: own ids where they do so uniquely, never content."""

_RESERVED = frozenset(
    [
        "id",
        "kind",
        "layer",
        "geometry",
        "geom",
        "fid",
        "ogc_fid",
        "rowid",
        "source",
        "source_id",
        "illustrative",
    ]
)
SETTINGS = frozenset(["source", "source_id", "illustrative"])
"""Attributes that a source gives to all its objects unless a column is mapped to them."""

Fault = tuple[str, dict[str, Any]]


@dataclass
class Attributes:
    """The attributes of all rows.

    Attributes
    ----------
    columns, fields
        As in a `FeatureTable`, without the common attributes that the source as a
        whole gives.
    rejected, repaired
        Row -> message key and values.
    """

    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    rejected: dict[int, Fault] = field(default_factory=dict)
    repaired: dict[int, Fault] = field(default_factory=dict)

    def drop(self, rows: NDArray[np.bool_], name: str, values: NDArray[Any]) -> None:
        """Say of `rows` that their value of attribute `name` is left out."""
        for row in np.flatnonzero(rows):
            self.repaired.setdefault(
                int(row), ("source.object.value_dropped", {"name": name, "value": values[row]})
            )


def own_id_column(rows: Rows, spec: LayerSpec) -> str | None:
    """Return the column with the source's own ids, None where there is none.

    Raises
    ------
    SourceError
        The column asked for is not there.
    """
    if spec.id_field is not None:
        _demand(rows, spec, "id", spec.id_field)
        return spec.id_field
    if not spec.options.get("guess"):
        return None
    for name in rows.columns:
        if name.lower() in ID_NAMES:
            values = to_text(rows.columns[name].values)
            there = {v for v in values if v is not None}
            if None not in values and len(there) >= 0.8 * len(values):
                return name
    return None


def attributes(
    rows: Rows, spec: LayerSpec, kind: Kind, *, report: Report, layer: str, own: str | None
) -> Attributes:
    """Return the attributes of all rows in the kind's units.

    Parameters
    ----------
    rows, spec, kind
        What the file holds, what is known of it, what it becomes.
    report, layer
        Where choices are said aloud.
    own
        Column with the source's own ids; it becomes ``source_id``.

    Raises
    ------
    SourceError
        A mapped column is missing or of a type that cannot be meant.
    UnitError
        An unknown unit, one of another dimension, or heights in millimetres.
    """
    out = Attributes()
    taken = _taken(rows, spec, kind, report, layer, own)
    _check_units(spec, taken, rows, kind)
    for declared in (*kind.fields, *COMMON):
        column = taken.get(declared.name)
        if declared.name in spec.constants:
            _constant(out, declared, spec, len(rows.wkb))
        elif column is not None:
            _fill(out, declared, rows.columns[column], spec, column)
            _note_naive(declared.type, out.columns[declared.name], report, spec, layer, column)
        elif declared.name not in SETTINGS:
            out.columns[declared.name] = as_column([None] * len(rows.wkb), declared.type)
            out.fields.append(declared)
    for name, value in spec.constants.items():
        if name not in out.columns and name not in SETTINGS:
            _constant(out, _field_of(name, value), spec, len(rows.wkb))
    _own_columns(out, rows, spec, taken, report, layer, own)
    _note_unknown_targets(spec, kind, report, layer)
    return out


def _note_unknown_targets(spec: LayerSpec, kind: Kind, report: Report, layer: str) -> None:
    """Say which mapped attributes the kind does not have: kept, but no engine looks for them."""
    declared = [field.name for field in (*kind.fields, *COMMON)]
    for attribute, column in spec.columns.items():
        if attribute not in declared and attribute not in SETTINGS:
            near = get_close_matches(attribute, declared, 1)
            values = {
                "attribute": attribute,
                "column": column,
                "kind": kind.name,
                "near": near[0] if near else ", ".join(f.name for f in kind.fields) or "-",
            }
            report.note("source.unknown_target", file=spec.file.name, layer=layer, values=values)


def _demand(rows: Rows, spec: LayerSpec, attribute: str, column: str) -> None:
    if column not in rows.columns:
        raise SourceError(
            "source.no_column",
            given=column,
            values={
                "file": spec.file.name,
                "attribute": attribute,
                "known": ", ".join(rows.columns) or "-",
            },
        )


def _taken(
    rows: Rows, spec: LayerSpec, kind: Kind, report: Report, layer: str, own: str | None
) -> dict[str, str]:
    """Return attribute -> column for every attribute the file feeds."""
    taken = dict(spec.columns)
    for attribute, mapped in taken.items():
        _demand(rows, spec, attribute, mapped)
    used = {*taken.values(), own}
    lower = {name.lower(): name for name in reversed(list(rows.columns)) if name not in used}
    guess = bool(spec.options.get("guess"))
    for declared in (*kind.fields, *COMMON):
        if declared.name in taken or declared.name in spec.constants or declared.name in SETTINGS:
            continue
        column = lower.get(declared.name)
        if column is None and guess:
            names = (*ALIASES.get(declared.name, ()), declared.zh)
            column = next((lower[n] for n in names if n in lower), None)
            if column is not None:
                report.note(
                    "source.column_taken",
                    file=spec.file.name,
                    layer=layer,
                    values={
                        "column": column,
                        "attribute": declared.name,
                        "unit": spec.units.get(declared.name, declared.unit) or "-",
                    },
                )
        if column is not None:
            taken[declared.name] = column
            lower.pop(column.lower())
    return taken


def _check_units(spec: LayerSpec, taken: Mapping[str, str], rows: Rows, kind: Kind) -> None:
    for name, unit in spec.units.items():
        declared = kind.field(name)
        if declared is not None and declared.type not in ("real", "integer"):
            raise UnitError("source.unit_of_text", given=unit, values={"attribute": name})
        if name not in taken and name not in rows.columns and name not in spec.constants:
            _demand(rows, spec, "units", name)


def _constant(out: Attributes, declared: Field, spec: LayerSpec, count: int) -> None:
    value = spec.constants[declared.name]
    if declared.type in ("real", "integer") and not isinstance(value, bool):
        number = parse_number(str(value), declared, _times(declared, spec))
        if number is None:
            raise SourceError(
                "source.constant",
                given=f"{declared.name} = {value!r}",
                values={"file": spec.file.name, "type": declared.type},
            )
        value = number
    out.columns[declared.name] = as_column([value] * count, declared.type)
    out.fields.append(_provenance(declared, spec))


def _field_of(name: str, value: Any) -> Field:
    if isinstance(value, bool):
        return Field(name, "boolean")
    if isinstance(value, (int, float)):
        return Field(name, "real")
    return Field(name, "text")


def _fill(
    out: Attributes, declared: Field, column: Column, spec: LayerSpec, column_name: str
) -> None:
    """Convert one column to what the kind declares."""
    if declared.type in ("real", "integer"):
        values = _numbers(out, declared, column, spec, column_name)
    elif declared.type == "boolean":
        truths = [None if v is None or v != v else parse_truth(v) for v in column.values]
        values = as_column(truths, "boolean")
        lost = np.array([v is not None and v == v for v in column.values]) & (values == None)  # noqa: E711
        out.drop(lost, declared.name, column.values)
    else:
        values = as_column(to_text(column.values), declared.type)
    out.columns[declared.name] = values
    out.fields.append(_provenance(declared, spec))


def _provenance(declared: Field, spec: LayerSpec) -> Field:
    return replace(
        declared,
        source=spec.source_key,
        date=spec.date,
        accuracy_m=spec.accuracy_m,
        licence=spec.licence,
    )


def _times(declared: Field, spec: LayerSpec) -> float:
    unit = spec.units.get(declared.name)
    if unit is None:
        return 1.0
    if not declared.unit:
        raise UnitError("source.unit_of_text", given=unit, values={"attribute": declared.name})
    return factor(unit, declared.unit)


def _numbers(
    out: Attributes, declared: Field, column: Column, spec: LayerSpec, column_name: str
) -> NDArray[np.float64]:
    times = _times(declared, spec)
    if column.type in ("real", "integer"):
        values = np.asarray(column.values, dtype=np.float64) * times
        if column.not_finite is not None:
            out.drop(column.not_finite, declared.name, np.full(len(values), "NaN", dtype=object))
    elif column.type == "text":
        values = _parsed(out, declared, column, times, spec, column_name)
    else:
        raise _wrong_type(declared, column, spec, column_name)
    if declared.type == "integer":
        broken = np.isfinite(values) & (np.abs(values - np.round(values)) > 1e-6)
        out.drop(broken, declared.name, values)
        values = np.where(broken, np.nan, np.round(values))
    if declared.name not in MAY_BE_NEGATIVE:
        marks = np.isin(values, _MISSING) | ((values < 0) & (declared.name not in _HEIGHTS))
        out.drop(marks, declared.name, values)
        values = np.where(marks, np.nan, values)
        for row in np.flatnonzero(values < 0):
            out.rejected.setdefault(
                int(row),
                ("source.object.negative", {"name": declared.name, "value": f"{values[row]:g}"}),
            )
    return _plausible(out, declared, values, spec)


def _plausible(
    out: Attributes, declared: Field, values: NDArray[np.float64], spec: LayerSpec
) -> NDArray[np.float64]:
    """Refuse heights that are millimetres, leave out single impossible values."""
    if declared.name in _HIGHEST:
        low, most = _HIGHEST[declared.name]
        odd = (values <= low) | (values > most)
        out.drop(odd, declared.name, values)
        return np.where(odd, np.nan, values)
    if declared.name not in _HEIGHTS:
        return values
    high = values > HIGHEST_M
    if not high.any():
        return values
    middle = float(np.nanmedian(values))
    if middle > HIGHEST_M:
        raise UnitError(
            "source.heights_absurd",
            given=f"{declared.name} = {middle:g} m",
            values={"file": spec.file.name, "attribute": declared.name},
        )
    out.drop(high, declared.name, values)
    return np.where(high, np.nan, values)


def _parsed(
    out: Attributes, declared: Field, column: Column, times: float, spec: LayerSpec, name: str
) -> NDArray[np.float64]:
    known: dict[str, float | None] = {}
    for text in column.values:
        if text is not None and text not in known:
            known[text] = parse_number(text, declared, times)
    there = np.array([v is not None for v in column.values], dtype=bool)
    numbers = [known.get(v) if v is not None else None for v in column.values]
    values = as_column(numbers, "real")
    lost = there & np.isnan(values)
    if lost.sum() > there.sum() / 2 and not spec.options.get("free_text"):
        raise _wrong_type(declared, column, spec, name)
    out.drop(lost, declared.name, column.values)
    return values


def _wrong_type(declared: Field, column: Column, spec: LayerSpec, name: str) -> SourceError:
    example = next((v for v in column.values if v is not None), "-")
    return SourceError(
        "source.column_type",
        given=name,
        values={"file": spec.file.name, "attribute": declared.name, "example": str(example)[:40]},
    )


def _own_columns(
    out: Attributes,
    rows: Rows,
    spec: LayerSpec,
    taken: Mapping[str, str],
    report: Report,
    layer: str,
    own: str | None,
) -> None:
    """Keep what the kind does not declare, under its own name where that is free."""
    names = {name.lower() for name in out.columns} | _RESERVED
    new_names = {c: a for a, c in spec.columns.items() if a not in out.columns}
    feeding = {c for a, c in taken.items() if a in out.columns} | {own}
    for name, column in rows.columns.items():
        if name in feeding:
            continue
        wanted = free = new_names.get(name, name)
        while free.lower() in names:
            free += "_own"
        names.add(free.lower())
        values, unit = column.values, ""
        given = spec.units.get(wanted, spec.units.get(name))
        if given is not None:
            if column.type not in ("real", "integer"):
                raise UnitError("source.unit_of_text", given=given, values={"attribute": name})
            unit, times = base_unit(given)
            values = np.asarray(values, dtype=np.float64) * times
        type_ = column.type
        if type_ == "instant" and _note_naive(type_, values, report, spec, layer, name):
            type_ = "text"
        out.columns[free] = values
        out.fields.append(_provenance(Field(free, type_, unit), spec))
        if free != wanted:
            report.note(
                "source.column_renamed",
                file=spec.file.name,
                layer=layer,
                values={"column": wanted, "name": free},
            )


def _note_naive(
    type_: str, values: NDArray[Any], report: Report, spec: LayerSpec, layer: str, name: str
) -> bool:
    """Say that a column of times lacks offsets; they stay the texts they are."""
    if type_ != "instant":
        return False
    naive = [text for text in values if text is not None and not _has_offset(text)]
    if naive:
        report.note(
            "source.naive_time",
            file=spec.file.name,
            layer=layer,
            values={"column": name, "count": len(naive), "example": naive[0]},
        )
    return bool(naive)


def _has_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
