"""Items of a body as triangles: face sets, tessellations, straight extrusions, bent bars.

Everything that is cut, revolved, swept along curves in space or trimmed is left to the
kernels. What is read here is exact to the millimetre of an arc's chords.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Bulk, Hopeless, Unsupported, triangulate
from bim_import.native.curves import Curves, arc_steps
from bim_import.native.places import Places
from bim_import.native.profiles import Profile, fan, profile_of, profiles_of
from bim_import.native.turning import turned_outwards
from bim_import.step import Ref, StepFile
from bim_import.units import Units

__all__ = ["Solid", "Solids"]

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]
Ints = NDArray[np.int64]

_REACH_M = 1e8


class Solid(NamedTuple):
    """Triangles of an item: (n, 3) float64 metres, (m, 3) int64."""

    vertices: Floats
    triangles: Ints


class Solids:
    """Bodies of one file, each item read once."""

    def __init__(self, step: StepFile, units: Units) -> None:
        self.step = step
        self.bulk = Bulk(step, units.length_m or 1.0)
        self.places = Places(step, self.bulk)
        self.curves = Curves(step, self.bulk, self.places, units.angle_rad)
        self._known: dict[int, Solid | Unsupported] = {}
        self._profiles: dict[int, list[Profile]] = {}

    def item(self, number: int) -> Solid:
        """Return an item that is no mapped one.

        Raises
        ------
        Unsupported
            It is of a sort left to the kernels, or spoilt.
        """
        if number not in self._known:
            try:
                self._known[number] = _checked(self._read(number))
            except Unsupported as error:
                self._known[number] = error
            except (IndexError, TypeError, ValueError, KeyError, OverflowError) as error:
                self._known[number] = Unsupported(type(error).__name__)
        found = self._known[number]
        if isinstance(found, Unsupported):
            raise found
        return found

    def _read(self, number: int) -> Solid:
        name = self.step.name(number)
        if name == "IFCEXTRUDEDAREASOLID":
            return self._extrusion(self.step.args(number))
        if name in ("IFCFACEBASEDSURFACEMODEL", "IFCSHELLBASEDSURFACEMODEL"):
            return self._shells(self.step.args(number)[0])
        if name in ("IFCFACETEDBREP", "IFCFACETEDBREPWITHVOIDS"):
            args = self.step.args(number)
            return self._shells([args[0], *(args[1] if len(args) > 1 else ())])
        if name in ("IFCTRIANGULATEDFACESET", "IFCTRIANGULATEDIRREGULARNETWORK"):
            return self._triangles(number)
        if name == "IFCPOLYGONALFACESET":
            return self._polygons(self.step.args(number))
        if name == "IFCSWEPTDISKSOLID":
            return self._bar(self.step.args(number))
        raise Unsupported(name or "item")

    def _shells(self, shells: list[Any]) -> Solid:
        rows = []
        for shell in shells:
            name = self.step.name(shell) if isinstance(shell, Ref) else ""
            if name not in ("IFCCLOSEDSHELL", "IFCOPENSHELL", "IFCCONNECTEDFACESET"):
                raise Unsupported(name or "shell")
            faces, _ = self.step.references(np.array([self.step.row(shell)]))
            rows.append(self.bulk.faces(faces))
        corners = np.concatenate(rows) if rows else np.zeros((0, 3), np.int64)
        used, local = np.unique(corners, return_inverse=True)
        vertices, triangles = self.bulk.xyz[used], local.reshape(-1, 3)
        if not len(triangles):
            raise Unsupported("no triangle")
        return Solid(vertices, turned_outwards(vertices, triangles))

    def _triangles(self, number: int) -> Solid:
        args = self.step.args(number)
        points = self.curves.list_points(args[0])
        index = self.step.list_of(number, 3, np.int64)
        if index is None or len(index) % 3:
            raise Unsupported("triangles")
        place = args[4] if len(args) > 4 else None
        if isinstance(place, list) and place and self.step.name(number).endswith("FACESET"):
            index = np.array(place, dtype=np.int64)[_within(index - 1, len(place))]
        rows = _within(index - 1, len(points)).reshape(-1, 3)
        return Solid(points, rows)

    def _polygons(self, args: list[Any]) -> Solid:
        points = self.curves.list_points(args[0])
        index = args[3] if len(args) > 3 else None
        place = np.array(index, dtype=np.int64) - 1 if index else None
        parts = [np.zeros((0, 3), np.int64)]
        for face in args[2]:
            own = self.step.args(face)
            rings = [own[0], *(own[1] if len(own) > 1 and own[1] else ())]
            n = len(points if place is None else place)
            rows = [_within(np.array(r, dtype=np.int64) - 1, n) for r in rings]
            rows = [_within(r if place is None else place[r], len(points)) for r in rows]
            flat = np.concatenate(rows)
            if len(flat) == 3:
                parts.append(flat[None, :])
            elif len(rows[0]) >= 3:
                parts.append(flat[triangulate([points[r] for r in rows])])
        return Solid(points, np.concatenate(parts))

    def _extrusion(self, args: list[Any]) -> Solid:
        place = self.places.axes(args[1])
        along = self.places.direction(args[2])
        depth = float(args[3]) * self.bulk.unit_m
        if along is None or not depth > 0 or abs(along[2]) < 1e-9:
            raise Unsupported("extrusion")
        move = (along[0] * depth, along[1] * depth, along[2] * depth)
        return _joined([_prism(p, move, place) for p in self._profile(args[0])])

    def _profile(self, number: Any) -> list[Profile]:
        if number not in self._profiles:
            self._profiles[number] = profiles_of(self.curves, number)
        return self._profiles[number]

    def column(self, curve: Any, frame: Floats, reach_m: float) -> Solid:
        """Return the prism over a closed curve, `reach_m` up and down from its frame."""
        rings = profile_of([self.curves.ring(curve)[:, :2]])
        low = frame.copy()
        low[:3, 3] -= frame[:3, 2] * reach_m
        return _prism(rings, (0.0, 0.0, 2 * reach_m), low)

    def _bar(self, args: list[Any]) -> Solid:
        radius = float(args[1]) * self.bulk.unit_m
        inner = float(args[2]) * self.bulk.unit_m if args[2] is not None else 0.0
        if not (radius > inner >= 0):
            raise Unsupported("radius")
        if any(p is not None for p in args[3:5]):
            self._whole(args)
        path = self.curves.points(args[0])
        if len(path) < 2:
            raise Unsupported("directrix")
        n = max(8, arc_steps(radius, 2 * np.pi))
        outer = _tube(path, radius, n)
        return outer if not inner else _pipe(outer, _tube(path, inner, n), n)

    def _whole(self, args: list[Any]) -> None:
        """Refuse a bar that is only a part of its directrix.

        By the standard a polyline's parameter counts its legs; many programs write 0 to 1
        and mean all of it, as the kernels understand them too.
        """
        name, own = self.step.name(args[0]), self.step.args(args[0])
        first, last = args[3] or 0.0, args[4]
        total = float(len(own[0]) - 1) if name == "IFCPOLYLINE" else None
        if name == "IFCCOMPOSITECURVE":
            total = 0.0
            for segment in own[0]:
                total += self._span(self.step.args(segment)[2])
        if name == "IFCPOLYLINE" and (first, last) == (0, 1):
            return
        if total is None or first != 0 or last is None or abs(last - total) > 1e-6 * max(1, total):
            raise Unsupported("trimmed bar")

    def _span(self, curve: Any) -> float:
        name, own = self.step.name(curve), self.step.args(curve)
        if name == "IFCPOLYLINE":
            return float(len(own[0]) - 1)
        if name == "IFCTRIMMEDCURVE":
            ends = [next((v[1] for v in own[k] if isinstance(v, tuple)), None) for k in (1, 2)]
            if None not in ends:
                return abs(float(ends[1]) - float(ends[0]))  # type: ignore[arg-type]
        raise Unsupported(name)


def _checked(solid: Solid) -> Solid:
    """Drop triangles with a repeated corner and points nobody uses; refuse what is no number."""
    t = solid.triangles
    if len(t) and not np.isfinite(solid.vertices.sum()):
        raise Hopeless("coordinates beyond reach")
    t = t[(t[:, 0] != t[:, 1]) & (t[:, 1] != t[:, 2]) & (t[:, 2] != t[:, 0])]
    if not len(t):
        raise Unsupported("no triangle")
    if not np.isfinite(solid.vertices).all() or np.abs(solid.vertices).max() > _REACH_M:
        raise Hopeless("coordinates beyond reach")
    used = np.zeros(len(solid.vertices), dtype=bool)
    used[t] = True
    if used.all():
        return Solid(solid.vertices, t)
    return Solid(solid.vertices[used], (np.cumsum(used) - 1)[t])


def _within(index: Ints, n: int) -> Ints:
    if len(index) and (index.min() < 0 or index.max() >= n):
        raise Unsupported("index")
    return index


def _prism(profile: Profile, along: Vector, matrix: Floats) -> Solid:
    """Return the solid between a profile and the same moved by `along`, both then moved."""
    flat, cap, sizes = profile
    n = len(flat)
    low = flat @ matrix[:3, :2].T + matrix[:3, 3]
    vertices = np.empty((2 * n, 3))
    vertices[:n] = low
    vertices[n:] = low + matrix[:3, :3] @ along
    triangles = np.concatenate([cap[:, ::-1], cap + n, _sides(sizes)])
    return Solid(vertices, triangles[:, ::-1] if along[2] < 0 else triangles)


@cache
def _sides(sizes: tuple[int, ...]) -> Ints:
    n, first, parts = sum(sizes), 0, []
    for size in sizes:
        a = np.arange(first, first + size)
        b = np.roll(a, -1)
        parts += [np.stack([a, b, b + n], axis=1), np.stack([a, b + n, a + n], axis=1)]
        first += size
    return np.concatenate(parts)


def _tube(path: Floats, radius: float, n: int) -> Solid:
    """Return a round bar along a polyline: every ring lies in the plane between its two legs."""
    closed = bool(np.linalg.norm(path[0] - path[-1]) < 1e-9)
    leg = np.diff(path, axis=0)
    leg /= np.linalg.norm(leg, axis=1)[:, None]
    at = np.arange(n) * (2 * np.pi / n)
    helper = np.eye(3)[int(np.argmin(np.abs(leg[0])))]
    u = np.cross(helper, leg[0])
    u /= np.linalg.norm(u)
    v = np.cross(leg[0], u)
    ring = path[0] + radius * (np.cos(at)[:, None] * u + np.sin(at)[:, None] * v)
    rings = []
    for i, corner in enumerate(path):
        before = leg[i - 1] if i else (leg[-1] if closed else leg[0])
        after = leg[i] if i < len(leg) else (leg[0] if closed else leg[-1])
        normal = before + after
        if np.linalg.norm(normal) < 1e-3:
            raise Unsupported("hairpin")
        ahead = leg[max(0, i - 1)]
        slide = ((corner - ring) @ normal) / float(ahead @ normal)
        ring = ring + slide[:, None] * ahead
        rings.append(ring)
    a = np.arange(n)
    b = np.roll(a, -1)
    parts = []
    for i in range(len(rings) - 1):
        lower, upper = i * n, (i + 1) * n
        parts += [np.stack([a + lower, b + lower, b + upper], axis=1),
                  np.stack([a + lower, b + upper, a + upper], axis=1)]  # fmt: skip
    parts += [fan(n)[:, ::-1], fan(n) + (len(rings) - 1) * n]
    return Solid(np.concatenate(rings), np.concatenate(parts))


def _pipe(outer: Solid, inner: Solid, n: int) -> Solid:
    """Return a hollow bar: the inner one turned inside out, the ends closed by rings."""
    m = len(outer.vertices)
    caps = 2 * (n - 2)
    a = np.arange(n)
    b = np.roll(a, -1)
    start = np.concatenate([np.stack([b, a, a + m], axis=1), np.stack([b, a + m, b + m], axis=1)])
    end = start[:, ::-1] + (m - n)
    sides = [outer.triangles[:-caps], inner.triangles[:-caps, ::-1] + m, start, end]
    return Solid(np.concatenate([outer.vertices, inner.vertices]), np.concatenate(sides))


def _joined(parts: list[Solid]) -> Solid:
    if len(parts) == 1:
        return parts[0]
    shift = np.cumsum([0, *(len(p.vertices) for p in parts[:-1])])
    return Solid(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.triangles + s for p, s in zip(parts, shift, strict=True)]),
    )
