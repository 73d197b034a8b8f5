"""Rain on a small town: balance, roofs, drains, schemes, refusals, progress and cancel."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.crs import Frame
from cim.errors import CancelledError, CimError, FrameError, RequestError
from cim.flood import design_storm, even_storm, flood, flood_cost
from cim.flood.ground import lay_out
from cim.jobs import Job, Progress
from cim.model import Edit, Grid, GridFrame, Scheme, SchemedView, Twin, WindowView
from cim.model.result import Result
from cim.registry import standard
from tests.towns import EAST, FRAME, NORTH, box, layer, town

HARD = even_storm(depth_mm=100, duration_min=10)


def ground(values: Any, *, cell_m: float = 1.0) -> Grid:
    z = np.asarray(values, np.float32)
    frame = GridFrame(EAST, NORTH + z.shape[0] * cell_m, cell_m, *z.shape)
    return Grid("terrain", frame, z, "m", illustrative=True)


def bare(values: Any, **tables: Any) -> Twin:
    return Twin(name="bare", frame=FRAME, tables=tables, rasters={"terrain": ground(values)})


def basin(size: int = 24) -> np.ndarray:
    """A flat floor behind a rim, so that nothing leaves."""
    z = np.full((size, size), 3.0)
    z[0], z[-1], z[:, 0], z[:, -1] = 5.0, 5.0, 5.0, 5.0
    return z


def asked(view: Any, **options: Any) -> Result:
    options.setdefault("storm", HARD)
    options.setdefault("duration_s", 900.0)
    return flood(view, **options)


@pytest.fixture(scope="module")
def answer() -> Result:
    return asked(town(size_m=100, houses=4), storm=design_storm(return_period_a=50))


def test_the_result_says_what_it_is(answer: Result) -> None:
    assert answer.question == "flood"
    assert [f.name for f in answer.fields] == [
        "depth_m", "depth_max_m", "time_of_max_s", "arrival_s", "depth_at_wall_m",
        "road_lane_depth_m", "road_deepest_m", "road_fails", "road_state", "road_closed_s",
        "floor_water_m", "speed_max_mps", "hazard_max_m2_s", "duration_15cm_s", "valid",
    ]  # fmt: skip
    assert answer.grid is not None
    assert (answer.grid.shape, answer.grid.cell_m) == ((50, 50), 2.0)
    assert answer.times_s is not None
    np.testing.assert_allclose(answer.times_s, np.linspace(0, 900, 13))
    assert answer.illustrative
    assert answer.parameters["storm"]["return_period_a"] == 50
    assert "50" in answer.titles["zh"]
    assert all("{" not in text for note in answer.notes for text in note.values())


def test_depth_is_nowhere_negative_and_missing_only_in_buildings(answer: Result) -> None:
    depth = answer.field("depth_m").values
    houses = lay_out(town(size_m=100, houses=4), cell_m=2.0)
    assert np.array_equal(np.isnan(depth[0]), np.isnan(houses.bed_m))
    assert np.isnan(depth[0]).sum() == 4 * 7 * 5  # houses of 14 m by 10 m
    assert np.nanmin(depth) == 0.0
    assert (np.nan_to_num(answer.field("depth_max_m").values) >= np.nan_to_num(depth[-1])).all()


@pytest.mark.parametrize(("precision", "limit"), [("f32", 1e-6), ("f64", 1e-12)])
def test_every_cubic_metre_is_in_the_balance(precision: Any, limit: float) -> None:
    view = town(size_m=100, houses=4)
    result = asked(view, precision=precision)
    assert result.balance["error_rel"] < limit
    assert result.balance["clipped_m3"] == 0.0
    # 100 mm on 100 m by 100 m, roofs included.
    assert result.balance["rain_m3"] == pytest.approx(1000.0, rel=1e-6)
    assert result.summary["rain_mm"] == pytest.approx(100.0, abs=1e-3)


def test_f32_and_f64_tell_the_same_story() -> None:
    view = town(size_m=100, houses=4)
    one, two = asked(view, precision="f32"), asked(view, precision="f64")
    difference = one.field("depth_max_m").values - two.field("depth_max_m").values
    assert np.nanmax(np.abs(difference)) < 1e-3


def test_rain_in_a_basin_stands_as_deep_as_it_fell_and_the_drains_take_their_part() -> None:
    result = asked(bare(np.full((20, 20), 3.0)), drain_mm_h=0.0, cell_m=1.0, duration_s=600.0)
    assert result.balance["drained_m3"] == 0.0
    wet = asked(bare(basin()), drain_mm_h=36.0, cell_m=1.0, duration_s=1200.0)
    # 36 mm/h for 20 min are 12 mm wherever water stands; rims run dry a little earlier.
    assert wet.balance["drained_m3"] == pytest.approx(0.012 * 24 * 24, rel=0.2)


def test_rain_on_roofs_is_not_lost_even_where_a_house_has_no_open_wall() -> None:
    inner, outer = box(10, 10, 2, 2), box(8, 8, 6, 6)
    shell = outer.difference(inner)
    houses = layer("building", [shell, inner], height_m=[9.0, 9.0])
    site = lay_out(bare(basin(), building=houses), cell_m=1.0)
    assert site.rain_share.sum() == pytest.approx(24 * 24)
    assert site.rain_share[np.isnan(site.bed_m)].sum() == 0.0
    assert set(site.wall_building) == {0}


def test_drains_come_from_catchments_and_elsewhere_from_the_registry() -> None:
    west = layer("catchment", [box(0, 0, 12, 24)], drain_mm_h=[30.0])
    site = lay_out(bare(basin(), catchment=west), cell_m=1.0)
    assert site.drain_mm_h[0, 0] == 30.0
    assert site.drain_mm_h[0, -1] == standard("flood.drain_mm_h").value
    assert site.assumed_drain_share == pytest.approx(0.5)
    result = asked(bare(basin(), catchment=west), duration_s=60.0)
    assert any("50%" in note["en"] for note in result.notes)


def test_streets_and_greens_have_their_own_roughness() -> None:
    green = layer("green", [box(0, 0, 24, 24)])
    line = shapely.LineString([(EAST, NORTH + 12), (EAST + 24, NORTH + 12)])
    road = layer("road", [line], carriageway_m=[6.0])
    site = lay_out(bare(basin(), green=green, road=road), cell_m=1.0)
    n = standard("flood.manning").value
    assert site.manning[12, 5] == n["road"]
    assert site.manning[2, 5] == n["green"]
    assert (lay_out(bare(basin()), cell_m=1.0, manning=0.1).manning == 0.1).all()


def test_terrain_is_averaged_over_its_known_cells() -> None:
    z = np.array([[1.0, 3.0, 7.0, 7.0], [np.nan, 2.0, np.nan, np.nan]] * 2)
    site = lay_out(bare(z), cell_m=2.0)
    np.testing.assert_allclose(site.bed_m, [[2.0, 7.0], [2.0, 7.0]])


def test_one_added_building_changes_the_flood() -> None:
    z = 3.0 - 0.01 * np.arange(60.0)[np.newaxis] + np.zeros((30, 1))
    base = bare(z, building=layer("building", [box(2, 2, 2, 2)], height_m=[6.0]))
    wall = Edit("add", "building", "bld-new", {"height_m": 9.0}, box(30, 4, 4, 22))
    scheme = SchemedView(base, Scheme("dam", base.version, (wall,)))
    before, after = asked(base, cell_m=1.0), asked(scheme, cell_m=1.0)
    assert after.scheme == "dam"
    assert after.field("depth_at_wall_m").ids is not None
    assert "bld-new" in list(after.field("depth_at_wall_m").ids)  # type: ignore[arg-type]
    upstream = np.s_[12:18, 28:30]
    rise = (
        after.field("depth_max_m").values[upstream] - before.field("depth_max_m").values[upstream]
    )
    assert (rise > 0.02).all()  # metres of water held back by the wall
    assert after.balance["rain_m3"] == pytest.approx(before.balance["rain_m3"], rel=1e-6)


def test_a_pit_dug_in_a_scheme_fills() -> None:
    base = bare(np.full((30, 30), 3.0))
    pit = Edit("terrain", "terrain", values={"delta_m": -1.0}, geometry=box(10, 10, 6, 6))
    scheme = SchemedView(base, Scheme("pit", base.version, (pit,)))
    result = asked(scheme, cell_m=1.0)
    assert result.summary["max_depth_m"] > 0.5
    assert result.summary["area_over_lane_depth_m2"] >= 36.0


def test_a_house_in_a_hollow_is_entered_and_one_on_a_mound_is_not() -> None:
    z = basin(40)
    z[5:16, 5:16] -= 1.0
    houses = layer(
        "building",
        [box(9, 28, 3, 3), box(30, 5, 3, 3)],
        height_m=[6.0, 6.0],
        floor_level_m=[2.15, 3.6],
    )
    result = asked(bare(z, building=houses), cell_m=1.0)
    assert result.summary["floors"]["floors_known"] == 2
    assert result.summary["floors"]["entered_with_known_floor"] == 1
    at_wall = result.field("depth_at_wall_m").values
    assert at_wall[0] > 0.3 > at_wall[1]


def test_part_of_the_terrain_can_be_asked_for() -> None:
    view = town(size_m=100, houses=4)
    part = (EAST + 10, NORTH + 10, EAST + 50, NORTH + 70)
    result = asked(WindowView(view, part), duration_s=60.0)
    assert result.grid is not None
    assert result.grid.bounds == part


def without(**changes: Any) -> Any:
    return replace(town(size_m=40, houses=1), **changes)


@pytest.mark.parametrize(
    ("view", "options", "error", "key"),
    [
        (without(rasters={}), {}, RequestError, "flood.no_terrain"),
        (without(frame=Frame("EPSG:4548", "unknown", FRAME.origin)), {}, FrameError,
         "flood.height_datum"),
        (without(frame=Frame("EPSG:4548", "relative", FRAME.origin)), {}, FrameError,
         "flood.height_datum"),
        (without(), {"cell_m": 1.5}, RequestError, "flood.cell_size"),
        (without(), {"cell_m": 0.5}, RequestError, "flood.cell_size"),
        (without(), {"cell_m": float("nan")}, RequestError, "flood.cell_size"),
        (without(), {"duration_s": 0.0}, RequestError, "flood.duration"),
        (without(), {"duration_s": float("inf")}, RequestError, "flood.duration"),
        (without(), {"precision": "f16"}, RequestError, "flood.precision"),
        (without(), {"drain_mm_h": -1.0}, RequestError, "flood.drain"),
        (without(), {"manning": 0.0}, RequestError, "flood.manning"),
        (bare(np.full((4, 4), np.nan)), {}, RequestError, "flood.no_ground"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_both_languages(
    view: Any, options: dict[str, Any], error: type[CimError], key: str
) -> None:
    with pytest.raises(error) as caught:
        asked(view, **options)
    assert caught.value.key == key
    for lang in ("en", "zh"):
        assert caught.value.message(lang)
        assert caught.value.remedy(lang)
        assert "{" not in caught.value.message(lang) + caught.value.remedy(lang)


def test_progress_goes_from_nothing_to_all() -> None:
    heard: list[Progress] = []
    asked(town(size_m=60, houses=1), job=Job(heard.append))
    shares = [one.share for one in heard]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert {one.what for one in heard} == {"flood.preparing", "flood.compiling", "flood.running"}


def test_a_cancel_stops_the_water() -> None:
    heard: list[Progress] = []

    def listen(progress: Progress) -> None:
        heard.append(progress)
        if progress.done > 0:
            job.cancel()

    job = Job(listen)
    with pytest.raises(CancelledError):
        asked(town(size_m=200), job=job, duration_s=36000.0)
    assert heard[-1].share < 0.5


def test_the_cost_is_told_from_the_terrain_alone() -> None:
    cost = flood_cost(town(size_m=100), storm=HARD, duration_s=3600.0)
    assert cost.cells == 2500
    assert 0.2 < cost.memory_mb < 2.0
    assert 0.0 < cost.cpu_s < 10.0


def test_without_a_duration_it_runs_until_the_water_should_be_gone() -> None:
    result = flood(bare(basin()), storm=HARD, cell_m=2.0)
    hours = standard("flood.drain_time_h").number()
    assert result.parameters["duration_s"] == 600.0 + hours * 3600.0


def test_another_package_called_kernels_is_named(tmp_path: Path) -> None:
    other = tmp_path / "kernels"
    other.mkdir()
    (other / "__init__.py").write_text("", encoding="utf-8")
    root = Path(__file__).parents[2]
    script = (
        "from tests.towns import town\n"
        "from cim.flood import even_storm, flood\n"
        "from cim.errors import MissingError\n"
        "try:\n"
        "    flood(town(size_m=40, houses=1), storm=even_storm(depth_mm=1, duration_min=1))\n"
        "except MissingError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(other) in done.stdout
    assert "environment of its own" in done.stdout
