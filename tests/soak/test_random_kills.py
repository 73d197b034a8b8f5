"""Twenty kill -9 at random moments: the twin stays whole, nothing acknowledged is lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.errors import StoreError
from cim.store import open_run, open_twin
from tests.cim.test_store_kills import still_works, whole
from tests.soak.writer import SIZE_M, State, after, seen
from tests.towns import town

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20
SEED = 20261124
MOST_ACTS = 12
LONGEST_S = 0.12


def test_twenty_random_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path, dice = tmp_path / "killed.cim", random.Random(SEED)
    state: State | None = None
    acknowledged, sides = 0, {"old": 0, "new": 0, "idle": 0}
    print("\nkill  late_s  done  in flight  found  version  houses  runs")
    for kill in range(1, KILLS + 1):
        diary = tmp_path / f"diary{kill}.jsonl"
        acts, late_s = dice.randint(0, MOST_ACTS), dice.uniform(0.0, LONGEST_S)
        _run_and_kill(path, diary, seed=kill, acts=acts, late_s=late_s)
        done, flying = _read(diary)
        assert len(done) >= acts
        for work in done:
            state = after(state or State(), work)
        side, state = _settled(path, state, flying)
        acknowledged += len(done)
        sides[side] += 1
        if state is not None:
            _check_whole(path, state)
        version = open_twin(path).version if state else 0
        print(f"{kill:4d}  {late_s:6.3f}  {len(done):4d}  {flying['op'] if flying else '-':9s}"
              f"  {side:5s}  {version:7d}  {len(state.houses) if state else 0:6d}"
              f"  {len(state.runs) if state else 0:4d}")  # fmt: skip
    print(f"{KILLS} kills, {acknowledged} acknowledged, none lost; the work in flight: {sides}")
    assert acknowledged >= KILLS and sides["old"] + sides["new"] > 0
    still_works(path)


def _run_and_kill(path: Path, diary: Path, *, seed: int, acts: int, late_s: float) -> None:
    """Start a writer of its own; kill it `late_s` after its acknowledgement number `acts`."""
    command = [sys.executable, "-m", "tests.soak.writer", str(path), str(diary), str(seed)]
    errors = diary.with_suffix(".err")
    with errors.open("w") as told, subprocess.Popen(command, cwd=ROOT, stderr=told) as writer:
        try:
            until = time.monotonic() + 120
            while not diary.exists() or diary.read_bytes().count(b"\n") < 1 + 2 * acts:
                assert writer.poll() is None and time.monotonic() < until, errors.read_text()
                time.sleep(0.003)
            time.sleep(late_s)
            assert writer.poll() is None, f"the writer fell by itself: {errors.read_text()}"
        finally:
            writer.kill()
            writer.wait()


def _read(diary: Path) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return what was acknowledged, and what was under way; a torn last line said nothing."""
    done: list[dict[str, Any]] = []
    flying: dict[str, Any] | None = None
    for line in diary.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if "begin" in record:
            flying = record["begin"]
        elif "done" in record:
            assert flying is not None
            done.append(flying)
            flying = None
    return done, flying


def _settled(
    path: Path, state: State | None, flying: dict[str, Any] | None
) -> tuple[str, State | None]:
    """Tell which side of the work in flight the twin is on; anything between is a defect."""
    try:
        found: State | None = seen(path)
    except StoreError as error:
        assert state is None and error.key in ("store.no_twin", "store.unfinished"), error
        found = None
    if flying is not None and found == after(state or State(), flying):
        return "new", found
    assert found == state, f"neither before nor after {flying}:\n{found}\nexpected {state}"
    return ("old" if flying is not None else "idle"), found


def _check_whole(path: Path, state: State) -> None:
    whole(path)
    for run in open_twin(path).runs()[-3:]:
        result = open_run(path, run["run"])
        assert np.all(result.fields[0].values == result.summary["mark"])
        assert result.titles["en"] in state.runs
    assert open_twin(path).grid("terrain").values.shape == (SIZE_M, SIZE_M)


def test_the_writer_knows_what_its_work_leaves(tmp_path: Path) -> None:
    """The account itself is checked: a wrong one would find no defect."""
    from tests.soak.writer import perform

    path, state = tmp_path / "a.cim", State()
    gone = str(town(houses=9, size_m=SIZE_M).table("building").ids[0])
    changed = str(town(houses=9, size_m=SIZE_M).table("building").ids[1])
    works: list[dict[str, Any]] = [
        {"op": "build", "houses": 9},
        {"op": "edit", "edits": [["remove", gone, ""], ["dig", "", ""], ["add", "bld-n", "新"]]},
        {"op": "run", "mark": 7},
        {"op": "scheme", "name": "plan", "why": "so"},
        {"op": "edit", "edits": [["change", changed, "改"], ["dig", "", ""]]},
        {"op": "build", "houses": 4},
    ]
    for work in works:
        before = seen(path) if (path / "current").exists() else None
        perform(path, work)
        state = after(state, work)
        assert seen(path) == state and state != before
