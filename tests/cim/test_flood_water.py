"""Water on a bare grid: arrays, files, the command, and answers to bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from cim.cli._app import run
from cim.errors import FrameError, RequestError, SourceError
from cim.flood import Inflow, flood_files, run_water
from cim.flood.water_files import RASTERS


def terrain(path: Path, *, crs: str | None = "EPSG:4548", cell: float = 2.0) -> Path:
    """Write a rough slope with a building-shaped hole."""
    bed = np.random.default_rng(4).uniform(0, 0.3, (12, 15)) + np.arange(15) * 0.05
    bed[4:6, 5:8] = np.nan
    place = Affine(cell, 0, 500000.0, 0, -cell, 4300000.0) if cell > 0.01 else None
    move = place or Affine(cell, 0, 117.0, 0, -cell, 39.0)
    with rasterio.open(path, "w", driver="GTiff", height=12, width=15, count=1, dtype="float64",
                       crs=crs, transform=move, nodata=np.nan) as file:  # fmt: skip
        file.write(bed, 1)
    return path


@pytest.mark.parametrize(("solver", "order"), [("inertial", 1), ("godunov", 1), ("godunov", 2)])
@pytest.mark.parametrize("boundary", ["wall", "free"])
def test_every_cubic_metre_is_in_the_ledger(solver: Any, order: int, boundary: Any) -> None:
    bed = np.random.default_rng(0).uniform(0, 1, (20, 24))
    bed[5:8, 9:12] = np.nan
    spring = Inflow(2, 2, np.array([0.0, 20.0, 40.0]), np.array([0.0, 1.0, 0.0]))
    answer = run_water(
        bed, cell_m=2.0, duration_s=60.0, rain_ends_s=[20.0, 50.0], rain_mm_h=[100.0, 40.0],
        inflows=[spring], boundary=boundary, solver=solver, order=order, precision="f64",
    )  # fmt: skip
    assert answer.mass_error_rel <= 1e-12
    assert answer.ledger["clipped_m3"] == 0.0
    assert answer.min_depth_m >= 0.0
    open_m2 = (480 - 9) * 4.0
    fallen_m = (100.0 * 20 + 40.0 * 30) / 3.6e6
    assert answer.ledger["rain_m3"] == pytest.approx(fallen_m * open_m2, rel=1e-12)
    assert answer.ledger["inflow_m3"] == pytest.approx(20.0, rel=1e-12)
    assert (answer.ledger["outflow_m3"] > 0.0) == (boundary == "free")
    assert np.isnan(answer.depth_m[5:8, 9:12]).all()


def test_the_command_writes_rasters_gauges_and_a_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dem, out = terrain(tmp_path / "d.tif"), tmp_path / "out"
    (tmp_path / "q.csv").write_text(
        "x,y,time_s,flow_m3s\n500003,4299997,0,0.5\n500003,4299997,30,0.5\n"
    )
    (tmp_path / "g.csv").write_text("name,x,y\nlow,500003,4299997\n")
    (tmp_path / "r.csv").write_text("time_s,rain_mm_h\n0,60\n10,0\n")
    code = run(
        ["flood", "--dem", str(dem), "--inflow", str(tmp_path / "q.csv"), "--gauges",
         str(tmp_path / "g.csv"), "--rain", str(tmp_path / "r.csv"), "--solver", "godunov",
         "--order", "2", "--precision", "f64", "--duration-s", "30", "-o", str(out), "--json"]
    )  # fmt: skip
    assert code == 0
    record = json.loads(capsys.readouterr().out)
    names = ("steps", "cells", "cell_updates", "cpu_s", "mass_error_rel", "clipped_m3",
             "min_depth_m", "max_depth_m", "ledger")  # fmt: skip
    assert all(name in record for name in names)
    assert record["ledger"]["inflow_m3"] == pytest.approx(15.0, rel=1e-12)
    assert record["ledger"]["rain_m3"] == pytest.approx(60 * 10 / 3.6e6 * 174 * 4, rel=1e-12)
    for name in RASTERS:
        with rasterio.open(out / f"{name}.tif") as file:
            assert file.shape == (12, 15)
            assert file.crs.to_epsg() == 4548
    told = (out / "gauges.csv").read_text().splitlines()
    assert told[0] == "name,time_s,depth_m,level_m,speed_mps"
    assert told[-1].startswith("low,30.000,")
    assert json.loads((out / "run.json").read_text())["asked"]["order"] == 2


def test_steep_jets_leave_the_range_of_the_inertial_solver_and_still_ponds_do_not() -> None:
    steep = np.tile(np.arange(30.0)[::-1] * 1.0, (3, 1))
    options: dict[str, Any] = {"cell_m": 2.0, "duration_s": 10.0, "manning": 0.01}
    jet = run_water(steep, depth0_m=0.2, boundary="free", **options)
    assert (jet.valid == 0).any()
    assert (run_water(steep, depth0_m=0.2, solver="godunov", **options).valid == 1).all()
    assert (run_water(np.zeros((3, 30)), depth0_m=0.2, **options).valid == 1).all()


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"manning": 0.0}, "flood.manning"),
        ({"cell_m": 0.0}, "flood.cell_zero"),
        ({"duration_s": -1.0}, "flood.duration"),
        ({"depth0_m": -0.1}, "flood.depth0"),
        ({"rain_ends_s": [5.0], "rain_mm_h": [-3.0]}, "rain.depth"),
        ({"gauges": {"roof": (1, 1)}}, "flood.not_on_ground"),
        ({"inflows": [Inflow(9, 9, np.array([0.0, 1.0]), np.ones(2))]}, "flood.not_on_ground"),
        ({"solver": "magic"}, "flood.solver"),
        ({"precision": "f16"}, "flood.precision"),
    ],
)
def test_impossible_numbers_are_refused(wrong: dict[str, Any], key: str) -> None:
    bed = np.zeros((4, 4))
    bed[1, 1] = np.nan
    options: dict[str, Any] = {"cell_m": 1.0, "duration_s": 5.0, **wrong}
    with pytest.raises(RequestError) as caught:
        run_water(bed, **options)
    assert caught.value.key == key


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    degrees = terrain(tmp_path / "deg.tif", crs="EPSG:4490", cell=1e-5)
    with pytest.raises(FrameError, match="degrees"):
        flood_files(degrees, tmp_path / "o", duration_s=1.0)
    dem = terrain(tmp_path / "d.tif")
    with pytest.raises(FrameError, match="cells of the terrain"):
        flood_files(dem, tmp_path / "o", duration_s=1.0,
                    depth0=terrain(tmp_path / "h.tif", cell=1.0))  # fmt: skip
    (tmp_path / "q.csv").write_text("x,y,flow\n1,2,3\n")
    with pytest.raises(SourceError, match="lacks"):
        flood_files(dem, tmp_path / "o", duration_s=1.0, inflow=tmp_path / "q.csv")
    (tmp_path / "q.csv").write_text("x,y,time_s,flow_m3s\n1,2,0,1\n")
    with pytest.raises(RequestError, match="outside"):
        flood_files(dem, tmp_path / "o", duration_s=1.0, inflow=tmp_path / "q.csv")
    with pytest.raises(SourceError):
        flood_files(tmp_path / "none.tif", tmp_path / "o", duration_s=1.0)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--dem", "d.tif", "--return-period-a", "50"], "--return-period-a"),
        (["--dem", "d.tif", "--drains", "auto", "--cell-m", "2"], "--cell-m, --drains"),
        (["town.cim", "--gauges", "g.csv"], "--gauges"),
        (["town.cim", "--rain-mm-h", "0", "--threads", "1", "--crs", "local"], "--threads, --crs"),
        (["town.cim", "--rain-mm-h", "9", "--return-period-a", "5"], "--return-period-a"),
        (["town.cim", "--rain-mm-h", "9", "--rain", "r.csv"], "r.csv"),
        (["town.cim", "--rain", "r.csv", "--storm-min", "60"], "--storm-min"),
        (["town.cim", "--resume"], "--resume"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused_even_at_its_default(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--duration-s", "60", "-o", str(tmp_path / "out")] if "--dem" in words else []
    assert run(["flood", *words, *out]) == 2
    assert named in capsys.readouterr().err


def test_a_terrain_to_which_no_water_comes_is_an_error(tmp_path: Path) -> None:
    dem = terrain(tmp_path / "d.tif")
    with pytest.raises(RequestError, match="No water"):
        flood_files(dem, tmp_path / "out", duration_s=30.0)
    assert not (tmp_path / "out").exists()


def test_whole_millimetres_with_a_scale_are_the_terrain_in_metres(tmp_path: Path) -> None:
    path = terrain(tmp_path / "metres.tif")
    with rasterio.open(path) as file:
        bed, profile = np.round(file.read(1), 3), file.profile
    whole = tmp_path / "whole.tif"
    numbers = np.where(np.isnan(bed), -32768, np.round((bed - 1.5) * 1000)).astype(np.int16)
    with rasterio.open(whole, "w", **{**profile, "dtype": "int16", "nodata": -32768}) as file:
        file.write(numbers, 1)
        file.scales, file.offsets = (0.001,), (1.5,)
    with rasterio.open(path, "w", **profile) as file:
        file.write(bed, 1)
    deep = []
    for dem in (path, whole):
        flood_files(dem, tmp_path / dem.stem, duration_s=60.0, rain_mm_h=100.0, precision="f64")
        with rasterio.open(tmp_path / dem.stem / "depth.tif") as file:
            deep.append(file.read(1))
    np.testing.assert_allclose(deep[0], deep[1], atol=1e-6)
    assert np.nanmax(deep[0]) > 0.0


@pytest.mark.parametrize("mark", [-9999.0, -32768.0, np.inf])
def test_a_usual_mark_of_missing_cells_is_no_pit_in_the_terrain(
    tmp_path: Path, mark: float
) -> None:
    dem = terrain(tmp_path / "d.tif")
    with rasterio.open(dem) as file:
        bed, place = file.read(1), file.transform
    bed[np.isnan(bed)] = 0.3
    bed[:5, :4] = mark
    with rasterio.open(dem, "w", driver="GTiff", height=12, width=15, count=1, dtype="float64",
                       crs="EPSG:4548", transform=place) as file:  # fmt: skip
        file.write(bed, 1)
    told = flood_files(dem, tmp_path / "out", duration_s=10.0, rain_mm_h=60.0)
    assert told["closed_cells"] == 20
    assert any(f"20 cells hold {mark:g}" in note for note in told["notes"])
