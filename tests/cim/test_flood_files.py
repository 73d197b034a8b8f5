"""Floods of files and bad input, on both paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.cli._app import run as cim
from cim.errors import FrameError, RequestError
from cim.flood import Border, even_storm, flood, flood_files
from cim.store import create
from tests.cim.floods import HARD, bare, dem, rough, write
from tests.towns import EAST, NORTH, layer, town


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
