"""Where one looks from: a camera that holds all given points, tight, from a pleasing side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera", "fit", "turn_of"]

Floats = NDArray[np.float64]

VIEW_ANGLE_DEG = 28.0  # upright
_TILT_DEG = {"top": 90.0, "oblique": 33.0, "street": 11.0}
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


def fit(points: Floats, kind: str, size: tuple[int, int], *, turn_deg: float) -> Camera:
    """Return the nearest camera of a direction that has all points in its picture.

    Parameters
    ----------
    points
        (n, 3) scene metres.
    kind
        ``oblique``, ``top`` or ``street``.
    size
        (width, height) of the picture, pixels.
    turn_deg
        How far east of south it stands.
    """
    tilt, turn = np.radians(_TILT_DEG[kind]), np.radians(turn_deg)
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    ahead = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), -np.sin(tilt)])
    up = np.cross(right, ahead)
    if kind == "street":
        points = points.mean(axis=0) + (points - points.mean(axis=0)) * 0.8
    r, u, f = points @ right, points @ up, points @ ahead
    half = float(np.tan(np.radians(VIEW_ANGLE_DEG) / 2))
    wide, high = half * size[0] / size[1] * 0.95, half * 0.92
    # a point is inside where |r - cr| <= wide * (f - cf): the tightest cr and cf in closed form
    east, west = float((r - wide * f).max()), float((-r - wide * f).max())
    over, under = float((u - high * f).max()), float((-u - high * f).max())
    depth = min(-(east + west) / (2 * wide), -(over + under) / (2 * high))
    position = (east - west) / 2 * right + (over - under) / 2 * up + depth * ahead
    distance = max(float(f.mean()) - depth, 1.0)
    return Camera(position, position + distance * ahead, up, turn_deg)
