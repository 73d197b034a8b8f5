"""Courtyard walls and buildings in the way of a flood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from cim.flood import Border, even_storm, flood
from cim.flood.ground import lay_out
from cim.flood.thin_walls import crossings
from cim.model import GridFrame, Twin
from cim.model.kinds import Field
from tests.cim.floods import HARD, SOLVERS, bare
from tests.towns import EAST, NORTH, box, layer


def test_a_wall_that_goes_round_closes_every_way_whatever_the_cells() -> None:
    for cell_m in (0.7, 1.0, 2.3):
        frame = GridFrame(EAST, NORTH + 30 * cell_m, cell_m, 30, 30)
        middle = (EAST + 15 * cell_m + 0.2, NORTH + 15 * cell_m - 0.3)
        ring = shapely.Point(middle).buffer(8 * cell_m).exterior
        found = crossings([ring], np.array([1.0]), frame, np.zeros((30, 30))).found
        shut = {(a, r, c) for (a, r, c) in found}
        seen, to_see = {(15, 15)}, [(15, 15)]
        while to_see:
            r, c = to_see.pop()
            for face, other in (((0, r, c), (r, c - 1)), ((0, r, c + 1), (r, c + 1)),
                                ((1, r, c), (r - 1, c)), ((1, r + 1, c), (r + 1, c))):  # fmt: skip
                if face not in shut and other not in seen and 0 <= min(other) <= max(other) < 30:
                    seen.add(other)
                    to_see.append(other)
        inside = {
            (r, c) for r in range(30) for c in range(30)
            if shapely.Polygon(ring).contains(shapely.Point(frame.west + (c + 0.5) * cell_m,
                                                            frame.north - (r + 0.5) * cell_m))
        }  # fmt: skip
        assert seen == inside


def test_a_gate_keeps_its_own_width() -> None:
    frame = GridFrame(0.0, 40.0, 2.0, 20, 20)
    yard = shapely.LineString([(19.4, 10), (11, 10), (11, 30), (31, 30), (31, 10), (20.4, 10)])
    found = crossings([yard], np.array([2.0]), frame, np.zeros((20, 20))).found
    open_m = sum(share * 2.0 for _, share in found.values())
    assert open_m == pytest.approx(1.0)
    assert {crest for crest, _ in found.values()} == {2.0}


def test_a_courtyard_wall_keeps_the_street_out_until_it_is_overtopped() -> None:
    ground = np.full((24, 24), 3.0)
    ring = shapely.LineString(shapely.box(EAST + 6, NORTH + 6, EAST + 18, NORTH + 18).exterior)
    wall = layer("wall", [ring], height_m=[1.0])
    own = Field("type", "text")  # as the source calls it
    columns = {**wall.columns, "type": np.array(["栅栏"], object)}
    fence = replace(wall, columns=columns, fields=(*wall.fields, own))
    dry = even_storm(depth_mm=0.001, duration_min=1)
    options: dict[str, Any] = {"storm": dry, "cell_m": 1.0, "duration_s": 900.0, "drain_mm_h": 0.0,
                               "manning": 0.05}  # fmt: skip

    def deepest_in_yard(tables: dict[str, Any], level_m: float, **more: Any) -> float:
        rising = Border("stage", "west", times_s=np.array([0.0, 600.0]),
                        values=np.array([3.0, level_m]))  # fmt: skip
        river = [Border("wall"), rising]
        found = flood(bare(ground, **tables), borders=river, **options, **more)
        assert found.balance["error_rel"] < 1e-6
        return float(found.field("depth_max_m").values[8:16, 8:16].max())

    assert deepest_in_yard({"wall": wall}, 3.8) < 0.001
    assert deepest_in_yard({"wall": wall}, 3.8, walls=False) == pytest.approx(0.8, abs=0.05)
    assert deepest_in_yard({"wall": fence}, 3.8) == pytest.approx(0.8, abs=0.05)
    assert deepest_in_yard({"wall": wall}, 4.3) > 0.3


def test_a_wall_without_a_height_is_counted_as_assumed() -> None:
    ring = shapely.LineString([(EAST + 2, NORTH + 2), (EAST + 20, NORTH + 2)])
    view = bare(np.full((24, 24), 3.0), wall=layer("wall", [ring]))
    found = flood(view, storm=HARD, cell_m=1.0, duration_s=60.0)
    notes = " ".join(note["en"] for note in found.notes)
    assert "1 walls have no height" in notes


def house_town() -> Twin:
    ground = np.tile(3.0 + 0.02 * np.arange(24.0), (24, 1))
    return bare(ground, building=layer("building", [box(6, 6, 9, 7)], height_m=[5.0]))


@pytest.mark.parametrize("buildings", ["holes", "blocks", "porous"])
@SOLVERS
def test_rain_on_roofs_comes_down_however_buildings_stand(
    buildings: Any, solver: Any, order: int
) -> None:
    found = flood(house_town(), storm=HARD, cell_m=1.0, duration_s=900.0, precision="f64",
                  buildings=buildings, solver=solver, order=order, borders=[Border("wall")],
                  drain_mm_h=0.0)  # fmt: skip
    assert found.balance["rain_m3"] == pytest.approx(57.6, rel=1e-9)
    assert found.balance["error_rel"] < 1e-12
    depth = found.field("depth_m").values[-1]
    on_ground = float(np.nansum(depth))
    # A film of a millimetre may still run on the 63 m² of a block.
    assert on_ground == pytest.approx(57.6, abs=0.2 if buildings == "blocks" else 1e-4)


def test_a_porous_building_lets_through_what_is_not_built_over() -> None:
    coarse = bare(np.full((6, 6), 3.0), cell_m=8.0,
                  building=layer("building", [box(18, 18, 12, 12)], height_m=[5.0]))  # fmt: skip
    site = lay_out(coarse, cell_m=8.0, buildings="porous")
    assert np.isfinite(site.bed_m).all()
    # x 18 to 30 m, y 18 to 30 m on cells of 8 m: the face at x = 24 is covered from 18 to 30.
    assert site.gaps.found[(0, 3, 3)][1] == pytest.approx(0.25)  # y 16 to 24, covered 18 to 24
    assert site.gaps.found[(0, 2, 3)][1] == pytest.approx(0.25)  # y 24 to 32, covered 24 to 30
    whole = bare(np.full((6, 6), 3.0), cell_m=8.0,
                 building=layer("building", [box(15, 15, 18, 18)], height_m=[5.0]))  # fmt: skip
    assert np.isnan(lay_out(whole, cell_m=8.0, buildings="porous").bed_m).sum() == 4


def test_a_roof_that_lets_water_through_rains_once() -> None:
    house = layer("building", [box(17, 17, 14, 14)], height_m=[5.0])
    coarse = bare(np.full((6, 6), 3.0), cell_m=8.0, building=house)
    rained = [
        flood(coarse, storm=even_storm(depth_mm=100, duration_min=5), cell_m=8.0, duration_s=400.0,
              buildings=how, borders=[Border("wall")]).balance["rain_m3"]
        for how in ("holes", "porous")
    ]  # fmt: skip
    assert rained[1] == pytest.approx(rained[0], rel=1e-6)
