"""A city of upright bodies in tiles: which of its levels of detail a camera needs, and their faces.

Four levels: as from near (windows, pitched roofs), true outlines, boxes, cards. A card is
a quadrangle from the far edge of a body's roof to its foot: where a body is hardly larger than
a pixel it covers what roof and walls would, with a fifth of the triangles. A tile's level
follows from how large ten metres of it appear, and its faces are made the first time they are
seen: a whole city in view never costs its million walls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.spatial import blocks as kernels
from scenes.camera import Camera
from scenes.drawables import Blocks, Surface

__all__ = ["BOXES", "CARDS", "NEAR", "OUTLINES", "Cards", "Faces", "cards", "faces", "for_cards"]
__all__ += [
    "in_view",
    "levels",
    "light_table",
    "paint",
    "paint_walls",
    "surface",
    "tiled",
    "wall_light",
]

Floats = NDArray[np.float64]

NEAR, OUTLINES, BOXES, CARDS = range(4)
_TILE = 1000  # bodies in one, about
_NEAR_PX, _OUTLINES_PX = 45.0, 6.0  # ten metres as large as this
_CARDS_PX, _DRAGGED_CARDS_PX = 0.8, 1.6  # ten metres no larger than this, at rest and dragging
_CARD_MOST_M = 30.0  # bodies larger in any way are boxes at least
_NEAR_MOST = 3000  # bodies of a tile drawn as from near
_FOOT = 0.80  # less of the sky lights the foot of a wall


class Faces(NamedTuple):
    """Triangles of one tile: places, face codes, polygon of each corner; corners, polygon."""

    vertices: NDArray[np.float32]
    code: NDArray[np.uint8]
    corner_of: NDArray[np.int32]
    triangles: NDArray[np.int32]
    triangle_of: NDArray[np.int32]


def tiled(
    box: Floats, low: Floats, high: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return (order, tile_start, tile_box) of bodies: squares of about a thousand each."""
    n = len(box)
    middle = box.mean(axis=1)
    first, last = middle.min(axis=0), middle.max(axis=0)
    sides = max(1, round(np.sqrt(n / _TILE)))
    step = np.maximum((last - first) / sides, 1e-9)
    cell = np.minimum(((middle - first) / step).astype(np.int64), sides - 1)
    key = cell[:, 1] * sides + cell[:, 0]
    order = np.argsort(key, kind="stable")
    start = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    corners = box[order].reshape(n, 8)
    least = np.minimum.reduceat(corners, start).reshape(-1, 4, 2).min(axis=1)
    most = np.maximum.reduceat(corners, start).reshape(-1, 4, 2).max(axis=1)
    foot, top = np.minimum.reduceat(low[order], start), np.maximum.reduceat(high[order], start)
    return order, np.r_[start, n].astype(np.int64), np.c_[least, foot, most, top]


class Cards(NamedTuple):
    """Quadrangles of one tile.

    Corners of roofs, (n, 3); from the middle to each, height, colour of walls, (n, 4) as
    `kernels.spatial.blocks.fill_cards` and `paint_walls` write them; face codes, polygon of each
    corner, triangles.
    """

    vertices: NDArray[np.float32]
    reach: NDArray[np.float32]
    code: NDArray[np.uint8]
    corner_of: NDArray[np.int32]
    triangles: NDArray[np.int32]


def in_view(boxes: Floats, camera: Camera, aspect: float) -> NDArray[np.bool_]:
    """Tell which boxes (t, 6) may be seen: all corners of the others lie beyond one side."""
    pick = np.array(np.meshgrid((0, 3), (1, 4), (2, 5), indexing="ij")).reshape(3, -1).T
    r, u, f = _axes(camera)
    corners = boxes[:, pick] - camera.position  # (t, 8, 3)
    high = np.tan(np.radians(camera.view_angle_deg) / 2)
    ahead = corners @ f
    across, up = corners @ r, corners @ u
    beyond = np.zeros(len(boxes), dtype=bool)
    for part, half in ((across, high * aspect), (up, high)):
        for sign in (1.0, -1.0):
            beyond |= (sign * part > half * ahead).all(axis=1)
    return np.asarray(~beyond & (ahead > 0).any(axis=1))


def levels(blocks: Blocks, camera: Camera, height_px: int, *, dragging: bool) -> NDArray[np.int64]:
    """Return the level of detail of each tile, by how large it appears."""
    box = blocks.tile_box
    apart = np.maximum(np.maximum(box[:, :3] - camera.position, camera.position - box[:, 3:]), 0.0)
    pixel = camera.metres_per_pixel(height_px) / np.linalg.norm(camera.position - camera.focus)
    shown_px = 10.0 / np.maximum(np.linalg.norm(apart, axis=1) * pixel, 1e-9)
    level = np.full(len(box), BOXES)
    level[shown_px >= _OUTLINES_PX] = OUTLINES
    level[shown_px < (_DRAGGED_CARDS_PX if dragging else _CARDS_PX)] = CARDS
    if not dragging and blocks.detail is not None:
        few = np.diff(blocks.tile_start) <= _NEAR_MOST
        level[(shown_px >= _NEAR_PX) & few] = NEAR
    return level


def faces(blocks: Blocks, which: NDArray[np.int64], level: int) -> Faces:
    """Return the faces of some polygons, with true outlines or as boxes."""
    n = len(which)
    if level == OUTLINES:
        corners, triangles = (
            int(v) for v in kernels.counts(blocks.ring_start, blocks.polygon_start, which)
        )
    else:
        corners, triangles = 20 * n, 10 * n
    vertices, code = np.empty((corners, 3), np.float32), np.empty(corners, np.uint8)
    corner_of = np.empty(corners, np.int32)
    face, of = np.empty((triangles, 3), np.int32), np.empty(triangles, np.int32)
    made = (vertices, code, corner_of, face, of)
    if level != OUTLINES:
        kernels.fill_boxes(blocks.box, blocks.low, blocks.high, which, *made)
        return Faces(*made)
    count = kernels.fill(
        blocks.xy, blocks.ring_start, blocks.polygon_start, blocks.low, blocks.high, which, *made
    )
    whole = Faces(vertices, code, corner_of, face[:count], of[:count])
    holed = which[np.diff(blocks.polygon_start)[which] > 1]
    return _with_courtyards(blocks, whole, holed) if len(holed) else whole


def for_cards(blocks: Blocks, which: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which polygons are small enough to be cards where a tile is far away."""
    box = blocks.box[which]
    sides = np.hypot(*np.moveaxis(box[:, 1:3] - box[:, :2], 2, 0)).max(axis=1)
    high = blocks.high[which] - blocks.low[which]
    return np.asarray(np.maximum(sides, high) <= _CARD_MOST_M)


def cards(blocks: Blocks, which: NDArray[np.int64]) -> Cards:
    """Return some polygons as cards, to be drawn by `shaders.cards`."""
    n = 4 * len(which)
    made = Cards(
        np.empty((n, 3), np.float32),
        np.zeros((n, 4), np.float32),
        np.full(n, kernels.CODES - 1, np.uint8),
        np.empty(n, np.int32),
        np.empty((n // 2, 3), np.int32),
    )
    kernels.fill_cards(
        blocks.box, blocks.low, blocks.high, which,
        made.vertices, made.reach, made.corner_of, made.triangles,
    )  # fmt: skip
    paint_walls(blocks, made)
    return made


def wall_light(light: NDArray[np.float32], camera: Camera) -> Floats:
    """Return the light (3,) on the walls that face a camera, in the mean of their height."""
    away = camera.position - camera.focus
    turn = np.arange(kernels.BINS) * 2 * np.pi / kernels.BINS
    facing = np.clip(np.cos(turn) * away[0] + np.sin(turn) * away[1], 0.0, None)
    facing = facing / facing.sum() if facing.any() else np.full(len(turn), 1 / len(turn))
    mean: Floats = facing @ light[: kernels.BINS].astype(np.float64)
    return mean * (1.0 + _FOOT) / 2.0


def _with_courtyards(blocks: Blocks, made: Faces, which: NDArray[np.int64]) -> Faces:
    """Add the roofs of polygons with holes."""
    import shapely

    corners, owner = [], []
    for p in which.tolist():
        a, b = blocks.polygon_start[p], blocks.polygon_start[p + 1]
        cut = blocks.ring_start[a : b + 1]
        loops = [blocks.xy[i:j] for i, j in zip(cut[:-1], cut[1:], strict=True) if j - i >= 3]
        parts = shapely.get_parts(
            shapely.constrained_delaunay_triangles(shapely.Polygon(loops[0], loops[1:]))
        )
        xy = shapely.get_coordinates(shapely.orient_polygons(parts)).reshape(-1, 4, 2)[:, :3]
        corners.append(np.dstack([xy, np.full(xy.shape[:2], blocks.high[p])]).reshape(-1, 3))
        owner.append(np.full(len(xy), p, dtype=np.int32))
    above, of = np.concatenate(corners).astype(np.float32), np.concatenate(owner)
    first = len(made.vertices)
    new = (first + np.arange(len(above), dtype=np.int32)).reshape(-1, 3)
    return Faces(
        np.concatenate([made.vertices, above]),
        np.concatenate([made.code, np.full(len(above), kernels.CODES - 1, np.uint8)]),
        np.concatenate([made.corner_of, np.repeat(of, 3)]),
        np.concatenate([made.triangles, new]),
        np.concatenate([made.triangle_of, of]),
    )


def light_table(normal_light: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return the share of its colour every face code shows, (CODES, 3).

    Parameters
    ----------
    normal_light
        (BINS + 1, 3): light on walls of every direction, and on roofs; plain where None.
    """
    lit = np.ones((kernels.BINS + 1, 3), np.float32) if normal_light is None else normal_light
    walls = lit[: kernels.BINS]
    return np.concatenate([walls, walls * np.float32(_FOOT), lit[kernels.BINS :]])


def paint(
    blocks: Blocks,
    made: Faces | Cards,
    light: NDArray[np.float32],
    *,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return the colour (n, 4) of every corner, written to `out` where given."""
    rgba = np.empty((len(made.code), 4), np.uint8) if out is None else out
    kernels.paint(blocks.wall, blocks.roof, blocks.owner, light, made.code, made.corner_of, rgba)
    return rgba


def paint_walls(blocks: Blocks, made: Cards) -> None:
    """Write the unlit colour of the walls of every card's body: red, green, blue in one number."""
    rgb = blocks.wall[blocks.owner[made.corner_of]].astype(np.float32)
    made.reach[:, 3] = rgb @ np.array([65536.0, 256.0, 1.0], np.float32)


def surface(blocks: Blocks) -> Surface:
    """Return all bodies with their true outlines as one surface, for files and counts.

    Its triangles are in the order of tiles, the roofs of each first, so that a viewer may draw
    a tile's roofs alone.
    """
    made = faces(blocks, blocks.order, OUTLINES)
    tile = np.empty(len(blocks.owner), np.int64)
    tile[blocks.order] = np.repeat(np.arange(len(blocks.tile_box)), np.diff(blocks.tile_start))
    wall = made.code[made.triangles[:, 0]] != kernels.CODES - 1
    rank = 2 * tile[made.triangle_of] + wall
    order = np.argsort(rank, kind="stable")
    cut = np.searchsorted(rank[order], np.arange(2 * len(blocks.tile_box) + 1))
    first, middle, last = cut[:-1:2], cut[1::2], cut[2::2]
    return Surface(
        vertices=made.vertices,
        triangles=made.triangles[order],
        rgb=paint(blocks, made, light_table())[:, :3],
        owner=blocks.owner[made.triangle_of[order]].astype(np.int32),
        ids=blocks.ids,
        closed=True,
        opacity=blocks.opacity,
        tiles=np.c_[first, middle - first, last - first, blocks.tile_box],
    )


def _axes(camera: Camera) -> tuple[Floats, Floats, Floats]:
    """Return right, up and ahead of a camera, of length one."""
    ahead = camera.focus - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, camera.up)
    right = right / np.linalg.norm(right)
    return right, np.cross(right, ahead), ahead
