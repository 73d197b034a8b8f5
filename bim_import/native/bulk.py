"""Points and faces of a whole file at once, as arrays.

A furniture library holds a hundred thousand faces; asked one by one they would take
longer than everything else. Here all points, loops and faces become four arrays, and
all faces are cut into triangles by the number of their corners.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from mapbox_earcut import triangulate_float64
from numpy.typing import NDArray

from bim_import.step import StepFile

__all__ = ["Bulk", "Hopeless", "Unsupported", "flat_axes", "ranges", "triangulate", "turned"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_POINT = "IFCCARTESIANPOINT"
_FLAT = 1e-9


class Unsupported(Exception):
    """A shape that is not read here; the kernels may know it."""


class Hopeless(Unsupported):
    """A shape that no kernel could place either: asking one costs its crash."""


class Bulk:
    """Points and triangulated faces of one file.

    Parameters
    ----------
    step
        The file.
    unit_m
        Metres per length unit.
    """

    def __init__(self, step: StepFile, unit_m: float) -> None:
        self.step, self.unit_m = step, unit_m

    @cached_property
    def _points(self) -> tuple[Ints, Floats]:
        rows = self.step.rows(_POINT)
        flat, start = self.step.numbers(rows)
        size = np.diff(start)
        xyz = np.zeros((len(rows), 3))
        for k in range(3):
            has = np.flatnonzero(size > k)
            xyz[has, k] = flat[start[:-1][has] + k]
        xyz[size == 0] = np.nan
        return self.step.ids[rows], xyz * self.unit_m

    @property
    def xyz(self) -> Floats:
        """Coordinates of every point, (n, 3) metres; z is 0 where a point has none."""
        return self._points[1]

    def point_rows(self, numbers: Ints) -> Ints:
        """Return rows of `xyz`; -1 for what is no point."""
        return _lookup(self._points[0], numbers)

    def point(self, number: int) -> tuple[float, float, float]:
        """Return one point in metres.

        Raises
        ------
        Unsupported
            There is none, or it is not of numbers.
        """
        name, args = self.step.name(number), self.step.args(number)
        ratios = args[0] if name == _POINT and args and isinstance(args[0], list) else []
        if not all(isinstance(r, (int, float)) for r in ratios) or len(ratios) not in (2, 3):
            raise Unsupported("point")
        x, y, z = (float(r) * self.unit_m for r in (*ratios, 0.0)[:3])
        if not math.isfinite(x + y + z):
            raise Unsupported("point")
        return x, y, z

    def points(self, numbers: Ints) -> Floats:
        """Return points in metres, (n, 3)."""
        rows = self.point_rows(numbers)
        if (rows < 0).any() or not np.isfinite(self.xyz[rows]).all():
            raise Unsupported("points")
        return self.xyz[rows]

    @cached_property
    def _faces(self) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
        """Face numbers, where each one's triangles begin, triangles as point rows, readable."""
        step = self.step
        loops = step.rows("IFCPOLYLOOP")
        corner, loop_at = step.references(loops)
        corner = self.point_rows(corner)
        bounds = step.rows("IFCFACEOUTERBOUND", "IFCFACEBOUND")
        loop_of, bound_at = step.references(bounds)
        plain = np.diff(bound_at) == 1
        loop = np.full(len(bounds), -1, dtype=np.int64)
        loop[plain] = _lookup(step.ids[loops], loop_of[bound_at[:-1][plain]])
        turned = step.flags(bounds, b".F.")
        outer = np.isin(bounds, step.rows("IFCFACEOUTERBOUND"))
        faces = step.rows("IFCFACE")
        held, face_at = step.references(faces)
        held = _lookup(step.ids[bounds], held)
        builder = _Faces(self.xyz, corner, loop_at, loop, turned, outer)
        return (step.ids[faces], *builder.triangles(held, face_at))

    def faces(self, numbers: Ints) -> Ints:
        """Return the triangles of some faces as rows of `xyz`, (m, 3).

        Raises
        ------
        Unsupported
            A face is bounded by more than polylines, or spoilt.
        """
        known, at, triangles, good = self._faces
        rows = _lookup(known, numbers)
        if (rows < 0).any() or not good[rows].all():
            raise Unsupported("face")
        return triangles[ranges(at[rows], at[rows + 1] - at[rows])]


class _Faces:
    """Cuts all faces of a file into triangles."""

    def __init__(
        self, xyz: Floats, corner: Ints, loop_at: Ints, loop: Ints, turned: NDArray[np.bool_],
        outer: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        self.xyz, self.corner, self.loop_at = xyz, corner, loop_at
        self.loop, self.turned, self.outer = loop, turned, outer
        self.bad_loop = np.zeros(max(0, len(loop_at) - 1), dtype=bool)
        bad = (corner < 0) | ~np.isfinite(xyz[corner]).all(axis=1) if len(corner) else corner < 0
        which = np.repeat(np.arange(len(self.bad_loop)), np.diff(loop_at))
        self.bad_loop[which[bad]] = True

    def triangles(self, held: Ints, face_at: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return (start of each face's triangles, triangles, which faces are readable)."""
        count = np.diff(face_at)
        good = count > 0
        first = np.where(good, held[np.minimum(face_at[:-1], max(0, len(held) - 1))], -1) if len(
            held
        ) else np.full(len(count), -1, dtype=np.int64)  # fmt: skip
        which = np.repeat(np.arange(len(count)), count)
        lost = (held < 0) | (self.loop[held] < 0)
        lost |= ~lost & self.bad_loop[np.where(lost, 0, self.loop[held])] if len(held) else lost
        good[which[lost]] = False
        found, owner = [], []
        single = np.flatnonzero(good & (count == 1))
        loop = self.loop[first[single]]
        size = self.loop_at[loop + 1] - self.loop_at[loop]
        turned = self.turned[first[single]]
        for n in np.unique(size).tolist():
            rows = single[size == n]
            if n < 3:
                continue
            at = self.loop_at[loop[size == n]]
            ring = self.corner[at[:, None] + np.arange(n)]
            ring[turned[size == n]] = ring[turned[size == n]][:, ::-1]
            triangles, faces = self._rings(ring, rows)
            found.append(triangles)
            owner.append(faces)
        for face in np.flatnonzero(good & (count > 1)).tolist():
            one = self._holed(held[face_at[face] : face_at[face + 1]])
            found.append(one)
            owner.append(np.full(len(one), face))
        if not found:
            return np.zeros(len(count) + 1, np.int64), np.zeros((0, 3), np.int64), good
        flat, faces = np.concatenate(found), np.concatenate(owner)
        order = np.argsort(faces, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(faces, minlength=len(count)))])
        return start.astype(np.int64), flat[order], good

    def _rings(self, ring: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Cut rings of one length: a fan where convex, ears elsewhere."""
        n = ring.shape[1]
        fan = np.stack([np.zeros(n - 2, int), np.arange(1, n - 1), np.arange(2, n)], axis=1)
        if n == 3:
            return ring, rows
        points = self.xyz[ring]
        convex = _convex(points)
        flat = [ring[convex][:, fan].reshape(-1, 3)]
        owner = [np.repeat(rows[convex], n - 2)]
        for i in np.flatnonzero(~convex).tolist():
            cut = triangulate([points[i]])
            flat.append(ring[i][cut])
            owner.append(np.full(len(cut), rows[i]))
        return np.concatenate(flat), np.concatenate(owner)

    def _holed(self, bounds: Ints) -> Ints:
        """Cut a face with holes; its outer bound is the one called so, else the largest."""
        rings = []
        for bound in bounds.tolist():
            at = self.loop[bound]
            ring = self.corner[self.loop_at[at] : self.loop_at[at + 1]]
            rings.append(ring[::-1] if self.turned[bound] else ring)
        named = self.outer[bounds]
        if named.sum() == 1:
            first = int(np.flatnonzero(named)[0])
        else:
            first = int(
                np.argmax([np.ptp(self.xyz[r], axis=0).max() if len(r) else 0 for r in rings])
            )
        rings.insert(0, rings.pop(first))
        rings = [r for i, r in enumerate(rings) if len(r) >= 3 or i == 0]
        if len(rings[0]) < 3:
            return np.zeros((0, 3), dtype=np.int64)
        cut = triangulate([self.xyz[r] for r in rings])
        return np.concatenate(rings)[cut]


def triangulate(rings: list[Floats]) -> Ints:
    """Cut a plane polygon with holes into triangles, turning as its outer ring does.

    Parameters
    ----------
    rings
        Outer ring, then holes; each (n, 2) or (n, 3).

    Returns
    -------
    (m, 3) int64 into the rings laid end to end. Ears are cut after FIST
    (Held 1998) by the library earcut.
    """
    points = np.concatenate(rings)
    normal = np.array([0.0, 0.0, 1.0])
    if points.shape[1] == 3:
        normal = newell(rings[0])
        u, v = flat_axes(normal)
        points = np.column_stack([points @ u, points @ v])
    ends = np.cumsum([len(r) for r in rings]).astype(np.uint32)
    cut: Any = triangulate_float64(np.ascontiguousarray(points - points[0]), ends)
    cut = cut.reshape(-1, 3)
    a, b, c = points[cut[:, 0]], points[cut[:, 1]], points[cut[:, 2]]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    outer = points[: len(rings[0])]
    x, y = outer[:, 0], outer[:, 1]
    whole = float(x @ turned(y) - y @ turned(x))
    wrong = (area < 0) != (whole < 0)
    cut[wrong] = cut[wrong][:, ::-1]
    found: Ints = cut.astype(np.int64)
    return found


def newell(ring: Floats) -> Floats:
    """Return the normal of a ring, its length twice the area (Newell's sum)."""
    x, y, z = (ring - ring[0]).T
    u, v, w = turned(x), turned(y), turned(z)
    return np.array([y @ w - z @ v, z @ u - x @ w, x @ v - y @ u])


def turned(values: Floats) -> Floats:
    """Return values with each in the place of the one before it, the first at the end."""
    found = np.empty_like(values)
    found[:-1] = values[1:]
    found[-1] = values[0]
    return found


def flat_axes(normal: Floats) -> tuple[Floats, Floats]:
    """Return two unit vectors that span the plane of a normal, right-handed with it."""
    size = float(np.linalg.norm(normal))
    if size < 1e-300:
        return np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    x, y, z = (normal / size).tolist()
    # Across the axis the normal leans to least; by hand, since numpy takes 50 us for three numbers.
    least = min((abs(x), 0), (abs(y), 1), (abs(z), 2))[1]
    a, b, c = ((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0))[least]
    long = math.sqrt(a * a + b * b + c * c)
    a, b, c = a / long, b / long, c / long
    return np.array([a, b, c]), np.array([y * c - z * b, z * a - x * c, x * b - y * a])


def ranges(start: Ints, count: Ints) -> Ints:
    """Return the numbers start, start + 1 … of each range, one behind the other."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    step = np.ones(total, dtype=np.int64)
    filled = count > 0
    start, count = start[filled], count[filled]
    if not total:
        return step
    at = np.concatenate([[0], np.cumsum(count)[:-1]])
    step[at[0]] = start[0]
    step[at[1:]] = start[1:] - (start[:-1] + count[:-1] - 1)
    return np.cumsum(step)


def _convex(points: Floats) -> NDArray[np.bool_]:
    """Tell which rings (m, n, 3) turn one way at every corner, once around."""
    moved = points - points[:, :1]
    normal = np.cross(moved, np.roll(moved, -1, axis=1)).sum(axis=1)
    edge = np.roll(points, -1, axis=1) - points
    turn = np.einsum("mij,mj->mi", np.cross(np.roll(edge, 1, axis=1), edge), normal)
    size = np.einsum("mj,mj->m", normal, normal)
    # A fan from the first corner is right where all its triangles turn with the ring.
    fan = np.einsum("mij,mj->mi", np.cross(moved[:, 1:-1], moved[:, 2:]), normal)
    slack = -_FLAT * size[:, None]
    fine: NDArray[np.bool_] = (turn >= slack).all(axis=1) & (fan >= slack).all(axis=1)
    return fine


def _lookup(known: Ints, numbers: Ints) -> Ints:
    """Return rows of `numbers` in the ascending `known`; -1 where absent."""
    if not len(known):
        return np.full(len(numbers), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    found: Ints = np.where(known[at] == numbers, at, -1)
    return found
