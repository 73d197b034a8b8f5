"""Which columns of a file feed which attributes, in which unit, and what cannot be read.

A column is taken for an attribute when the mapping says so, else when it has the
attribute's name, else (files without a mapping) under a usual name, said aloud. All
others keep their own names and types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from cim.errors import SourceError, UnitError
from cim.model.kinds import COMMON, Field, Kind
from cim.model.naming import is_naming
from cim.model.table import as_column, missing
from cim.sources.columns import Column, Rows
from cim.sources.feeding import SETTINGS, demand, taken_columns
from cim.sources.numeric import Attributes, numbers, times_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import base_unit, parse_number, parse_truth, to_text
from cim.sources.whole import Whole

__all__ = ["attributes"]

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


def attributes(
    rows: Rows, spec: LayerSpec, kind: Kind, *, whole: Whole, report: Report, layer: str
) -> Attributes:
    """Return the attributes of rows in the kind's units.

    Parameters
    ----------
    rows, spec, kind
        What the file holds, what is known of it, what it becomes.
    whole
        What was seen of the file as a whole.
    report, layer
        Where choices are said aloud.

    Raises
    ------
    SourceError
        A mapped column is missing or of a type that cannot be meant.
    UnitError
        An unknown unit, one of another dimension, or heights in millimetres.
    """
    out, own = Attributes(), whole.own
    taken = taken_columns(rows, spec, kind, report, layer, own)
    _check_units(spec, taken, rows, kind)
    for declared in (*kind.fields, *COMMON):
        column = taken.get(declared.name)
        if declared.name in spec.constants:
            _constant(out, declared, spec, len(rows.wkb))
        elif column is not None:
            _fill(out, declared, rows.columns[column], spec, column)
            if declared.type == "instant":
                _note_naive(whole, report, spec, layer, column)
        elif declared.name not in SETTINGS:
            out.columns[declared.name] = missing(len(rows.wkb), declared.type)
            out.fields.append(declared)
    for name, value in spec.constants.items():
        if name not in out.columns and name not in SETTINGS:
            _constant(out, _field_of(name, value), spec, len(rows.wkb))
    _own_columns(out, rows, spec, taken, report, layer, whole)
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
            key = "source.named_target" if is_naming(attribute) else "source.unknown_target"
            report.note(key, file=spec.file.name, layer=layer, values=values)


def _check_units(spec: LayerSpec, taken: Mapping[str, str], rows: Rows, kind: Kind) -> None:
    for name, unit in spec.units.items():
        declared = kind.field(name)
        if declared is not None and declared.type not in ("real", "integer"):
            raise UnitError("source.unit_of_text", given=unit, values={"attribute": name})
        if name not in taken and name not in rows.columns and name not in spec.constants:
            demand(rows, spec, "units", name)


def _constant(out: Attributes, declared: Field, spec: LayerSpec, count: int) -> None:
    value = spec.constants[declared.name]
    if declared.type in ("real", "integer") and not isinstance(value, bool):
        number = parse_number(str(value), declared, times_of(declared, spec))
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
        values = numbers(out, declared, column, spec, column_name)
    elif declared.type == "boolean":
        truths = [None if v is None or v != v else parse_truth(v) for v in column.values]
        values = as_column(truths, "boolean")
        lost = np.array([v is not None and v == v for v in column.values]) & (values == None)  # noqa: E711
        out.drop(lost, declared.name, column.values)
    elif column.type == "text":
        values = column.values
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


def _own_columns(
    out: Attributes,
    rows: Rows,
    spec: LayerSpec,
    taken: Mapping[str, str],
    report: Report,
    layer: str,
    whole: Whole,
) -> None:
    """Keep what the kind does not declare, under its own name where that is free."""
    names = {name.lower() for name in out.columns} | _RESERVED
    new_names = {c: a for a, c in spec.columns.items() if a not in out.columns}
    feeding = {c for a, c in taken.items() if a in out.columns}
    feeding.add(whole.own or "")
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
        if type_ == "instant" and _note_naive(whole, report, spec, layer, name):
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


def _note_naive(whole: Whole, report: Report, spec: LayerSpec, layer: str, name: str) -> bool:
    """Say that a column of times lacks offsets; they stay the texts they are."""
    if name not in whole.naive:
        return False
    count, example = whole.naive[name]
    values = {"column": name, "count": count, "example": example}
    report.note("source.naive_time", file=spec.file.name, layer=layer, values=values)
    return True
