"""Before anything becomes visible its bytes, and the folders that lead to it, are on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.model import Edit
from cim.store import commit, create, disk, save_run, upgrade
from tests.cim.test_store_kills import make_schema_1
from tests.journeys.tree_distance import tree_distance
from tests.towns import box, town

OLD = town(houses=4, size_m=60)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="needs /proc to tell what is synced"
)


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is synced, and of the steps, in the order they come."""
    told: list[str] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        told.append(f"sync {path.parent.name}/{path.name}")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return told


def watched(order: list[str], work: Callable[[], object]) -> None:
    order.clear()
    with disk.at_every_step(order.append):
        work()


def before(order: list[str], step: str) -> set[str]:
    return {name for name in order[: order.index(step)] if name.startswith("sync ")}


def test_a_build_is_on_the_disk_before_it_is_named(tmp_path: Path, order: list[str]) -> None:
    folder = tmp_path / "cities"
    folder.mkdir()
    watched(order, lambda: create(OLD, folder / "t.cim"))
    assert before(order, "rename current") >= {
        f"sync {tmp_path.name}/cities",  # the entry t.cim itself
        "sync grids/terrain.v1.tif",
        "sync g0001/grids",
        "sync g0001/city.gpkg",
        "sync g0001/report.json.tmp",
        "sync t.cim/g0001",
        "sync t.cim/current.tmp",
    }
    assert order[order.index("renamed current") + 1] == "sync cities/t.cim"


def test_a_run_is_on_the_disk_before_its_row(tmp_path: Path, order: list[str]) -> None:
    create(OLD, tmp_path / "t.cim")
    watched(order, lambda: save_run(tmp_path / "t.cim", tree_distance(OLD)))
    done = before(order, "commit")
    (staged,) = {n.split("/")[0][5:] for n in done if n.endswith("run.json.tmp")}
    assert any(n.startswith(f"sync {staged}/") and n.endswith(".parquet") for n in done)
    assert done >= {
        f"sync {staged}/run.json.tmp",
        f"sync runs/{staged}",
        f"sync {tmp_path.name}/t.cim",  # the entry runs
        "sync t.cim/runs",  # the renamed folder
    }


def test_a_new_terrain_is_on_the_disk_before_its_row(tmp_path: Path, order: list[str]) -> None:
    create(OLD, tmp_path / "t.cim")
    dig = Edit("terrain", "terrain", "", {"delta_m": -1.0}, box(0, 0, 9, 9))
    watched(order, lambda: commit(tmp_path / "t.cim", [dig], why="dig"))
    assert before(order, "commit") >= {"sync grids/terrain.v2.tif", "sync g0001/grids"}


def test_an_upgrade_is_on_the_disk_before_it_is_named(tmp_path: Path, order: list[str]) -> None:
    create(OLD, tmp_path / "t.cim", report={"read": 1})
    make_schema_1(tmp_path / "t.cim")
    watched(order, lambda: upgrade(tmp_path / "t.cim"))
    assert before(order, "rename current") >= {
        "sync grids/terrain.v1.tif",
        "sync g0002/grids",
        "sync g0002/city.gpkg",
        "sync g0002/report.json",
        "sync t.cim/g0002",
        "sync t.cim/current.tmp",
    }


def test_an_edit_waits_until_the_log_is_on_the_disk(tmp_path: Path) -> None:
    """SQLite syncs the write-ahead log at each commit only with ``synchronous = FULL`` (2)."""
    from contextlib import closing

    from cim.store.folder import connect

    create(OLD, tmp_path / "t.cim")
    with closing(connect(tmp_path / "t.cim" / "g0001" / "city.gpkg", write=True)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
