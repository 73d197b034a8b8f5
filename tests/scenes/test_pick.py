"""What a ray meets is what meets it first of everything there is, to the last of 10,000 rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.spatial import pick as kernels
from scenes.camera import Camera
from scenes.compose import Picture, compose
from scenes.pick import Picker, kept, ray_of
from scenes.scene import Plane, Scene
from tests.benchmarks.metropolis import metropolis
from tests.towns import EAST, NORTH, box, layer, town

SIZE = (1280, 720)
RAYS = 10_000


def clustered() -> Picture:
    """Sixteen thousand bodies in quarters; a fifth of them stand in one another."""
    twin = metropolis(16_000)
    table = twin.tables["building"]
    shapes = table.geometry.copy()
    moved = shapely.transform(shapes[:3200], lambda xy: xy + (7.0, 5.0))
    shapes[-3200:] = moved
    made = compose(Scene(), replace(twin, tables={"building": replace(table, geometry=shapes)}))
    return replace(made, ground=replace(made.ground, points=made.ground.points[::24, ::24]))


@pytest.fixture(scope="module")
def picture() -> Picture:
    return clustered()


def rays(picture: Picture, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rays at houses, from above, from the street, from within, along walls and straight down."""
    rng = np.random.default_rng(7)
    (blocks,) = picture.blocks
    made = []
    for number in range(count):
        who = int(rng.integers(len(blocks.box)))
        target = np.r_[blocks.box[who].mean(axis=0), rng.uniform(0, blocks.high[who])]
        if number % 4 == 0:
            start = target + np.r_[rng.normal(0, 3000, 2), rng.uniform(50, 3000)]
        elif number % 4 == 1:
            start = target + np.r_[rng.normal(0, 200, 2), 2.0]
        elif number % 4 == 2:
            corner = blocks.xy[blocks.ring_start[who]]
            start, target = np.r_[corner, 500.0], np.r_[corner, 0.0]
        else:
            start = np.r_[blocks.xy[blocks.ring_start[who]], 1.5]  # along a wall, from its corner
            target = np.r_[blocks.xy[blocks.ring_start[who] + 1], 1.5]
        made.append((start, target - start))
    return made


def test_rays_meet_what_asking_everything_says(picture: Picture) -> None:
    """2,000 of the 10,000 that the truths ask."""
    compare(picture, rays(picture, RAYS)[::5])


@pytest.mark.truths
def test_ten_thousand_rays_meet_what_asking_everything_says(picture: Picture) -> None:
    compare(picture, rays(picture, RAYS))


def compare(picture: Picture, asked: list[tuple[np.ndarray, np.ndarray]]) -> None:
    picker = Picker(picture)
    met = 0
    for start, way in asked:
        found = picker.ray(start, way)
        assert found == picker.ray(start, way, everything=True)
        met += found is not None and found.id is not None
    assert met > 0.7 * len(asked)


coordinates = st.integers(-6, 6).map(float)


@settings(deadline=None, max_examples=200)
@given(st.tuples(*[coordinates] * 3), st.tuples(*[coordinates] * 3), st.integers(0, 3))
def test_a_prism_is_met_where_its_faces_are(
    start: tuple[float, ...], way: tuple[float, ...], which: int
) -> None:
    """Beside shapely: the nearest point of the ray that lies in the closed prism."""
    shape = [
        shapely.box(-3.5, -2.5, 2.5, 4.5),
        shapely.Polygon(
            [(-4.5, -4.5), (4.5, -4.5), (4.5, 0.5), (0.5, 0.5), (0.5, 4.5), (-4.5, 4.5)]
        ),
        shapely.Polygon([(-4.5, -4.5), (5.5, -3.5), (0.5, 5.5)]),
        shapely.Polygon(
            shapely.box(-4.5, -4.5, 4.5, 4.5).exterior, [shapely.box(-1.5, -1.5, 1.5, 1.5).exterior]
        ),
    ][which]
    o, d = np.array(start) + (0.13, 0.07, 0.11), np.array(way)
    if not d.any():
        return
    shape = shapely.orient_polygons(shape)
    loops = [np.array(r.coords)[:-1] for r in (shape.exterior, *shape.interiors)]
    xy = np.concatenate(loops)
    starts = np.cumsum([0, *(len(one) for one in loops)])
    t = kernels.meets_prism(o, d, xy, starts, 0, len(loops), -1.5, 3.5)
    ends = [((-1.5 - o[2]) / d[2], (3.5 - o[2]) / d[2])] if d[2] else [(0.0, 100.0)]
    near, far = max(0.0, min(ends[0])), min(100.0, max(ends[0]))
    expected = np.inf
    if near <= far and (d[2] or -1.5 <= o[2] <= 3.5):
        flat = float(np.hypot(*d[:2]))
        piece: shapely.Geometry = shapely.Point(o[:2] + near * d[:2])
        if flat:
            piece = shapely.LineString([o[:2] + near * d[:2], o[:2] + far * d[:2]])
        inside = shape.intersection(piece)
        if not inside.is_empty:
            apart = shapely.distance(shapely.Point(o[:2] + near * d[:2]), inside)
            expected = near + (apart / flat if flat else 0.0)
    assert t == pytest.approx(expected, abs=1e-6)


def test_the_middle_of_a_house_seen_from_above_is_that_house() -> None:
    view = town()
    picture = compose(Scene(camera="top"), view)
    picker = Picker(picture)
    table = view.table("building")
    for id_, shape, height in zip(
        table.ids, table.geometry, table.numbers("height_m"), strict=True
    ):
        x, y = shape.centroid.x - picture.origin.x, shape.centroid.y - picture.origin.y
        hit = picker.ray(np.array([x, y, 500.0]), np.array([0.0, 0.0, -1.0]))
        assert hit is not None and hit.id == id_
        ground = float(
            view.grid("terrain").sample(np.array([[shape.centroid.x, shape.centroid.y]]))[0]
        )
        assert hit.at[2] == pytest.approx(ground + height, abs=0.02)


def test_beside_the_houses_the_ground_is_met_and_above_them_nothing() -> None:
    picture = compose(Scene(), town(houses=1))
    picker = Picker(picture)
    at = np.array([EAST + 150.0 - picture.origin.x, NORTH + 30.0 - picture.origin.y, 90.0])
    down = picker.ray(at, np.array([0.0, 0.0, -1.0]))
    assert down is not None and down.id is None
    assert down.at[:2] == pytest.approx((EAST + 150.0, NORTH + 30.0))
    assert picker.ray(at, np.array([0.0, 0.0, 1.0])) is None


def test_a_pixel_leads_to_what_is_seen_there() -> None:
    """The projection of a point on a roof, turned back."""
    view = town()
    picture = compose(Scene(size=SIZE), view)
    camera = picture.camera
    table = view.table("building")
    ahead = camera.focus - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, camera.up)
    right /= np.linalg.norm(right)
    shape, height = table.geometry[5], table.numbers("height_m")[5]
    ground = float(view.grid("terrain").sample(np.array([[shape.centroid.x, shape.centroid.y]]))[0])
    o = picture.origin
    roof = np.array([shape.centroid.x - o.x, shape.centroid.y - o.y, ground + height - o.z])
    off = roof - camera.position
    half = np.tan(np.radians(camera.view_angle_deg / 2)) * (off @ ahead)
    x = (off @ right / (half * SIZE[0] / SIZE[1]) + 1) / 2 * SIZE[0]
    y = (1 - off @ np.cross(right, ahead) / half) / 2 * SIZE[1]
    hit = Picker(picture).pixel(camera, SIZE, x, y)
    assert hit is not None and hit.id == table.ids[5]
    start, way = ray_of(camera, SIZE, x, y)
    np.testing.assert_allclose(start + way * hit.distance_m, roof, atol=0.02)


def test_what_a_cut_takes_away_is_not_met() -> None:
    view = town(houses=1)
    view = replace(
        view, tables={"building": layer("building", [box(20, 20, 10, 10), box(60, 20, 10, 10)],
                                        height_m=[9.0, 9.0])},
    )  # fmt: skip
    picture = compose(Scene(), view)
    o = picture.origin
    first, second = view.table("building").ids
    start = np.array([EAST + 0.0 - o.x, NORTH + 25.0 - o.y, 4.0 - o.z + 3.0])
    east = np.array([1.0, 0.0, 0.0])
    cut = Plane((EAST + 40.0, NORTH, 0.0), (1.0, 0.0, 0.0))
    met = [Picker(picture, clip).ray(start, east) for clip in ((), (cut,))]
    assert [hit.id for hit in met if hit is not None] == [first, second]
    other = Plane(cut.at, (-1.0, 0.0, 0.0))
    gone = Picker(picture, (cut, other)).ray(start + (0.0, 0.0, 400.0), east)
    assert gone is None


def test_a_point_is_kept_on_the_side_the_normal_points_to() -> None:
    points = np.array([(0.0, 0.0, 0.0), (2.0, 0.0, 5.0), (2.0, 9.0, -1.0)])
    east, up = Plane((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), Plane((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    assert kept(points, ()).tolist() == [True, True, True]
    assert kept(points, (east,)).tolist() == [False, True, True]
    assert kept(points, (east, up)).tolist() == [False, True, False]


def test_broken_triangles_are_met_by_nobody(picture: Picture) -> None:
    body = picture.bodies[0]
    spoiled = replace(body, vertices=np.full_like(body.vertices, np.nan))
    picker = Picker(replace(picture, bodies=[spoiled]))
    (start, way), *_ = rays(picture, 1)
    assert picker.ray(start, way) == Picker(replace(picture, bodies=[])).ray(start, way)


def test_a_camera_within_a_wall_still_gets_an_answer(picture: Picture) -> None:
    (blocks,) = picture.blocks
    inside = np.r_[blocks.box[0].mean(axis=0) * 0.5 + blocks.box[0, 3] * 0.5, 1.0]
    camera = Camera(inside, inside + (1.0, 0.0, 0.0), np.array([0.0, 0.0, 1.0]), 0.0)
    hit = Picker(picture).pixel(camera, SIZE, 640, 360)
    assert hit is not None and hit.distance_m == 0.0 and hit.id == blocks.ids[0]
