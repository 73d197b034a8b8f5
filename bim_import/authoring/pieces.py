"""Simple roofs over pieces of a plan: hips, mansards, gables, level ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from bim_import.authoring.envelope import Piece, Plane, edges_of

__all__ = ["flat", "gable", "hips", "mansard"]

Point = tuple[float, float]
Ring = Sequence[Sequence[float]]

_FLUSH_M = 1e-5


def hips(outline: Ring, *, eaves_m: float, slope: float) -> list[Piece]:
    """Return a hip roof over a convex plan, or one of right angles along the axes."""
    return _over(outline, lambda ring: [_leaning(e, eaves_m, slope) for e in ring])


def mansard(
    outline: Ring, *, eaves_m: float, slope: float, break_m: float, upper_slope: float
) -> list[Piece]:
    """Return a mansard: steep over the first `break_m` from the eaves, then flatter."""
    lift = eaves_m + break_m * (slope - upper_slope)
    return _over(outline, lambda ring: [
        plane for e in ring
        for plane in (_leaning(e, eaves_m, slope), _leaning(e, lift, upper_slope))
    ])  # fmt: skip


def gable(low: Point, high: Point, *, eaves_m: float, slope: float, along_x: bool) -> list[Piece]:
    """Return a gable roof over the rectangle between two corners, its ridge along x or y."""
    import shapely

    ring = edges_of(shapely.box(*low, *high))
    sides = [e for e in ring if (abs(e[0][1] - e[1][1]) < _FLUSH_M) == along_x]
    planes = tuple(_leaning(e, eaves_m, slope) for e in sides)
    return [Piece(shapely.box(*low, *high), planes)]


def flat(outline: Ring, *, top_m: float) -> list[Piece]:
    """Return a level roof."""
    import shapely

    return [Piece(shapely.Polygon(outline), (Plane(0.0, 0.0, top_m),))]


def _over(outline: Ring, planes: Callable[[Any], list[Plane]]) -> list[Piece]:
    """Return a piece for a convex plan, else one for each of its largest rectangles."""
    import shapely

    plan = shapely.Polygon(outline)
    convex = plan.convex_hull.area - plan.area < 1e-6
    shapes = [plan] if convex else _rectangles(plan)
    return [Piece(shape, tuple(planes(edges_of(shape)))) for shape in shapes]


def _rectangles(plan: Any) -> list[Any]:
    """Return the rectangles in a plan of right angles that fit in no other."""
    import shapely

    corners = list(plan.exterior.coords)
    xs, ys = (sorted({round(p[i], 4) for p in corners}) for i in (0, 1))
    fitting = [
        shapely.box(x0, y0, x1, y1)
        for (x0, x1), (y0, y1) in itertools.product(
            itertools.combinations(xs, 2), itertools.combinations(ys, 2)
        )
    ]
    inside = plan.buffer(1e-3, join_style="mitre")
    fitting = [box for box in fitting if inside.covers(box)]
    return [b for b in fitting if not any(o is not b and o.covers(b) for o in fitting)]


def _leaning(edge: tuple[Point, Point], eaves_m: float, slope: float) -> Plane:
    """Return the plane rising inwards from the edge of a counter-clockwise ring."""
    (x0, y0), (x1, y1) = edge
    length = math.hypot(x1 - x0, y1 - y0)
    a, b = -(y1 - y0) / length * slope, (x1 - x0) / length * slope
    return Plane(a, b, eaves_m - a * x0 - b * y0)
