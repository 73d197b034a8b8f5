"""Attributes of a city model's objects become columns; what fits no column is kept beside."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import COMMON, Field, FieldType, Kind
from cim.model.table import as_column
from cim.sources.objects import ATTRIBUTES, RawObject
from cim.sources.spec import LayerSpec
from cim.sources.values import parse_number

__all__ = ["Columns", "columns_of"]

_RESERVED = frozenset(
    ["id", "kind", "layer", "geometry", "geom", "fid", "rowid", "source", "source_id", "parent",
     "illustrative", "attributes", "changed_in", "ogc_fid", "code", "address_id", "valid_from",
     "valid_to"]
)  # fmt: skip
_EXACT = 2**53
HIGHEST_M = 1000.0  # above ground; the tallest building of 2025 stands 828 m


@dataclass
class Columns:
    """Columns of one layer, and for each object what is kept beside them.

    Attributes
    ----------
    columns, fields
        As in a `FeatureTable`, the common attributes left out.
    records
        For each object: ``type``, ``members``, ``attributes`` (values no column can hold),
        ``taken`` (column -> the attribute it came from, where the names differ), ``unread``
        (attribute -> as it came in, and what stands in its column).
    """

    columns: dict[str, NDArray[Any]]
    fields: list[Field]
    records: list[dict[str, Any]]


def columns_of(
    objects: Sequence[RawObject],
    what: Kind,
    spec: LayerSpec,
    *,
    base_m: NDArray[np.float64],
    height_m: NDArray[np.float64],
) -> Columns:
    """Return the columns of one layer.

    A column holds numbers, truths or texts. A value of another type than the others of its
    attribute, a list, a nested object or null is kept in the object's record, and stands in
    the column as its JSON text (null as missing). Where the kind wants a number, a text is
    read as in a table; one that cannot be read is said of its object and goes out again.

    Parameters
    ----------
    objects
        Of one layer.
    what
        Its kind.
    spec
        The file: units, provenance.
    base_m, height_m
        From the geometry, NaN where there is none; a measured height counts more.
    """
    n = len(objects)
    records: list[dict[str, Any]] = [{"type": o.type} for o in objects]
    for record, one in zip(records, objects, strict=True):
        if one.members:
            record["members"] = dict(one.members)
    out = Columns({}, [], records)
    names: dict[str, None] = {}
    for one in objects:
        names.update(dict.fromkeys(one.attributes))
    declared = {f.name: f for f in (*COMMON, *what.fields)}
    used: set[str] = set()
    for name in names:
        values = [one.attributes.get(name) for one in objects]
        there = [name in one.attributes for one in objects]
        target = _target(name, values, declared, used)
        if target is not None:
            field = declared[target]
            column = _wanted(objects, name, values, field, records)
        else:
            type_ = _type_of(values)
            target = _free(name, declared, used)
            field = Field(target, type_)
            column = _column(values, there, type_, name, records)
        used.add(target.lower())
        for record, value, has in zip(records, values, there, strict=True):
            if has and value is None:
                record.setdefault("attributes", {})[name] = None
            elif has and target != name:
                record.setdefault("taken", {})[target] = name
        out.columns[target] = column
        out.fields.append(_provenance(field, spec))
    measured = out.columns.get("height_m", np.full(n, np.nan))
    good = (measured > 0) & (measured <= HIGHEST_M)
    stand_in = np.where(good, measured, height_m)
    _not_used(objects, records, measured, stand_in)
    for name, values_m in (("base_m", base_m), ("height_m", stand_in)):
        field = declared.get(name, Field(name, "real", "m"))
        if name not in out.columns:
            out.fields.append(_provenance(replace(field, unit="m"), spec))
        out.columns[name] = values_m
    for field in what.fields:
        if field.name not in out.columns:
            out.columns[field.name] = as_column([None] * n, field.type)
            out.fields.append(field)
    return out


def _wanted(
    objects: Sequence[RawObject],
    name: str,
    values: list[Any],
    field: Field,
    records: list[dict[str, Any]],
) -> NDArray[Any]:
    """Return an attribute of the kind; say of each object whose value is no number."""
    if field.type not in ("real", "integer"):
        return as_column(values, field.type)
    read = [parse_number(v, field) if type(v) is str else v for v in values]
    for one, record, value, number in zip(objects, records, values, read, strict=True):
        if value is not None and number is None:
            record.setdefault("unread", {})[name] = [value, None]
            says = {"name": field.name, "value": str(value)[:40]}
            one.faults.append(("source.object.value_dropped", says))
    return as_column(read, field.type)


def _not_used(
    objects: Sequence[RawObject],
    records: list[dict[str, Any]],
    measured: NDArray[np.float64],
    stand_in: NDArray[np.float64],
) -> None:
    """Say which measured heights no building has, and what stands in for those not read."""
    for i, (one, record) in enumerate(zip(objects, records, strict=True)):
        name = record.get("taken", {}).get("height_m", "height_m")
        number = float(measured[i])
        if math.isfinite(number) and not 0 < number <= HIGHEST_M:
            record.setdefault("unread", {})[name] = [number, None]
            says = {"name": "height_m", "value": f"{number:g}"}
            one.faults.append(("source.object.value_dropped", says))
        if name in record.get("unread", {}) and math.isfinite(stand_in[i]):
            record["unread"][name][1] = float(stand_in[i])


def _target(name: str, values: list[Any], declared: dict[str, Field], used: set[str]) -> str | None:
    """Return the attribute of the kind that a source's attribute is, where its values fit."""
    wanted = ATTRIBUTES.get(name, (name, ""))[0]
    if name == "yearOfConstruction":
        wanted = "year"
    field = declared.get(wanted)
    if field is None or wanted in _RESERVED or wanted in used or wanted == "base_m":
        return None
    found = _type_of(values)
    if field.type == "text":
        return (
            wanted if found == "text" and all(v is None or type(v) is str for v in values) else None
        )
    if field.type in ("real", "integer"):
        return wanted if _numbers(values) else None
    return None


def _numbers(values: list[Any]) -> bool:
    """Tell whether values are numbers, or texts that may be meant as such."""
    return all(v is None or type(v) is str or _finite(v) for v in values)


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < _EXACT


def _type_of(values: list[Any]) -> FieldType:
    kinds = {type(v) for v in values if v is not None}
    if kinds == {bool}:
        return "boolean"
    whole = bool(kinds) and kinds <= {int, float}
    if whole and all(v is None or (math.isfinite(v) and abs(v) < _EXACT) for v in values):
        return "integer" if kinds == {int} else "real"
    return "text"


def _column(
    values: list[Any],
    there: list[bool],
    type_: FieldType,
    name: str,
    records: list[dict[str, Any]],
) -> NDArray[Any]:
    if type_ != "text":
        return as_column(values, type_)
    texts: list[str | None] = []
    for value, has, record in zip(values, there, records, strict=True):
        if value is None or type(value) is str:
            texts.append(value)
            continue
        if has:
            record.setdefault("attributes", {})[name] = value
        texts.append(json.dumps(value, ensure_ascii=False))
    return as_column(texts, "text")


def _free(name: str, declared: dict[str, Field], used: set[str]) -> str:
    free = name
    taken = {n.lower() for n in declared} | _RESERVED | used | {"base_m", "height_m"}
    while free.lower() in taken:
        free += "_own"
    return free


def _provenance(field: Field, spec: LayerSpec) -> Field:
    return replace(
        field,
        source=spec.source_key,
        date=spec.date,
        accuracy_m=spec.accuracy_m,
        licence=spec.licence,
    )
