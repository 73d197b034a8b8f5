"""Faces of a shell made to turn one way, outwards where the shell is closed.

A set of faces need not be oriented, and many programs write it as it comes: half of the
faces look inwards, and the volume is any number. Neighbours are made to agree across their
common edge; a closed part with a negative volume is then turned as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import ranges

__all__ = ["turned_outwards"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def turned_outwards(vertices: Floats, triangles: Ints) -> Ints:
    """Return the triangles, those turned that look the wrong way.

    Parameters
    ----------
    vertices
        (n, 3) metres.
    triangles
        (m, 3) rows of `vertices`; neighbours share corners.

    Returns
    -------
    (m, 3) int64. Parts that are open, or whose faces cannot agree (a Möbius strip), keep
    the way of most of their faces.
    """
    m = len(triangles)
    start = triangles.reshape(-1)
    end = np.roll(triangles, -1, axis=1).reshape(-1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    key = low * np.int64(len(vertices)) + high
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = sorted_key[1:] != sorted_key[:-1]
    begin = np.flatnonzero(first)
    count = np.diff(np.append(begin, len(order)))
    two = begin[count == 2]
    one, other = order[two], order[two + 1]
    a, b = one // 3, other // 3
    differ = start[one] == start[other]  # both walk the edge the same way
    closed = bool((count == 2).all())
    if not differ.any():
        inside_out = closed and _volumes(vertices, triangles).sum() < 0
        return triangles[:, ::-1] if inside_out else triangles
    part, turned = _parts(m, a, b, differ)
    labels, at = np.unique(part, return_inverse=True)
    alone = order[ranges(begin[count != 2], count[count != 2])] // 3
    is_open = np.zeros(len(labels), dtype=bool)
    is_open[at[alone]] = True
    laid = np.where(turned[:, None], triangles[:, ::-1], triangles)
    volume = np.bincount(at, weights=_volumes(vertices, laid))
    share = np.bincount(at, weights=turned) / np.bincount(at)
    wrong = np.where(is_open, share > 0.5, volume < 0)
    return np.where(wrong[at][:, None], laid[:, ::-1], laid)


def _parts(m: int, a: Ints, b: Ints, differ: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the least triangle of each one's part, and whether it is turned against it."""
    part, turned = np.arange(m), np.zeros(m, dtype=bool)
    for _ in range(m):
        changed = False
        for to, by in ((a, b), (b, a)):
            better = part[by] < part[to]
            if better.any():
                t, s = to[better], by[better]
                part[t], turned[t] = part[s], turned[s] ^ differ[better]
                changed = True
        if not changed:
            break
    return part, turned


def _volumes(vertices: Floats, triangles: Ints) -> Floats:
    """Return six times the volume between each triangle and a common point."""
    corner = vertices[triangles] - vertices[triangles[0, 0]]
    found: Floats = np.einsum("ij,ij->i", corner[:, 0], np.cross(corner[:, 1], corner[:, 2]))
    return found
