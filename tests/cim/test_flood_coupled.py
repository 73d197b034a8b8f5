"""Pipes, soil, structures and zoned rain in a whole run: what changes hands is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import CancelledError, RequestError
from cim.flood import Checkpoint, even_storm, flood
from cim.flood.ground import lay_out
from cim.flood.structures import find_structures
from cim.jobs import Job
from cim.model import Twin
from cim.model.result import Result
from cim.registry import standard
from tests.cim.test_flood import bare, basin
from tests.cim.test_flood_drains import street_drain
from tests.towns import EAST, NORTH, box, layer

SHOWER = even_storm(depth_mm=60, duration_min=8)
F64: Any = {"precision": "f64", "cell_m": 1.0, "drain_mm_h": 0.0}


def asked(view: Twin, **options: Any) -> Result:
    return flood(view, **{"storm": SHOWER, "duration_s": 720.0, **F64, **options})


def street(**tables: Any) -> Twin:
    """A flat strip of 320 m by 12 m behind a rim, with the drain of `street_drain` under it."""
    pytest.importorskip("swmm.toolkit")
    z = np.full((12, 320), 3.5)
    z[0], z[-1], z[:, 0], z[:, -1] = 5.0, 5.0, 5.0, 5.0
    view = bare(z)
    under = street_drain()
    moved = {
        name: layer(
            name,
            [shapely.affinity.translate(g, 8.0, 6.5) for g in table.geometry],
            **{k: list(v) for k, v in table.columns.items()},
        )
        for name, table in under.tables.items()
    }
    return Twin(name="street", frame=view.frame, tables={**moved, **tables}, rasters=view.rasters)


def test_street_and_pipes_move_the_same_water_and_the_balance_closes() -> None:
    result = asked(street(), drains="pipes")
    told, balance = result.summary["drains"], result.balance
    assert told["entered_m3"] > 10.0
    assert told["exchange_error_rel"] < 1e-9
    assert -balance["to_drains_m3"] == pytest.approx(told["entered_m3"], rel=1e-9)
    assert balance["from_drains_m3"] == pytest.approx(told["returned_m3"], rel=1e-9, abs=1e-12)
    assert balance["error_rel"] < 1e-12 and balance["clipped_m3"] == 0.0
    assert abs(told["continuity_error"]) < 0.01
    went = told["outfall_m3"] + told["stored_m3"]
    assert went == pytest.approx(told["swmm_received_m3"], rel=0.01) and told["lost_m3"] == 0.0
    dry = asked(street(), drains="sinks")
    assert "drains" not in dry.summary
    assert result.balance["stored_m3"] < dry.balance["stored_m3"]


@pytest.mark.parametrize(("depth_mm", "closes"), [(60.0, True), (5.0, False)])
def test_a_count_of_swmm_that_does_not_close_is_said_in_the_notes(
    depth_mm: float, closes: bool
) -> None:
    """A light shower leaves little in the pipes, and SWMM's error of it is several per cent."""
    view = street()
    result = asked(view, drains="pipes", storm=even_storm(depth_mm=depth_mm, duration_min=8))
    error = result.summary["drains"]["continuity_error"]
    assert (abs(error) <= standard("flood.drains_continuity").number()) is closes
    said = [note for note in result.notes if f"{error:+.2%}" in note["en"]]
    assert len(said) == (not closes)
    for note in said:
        named = [id_ for id_ in view.table("pipe_node").ids if id_ in note["en"]]
        assert named and all(id_ in note["zh"] for id_ in named)
        assert f"{error:+.2%}" in note["zh"] and "1%" in note["zh"]


def test_a_stopped_flood_with_pipes_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = asked(street(), drains="pipes")
    job = Job()
    job.listen = lambda step: job.cancel() if step.done > 300.0 else None
    with pytest.raises(CancelledError):
        asked(street(), drains="pipes", checkpoint=Checkpoint(tmp_path / "c.npz"), job=job)
    again = asked(street(), drains="pipes", checkpoint=Checkpoint(tmp_path / "c.npz", resume=True))
    assert again.balance == whole.balance
    assert again.summary == whole.summary
    for one, two in zip(whole.fields, again.fields, strict=True):
        np.testing.assert_array_equal(one.values, two.values, err_msg=one.name)


def test_pipes_take_the_place_of_sinks_only_near_their_openings() -> None:
    view = street()
    pipes = flood(view, storm=SHOWER, duration_s=900.0, cell_m=1.0)
    sinks = flood(view, storm=SHOWER, duration_s=900.0, cell_m=1.0, drains="sinks")
    assert pipes.parameters["drains"] == "auto" and "drains" in pipes.summary
    assert 0.0 < pipes.balance["drained_m3"] < 0.5 * sinks.balance["drained_m3"]


def test_pipes_that_are_not_there_are_an_error_only_where_they_are_demanded() -> None:
    with pytest.raises(RequestError) as caught:
        asked(bare(basin()), drains="pipes")
    assert caught.value.key == "flood.no_pipes"
    assert "drains" not in asked(bare(basin())).summary
    for option, word in (
        ({"drains": "canals"}, "flood.drains"),
        ({"infiltration": "x"}, "flood.law"),
    ):
        with pytest.raises(RequestError) as caught:
            asked(bare(basin()), **option)
        assert caught.value.key == word


@pytest.mark.parametrize("law", ["green_ampt", "horton", "curve_number", "constant"])
def test_water_soaks_into_greens_and_is_accounted_for(law: Any) -> None:
    green = layer("green", [box(0, 0, 24, 24)])
    result = asked(bare(basin(), green=green), infiltration=law)
    soaked = -result.balance["infiltrated_m3"]
    assert 0.0 < soaked < result.balance["rain_m3"]
    assert result.balance["error_rel"] < 1e-12
    gone = soaked + result.balance["outflow_m3"]
    assert result.balance["stored_m3"] == pytest.approx(0.060 * 576 - gone, rel=1e-9)


def test_a_curve_number_run_keeps_what_the_formula_says() -> None:
    rim_free = layer("green", [box(1, 1, 22, 22)])  # water does not run off the flat floor
    result = asked(bare(basin(), green=rim_free), infiltration="curve_number")
    s, sealed = (0.0254 * (1000 / cn - 10) for cn in (74, 98))  # the registry's numbers

    def kept(retention: float) -> float:
        return 0.060 - (0.060 - 0.2 * retention) ** 2 / (0.060 + 0.8 * retention)

    want = kept(s) * 22 * 22 + kept(sealed) * (24 * 24 - 22 * 22)
    assert -result.balance["infiltrated_m3"] == pytest.approx(want, rel=0.01)


def with_structure(
    z: np.ndarray, kind: str, *points: tuple[float, float], **numbers: float
) -> Twin:
    """A twin with one structure."""
    places = [(EAST + x, NORTH + y) for x, y in points]
    shape = shapely.LineString(places) if len(places) > 1 else shapely.Point(places[0])
    columns = {name: [value] for name, value in numbers.items()}
    return bare(
        z, hydraulic_structure=layer("hydraulic_structure", [shape], type=[kind], **columns)
    )


def two_basins() -> np.ndarray:
    z = basin()
    z[:, 12] = 5.0  # a wall between west and east
    z[:, 13:] -= np.where(z[:, 13:] < 4.0, 1.0, 0.0)  # the east lies lower
    return z


@pytest.fixture(scope="module")
def plain() -> Result:
    return asked(bare(two_basins()))


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("weir", {"crest_m": 3.02, "width_m": 2.0}),
        (
            "culvert",
            {"invert_from_m": 3.0, "invert_to_m": 2.0, "width_m": 1.0, "height_m": 0.5},
        ),
        ("pump", {"capacity_m3_s": 0.02, "on_m": 0.02, "off_m": 0.01}),
    ],
)
def test_a_structure_moves_water_through_a_wall(
    kind: str, numbers: dict[str, float], plain: Result
) -> None:
    view = with_structure(two_basins(), kind, (8.5, 12.5), (17.5, 12.5), **numbers)
    result = asked(view)
    moved = result.summary["structures"][0]["moved_m3"]
    assert moved > 1.0
    west = np.s_[1:-1, 1:12]
    before, after = (r.field("depth_m").values[-1][west].sum() for r in (plain, result))
    assert before - after == pytest.approx(moved, rel=2e-2)  # films over the rim
    assert result.balance["through_structures_m3"] == pytest.approx(0.0, abs=1e-9)
    assert result.balance["error_rel"] < 1e-12


def test_a_pump_to_the_river_and_a_full_tank() -> None:
    pump = with_structure(basin(), "泵站", (12.5, 12.5), capacity_m3_s=0.01, on_m=0.02)
    out = -asked(pump).balance["out_by_structures_m3"]
    assert 3.0 < out <= 0.01 * 720
    tank = with_structure(basin(), "tank", (12.5, 12.5), volume_m3=3.0, capacity_m3_s=0.05)
    result = asked(tank)
    assert -result.balance["into_tanks_m3"] == pytest.approx(3.0, rel=1e-9)
    assert result.balance["error_rel"] < 1e-12


def test_a_structure_without_its_numbers_or_place_is_listed() -> None:
    for kind, numbers, point, reason in (
        ("weir", {"crest_m": 3.0}, (5.0, 5.0), "flood.left_out.structure_numbers"),
        ("sluice?", {}, (5.0, 5.0), "flood.left_out.structure_type"),
        ("pump", {"capacity_m3_s": 1.0}, (23.9, 23.9), None),
    ):
        view = with_structure(basin(), kind, point, **numbers)
        found = find_structures(view, lay_out(view, cell_m=1.0))
        assert [r for _, r in found.left_out] == ([reason] if reason else [])
    result = asked(with_structure(basin(), "sluice?", (5.0, 5.0)))
    assert len(result.summary["left_out"]) == 1


def test_rain_by_zones_falls_where_it_is_told_to() -> None:
    zone = np.zeros((24, 24), np.int64)
    zone[:, 12:] = 1
    zone[:, 20:] = -1
    light, heavy = (
        even_storm(depth_mm=20, duration_min=12),
        even_storm(depth_mm=60, duration_min=10),
    )
    result = asked(bare(basin()), zones=(zone, [light, heavy]))
    want = 24 * 12 * 0.020 + 24 * 8 * 0.060
    assert result.balance["rain_m3"] == pytest.approx(want, rel=1e-9)
    assert result.balance["error_rel"] < 1e-12
    assert [z["depths_mm"] for z in result.parameters["rain_zones"]] == [[20.0], [60.0]]
    assert result.summary["peak_rain_mm_h"] == 360.0 and "2" in result.titles["zh"]
    with pytest.raises(RequestError) as caught:
        asked(bare(basin()), zones=(zone[:-1], [light, heavy]))
    assert caught.value.key == "rain.zones"


def test_f32_keeps_its_account_too() -> None:
    result = asked(street(), drains="pipes", precision="f32")
    assert result.balance["error_rel"] < 1e-6
    assert result.summary["drains"]["exchange_error_rel"] < 1e-9


def test_moving_water_is_looked_at_and_a_steep_street_is_dangerous() -> None:
    steep = np.full((12, 120), 9.0)
    steep[2:10] = np.linspace(8.0, 3.0, 120)[None, :]
    result = asked(bare(steep), storm=even_storm(depth_mm=1600, duration_min=8), duration_s=480.0)
    told, speed = result.summary["danger"], result.field("speed_max_mps").values
    assert 0.5 < told["speed_max_mps"] < 6.0
    assert told["speed_max_mps"] == pytest.approx(float(np.nanmax(speed)), abs=1e-3)
    assert told["area_unsafe_small_car_m2"] >= told["area_unsafe_large_car_m2"] > 0.0
    hazard = result.field("hazard_max_m2_s").values
    assert (hazard[np.isfinite(hazard)] >= 0).all() and np.nanmax(hazard) > 0.75
    still = asked(bare(basin())).summary["danger"]
    assert still["area_unsafe_small_car_m2"] == 0.0


def test_the_soil_counts_the_rain_of_its_zone_not_that_which_says_when_it_ends() -> None:
    green = layer("green", [box(0, 0, 24, 24)])
    view = bare(basin(), green=green)
    zones = (np.zeros((24, 24), np.int64), [SHOWER])
    even = asked(view, infiltration="curve_number")
    trace = even_storm(depth_mm=0.001, duration_min=SHOWER.ends_s[-1] / 60.0)
    zoned = asked(view, storm=trace, zones=zones, infiltration="curve_number")
    soaked = even.balance["infiltrated_m3"]
    assert soaked < -1.0
    # Rain by zones is poured every few seconds and lies a little longer before it runs off.
    assert zoned.balance["infiltrated_m3"] == pytest.approx(soaked, rel=0.05)
