"""Writers killed at random moments, as a power switch or an impatient user does it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import shapely

from cim.errors import StoreError
from cim.model import Edit, Twin
from cim.store import (
    commit,
    create,
    open_run,
    open_twin,
    save_run,
    update,
    upgrade,
)
from tests.cim.sources.test_pieces import WRITERS, in_pieces, work
from tests.cim.test_resume import dump
from tests.cim.test_store_kills import make_schema_1, still_works, whole
from tests.journeys.tree_distance import tree_distance
from tests.towns import box, town

pytestmark = pytest.mark.soak

MOMENTS = 20
OLD, NEW = town(houses=40, size_m=150), town(houses=60, size_m=150)
RESULT = tree_distance(OLD)
HOUSES = [str(i) for i in OLD.table("building").ids]


def killed(work: Callable[[], object], after_s: float) -> bool:
    """Run `work` in a forked child and kill it after a while; tell whether it died of that."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"child failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the child failed with {code}"
    return code != 0


def at_random_moments(
    fresh: Callable[[int], Path], work: Callable[[Path], object], seed: int
) -> Iterator[tuple[Path, bool]]:
    """Yield the path and whether `work` was killed, for moments spread over its whole length."""
    rng = random.Random(seed)
    path = fresh(-1)
    start = time.monotonic()
    work(path)
    length_s = time.monotonic() - start
    for number in range(MOMENTS):
        path = fresh(number)
        moment = (number + rng.random()) / MOMENTS * 1.2 * length_s
        yield path, killed(lambda path=path: work(path), moment)  # type: ignore[misc]
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "origin.cim"
    create(OLD, path)
    save_run(path, RESULT)
    return path


def copies(twin: Path) -> Callable[[int], Path]:
    def fresh(number: int) -> Path:
        path = twin.with_name(f"k{number}.cim")
        shutil.copytree(twin, path)
        return path

    return fresh


def test_builds(tmp_path: Path) -> None:
    ended = []
    for path, died in at_random_moments(
        lambda n: tmp_path / f"b{n}.cim", lambda p: create(OLD, p), seed=1
    ):
        try:
            assert whole(path).layers() == OLD.layers()
            ended.append("whole")
        except StoreError as error:
            assert died and error.key in ("store.no_twin", "store.unfinished")
            ended.append("none")
        create(NEW, path, replace=(path / "current").exists())
        assert whole(path).layers() == NEW.layers()
    assert "none" in ended


def test_builds_of_one_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_pieces(monkeypatch, 400)
    monkeypatch.setattr("cim.store.writing._COMMITTED", 1000)
    source = WRITERS["gpkg"](tmp_path)
    work([source], tmp_path / "whole.cim")
    want = dump(tmp_path / "whole.cim")
    rng, pieces = random.Random(9), list[int]()
    for path, died in at_random_moments(
        lambda n: tmp_path / f"l{n}.cim", lambda p: work([source], p), seed=9
    ):
        if died:
            killed(lambda path=path: work([source], path), rng.uniform(0.02, 0.4))  # type: ignore[misc]
        if (path / "current").exists():
            assert dump(path) == want
            continue
        _, parts = work([source], path)
        pieces.append(parts.pieces)
        assert dump(path) == want, "a build that was killed twice is another one"
    assert any(pieces), "the moments tell nothing"


def edit_all(path: Path) -> None:
    edits = [Edit("change", "building", house, {"height_m": 99.0}) for house in HOUSES]
    dig = Edit("terrain", "terrain", "", {"delta_m": -50.0}, box(0, 0, 90, 90))
    commit(path, [*edits, dig], why="all at once")


WORKS: dict[str, Callable[[Path], object]] = {
    "replace": lambda p: create(NEW, p, replace=True),
    "edit": edit_all,
    "update": lambda p: update(p, NEW, why="newer"),
    "run": lambda p: save_run(p, RESULT),
}


@pytest.mark.parametrize("name", list(WORKS))
def test_a_standing_twin(twin: Path, name: str) -> None:
    before = state(twin)
    finished = copies(twin)(-2)
    WORKS[name](finished)
    after = state(finished)
    assert before != after
    kills = 0
    for path, died in at_random_moments(copies(twin), WORKS[name], seed=len(name)):
        whole(path)
        assert state(path) in ((before, after) if died else (after,))
        still_works(path)
        kills += died
    assert kills, "no child was killed: the moments come too late"


def state(path: Path) -> tuple[object, ...]:
    """What a reader would tell two states apart by."""
    twin = open_twin(path)
    heights = tuple(twin.table("building").columns["height_m"].tolist())
    low = float(twin.grid("terrain").values.min())
    return twin.version, tuple(twin.layers().items()), heights, low, len(twin.runs())


def test_upgrades(twin: Path) -> None:
    make_schema_1(twin)
    for path, died in at_random_moments(copies(twin), upgrade, seed=5):
        try:
            whole(path)
        except StoreError as error:
            assert died and error.key == "store.older"
            upgrade(path)
        assert whole(path).layers() == OLD.layers()
        still_works(path)


def write_for_ever(path: Path, acknowledge: int) -> None:
    """Commit, keep runs, dig; tell the version and the number of runs after each is done."""
    number = 0
    while True:
        number += 1
        if number % 7 == 0:
            save_run(path, RESULT)
        else:
            version = open_twin(path).version + 1
            height = {"height_m": float(version)}
            edits = [Edit("change", "building", house, height) for house in HOUSES[:10]]
            edits.append(
                Edit("add", "tree", f"tre-{version}", {}, shapely.Point(box(1, 1, 1, 1).centroid))
            )
            if number % 5 == 0:
                edits.append(Edit("terrain", "terrain", "", {"height_m": version}, box(0, 0, 9, 9)))
            commit(path, edits, why="w")
        twin = open_twin(path)
        os.write(acknowledge, struct.pack("<II", twin.version, len(twin.runs())))


def test_no_acknowledged_change_is_lost_over_many_kills_of_one_twin(twin: Path) -> None:
    rng = random.Random(6)
    trees = OLD.layers()["tree"]
    told = 0
    for _ in range(MOMENTS):
        out, into = os.pipe()
        killed(lambda into=into: write_for_ever(twin, into), rng.uniform(0.05, 1.0))  # type: ignore[misc]
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            said = pipe.read()
        version, runs = struct.unpack("<II", said[-8:]) if said else (1, 1)
        told += len(said) // 8
        whole(twin)
        now = open_twin(twin)
        assert version <= now.version, "an acknowledged edit was lost"
        assert runs <= len(now.runs()), "an acknowledged run was lost"
        if now.version > 1:
            assert len(now.table("tree")) == trees + now.version - 1
            heights = {now.one(house).row(0)["height_m"] for house in HOUSES[:10]}
            assert heights == {float(now.version)}
        for run in now.runs():
            assert len(open_run(twin, run["run"]).fields[0].values) == len(HOUSES)
        assert [v["version"] for v in now.versions()] == list(range(1, now.version + 1))
    assert told > MOMENTS
    named = _grid_files(twin)
    commit(twin, [Edit("change", "building", HOUSES[0], {"name": "x"})], why="last")
    on_disk = {p.name for p in (open_twin(twin).folder / "grids").iterdir()}
    assert on_disk == named, "a stopped writer's grids are still there"


def _grid_files(path: Path) -> set[str]:
    with closing(sqlite3.connect(open_twin(path).folder / "city.gpkg")) as connection:
        return {name for (name,) in connection.execute("SELECT file FROM cim_grid")}


def test_every_version_can_still_be_read_after_the_kills(twin: Path) -> None:
    from cim.store import as_of

    out, into = os.pipe()
    killed(lambda: write_for_ever(twin, into), 1.5)
    os.close(out)
    os.close(into)
    last = open_twin(twin).version
    for version in range(2, last + 1):
        view: Twin | object = as_of(twin, version)
        heights = {as_of(twin, version).one(house).row(0)["height_m"] for house in HOUSES[:3]}
        assert heights == {float(version)}, view
    assert state(twin)[0] == last
