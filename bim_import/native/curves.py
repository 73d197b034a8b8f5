"""Curves as polylines: lines, arcs and what is composed of them, within a millimetre."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Bulk, Unsupported
from bim_import.native.places import Places
from bim_import.step import Ref, StepFile, Word

__all__ = ["Curves", "arc_steps"]

Floats = NDArray[np.float64]

DEFLECTION_M = 0.001
_MOST_ANGLE = 0.5
_SAME_M = 1e-6


def arc_steps(radius_m: float, angle: float) -> int:
    """Return into how many chords an arc is cut: at most 1 mm off, at most 0.5 rad each."""
    if not (math.isfinite(radius_m) and radius_m > 0):
        raise Unsupported("radius")
    sag = 2.0 * math.acos(max(-1.0, 1.0 - DEFLECTION_M / radius_m)) if radius_m > 1e-4 else 1.0
    return max(1, math.ceil(abs(angle) / min(_MOST_ANGLE, max(sag, 0.005)) - 1e-9))


class Curves:
    """Curves of one file."""

    def __init__(self, step: StepFile, bulk: Bulk, places: Places, angle_rad: float) -> None:
        self.step, self.bulk, self.places, self.angle_rad = step, bulk, places, angle_rad

    def ring(self, number: Any) -> Floats:
        """Return a closed curve's corners without the last, which is the first again, (n, 3).

        Raises
        ------
        Unsupported
            The curve is of another sort, open or spoilt.
        """
        points = _distinct(self.points(number))
        if len(points) > 1 and np.abs(points[0] - points[-1]).max() <= 10 * _SAME_M:
            points = points[:-1]
        if len(points) < 3:
            raise Unsupported("ring")
        return points

    def points(self, number: Any, depth: int = 6) -> Floats:
        """Return a curve as corners, (n, 3) metres."""
        name = self.step.name(number) if isinstance(number, Ref) else ""
        if name == "IFCPOLYLINE":
            refs, _ = self.step.references(np.array([self.step.row(number)]))
            return self.bulk.points(refs)
        if depth == 0:
            raise Unsupported(name)
        args = self.step.args(number) if name else []
        if name == "IFCCOMPOSITECURVE":
            return self._composite(args, depth)
        if name == "IFCTRIMMEDCURVE":
            return self._trimmed(args)
        if name == "IFCINDEXEDPOLYCURVE":
            return self._indexed(args)
        if name in ("IFCCIRCLE", "IFCELLIPSE"):
            return self._arc(name, args, 0.0, 2.0 * math.pi)
        raise Unsupported(name or "curve")

    def _composite(self, args: list[Any], depth: int) -> Floats:
        parts = []
        for segment in args[0] or ():
            own = self.step.args(segment)
            if self.step.name(segment) != "IFCCOMPOSITECURVESEGMENT" or len(own) < 3:
                raise Unsupported("segment")
            points = self.points(own[2], depth - 1)
            parts.append(points if own[1] != "F" else points[::-1])
        if not parts:
            raise Unsupported("composite")
        for one, following in zip(parts, parts[1:], strict=False):
            if np.linalg.norm(one[-1] - following[0]) > 0.01:
                raise Unsupported("gap in a curve")
        return _distinct(np.concatenate(parts))

    def _trimmed(self, args: list[Any]) -> Floats:
        basis = args[0]
        name, own = self.step.name(basis), self.step.args(basis)
        forward = args[3] != "F"
        if name == "IFCLINE":
            return self._line(own, args, forward)
        if name not in ("IFCCIRCLE", "IFCELLIPSE"):
            raise Unsupported(name or "trimmed curve")
        first, last = (self._angle(name, own, args, at) for at in (1, 2))
        if forward:
            last += 2 * math.pi * math.ceil((first - last) / (2 * math.pi) + 1e-12)
        else:
            last -= 2 * math.pi * math.ceil((last - first) / (2 * math.pi) + 1e-12)
        if abs(last - first) < 1e-9 or abs(last - first) > 2 * math.pi + 1e-6:
            last = first + math.copysign(2 * math.pi, 1 if forward else -1)
        return self._arc(name, own, first, last)

    def _trim(self, args: list[Any], at: int) -> tuple[float | None, Any]:
        """Return (parameter, point) of one end; the preferred one first to be used."""
        value, point = None, None
        for one in args[at] if isinstance(args[at], list) else ():
            if isinstance(one, tuple) and isinstance(one[1], (int, float)):
                value = float(one[1])
            elif isinstance(one, Ref):
                point = one
        if args[4] == Word("CARTESIAN") and point is not None:
            value = None
        return value, point

    def _angle(self, name: str, own: list[Any], args: list[Any], at: int) -> float:
        value, point = self._trim(args, at)
        if value is not None:
            return value * self.angle_rad
        if point is None:
            raise Unsupported("trim")
        local = np.linalg.inv(self.places.axes(own[0])) @ np.array([*self.bulk.point(point), 1.0])
        x, y = local[:2]
        if name == "IFCELLIPSE":
            x, y = x / own[1], y / own[2]
        return math.atan2(y, x)

    def _line(self, own: list[Any], args: list[Any], forward: bool) -> Floats:
        start = np.array(self.bulk.point(own[0]))
        vector = self.step.args(own[1])
        along = self.places.direction(vector[0] if vector else None)
        if along is None or not isinstance(vector[1], (int, float)):
            raise Unsupported("line")
        ends = []
        for at in (1, 2):
            value, point = self._trim(args, at)
            if value is not None:
                ends.append(start + np.array(along) * (value * float(vector[1]) * self.bulk.unit_m))
            elif point is not None:
                ends.append(np.array(self.bulk.point(point)))
            else:
                raise Unsupported("trim")
        del forward  # the trims already stand in the order of travel
        return np.array(ends)

    def _arc(self, name: str, own: list[Any], first: float, last: float) -> Floats:
        radii = [float(r) * self.bulk.unit_m for r in own[1 : 2 if name == "IFCCIRCLE" else 3]]
        a, b = radii[0], radii[-1]
        n = arc_steps(max(a, b), last - first)
        if abs(last - first) > 2 * math.pi - 1e-9:
            n = max(n, 12)
        angle = np.linspace(first, last, n + 1)
        local = np.stack([a * np.cos(angle), b * np.sin(angle), 0 * angle, 0 * angle + 1])
        if not np.isfinite(local).all() or min(a, b) <= 0:
            raise Unsupported("radius")
        points: Floats = (self.places.axes(own[0]) @ local)[:3].T
        return points

    def _indexed(self, args: list[Any]) -> Floats:
        known = self.list_points(args[0])
        if args[1] is None:
            return known
        parts = []
        for kind, index in args[1]:
            rows = np.array(index, dtype=np.int64) - 1
            if not len(rows) or rows.min() < 0 or rows.max() >= len(known):
                raise Unsupported("index")
            parts.append(_three(known[rows]) if kind == "IFCARCINDEX" else known[rows])
        return _distinct(np.concatenate(parts))

    def list_points(self, number: Any) -> Floats:
        """Return the points of an IfcCartesianPointList, (n, 3) metres."""
        name = self.step.name(number) if isinstance(number, Ref) else ""
        wide = {"IFCCARTESIANPOINTLIST2D": 2, "IFCCARTESIANPOINTLIST3D": 3}.get(name)
        if wide is None:
            raise Unsupported(name or "points")
        flat = self.step.list_of(number, 0, np.float64)
        if flat is None or len(flat) % wide or not len(flat) or not np.isfinite(flat).all():
            raise Unsupported("points")
        points = np.zeros((len(flat) // wide, 3))
        points[:, :wide] = flat.reshape(-1, wide) * self.bulk.unit_m
        return points


def _three(points: Floats) -> Floats:
    """Return the arc through three points as corners."""
    if len(points) != 3:
        raise Unsupported("arc")
    a, b, c = points
    u, v = b - a, c - a
    normal = np.cross(u, v)
    size = float(normal @ normal)
    if size < 1e-18 * float(v @ v) ** 2 or size == 0.0:
        return points
    to = (np.cross(normal, u) * (v @ v) - np.cross(normal, v) * (u @ u)) / (2 * size)
    centre, radius = a + to, float(np.linalg.norm(to))
    x = -to / radius
    y = np.cross(normal / math.sqrt(size), x)
    angle = [math.atan2(float((p - centre) @ y), float((p - centre) @ x)) for p in (b, c)]
    middle, last = (t % (2 * math.pi) for t in angle)
    if middle > last:
        raise Unsupported("arc")
    at = np.linspace(0.0, last, arc_steps(radius, last) + 1)
    found: Floats = centre + radius * (np.cos(at)[:, None] * x + np.sin(at)[:, None] * y)
    found[0], found[-1] = a, c
    return found


def _distinct(points: Floats) -> Floats:
    """Leave out corners that stand on the one before."""
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = np.abs(np.diff(points, axis=0)).max(axis=1) > _SAME_M
    return points[keep]
