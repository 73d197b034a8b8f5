"""Which column of a file feeds which attribute."""

from __future__ import annotations

from cim.errors import SourceError
from cim.model.kinds import COMMON, Kind
from cim.sources.columns import Rows
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import ALIASES

__all__ = ["ID_NAMES", "SETTINGS", "demand", "taken_columns"]

ID_NAMES = ("id", "fid", "objectid", "gid", "uuid", "guid", "osm_id", "full_id", "编号", "ogc_fid")
"""Columns that number objects: own ids where they do so uniquely, never content."""

SETTINGS = frozenset(["source", "source_id", "illustrative"])
"""Attributes that a source gives to all its objects unless a column is mapped to them."""


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
