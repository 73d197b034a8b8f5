"""The centre line of an alignment (线路中线): curvature integrated along it, heights along that.

IFC4X3 writes an alignment as segments of plan (line, arc, clothoid: curvature linear in
length) and of profile (even gradient, arc, parabola over horizontal length). In plan
x' = cos t, y' = sin t, t' = k0 + (k1 - k0) s / L, integrated by Gauss and Legendre; an arc of
the profile from gradient g0 to g1 over L has R = L / (sin a1 - sin a0), a = atan g.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Unsupported

__all__ = ["Gradient", "Stretch", "centre_line", "plan_end"]

Floats = NDArray[np.float64]

_SAG_M = 0.001
_PANEL_M = 20.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True)
class Stretch:
    """A segment of plan: start, direction in radians, curvatures at both ends in 1/m, length."""

    x: float
    y: float
    direction: float
    start_1_m: float
    end_1_m: float
    length_m: float

    def at(self, along: Floats) -> Floats:
        """Return (n, 2) points at distances from its start."""
        rate = (self.end_1_m - self.start_1_m) / self.length_m
        panels = max(1, math.ceil(self.length_m / _PANEL_M))
        half = along[:, None] / (2 * panels)
        middles = half * (2 * np.arange(panels) + 1)
        s = middles[:, :, None] + half[:, :, None] * _NODES
        t = self.direction + self.start_1_m * s + 0.5 * rate * s * s
        x = half[:, :, None] * _WEIGHTS * np.cos(t)
        y = half[:, :, None] * _WEIGHTS * np.sin(t)
        return np.column_stack([self.x + x.sum(axis=(1, 2)), self.y + y.sum(axis=(1, 2))])


@dataclass(frozen=True)
class Gradient:
    """A segment of profile: start and length along the plan, start height, both gradients."""

    start_m: float
    length_m: float
    height_m: float
    start: float
    end: float
    round: bool

    def at(self, along: Floats) -> Floats:
        """Return heights at distances along the plan."""
        s = along - self.start_m
        if self.start == self.end or self.length_m == 0.0:
            return self.height_m + self.start * s
        if not self.round:
            bend = (self.end - self.start) / (2 * self.length_m)
            return self.height_m + self.start * s + bend * s * s
        first, last = math.atan(self.start), math.atan(self.end)
        radius = self.length_m / (math.sin(last) - math.sin(first))
        sine = np.clip(math.sin(first) + s / radius, -1.0, 1.0)
        return self.height_m + radius * (math.cos(first) - np.sqrt(1.0 - sine * sine))


def plan_end(one: Stretch) -> Floats:
    """Return where a segment of plan ends, (2,)."""
    found: Floats = one.at(np.array([one.length_m]))[0]
    return found


def centre_line(plan: Sequence[Stretch], profile: Sequence[Gradient]) -> Floats:
    """Return a centre line as corners (n, 3), its chords at most 1 mm off.

    Raises
    ------
    Unsupported
        No segment of plan, or one that is no number.
    """
    plan = [one for one in plan if one.length_m > 0.0]
    if not plan:
        raise Unsupported("alignment without plan")
    starts = np.cumsum([0.0, *(one.length_m for one in plan)])
    if not np.isfinite(starts).all():
        raise Unsupported("alignment")
    stops = [starts]
    for first, one in zip(starts, plan, strict=False):
        stops.append(first + _steps(one.length_m, max(abs(one.start_1_m), abs(one.end_1_m))))
    for grade in profile:
        bend = abs(grade.end - grade.start) / grade.length_m if grade.length_m else 0.0
        stops.append(grade.start_m + _steps(grade.length_m, bend))
    along = np.unique(np.round(np.concatenate(stops), 6))
    along = along[(along >= 0.0) & (along <= starts[-1] + 1e-6)]
    of = np.clip(np.searchsorted(starts, along, side="right") - 1, 0, len(plan) - 1)
    points = np.zeros((len(along), 3))
    for i, one in enumerate(plan):
        points[of == i, :2] = one.at(along[of == i] - starts[i])
    if profile:
        edges = np.array([grade.start_m for grade in profile])
        which = np.clip(np.searchsorted(edges, along, side="right") - 1, 0, len(profile) - 1)
        for i, grade in enumerate(profile):
            points[which == i, 2] = grade.at(along[which == i])
    return points


def _steps(length_m: float, curvature_1_m: float) -> Floats:
    """Return distances along a segment, so that chords stay within the sag."""
    step = math.sqrt(8.0 * _SAG_M / curvature_1_m) if curvature_1_m > 1e-9 else length_m
    n = min(100_000, max(1, math.ceil(length_m / max(step, 1e-3))))
    return np.linspace(0.0, length_m, n + 1)
