"""A city in tiles: every level shows every body, and what is seen follows from the camera."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.model import Twin
from cim.model.arrays import rings
from kernels.spatial import blocks as kernels
from scenes import blocks as tiles
from scenes.backend import Canvas, shoot
from scenes.camera import Camera
from scenes.compose import Picture, compose
from scenes.drawables import Blocks
from scenes.extrude import loops
from scenes.scene import Scene
from tests.benchmarks.metropolis import metropolis
from tests.towns import layer

SIZE = (320, 180)
COUNT = 16_000  # of six walls each: enough to be drawn in tiles


@pytest.fixture(scope="module")
def city() -> Twin:
    return metropolis(COUNT)


@pytest.fixture(scope="module")
def picture(city: Twin) -> Picture:
    return compose(Scene(size=SIZE), city)


def as_blocks(*shapes: shapely.Polygon, low: float = 2.0, high: float = 11.0) -> Blocks:
    """A few bodies, all of one height, in one tile."""
    flat = rings(layer("building", list(shapes)))
    ring = loops(flat)
    n = len(flat.polygon_start) - 1
    box = kernels.boxes(ring.xy, ring.start, flat.polygon_start)
    heights = np.full(n, low), np.full(n, high)
    order, start, around = tiles.tiled(box, *heights)
    grey = np.full((len(shapes), 3), 200, np.uint8)
    ids = np.array([str(i) for i in range(len(shapes))], object)
    return Blocks("building", ring.xy, ring.start, flat.polygon_start, *heights, flat.feature, ids,
                  grey, grey // 2, box, order, start, around)  # fmt: skip


def areas(made: tiles.Faces) -> np.ndarray:
    """Vector areas (m, 3) of the faces: their length is the area, their way the outside."""
    a, b, c = (made.vertices[made.triangles[:, i]].astype(float) for i in range(3))
    return np.asarray(np.cross(b - a, c - a) / 2.0)


@st.composite
def stars(draw: st.DrawFn) -> shapely.Polygon:
    """A simple ring around the origin: points in order of angle, near and far."""
    n = draw(st.integers(3, 14))
    far = draw(st.lists(st.integers(2, 30), min_size=n, max_size=n))
    turn = np.arange(n) * 2 * np.pi / n
    return shapely.Polygon(np.c_[np.cos(turn), np.sin(turn)] * np.array(far)[:, None])


@settings(deadline=None)
@given(st.lists(stars(), min_size=1, max_size=4))
def test_roofs_cover_each_outline_and_walls_close_around_it(shapes: list[shapely.Polygon]) -> None:
    """All faces with a floor added sum to nothing, as those of any closed body do."""
    blocks = as_blocks(*shapes)
    made = tiles.faces(blocks, blocks.order, tiles.OUTLINES)
    area = areas(made)
    up = area[:, 2] > 0
    covered = np.bincount(made.triangle_of[up], area[up, 2], len(shapes))
    expected = shapely.area(np.array(shapes))
    np.testing.assert_allclose(covered, expected, rtol=1e-5)
    walls = np.hypot(area[~up, 0], area[~up, 1])
    around = np.bincount(made.triangle_of[~up], walls, len(shapes))
    np.testing.assert_allclose(around, shapely.length(np.array(shapes)) * 9.0, rtol=1e-5)
    np.testing.assert_allclose(area[:, :2].sum(axis=0), 0.0, atol=1e-2)


def test_a_courtyard_stays_open() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 30, 20).exterior, [shapely.box(8, 6, 14, 14).exterior])
    blocks = as_blocks(ring, shapely.box(40, 0, 50, 10))
    area = areas(tiles.faces(blocks, blocks.order, tiles.OUTLINES))
    assert area[:, 2].sum() == pytest.approx(ring.area + 100.0, rel=1e-6)


@settings(deadline=None)
@given(stars(), st.floats(0, 3))
def test_the_box_around_an_outline_holds_it(shape: shapely.Polygon, turn: float) -> None:
    turned = shapely.affinity.rotate(shape, turn, use_radians=True)
    box = shapely.Polygon(as_blocks(turned).box[0])
    assert box.buffer(1e-6).contains(turned)
    assert box.area >= shapely.minimum_rotated_rectangle(turned).area - 1e-6
    assert box.exterior.is_ccw


def test_a_wall_is_lit_by_the_way_it_faces() -> None:
    blocks = as_blocks(shapely.box(0, 0, 20, 10))
    made = tiles.faces(blocks, blocks.order, tiles.BOXES)
    normals = np.zeros((kernels.BINS + 1, 3), np.float32)
    turn = np.arange(kernels.BINS) * 2 * np.pi / kernels.BINS
    normals[:-1] = np.clip(-np.sin(turn), 0, 1)[:, None]  # light from the south alone
    rgba = tiles.paint(blocks, made, tiles.light_table(normals))
    bright = rgba[made.triangles[:, 2], 0] > 150
    area = areas(made)
    south = (area[:, 1] < -1.0) & (np.abs(area[:, 0]) < 1e-3)
    assert south.sum() == 2 and (bright == south).all()


def test_every_tile_of_a_city_has_bodies_and_together_they_hold_each_once(picture: Picture) -> None:
    (blocks,) = picture.blocks
    assert sorted(blocks.order.tolist()) == list(range(COUNT))
    assert (np.diff(blocks.tile_start) > 0).all() and len(blocks.tile_start) > 8
    assert picture.objects == COUNT
    for level in (tiles.OUTLINES, tiles.BOXES):
        made = tiles.faces(blocks, blocks.order, level)
        assert set(made.triangle_of.tolist()) == set(range(COUNT))
    small = tiles.for_cards(blocks, blocks.order)
    cards = tiles.cards(blocks, blocks.order[small])
    assert 0.8 * COUNT < small.sum() < COUNT
    assert set(cards.corner_of.tolist()) == set(blocks.order[small].tolist())


def test_a_level_of_detail_changes_faces_not_places(picture: Picture) -> None:
    (blocks,) = picture.blocks
    which = blocks.order[: blocks.tile_start[1]]
    full, boxed = (tiles.faces(blocks, which, level) for level in (tiles.OUTLINES, tiles.BOXES))
    for axis in range(3):
        ends = [(m.vertices[:, axis].min(), m.vertices[:, axis].max()) for m in (full, boxed)]
        np.testing.assert_allclose(ends[0], ends[1], atol=0.05)


def looking(position: tuple[float, ...], focus: tuple[float, ...]) -> Camera:
    return Camera(np.array(position), np.array(focus), np.array([0.0, 0.0, 1.0]), 0.0)


def test_what_is_culled_cannot_be_seen(picture: Picture) -> None:
    """Beside the projection of points of each tile: a tile with a point in the frame is kept."""
    (blocks,) = picture.blocks
    rng = np.random.default_rng(5)
    kept = 0
    for _ in range(40):
        x, y, a, b = rng.uniform(-9000, 9000, 4)
        camera = looking((x, y, rng.uniform(10, 4000)), (a, b, 0.0))
        seen = tiles.in_view(blocks.tile_box, camera, 16 / 9)
        ahead = camera.focus - camera.position
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, camera.up)
        right /= np.linalg.norm(right)
        off = np.c_[blocks.box.mean(axis=1), blocks.high] - camera.position
        depth = off @ ahead
        half = np.tan(np.radians(camera.view_angle_deg / 2))
        inside = (depth > 0) & (np.abs(off @ right) <= half * 16 / 9 * depth)
        inside &= np.abs(off @ np.cross(right, ahead)) <= half * depth
        tile = np.repeat(np.arange(len(seen)), np.diff(blocks.tile_start))
        assert seen[np.unique(tile[inside[blocks.order]])].all()
        kept += int(seen.sum())
    assert kept < 40 * 0.7 * len(blocks.tile_box)


def test_near_tiles_are_finer_than_far_ones_and_dragging_is_coarser(picture: Picture) -> None:
    (blocks,) = picture.blocks
    street = looking((0.0, 0.0, 2.0), (100.0, 0.0, 2.0))
    far = looking((0.0, 0.0, 60_000.0), (1.0, 0.0, 0.0))
    assert set(tiles.levels(blocks, street, 720, dragging=False)) >= {tiles.NEAR, tiles.BOXES}
    nearer = looking((0.0, 0.0, 16_000.0), (1.0, 0.0, 0.0))
    assert set(tiles.levels(blocks, far, 720, dragging=False)) == {tiles.CARDS}
    assert tiles.BOXES in tiles.levels(blocks, nearer, 720, dragging=False)
    assert set(tiles.levels(blocks, nearer, 720, dragging=True)) == {tiles.CARDS}
    assert tiles.NEAR not in tiles.levels(blocks, street, 720, dragging=True)


def test_each_tile_in_view_reports_what_it_draws(screen: None, picture: Picture) -> None:
    shot = shoot(picture, SIZE)
    (blocks,) = picture.blocks
    assert len(shot.tiles) == len(blocks.tile_start) - 1
    assert all(tile.objects > 0 and tile.triangles > 0 for tile in shot.tiles)
    assert sum(tile.objects for tile in shot.tiles) == COUNT
    assert shot.triangles > sum(tile.triangles for tile in shot.tiles) > 2 * COUNT


def test_new_colours_show_and_old_ones_come_back(screen: None, picture: Picture) -> None:
    (blocks,) = picture.blocks
    wall, roof = blocks.wall.copy(), blocks.roof.copy()
    red = np.tile(np.array([220, 20, 20], np.uint8), (COUNT, 1))
    with Canvas(picture, SIZE) as canvas:
        before = canvas.frame(picture.camera)
        canvas.recolour("building", red, red)
        reddened = canvas.frame(picture.camera).astype(int)
        canvas.recolour("building", wall, roof)
        after = canvas.frame(picture.camera)
    assert (reddened[..., 0] - reddened[..., 1] > 60).mean() > 0.005
    assert (before == after).all()


def test_water_laid_over_the_ground_shows_and_dries(screen: None, picture: Picture) -> None:
    x0, y0, x1, y1 = picture.bounds
    blue = np.zeros((50, 50, 4), np.uint8)
    blue[10:40, 10:40] = (20, 60, 220, 255)
    with Canvas(picture, SIZE) as canvas:
        before = canvas.frame(picture.camera).astype(int)
        canvas.cells(blue, (x0, y0, x1, y1))
        wet = canvas.frame(picture.camera).astype(int)
        canvas.cells(np.zeros_like(blue), (x0, y0, x1, y1))
        dry = canvas.frame(picture.camera).astype(int)
    share = (wet[..., 2] - wet[..., 0] > 80).mean()
    assert 0.1 < share < 0.7
    assert not (dry[..., 2] - dry[..., 0] > 80).any()
    assert np.abs(before - dry).mean() < 1.0  # the ground under cells has an image of its own


def test_a_grid_smaller_than_one_face_of_the_ground_shows(screen: None, picture: Picture) -> None:
    """Level ground is a coarse mesh: no corner of it lies in the grid."""
    rows, cols, _ = picture.ground.points.shape
    x0, y0, x1, y1 = picture.bounds
    assert max(rows, cols) <= 8
    a, b = x0 + 0.47 * (x1 - x0), y0 + 0.47 * (y1 - y0)
    side = 0.02 * (x1 - x0)
    with Canvas(picture, SIZE) as canvas:
        canvas.cells(np.full((4, 4, 4), (20, 60, 220, 255), np.uint8), (a, b, a + side, b + side))
        wet = canvas.frame(picture.camera).astype(int)
    assert (wet[..., 2] - wet[..., 0] > 80).sum() >= 4


def test_a_card_is_the_roof_of_a_box_and_knows_the_way_to_its_foot(picture: Picture) -> None:
    (blocks,) = picture.blocks
    which = blocks.order[tiles.for_cards(blocks, blocks.order)][::50]
    made = tiles.cards(blocks, which)
    corners = made.vertices.reshape(-1, 4, 3).astype(float)
    np.testing.assert_allclose(corners[..., :2], blocks.box[which], atol=1e-3)
    middle = blocks.box[which].mean(axis=1)[:, None]
    np.testing.assert_allclose(made.reach.reshape(-1, 4, 4)[..., :2], blocks.box[which] - middle,
                               atol=1e-3)  # fmt: skip
    foot = corners[..., 2] - made.reach.reshape(-1, 4, 4)[..., 2]
    np.testing.assert_allclose(foot, blocks.low[which][:, None].repeat(4, axis=1), atol=1e-3)
    a, b, c = (made.vertices[made.triangles[:, i]].astype(float) for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_a_city_of_cards_looks_as_one_of_boxes_from_afar(
    screen: None, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means over 8 x 8 pixels, where there is town; red walls and green roofs show alike."""
    (blocks,) = picture.blocks
    kept = blocks.wall.copy(), blocks.roof.copy()
    red, green = (
        np.tile(np.array(c, np.uint8), (COUNT, 1)) for c in ((210, 40, 40), (40, 160, 40))
    )
    drawn = []
    for limit in (0.0, 0.8):
        monkeypatch.setattr(tiles, "_CARDS_PX", limit)
        with Canvas(picture, SIZE) as canvas:
            plain = canvas.frame(picture.camera)
            levels = {tile.level for tile in canvas.tiles}
            canvas.recolour("building", red, green)
            bright = canvas.frame(picture.camera)
            canvas.recolour("building", *kept)
        drawn.append((_means(plain), _means(bright), levels))
    boxes, cards = drawn
    assert boxes[2] == {tiles.BOXES} and cards[2] == {tiles.CARDS}
    for old, new in zip(boxes[:2], cards[:2], strict=True):
        town = np.abs(boxes[0] - boxes[1]).max(axis=2) > 8
        assert town.sum() > 50
        assert np.abs(old - new)[town].mean() < 6.0
        assert np.abs((old - new)[town].mean(axis=0)).max() < 4.0


def _means(pixels: np.ndarray) -> np.ndarray:
    high, wide = (n // 8 * 8 for n in pixels.shape[:2])
    cut = pixels[:high, :wide].astype(float)
    return np.asarray(cut.reshape(high // 8, 8, wide // 8, 8, 3).mean(axis=(1, 3)))
