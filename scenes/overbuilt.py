"""Blocks of the map that stand inside a house drawn element by element: one house drawn twice.

A model that was joined to its building is that building's detailed form and hides its
block by their kinship. Where the map has the house in two pieces, or its houses came
after the model, kinship says nothing; but the twin holds both outlines and both heights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import split_layer
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView

__all__ = ["House", "detailed", "overbuilt"]

_ELEMENTS = "3"
_WITHIN = 0.8  # of a block's plan inside the model's walls: the rest is how the two were surveyed
_BESIDE = 0.5  # of its height beside the model's: houses over a station are not the station
_DEEPEST = 16


@dataclass(frozen=True)
class House:
    """A house of elements: its id, outline, and lowest and highest point (absolute metres)."""

    id: str
    outline: Any
    low_m: float
    high_m: float


def detailed(view: TwinView, pool: MeshPool, bounds: Bounds | None) -> tuple[House, ...]:
    """Return the houses in a box that are drawn from their elements."""
    fine = [i for i in pool.instances if i.lod == _ELEMENTS]
    if not fine:
        return ()
    parent: dict[str, str] = {}
    outlines: dict[str, Any] = {}
    for name in view.layers():
        kind = split_layer(name)[0]
        if kind in ("building", "building_part", "storey", "building_element"):
            table = view.table(name, bounds=bounds)
            above = table.column("parent")
            parent.update({str(i): p for i, p in zip(table.ids, above, strict=True) if p})
            if kind in ("building", "building_part"):
                outlines.update(zip(map(str, table.ids), table.geometry, strict=True))
    spans: dict[str, list[float]] = {}
    for instance in fine:
        house = _house(instance.object_id, parent, outlines)
        if house is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                z = pool.placed(instance)[:, 2]
            z = z[np.isfinite(z)]
            spans.setdefault(house, []).extend((float(z.min()), float(z.max())) if len(z) else ())
    return tuple(House(k, outlines[k], min(z), max(z)) for k, z in spans.items() if z)


def _house(one: str, parent: Mapping[str, str], outlines: Mapping[str, Any]) -> str | None:
    """Return the nearest building or part above an object, itself included, with an outline."""
    for _ in range(_DEEPEST):
        shape = outlines.get(one)
        if shape is not None and shape.geom_type in ("Polygon", "MultiPolygon"):
            return one
        if one not in parent:
            return None
        one = parent[one]
    return None


def overbuilt(
    houses: tuple[House, ...],
    table: FeatureTable,
    base_m: NDArray[np.float64],
    height_m: NDArray[np.float64],
) -> dict[str, str]:
    """Return ``{id: house}`` of the blocks of a layer that stand inside a house.

    Parameters
    ----------
    houses
        From `detailed`.
    table
        Blocks, none of them drawn from meshes of its own.
    base_m, height_m
        (n,) where they stand, absolute, and how high they are.
    """
    import shapely

    found: dict[str, str] = {}
    areal = np.isin(shapely.get_type_id(table.geometry), (3, 6))
    rows = np.flatnonzero(areal)
    if not houses or not len(rows):
        return found
    tree = shapely.STRtree(table.geometry[rows])
    for house in houses:
        for row in rows[tree.query(house.outline, predicate="intersects")].tolist():
            shape, id_ = table.geometry[row], str(table.ids[row])
            top = min(base_m[row] + height_m[row], house.high_m)
            beside = top - max(base_m[row], house.low_m) >= _BESIDE * height_m[row]
            within = shape.intersection(house.outline).area >= _WITHIN * shape.area > 0
            if id_ != house.id and beside and within:
                found[id_] = house.id
    return found
