"""The planes, ridges and tile rows of a hip roof over a U-shaped plan with two equal wings.

All slopes are equal, so ridges and hips are the straight skeleton of the eaves
line, which for this plan has a closed form. Local metres, z up; the wings point
to -y, the plan is symmetric about x = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HipRoof", "hip_roof"]

_Point = tuple[float, float, float]
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class HipRoof:
    """A hip roof as corner points (x, y, z in metres) and faces over them.

    Attributes
    ----------
    points
        Corners of the upper side: `eaves` first, then the ridge ends.
    eaves
        Indices of the eaves line, counter-clockwise.
    faces
        Convex pieces of the slopes, counter-clockwise seen from above.
    ridges
        Pairs of points: ridges and hips, which carry cap tiles.
    slope
        Rise over run of every face.
    """

    points: list[_Point]
    eaves: list[int]
    faces: list[list[int]]
    ridges: list[tuple[_Point, _Point]]
    slope: float

    def shell(self, thickness_m: float) -> tuple[list[_Point], list[list[int]]]:
        """Return the closed shell of the given upright thickness: points, outward faces."""
        count = len(self.points)
        lower = [(x, y, z - thickness_m) for x, y, z in self.points]
        under = [[i + count for i in reversed(face)] for face in self.faces]
        pairs = zip(self.eaves, self.eaves[1:] + self.eaves[:1], strict=True)
        fascia = [[i + count, j + count, j, i] for i, j in pairs]
        return self.points + lower, self.faces + under + fascia

    def tile_rows(
        self, spacing_m: float, width_m: float, height_m: float
    ) -> tuple[list[_Point], list[list[int]]]:
        """Return raised tile rows running up every slope: points and triangles."""
        points: list[_Point] = []
        triangles: list[list[int]] = []
        for face in self.faces:
            corners = np.array([self.points[i] for i in face])
            for low, high, across in _rows(corners, spacing_m):
                first = len(points)
                for end in (low, high):
                    for side, lift in ((-0.5, 0.0), (0.0, height_m), (0.5, 0.0)):
                        x, y, z = end + across * side * width_m
                        points.append((float(x), float(y), float(z + lift)))
                triangles += [
                    [first + i for i in corner]
                    for corner in ((0, 1, 4), (0, 4, 3), (1, 2, 5), (1, 5, 4), (0, 2, 1))
                ]
        return points, triangles


def hip_roof(
    *,
    half_length_m: float,
    half_width_m: float,
    wing_width_m: float,
    court_depth_m: float,
    eaves_m: float,
    rise_m: float,
) -> HipRoof:
    """Return the roof over a U whose court opens to -y.

    Parameters
    ----------
    half_length_m, half_width_m
        Half the plan's x and y extent, eaves included.
    wing_width_m
        Width of each wing, eaves included.
    court_depth_m
        How far the court reaches in from the front eaves.
    eaves_m, rise_m
        Height of the eaves, and of the main ridge above them.
    """
    a, b, w = half_length_m, half_width_m, wing_width_m / 2
    court = -b + court_depth_m
    h = (b - court) / 2
    slope = rise_m / h
    plan = [
        (-a, -b), (-a + 2 * w, -b), (-a + 2 * w, court), (a - 2 * w, court),
        (a - 2 * w, -b), (a, -b), (a, court + w), (a, b), (-a, b), (-a, court + w),
    ]  # fmt: skip
    tops = [
        (-a + w, -b + w, w), (a - w, -b + w, w), (-a + w, court + w, w),
        (a - w, court + w, w), (-a + h, b - h, h), (a - h, b - h, h),
    ]  # fmt: skip
    points: list[_Point] = [(x, y, eaves_m) for x, y in plan]
    points += [(x, y, eaves_m + d * slope) for x, y, d in tops]
    wing_l, wing_r, neck_l, neck_r, ridge_l, ridge_r = range(10, 16)
    faces = [
        [0, 1, wing_l], [1, 2, neck_l, wing_l], [0, wing_l, neck_l, 9],
        [2, 3, neck_r, ridge_r, ridge_l, neck_l],
        [3, 4, wing_r, neck_r], [4, 5, wing_r], [5, 6, neck_r, wing_r],
        [6, 7, ridge_r, neck_r], [7, 8, ridge_l, ridge_r], [8, 9, neck_l, ridge_l],
    ]  # fmt: skip
    lines = [
        (ridge_l, ridge_r), (ridge_l, 8), (ridge_r, 7), (ridge_l, neck_l), (ridge_r, neck_r),
        (neck_l, wing_l), (neck_r, wing_r), (wing_l, 0), (wing_l, 1), (wing_r, 4), (wing_r, 5),
    ]  # fmt: skip
    ridges = [(points[i], points[j]) for i, j in lines]
    return HipRoof(points, list(range(10)), faces, ridges, slope)


def _rows(corners: _Array, spacing_m: float) -> list[tuple[_Array, _Array, _Array]]:
    """Return (low end, high end, unit across) of the rows up one convex plane."""
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    up = np.array([-normal[0], -normal[1], 0.0]) / np.hypot(normal[0], normal[1])
    across = np.array([up[1], -up[0], 0.0])
    slope = np.hypot(normal[0], normal[1]) / abs(normal[2])
    s, d = corners @ across, corners @ up
    base = corners[0, 2] - d[0] * slope
    rows: list[tuple[_Array, _Array, _Array]] = []
    first = np.ceil((s.min() + 0.1) / spacing_m) * spacing_m
    for at in np.arange(first, s.max() - 0.1, spacing_m):
        ends = []
        for i in range(len(s)):
            j = (i + 1) % len(s)
            if min(s[i], s[j]) <= at < max(s[i], s[j]):
                share = (at - s[i]) / (s[j] - s[i])
                ends.append(d[i] + share * (d[j] - d[i]))
        low, high = min(ends), max(ends)
        if high - low > 0.2:
            foot, top = (
                across * at + up * end + np.array([0.0, 0.0, base + end * slope])
                for end in (low, high)
            )
            rows.append((foot, top, across))
    return rows
