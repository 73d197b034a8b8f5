"""What is wrong with the shells of solids: open, branching, in pieces, inside out.

The codes are those of val3dity (Ledoux 2018, *Open Geospatial Data, Software and
Standards* 3:1), which follow ISO 19107: 3xx a shell, 4xx a solid. Most of it is told from
which rings share which edges and from the volume they enclose; faces that pass through one
another by `cim.model.crossings`. Whether inner shells cut the inside of a solid in two
(404) is not looked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.model.body import BODY_TYPES, Body
from cim.model.crossings import Shells, crossing_faults
from cim.model.facets import joined

__all__ = ["ShellFault", "shell_faults"]

SNAP_M = 1e-3  # corners this close are one: val3dity's own default
_AT_ONCE = 500_000  # corners looked at in one go

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ShellFault:
    """What is wrong with a shell or solid.

    Attributes
    ----------
    body
        Its number among the bodies given.
    code
        Of val3dity: 301 fewer than four faces, 302 not closed, 303 more than two faces at an
        edge, or shells that meet in one corner, 305 in several pieces, 306 faces that pass
        through or touch one another, 307 neighbouring faces that look to different sides,
        401 shells that pass through one another or share a face, 402 a shell twice, 403 an
        inner shell outside, 405 a shell that looks inwards (an inner one outwards).
    count
        How many edges (302, 303, 307), pieces (305), faces (301), pairs of faces (306) or
        shells it concerns.
    """

    body: int
    code: int
    count: int


def shell_faults(bodies: Sequence[Body]) -> list[ShellFault]:
    """Return what is wrong with the solids among some bodies.

    Parameters
    ----------
    bodies
        Those of other types than solids are passed over.
    """
    solids = [i for i, b in enumerate(bodies) if BODY_TYPES[b.type] >= 3 and b.template is None]
    found: list[ShellFault] = []
    part: list[int] = []
    corners = 0
    for i in solids:
        part.append(i)
        corners += len(bodies[i].index)
        if corners >= _AT_ONCE:
            found += _faults(bodies, part)
            part, corners = [], 0
    return found + (_faults(bodies, part) if part else [])


def _faults(bodies: Sequence[Body], which: Sequence[int]) -> list[ShellFault]:
    some = [bodies[i] for i in which]
    points, rings, faces, first_face = joined(some)
    shell_of_face, body_of_shell, outer = _numbered(some, first_face)
    ring_of = np.repeat(np.arange(len(rings) - 1), np.diff(rings))
    face_of_ring = np.repeat(np.arange(len(faces) - 1), np.diff(faces))
    face = face_of_ring[ring_of]
    shell = shell_of_face[face]
    follows = np.arange(1, len(points) + 1)
    follows[rings[1:][np.diff(rings) > 0] - 1] = rings[:-1][np.diff(rings) > 0]
    corner = _snapped(points, body_of_shell[shell])
    count = len(body_of_shell)
    told: dict[tuple[int, int], int] = defaultdict(int)

    def say(code: int, shells: Ints, counts: Ints) -> None:
        for s, n in zip(shells.tolist(), counts.tolist(), strict=True):
            told[int(body_of_shell[s]), code] += int(n)

    size = np.bincount(shell_of_face, minlength=count)
    few = np.flatnonzero(size < 4)
    say(301, few, np.maximum(size[few], 1))
    edges = _Edges(shell, corner, corner[follows], face)
    for code, bad in ((302, edges.used == 1), (303, edges.used > 2), (307, edges.turned)):
        at = np.bincount(edges.shell[bad], minlength=count)
        say(code, np.flatnonzero(at), at[at > 0])
    whole = np.bincount(edges.shell[(edges.used != 2) | edges.turned], minlength=count) == 0
    pieces = _pieces(shell_of_face, edges.pairs(), count)
    say(305, np.flatnonzero(pieces > 1), pieces[pieces > 1])
    pinched = _pinched(shell, corner, follows, count) & whole & (pieces == 1)
    say(303, np.flatnonzero(pinched), np.ones(int(pinched.sum()), dtype=np.int64))
    good = whole & (pieces == 1) & (size >= 4)
    volume = _volumes(points, rings, ring_of, shell, body_of_shell)
    wrong = np.flatnonzero(good & (np.where(outer, volume, -volume) < 0.0))
    say(405, wrong, np.ones(len(wrong), dtype=np.int64))
    whole_bodies = Shells(
        points, rings, faces, corner, follows, face, shell_of_face, body_of_shell,
        np.cumsum(outer) - 1,
    )  # fmt: skip
    for code, b, n in crossing_faults(whole_bodies):
        told[b, code] += n
    return [ShellFault(which[b], code, n) for (b, code), n in sorted(told.items())]


def _numbered(
    bodies: Sequence[Body], first_face: NDArray[np.int32]
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return the shell of each face, the body of each shell, and whether it is an outer one."""
    owner: list[int] = []
    outer: list[bool] = []
    shells = np.zeros(int(first_face[-1]), dtype=np.int64)
    for b, body in enumerate(bodies):
        firsts = set(body.solids[:-1].tolist())
        for s in range(len(body.shells) - 1):
            low, high = int(body.shells[s]), int(body.shells[s + 1])
            shells[first_face[b] + low : first_face[b] + high] = len(owner)
            owner.append(b)
            outer.append(s in firsts)
    return shells, np.array(owner, dtype=np.int64), np.array(outer, dtype=bool)


def _snapped(points: NDArray[np.float64], body: Ints) -> Ints:
    """Return a number for each corner, the same where corners of one body are one place."""
    whole = np.rint(points / SNAP_M).astype(np.int64)
    keys = np.column_stack([body, whole])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


class _Edges:
    """The edges of shells: how many rings use each, and whether two use it the same way."""

    def __init__(self, shell: Ints, start: Ints, end: Ints, face: Ints) -> None:
        real = start != end
        self._face = face[real]
        low, high = np.minimum(start, end)[real], np.maximum(start, end)[real]
        keys = np.column_stack([shell[real], low, high])
        unique, inverse = np.unique(keys, axis=0, return_inverse=True)
        self.of = inverse.reshape(-1)
        forward = np.bincount(self.of, weights=(start < end)[real], minlength=len(unique))
        self.shell = unique[:, 0] if len(unique) else np.empty(0, dtype=np.int64)
        self.used = np.bincount(self.of, minlength=len(unique))
        self.turned = (self.used == 2) & (forward != 1)

    def pairs(self) -> tuple[Ints, Ints]:
        """Return pairs of faces that share an edge."""
        order = np.argsort(self.of, kind="stable")
        same = self.of[order][1:] == self.of[order][:-1]
        of = self._face[order]
        return of[:-1][same], of[1:][same]


def _joined_up(count: int, one: Ints, other: Ints) -> Ints:
    """Return the least number each of `count` things hangs together with."""
    label = np.arange(count)
    while True:
        low = np.minimum(label[one], label[other])
        before = label.copy()
        np.minimum.at(label, one, low)
        np.minimum.at(label, other, low)
        label = label[label]
        if np.array_equal(label, before):
            return label


def _pieces(shell_of_face: Ints, pairs: tuple[Ints, Ints], count: int) -> Ints:
    label = _joined_up(len(shell_of_face), *pairs)
    roots = label == np.arange(len(label))
    return np.bincount(shell_of_face[roots], minlength=count)


def _pinched(shell: Ints, corner: Ints, follows: Ints, count: int) -> NDArray[np.bool_]:
    """Tell which shells have a corner whose faces make more than one fan.

    In a closed shell each use of an edge meets the use the other way; going from a ring's
    corner over that edge to the next face's corner stays in one fan.
    """
    n = len(corner)
    start, end = corner, corner[follows]
    keys = np.column_stack([shell, np.minimum(start, end), np.maximum(start, end)])
    edge = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(edge, kind="stable")
    same = edge[order][1:] == edge[order][:-1]
    a, b = order[:-1][same], order[1:][same]
    # of two uses of one edge, the corner at which one begins is that at which the other ends
    one = np.concatenate([a, follows[a]])
    other = np.concatenate([follows[b], b])
    meets = corner[one] == corner[other]
    label = _joined_up(n, one[meets], other[meets])
    roots = label == np.arange(n)
    fans = np.unique(np.column_stack([shell[roots], corner[roots]]), axis=0, return_counts=True)
    out = np.zeros(count, dtype=bool)
    out[fans[0][fans[1] > 1, 0]] = True
    return out


def _volumes(
    points: NDArray[np.float64],
    rings: NDArray[np.int32],
    ring_of: Ints,
    shell: Ints,
    body_of_shell: Ints,
) -> NDArray[np.float64]:
    """Return the volume each shell encloses, m³; negative where its faces look inwards."""
    count = len(body_of_shell)
    first = np.full(count, len(points))
    np.minimum.at(first, shell, np.arange(len(points)))
    first[first == len(points)] = 0
    local = points - points[first][shell]  # near its own corner: no cancellation
    following = np.arange(1, len(points) + 1)
    filled = np.diff(rings) > 0
    following[rings[1:][filled] - 1] = rings[:-1][filled]
    start = local[rings[:-1][ring_of]]
    cross = np.cross(local, local[following])
    return np.bincount(shell, weights=(start * cross).sum(axis=1), minlength=count) / 6.0
