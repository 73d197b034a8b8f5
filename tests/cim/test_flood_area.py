"""A flood of one area of a twin: cells outside are not computed, water leaves over the outline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import RequestError
from cim.flood import even_storm, flood, flood_cost
from cim.flood.area import AreaView, find_area
from cim.flood.ground import lay_out
from cim.model import Grid, GridFrame, Twin
from tests.towns import EAST, FRAME, NORTH, box, layer

CELL_M = 2.0
SIZE = 120  # m
STORM = even_storm(depth_mm=60, duration_min=10)


def terrain(z: Any) -> Grid:
    values = np.asarray(z, np.float32)
    frame = GridFrame(EAST, NORTH + values.shape[0], 1.0, *values.shape)
    return Grid("terrain", frame, values, "m", illustrative=True)


def slope(fall: float) -> Any:
    return 10.0 - fall * np.arange(SIZE) + np.zeros((SIZE, 1))


def twin(z: Any, **tables: Any) -> Twin:
    return Twin(name="t", frame=FRAME, tables=tables, rasters={"terrain": terrain(z)})


def part(x: float, y: float, wide: float, deep: float) -> Any:
    return shapely.box(EAST + x, NORTH + y, EAST + x + wide, NORTH + y + deep)


def units(**shapes: Any) -> Any:
    return layer("admin_unit", list(shapes.values()), name=list(shapes))


@pytest.mark.parametrize("solver", ["inertial", "godunov"])
@pytest.mark.parametrize("fall", [0.0, 0.01])
def test_an_area_drains_over_its_outline_as_a_terrain_cut_there_over_its_edges(
    solver: Any, fall: float
) -> None:
    area = part(20, 30, 60, 50)
    z = slope(fall)
    z[:, :20] = z[:, 20:21]  # what lies upstream would else hold water back
    asked: dict[str, Any] = {"storm": STORM, "cell_m": CELL_M, "duration_s": 1200.0,
                             "solver": solver, "precision": "f64", "drain_mm_h": 3.0}  # fmt: skip
    cut = flood(twin(z), within=area, **asked)
    window = terrain(z).window(
        (EAST + 20.1, NORTH + 30.1, EAST + 79.9, NORTH + 79.9))  # fmt: skip
    alone = flood(Twin(name="t", frame=FRAME, tables={}, rasters={"terrain": window}), **asked)
    assert cut.balance["rain_m3"] == pytest.approx(60 * 50 * 0.06, rel=1e-9)
    assert cut.balance["error_rel"] <= 1e-12
    assert cut.balance["outflow_m3"] == pytest.approx(alone.balance["outflow_m3"], rel=0.03)
    assert cut.summary["edges"]["polygon"]["out_m3"] == cut.balance["outflow_m3"] > 10.0
    inside = np.isfinite(cut.field("depth_max_m").values)
    assert inside.sum() * CELL_M**2 == 60 * 50
    mine = cut.field("depth_max_m").values[inside].reshape(25, 30)
    np.testing.assert_allclose(mine, alone.field("depth_max_m").values, atol=2e-3, rtol=0.03)


def test_higher_ground_and_walls_beyond_the_outline_hold_water_in() -> None:
    z = np.full((SIZE, SIZE), 3.0)
    area = part(20, 20, 40, 40)
    z[:, 60:] = 5.0  # east of the area
    asked: dict[str, Any] = {"cell_m": CELL_M, "storm": STORM, "duration_s": 900.0,
                             "drain_mm_h": 0.0, "within": area}  # fmt: skip
    freely = flood(twin(z[:, ::-1][:, :]), **asked).balance["outflow_m3"]
    three = flood(twin(z), **asked).balance["outflow_m3"]
    wall = layer("wall", [area.exterior], type=["院墙"], height_m=[3.0])
    none = flood(twin(z, wall=wall), **asked)
    assert three < freely
    assert none.balance["outflow_m3"] == 0.0
    assert none.balance["stored_m3"] == pytest.approx(40 * 40 * 0.06, rel=1e-6)


def test_an_area_is_found_by_id_name_or_polygon_and_kept_with_the_answer() -> None:
    some = units(north=part(0, 60, 120, 60), south=part(0, 0, 120, 60))
    view = twin(slope(0.01), admin_unit=some)
    assert find_area(view, str(some.ids[1])).name == "south"
    assert find_area(view, "north").polygon.equals(part(0, 60, 120, 60))
    found = flood(view, storm=STORM, cell_m=CELL_M, duration_s=300.0, within="south")
    assert found.parameters["within"]["name"] == "south"
    assert any("in south is flooded" in note["en"] for note in found.notes)
    assert any("仅计算 south 之内" in note["zh"] for note in found.notes)
    assert found.summary["area_m2"] == pytest.approx(120 * 60)
    assert found.grid is not None
    cost = flood_cost(view, storm=STORM, cell_m=CELL_M, duration_s=300.0, within="south")
    assert cost.cells == 60 * 31  # and a row beyond


@pytest.mark.parametrize(
    ("within", "key"),
    [
        ("nowhere", "flood.within_none"),
        (shapely.LineString([(0, 0), (1, 1)]), "flood.within_shape"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "flood.within_shape"),
        (shapely.box(0, 0, 1, 1), "flood.within_outside"),
        (17, "flood.within_shape"),
    ],
)
def test_what_is_no_area_is_told(within: Any, key: str) -> None:
    view = twin(slope(0.01), admin_unit=units(north=part(0, 60, 120, 60)))
    with pytest.raises(RequestError) as caught:
        flood(view, storm=STORM, cell_m=CELL_M, within=within)
    assert caught.value.key == key
    assert "{" not in caught.value.message() + caught.value.remedy()


def test_two_areas_of_one_name_are_told_by_their_ids() -> None:
    some = layer("admin_unit", [part(0, 0, 9, 9), part(20, 0, 9, 9)], name=["same", "same"])
    with pytest.raises(RequestError) as caught:
        find_area(twin(slope(0.0), admin_unit=some), "same")
    assert caught.value.key == "flood.within_many"
    assert ", ".join(some.ids) in caught.value.remedy()
    assert find_area(twin(slope(0.0), admin_unit=some), some.ids[1]).id == some.ids[1]


def test_roofs_rain_only_as_far_as_they_lie_inside() -> None:
    houses = layer("building", [box(30, 30, 20, 20), box(90, 90, 10, 10)])
    view = twin(np.full((SIZE, SIZE), 3.0), building=houses)
    area = find_area(view, part(40, 20, 40, 40))  # half of the one house, none of the other
    site = lay_out(AreaView(view, area, CELL_M), cell_m=CELL_M, area=area)
    assert site.area_m2 == pytest.approx(40 * 40)
    assert len(site.building_ids) == 1
    assert site.ways is not None
    house_m = 20  # of the western side stands the house: no way out there
    assert len(site.ways.row) == (4 * 40 - house_m) / CELL_M
