"""The sky of a picture: haze at the horizon, blue above, wherever the camera looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.camera import Camera
from scenes.ground import HAZE

__all__ = ["sky"]

_ROWS, _COLUMNS = 256, 4
_AT_DEG = (0.0, 1.0, 4.0, 20.0, 90.0)  # above the horizon
_RGB = (HAZE, (220, 229, 237), (186, 208, 232), (130, 170, 216), (104, 146, 202))


def sky(camera: Camera) -> NDArray[np.uint8]:
    """Return the sky behind a picture, (256, 4, 3) uint8, row 0 on top; haze below the horizon."""
    ahead = camera.focus - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, camera.up)
    up = np.cross(right / np.linalg.norm(right), ahead)
    half = float(np.tan(np.radians(camera.view_angle_deg) / 2))
    high = (1.0 - 2.0 * (np.arange(_ROWS) + 0.5) / _ROWS) * half
    way = ahead + high[:, None] * up
    above = np.degrees(np.arcsin(way[:, 2] / np.linalg.norm(way, axis=1)))
    bands = np.array(_RGB, dtype=np.float64)
    rgb = np.stack([np.interp(above, _AT_DEG, bands[:, k]) for k in range(3)], axis=1)
    return np.repeat(rgb.round().astype(np.uint8)[:, None, :], _COLUMNS, axis=1)
