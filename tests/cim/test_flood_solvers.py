"""One step for every solver, edges, thin walls, buildings, cost, checkpoints: twins and grids."""

from __future__ import annotations

import csv
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from cim.cli._app import run as cim
from cim.errors import CancelledError, FrameError, RequestError, SimulationError, SourceError
from cim.flood import Border, Checkpoint, even_storm, flood, flood_cost, flood_files, run_water
from cim.flood.cost import memory_mb
from cim.flood.engine import Engine, Numerics
from cim.flood.ground import lay_out
from cim.flood.thin_walls import crossings
from cim.jobs import Job, Progress
from cim.model import Grid, GridFrame, Twin
from cim.model.kinds import Field
from cim.store import create
from tests.towns import EAST, FRAME, NORTH, box, layer, town

HARD = even_storm(depth_mm=100, duration_min=10)
SOLVERS = pytest.mark.parametrize(("solver", "order"), [("inertial", 1), ("godunov", 1),
                                                         ("godunov", 2)])  # fmt: skip


def bare(values: Any, *, cell_m: float = 1.0, **tables: Any) -> Twin:
    z = np.asarray(values, np.float32)
    frame = GridFrame(EAST, NORTH + z.shape[0] * cell_m, cell_m, *z.shape)
    grid = Grid("terrain", frame, z, "m", illustrative=True)
    return Twin(name="bare", frame=FRAME, tables=tables, rasters={"terrain": grid})


def rough(rows: int = 20, cols: int = 24) -> np.ndarray:
    bed = np.random.default_rng(0).uniform(0, 1, (rows, cols))
    bed[5:8, 9:12] = np.nan
    return bed


# ---------------------------------------------------------------- one seam, both solvers
@SOLVERS
@pytest.mark.parametrize("precision", ["f32", "f64"])
def test_a_twin_floods_with_every_solver_and_its_balance_closes(
    solver: Any, order: int, precision: Any
) -> None:
    view = town(size_m=60, houses=2)
    found = flood(view, storm=HARD, duration_s=600.0, solver=solver, order=order,
                  precision=precision)  # fmt: skip
    assert found.balance["error_rel"] < {"f32": 1e-6, "f64": 1e-12}[precision]
    assert found.balance["clipped_m3"] == 0.0
    assert found.balance["rain_m3"] == pytest.approx(360.0, rel=1e-6)
    assert found.summary["max_depth_m"] > 0.03
    scheme = "local inertial" if solver == "inertial" else solver
    assert found.parameters["solver"]["scheme"] == scheme


def test_both_solvers_tell_the_same_story_of_a_pond() -> None:
    x = np.linspace(-1, 1, 30)
    bowl = bare(3.0 + np.add.outer(x**2, x**2))
    options: dict[str, Any] = {"storm": HARD, "duration_s": 1200.0, "cell_m": 1.0,
                               "drain_mm_h": 0.0}  # fmt: skip
    one = flood(bowl, **options)
    two = flood(bowl, solver="godunov", order=2, **options)
    difference = one.field("depth_m").values[-1] - two.field("depth_m").values[-1]
    assert np.abs(difference).max() < 0.02
    assert one.field("depth_m").values[-1].max() > 0.1


def test_a_steep_street_is_outside_the_range_of_the_inertial_solver_and_says_so() -> None:
    slope = np.tile(3.0 + 0.5 * np.arange(40.0)[::-1], (6, 1))
    storm = even_storm(depth_mm=400, duration_min=5)
    options: dict[str, Any] = {"storm": storm, "cell_m": 1.0, "duration_s": 300.0,
                               "manning": 0.012, "drain_mm_h": 0.0}  # fmt: skip
    steep = flood(bare(slope), borders=[Border("wall"), Border("free", "east")], **options)
    right = flood(bare(slope), solver="godunov", order=2, **options)
    # 400 mm in 5 min on 40 m: a film of 5 cm and more where it leaves, far above Froude 1.
    assert steep.summary["wet_area_outside_range_m2"] > 0.0
    assert (steep.field("valid").values == 0).any()
    assert (right.field("valid").values == 1).all()


def test_there_is_no_third_solver() -> None:
    for wrong in ({"solver": "magic"}, {"order": 3}, {"precision": "f16"}):
        with pytest.raises(RequestError):
            flood(town(size_m=40, houses=1), storm=HARD, **wrong)


# ---------------------------------------------------------------- edges
@SOLVERS
def test_each_edge_has_its_own_line_in_the_ledger(solver: Any, order: int) -> None:
    tide = Border("stage", "west", times_s=np.array([0.0, 300.0]), values=np.array([1.2, 0.3]),
                  name="tide")  # fmt: skip
    inflow = Border("discharge", "north", start=2, stop=6, values=np.array([0.8]))
    away = Border("normal", "east", values=np.array([0.01]))
    found = run_water(rough(), cell_m=2.0, duration_s=300.0, depth0_m=0.3, precision="f64",
                      boundary=[tide, inflow, away], solver=solver, order=order)  # fmt: skip
    assert found.mass_error_rel <= 1e-12
    assert found.edges["discharge north"]["in_m3"] == pytest.approx(0.8 * 300.0, rel=1e-9)
    assert found.edges["tide"]["in_m3"] > 0.0
    assert found.edges["tide"]["out_m3"] > 0.0
    assert found.edges["normal east"]["out_m3"] > 0.0
    came = sum(one["in_m3"] for one in found.edges.values())
    went = sum(one["out_m3"] for one in found.edges.values())
    assert found.ledger["edge_in_m3"] == pytest.approx(came, rel=1e-12)
    assert found.ledger["outflow_m3"] == pytest.approx(went, rel=1e-9)


def test_a_river_at_the_edge_floods_a_twin_to_its_level() -> None:
    river = [Border("wall"), Border("stage", "south", values=np.array([3.6]))]
    dry = even_storm(depth_mm=0.001, duration_min=1)
    found = flood(bare(np.full((20, 20), 3.0)), storm=dry, cell_m=1.0, duration_s=1800.0,
                  borders=river, drain_mm_h=0.0, manning=0.05)  # fmt: skip
    assert found.field("depth_m").values[-1] == pytest.approx(np.full((20, 20), 0.6), abs=0.01)
    assert found.balance["error_rel"] < 1e-6
    crossed = found.summary["edges"]["stage south"]
    assert crossed["in_m3"] - crossed["out_m3"] == pytest.approx(0.6 * 400, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (lambda: Border("lake"), "flood.border_kind"),
        (lambda: Border("wall", "up"), "flood.border_side"),
        (lambda: Border("stage", "west"), "flood.border_values"),
        (lambda: Border("stage", "west", values=np.array([np.nan])), "flood.border_values"),
        (lambda: Border("stage", "west", times_s=np.array([5.0, 1.0]), values=np.ones(2)),
         "flood.border_values"),
        (lambda: Border("normal", "west", values=np.array([-1.0])), "flood.border_slope"),
        (lambda: Border("rating", "west", times_s=np.arange(2.0), values=np.array([2.0, 1.0])),
         "flood.border_rating"),
    ],
)  # fmt: skip
def test_a_border_that_cannot_be_is_refused(wrong: Any, key: str) -> None:
    with pytest.raises(RequestError) as caught:
        wrong()
    assert caught.value.key == key


def test_a_border_without_an_open_cell_is_refused() -> None:
    bed = np.zeros((4, 4))
    bed[:, 0] = np.nan
    with pytest.raises(RequestError) as caught:
        run_water(bed, cell_m=1.0, duration_s=1.0,
                  boundary=[Border("discharge", "west", values=np.ones(1))])  # fmt: skip
    assert caught.value.key == "flood.border_nowhere"


# ---------------------------------------------------------------- walls
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


# ---------------------------------------------------------------- buildings
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


def test_what_is_due_is_done_at_the_end_of_a_run_of_any_length() -> None:
    steep = bare(np.tile(3.0 + 0.3 * np.arange(20.0), (20, 1)))
    storm = even_storm(depth_mm=600, duration_min=1)
    short = flood(steep, storm=storm, cell_m=1.0, duration_s=29.0, borders=[Border("wall")])
    assert short.field("speed_max_mps").values.max() > 1.0
    zones = (np.zeros((20, 20), np.int64), [storm])
    even, zoned = (
        flood(steep, storm=storm, cell_m=1.0, duration_s=25.0, borders=[Border("wall")], **more)
        for more in ({}, {"zones": zones})
    )
    assert zoned.balance["rain_m3"] == pytest.approx(even.balance["rain_m3"], rel=1e-6)


# ---------------------------------------------------------------- cost and memory
@SOLVERS
@pytest.mark.parametrize("ground", ["bowl", "plane"])
def test_the_steps_of_a_run_are_told_within_a_factor_of_two(
    solver: Any, order: int, ground: str
) -> None:
    x = np.linspace(-1, 1, 80)
    bed = np.add.outer(x**2, x**2) if ground == "bowl" else np.add.outer(0 * x, 3 * x)
    view = bare(3.0 + bed, cell_m=2.0)
    options: dict[str, Any] = {"storm": HARD, "cell_m": 2.0, "duration_s": 900.0,
                               "solver": solver, "order": order}  # fmt: skip
    told = flood_cost(view, **options)
    steps = flood(view, **options).summary["time_steps"]
    assert told.cells == 80 * 80
    assert steps / 2 < told.steps < steps * 2


def test_a_terrain_larger_than_the_machine_is_refused_before_the_start(tmp_path: Path) -> None:
    # 2,000,000 by 2,000,000 cells in a file of a few bytes: never read.
    path = tmp_path / "huge.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="2000000" rasterYSize="2000000"><SRS>EPSG:4548</SRS>'
        "<GeoTransform>500000,2,0,4300000,0,-2</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"/></VRTDataset>',
        encoding="utf-8",
    )
    with pytest.raises(RequestError) as caught:
        flood_files(path, tmp_path / "o", duration_s=10.0, rain_mm_h=10.0)
    assert caught.value.key == "flood.memory"
    assert memory_mb(10**6, Numerics()) < memory_mb(10**6, Numerics("godunov", 2, "f64"))


# ---------------------------------------------------------------- checkpoints
def stopping(share: float) -> Job:
    job = Job()

    def listen(step: Progress) -> None:
        if step.what == "flood.running" and step.share >= share:
            job.cancel()

    job.listen = listen
    return job


@SOLVERS
def test_a_stopped_run_goes_on_to_the_same_bits(solver: Any, order: int, tmp_path: Path) -> None:
    tide = Border("stage", "west", times_s=np.linspace(0, 300, 7), values=np.linspace(1, 0.2, 7))
    options: dict[str, Any] = {
        "cell_m": 2.0, "duration_s": 300.0, "rain_ends_s": [100.0], "rain_mm_h": [80.0],
        "boundary": [tide, Border("free", "east")], "solver": solver, "order": order,
        "gauges": {"a": (2, 3)}, "depth0_m": 0.2,
    }  # fmt: skip
    whole = run_water(rough(), **options)
    file = tmp_path / "c.npz"
    with pytest.raises(CancelledError):
        run_water(rough(), checkpoint=Checkpoint(file), job=stopping(0.4), **options)
    assert file.exists()
    with pytest.raises(RequestError, match="another question"):
        run_water(rough(), checkpoint=Checkpoint(file, resume=True), **{**options, "cell_m": 3.0})
    again = run_water(rough(), checkpoint=Checkpoint(file, resume=True), **options)
    assert not file.exists()
    for name in ("depth_m", "depth_max_m", "time_of_max_s", "arrival_s", "duration_15cm_s",
                 "speed_max_mps", "hazard_max_m2_s", "valid"):  # fmt: skip
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert again.ledger == whole.ledger
    assert (again.steps, again.gauges, again.edges) == (whole.steps, whole.gauges, whole.edges)


def test_a_stopped_flood_of_a_twin_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    pump = layer("hydraulic_structure", [shapely.Point(EAST + 30, NORTH + 30)], type=["pump"],
                 capacity_m3_s=[0.05])  # fmt: skip
    green = layer("green", [box(0, 0, 30, 30)])
    view = replace(town(size_m=60, houses=2))
    view = replace(view, tables={**view.tables, "hydraulic_structure": pump, "green": green})
    options: dict[str, Any] = {"storm": HARD, "duration_s": 1200.0, "infiltration": "green_ampt"}
    whole = flood(view, **options)
    file = tmp_path / "c.npz"
    with pytest.raises(CancelledError):
        flood(view, checkpoint=Checkpoint(file), job=stopping(0.5), **options)
    again = flood(view, checkpoint=Checkpoint(file, resume=True), **options)
    for one, two in zip(whole.fields, again.fields, strict=True):
        np.testing.assert_array_equal(one.values, two.values, err_msg=one.name)
    assert again.balance == whole.balance
    assert again.summary == whole.summary


def test_a_checkpoint_of_another_map_of_zones_is_refused(tmp_path: Path) -> None:
    view, file = bare(np.full((24, 24), 3.0)), tmp_path / "c.npz"
    west = np.where(np.arange(24) < 12, 0, -1) * np.ones((24, 1), np.int64)
    options: dict[str, Any] = {"storm": HARD, "duration_s": 1200.0, "cell_m": 1.0}
    with pytest.raises(CancelledError):
        flood(view, checkpoint=Checkpoint(file), job=stopping(0.5), zones=(west, [HARD]), **options)
    east = west[:, ::-1].copy()
    with pytest.raises(RequestError) as caught:
        flood(view, checkpoint=Checkpoint(file, resume=True), zones=(east, [HARD]), **options)
    assert caught.value.key == "flood.other_checkpoint"


def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"cell_m": 1.0, "duration_s": 1.0, "depth0_m": 0.1}
    for content in (None, b"no checkpoint", b"PK\x03\x04 nor this"):
        file = tmp_path / "c.npz"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(RequestError) as caught:
            run_water(np.zeros((3, 3)), checkpoint=Checkpoint(file, resume=True), **options)
        missing = "flood.checkpoint_missing" if content is None else "flood.no_checkpoint"
        assert caught.value.key == missing


@SOLVERS
def test_water_that_runs_away_stops_says_where_and_keeps_the_last_checkpoint(
    solver: Any, order: int, tmp_path: Path
) -> None:
    file = tmp_path / "c.npz"
    flood_of_stone = {"rain_ends_s": [600.0, 700.0], "rain_mm_h": [10.0, 1e45]}
    with pytest.raises(SimulationError, match="row") as caught:
        run_water(np.zeros((6, 6)), cell_m=1.0, duration_s=700.0, solver=solver, order=order,
                  checkpoint=Checkpoint(file, every_s=0.0), **flood_of_stone)  # fmt: skip
    assert caught.value.key == "flood.not_finite"
    with np.load(file) as kept:
        assert 400.0 <= float(kept["t_s"]) < 700.0
        assert np.isfinite(kept["engine/now_depth"]).all()


# ---------------------------------------------------------------- the command and its files
def dem(path: Path, values: Any, *, crs: str | None = "EPSG:4548", cell: float = 2.0,
        west: float = 500000.0, north: float = 4300000.0) -> Path:  # fmt: skip
    z = np.asarray(values, float)
    with rasterio.open(path, "w", driver="GTiff", height=z.shape[0], width=z.shape[1], count=1,
                       dtype="float64", crs=crs, nodata=np.nan,
                       transform=Affine(cell, 0, west, 0, -cell, north)) as file:  # fmt: skip
        file.write(z, 1)
    return path


def write(path: Path, *rows: tuple[Any, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_boundary_file_brings_a_tide_a_discharge_and_a_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terrain = dem(tmp_path / "d.tif", np.zeros((20, 20)))
    write(tmp_path / "tide.csv", ("time_s", "level_m"), (0, 0.2), (600, 0.5))
    write(tmp_path / "curve.csv", ("level_m", "flow_m3s"), (0, 0), (1, 3))
    edges = write(
        tmp_path / "edges.csv",
        ("side", "kind", "value", "series", "from", "to", "name", "datum"),
        ("west", "stage", "", "tide.csv", "", "", "sea", "EPSG:5737"),
        ("north", "discharge", 0.4, "", 500010, 500020, "", ""),
        ("east", "rating", "", "curve.csv", "", "", "", ""),
    )
    words = ["flood", "--dem", str(terrain), "--boundary", str(edges), "--duration-s", "600",
             "-o", str(tmp_path / "o"), "--json", "--precision", "f64"]  # fmt: skip
    assert cim([*words, "--height-datum", "cgvd1985"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["edges"]["discharge north"]["in_m3"] == pytest.approx(240.0, rel=1e-9)
    assert record["edges"]["sea"]["in_m3"] > 0.0
    assert record["edges"]["rating east"]["out_m3"] > 0.0
    assert record["mass_error_rel"] <= 1e-12
    assert cim([*words, "--height-datum", "dagu"]) != 0
    assert "dagu" in capsys.readouterr().err
    assert cim(words) != 0
    assert "not known" in capsys.readouterr().err


def test_a_terrain_whose_unit_is_not_known_is_metres_only_aloud(tmp_path: Path) -> None:
    flat = np.zeros((4, 4))
    options: dict[str, Any] = {"duration_s": 10.0, "rain_mm_h": 50.0}
    aloud = flood_files(dem(tmp_path / "a.tif", flat, crs=None), tmp_path / "o", **options)
    assert "no coordinate system" in aloud["notes"][0]
    said = flood_files(dem(tmp_path / "a.tif", flat, crs=None), tmp_path / "p", crs="local",
                       **options)  # fmt: skip
    assert said["notes"] == []
    degrees = dem(tmp_path / "b.tif", flat, crs=None, cell=1e-4, west=117.2, north=39.1)
    with pytest.raises(FrameError, match="degrees"):
        flood_files(degrees, tmp_path / "o", **options)
    with pytest.raises(FrameError, match="metres"):
        flood_files(dem(tmp_path / "f.tif", flat, crs="EPSG:2263"), tmp_path / "o", **options)
    with pytest.raises(FrameError):
        flood_files(dem(tmp_path / "c.tif", flat), tmp_path / "o", crs="EPSG:4547", **options)


def test_the_cost_of_a_terrain_file_is_told_without_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terrain = dem(tmp_path / "d.tif", rough(60, 60))
    words = ["flood", "--dem", str(terrain), "--rain-mm-h", "60", "--duration-s", "600"]
    assert cim([*words, "--cost", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["cost"]
    assert told["cells"] == 3600
    assert told["minutes"] > 0.0
    assert cim([*words, "-o", str(tmp_path / "o"), "--json"]) == 0
    ran = json.loads(capsys.readouterr().out)
    assert told["steps"] == pytest.approx(ran["steps"], rel=1.0)
    assert told["steps"] > ran["steps"] / 2


# ---------------------------------------------------------------- bad input, both paths
BAD_TWIN: list[tuple[dict[str, Any], str]] = [
    ({"manning": 0.0}, "flood.manning"),
    ({"cell_m": 0.0}, "flood.cell_size"),
    ({"duration_s": -5.0}, "flood.duration"),
    ({"drain_mm_h": -1.0}, "flood.drain"),
    ({"buildings": "tents"}, "flood.buildings"),
    ({"borders": [Border("discharge", "north", start=900, values=np.ones(1))]},
     "flood.border_nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "key"), BAD_TWIN)
def test_a_twin_refuses_what_makes_no_sense(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(RequestError) as caught:
        flood(town(size_m=40, houses=1), storm=HARD, **wrong)
    assert caught.value.key == key


def test_negative_rain_is_refused_on_both_paths(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        even_storm(depth_mm=-5, duration_min=10)
    terrain = dem(tmp_path / "d.tif", np.zeros((4, 4)))
    rain = write(tmp_path / "r.csv", ("time_s", "rain_mm_h"), (0, -60), (60, 0))
    for more in ({"rain_mm_h": -1.0}, {"rain": rain}):
        with pytest.raises(RequestError) as caught:
            flood_files(terrain, tmp_path / "o", duration_s=10.0, **more)
        assert caught.value.key == "rain.depth"


def test_holes_in_the_terrain_stay_dry_on_both_paths(tmp_path: Path) -> None:
    z = np.full((12, 12), 3.0)
    z[4:7, 4:7] = np.nan
    found = flood(bare(z), storm=HARD, cell_m=1.0, duration_s=300.0)
    assert np.isnan(found.field("depth_max_m").values[4:7, 4:7]).all()
    assert found.balance["error_rel"] < 1e-6
    record = flood_files(dem(tmp_path / "d.tif", z), tmp_path / "o", duration_s=300.0,
                         rain_mm_h=100.0, precision="f64")  # fmt: skip
    assert (record["closed_cells"], record["cells"]) == (9, 135)
    assert record["mass_error_rel"] <= 1e-12
    q = write(tmp_path / "q.csv", ("x", "y", "time_s", "flow_m3s"), (500011, 4299989, 0, 1))
    with pytest.raises(RequestError, match="outside"):
        flood_files(tmp_path / "d.tif", tmp_path / "p", duration_s=9.0, inflow=q)


def test_own_rain_falls_on_a_twin_and_a_run_is_held_against_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pond = np.full((24, 24), 3.0)
    pond[8:16, 8:16] = 2.5
    pump = layer("hydraulic_structure", [shapely.Point(EAST + 12, NORTH + 12)], type=["pump"],
                 capacity_m3_s=[0.02])  # fmt: skip
    create(bare(pond, hydraulic_structure=pump), tmp_path / "p.cim")
    rain = write(tmp_path / "r.csv", ("time_s", "rain_mm_h"), (0, 60), (600, 0))
    words = ["flood", str(tmp_path / "p.cim"), "--rain", str(rain), "--after-min", "5", "--json",
             "--boundary", "wall", "--solver", "godunov", "--order", "2"]  # fmt: skip
    assert cim(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["balance"]["rain_m3"] == pytest.approx(0.01 * 576, rel=1e-5)
    assert cim([*words, "--against", first["run"]]) == 0
    assert json.loads(capsys.readouterr().out)["worth"]["volume_m3"]["stored_m3"] == 0.0
    endless = write(tmp_path / "e.csv", ("time_s", "rain_mm_h"), (0, 60))
    assert cim(["flood", str(tmp_path / "p.cim"), "--rain", str(endless)]) != 0
    assert "no end" in capsys.readouterr().err


def test_the_command_keeps_a_run_and_goes_on_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terrain, file = dem(tmp_path / "d.tif", rough()), tmp_path / "c.npz"
    words = ["flood", "--dem", str(terrain), "--rain-mm-h", "60", "--duration-s", "300", "--json"]
    assert cim([*words, "-o", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    kept = [*words, "-o", str(tmp_path / "b"), "--checkpoint", str(file)]
    assert cim([*kept, "--resume"]) == 2
    assert "no checkpoint" in capsys.readouterr().err
    with monkeypatch.context() as patched:  # as ctrl-c: the job of the command is cancelled
        patched.setattr("cim.cli._show.progress", lambda: nullcontext(stopping(0.5)))
        assert cim(kept) != 0
    assert file.exists()
    assert cim([*kept, "--resume"]) == 0
    assert not file.exists()
    for name in ("depth", "depth_max", "speed_max", "hazard_max"):
        with (
            rasterio.open(tmp_path / "a" / f"{name}.tif") as one,
            rasterio.open(tmp_path / "b" / f"{name}.tif") as two,
        ):
            np.testing.assert_array_equal(one.read(1), two.read(1))


def test_a_spring_puts_in_what_it_says_and_the_engine_says_where_it_is_deepest() -> None:
    engine = Engine(np.zeros((4, 5)), cell_m=2.0, numerics=Numerics(), manning=0.03)
    assert engine.pour(1, 3, 2.0) == pytest.approx(2.0, rel=1e-12)
    assert engine.ran_away_at() == (1, 3)
    assert engine.stored_m3() == pytest.approx(2.0, rel=1e-12)


def test_a_table_that_lacks_a_number_is_named(tmp_path: Path) -> None:
    terrain = dem(tmp_path / "d.tif", np.zeros((4, 4)))
    edges = write(tmp_path / "e.csv", ("side", "kind", "value"), ("west", "stage", "high"))
    with pytest.raises(SourceError, match="high"):
        flood_files(terrain, tmp_path / "o", duration_s=10.0, boundary=str(edges))
