"""Whether two faces of a shell meet elsewhere than along the edges and corners they share.

A wall and a floor that meet along three corners in a row, the middle one a millimetre off
the line of the others, overlap when cut into triangles. That is no fault of the shell: what
lies within the flatness a face must have, of an edge both faces have, does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR_M", "Shells", "away_from_common_edges"]

NEAR_M = 0.01  # val3dity's own default of how far a face may leave its plane
_AT_ONCE = 20_000  # pairs
_ON_M = 1e-4  # a place this close to a triangle lies on it

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shells:
    """The shells of some bodies, taken apart.

    Attributes
    ----------
    points
        (k, 3) corners of all rings one after another, metres.
    rings, faces
        Starts of rings in `points` and of faces in `rings`.
    corner
        (k,) a number for each corner, the same where two of one body are one place.
    follows
        (k,) the corner after each in its ring.
    face
        (k,) the face of each corner.
    shell_of_face, body_of_shell, solid_of_shell
        Whose faces and shells are; a solid's outer shell is its first one.
    """

    points: Floats
    rings: NDArray[np.int32]
    faces: NDArray[np.int32]
    corner: Ints
    follows: Ints
    face: Ints
    shell_of_face: Ints
    body_of_shell: Ints
    solid_of_shell: Ints


def away_from_common_edges(
    shells: Shells, triangles: Ints, face: Ints, pairs: Ints
) -> NDArray[np.bool_]:
    """Tell which pairs of triangles meet away from what their faces share.

    Faces of two shells share nothing that they may.

    Parameters
    ----------
    shells
        Where the faces are.
    triangles, face
        (m, 3) corners and (m,) face of each triangle.
    pairs
        (n, 2) triangles of two faces that meet.
    """
    out = np.ones(len(pairs), dtype=bool)
    faces = face[pairs]
    own = np.flatnonzero(shells.shell_of_face[faces[:, 0]] == shells.shell_of_face[faces[:, 1]])
    begin = shells.rings[shells.faces].astype(np.int64)
    for start in range(0, len(own), _AT_ONCE):
        some = own[start : start + _AT_ONCE]
        one, other = (shells.points[triangles[pairs[some, k]]] for k in (0, 1))
        places = _places(one, other)
        on = (_to_triangle(places, one) <= _ON_M) & (_to_triangle(places, other) <= _ON_M)
        keys, which = np.unique(faces[some], axis=0, return_inverse=True)
        order = np.argsort(which.reshape(-1), kind="stable")
        cuts = np.searchsorted(which.reshape(-1)[order], np.arange(1, len(keys)))
        for key, mine in zip(keys.tolist(), np.split(order, cuts), strict=True):
            common = _shared(shells, begin, *key)
            if common is not None:
                met = places[mine][on[mine]]
                far = len(met) and float(_to_edges(met, *common).max()) > NEAR_M
                out[some[mine]] = bool(far)
    return out


def _shared(shells: Shells, begin: Ints, one: int, other: int) -> tuple[Floats, Floats] | None:
    """Return both ends of what two faces share, edges and corners; None where they share none."""
    rows = [np.arange(begin[f], begin[f + 1]) for f in (one, other)]
    ends = [(shells.corner[r], shells.corner[shells.follows[r]]) for r in rows]
    edges = [{(min(a, b), max(a, b)) for a, b in zip(*map(np.ndarray.tolist, e), strict=True)}
             for e in ends]  # fmt: skip
    at = dict(zip(ends[0][0].tolist(), rows[0].tolist(), strict=True))
    corners = set(at) & set(ends[1][0].tolist())
    if not corners:
        return None
    found = sorted((edges[0] & edges[1]) | {(c, c) for c in corners})
    places = shells.points[np.array([[at[a], at[b]] for a, b in found])]
    return places[:, 0], places[:, 1]


def _places(one: Floats, other: Floats) -> Floats:
    """Return places at which pairs of triangles may meet, (n, 29, 3).

    Corners, middles (of what overlaps the middle lies farthest from the rim), where edges
    pass through planes, and where they are nearest to edges.
    """
    found = []
    for t in (one, other):
        found += [t, (t + np.roll(t, -1, axis=1)) / 2.0, t.mean(axis=1)[:, None]]
    for t, o in ((one, other), (other, one)):
        normal = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
        u = ((o - t[:, :1]) * normal[:, None]).sum(axis=2)
        v = np.roll(u, -1, axis=1)
        part = np.where(u * v < 0.0, u / np.where(u == v, 1.0, u - v), 0.0)
        found.append(o + part[..., None] * (np.roll(o, -1, axis=1) - o))
    p, q = np.repeat(one, 3, axis=1), np.repeat(np.roll(one, -1, axis=1), 3, axis=1)
    r, s = np.tile(other, (1, 3, 1)), np.tile(np.roll(other, -1, axis=1), (1, 3, 1))
    u, v, w = q - p, s - r, p - r
    a, b, c = (u * u).sum(2), (u * v).sum(2), (v * v).sum(2)
    d, e = (u * w).sum(2), (v * w).sum(2)
    under = a * c - b * b
    good = under > 1e-12 * a * c
    part = np.where(good, (b * e - c * d) / np.where(good, under, 1.0), 0.0)
    found.append(p + np.clip(part, 0.0, 1.0)[..., None] * u)
    return np.concatenate(found, axis=1)


def _to_edges(places: Floats, start: Floats, end: Floats) -> Floats:
    """Return how far each place lies from the nearest of some segments."""
    along = end - start
    size = np.maximum((along * along).sum(1), 1e-300)
    part = ((places[:, None] - start) * along).sum(2) / size
    nearest = start + np.clip(part, 0.0, 1.0)[..., None] * along
    return np.asarray(np.sqrt(((places[:, None] - nearest) ** 2).sum(2)).min(axis=1))


def _to_triangle(places: Floats, t: Floats) -> Floats:
    """Return how far places lie from their triangle, (n, k) of (n, k, 3) and (n, 3, 3)."""
    normal = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    normal /= np.maximum(np.sqrt((normal * normal).sum(1)), 1e-300)[:, None]
    rim = np.full(places.shape[:2], np.inf)
    inside = np.ones(places.shape[:2], dtype=bool)
    for k in range(3):
        along = (t[:, (k + 1) % 3] - t[:, k])[:, None]
        off = places - t[:, k : k + 1]
        size = np.maximum((along * along).sum(2), 1e-300)
        part = np.clip((off * along).sum(2) / size, 0.0, 1.0)
        rim = np.minimum(rim, np.sqrt(((off - part[..., None] * along) ** 2).sum(2)))
        inside &= (off * np.cross(normal[:, None], along)).sum(2) >= 0.0
    above = np.abs(((places - t[:, :1]) * normal[:, None]).sum(2))
    return np.asarray(np.where(inside, above, rim))
