"""A flood that was stopped goes on to the same bits, or says why not."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely

from cim.cli._app import run as cim
from cim.errors import CancelledError, RequestError, SimulationError
from cim.flood import Border, Checkpoint, flood, run_water
from tests.cim.floods import HARD, SOLVERS, bare, dem, rough, stopping
from tests.towns import EAST, NORTH, box, layer, town


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
