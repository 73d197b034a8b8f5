"""Roofs over plans: heights, slopes, closed shells, whatever pieces they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_import.authoring.envelope import Roof, roof_over
from bim_import.authoring.pieces import flat, gable, hips, mansard
from cim.errors import SourceError

U = [(-13, -10), (-4, -10), (-4, -6), (4, -6), (4, -10), (13, -10), (13, 10), (-13, 10)]
OCTAGON = [(3 * math.cos(a), 3 * math.sin(a)) for a in np.radians(np.arange(22.5, 360, 45))]


def height(roof: Roof, x: float, y: float) -> float:
    return next(p.at(x, y) for s, p in roof.faces if s.buffer(1e-6).covers(shapely.Point(x, y)))


def is_closed(roof: Roof) -> bool:
    _, faces = roof.shell(0.2)
    edges = [(a, b) for face in faces for a, b in zip(face, face[1:] + face[:1], strict=True)]
    return sorted(edges) == sorted((b, a) for a, b in edges)


def volume(roof: Roof) -> float:
    points, faces = roof.shell(0.2)
    at = np.array(points)
    return sum(
        float(np.dot(at[f[0]], np.cross(at[f[i]], at[f[i + 1]]))) / 6
        for f in faces for i in range(1, len(f) - 1)
    )  # fmt: skip


def test_a_hip_roof_rises_with_the_distance_to_the_nearest_wall() -> None:
    roof = roof_over(hips(U, eaves_m=7.0, slope=0.5))
    assert roof.top_m == pytest.approx(7.0 + 0.5 * 8.0)  # the main block is 16 m deep
    assert height(roof, 0, 2) == pytest.approx(11.0)
    assert height(roof, -8.5, -8) == pytest.approx(7.0 + 0.5 * 2.0)  # over a wing of 9 m
    assert height(roof, 0, -5) == pytest.approx(7.0 + 0.5 * 1.0)
    assert all(math.hypot(p.a, p.b) == pytest.approx(0.5) for _, p in roof.faces)
    assert sum(s.area for s, _ in roof.faces) == pytest.approx(26 * 20 - 8 * 4)
    assert is_closed(roof)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=6),
    st.integers(2, 9),
    st.sampled_from([0.3, 0.5, 1.0]),
)
def test_over_any_plan_of_right_angles_it_is_the_distance_in_the_maximum_norm(
    steps: list[int], deep: int, slope: float
) -> None:
    # A staircase of blocks side by side: depths differ, so corners are re-entrant.
    shape = shapely.union_all([
        shapely.box(3 * i, 0, 3 * i + 3, deep + step) for i, step in enumerate(steps)
    ])  # fmt: skip
    ring = list(shapely.orient_polygons(shape.simplify(0)).exterior.coords)[:-1]
    roof = roof_over(hips(ring, eaves_m=0.0, slope=slope))
    assert is_closed(roof)
    rng = np.random.default_rng(len(steps) * 100 + deep)
    x0, y0, x1, y1 = shape.bounds
    for x, y in rng.uniform((x0, y0), (x1, y1), (40, 2)):
        if shape.buffer(-0.05).covers(shapely.Point(x, y)):
            low, high = 0.0, 40.0
            for _ in range(40):  # the largest square around the point
                middle = (low + high) / 2
                square = shapely.box(x - middle, y - middle, x + middle, y + middle)
                low, high = (middle, high) if shape.covers(square) else (low, middle)
            assert height(roof, x, y) == pytest.approx(slope * low, abs=0.02)


def test_a_pyramid_over_an_octagon_has_eight_equal_faces_and_one_apex() -> None:
    roof = roof_over(hips(OCTAGON, eaves_m=0.0, slope=1.5))
    areas = [shape.area for shape, _ in roof.faces]
    assert len(areas) == 8
    assert areas == pytest.approx([areas[0]] * 8, rel=1e-3)
    assert roof.top_m == pytest.approx(1.5 * 3 * math.cos(math.radians(22.5)), abs=1e-3)
    assert len(roof.ridges()) == 8
    assert is_closed(roof)


def test_a_mansard_breaks_where_it_is_told_and_lets_a_tower_through() -> None:
    tower = shapely.Polygon([(x - 12, y - 9) for x, y in OCTAGON])
    pieces = mansard(U, eaves_m=0.0, slope=2.0, break_m=1.0, upper_slope=0.25)
    roof = roof_over(pieces, holes=[tower])
    assert height(roof, 0, 9.5) == pytest.approx(1.0)
    assert height(roof, 0, 7.0) == pytest.approx(2.0 + 0.25 * 2.0)
    assert not any(shape.intersection(tower).area > 1e-3 for shape, _ in roof.faces)
    assert len(shapely.get_parts(roof.outline)) == 1  # no corner left beyond the tower
    assert is_closed(roof)
    assert volume(roof) == pytest.approx(roof.outline.area * 0.2, rel=2e-3)


def test_a_tower_in_the_middle_leaves_a_hole_and_a_closed_shell() -> None:
    square = shapely.box(-1, 6, 1, 8)
    roof = roof_over(hips(U, eaves_m=0.0, slope=0.5), holes=[square])
    assert is_closed(roof)
    assert volume(roof) == pytest.approx((26 * 20 - 8 * 4 - 4) * 0.2, rel=2e-3)


def test_cross_gables_meet_the_main_roof_where_both_are_equally_high() -> None:
    pieces = gable((-20, -6), (20, 6), eaves_m=0.0, slope=0.5, along_x=True)
    for x in (-12, 0, 12):
        pieces += gable((x - 2, -6), (x + 2, 0), eaves_m=0.0, slope=1.0, along_x=False)
    roof = roof_over(pieces)
    assert height(roof, 0, -5) == pytest.approx(2.0)  # on the ridge of a cross gable
    assert height(roof, 6, -5) == pytest.approx(0.5)
    assert roof.profile((-4, -5), (4, -5)) == [
        pytest.approx(p) for p in ((0, 0.5), (2.5, 0.5), (4, 2.0), (5.5, 0.5), (8, 0.5))
    ]
    assert is_closed(roof)


def test_a_level_roof_is_one_face() -> None:
    roof = roof_over(flat(U, top_m=3.0))
    assert (len(roof.faces), roof.top_m, roof.ridges()) == (1, 3.0, [])
    assert is_closed(roof)


def test_a_piece_that_ends_in_the_air_is_refused() -> None:
    pieces = gable((-20, -6), (20, 6), eaves_m=0.0, slope=0.2, along_x=True)
    pieces += gable((-2, -6), (2, -3), eaves_m=0.0, slope=2.0, along_x=False)
    with pytest.raises(SourceError, match="roof step"):
        roof_over(pieces, where="t.toml")
