"""A build, an edit, an update, a run, an upgrade killed at every point: whole, old or new."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cim.errors import StoreError
from cim.model import Edit, Scheme, Twin
from cim.store import (
    commit,
    create,
    open_run,
    open_scheme,
    open_twin,
    save_run,
    save_scheme,
    update,
    upgrade,
)
from tests.cim.store_killing import every_kill
from tests.journeys.tree_distance import tree_distance
from tests.towns import box, layer, town

OLD, NEW = town(houses=4, size_m=60), town(houses=6, size_m=60)


def whole(path: Path) -> Twin:
    """Open a twin and read everything it has; fail where anything is torn."""
    twin = open_twin(path)
    counts = twin.layers()
    for name, count in counts.items():
        assert len(twin.table(name)) == count
        bounds = twin.table(name).bounds()
        assert bounds is not None
        assert len(twin.table(name, bounds=bounds)) == count, "the index and the table differ"
    for name in twin.grids():
        assert twin.grid(name).values.size
    for run in twin.runs():
        open_run(path, run["run"])
    with closing(sqlite3.connect(twin.folder / "city.gpkg")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return Twin(twin.name, twin.frame, {n: twin.table(n) for n in counts})


def still_works(path: Path) -> None:
    """A writer after the kill finds nothing in its way."""
    before = open_twin(path).version
    house = str(open_twin(path).table("building").ids[0])
    commit(path, [Edit("change", "building", house, {"name": "后来"})], why="after the kill")
    assert open_twin(path).version == before + 1


def test_a_first_build_killed_anywhere_leaves_no_twin_or_the_whole_one(tmp_path: Path) -> None:
    def fresh(number: int) -> Path:
        return tmp_path / f"k{number}.cim"

    seen = set()
    for _, _, path in every_kill(fresh, lambda p: create(OLD, p)):
        try:
            assert whole(path).layers() == OLD.layers()
            seen.add("new")
        except StoreError as error:
            assert error.key in ("store.no_twin", "store.unfinished")
            seen.add("none")
        created = create(OLD, path, replace=(path / "current").exists())
        assert created.layers() == OLD.layers()
    assert seen == {"none", "new"}


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "origin.cim"
    create(OLD, path)
    return path


def copies(twin: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def fresh(number: int) -> Path:
        path = tmp_path / f"k{number}.cim"
        shutil.copytree(twin, path)
        return path

    return fresh


def test_a_replacing_build_killed_anywhere_leaves_the_old_or_the_new(
    twin: Path, tmp_path: Path
) -> None:
    seen = set()
    for _, _, path in every_kill(copies(twin, tmp_path), lambda p: create(NEW, p, replace=True)):
        houses = whole(path).layers()["building"]
        assert houses in (4, 6)
        seen.add(houses)
        still_works(path)
    assert seen == {4, 6}


def test_an_edit_killed_anywhere_is_there_wholly_or_not_at_all(twin: Path, tmp_path: Path) -> None:
    first, second = (str(i) for i in OLD.table("building").ids[:2])
    edits = [
        Edit("change", "building", first, {"height_m": 99.0}),
        Edit("remove", "building", second),
        Edit("add", "building", "bld-new", {"height_m": 5.0}, box(40, 40, 8, 8)),
        Edit("terrain", "terrain", "", {"delta_m": -1.0}, box(0, 0, 9, 9)),
    ]
    seen = set()
    for _, name, path in every_kill(
        copies(twin, tmp_path), lambda p: commit(p, edits, why="together")
    ):
        ids = set(whole(path).table("building").ids)
        now = open_twin(path)
        dug = float(now.grid("terrain").values.min())
        changed = now.one(first).row(0)["height_m"] == 99.0
        assert len({changed, second not in ids, "bld-new" in ids, dug < 2.5}) == 1, name
        assert now.version == (2 if changed else 1)
        seen.add(changed)
        if name == "committed":
            assert changed, "an acknowledged edit was lost"
        still_works(path)
    assert seen == {True, False}


def test_an_update_killed_anywhere_is_there_wholly_or_not_at_all(
    twin: Path, tmp_path: Path
) -> None:
    for _, _, path in every_kill(copies(twin, tmp_path), lambda p: update(p, NEW, why="newer")):
        assert whole(path).layers()["building"] in (4, 6)
        still_works(path)


def test_a_run_killed_anywhere_is_visible_wholly_or_not_at_all(twin: Path, tmp_path: Path) -> None:
    result = tree_distance(OLD)
    for _, _, path in every_kill(copies(twin, tmp_path), lambda p: save_run(p, result)):
        whole(path)
        before = len(open_twin(path).runs())
        save_run(path, result)
        assert len(open_twin(path).runs()) == before + 1
        left = [p.name for p in (path / "runs").iterdir() if p.suffix == ".tmp"]
        assert left == [] or before == 0


def test_a_scheme_killed_anywhere_is_kept_wholly_or_not_at_all(twin: Path, tmp_path: Path) -> None:
    gone = str(OLD.table("building").ids[0])
    scheme = Scheme("plan", 1, (Edit("remove", "building", gone),))
    for _, _, path in every_kill(copies(twin, tmp_path), lambda p: save_scheme(p, scheme)):
        whole(path)
        save_scheme(path, scheme)
        assert open_scheme(path, "plan").layers()["building"] == 3


def test_an_upgrade_killed_anywhere_leaves_the_old_or_the_new(twin: Path, tmp_path: Path) -> None:
    make_schema_1(twin)
    seen = set()
    for _, _, path in every_kill(copies(twin, tmp_path), upgrade):
        try:
            whole(path)
            seen.add("new")
        except StoreError as error:
            assert error.key == "store.older"
            seen.add("old")
            upgrade(path)
        whole(path)
        still_works(path)
    assert seen == {"old", "new"}


def make_schema_1(path: Path) -> None:
    """Turn a twin into one of schema 1: without observations and without a watch."""
    database = open_twin(path).folder / "city.gpkg"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        for name in ("cim_observation", "cim_foreign"):
            connection.execute(f"DROP TABLE {name}")
            connection.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (name,))
        connection.execute("UPDATE cim_meta SET value = '1' WHERE key = 'schema'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_full_disk_is_an_error_and_changes_nothing(twin: Path, tmp_path: Path) -> None:
    from cim.store import disk

    houses = open_twin(twin).layers()["building"]
    names: list[str] = []

    def full(name: str) -> None:
        names.append(name)
        if name.startswith("write "):
            raise OSError(28, "No space left on device")

    with disk.at_every_step(full):
        for work in (
            lambda: create(NEW, twin, replace=True),
            lambda: create(NEW, tmp_path / "new.cim"),
            lambda: save_run(twin, tree_distance(OLD)),
        ):
            with pytest.raises(StoreError, match="No space left"):
                work()
    assert any(n.startswith("write ") for n in names)
    assert whole(twin).layers()["building"] == houses
    assert open_twin(twin).runs() == []
    assert not (tmp_path / "new.cim").exists()
    still_works(twin)


def test_trees_of_an_update_stay_when_their_source_did_not_deliver(twin: Path) -> None:
    other = layer("building", [box(1, 1, 4, 4)], source=["other"], source_id=["x"])
    changes = update(twin, Twin("town", OLD.frame, {"building": other}), why="a second source")
    assert (changes.added, changes.changed, changes.removed) == (1, 0, 0)
