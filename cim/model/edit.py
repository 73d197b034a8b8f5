"""Edits and schemes: what is added, removed, changed, moved or dug.

One list of edits serves twice: committed to the store it is a changeset, kept
beside the base it is a scheme (方案).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cim.errors import RequestError
from cim.model.grid import Grid
from cim.model.kinds import COMMON, Field, kind, split_layer
from cim.model.table import FeatureTable, as_column, concat

__all__ = ["Edit", "Scheme", "apply_to_grid", "apply_to_table"]


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes
    ----------
    op
        ``add`` a feature, ``remove`` it, ``change`` attributes, ``move`` by (dx, dy)
        or to a new geometry, ``terrain``: set or shift heights inside a polygon.
    layer
        The layer it concerns.
    id
        The object, for all but ``terrain``.
    values
        ``add`` and ``change``: attributes; ``move``: ``dx_m``, ``dy_m``;
        ``terrain``: ``height_m`` (absolute) or ``delta_m``.
    geometry
        ``add``, ``move`` (instead of dx, dy) and ``terrain``: shapely, projected metres.
    """

    op: Literal["add", "remove", "change", "move", "terrain"]
    layer: str
    id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    geometry: Any = None


@dataclass(frozen=True)
class Scheme:
    """A named list of edits on top of a version of the base."""

    name: str
    base_version: int
    edits: tuple[Edit, ...] = ()
    why: str = ""
    illustrative: bool = False

    def layers(self) -> set[str]:
        """Return the layers it touches."""
        return {edit.layer for edit in self.edits}


def apply_to_table(table: FeatureTable, edits: Sequence[Edit]) -> FeatureTable:
    """Return `table` with those of `edits` that concern its layer, in order.

    Raises
    ------
    RequestError
        An edit names an object that is not there, or adds one that is.
    """
    for edit in edits:
        if edit.layer == table.layer and edit.op != "terrain":
            table = _apply(table, edit)
    return table


def _apply(table: FeatureTable, edit: Edit) -> FeatureTable:
    where = np.flatnonzero(table.ids == edit.id)
    if edit.op == "add":
        if len(where):
            raise RequestError("edit.already_there", given=edit.id, values={"layer": table.layer})
        return concat([table, _one(edit)])
    if not len(where):
        raise RequestError("edit.not_there", given=edit.id, values={"layer": table.layer})
    if edit.op == "remove":
        return table.take(table.ids != edit.id)
    return _changed(table, int(where[0]), edit)


def _changed(table: FeatureTable, at: int, edit: Edit) -> FeatureTable:
    import shapely

    geometry, columns, fields = table.geometry, dict(table.columns), list(table.fields)
    if edit.op == "move":
        geometry = geometry.copy()
        if edit.geometry is not None:
            geometry[at] = edit.geometry
        else:
            shift = (float(edit.values.get("dx_m", 0.0)), float(edit.values.get("dy_m", 0.0)))
            geometry[at] = shapely.transform(geometry[at], lambda xy: xy + shift)
    else:
        if edit.geometry is not None:
            geometry = geometry.copy()
            geometry[at] = edit.geometry
        for name, value in edit.values.items():
            known = next((f for f in fields if f.name == name), None)
            if known is None:
                known = _field_for(table.kind, name, value)
                fields.append(known)
                columns[name] = as_column([None] * len(table), known.type)
            column = columns[name].copy()
            column[at] = as_column([value], known.type)[0]
            columns[name] = column
    return FeatureTable(
        layer=table.layer, ids=table.ids, geometry=geometry, columns=columns, fields=tuple(fields)
    )


def _one(edit: Edit) -> FeatureTable:
    name = split_layer(edit.layer)[0]
    declared = {f.name: f for f in (*COMMON, *kind(name).fields)}
    for key, value in edit.values.items():
        declared.setdefault(key, _field_for(name, key, value))
    columns = {key: as_column([edit.values.get(key)], f.type) for key, f in declared.items()}
    ids, geometry = np.empty(1, dtype=object), np.empty(1, dtype=object)
    ids[0], geometry[0] = edit.id, edit.geometry
    return FeatureTable(
        layer=edit.layer,
        ids=ids,
        geometry=geometry,
        columns=columns,
        fields=tuple(declared.values()),
    )


def _field_for(kind_name: str, name: str, value: Any) -> Field:
    known = kind(kind_name).field(name)
    if known is not None:
        return known
    if isinstance(value, bool):
        return Field(name, "boolean")
    if isinstance(value, (int, float)):
        return Field(name, "real")
    return Field(name, "text")


def apply_to_grid(grid: Grid, edits: Sequence[Edit]) -> Grid:
    """Return `grid` with the ``terrain`` edits of its layer: cells whose centre lies inside.

    Raises
    ------
    RequestError
        A terrain edit without a polygon or without ``height_m`` or ``delta_m``.
    """
    import shapely

    mine = [e for e in edits if e.op == "terrain" and e.layer == grid.layer]
    if not mine:
        return grid
    values = grid.values.copy()
    x, y = grid.frame.centres()
    for edit in mine:
        if edit.geometry is None or not ({"height_m", "delta_m"} & set(edit.values)):
            raise RequestError("edit.terrain", given=edit.values)
        xmin, ymin, xmax, ymax = edit.geometry.bounds
        cols = np.flatnonzero((x >= xmin) & (x <= xmax))
        rows = np.flatnonzero((y >= ymin) & (y <= ymax))
        if not len(cols) or not len(rows):
            raise RequestError(
                "grid.outside", given=edit.geometry.bounds, values={"bounds": grid.frame.bounds}
            )
        xx, yy = np.meshgrid(x[cols], y[rows])
        inside = shapely.contains_xy(edit.geometry, xx, yy)
        block = values[np.ix_(rows, cols)]
        if "height_m" in edit.values:
            block[inside] = float(edit.values["height_m"])
        else:
            block[inside] += np.float32(edit.values["delta_m"])
        values[np.ix_(rows, cols)] = block
    return Grid(
        layer=grid.layer,
        frame=grid.frame,
        values=values,
        unit=grid.unit,
        illustrative=grid.illustrative,
        source=grid.source,
    )
