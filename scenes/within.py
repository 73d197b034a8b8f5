"""Which bodies an eye stands in: a picture from inside a wall shows nothing, and should say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scenes.drawables import Blocks, Surface

if TYPE_CHECKING:
    from scenes.compose import Picture

__all__ = ["within"]

Floats = NDArray[np.float64]

_WAYS = (0.37 + np.arange(4) * np.pi / 2).tolist()  # off the axes, where no wall of a plan runs
_ENOUGH = 3  # of four ways must leave a body for its point to lie inside


def within(picture: Picture, place: Floats) -> tuple[str, ...]:
    """Return the ids of the bodies a place (x, y, z), scene metres, lies in.

    From inside, a level ray passes the skin of a body an odd number of times. Bodies drawn
    open at the foot are met all the same; a room between walls that are bodies of their own
    is outside of them all.
    """
    found: set[str] = set()
    for blocks in picture.blocks:
        found.update(map(str, blocks.ids[_in_blocks(blocks, place)]))
    passed: list[dict[str, int]] = [{} for _ in _WAYS]
    for body in picture.bodies:
        if len(body.ids):
            for told, counts in zip(passed, _passed(body, place), strict=True):
                for one, count in counts:
                    told[one] = told.get(one, 0) + count
    votes: dict[str, int] = {}
    for told in passed:
        for one, count in told.items():
            votes[one] = votes.get(one, 0) + count % 2
    found.update(one for one, count in votes.items() if count >= _ENOUGH)
    return tuple(sorted(found))


def _in_blocks(blocks: Blocks, place: Floats) -> NDArray[np.int64]:
    """Return the rows of the prisms a place lies in."""
    low, high = blocks.box.min(axis=1), blocks.box.max(axis=1)
    near = (low <= place[:2]).all(axis=1) & (high >= place[:2]).all(axis=1)
    near &= (blocks.low < place[2]) & (place[2] < blocks.high)
    rows = []
    for polygon in np.flatnonzero(near):
        first, last = blocks.polygon_start[polygon : polygon + 2]
        crossed = 0
        for ring in range(first, last):
            a = blocks.xy[blocks.ring_start[ring] : blocks.ring_start[ring + 1]]
            b = np.roll(a, -1, axis=0)
            over = (a[:, 1] > place[1]) != (b[:, 1] > place[1])
            a, b = a[over], b[over]
            x = a[:, 0] + (place[1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
            crossed += int((x > place[0]).sum())
        if crossed % 2:
            rows.append(int(blocks.owner[polygon]))
    return np.array(rows, dtype=np.int64)


def _passed(body: Surface, place: Floats) -> list[list[tuple[str, int]]]:
    """Return how many faces of each body a level ray passes, way by way."""
    above = body.vertices[:, 2] > place[2]
    a, b, c = (above[body.triangles[:, i]] for i in range(3))
    level = np.flatnonzero((a != b) | (b != c))
    corners = body.vertices[body.triangles[level]].astype(np.float64) - place
    return [_met(body, level, corners, way) for way in _WAYS]


def _met(
    body: Surface, level: NDArray[np.int64], corners: Floats, way: float
) -> list[tuple[str, int]]:
    """Return how many of some faces of each body a ray passes (Möller and Trumbore 1997)."""
    ahead = np.array([np.cos(way), np.sin(way), 0.0])
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(ahead, ac)
    q = np.cross(-a, ab)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 / (ab * p).sum(axis=1)
        u, v = (-a * p).sum(axis=1) * share, (q @ ahead) * share
        far = (ac * q).sum(axis=1) * share
        met = (u >= 0.0) & (v >= 0.0) & (u + v < 1.0) & (far > 0.0)
    owners, counts = np.unique(body.owner[level[met]], return_counts=True)
    return [(str(body.ids[o]), int(n)) for o, n in zip(owners, counts, strict=True)]
