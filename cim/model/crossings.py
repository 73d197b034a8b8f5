"""Which faces of solids pass through or touch one another, and where inner shells lie.

The codes are those of val3dity: 306 a shell meets itself elsewhere than along its edges,
401 two shells pass through one another or share a face, 403 an inner shell lies outside.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cim.model.contacts import Shells, away_from_common_edges
from cim.model.facets import facets

__all__ = ["Shells", "crossing_faults"]

_MOST_SAMPLES = 512  # places of an inner shell that are looked at
_SURE = 0.01  # of a winding number
_FLAT = 1e-9  # of a triple product: a place that lies in a triangle

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def crossing_faults(shells: Shells) -> Iterator[tuple[int, int, int]]:
    """Yield code, body and count: pairs of faces (306), shells (401, 402, 403).

    A face without triangles, reported as a face that is not valid, takes no part.
    """
    cut = facets(shells.points, shells.rings, shells.faces)
    triangles, face = cut.triangles.astype(np.int64), cut.face.astype(np.int64)
    pairs, how = _meetings(shells, triangles, face)
    real = away_from_common_edges(shells, triangles, face, pairs)
    pairs, how = pairs[real], how[real]
    one, other = face[pairs[:, 0]], face[pairs[:, 1]]
    shell_one, shell_other = shells.shell_of_face[one], shells.shell_of_face[other]
    own = shell_one == shell_other
    unique = np.unique(np.sort(np.column_stack([one[own], other[own]]), axis=1), axis=0)
    bodies = shells.body_of_shell[shells.shell_of_face[unique[:, 0]]]
    for body, count in zip(*np.unique(bodies, return_counts=True), strict=True):
        yield 306, int(body), int(count)
    lone = np.bincount(shells.solid_of_shell, minlength=1)[shells.solid_of_shell] == 1
    if lone.all():
        return
    between = np.sort(np.column_stack([shell_one, shell_other])[~own], axis=1)
    met: dict[tuple[int, int], int] = {}
    for pair, kind in zip(map(tuple, between.tolist()), how[~own].tolist(), strict=True):
        met[pair] = max(kind, met.get(pair, 0))
    order = np.argsort(shells.shell_of_face[face], kind="stable")
    starts = np.searchsorted(shells.shell_of_face[face][order], np.arange(len(lone) + 1))
    pieces = [triangles[order[starts[s] : starts[s + 1]]] for s in range(len(lone))]
    for solid in np.unique(shells.solid_of_shell[~lone]).tolist():
        mine = np.flatnonzero(shells.solid_of_shell == solid).tolist()
        body = int(shells.body_of_shell[mine[0]])
        for code in _solid(shells, mine, pieces, met):
            yield code, body, 1


def _meetings(shells: Shells, triangles: Ints, face: Ints) -> tuple[Ints, NDArray[np.uint8]]:
    """Return the pairs of triangles of one body that meet, and how."""
    from kernels.spatial.crossing import MOST_STEPS, meetings

    body = shells.body_of_shell[shells.shell_of_face[shells.face]]  # of each corner
    first = np.flatnonzero(np.diff(body, prepend=-1))
    ends = np.append(first, len(body))
    # corners that are one place have one position: that of the first
    _, at, back = np.unique(shells.corner, return_index=True, return_inverse=True)
    places = shells.points[at][back.reshape(-1)]
    if not len(first) or not len(triangles):
        return np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.uint8)
    low = np.minimum.reduceat(places, first, axis=0)
    wide = np.maximum.reduceat(places, first, axis=0) - low
    sizes = np.diff(ends)
    # whole steps per millimetre, so that what is exact in a file of millimetres stays so
    mm = wide.max(axis=1) * 1000.0 + 1.0
    per_m = np.where(mm < MOST_STEPS, np.floor(MOST_STEPS / mm), MOST_STEPS / mm) * 1000.0
    local = (places - np.repeat(low, sizes, axis=0)) * np.repeat(per_m, sizes)[:, None]
    steps = np.clip(np.rint(local), 0, MOST_STEPS).astype(np.int64)
    number = np.repeat(np.arange(len(first)), sizes)  # of the body, among those with corners
    mine = number[triangles[:, 0]]
    axis = np.argmax(wide, axis=1).astype(np.int64)
    along = steps[triangles, axis[mine][:, None]].min(axis=1)
    order = np.lexsort([along, mine])
    sorted_ = np.ascontiguousarray(triangles[order])
    starts = np.searchsorted(mine[order], np.arange(len(first) + 1)).astype(np.int64)
    rim = _on_rim(shells, sorted_, face[order])
    room = 4 * len(triangles) + 64
    while True:
        pairs, how = np.empty((room, 2), dtype=np.int64), np.empty(room, dtype=np.uint8)
        found = meetings(steps, shells.corner, sorted_, rim, face[order], starts, axis, pairs, how)
        if found <= room:
            return order[pairs[:found]], how[:found]
        room = found


def _on_rim(shells: Shells, triangles: Ints, face: Ints) -> NDArray[np.uint8]:
    """Tell which edges of triangles lie on the rim of their face, (m, 3)."""
    count = int(shells.corner.max()) + 1

    def edge(a: Ints, b: Ints) -> Ints:
        one, other = shells.corner[a], shells.corner[b]
        return np.asarray(np.minimum(one, other) * count + np.maximum(one, other))

    rings = edge(np.arange(len(shells.follows)), shells.follows)
    cut = edge(triangles.reshape(-1), triangles[:, [1, 2, 0]].reshape(-1))
    _, number = np.unique(np.concatenate([rings, cut]), return_inverse=True)
    number = number.reshape(-1) + np.concatenate([shells.face, np.repeat(face, 3)]) * len(number)
    found = np.isin(number[len(rings) :], number[: len(rings)])
    return np.ascontiguousarray(found.reshape(-1, 3).astype(np.uint8))


def _solid(
    shells: Shells, mine: list[int], pieces: list[Ints], met: dict[tuple[int, int], int]
) -> Iterator[int]:
    """Yield the faults between the shells of one solid, the first of them the outer one."""
    from kernels.spatial.crossing import APART, CROSSING, OVERLAPPING

    corners = {s: np.unique(shells.corner[pieces[s]]) for s in mine}
    seen: dict[bytes, int] = {corners[mine[0]].tobytes(): mine[0]}
    inner: list[int] = []
    for s in mine[1:]:
        if seen.setdefault(corners[s].tobytes(), s) != s and len(corners[s]):
            yield 402
        else:
            inner.append(s)
    for s in inner:
        how = met.get((mine[0], s), APART)
        inside, outside = _where(shells.points, pieces[s], pieces[mine[0]], one=how == APART)
        if how == CROSSING or (inside and outside):
            yield 401
        elif outside:
            yield 403
        elif how == OVERLAPPING:
            yield 401
    boxes = np.array([_box(shells.points, pieces[s]) for s in inner]).reshape(-1, 2, 3)
    for i, s in enumerate(inner):
        near = (boxes[i + 1 :, 0] <= boxes[i, 1]).all(1) & (boxes[i + 1 :, 1] >= boxes[i, 0]).all(1)
        for t in (inner[i + 1 + k] for k in np.flatnonzero(near)):
            how = met.get((s, t), APART)
            both = (pieces[s], pieces[t]), (pieces[t], pieces[s])
            if how >= OVERLAPPING or any(
                _where(shells.points, *pair, one=how == APART)[0] for pair in both
            ):
                yield 401


def _box(points: Floats, triangles: Ints) -> Floats:
    if not len(triangles):
        return np.array([np.full(3, np.inf), np.full(3, -np.inf)])
    some = points[triangles.reshape(-1)]
    return np.array([some.min(axis=0), some.max(axis=0)])


def _where(points: Floats, some: Ints, shell: Ints, *, one: bool) -> tuple[bool, bool]:
    """Return whether places of some triangles lie strictly inside, and strictly outside.

    Where they do not meet the shell, `one` place tells of all.

    Told by winding numbers, sums of solid angles (van Oosterom and Strackee 1983, *IEEE
    Transactions on Biomedical Engineering* 30:2).
    """
    if not len(some) or not len(shell):
        return False, False
    places = np.concatenate([points[np.unique(some)], points[some].mean(axis=1)])
    step = -(-len(places) // _MOST_SAMPLES)
    low, high = False, False
    for at in places[:1] if one else places[::step]:
        a, b, c = (points[shell] - at).transpose(1, 0, 2)
        la, lb, lc = (np.sqrt((v * v).sum(axis=1)) for v in (a, b, c))
        over = (a * np.cross(b, c)).sum(axis=1)
        under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        size = la * lb * lc
        if ((np.abs(over) <= _FLAT * size) & (under <= _FLAT * size)).any():
            continue  # on the shell itself
        turns = abs(float(np.arctan2(over, under).sum())) / (2.0 * np.pi)
        high |= turns > 1.0 - _SURE
        low |= turns < _SURE
    return high, low
