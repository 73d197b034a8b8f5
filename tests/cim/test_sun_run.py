"""Shadows over a small town: lengths, schemes, time, and what is told of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from cim.errors import CancelledError, RequestError
from cim.jobs import Job, Progress
from cim.model import Edit, Result, Scheme, SchemedView, Twin
from cim.planning import sun
from tests.towns import EAST, FRAME, NORTH, box, layer, town

DAY = "2026-01-20"  # Great Cold (大寒)


def level(*heights_m: float, base_m: float | None = None, terrain: bool = True) -> Twin:
    """Blocks of 20 m by 20 m on level ground at 3 m, in a row to the east."""
    there = town().rasters["terrain"]
    ground = replace(there, values=np.full(there.frame.shape, 3.0, np.float32))
    building = layer(
        "building", [box(40.0 + 60.0 * i, 40.0, 20.0, 20.0) for i in range(len(heights_m))],
        height_m=list(heights_m), base_m=[base_m] * len(heights_m),
    )  # fmt: skip
    rasters = {"terrain": ground} if terrain else {}
    return Twin("level", FRAME, {"building": building}, rasters)


def shade_at(result: Result, x: float, y: float) -> float:
    assert result.grid is not None
    row, col, inside = result.grid.cell_of(np.array([EAST + x]), np.array([NORTH + y]))
    assert inside[0]
    return float(result.field("shade_m").values[row[0], col[0]])


def test_at_true_noon_a_block_throws_its_height_over_the_tangent_to_the_north() -> None:
    result = sun(level(12.0), date=DAY)
    tangent = np.tan(np.radians(result.summary["sun_altitude_deg"]))
    length_m = 12.0 / tangent
    assert shade_at(result, 50.5, 60.5) == pytest.approx(12.0 - tangent, abs=1e-2)
    assert shade_at(result, 50.5, 60.0 + length_m - 2.0) > 0.0
    assert shade_at(result, 50.5, 60.0 + length_m + 2.0) == 0.0
    assert shade_at(result, 50.5, 35.5) == 0.0  # south of it
    # 20 m wide and as long as the shadow, to within one cell around
    assert result.summary["shaded_m2"] == pytest.approx(20.0 * length_m, abs=2 * (20 + length_m))


def test_noon_is_true_noon_not_twelve_by_the_clock() -> None:
    summary = sun(level(12.0), date=DAY).summary
    # about 12:22 Beijing time at 117.2 E on 20 January
    assert summary["instant"].startswith("2026-01-20T12:22")
    assert summary["instant"].endswith("+08:00")
    assert summary["true_solar_time"] == "12:00:00"
    assert summary["sun_azimuth_deg"] == pytest.approx(180.0, abs=0.01)
    assert summary["sun_altitude_deg"] == pytest.approx(30.76, abs=0.03)


def test_grid_north_is_not_true_north_and_the_shadow_knows() -> None:
    # at true noon the sun is due south; the grid of EPSG:4548 is turned by 0.126 degrees there,
    # which moves the tip of a 300 m long shadow by 0.66 m: less than a cell, so ask for the angle
    from cim.crs import grid_convergence_deg

    assert grid_convergence_deg(FRAME.crs, 117.2, 39.1) == pytest.approx(0.126, abs=0.001)
    morning = sun(level(12.0), date=DAY, time="09:00+08:00")
    assert morning.summary["sun_azimuth_deg"] < 150.0
    assert shade_at(morning, 35.5, 62.5) > 0.0  # north-west of the block
    assert shade_at(morning, 65.5, 62.5) == 0.0


def test_the_same_instant_with_another_offset_is_the_same_shadow() -> None:
    here = sun(level(12.0), date=DAY, time="10:00+08:00")
    there = sun(level(12.0), date=DAY, time="02:00+00:00")
    np.testing.assert_array_equal(here.fields[0].values, there.fields[0].values)


def test_one_added_building_changes_the_shadow_through_a_scheme() -> None:
    view = level(12.0)
    new = Edit(
        op="add", layer="building", id="bld-new", values={"height_m": 30.0},
        geometry=box(120.0, 40.0, 20.0, 20.0),
    )  # fmt: skip
    scheme = SchemedView(view, Scheme(name="tower", base_version=view.version, edits=(new,)))
    before, after = sun(view, date=DAY), sun(scheme, date=DAY)
    assert shade_at(before, 130.5, 80.5) == 0.0
    assert shade_at(after, 130.5, 80.5) > 0.0
    assert after.summary["shaded_m2"] > before.summary["shaded_m2"]
    assert after.summary["buildings"] == 2
    assert after.scheme == "tower"
    np.testing.assert_array_equal(sun(view, date=DAY).fields[0].values, before.fields[0].values)


def test_each_building_gets_the_shaded_share_of_its_outline() -> None:
    result = sun(level(12.0), date=DAY)
    share = result.field("shaded_share").values
    # at noon the north side of a square lies in its own shade, the other three in the sun
    assert share[0] == pytest.approx(0.25, abs=0.06)
    assert list(result.field("shaded_share").ids) == list(level(12.0).table("building").ids)


def test_a_taller_neighbour_in_the_south_shades_a_whole_outline() -> None:
    building = layer("building", [box(50, 80, 10, 10), box(30, 40, 50, 30)], height_m=[3.0, 60.0])
    view = replace(level(1.0), tables={"building": building})
    share = sun(view, date=DAY).field("shaded_share").values
    assert share[0] == 1.0


def test_the_base_height_of_a_building_counts_on_a_terrain_and_not_without_one() -> None:
    on_terrain = sun(level(12.0, base_m=3.0), date=DAY)
    assert on_terrain.summary["shaded_m2"] == sun(level(12.0), date=DAY).summary["shaded_m2"]
    bare = sun(level(12.0, base_m=100.0, terrain=False), date=DAY)
    tangent = np.tan(np.radians(bare.summary["sun_altitude_deg"]))
    assert bare.field("shade_m").values.max() == pytest.approx(12.0 - tangent, abs=1e-2)
    assert any("level ground" in note["en"] for note in bare.notes)


def test_a_height_taken_from_storeys_is_counted_and_told() -> None:
    building = layer("building", [box(40, 40, 20, 20)], storeys_above=[4])
    result = sun(replace(level(1.0), tables={"building": building}), date=DAY)
    assert result.summary["heights_assumed"] == 1
    assert any("storeys" in note["en"] for note in result.notes)
    assert result.field("shade_m").values.max() > 10.0  # 4 storeys of 3.2 m


def test_the_answer_is_illustrative_and_cites_the_rules() -> None:
    result = sun(town(), date=DAY)
    assert result.illustrative
    assert any("日照分析办法" in rule for rule in result.summary["rules"])
    assert result.grid is not None and result.start is not None


def test_coarser_cells_give_about_the_same_shaded_area() -> None:
    fine, coarse = (sun(level(24.0), date=DAY, cell_m=c).summary["shaded_m2"] for c in (1.0, 2.0))
    assert coarse == pytest.approx(fine, rel=0.1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"date": "20 January"}, "no date"),
        ({"date": DAY, "time": "10:00"}, "offset"),
        ({"date": DAY, "time": "half past"}, "offset"),
        ({"date": DAY, "time": "23:00+08:00"}, "shade"),
        ({"date": DAY, "cell_m": 0.7}, "do not fit"),
        ({"date": DAY, "cell_m": float("nan")}, "do not fit"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_the_reason(
    asked: dict[str, object], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        sun(level(12.0), **asked)  # type: ignore[arg-type]


def test_a_twin_without_buildings_is_refused() -> None:
    with pytest.raises(RequestError, match="no buildings"):
        sun(replace(level(1.0), tables={}), date=DAY)


def test_a_building_without_a_place_gets_no_share_and_harms_none() -> None:
    building = layer("building", [box(40, 40, 20, 20), None], height_m=[12.0, 12.0])
    share = sun(replace(level(1.0), tables={"building": building}), date=DAY).fields[1].values
    assert np.isfinite(share[0])
    assert np.isnan(share[1])
    assert shapely.is_missing(building.geometry[1])


def test_it_tells_progress_and_can_be_cancelled() -> None:
    heard: list[Progress] = []
    sun(level(12.0), date=DAY, job=Job(listen=heard.append))
    assert [h.share for h in heard] == sorted(h.share for h in heard)
    assert heard[-1].share == 1.0
    job = Job()
    job.listen = lambda _: job.cancel()
    with pytest.raises(CancelledError):
        sun(level(12.0), date=DAY, job=job)
