"""Measures agree with what a ruler, a plane and a closed solid say, also far from zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cim.errors import RequestError
from cim.model import Grid, GridFrame, Twin
from cim.model.mesh import Instance, Mesh, MeshPool
from scenes import measure
from tests.towns import EAST, NORTH, town

FAR = np.array([39_517_000.0, 4_330_600.0, 12.0])  # the zone number before the easting
FLAT = np.array([(0, 0, 0), (30, 0, 0), (30, 40, 0), (0, 40, 0)], dtype=float)


def test_a_line_is_as_long_as_its_steps_in_space_and_on_the_map() -> None:
    found = measure.length(FAR + [(0, 0, 0), (3, 4, 12), (3, 4, 0)])
    assert found == pytest.approx((25.0, 5.0), abs=1e-6)


def test_height_is_the_second_point_above_the_first() -> None:
    assert measure.height_between(FAR, FAR + (500, 500, 31.5)) == pytest.approx(31.5)
    assert measure.height_between(FAR + (0, 0, 4), FAR) == pytest.approx(-4.0)


@given(st.floats(-80, 80), st.floats(0, 359))
def test_a_roof_keeps_its_true_area_however_it_is_tilted(tilt_deg: float, turn_deg: float) -> None:
    tilt, turn = np.radians(tilt_deg), np.radians(turn_deg)
    lean = np.array([(np.cos(tilt), 0, -np.sin(tilt)), (0, 1, 0), (np.sin(tilt), 0, np.cos(tilt))])
    way = np.array([(np.cos(turn), -np.sin(turn), 0), (np.sin(turn), np.cos(turn), 0), (0, 0, 1)])
    found = measure.area(FLAT @ (way @ lean).T + FAR)
    assert found.slope_m2 == pytest.approx(1200.0, rel=1e-6)
    assert found.plan_m2 == pytest.approx(1200.0 * abs(np.cos(tilt)), rel=1e-5, abs=1e-4)


def test_an_upright_wall_has_an_area_and_no_shadow() -> None:
    wall = np.array([(0, 0, 0), (10, 0, 0), (10, 0, 3), (0, 0, 3)], dtype=float)
    assert measure.area(FAR + wall) == pytest.approx((0.0, 30.0), abs=1e-6)


def slope(rise: tuple[float, float]) -> Grid:
    frame = GridFrame(west=EAST, north=NORTH + 100, cell_m=2.0, rows=50, cols=50)
    x, y = np.meshgrid(*frame.centres())
    values = (rise[0] * (x - EAST) + rise[1] * (y - NORTH)).astype(np.float32)
    return Grid("terrain", frame, values, "m")


@pytest.mark.parametrize("rise", [(0.0, 0.0), (0.5, 0.0), (0.3, -0.4)])
def test_an_even_slope_stretches_a_polygon_by_its_gradient(rise: tuple[float, float]) -> None:
    ring = shapely.Point(EAST + 47.3, NORTH + 51.1).buffer(33.3)
    found = measure.area_on(slope(rise), shapely.get_coordinates(ring)[:-1])
    assert found.plan_m2 == pytest.approx(ring.area, rel=1e-12)
    assert found.slope_m2 == pytest.approx(ring.area * np.sqrt(1 + rise[0] ** 2 + rise[1] ** 2))


def test_ground_that_is_not_known_is_an_error_not_level() -> None:
    ground = slope((0.1, 0.1))
    corners = np.array([(EAST + 10, NORTH + 10), (EAST + 50, NORTH + 10), (EAST + 50, NORTH + 50)])
    for wrong in (corners + (80.0, 0.0), corners + 1e6):
        with pytest.raises(RequestError, match="does not cover"):
            measure.area_on(ground, wrong)
    holed = ground.values.copy()
    holed[40, 20] = np.nan
    with pytest.raises(RequestError, match="does not cover"):
        measure.area_on(replace(ground, values=holed), corners)


@pytest.mark.parametrize(
    ("ask", "points"),
    [
        (measure.length, [(0.0, 0.0, 0.0)]),
        (measure.length, [(0.0, 0.0), (1.0, 1.0)]),
        (measure.length, [(0.0, 0.0, np.nan), (1.0, 1.0, 1.0)]),
        (measure.area, [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0)]),
        (measure.area, [(0.0, 0.0, 0.0), (9.0, 9.0, 0.0), (9.0, 0.0, 0.0), (0.0, 5.0, 0.0)]),
    ],
)
def test_what_cannot_be_measured_gets_an_answer(ask, points) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RequestError) as told:
        ask(points)
    assert told.value.key.startswith("scenes.measure.")


def _house(*, closed: bool, lod: str = "2") -> Twin:
    """The town, whose first house has a shell: 10 × 8 × 6 m with a gable 3 m high."""
    base = town()
    one = str(base.table("building").ids[0])
    v = [(0, 0, 0), (10, 0, 0), (10, 8, 0), (0, 8, 0), (0, 0, 6), (10, 0, 6), (10, 8, 6)]
    v += [(0, 8, 6), (0, 4, 9), (10, 4, 9)]
    faces = [(0, 2, 1), (0, 3, 2), (0, 1, 5), (0, 5, 4), (2, 3, 7), (2, 7, 6), (1, 2, 6), (1, 6, 5)]
    faces += [
        (3, 0, 4),
        (3, 4, 7),
        (5, 6, 9),
        (7, 4, 8),
        (4, 5, 9),
        (4, 9, 8),
        (6, 7, 8),
        (6, 8, 9),
    ]
    kept = np.array(faces if closed else faces[:-1], dtype=np.int32)
    none = np.full(len(kept), -1, np.int32)
    mesh = Mesh(np.array(v, np.float32), kept, np.zeros(len(kept), np.uint8), none)
    matrix = np.eye(4)
    matrix[:3, 3] = (EAST + 20, NORTH + 20, 3.0)
    pool = MeshPool({"m": mesh}, (), (Instance(one, "m", matrix, lod, 3),))
    return replace(base, pool=pool)


def test_a_closed_shell_is_measured_by_what_it_encloses() -> None:
    view = _house(closed=True)
    found = measure.volume(view, str(view.table("building").ids[0]))
    assert found.of == "mesh"
    assert found.volume_m3 == pytest.approx(10 * 8 * 6 + 10 * 8 * 3 / 2, rel=1e-6)


def test_an_open_shell_encloses_nothing_and_the_prism_counts() -> None:
    view = _house(closed=False)
    found = measure.volume(view, str(view.table("building").ids[0]))
    assert found.of == "prism"
    assert found.volume_m3 == pytest.approx(14.0 * 10.0 * 6.0)


def test_a_house_without_height_or_no_house_has_no_volume() -> None:
    base = town()
    table = base.table("building")
    bare = replace(table, columns={**table.columns, "height_m": np.full(12, np.nan)})
    with pytest.raises(RequestError, match="neither a closed mesh"):
        measure.volume(replace(base, tables={"building": bare}), str(table.ids[0]))
    with pytest.raises(RequestError, match="no building"):
        measure.volume(base, "bld-none")
