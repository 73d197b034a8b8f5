"""What a picture is made of: surfaces, lines, a painted ground, a legend, as plain arrays.

Positions are float32 metres from the scene's origin: x east, y north, z up from the
scene's zero height. Map coordinates never reach the graphics card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks", "Ground", "Label", "Legend", "Origin", "Segments", "Surface"]


@dataclass(frozen=True)
class Origin:
    """Zero of a scene: east and north in projected metres, height in the twin's datum."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Surface:
    """Triangles of many objects in one: a layer is one surface, never one a building.

    Attributes
    ----------
    vertices
        (n, 3) float32.
    triangles
        (m, 3) int32, counter-clockwise from outside.
    rgb
        (n, 3) uint8, a colour per vertex.
    owner
        (m,) int32 into `ids`.
    ids
        Ids of the objects drawn.
    uv
        (n, 2) float32 coordinates into `pattern`, which repeats; None for plain colour.
    pattern
        (h, w, 3) uint8 that darkens the colour, row 0 on top; None for plain colour.
    closed
        Whether nobody can see it from inside: its backs need not be drawn.
    opacity
        0 (clear) to 1 (solid).
    tiles
        (t, 9): first triangle, how many roofs, how many triangles in all, and the box (xmin,
        ymin, zmin, xmax, ymax, zmax) of each tile, roofs before walls; None where there are
        no tiles.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    rgb: NDArray[np.uint8]
    owner: NDArray[np.int32]
    ids: NDArray[np.object_]
    uv: NDArray[np.float32] | None = None
    pattern: NDArray[np.uint8] | None = None
    closed: bool = False
    opacity: float = 1.0
    tiles: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Blocks:
    """Upright bodies by the thousand, in tiles; their faces are made when one looks at them.

    Attributes
    ----------
    layer
        Whose they are.
    xy
        (v, 2) float64 points of rings without closing points, scene metres.
    ring_start, polygon_start
        (r + 1,) and (p + 1,) int64, as in `kernels.spatial.blocks`.
    low, high
        (p,) float64, scene metres.
    owner
        (p,) int64 into `ids`.
    ids
        Ids of the objects.
    wall, roof
        (n, 3) uint8, colours of each object.
    box
        (p, 4, 2) float64, the smallest upright box around each.
    order, tile_start
        (p,) polygons tile by tile, and (t + 1,) where each tile begins.
    tile_box
        (t, 6) xmin, ymin, zmin, xmax, ymax, zmax of each tile.
    detail
        Makes the surfaces and edges of some objects as they look from near; None where
        they look no different.
    opacity
        0 (clear) to 1 (solid).
    """

    layer: str
    xy: NDArray[np.float64]
    ring_start: NDArray[np.int64]
    polygon_start: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    owner: NDArray[np.int64]
    ids: NDArray[np.object_]
    wall: NDArray[np.uint8]
    roof: NDArray[np.uint8]
    box: NDArray[np.float64]
    order: NDArray[np.int64]
    tile_start: NDArray[np.int64]
    tile_box: NDArray[np.float64]
    detail: Callable[[NDArray[np.int64]], tuple[list[Surface], list[Segments]]] | None = None
    opacity: float = 1.0


@dataclass(frozen=True)
class Segments:
    """Straight lines, such as the edges of roofs: (n, 2, 3) float32, one colour."""

    points: NDArray[np.float32]
    rgb: tuple[int, int, int]
    width_px: float = 1.0
    opacity: float = 1.0


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
    opacity
        0 (clear) to 1 (solid): what lies underground shows through.
    """

    points: NDArray[np.float32]
    image: NDArray[np.uint8]
    objects: int
    opacity: float = 1.0


@dataclass(frozen=True)
class Label:
    """A text at a place in scene metres; pinned ones have a leader and are never left out."""

    text: str
    at: tuple[float, float, float]
    pinned: bool = False


@dataclass(frozen=True)
class Legend:
    """What colours mean: a ramp between two numbers, or single colours with a text each.

    Attributes
    ----------
    title, unit
        Heading.
    rgb
        (k, 3) uint8, colours from low to high; none where only `keys` are shown.
    marks
        (position 0..1, text) of the numbers beside the ramp.
    keys
        (colour, text) of single colours, such as that of missing values.
    """

    title: str
    unit: str
    rgb: NDArray[np.uint8]
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)
    keys: Sequence[tuple[tuple[int, int, int], str]] = field(default_factory=tuple)
