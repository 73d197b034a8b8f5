"""Verdicts inside a whole run: streets, doors, ways underground, and a scheme against its base."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import RequestError
from cim.flood import even_storm, flood
from cim.flood.ground import lay_out
from cim.flood.judge import judge
from cim.flood.watcher import Watcher
from cim.flood.worth import worth
from cim.model import Edit, Scheme, SchemedView, Twin
from cim.model.result import Result
from tests.cim.test_flood import bare, basin
from tests.towns import EAST, NORTH, box, layer

SHOWER = even_storm(depth_mm=60, duration_min=20)


def asked(view: Any, **options: Any) -> Result:
    given = {"storm": SHOWER, "duration_s": 1260.0, "cell_m": 1.0, "drain_mm_h": 0.0}
    return flood(view, **{**given, **options})


def at(x: float, y: float) -> Any:
    return shapely.Point(EAST + x, NORTH + y)


def line(*points: tuple[float, float]) -> Any:
    return shapely.LineString([(EAST + x, NORTH + y) for x, y in points])


def crowned() -> np.ndarray:
    """A street of 8 m along the middle of a basin, its crown 0.4 m above the rest."""
    z = basin()
    z[8:16, 1:-1] = 3.4 - 0.05 * np.abs(np.arange(8) - 3.5)[:, None]
    return z


def test_a_street_with_a_dry_crown_passes_and_one_in_the_bottom_fails() -> None:
    streets = layer(
        "road",
        [line((2, 12), (22, 12)), line((2, 4), (22, 4)), line((100, 100), (120, 100))],
        carriageway_m=[6.0, None, 6.0],
        lanes=[1, 1, 1],
        oneway=["no", "no", "no"],
    )
    result = asked(bare(crowned(), road=streets), storm=even_storm(depth_mm=130, duration_min=20))
    lane = result.field("road_lane_depth_m").values
    assert lane[0] < 0.05 and lane[1] > 0.15 and np.isnan(lane[2])
    told = result.summary["streets"]
    assert told["links"] == 3 and told["links_failing"] == 1 and told["links_not_judged"] == 1
    assert (told["links_with_assumed_width"], told["links_judged_in_part"]) == (1, 0)
    rules = next(n for n in result.notes if "links_failing" in n["en"])
    assert "links_failing 1" in rules["en"] and "links_closed" in rules["zh"]
    closed = result.field("road_closed_s").values
    assert closed[0] == 0.0
    assert result.field("road_lane_depth_m").carrier == "links"


def house(**columns: Any) -> Any:
    return layer("building", [box(8, 8, 6, 6)], population=[12.0], **columns)


def test_a_street_without_ground_is_not_judged_and_half_of_one_in_part() -> None:
    z = basin()
    z[10:15, 14:] = np.nan  # no terrain under the eastern half
    streets = layer(
        "road", [line((2, 12), (22, 12)), line((16, 12), (22, 12)), line((2, 4), (22, 4))],
        carriageway_m=[3.0, 3.0, 3.0],
    )  # fmt: skip
    result = asked(bare(z, road=streets))
    lane = result.field("road_lane_depth_m").values
    assert lane[0] > 0.0 and np.isnan(lane[1]) and lane[2] > 0.0
    told = result.summary["streets"]
    assert (told["links_not_judged"], told["links_judged_in_part"]) == (1, 1)
    assert np.isnan(result.field("road_fails").values[1])


def test_water_enters_at_the_lowest_door_and_people_are_counted() -> None:
    open_house = asked(bare(basin(), building=house(floor_level_m=[3.02])))
    told = open_house.summary["floors"]
    assert (told["entered"], told["doors_assumed"], told["floors_assumed"]) == (1, 1, 0)
    assert open_house.summary["people"]["residents_where_water_enters"] == 12.0
    assert open_house.field("floor_water_m").values[0] == pytest.approx(0.045, abs=0.02)

    doors = layer("entrance", [at(8, 11), at(11, 14)], level_m=[3.30, 3.40])
    guarded = asked(bare(basin(), building=house(floor_level_m=[3.02]), entrance=doors))
    told = guarded.summary["floors"]
    assert (told["entered"], told["doors_assumed"]) == (0, 0)

    unknown = asked(bare(basin(), building=house()))
    told = unknown.summary["floors"]
    assert (told["entered"], told["floors_assumed"]) == (0, 1)  # a plinth of 0.30 m keeps it dry


def test_water_runs_into_the_ground_over_a_sill() -> None:
    space = layer("underground_space", [box(2, 2, 4, 4)], source_id=["U1"])
    ways = layer(
        "entrance",
        [at(6, 4), at(18, 18), at(20, 20)],
        level_m=[3.03, 3.5, None],
        parent=["U1", None, None],
        type=[None, "garage ramp", "metro"],
    )
    told = asked(bare(basin(), underground_space=space, entrance=ways)).summary["underground"]
    assert (told["sills"], told["sills_overtopped"], told["sills_of_assumed_width"]) == (2, 1, 2)
    one = told["overtopped"][0]
    assert one["space"] == space.ids[0] and one["volume_m3"] > 0.0
    # 60 mm in 20 min over sealed ground that also gets the rims' water: 30 mm before 10 min.
    assert 240.0 < one["first_s"] < 660.0


def test_standing_water_two_hours_after_the_rain_is_told_by_pond() -> None:
    shower = even_storm(depth_mm=200, duration_min=5)
    early = asked(bare(basin()), storm=shower, duration_s=600.0, cell_m=4.0).summary["ponding"]
    assert early["judged"] is False and early["passes"] is None
    short = asked(bare(basin()), storm=shower, duration_s=600.0, cell_m=4.0).notes
    assert any("--after-min 120" in note["en"] and "5 min" in note["en"] for note in short)
    assert any("未判定退水" in note["zh"] for note in short)
    asked_late = {"storm": shower, "duration_s": 300.0 + 7200.0, "cell_m": 4.0}
    found = asked(bare(basin()), **asked_late)
    late = found.summary["ponding"]
    assert not any("Ponding is not judged" in note["en"] for note in found.notes)
    assert late["judged"] is True and late["passes"] is False and late["ponds"] == 1
    assert late["volume_m3"] == pytest.approx(0.2 * 576, rel=0.05)


def test_a_scheme_is_worth_what_it_keeps_dry() -> None:
    pytest.importorskip("shapely")
    base: Twin = bare(basin(), building=house(floor_level_m=[3.05]))
    lower = Edit("terrain", "terrain", values={"delta_m": -0.5}, geometry=box(1, 1, 6, 6))
    basin_dug = SchemedView(base, Scheme("tank", 1, (lower,)))
    dry = asked(base)
    told = worth(dry, asked(basin_dug))
    assert told["buildings"]["better"] == [str(base.tables["building"].ids[0])]
    assert told["buildings"]["worse"] == []
    assert told["differences"]["floors.entered"] == [1, 0, -1]
    assert told["differences"]["people.residents_where_water_enters"][2] == -12.0
    assert told["area_m2"]["shallower"] > 300.0
    with pytest.raises(RequestError) as caught:
        worth(dry, asked(base, duration_s=60.0))
    assert caught.value.key == "flood.worth"
    assert "the duration (s)" in caught.value.message("en")


def test_what_runs_on_roofs_is_no_danger_in_the_street() -> None:
    view = bare(basin(), building=house(height_m=[6.0]))
    site = lay_out(view, cell_m=1.0, buildings="blocks")
    roof = np.isnan(site.bed_m)
    watcher = Watcher(site.frame.shape)
    watcher.speed_mps[roof], watcher.speed_mps[~roof] = 9.0, 0.5
    watcher.hazard_m2_s[roof], watcher.hazard_m2_s[~roof] = 99.0, 0.0
    for where in watcher.unsafe.values():
        assert not where.any()
    watcher._bits[roof] = 255
    told = judge(view, site, peak_m=np.where(roof, np.nan, 0.1), times_s=np.zeros(1),
                 depth_m=np.zeros((1, *roof.shape)), rain_end_s=0.0, danger=watcher)  # fmt: skip
    danger = told.summary["danger"]
    assert roof.sum() > 10
    assert danger["speed_max_mps"] == 0.5
    areas = [value for name, value in danger.items() if name.startswith("area_")]
    assert len(areas) >= 6 and not any(areas)
    hazard = next(f for f in told.fields if f.name == "hazard_max_m2_s").values
    assert np.isnan(hazard[roof]).all() and (hazard[~roof] == 0.0).all()
