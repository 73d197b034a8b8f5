"""The sky of a picture: haze at the horizon, blue above, wherever the camera looks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.camera import Camera
from scenes.ground import HAZE
from scenes.shaders import behind_all
from scenes.vtk_parts import actor, array, mesh, sheet_faces

__all__ = ["Backdrop", "sky"]

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


class Backdrop:
    """The sky as bands across the picture behind all, no lower than the horizon.

    An image behind every pixel of 1920 x 1080 cost 14 ms of a frame in software.
    """

    def __init__(self) -> None:
        levels = _ROWS + 2  # the middles of the rows, and both ends of the picture
        self._at = np.zeros((levels, 2, 3), np.float32)
        self._at[:, 1, 0] = 1.0
        self._at[:, 0, 0] = -1.0
        self._rgba = np.full((levels, 2, 4), 255, np.uint8)
        data = mesh(self._at.reshape(-1, 3), sheet_faces(levels, 2))
        self._points, self._colours = data.GetPoints(), array(self._rgba.reshape(-1, 4))
        data.GetPointData().SetScalars(self._colours)
        self.actor: Any = behind_all(actor(data))

    def show(self, camera: Camera) -> None:
        """Show the sky as a camera sees it."""
        rows = sky(camera)[:, 0]
        colours = np.concatenate([rows[:1], rows, rows[-1:]])
        middles = 1.0 - 2.0 * (np.arange(_ROWS) + 0.5) / _ROWS
        high = np.concatenate([[1.0], middles, [-1.0]])
        seen = np.flatnonzero((colours != HAZE).any(axis=1))
        self.actor.SetVisibility(bool(len(seen)))
        if not len(seen):
            return
        last = min(
            int(seen[-1]) + 1, len(high) - 1
        )  # haze below it is what the canvas is cleared to
        self._at[..., 1] = np.maximum(high, high[last])[:, None]
        self._rgba[..., :3] = colours[:, None]
        self._points.GetData().Modified()
        self._points.Modified()
        self._colours.Modified()
