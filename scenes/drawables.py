"""What a picture is made of: surfaces, a painted ground, a legend, as plain arrays.

Positions are float32 metres from the scene's origin: x east, y north, z up from the
scene's zero height. Map coordinates never reach the graphics card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ground", "Legend", "Origin", "Segments", "Surface", "merged"]


@dataclass(frozen=True)
class Origin:
    """Zero of a scene: east and north in projected metres, height in the twin's datum."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Surface:
    """Triangles of many objects in one.

    Attributes
    ----------
    vertices
        (n, 3) float32.
    triangles
        (m, 3) int32, counter-clockwise from outside.
    rgb
        (m, 3) uint8, a colour per triangle.
    owner
        (m,) int32 into `ids`.
    ids
        Ids of the objects drawn.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    rgb: NDArray[np.uint8]
    owner: NDArray[np.int32]
    ids: NDArray[np.object_]
    opacity: float = 1.0


@dataclass(frozen=True)
class Segments:
    """Straight lines, such as the edges of buildings: (n, 2, 3) float32, one colour."""

    points: NDArray[np.float32]
    rgb: tuple[int, int, int]
    width_px: float = 1.0


@dataclass(frozen=True)
class Ground:
    """Terrain as a mesh of rows × columns points, with an image laid over it.

    Attributes
    ----------
    points
        (r, c, 3) float32, row 0 in the north.
    image
        (h, w, 3) uint8, row 0 in the north, covering the mesh from edge to edge.
    objects
        How many objects are painted in the image.
    """

    points: NDArray[np.float32]
    image: NDArray[np.uint8]
    objects: int


@dataclass(frozen=True)
class Legend:
    """What colours mean: a ramp between two numbers.

    Attributes
    ----------
    title, unit
        Heading.
    rgb
        (k, 3) uint8, colours from `low` to `high`.
    marks
        (position 0..1, text) of the numbers beside the ramp.
    """

    title: str
    unit: str
    rgb: NDArray[np.uint8]
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)


def merged(surfaces: Sequence[Surface]) -> Surface:
    """Return several surfaces as one."""
    shifts = np.cumsum([0, *(len(s.vertices) for s in surfaces[:-1])])
    owners = np.cumsum([0, *(len(s.ids) for s in surfaces[:-1])])
    return Surface(
        vertices=np.concatenate([s.vertices for s in surfaces]),
        triangles=np.concatenate(
            [s.triangles + shift for s, shift in zip(surfaces, shifts, strict=True)]
        ).astype(np.int32),
        rgb=np.concatenate([s.rgb for s in surfaces]),
        owner=np.concatenate(
            [s.owner + shift for s, shift in zip(surfaces, owners, strict=True)]
        ).astype(np.int32),
        ids=np.concatenate([s.ids for s in surfaces]),
    )
