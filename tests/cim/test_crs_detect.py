"""The detectors of classic mistakes, each on the mistake, its good twin and the doubtful case."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from cim import crs
from cim.crs import (
    Frame,
    from_lonlat,
    lonlat,
    looks_like_bd09,
    looks_like_gcj02,
    looks_like_lonlat,
    looks_like_millimetres,
    looks_like_swapped_axes,
)

FRAME = Frame("EPSG:4548", "cgvd1985", (517000, 4330000))
CENTRE = (517000.0, 4330300.0)
PUSH, EAST = np.array([25.0, -18.0]), np.array([1300.0, 0.0])
# control_points.md section 1, the rows judged BD-09: as found, and the WGS 84 beside them
BD_ROWS = np.array(
    [
        (117.214465, 39.119378, 117.2017, 39.1124),  # 庆王府
        (117.209997, 39.116392, 117.1972, 39.1095),  # 五大道
        (117.223579, 39.119671, 117.2108, 39.1125),  # 凯德国贸
        (117.223510, 39.127171, 117.2108, 39.1200),  # 利顺德
        (117.224576, 39.111156, 117.2119, 39.1040),  # 人民公园
        (117.208211, 39.129784, 117.1954, 39.1229),  # 张学良故居
        (117.206146, 39.142874, 117.1933, 39.1360),  # 梁启超纪念馆
        (117.187779, 39.147319, 117.1748, 39.1406),  # 鼓楼
        (117.199184, 39.149532, 117.1862, 39.1427),  # 古文化街
        (117.188361, 39.098582, 117.1754, 39.0919),  # 天塔湖
    ]
)


@pytest.fixture(scope="module")
def houses():
    """About 450 houses in rotated rows, 28 m apart and 5 m off the row."""
    rng = np.random.default_rng(7)
    x, y = np.meshgrid(np.arange(-450.0, 450.0, 28.0), np.arange(-450.0, 450.0, 45.0))
    rows = np.column_stack([x.ravel(), y.ravel()])
    rows = (rows + rng.normal(0.0, 5.0, rows.shape))[rng.random(len(rows)) < 0.75]
    return turned(rows)


@pytest.fixture(scope="module")
def roads():
    rng = np.random.default_rng(8)
    across, along = (
        np.cumsum(rng.uniform(70, 130, 12)) - 600,
        np.cumsum(rng.uniform(90, 180, 9)) - 600,
    )
    lines = [[(x, -600.0), (x, 600.0)] for x in across] + [[(-600.0, y), (600.0, y)] for y in along]
    return np.array([shapely.LineString(turned(np.array(line))) for line in lines])


def turned(points):
    cos, sin = np.cos(0.5), np.sin(0.5)
    return points @ np.array([[cos, sin], [-sin, cos]]) + CENTRE


def shifted(points, forward=crs.wgs84_to_gcj02):
    return from_lonlat(FRAME, forward(lonlat(FRAME, points)))


def test_the_baidu_list_of_tianjin_is_bd09_and_not_gcj02():
    layer, truth = from_lonlat(FRAME, BD_ROWS[:, :2]), from_lonlat(FRAME, BD_ROWS[:, 2:])
    found = looks_like_bd09(layer, truth, frame=FRAME)
    assert found.answer == "yes"
    assert found.count == len(BD_ROWS)
    # standards.md 4.4 gives +1106, +771 m; the positions are good to 40 … 250 m
    assert np.hypot(found.dx_m - 1106, found.dy_m - 771) < 60.0
    assert found.spread_m < 10.0
    assert looks_like_gcj02(layer, truth, frame=FRAME).answer == "no"


def test_the_same_list_in_wgs84_is_neither():
    truth = from_lonlat(FRAME, BD_ROWS[:, 2:])
    assert looks_like_bd09(truth, truth, frame=FRAME).answer == "no"
    assert looks_like_gcj02(truth, truth, frame=FRAME).answer == "no"


def test_any_six_of_the_list_are_enough():
    for first in range(5):
        rows = BD_ROWS[first : first + 6]
        layer, truth = from_lonlat(FRAME, rows[:, :2]), from_lonlat(FRAME, rows[:, 2:])
        assert looks_like_bd09(layer, truth, frame=FRAME).answer == "yes"
        assert looks_like_gcj02(layer, truth, frame=FRAME).answer == "no"


@pytest.mark.parametrize("noise_m", [0.0, 2.0])
def test_houses_against_houses_are_judged_right(houses, noise_m):
    noise = np.random.default_rng(3).normal(0.0, noise_m, houses.shape)
    good, gcj = houses + noise, shifted(houses) + noise
    bd = shifted(houses, crs.wgs84_to_bd09) + noise
    assert looks_like_gcj02(good, houses, frame=FRAME).answer == "no"
    assert looks_like_bd09(good, houses, frame=FRAME).answer == "no"
    assert looks_like_gcj02(gcj, houses, frame=FRAME).answer == "yes"
    assert looks_like_bd09(gcj, houses, frame=FRAME).answer == "no"
    assert looks_like_gcj02(bd, houses, frame=FRAME).answer == "no"
    assert looks_like_bd09(bd, houses, frame=FRAME).answer == "yes"


def test_the_displacement_is_measured_also_where_it_misses_the_model(houses):
    found = looks_like_gcj02(shifted(houses) + PUSH, houses, frame=FRAME)
    assert found.answer == "yes"
    model = np.median(shifted(houses) - houses, axis=0)
    np.testing.assert_allclose((found.dx_m, found.dy_m), model + PUSH, atol=1.0)


def test_a_layer_shifted_by_something_else_is_not_called_gcj02(houses):
    for shift in ((20.0, 10.0), (544.0 + 200.0, 114.0), (-544.0, -114.0)):
        assert looks_like_gcj02(houses + shift, houses, frame=FRAME).answer != "yes"


def test_a_neighbouring_or_unrelated_district_cannot_be_told(houses):
    other = turned(np.random.default_rng(9).uniform(-450, 450, (300, 2)))
    for layer in (houses + EAST, other):
        for judge in (looks_like_gcj02, looks_like_bd09):
            assert judge(layer, houses, frame=FRAME).answer == "cannot tell"


def test_a_regular_grid_still_knows_where_it_belongs():
    grid = np.stack(np.meshgrid(np.arange(15) * 30.0, np.arange(15) * 30.0), -1).reshape(-1, 2)
    grid = grid + CENTRE
    assert looks_like_gcj02(grid, grid, frame=FRAME).answer == "no"
    assert looks_like_gcj02(shifted(grid), grid, frame=FRAME).answer == "yes"


def test_roads_against_roads_are_judged_as_lines(roads):
    gcj = crs.transform(roads, source="EPSG:4548", target="EPSG:4326")
    gcj = shapely.transform(shapely.segmentize(gcj, 0.0006), crs.wgs84_to_gcj02)
    gcj = crs.transform(gcj, source="EPSG:4326", target="EPSG:4548")
    good = shapely.segmentize(roads, 60.0)
    assert looks_like_gcj02(gcj, roads, frame=FRAME).answer == "yes"
    assert looks_like_gcj02(good, roads, frame=FRAME).answer == "no"


def test_houses_against_roads_are_known_by_keeping_clear_of_them(roads):
    spots = turned(np.random.default_rng(4).uniform(-550, 550, (1500, 2)))
    clear = spots[shapely.distance(shapely.points(spots), shapely.union_all(roads)) > 11.0][:500]
    assert looks_like_gcj02(clear, roads, frame=FRAME).answer == "no"
    assert looks_like_bd09(clear, roads, frame=FRAME).answer == "no"
    assert looks_like_gcj02(shifted(clear), roads, frame=FRAME).answer == "yes"
    assert looks_like_bd09(shifted(clear), roads, frame=FRAME).answer == "no"
    assert looks_like_gcj02(spots, roads, frame=FRAME).answer == "cannot tell"


def test_footprints_count_by_their_centroids(houses):
    boxes = shapely.buffer(shapely.points(houses), 6.0, cap_style="square")
    found = looks_like_gcj02(shapely.transform(boxes, shifted), boxes, frame=FRAME)
    assert found.answer == "yes"


@pytest.mark.parametrize("reference", [None, [], np.empty((0, 2)), [CENTRE] * 3])
def test_without_a_reference_it_cannot_tell(houses, reference):
    for judge in (looks_like_gcj02, looks_like_bd09):
        verdict = judge(shifted(houses), reference, frame=FRAME)
        assert verdict.answer == "cannot tell"
        assert verdict.dx_m is None


def test_one_straight_road_or_four_houses_prove_nothing(houses):
    road = [shapely.LineString([(517000, 4330000), (517900, 4330000)])]
    assert looks_like_gcj02(houses, road, frame=FRAME).answer == "cannot tell"
    assert looks_like_gcj02(houses[:4], houses, frame=FRAME).answer == "cannot tell"
    assert looks_like_gcj02([None], houses, frame=FRAME).answer == "cannot tell"


def test_degrees_given_as_metres_are_noticed():
    assert looks_like_lonlat([(117.2, 39.1), (117.3, 39.2)])
    assert looks_like_lonlat((117.2, 39.1, 117.3, 39.2))
    assert not looks_like_lonlat([(517000.0, 4330000.0)])
    assert not looks_like_lonlat([(39.1, 117.2)])  # exchanged: another detector's
    assert not looks_like_lonlat(np.empty((0, 2)))


def test_millimetres_given_as_metres_are_noticed():
    box = (517000.0, 4330000.0, 518000.0, 4331000.0)
    assert looks_like_millimetres([part * 1000 for part in box], "EPSG:4548")
    assert looks_like_millimetres(np.array(box).reshape(2, 2) * 1000, "EPSG:4548")
    assert not looks_like_millimetres(box, "EPSG:4548")
    assert not looks_like_millimetres((117200.0, 39100.0, 117300.0, 39200.0), "EPSG:4490")


def test_exchanged_axes_are_noticed():
    assert looks_like_swapped_axes([(4330000.0, 517000.0)], "EPSG:4548")
    assert looks_like_swapped_axes([(39.1, 117.2)], "EPSG:4490")
    assert not looks_like_swapped_axes([(517000.0, 4330000.0)], "EPSG:4548")
    assert not looks_like_swapped_axes([(117.2, 39.1)], "EPSG:4490")
    assert not looks_like_swapped_axes([(0.0, 0.0)], "EPSG:4548")
