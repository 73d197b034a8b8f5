"""Where one looks from: a camera that holds all given points, tight, from a pleasing side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAREST_M", "Camera", "fit", "sun_of", "turn_of"]

Floats = NDArray[np.float64]

VIEW_ANGLE_DEG = 28.0  # upright
NEAREST_M = 2.0  # and a twentieth of the depth of the scene: nothing is looked at from within
_TILTS_DEG = {"top": (90.0,), "oblique": (32.0, 36.0, 40.0, 44.0, 48.0), "street": (9.0,)}
_SUN_LEFT_DEG, _SUN_HIGH_DEG = 40.0, 44.0
_PLAIN_TURN_DEG = -16.0
_LONG = 1.35  # how much longer than wide a town must be to be shown along its length
_FURTHEST_DEG = 50.0
_ASIDE_DEG = -9.0  # off the exact side view, so that walls of both directions show


@dataclass(frozen=True)
class Camera:
    """Place, aim and upright direction (3,) in scene metres; turn east of south in degrees."""

    position: Floats
    focus: Floats
    up: Floats
    turn_deg: float
    view_angle_deg: float = VIEW_ANGLE_DEG

    def metres_per_pixel(self, height_px: int) -> float:
        """Return metres a pixel at the focus."""
        distance = float(np.linalg.norm(self.position - self.focus))
        return 2 * distance * float(np.tan(np.radians(self.view_angle_deg) / 2)) / height_px

    def project(self, points: Floats, size: tuple[int, int]) -> Floats:
        """Return pixels (n, 2) from the left and the top of points (n, 3); NaN behind the eye."""
        ahead = self.focus - self.position
        ahead = ahead / np.linalg.norm(ahead)
        right = np.cross(ahead, self.up)
        right = right / np.linalg.norm(right)
        off = points - self.position
        depth = off @ ahead
        half = float(np.tan(np.radians(self.view_angle_deg) / 2))
        depth = np.where(depth > 0.0, depth, np.nan) * half
        x = off @ right / (depth * size[0] / size[1])
        y = off @ np.cross(right, ahead) / depth
        seen: Floats = np.c_[(x + 1) / 2 * size[0], (1 - y) / 2 * size[1]]
        return seen


def turn_of(points: Floats, kind: str) -> float:
    """Return how far east of south the camera stands: before the long side of a long town."""
    if kind == "top" or len(points) < 3:
        return 0.0 if kind == "top" else _PLAIN_TURN_DEG
    centred = points[:, :2] - points[:, :2].mean(axis=0)
    spread, axes = np.linalg.eigh(centred.T @ centred)
    if spread[1] < _LONG**2 * spread[0]:
        return _PLAIN_TURN_DEG
    along = axes[:, 1] * (1.0 if axes[0, 1] >= 0 else -1.0)
    turn = float(np.degrees(np.arctan2(along[1], along[0]))) + _ASIDE_DEG
    return turn if abs(turn) <= _FURTHEST_DEG else _PLAIN_TURN_DEG


def sun_of(turn_deg: float) -> tuple[float, float, float]:
    """Return the direction of a light over the viewer's left shoulder; no time of day."""
    high, way = np.radians(_SUN_HIGH_DEG), np.radians(turn_deg - _SUN_LEFT_DEG)
    flat = float(np.cos(high))
    return (flat * float(np.sin(way)), -flat * float(np.cos(way)), float(np.sin(high)))


def fit(
    points: Floats,
    kind: str,
    size: tuple[int, int],
    *,
    turn_deg: float,
    clear_right: float = 0.0,
) -> Camera:
    """Return the nearest camera of a direction that has all points in its picture.

    Parameters
    ----------
    points
        (n, 3) scene metres.
    kind
        ``oblique`` (steeper for a long flat town, which would be a thin band),
        ``top`` or ``street``.
    size
        (width, height) of the picture, pixels.
    turn_deg
        How far east of south it stands.
    clear_right
        Share of the picture's width left clear on the right, for a legend.
    """
    for tilt_deg in _TILTS_DEG[kind]:
        camera, filled = _tight(points, size, turn_deg, tilt_deg, clear_right)
        if filled:
            break
    return camera


def _tight(
    points: Floats, size: tuple[int, int], turn_deg: float, tilt_deg: float, clear_right: float
) -> tuple[Camera, bool]:
    """Return the camera of one tilt, and whether the height of the picture is what limits it."""
    tilt, turn = np.radians(tilt_deg), np.radians(turn_deg)
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    ahead = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), -np.sin(tilt)])
    up = np.cross(right, ahead)
    r, u, f = points @ right, points @ up, points @ ahead
    half = float(np.tan(np.radians(VIEW_ANGLE_DEG) / 2))
    left, high = half * size[0] / size[1] * 0.95, half * 0.90
    wide = left * (1.0 - 2.0 * clear_right)
    # a point is inside where -left * d <= r - cr <= wide * d with d = f - cf, its distance
    # ahead: the tightest cr and cf in closed form, and the same upright
    east, west = float((r - wide * f).max()), float((-r - left * f).max())
    over, under = float((u - high * f).max()), float((-u - high * f).max())
    by_width, by_height = -(east + west) / (left + wide), -(over + under) / (2 * high)
    depth = min(by_width, by_height, float(f.min()) - max(NEAREST_M, 0.05 * float(np.ptp(f))))
    across = (east + wide * depth - west - left * depth) / 2
    position = across * right + (over - under) / 2 * up + depth * ahead
    distance = max(float(f.mean()) - depth, 1.0)
    camera = Camera(position, position + distance * ahead, up, turn_deg)
    return camera, by_height <= by_width
