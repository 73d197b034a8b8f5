"""Verdicts on cases worked by hand: streets, floors, ponds, sills, hazard, people."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from cim.errors import ShapeError
from cim.flood.floors import judge_floors
from cim.flood.hazard import hazard_class, hazard_rating, hold_limits, stability
from cim.flood.people import exposed
from cim.flood.ponds import find_ponds
from cim.flood.roads import cut_sections, lane_depths, link_depths
from cim.flood.surface import fine_ground
from cim.flood.underground import overtopping
from cim.model import Grid, GridFrame
from kernels.flood.danger import FAST, look, new_seen
from kernels.flood.ponds import label
from kernels.flood.water import State

NAN = np.nan
FRAME_2M = GridFrame(0, 2, 2.0, 1, 1)


# ---------------------------------------------------------------- streets
def test_sections_lie_across_the_line_every_five_metres() -> None:
    line = shapely.LineString([(0, 0), (20, 0)])
    cut = cut_sections([line, None], np.array([6.0, 8.0]), every_m=5.0)
    assert list(cut.link) == [0, 0, 0, 0]
    np.testing.assert_allclose(cut.xy[:, 0, 0], [2.5, 7.5, 12.5, 17.5])
    # Twelve strips of half a metre, the left kerb (north of a road to the east) first.
    np.testing.assert_allclose(cut.xy[0, :, 1], np.arange(2.75, -3.0, -0.5), atol=1e-9)
    np.testing.assert_allclose(cut.strip_m, 0.5)


def test_a_short_street_has_one_section_and_one_without_width_none() -> None:
    lines = [shapely.LineString([(0, 0), (1, 0)]), shapely.LineString([(0, 0), (50, 0)])]
    cut = cut_sections(lines, np.array([3.0, NAN]), every_m=5.0)
    assert list(cut.link) == [0]


def depths(*values: float) -> np.ndarray:
    return np.array([values])


@pytest.mark.parametrize(
    ("section", "lane", "deepest"),
    [
        # Six strips of 1 m, a lane of 3 m. Water in both gutters, the crown dry enough:
        ((0.25, 0.10, 0.05, 0.05, 0.10, 0.25), 0.10, 0.25),
        # One deep hole in the middle leaves no lane on either side of it but the outer two:
        ((0.10, 0.10, 0.40, 0.10, 0.10, 0.10), 0.10, 0.40),
        ((0.10, 0.10, 0.20, 0.20, 0.10, 0.10), 0.20, 0.20),
        # Beyond the kerb or unknown is no lane:
        ((NAN, 0.02, 0.02, 0.30, 0.30, NAN), 0.30, 0.30),
        # Narrower than a lane: judged over its whole width.
        ((0.05, 0.12, NAN, NAN, NAN, NAN), 0.12, 0.12),
        ((NAN,) * 6, NAN, NAN),
    ],
)
def test_lane_depth_is_that_of_the_best_strip(section, lane, deepest) -> None:
    got = lane_depths(depths(*section), strip_m=np.array([1.0]), lane_m=3.0)
    np.testing.assert_allclose([got[0][0], got[1][0]], [lane, deepest])


def test_lane_depth_agrees_with_looking_at_every_strip() -> None:
    rng = np.random.default_rng(7)
    water = rng.uniform(0, 0.5, (200, 17))
    for row in range(200):
        water[row, rng.integers(7, 17) :] = NAN
    got, _ = lane_depths(water, strip_m=np.full(200, 0.5), lane_m=3.0)
    for row in range(200):
        own = water[row][~np.isnan(water[row])]
        strips = min(6, len(own))
        want = min(own[i : i + strips].max() for i in range(len(own) - strips + 1))
        assert got[row] == want


def test_a_link_is_as_bad_as_its_worst_section() -> None:
    worst = link_depths(np.array([0.1, 0.4, NAN, 0.2]), np.array([0, 0, 1, 2]), 4)
    np.testing.assert_array_equal(worst, [0.4, NAN, 0.2, NAN])


# ---------------------------------------------------------------- floors
def judged(**changes):
    given = {
        "floor_m": np.array([3.0, NAN, NAN]),
        "lowest_wall_m": np.array([2.8, 2.9, NAN]),
        "wall_water_m": np.array([3.1, 3.1, NAN]),
        "door_building": np.empty(0, np.int64),
        "door_sill_m": np.empty(0),
        "door_water_m": np.empty(0),
        "plinth_m": 0.3,
        "allowed_m": 0.0,
    }
    return judge_floors(**{**given, **changes})


def test_without_doors_the_highest_water_at_a_wall_counts_against_the_floor() -> None:
    told = judged()
    assert list(told.entered) == [True, False, False]
    np.testing.assert_allclose(told.inside_m, [0.1, 0.0, NAN])
    assert list(told.floor_assumed) == [False, True, False]  # the last has nothing to stand on
    assert told.floor_m[1] == pytest.approx(3.2)
    assert told.door_assumed.all()


def test_the_lowest_door_counts_and_its_sill_keeps_water_out() -> None:
    doors = {
        "door_building": np.array([0, 0, -1]),
        "door_sill_m": np.array([3.05, 3.20, 1.0]),
        "door_water_m": np.array([3.04, 3.19, 9.0]),
    }
    dry = judged(**doors)
    assert not dry.entered[0] and not dry.door_assumed[0]
    doors["door_water_m"] = np.array([3.06, NAN, 9.0])
    wet = judged(**doors)
    assert wet.entered[0]
    assert wet.inside_m[0] == pytest.approx(0.06)
    doors["door_sill_m"] = np.array([NAN, 3.2, 1.0])  # an unknown sill lies at the floor
    assert judged(**doors).entered[0]


def test_a_house_on_a_slope_is_entered_by_its_upper_door() -> None:
    told = judged(
        door_building=np.array([0, 0]),
        door_sill_m=np.array([3.05, 3.20]),
        door_water_m=np.array([NAN, 3.30]),  # dry below, under water above
    )
    assert told.entered[0] and told.water_m[0] == 3.30
    assert told.inside_m[0] == pytest.approx(0.30)


def test_water_at_the_allowed_height_is_still_dry() -> None:
    assert not judged(wall_water_m=np.array([3.0, NAN, NAN])).entered.any()
    assert not judged(wall_water_m=np.array([3.1, NAN, NAN]), allowed_m=0.1 + 1e-9).entered.any()


# ---------------------------------------------------------------- ponds
def test_ponds_are_ranked_by_volume_and_join_by_their_sides() -> None:
    depth = np.array(
        [
            [0.3, 0.0, 0.2, 0.2],
            [0.0, 0.3, NAN, 0.2],
            [0.3, 0.3, 0.0, 0.0],
        ]
    )
    ponds = find_ponds(depth, GridFrame(100.0, 200.0, 2.0, 3, 4), above_m=0.15)
    assert [round(p.volume_m3, 6) for p in ponds] == [3.6, 2.4, 1.2]
    assert [p.area_m2 for p in ponds] == [12.0, 12.0, 4.0]
    assert (ponds[2].x_m, ponds[2].y_m, ponds[2].deepest_m) == (101.0, 199.0, 0.3)
    assert find_ponds(depth, GridFrame(0.0, 0.0, 2.0, 3, 4), above_m=0.5) == []


@pytest.mark.parametrize("seed", range(5))
def test_labels_agree_with_scipy(seed: int) -> None:
    from scipy.ndimage import label as scipy_label

    wet = np.random.default_rng(seed).random((40, 50)) < 0.55
    number, count = label(wet)
    want, total = scipy_label(wet)
    assert count == total
    assert len({(a, b) for a, b in zip(number.ravel(), want.ravel(), strict=True)}) == count + 1


# ---------------------------------------------------------------- sills
def test_water_over_a_sill_is_timed_and_summed() -> None:
    times = np.array([0.0, 600.0, 1200.0])
    level = np.array([[2.9, NAN, 3.0], [3.1, NAN, 3.0], [3.1, 2.0, 3.0]])
    told = overtopping(
        times, level, sill_m=np.array([3.0, 3.0, 3.0]), width_m=np.full(3, 2.0), coefficient=1.705
    )
    np.testing.assert_array_equal(told.first_s, [300.0, NAN, NAN])
    # 1.705 · 2 · h^1.5: rising from 0 to 0.1 m in 300 s (∫ = 2/5 · 300 · 0.1^1.5), then steady.
    want = 1.705 * 2 * 0.1**1.5 * (0.4 * 300 + 600)
    assert told.volume_m3[0] == pytest.approx(want, rel=1e-3)
    np.testing.assert_allclose(told.peak_m3_s, [1.705 * 2 * 0.1**1.5, 0.0, 0.0])
    np.testing.assert_allclose(told.deepest_m, [0.1, 0.0, 0.0])


def test_water_that_stands_over_the_sill_from_the_start_is_timed_at_the_start() -> None:
    told = overtopping(
        np.array([0.0, 60.0]), np.array([[3.2], [NAN]]),
        sill_m=np.array([3.0]), width_m=np.array([1.0]), coefficient=1.705,
    )  # fmt: skip
    assert told.first_s[0] == 0.0 and told.volume_m3[0] > 0


# ---------------------------------------------------------------- hazard and people
def test_the_hazard_rating_and_its_classes() -> None:
    depth, speed = np.array([0.0, 0.2, 0.5, 1.0, NAN]), np.array([0.0, 0.5, 1.0, 2.0, 1.0])
    rating = hazard_rating(depth, speed, debris_m2_s=0.5, wet_m=0.05)
    np.testing.assert_allclose(rating, [0.0, 0.7, 1.25, 3.0, NAN])
    assert list(hazard_class(rating)) == [0, 0, 2, 3, 0]  # a rating on a limit is the worse class


def test_who_keeps_a_hold() -> None:
    told = stability(np.array([0.2, 0.35, 0.5, 0.3]), np.array([0.5, 0.0, 0.9, 1.9]))
    assert list(told["small_car"]) == [False, True, True, True]
    assert list(told["large_car"]) == [False, False, True, True]
    assert list(told["children"]) == [False, False, True, True]
    assert list(told["adults"]) == [False, False, False, False]


@pytest.mark.parametrize("in_cells", [False, True])
def test_one_look_of_the_kernel_is_the_same_as_the_formulas(in_cells: bool) -> None:
    rng = np.random.default_rng(11)
    depth = rng.uniform(0.0, 0.6, (7, 9)) * (rng.random((7, 9)) < 0.7)
    x, y = ((7, 9), (7, 9)) if in_cells else ((7, 10), (8, 9))
    flux_x, flux_y = rng.normal(0, 0.4, x), rng.normal(0, 0.4, y)
    seen = new_seen((5, 7))
    speed, hazard, long_s, bits = seen
    who, moving, deep = hold_limits()
    limits = np.array([0.05, 0.5, 0.15, 0.8])
    d = depth[1:-1, 1:-1]
    least = look(State(depth, depth, flux_x, flux_y), seen, limits, moving, deep, 3.0)
    assert least == d.min()
    along, across = flux_x[1:-1, 1:-1], flux_y[1:-1, 1:-1]
    if not in_cells:
        along = 0.5 * (flux_x[1:-1, 1:-2] + flux_x[1:-1, 2:-1])
        across = 0.5 * (flux_y[1:-2, 1:-1] + flux_y[2:-1, 1:-1])
    v = np.where(d > 0.05, np.hypot(along, across) / np.where(d > 0.05, d, 1.0), 0.0)
    np.testing.assert_allclose(speed, v, rtol=1e-6)
    want = hazard_rating(d, v, debris_m2_s=0.5, wet_m=0.05)
    np.testing.assert_allclose(hazard, want, rtol=1e-6)
    np.testing.assert_array_equal(long_s, np.where(d > 0.15, 3.0, 0.0))
    fast = (d > 0.05) & (v > 0.8 * np.sqrt(9.81 * d))
    np.testing.assert_array_equal((bits >> FAST & 1).astype(bool), fast)
    for k, name in enumerate(who):
        held = stability(d, v)[name] & (d > 0.05)
        np.testing.assert_array_equal((bits >> k & 1).astype(bool), held)


def test_people_are_counted_where_water_enters_or_stands_at_the_wall() -> None:
    told = exposed(
        residents=np.array([10.0, NAN, 5.0, NAN]),
        jobs=np.array([1.0, 2.0, NAN, NAN]),
        uses=["home", "shop", "home", "shed"],
        entered=np.array([True, False, False, False]),
        wall_depth_m=np.array([0.1, 0.2, 0.1, 0.3]),
        deep_m=0.15,
    )
    assert (told.residents_inside, told.jobs_inside) == (10.0, 1.0)
    assert (told.residents_at_wall, told.jobs_at_wall) == (10.0, 3.0)
    assert told.unknown_population == 1 and told.by_use == {"home": 10.0}


# ---------------------------------------------------------------- level within a cell
def test_a_film_lies_in_the_gutter_and_deep_water_is_level() -> None:
    ground = np.array([[3.0, 3.15], [3.0, 3.15]], np.float32)  # a kerb through a cell of 2 m
    fine = fine_ground(Grid("terrain", GridFrame(0, 2, 1.0, 2, 2), ground, "m"), FRAME_2M)
    # 2 cm over the cell are 4 cm in its lower half; 10 cm fill the gutter and cover the kerb.
    assert fine.level_m(np.array([[0.02]]))[0, 0] == pytest.approx(3.04, abs=1e-6)
    assert fine.level_m(np.array([[0.10]]))[0, 0] == pytest.approx(3.175, abs=1e-6)
    assert np.isnan(fine.level_m(np.array([[0.0]]))).all()


def test_the_fine_ground_holds_the_volume_of_the_cell() -> None:
    rng = np.random.default_rng(3)
    ground = rng.uniform(2, 3, (8, 12)).astype(np.float32)
    ground[0, 0] = NAN
    terrain = Grid("terrain", GridFrame(0, 8, 1.0, 8, 12), ground, "m")
    fine = fine_ground(terrain, GridFrame(0, 8, 4.0, 2, 3))
    depth = rng.uniform(0.002, 0.8, (2, 3))
    level = np.kron(fine.level_m(depth), np.ones((4, 4)))
    held = np.nan_to_num(np.maximum(level - ground, 0.0)).reshape(2, 4, 3, 4).sum(axis=(1, 3))
    known = np.isfinite(ground).reshape(2, 4, 3, 4).sum(axis=(1, 3))
    np.testing.assert_allclose(held, depth * known, rtol=1e-6)
    with pytest.raises(ShapeError):
        fine_ground(terrain, GridFrame(1, 8, 4.0, 2, 2))
