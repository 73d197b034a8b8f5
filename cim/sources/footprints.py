"""Where an object of a city model stands on the ground, and between which heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.body import Body

__all__ = ["Shape", "placed_template", "shape_of"]

_GROUND = frozenset(["GroundSurface", "OuterFloorSurface", "WaterGroundSurface"])


@dataclass
class Shape:
    """A flat geometry and the heights it lies between; None and NaN where there is none."""

    flat: Any = None
    low_m: float = float("nan")
    high_m: float = float("nan")
    centre: tuple[float, float] | None = None
    from_parts: bool = False

    @property
    def height_m(self) -> float:
        """From the lowest to the highest corner, metres."""
        return self.high_m - self.low_m


def shape_of(bodies: Sequence[Body], templates: Sequence[Body]) -> Shape:
    """Return footprint, lowest and highest corner of an object.

    The footprint is its level 0 where it has one, else the ground surfaces of its lowest
    level, else the outline of all its faces seen from above.

    Parameters
    ----------
    bodies
        Its representations, in projected metres.
    templates
        What those of them point at that are placed templates.
    """
    whole = [placed_template(b, templates) if b.template is not None else b for b in bodies]
    whole = [b for b in whole if len(b.vertices)]
    if not whole:
        return Shape()
    raised = [b for b in whole if not b.lod.startswith("0")] or whole
    heights = np.concatenate([b.vertices[:, 2] for b in raised])
    ordered = sorted(whole, key=lambda b: (-b.dimension, b.lod or "9"))
    flat = next((f for f in map(_flat, ordered) if f is not None), None)
    xy = raised[0].vertices[:, :2]
    centre = (xy.min(axis=0) + xy.max(axis=0)) / 2
    return Shape(
        flat, float(heights.min()), float(heights.max()), (float(centre[0]), float(centre[1]))
    )


def placed_template(body: Body, templates: Sequence[Body]) -> Body:
    """Return the body a placed template amounts to, in projected metres."""
    assert body.template is not None and body.matrix is not None
    template = templates[body.template]
    moved = template.vertices @ body.matrix[:3, :3].T + body.matrix[:3, 3]
    return replace(template, object_id=body.object_id, vertices=moved)


def _flat(body: Body) -> Any:
    """Return the outline of one body from above; None where it has none."""
    import shapely

    xy = body.vertices[body.index, :2]
    rings = body.rings
    if body.type == "MultiPoint":
        return shapely.MultiPoint(xy) if len(xy) > 1 else shapely.Point(xy[0])
    if body.dimension == 1:
        lines = [xy[a:b] for a, b in zip(rings[:-1], rings[1:], strict=True) if b - a > 1]
        made = [shapely.LineString(line) for line in lines]
        return None if not made else made[0] if len(made) == 1 else shapely.MultiLineString(made)
    chosen = np.arange(body.face_count)
    if body.surfaces is not None and len(body.semantic) == body.face_count:
        ground = [i for i, s in enumerate(body.surfaces) if s.get("type") in _GROUND]
        floor = np.flatnonzero(np.isin(body.semantic, ground))
        chosen = floor if len(floor) else chosen
    return _union(body, xy, chosen) or (
        _union(body, xy, np.arange(body.face_count)) if len(chosen) < body.face_count else None
    )


def _union(body: Body, xy: NDArray[np.float64], chosen: NDArray[Any]) -> Any:
    import shapely

    origin = xy.mean(axis=0)
    local = xy - origin
    if len(body.rings) == len(body.faces) and (np.diff(body.rings) == 3).all():
        corners = local.reshape(-1, 3, 2)[chosen]
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        flat = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) < 2e-4
        return _merged(shapely.polygons(corners[~flat]), origin)
    made = []
    for f in chosen:
        rings = [
            local[body.rings[r] : body.rings[r + 1]]
            for r in range(body.faces[f], body.faces[f + 1])
        ]
        rings = [ring for ring in rings if len(ring) >= 3]
        if not rings or abs(_area(rings[0])) < 1e-4:
            continue
        made.append(shapely.Polygon(rings[0], [r for r in rings[1:] if abs(_area(r)) > 1e-4]))
    return _merged(np.array(made, dtype=object), origin)


def _merged(array: NDArray[Any], origin: NDArray[np.float64]) -> Any:
    """Return polygons around `origin` as one; None where they come to nothing."""
    import shapely

    if not len(array):
        return None
    bad = ~shapely.is_valid(array)
    if bad.any():
        array[bad] = shapely.make_valid(array[bad], method="structure", keep_collapsed=False)
    merged = shapely.union_all(array, grid_size=1e-4)
    parts = shapely.get_parts(shapely.get_parts(merged))
    parts = parts[shapely.get_type_id(parts) == 3]
    parts = parts[shapely.area(parts) > 1e-2] if (shapely.area(parts) > 1e-2).any() else parts
    if not len(parts):
        return None
    placed = shapely.transform(parts, lambda p: p + origin)
    flat = placed[0] if len(placed) == 1 else shapely.MultiPolygon(list(placed))
    return shapely.orient_polygons(flat)


def _area(ring: NDArray[np.float64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))
