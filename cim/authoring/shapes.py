"""Ground plans by letter: rectangle, L, U, T, H, court, cross, oval stadium, row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError

__all__ = ["SHAPES", "place", "plan"]

Array = NDArray[np.float64]

SHAPES = ("rect", "L", "U", "T", "H", "court", "cross", "oval")
_ARC_STEPS = 16


def plan(shape: str, length_m: float, width_m: float, *, where: str = "") -> Any:
    """Return a ground plan about its centre: x along the front, y away from the street.

    Parameters
    ----------
    shape
        One of `SHAPES`. ``oval`` is a ring around a sports ground, open on both sides of
        the middle of one long side, where a grandstand stands apart.
    length_m, width_m
        Outer size along x and y.
    where
        Row of the table, for the message.

    Raises
    ------
    SourceError
        Unknown shape.
    """
    import shapely

    x, y = length_m / 2.0, width_m / 2.0
    box = shapely.box(-x, -y, x, y)
    wing = max(0.36 * min(length_m, width_m), 5.0)
    if shape == "rect":
        return box
    if shape == "L":
        return box.difference(shapely.box(-x + wing * 1.4, -y + wing * 1.4, x + 1, y + 1))
    if shape == "U":
        return box.difference(shapely.box(-x + wing, -y + wing, x - wing, y + 1))
    if shape == "T":
        stem = shapely.box(-wing / 1.4, -y, wing / 1.4, y)
        return shapely.unary_union([shapely.box(-x, -y, x, -y + wing * 1.3), stem])
    if shape == "H":
        bar = shapely.box(-x, -wing / 2, x, wing / 2)
        sides = [shapely.box(-x, -y, -x + wing, y), shapely.box(x - wing, -y, x, y)]
        return shapely.unary_union([bar, *sides])
    if shape == "court":
        hole = 0.3 * min(length_m, width_m)
        return box.difference(shapely.box(-x + hole, -y + hole, x - hole, y - hole))
    if shape == "cross":
        return shapely.unary_union(
            [shapely.box(-x, -wing / 2, x, wing / 2), shapely.box(-wing / 2, -y, wing / 2, y)]
        )
    if shape == "oval":
        return _oval(length_m, width_m)
    values = {"column": "shape", "value": shape}
    raise SourceError("authoring.bad_value", given=where, values=values)


def place(figure: Any, centre: Array, along: tuple[float, float]) -> Any:
    """Return a plan turned so that x runs along the unit vector `along`, y to its left.

    Coordinates are projected metres rounded to 1 mm; `centre` is where the plan's zero lies.
    """
    import shapely

    east, north = along

    def turn(points: Array) -> Array:
        x, y = points.T
        return np.column_stack(
            [centre[0] + x * east - y * north, centre[1] + x * north + y * east]
        ).round(3)

    return shapely.transform(figure, turn)


def _oval(length_m: float, width_m: float) -> Any:
    import shapely

    outer, inner = _stadium(length_m, width_m), _stadium(length_m - 32.0, width_m - 32.0)
    straight = length_m - width_m
    gap = shapely.box(-straight / 2 - 4.0, -width_m, straight / 2 + 4.0, 0.0)
    return outer.difference(inner).difference(gap)


def _stadium(length_m: float, width_m: float) -> Any:
    import shapely

    radius, half = width_m / 2.0, (length_m - width_m) / 2.0
    angles = [math.pi * step / _ARC_STEPS for step in range(_ARC_STEPS + 1)]
    right = [(half + radius * math.sin(a), -radius * math.cos(a)) for a in angles]
    left = [(-half - radius * math.sin(a), radius * math.cos(a)) for a in angles]
    return shapely.Polygon([*right, *left])
