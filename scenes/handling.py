"""What a hand does to a camera: turn about what is looked at, push, come nearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenes.camera import Camera
from scenes.drawables import Origin
from scenes.scene import Eye

__all__ = ["eye_of", "pushed", "turned", "zoomed"]

Floats = NDArray[np.float64]

_DEG_PX = 0.344  # of the page in a browser, so that both feel the same
_LOWEST_DEG, _HIGHEST_DEG = 1.7, 89.9
_NEAREST_M = 5.0


def turned(camera: Camera, dx: float, dy: float) -> Camera:
    """Return a camera after a drag by pixels, right and down: around what it looks at."""
    away = camera.position - camera.focus
    far = float(np.linalg.norm(away))
    high = float(np.degrees(np.arcsin(np.clip(away[2] / far, -1.0, 1.0))))
    return _before(
        camera,
        camera.focus,
        far,
        camera.turn_deg - dx * _DEG_PX,
        float(np.clip(high + dy * _DEG_PX, min(high, _LOWEST_DEG), _HIGHEST_DEG)),
    )


def pushed(camera: Camera, dx: float, dy: float, height_px: int) -> Camera:
    """Return a camera after a drag by pixels that takes the ground along.

    Parameters
    ----------
    camera
        As it was.
    dx, dy
        Pixels right and down.
    height_px
        Height of the picture.
    """
    away = camera.position - camera.focus
    step = camera.metres_per_pixel(height_px)
    turn = np.radians(camera.turn_deg)
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    ahead = np.array([-np.sin(turn), np.cos(turn), 0.0])
    lift = max(float(away[2] / np.linalg.norm(away)), 0.25)  # the ground lies aslant
    moved = -right * dx * step + ahead * dy * step / lift
    return replace(camera, position=camera.position + moved, focus=camera.focus + moved)


def zoomed(camera: Camera, factor: float, place: Floats | None, furthest_m: float) -> Camera:
    """Return a camera whose distance is `factor` times what it was.

    Parameters
    ----------
    camera
        As it was.
    factor
        Below 1 comes nearer.
    place
        Scene metres (3,) of what lies under the pointer, which stays under it; what is
        looked at where None.
    furthest_m
        Goes no further away than this.
    """
    away = camera.position - camera.focus
    far = float(np.linalg.norm(away))
    to = float(np.clip(far * factor, min(far, _NEAREST_M), max(far, furthest_m)))
    share = 1.0 - to / far
    focus = camera.focus if place is None else camera.focus + (place - camera.focus) * share
    return replace(camera, position=focus + away * (to / far), focus=focus)


def eye_of(camera: Camera, origin: Origin) -> Eye:
    """Return where a camera of a scene stands, in projected metres."""
    zero = np.array([origin.x, origin.y, origin.z])
    x, y, z = (camera.position + zero).tolist()
    u, v, w = (camera.focus + zero).tolist()
    return Eye((x, y, z), (u, v, w), camera.view_angle_deg)


def _before(camera: Camera, focus: Floats, far: float, turn_deg: float, high_deg: float) -> Camera:
    """Return the camera that looks at a place from a bearing, a height over the level, afar."""
    turn, high = np.radians(turn_deg), np.radians(high_deg)
    flat = np.cos(high)
    back = np.array([np.sin(turn) * flat, -np.cos(turn) * flat, np.sin(high)])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    bearing = (turn_deg + 180.0) % 360.0 - 180.0
    return replace(
        camera, position=focus + back * far, focus=focus, up=np.cross(back, right), turn_deg=bearing
    )
