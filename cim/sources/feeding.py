"""Which column of a file feeds which attribute."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from cim.errors import SourceError, UnitError
from cim.model.kinds import COMMON, Kind
from cim.sources.columns import Rows
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import ALIASES, base_unit

__all__ = ["ID_NAMES", "SETTINGS", "demand", "taken_columns", "with_named_units"]

ID_NAMES = ("id", "fid", "objectid", "gid", "uuid", "guid", "osm_id", "full_id", "编号", "ogc_fid")
"""Columns that number objects: own ids where they do so uniquely, never content."""

SETTINGS = frozenset(["source", "source_id", "illustrative"])
"""Attributes that a source gives to all its objects unless a column is mapped to them."""


_WITH_UNIT = re.compile(r"(.+?)(?:[ _]|\s*[(（\[【]\s*)([^()（）\[\]【】_ ]+)\s*[)）\]】]?")


def with_named_units(
    names: Iterable[str], spec: LayerSpec, kind: Kind, report: Report, layer: str
) -> LayerSpec:
    """Return `spec` with columns whose usual name carries a unit, said aloud.

    ``高度（米）``, ``height (ft)`` or ``height_cm`` feed ``height_m`` in that unit, where no
    column has the attribute's own or usual name and the file has no mapping.
    """
    if not spec.options.get("guess"):
        return spec
    there = {name.strip().lower(): name for name in names}
    split = [(m[1].strip(), m[2], name) for low, name in there.items()
             if (m := _WITH_UNIT.fullmatch(low))]  # fmt: skip
    columns, units = dict(spec.columns), dict(spec.units)
    for declared in kind.fields:
        usual = {*ALIASES.get(declared.name, ()), declared.zh, declared.name.rpartition("_")[0]}
        if declared.name in {*columns, *spec.constants, *there} or usual & set(there):
            continue
        for base, unit, name in split:
            if base in usual and _fits(unit, declared.unit) and name not in columns.values():
                columns[declared.name], units[declared.name] = name, unit
                says = {"column": name, "attribute": declared.name, "unit": unit}
                report.note("source.column_taken", file=spec.file.name, layer=layer, values=says)
                break
    return replace(spec, columns=columns, units=units)


def _fits(unit: str, wanted: str) -> bool:
    """Tell whether a word is a unit of the quantity that is wanted, a length above all."""
    if wanted in ("", "1"):
        return False
    try:
        return base_unit(unit)[0] == base_unit(wanted)[0]
    except UnitError:
        return False


def demand(rows: Rows, spec: LayerSpec, attribute: str, column: str) -> None:
    """Refuse a mapping to a column that is not there."""
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


def taken_columns(
    rows: Rows, spec: LayerSpec, kind: Kind, report: Report, layer: str, own: str | None
) -> dict[str, str]:
    """Return attribute -> column for every attribute the file feeds."""
    taken = dict(spec.columns)
    for attribute, mapped in taken.items():
        demand(rows, spec, attribute, mapped)
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
