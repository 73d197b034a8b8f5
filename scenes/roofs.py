"""How pitched roofs stand on footprints of right angles: hip, gable and mansard.

Over a shape of right angles the roof of equal pitch (its straight skeleton) rises with
the distance to the nearest eave, measured along the two directions of the walls. That
distance is the largest over the shape's maximal rectangles of the distance to the
rectangle's own sides: so the roof is simply the roofs of all maximal rectangles drawn
through one another, and valleys come where they must, on L, T, U and H alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PITCHED", "Roof", "maximal_rectangles", "pitched"]

Floats = NDArray[np.float64]

PITCHED = ("hip", "gable", "mansard")
_OVERHANG_M = 0.45
_SNAP_M = 0.20
_TURN = 0.05  # sine of the angle by which a wall may miss the right angle
_STEEP_SHARE, _STEEP_RISE = 0.28, 0.72  # of a mansard's half width and rise: its steep part


@dataclass(frozen=True)
class Roof:
    """Triangles of one roof: (k, 3, 3) corners, and whether each is a gable, not a slope."""

    corners: Floats
    gable: NDArray[np.bool_]


def pitched(rings: list[Floats], kind: str, eave_m: float, rise_m: float) -> Roof | None:
    """Return a roof of one pitch over a shape of right angles; None for any other shape.

    Parameters
    ----------
    rings
        Closed rings (n, 2), the outer one first.
    kind
        One of `PITCHED`.
    eave_m, rise_m
        Height of the eaves, and of the highest ridge above them.
    """
    found = maximal_rectangles(rings)
    if found is None:
        return None
    boxes, axes = found
    half = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2.0
    steep = rise_m / float(half.max())
    faces: list[tuple[Floats, bool]] = []
    for box, wing in zip(boxes, _met(boxes), strict=True):
        if kind == "gable":
            faces += _gable(wing, steep, long_x=bool(box[2] - box[0] >= box[3] - box[1]))
        elif kind == "mansard":
            faces += _mansard(box, float(half.max()), rise_m)
        else:
            low = _OVERHANG_M
            faces += _hip(_grown(box, low), -steep * low, steep)
    corners = np.array([face for face, _ in faces])
    corners[..., :2] = corners[..., :2] @ axes
    corners[..., 2] += eave_m
    return Roof(corners=corners, gable=np.array([gable for _, gable in faces]))


def maximal_rectangles(rings: list[Floats]) -> tuple[Floats, Floats] | None:
    """Return the largest rectangles that fit in a shape of right angles, none inside another.

    Returns
    -------
    tuple
        (k, 4) boxes ``xmin, ymin, xmax, ymax`` along the walls, and the (2, 2) matrix
        that turns such a point back (``point @ matrix``); None where an angle is not right.
    """
    outer = np.diff(rings[0], axis=0)
    longest = outer[np.argmax(np.hypot(*outer.T))]
    if not np.isfinite(outer).all() or not longest.any():
        return None
    along = longest / np.hypot(*longest)
    axes = np.array([along, [-along[1], along[0]]])
    turned = [ring @ axes.T for ring in rings]
    for ring in turned:
        edge = np.diff(ring, axis=0)
        length = np.hypot(*edge.T)
        if (np.abs(edge).min(axis=1) > np.maximum(_TURN * length, 0.5 * _SNAP_M)).any():
            return None
    xs, ys = (_levels(np.concatenate([r[:, i] for r in turned])) for i in (0, 1))
    if len(xs) < 2 or len(ys) < 2 or len(xs) * len(ys) > 900:
        return None
    filled = _inside(turned, (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)
    boxes = _largest(filled)
    if not len(boxes):
        return None
    x0, y0, x1, y1 = boxes.T
    return np.stack([xs[x0], ys[y0], xs[x1], ys[y1]], axis=1), axes


def _levels(values: Floats) -> Floats:
    """Return the different values, those within `_SNAP_M` of the one before taken as one."""
    ordered = np.sort(values)
    new = np.concatenate([[True], np.diff(ordered) > _SNAP_M])
    group = np.cumsum(new) - 1
    means: Floats = np.bincount(group, ordered) / np.bincount(group)
    return means


def _inside(rings: list[Floats], x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Tell for each (x, y) whether an odd number of walls lies to its east."""
    odd = np.zeros((len(x), len(y)), dtype=bool)
    for ring in rings:
        for (ax, ay), (bx, by) in zip(ring[:-1], ring[1:], strict=True):
            crosses = (ay > y) != (by > y)
            if crosses.any():
                at = ax + (y - ay) / ((by - ay) or 1.0) * (bx - ax)
                odd ^= crosses[None, :] & (x[:, None] < at[None, :])
    return odd


def _largest(filled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (k, 4) index boxes ``i0, j0, i1, j1`` of filled cells that none other holds."""
    n, m = filled.shape
    total = np.zeros((n + 1, m + 1), dtype=np.int64)
    total[1:, 1:] = filled.cumsum(0).cumsum(1)
    i0, i1 = np.triu_indices(n + 1, 1)
    j0, j1 = np.triu_indices(m + 1, 1)
    a0, b0 = np.repeat(i0, len(j0)), np.tile(j0, len(i0))
    a1, b1 = np.repeat(i1, len(j0)), np.tile(j1, len(i0))
    full = total[a1, b1] - total[a0, b1] - total[a1, b0] + total[a0, b0] == (a1 - a0) * (b1 - b0)
    a0, b0, a1, b1 = (v[full] for v in (a0, b0, a1, b1))
    holds = (
        (a0[None] <= a0[:, None])
        & (b0[None] <= b0[:, None])
        & (a1[None] >= a1[:, None])
        & (b1[None] >= b1[:, None])
    )
    kept = holds.sum(axis=1) == 1
    boxes: NDArray[np.int64] = np.stack([a0, b0, a1, b1], axis=1)[kept]
    return boxes


def _grown(box: Floats, by_m: float) -> Floats:
    return np.asarray(box + np.array([-by_m, -by_m, by_m, by_m]))


def _ring(box: Floats, z: float) -> list[Floats]:
    x0, y0, x1, y1 = box
    return [np.array(p) for p in ((x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z))]


def _hip(box: Floats, z: float, steep: float) -> list[tuple[Floats, bool]]:
    """Return four slopes that meet in a ridge, `steep` metres up for each metre in."""
    x0, y0, x1, y1 = box
    half = min(x1 - x0, y1 - y0) / 2.0
    top = z + steep * half
    a, b, c, d = _ring(box, z)
    if x1 - x0 >= y1 - y0:
        p, q = np.array([x0 + half, y0 + half, top]), np.array([x1 - half, y0 + half, top])
        faces = [(a, b, q), (a, q, p), (b, c, q), (c, d, p), (c, p, q), (d, a, p)]
    else:
        p, q = np.array([x0 + half, y0 + half, top]), np.array([x0 + half, y1 - half, top])
        faces = [(a, b, p), (b, c, q), (b, q, p), (c, d, q), (d, a, p), (d, p, q)]
    return [(np.array(face), False) for face in faces]


def _met(boxes: Floats) -> Floats:
    """Return gabled wings, each ending under the ridge of the broader wing it runs into.

    Else its gable would stand out of the far slope of that one.
    """
    met = boxes.copy()
    size = np.c_[boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]]
    breadth = size.min(axis=1)
    for i, box in enumerate(boxes):
        along = int(size[i, 1] > size[i, 0])
        aside = 1 - along
        for j, other in enumerate(boxes):
            crosses = size[j, aside] > size[j, along]
            broader = (breadth[j], j) > (breadth[i], i)
            spans = other[aside] <= box[aside] and other[aside + 2] >= box[aside + 2]
            if not (crosses and broader and spans):
                continue
            ridge = (other[along] + other[along + 2]) / 2.0
            if box[along] == other[along]:
                met[i, along] = max(met[i, along], ridge)
            if box[along + 2] == other[along + 2]:
                met[i, along + 2] = min(met[i, along + 2], ridge)
    return met


def _gable(box: Floats, steep: float, *, long_x: bool) -> list[tuple[Floats, bool]]:
    """Return two slopes over the length and the upright triangles at both ends."""
    x0, y0, x1, y1 = box
    over, verge = _OVERHANG_M, 0.15
    if not long_x:  # draw it lying along x, then swap the axes
        x0, y0, x1, y1 = y0, x0, y1, x1
    half = (y1 - y0) / 2.0
    middle, top = y0 + half, steep * half
    west, east = x0 - verge, x1 + verge
    a, b = (west, y0 - over, -steep * over), (east, y0 - over, -steep * over)
    c, d = (east, y1 + over, -steep * over), (west, y1 + over, -steep * over)
    p, q = (west, middle, top), (east, middle, top)
    slopes = [(a, b, q), (a, q, p), (c, d, p), (c, p, q)]
    ends = [
        ((x1, y0, 0.0), (x1, y1, 0.0), (x1, middle, top)),
        ((x0, y1, 0.0), (x0, y0, 0.0), (x0, middle, top)),
    ]
    faces = [(np.array(f), False) for f in slopes] + [(np.array(f), True) for f in ends]
    if long_x:
        return faces
    return [(face[::-1][:, [1, 0, 2]], gable) for face, gable in faces]


def _mansard(box: Floats, half_m: float, rise_m: float) -> list[tuple[Floats, bool]]:
    """Return a steep skirt and a low hip on it."""
    x0, y0, x1, y1 = box
    inset, knee = _STEEP_SHARE * half_m, _STEEP_RISE * rise_m
    if min(x1 - x0, y1 - y0) <= 2.0 * inset + 0.1:
        return _hip(box, 0.0, knee / inset)
    lower, upper = _ring(box, 0.0), _ring(_grown(box, -inset), knee)
    faces = []
    for i in range(4):
        j = (i + 1) % 4
        faces += [(lower[i], lower[j], upper[j]), (lower[i], upper[j], upper[i])]
    low = (rise_m - knee) / (half_m - inset)
    skirt = [(np.array(face), False) for face in faces]
    return skirt + _hip(_grown(box, -inset), knee, low)
