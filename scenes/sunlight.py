"""How light a face is: the sun and the sky against it, as VTK lights what it lights itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.spatial.blocks import BINS
from scenes.vtk_parts import AMBIENT, DIFFUSE

__all__ = ["lit", "suns", "upward", "walls_and_roof"]

_SUN_LIGHT, _SKY_LIGHT = (1.0, 0.96, 0.88), (0.82, 0.89, 1.0)
_SUN, _SKY = 0.78, 0.26


def suns(direction: tuple[float, float, float]) -> tuple[Any, ...]:
    """Return way, strength and colour of the sun and of the sky's light against it."""
    away = (-direction[0] * 0.8, -direction[1] * 0.8, 0.9)
    return ((direction, _SUN, _SUN_LIGHT), (away, _SKY, _SKY_LIGHT))


def lit(normals: NDArray[Any], direction: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the light, (n, 3), on faces with the normals (n, 3)."""
    light = np.full((len(normals), 3), AMBIENT)
    for way, strength, colour in suns(direction):
        toward = np.array(way) / np.linalg.norm(way)
        facing = np.clip(normals @ toward, 0.0, None)
        light += DIFFUSE * strength * facing[:, None] * np.array(colour)
    return light.astype(np.float32)


def walls_and_roof() -> NDArray[np.float64]:
    """Return the normals of walls of every direction, and of a flat roof."""
    turn = np.arange(BINS) * 2 * np.pi / BINS
    walls = np.c_[np.cos(turn), np.sin(turn), np.zeros(BINS)]
    return np.concatenate([walls, [(0.0, 0.0, 1.0)]])


def upward(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the upward normals (r * c, 3) of a sheet of points (r, c, 3)."""
    p = points.astype(np.float64)
    east, south = np.gradient(p, axis=1), np.gradient(p, axis=0)
    up = np.cross(south, east).reshape(-1, 3)
    made: NDArray[np.float64] = up / np.linalg.norm(up, axis=1, keepdims=True)
    return made
