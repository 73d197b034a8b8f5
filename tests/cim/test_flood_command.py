"""`cim flood` as a newcomer uses it: stopped, held against a run, answered into a folder."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.cli._app import run as cim
from cim.crs import Frame
from cim.errors import RequestError
from cim.flood import Checkpoint, design_storm, flood
from cim.jobs import Job
from cim.store import create
from tests.cim.floods import HARD, bare, dem, rough
from tests.towns import EAST, NORTH, box, layer


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("of", ["dem", "twin"])
def test_a_signal_keeps_the_run_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    of: str, how: signal.Signals,
) -> None:  # fmt: skip
    file = tmp_path / "c.npz"
    if of == "dem":
        terrain = dem(tmp_path / "d.tif", rough())
        asked = ["--dem", str(terrain), "--rain-mm-h", "60", "--duration-s", "300",
                 "-o", str(tmp_path / "o")]  # fmt: skip
    else:
        create(bare(np.full((24, 24), 3.0)), tmp_path / "p.cim")
        asked = [str(tmp_path / "p.cim"), "--storm-min", "30", "--after-min", "1"]
    words = ["flood", *asked, "--checkpoint", str(file), "--json"]
    monkeypatch.setattr("cim.cli._show._SECONDS_A_LINE", 1e9)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    step = Job.step

    def struck(self: Job, done: float, total: float, **rest: Any) -> None:
        if rest.get("what") == "flood.running" and done > 0.4 * total:
            os.kill(os.getpid(), how)
        step(self, done, total, **rest)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(Job, "step", struck)
            assert cim(words) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["key"] == "flood.kept" and str(file) in told["message"]
    assert "--resume" in told["remedy"] and file.exists()
    assert cim([*words, "--resume"]) == 0
    assert any(str(file) in note for note in json.loads(capsys.readouterr().out)["notes"])
    assert not file.exists()


def test_a_checkpoint_in_a_folder_that_is_not_there_is_refused_before_the_run(
    tmp_path: Path,
) -> None:
    with pytest.raises(RequestError, match="not there"):
        Checkpoint(tmp_path / "none" / "c.npz")


def test_a_run_of_another_storm_is_refused_before_the_flood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = tmp_path / "p.cim"
    create(bare(np.full((24, 24), 3.0)), twin)
    words = ["flood", str(twin), "--storm-min", "30", "--after-min", "0", "--json"]
    assert cim([*words, "--bounds", *map(str, (EAST, NORTH, EAST + 24, NORTH + 24))]) == 0
    first = json.loads(capsys.readouterr().out)["run"]
    assert cim([*words, "--boundary", "wall"]) == 0
    walled = json.loads(capsys.readouterr().out)["run"]
    assert cim([*words, "--against", first]) == 0
    capsys.readouterr()
    runs = sorted(path.name for path in (twin / "runs").iterdir())

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the flood was run")

    monkeypatch.setattr("cim.flood.run.march", never)
    half = ["--bounds", *map(str, (EAST, NORTH, EAST + 12, NORTH + 12))]
    for run, more, says in (
        (first, ["--return-period-a", "20"], "return_period_a 50"),
        (first, ["--after-min", "5"], "2100"),
        (first, ["--cell-m", "4"], "4"),
        (first, half, "12 × 12"),
        (walled, [], "wall"),
    ):
        assert cim([*words, *more, "--against", run]) == 2
        told = json.loads(capsys.readouterr().out)["error"]
        assert told["key"] == "flood.worth" and says in told["message"], told["message"]
        assert "{" not in told["message"]
    assert sorted(path.name for path in (twin / "runs").iterdir()) == runs


def test_a_comparison_across_versions_of_the_twin_says_so() -> None:
    view = bare(np.full((24, 24), 3.0))
    options: dict[str, Any] = {"storm": HARD, "duration_s": 60.0}
    first = flood(view, **options)
    same = flood(view, against=first, **options)
    later = flood(replace(view, version=2), against=first, **options)
    assert later.notes != same.notes
    (note,) = [note for note in later.notes if note not in same.notes]
    assert "1 / 2" in note["en"] and "1 / 2" in note["zh"] and "版本" in note["zh"]


def test_results_in_a_folder_are_replaced_only_where_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terrain, out = dem(tmp_path / "d.tif", rough()), tmp_path / "o"
    words = ["flood", "--dem", str(terrain), "--rain-mm-h", "60", "-o", str(out), "--json"]
    assert cim([*words, "--duration-s", "30"]) == 0
    capsys.readouterr()
    before = (out / "run.json").read_bytes()
    assert cim([*words, "--duration-s", "60"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["key"] == "flood.out_taken"
    assert (out / "run.json").read_bytes() == before
    assert cim([*words, "--duration-s", "60", "--replace"]) == 0
    assert json.loads((out / "run.json").read_text())["asked"]["duration_s"] == 60.0


def test_what_the_terrain_does_not_carry_is_left_out_by_name() -> None:
    z = np.full((40, 40), 3.0)
    z[:20, 20:] = np.nan  # 400 m² in the north-east
    houses = layer("building", [box(5, 5, 6, 6), box(60, 5, 6, 6), box(26, 30, 4, 4),
                                box(12, 28, 10, 4)])  # fmt: skip
    told = flood(bare(z, building=houses), storm=HARD, cell_m=1.0, duration_s=60.0)
    off = {str(houses.ids[1]), str(houses.ids[2])}  # beyond; over the hole; the last half over it
    reason = "building outside the terrain"
    assert {one["id"] for one in told.summary["left_out"] if one["reason"] == reason} == off
    assert {"id": "terrain", "reason": "400 m² of terrain missing"} in told.summary["left_out"]
    assert any("building outside the terrain (2)" in note["en"] for note in told.notes)
    assert any("建筑不在地形范围内 (2)" in note["zh"] for note in told.notes)
    assert any("400 平方米地形缺失" in note["zh"] for note in told.notes)
    part = flood(bare(z, building=houses), storm=HARD, cell_m=1.0, duration_s=60.0,
                 within=box(0, 0, 18, 40))  # fmt: skip
    assert part.summary["left_out"] == []


def test_nothing_is_said_of_floors_nobody_knows() -> None:
    z = np.full((20, 20), 3.0)
    z[6:14, 6:14] = 2.0
    house = layer("building", [box(8, 8, 4, 4)])
    floors = flood(bare(z, building=house), storm=HARD, cell_m=1.0, duration_s=900.0).summary
    assert "buildings_entered" not in floors
    floors = floors["floors"]
    assert (floors["floors_known"], floors["entered_with_known_floor"]) == (0, None)
    assert floors["entered"] == floors["entered_with_assumed_floor"] == 1


@pytest.mark.parametrize(
    ("crs", "origin", "km"),
    [("EPSG:4548", (EAST, NORTH), None), ("EPSG:32648", (412_000.0, 3_392_000.0), 1500)],
)
def test_a_storm_of_tianjin_says_so_and_cautions_far_away(
    crs: str, origin: tuple[float, float], km: float | None
) -> None:
    view = bare(np.full((24, 24), 3.0))
    ground = view.rasters["terrain"]
    there = replace(ground.frame, west=origin[0], north=origin[1] + 24.0)
    view = replace(view, frame=Frame(crs, view.frame.height_datum, origin),
                   rasters={"terrain": replace(ground, frame=there)})  # fmt: skip
    storm = design_storm(return_period_a=50, duration_min=30)
    told = flood(view, storm=storm, duration_s=60.0)
    assert "design storm of Tianjin, once in 50 years" in told.titles["en"]
    assert "天津设计暴雨：50 年一遇" in told.titles["zh"]
    cautions = [note for note in told.notes if note["en"].startswith("CAUTION")]
    assert bool(cautions) == (km is not None)
    if km is not None:
        away = float(cautions[0]["en"].split(" km")[0].split()[-1])
        assert away == pytest.approx(km, rel=0.02)  # Tianjin to Chengdu
        assert "注意" in cautions[0]["zh"] and told.notes[0] is cautions[0]
        own = flood(view, storm=HARD, duration_s=60.0)
        assert not any("CAUTION" in note["en"] for note in own.notes)


def test_even_rain_falls_on_a_twin_and_what_is_refused_names_the_ways_to_give_rain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(bare(np.full((24, 24), 3.0)), tmp_path / "p.cim")
    words = ["flood", str(tmp_path / "p.cim"), "--rain-mm-h", "60", "--storm-min", "10",
             "--after-min", "0", "--json"]  # fmt: skip
    assert cim(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["balance"]["rain_m3"] == pytest.approx(0.010 * 576, rel=1e-5)
    assert not any("Tianjin" in note for note in told["notes"] if "CAUTION" in note)
    assert cim([*words, "--duration-s", "60"]) == 2
    remedy = json.loads(capsys.readouterr().out)["error"]["remedy"]
    assert all(way in remedy for way in ("--rain-mm-h", "--rain storm.csv", "--after-min"))


def test_a_flood_of_bare_ground_is_short_on_the_screen_and_whole_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(bare(np.full((24, 24), 3.0)), tmp_path / "p.cim")
    words = ["flood", str(tmp_path / "p.cim"), "--storm-min", "30", "--after-min", "0"]
    assert cim(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    shown = {line.split(":")[0].strip() for line in lines if line.startswith("  ")}
    absent = {"streets", "floors", "people", "underground", "left_out"}
    assert not absent & shown and {"ponding", "danger", "max_depth_m"} <= shown
    assert cim([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert absent <= set(told["summary"]) and len(told["summary"]["rules"]) > 5
    text = " ".join(" ".join(lines).split())
    assert all(note in text for note in told["notes"][:5])  # broken, not cut
