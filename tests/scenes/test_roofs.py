"""Pitched roofs: height above the eaves is pitch times the distance to the nearest wall."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from scenes.roofs import PITCHED, Roof, maximal_rectangles, pitched

RECTANGLE = shapely.box(0, 0, 20, 10)
L_SHAPE = shapely.Polygon([(0, 0), (20, 0), (20, 8), (8, 8), (8, 18), (0, 18)])
T_SHAPE = shapely.Polygon(
    [(0, 10), (0, 18), (24, 18), (24, 10), (16, 10), (16, 0), (8, 0), (8, 10)]
)
U_SHAPE = shapely.Polygon([(0, 0), (24, 0), (24, 16), (16, 16), (16, 6), (8, 6), (8, 16), (0, 16)])
COURTYARD = shapely.Polygon(
    shapely.box(0, 0, 30, 20).exterior, [shapely.box(8, 6, 22, 14).exterior]
)
SHAPES = {"rectangle": RECTANGLE, "L": L_SHAPE, "T": T_SHAPE, "U": U_SHAPE, "court": COURTYARD}
EAVE_M, RISE_M = 7.0, 3.0


def rings_of(shape: shapely.Polygon) -> list[np.ndarray]:
    shape = shapely.orient_polygons(shape)
    return [shapely.get_coordinates(r) for r in (shape.exterior, *shape.interiors)]


def roof_of(shape: shapely.Polygon, kind: str) -> Roof:
    roof = pitched(rings_of(shape), kind, EAVE_M, RISE_M)
    assert roof is not None
    return roof


def height_at(roof: Roof, x: float, y: float) -> float:
    """Return the highest face above a point; -inf where there is none."""
    a, b, c = (roof.corners[:, i] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    flat = np.abs(area) > 1e-9
    a, b, c, area = a[flat], b[flat], c[flat], area[flat]
    u = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    v = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    over = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9)
    z = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
    return float(z[over].max()) if over.any() else -np.inf


def reach_m(shape: shapely.Polygon, x: float, y: float) -> float:
    """Return half the side of the largest upright square around a point inside the shape."""
    low, high = 0.0, 100.0
    for _ in range(45):
        middle = (low + high) / 2
        square = shapely.box(x - middle, y - middle, x + middle, y + middle)
        low, high = (middle, high) if shape.covers(square) else (low, middle)
    return low


@pytest.mark.parametrize("name", SHAPES)
def test_a_hip_roof_rises_with_the_distance_to_the_nearest_wall(name: str) -> None:
    shape = SHAPES[name]
    roof = roof_of(shape, "hip")
    rng = np.random.default_rng(5)
    spots = rng.uniform(shape.bounds[:2], shape.bounds[2:], (60, 2))
    spots = spots[shapely.contains_xy(shape, spots)]
    reach = np.array([reach_m(shape, x, y) for x, y in spots])
    found = np.array([height_at(roof, x, y) for x, y in spots])
    ridge = max(reach_m(shape, x, y) for x, y in _medial(shape))
    np.testing.assert_allclose(found, EAVE_M + RISE_M / ridge * reach, atol=1e-6)


def _medial(shape: shapely.Polygon) -> list[tuple[float, float]]:
    """Return the points of a half-metre raster inside the shape: its ridges lie on them."""
    x, y = np.meshgrid(*(np.arange(shape.bounds[i], shape.bounds[i + 2], 0.5) for i in (0, 1)))
    inside = shapely.contains_xy(shape, x, y)
    return list(zip(x[inside].tolist(), y[inside].tolist(), strict=True))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("kind", PITCHED)
def test_no_part_of_the_house_is_left_open_and_the_ridge_is_as_high_as_asked(
    name: str, kind: str
) -> None:
    shape = SHAPES[name]
    roof = roof_of(shape, kind)
    assert roof.corners[..., 2].max() == pytest.approx(EAVE_M + RISE_M)
    for x, y in _medial(shape)[::7]:
        assert height_at(roof, x, y) >= EAVE_M - 1e-6
    assert len(roof.gable) == len(roof.corners)


def test_a_gable_stands_upright_on_the_short_walls() -> None:
    roof = roof_of(RECTANGLE, "gable")
    ends = roof.corners[roof.gable]
    assert len(ends) == 2
    assert {float(x) for x in ends[..., 0].ravel()} == {0.0, 20.0}
    assert (ends[..., 2].min(axis=1) == EAVE_M).all()


@pytest.mark.parametrize("kind", PITCHED)
@pytest.mark.parametrize("name", SHAPES)
def test_slopes_are_seen_from_above(name: str, kind: str) -> None:
    roof = roof_of(SHAPES[name], kind)
    a, b, c = (roof.corners[~roof.gable][:, i] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] >= -1e-9).all()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.floats(0, 360), st.floats(-4e7, 4e7))
def test_a_turned_house_wears_the_turned_roof(name: str, turn: float, far: float) -> None:
    shape = SHAPES[name]
    moved = affinity.translate(affinity.rotate(shape, turn, origin=(0, 0)), 0.0, 0.0)
    roof = pitched(rings_of(moved), "hip", EAVE_M, RISE_M)
    assert roof is not None
    for x, y in _medial(shape)[::40]:
        at = affinity.rotate(shapely.Point(x, y), turn, origin=(0, 0))
        expected = height_at(roof_of(shape, "hip"), x, y)
        assert height_at(roof, at.x, at.y) == pytest.approx(expected, abs=1e-4)


def test_a_round_house_and_a_skewed_one_have_no_pitched_roof() -> None:
    assert pitched(rings_of(shapely.Point(0, 0).buffer(10)), "hip", EAVE_M, RISE_M) is None
    skewed = shapely.Polygon([(0, 0), (20, 0), (26, 10), (6, 10)])
    assert pitched(rings_of(skewed), "hip", EAVE_M, RISE_M) is None


def test_the_largest_rectangles_of_an_l_are_its_two_wings() -> None:
    found = maximal_rectangles(rings_of(L_SHAPE))
    assert found is not None
    corners = np.sort(np.prod(found[0][:, 2:] - found[0][:, :2], axis=1))
    np.testing.assert_allclose(corners, [8 * 18, 20 * 8])


@pytest.mark.parametrize(
    "ring",
    [
        [(0, 0), (0, 0), (0, 0), (0, 0)],
        [(0, 0), (10, 0), (10, 0), (0, 0)],
        [(0, 0), (np.nan, 0), (10, 5), (0, 0)],
    ],
    ids=["a point", "a line", "not a number"],
)
def test_a_footprint_that_is_none_has_no_roof(ring: list[tuple[float, float]]) -> None:
    assert pitched([np.array(ring, dtype=float)], "hip", EAVE_M, RISE_M) is None
