"""The painted ground: what is painted lies where it lies in the city, to the pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from cim.model import Grid, GridFrame, Twin
from scenes.drawables import Origin
from scenes.ground import Painter, drape, flat_level, levels, terrain_of
from tests.towns import EAST, FRAME, NORTH, layer, town

BOX = (EAST, NORTH, EAST + 200.0, NORTH + 100.0)
RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def at(painter: Painter, x: float, y: float) -> tuple[int, ...]:
    """Return the colour painted at a place, metres from the south-west corner of `BOX`."""
    image = painter.image()
    high, wide, _ = image.shape
    width, height = BOX[2] - BOX[0], BOX[3] - BOX[1]
    row = min(int((height - y) / height * high), high - 1)
    return tuple(int(c) for c in image[row, min(int(x / width * wide), wide - 1)])


def place(x: float, y: float) -> tuple[float, float]:
    return (EAST + x, NORTH + y)


def many(*shapes: Any) -> Any:
    array = np.empty(len(shapes), dtype=object)
    array[:] = shapes
    return array


def test_the_image_keeps_the_shape_of_the_box() -> None:
    high, wide, bands = Painter(BOX, 1024).image().shape
    assert bands == 3
    assert wide == pytest.approx(2 * high, abs=1)


@pytest.mark.parametrize(
    ("row", "col", "x", "y"),
    [(0, 0, 5, 95), (0, 19, 195, 95), (9, 0, 5, 5), (9, 19, 195, 5), (4, 7, 75, 55)],
)
def test_a_cell_is_painted_where_it_lies_with_row_0_in_the_north(
    row: int, col: int, x: float, y: float
) -> None:
    frame = GridFrame(west=EAST, north=NORTH + 100.0, cell_m=10.0, rows=10, cols=20)
    rgba = np.zeros((10, 20, 4), dtype=np.uint8)
    rgba[row, col] = (*RED, 255)
    painter = Painter(BOX, 1024)
    bare = at(painter, x, y)
    painter.cells(rgba, frame)
    for dx in (-4.8, 0.0, 4.8):
        for dy in (-4.8, 0.0, 4.8):
            assert at(painter, x + dx, y + dy) == RED
    reds = (painter.image() == RED).all(axis=-1)
    assert reds.mean() == pytest.approx(1 / 200, rel=0.02)
    assert at(painter, 100.0, 50.0 if row != 4 else 20.0) == bare


def test_cells_of_a_grid_larger_than_the_picture_lie_right_too() -> None:
    frame = GridFrame(west=EAST - 70.0, north=NORTH + 170.0, cell_m=7.0, rows=40, cols=60)
    x, y = frame.centres()
    rgba = np.zeros((40, 60, 4), dtype=np.uint8)
    rgba[..., :3] = np.where((x < EAST + 100.0)[None, :, None], RED, BLUE)
    rgba[..., 3] = np.where(y > NORTH + 50.0, 255, 0)[:, None]
    painter = Painter(BOX, 1024)
    bare = at(painter, 10.0, 10.0)
    painter.cells(rgba, frame)
    assert at(painter, 40.0, 90.0) == RED and at(painter, 160.0, 90.0) == BLUE
    assert at(painter, 40.0, 20.0) == at(painter, 160.0, 20.0) == bare


def test_cells_of_a_small_grid_leave_the_rest_as_it_is() -> None:
    frame = GridFrame(west=EAST + 50.0, north=NORTH + 60.0, cell_m=5.0, rows=2, cols=2)
    rgba = np.full((2, 2, 4), 255, dtype=np.uint8)
    rgba[..., :3] = GREEN
    painter = Painter(BOX, 1024)
    painter.cells(rgba, frame)
    greens = (painter.image() == GREEN).all(axis=-1)
    assert greens.mean() == pytest.approx(100 / 20_000, rel=0.02)
    assert at(painter, 55.0, 55.0) == GREEN


def test_half_transparent_cells_let_the_ground_through() -> None:
    frame = GridFrame(west=EAST, north=NORTH + 100.0, cell_m=100.0, rows=1, cols=2)
    rgba = np.zeros((1, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (0, 0, 0, 128)
    painter = Painter(BOX, 1024)
    bare = np.array(at(painter, 50.0, 50.0))
    painter.cells(rgba, frame)
    np.testing.assert_allclose(at(painter, 50.0, 50.0), bare / 2, atol=2)


@pytest.mark.parametrize("width_m", [2.0, 8.0, 30.0])
def test_a_line_is_as_wide_as_it_is_in_metres(width_m: float) -> None:
    painter = Painter(BOX, 1024)
    line = shapely.LineString([place(20, 50), place(180, 50)])
    painter.lines(many(line), RED, width_m)
    reds = (painter.image() == RED).all(axis=-1)
    middle = reds[:, reds.shape[1] // 2]
    assert middle.sum() * painter.pixel_m == pytest.approx(width_m, abs=2.5 * painter.pixel_m)
    assert at(painter, 100.0, 50.0 + 0.4 * width_m) == RED
    assert at(painter, 100.0, 50.0 + width_m / 2.0 + 2.5 * painter.pixel_m) != RED


def test_lines_and_polygons_may_have_a_colour_each() -> None:
    painter = Painter(BOX, 1024)
    boxes = many(*(shapely.box(*place(x, 10), *place(x + 20, 40)) for x in (10, 60, 110)))
    painter.polygons(boxes, np.array([RED, GREEN, BLUE]))
    assert [at(painter, x, 25) for x in (20, 70, 120)] == [RED, GREEN, BLUE]
    lines = many(*(shapely.LineString([place(10, y), place(190, y)]) for y in (60, 80)))
    painter.lines(lines, np.array([BLUE, RED]), np.array([4.0, 10.0]))
    assert [at(painter, 150, y) for y in (60, 80, 84)] == [BLUE, RED, RED]
    assert at(painter, 150, 64) not in (RED, BLUE)


def test_a_hole_in_a_polygon_shows_the_ground_below_not_bare_land() -> None:
    painter = Painter(BOX, 1024)
    painter.polygons(many(shapely.box(*place(0, 0), *place(200, 100))), GREEN)
    ring = shapely.Polygon(
        shapely.box(*place(20, 20), *place(120, 80)).exterior,
        [shapely.box(*place(50, 40), *place(90, 60)).exterior],
    )
    painter.polygons(many(ring), BLUE)
    assert at(painter, 30, 50) == BLUE
    assert at(painter, 70, 50) == GREEN


def test_a_ring_road_leaves_the_block_inside_it_open() -> None:
    painter = Painter(BOX, 1024)
    painter.polygons(many(shapely.box(*place(0, 0), *place(200, 100))), GREEN)
    around = shapely.LineString(
        [place(*p) for p in ((20, 20), (160, 20), (160, 80), (20, 80), (20, 20))]
    )
    painter.lines(many(around), RED, 8.0)
    assert at(painter, 20, 50) == at(painter, 100, 80) == RED
    assert at(painter, 90, 50) == GREEN


def test_missing_empty_and_foreign_shapes_are_passed_over() -> None:
    painter = Painter(BOX, 1024)
    bare = painter.image().copy()
    strange = many(None, shapely.Polygon(), shapely.Point(place(50, 50)))
    painter.polygons(strange, RED)
    painter.lines(strange, RED, 5.0)
    assert (painter.image() == bare).all()


def test_what_has_no_place_is_not_counted_as_painted() -> None:
    painter = Painter(BOX, 1024)
    painter.count(layer("water", [shapely.box(*place(0, 0), *place(9, 9)), None]))
    assert painter.objects == 1


def test_multipolygons_and_multilines_are_painted_whole() -> None:
    painter = Painter(BOX, 1024)
    two = shapely.union_all([shapely.box(*place(x, 10), *place(x + 20, 30)) for x in (10, 60)])
    painter.polygons(many(two), RED)
    lines = shapely.MultiLineString([[place(10, y), place(190, y)] for y in (60, 80)])
    painter.lines(many(lines), BLUE, 4.0)
    assert at(painter, 20, 20) == at(painter, 70, 20) == RED
    assert at(painter, 40, 20) != RED
    assert at(painter, 100, 60) == at(painter, 100, 80) == BLUE


def test_draped_heights_are_those_of_the_terrain() -> None:
    terrain = town().grid("terrain")
    origin = Origin(EAST + 100.0, NORTH + 100.0, 3.0)
    box = (EAST + 10.0, NORTH + 10.0, EAST + 190.0, NORTH + 190.0)
    points = drape(Painter(box, 512), terrain, origin).points.astype(np.float64)
    xy = points[..., :2].reshape(-1, 2) + (origin.x, origin.y)
    np.testing.assert_allclose(
        points[..., 2].ravel() + origin.z, terrain.sample(xy), atol=2e-5, rtol=0
    )
    assert points[0, 0, 1] == pytest.approx(90.0) and points[-1, 0, 1] == pytest.approx(-90.0)
    assert points[0, 0, 0] == pytest.approx(-90.0) and points[0, -1, 0] == pytest.approx(90.0)
    # the plane of tests.towns: 3 + 0.002 row - 0.001 col, row 0 in the north
    x, y = xy.T
    row, col = NORTH + 200.0 - y - 0.5, x - EAST - 0.5
    np.testing.assert_allclose(
        points[..., 2].ravel() + 3.0, 3.0 + 0.002 * row - 0.001 * col, atol=1e-4
    )


def test_ground_without_a_height_is_level_with_its_neighbourhood() -> None:
    frame = GridFrame(west=EAST, north=NORTH + 100.0, cell_m=5.0, rows=20, cols=40)
    values = np.full((20, 40), 12.0, dtype=np.float32)
    values[5:9, 10:20] = np.nan
    ground = drape(
        Painter(BOX, 1024), Grid("terrain", frame, values, "m"), Origin(EAST, NORTH, 10.0)
    )
    assert np.isfinite(ground.points).all()
    np.testing.assert_allclose(ground.points[..., 2], 2.0)


def test_a_terrain_without_any_height_is_level() -> None:
    frame = GridFrame(west=EAST, north=NORTH + 100.0, cell_m=5.0, rows=20, cols=40)
    nothing = Grid("terrain", frame, np.full((20, 40), np.nan, dtype=np.float32), "m")
    ground = drape(Painter(BOX, 1024), nothing, Origin(EAST, NORTH, 0.0))
    assert (ground.points[..., 2] == 0).all()


@pytest.mark.parametrize("shape", [(3000.0, 1.0), (1.0, 3000.0), (0.5, 0.5)])
def test_a_long_thin_box_is_painted_too(shape: tuple[float, float]) -> None:
    box = (EAST, NORTH, EAST + shape[0], NORTH + shape[1])
    ground = drape(Painter(box, 512), town().grid("terrain"), Origin(EAST, NORTH, 0.0))
    assert ground.points.shape[0] >= 2 and ground.points.shape[1] >= 2
    assert np.isfinite(ground.points).all()


def test_a_twin_without_terrain_stands_on_level_ground() -> None:
    bare = Twin(name="bare", frame=FRAME)
    terrain = terrain_of(bare, BOX)
    assert (terrain.values == 0).all()
    assert terrain.frame.bounds[0] <= BOX[0] and terrain.frame.bounds[2] >= BOX[2]
    elsewhere = (EAST + 1e5, NORTH, EAST + 1e5 + 50, NORTH + 50)
    assert (terrain_of(town(), elsewhere).values == 0).all()


def test_a_city_of_surveyed_levels_without_terrain_stands_on_ground_not_over_it() -> None:
    base = town()
    heights = replace(base.table("building"), columns={
        **base.table("building").columns, "base_m": np.linspace(500.0, 504.0, 12)})  # fmt: skip
    bare = replace(base, tables={"building": heights}, rasters={})
    terrain = terrain_of(bare, (EAST, NORTH, EAST + 200, NORTH + 200))
    assert 500.0 <= float(terrain.values.min()) == float(terrain.values.max()) <= 501.0
    unknown = replace(bare, tables={"building": base.table("building")})
    assert flat_level(terrain_of(unknown, (EAST, NORTH, EAST + 200, NORTH + 200))) == 0.0


def test_beyond_its_edge_a_terrain_goes_on_as_there_and_then_without_its_ridges() -> None:
    frame = GridFrame(EAST, NORTH + 100.0, 1.0, 100, 100)
    values = np.full((100, 100), 10.0, np.float32)
    values[:, 50] = 12.0  # a kerb that runs to the edge
    terrain = Grid("terrain", frame, values, "m")
    x = EAST + np.arange(20.5, 80.5)
    profile = [
        levels(terrain, np.c_[x, np.full(60, NORTH - d)], 0.0) for d in (-1.5, 0.5, 30.0, 90)
    ]
    rise = [float(np.ptp(one)) for one in profile]
    assert rise[0] == pytest.approx(2.0) and rise[1] > 1.5
    assert rise[2] < 0.4 and rise[3] < 0.25
    assert all(9.9 < one.mean() < 10.5 for one in profile)


@pytest.mark.parametrize(("relief_m", "most"), [(0.0, 8), (1.0, 60), (60.0, 225)])
def test_the_mesh_is_as_coarse_as_five_centimetres_allow(relief_m: float, most: int) -> None:
    """Beside the terrain itself, along straight lines between the mesh's rows and columns."""
    side = 400
    row, col = np.mgrid[0:side, 0:side]
    values = (relief_m * (np.sin(row / 60.0) + np.cos(col / 45.0))).astype(np.float32)
    terrain = Grid("terrain", GridFrame(EAST, NORTH + side, 1.0, side, side), values, "m")
    box = (EAST + 1.0, NORTH + 1.0, EAST + side - 1.0, NORTH + side - 1.0)
    points = drape(Painter(box, 512), terrain, Origin(EAST, NORTH, 0.0)).points.astype(float)
    assert points.shape[0] == points.shape[1] <= most
    for ring in (points, points.transpose(1, 0, 2)):
        middles = (ring[:, 1:] + ring[:, :-1]) / 2
        xy = middles[..., :2].reshape(-1, 2) + (EAST, NORTH)
        off = np.abs(middles[..., 2].ravel() - terrain.sample(xy)).max()
        assert off <= 0.06 + 0.0003 * relief_m


def test_a_smooth_terrain_inside_the_picture_keeps_its_mesh_coarse_at_its_edge() -> None:
    row, col = np.mgrid[0:400, 0:400]
    values = (np.sin(row / 60.0) + np.cos(col / 45.0)).astype(np.float32)
    terrain = Grid("terrain", GridFrame(EAST, NORTH + 400, 1.0, 400, 400), values, "m")
    box = (EAST - 20.0, NORTH - 20.0, EAST + 420.0, NORTH + 420.0)
    points = drape(Painter(box, 512), terrain, Origin(EAST, NORTH, 0.0)).points
    assert points.shape[0] <= 60


def test_a_terrain_full_of_steps_keeps_every_point_of_the_mesh() -> None:
    values = np.random.default_rng(3).uniform(0, 4, (100, 200)).astype(np.float32)
    terrain = Grid("terrain", GridFrame(EAST, NORTH + 100.0, 1.0, 100, 200), values, "m")
    ground = drape(Painter(BOX, 512), terrain, Origin(EAST, NORTH, 0.0))
    assert ground.points.shape[:2] == (129, 225)
