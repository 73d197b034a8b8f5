"""Which building of the city a model stands on, and how far the two disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import split_layer
from cim.model.table import FeatureTable

__all__ = ["Match", "distance_m", "find_building", "hull", "on_water", "outline", "plan_of"]

_ENOUGH = 0.3
"""Least share of the smaller footprint that must be common."""
_MOST_TRIANGLES = 60_000
_GRID_M = 0.001


@dataclass(frozen=True)
class Match:
    """A building of the city under a model.

    Attributes
    ----------
    layer, id, source_id
        The building.
    overlap
        Common area over the area of both together.
    area_m2
        Area of its footprint.
    height_m, floor_level_m
        What it says of its height and ground floor; NaN where it says nothing.
    """

    layer: str
    id: str
    source_id: str
    overlap: float
    area_m2: float
    height_m: float
    floor_level_m: float


def outline(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.int32]]]) -> Any:
    """Return the largest piece of the plan outline of meshes: a polygon, or None.

    Parameters
    ----------
    parts
        (vertices (n, 3) in metres, triangles (m, 3)) of each mesh.
    """
    import shapely

    whole = plan_of(parts)
    return None if whole is None else max(shapely.get_parts(whole), key=lambda piece: piece.area)


def plan_of(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.int32]]]) -> Any:
    """Return the plan outline of meshes without its holes: polygons, or None.

    Parameters
    ----------
    parts
        (vertices (n, 3) in metres, triangles (m, 3)) of each mesh.
    """
    import shapely

    rings = []
    for vertices, triangles in parts:
        corners = vertices[triangles][:, :, :2]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        rings.append(corners[area > 2e-4])
    if not rings or not sum(len(r) for r in rings):
        return None
    corners = np.concatenate(rings)
    if len(corners) > _MOST_TRIANGLES:
        return hull(corners.reshape(-1, 2))
    polygons = shapely.polygons(corners)
    # Walls that only touch leave cracks: close them by 5 cm.
    whole = shapely.union_all(polygons, grid_size=_GRID_M).buffer(0.05, join_style="mitre")
    whole = whole.buffer(-0.05, join_style="mitre")
    pieces = [shapely.Polygon(p.exterior) for p in shapely.get_parts(whole) if p.area > 0.5]
    if not pieces:
        return None
    return shapely.union_all(pieces).simplify(0.01)


def hull(xy: NDArray[np.float64]) -> Any:
    """Return the convex hull of points (n, 2) as a polygon, at least 1 cm wide."""
    import shapely

    found = shapely.MultiPoint(xy).convex_hull
    return found if found.geom_type == "Polygon" else found.buffer(0.005, quad_segs=1)


def find_building(
    footprint: Any, near: Mapping[str, FeatureTable], *, source: str = ""
) -> Match | None:
    """Return the building that `footprint` overlaps most, or None where none does enough.

    Buildings of the key `source` do not count: an older delivery of the model itself.
    """
    import shapely

    best: Match | None = None
    for layer, table in near.items():
        if split_layer(layer)[0] != "building" or not len(table):
            continue
        sources = table.texts("source")
        for row in shapely.STRtree(table.geometry).query(footprint, predicate="intersects"):
            if source and sources[row] == source:
                continue
            shape = table.geometry[row]
            if shape.geom_type not in ("Polygon", "MultiPolygon"):
                continue
            common = shape.intersection(footprint).area
            overlap = common / (shape.area + footprint.area - common)
            enough = common >= _ENOUGH * min(shape.area, footprint.area)
            if enough and (best is None or overlap > best.overlap):
                best = Match(
                    layer=layer, id=str(table.ids[row]), overlap=float(overlap),
                    source_id=table.texts("source_id")[row], area_m2=float(shape.area),
                    height_m=float(table.numbers("height_m")[row]),
                    floor_level_m=float(table.numbers("floor_level_m")[row]),
                )  # fmt: skip
    return best


def distance_m(footprint: Any, near: Mapping[str, FeatureTable]) -> float:
    """Return how far a footprint lies from the box around all of `near`; 0 within or without."""
    import shapely

    boxes = [shapely.total_bounds(t.geometry) for t in near.values() if len(t)]
    known = np.array([b for b in boxes if np.isfinite(b).all()]).reshape(-1, 4)
    if not len(known):
        return 0.0
    low, high = known[:, :2].min(axis=0), known[:, 2:].max(axis=0)
    return float(shapely.distance(footprint, shapely.box(*low, *high)))


def on_water(footprint: Any, near: Mapping[str, FeatureTable]) -> tuple[str, float]:
    """Return name and share of the water that lies under most of a footprint; "", 0 without."""
    best = ("", 0.0)
    for layer, table in near.items():
        if split_layer(layer)[0] != "water":
            continue
        for row, shape in enumerate(table.geometry):
            if shape is not None and shape.geom_type in ("Polygon", "MultiPolygon"):
                share = float(shape.intersection(footprint).area / footprint.area)
                if share > best[1]:
                    best = (table.texts("name")[row] or str(table.ids[row]), share)
    return best
