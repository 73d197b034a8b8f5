"""Two writers that meet in the worst moment: none undoes what the other was told is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from cim.errors import StoreError
from cim.model import Edit, Scheme
from cim.store import (
    create,
    disk,
    edits,
    lock,
    open_run,
    open_scheme,
    open_twin,
    save_run,
    save_scheme,
    upgrade,
)
from cim.store.lock import one_writer
from tests.cim.test_store_kills import make_schema_1
from tests.journeys.tree_distance import tree_distance
from tests.towns import town

OLD, NEW = town(houses=4, size_m=60), town(houses=6, size_m=60)


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "town.cim"
    create(OLD, path)
    return path


@pytest.fixture
def replaced_before_the_lock(
    twin: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[int]]:
    """Let another writer replace the twin after a writer looked and before it has the lock."""

    def arrange(module: str) -> list[int]:
        times: list[int] = []

        @contextmanager
        def late(path: Path) -> Iterator[None]:
            if not times:
                times.append(1)
                create(NEW, path, replace=True)
            with one_writer(path):
                yield

        monkeypatch.setattr(import_module(f"cim.store.{module}"), "one_writer", late)
        return times

    return arrange


def test_a_run_is_kept_in_the_generation_that_is_current_then(
    twin: Path, replaced_before_the_lock: Callable[[str], list[int]]
) -> None:
    assert replaced_before_the_lock("runs") == []
    run = save_run(twin, tree_distance(OLD))
    assert open_twin(twin).layers() == NEW.layers()
    assert open_run(twin, run).twin_version == 1


def test_a_scheme_is_kept_in_the_generation_that_is_current_then(
    twin: Path, replaced_before_the_lock: Callable[[str], list[int]]
) -> None:
    house = str(OLD.table("building").ids[0])
    replaced_before_the_lock("schemes")
    save_scheme(twin, Scheme("plan", 1, (Edit("remove", "building", house),)))
    assert open_scheme(twin, "plan").layers()["building"] == 5


def test_an_edit_is_made_in_the_generation_that_is_current_then(
    twin: Path, replaced_before_the_lock: Callable[[str], list[int]]
) -> None:
    house = str(OLD.table("building").ids[0])
    replaced_before_the_lock("edits")
    edits.commit(twin, [Edit("remove", "building", house)], why="x")
    now = open_twin(twin)
    assert (now.version, now.layers()["building"]) == (3, 5)


def test_an_upgrade_does_not_remove_a_generation_built_meanwhile(
    twin: Path, replaced_before_the_lock: Callable[[str], list[int]]
) -> None:
    make_schema_1(twin)
    replaced_before_the_lock("upgrade")
    assert upgrade(twin).layers() == NEW.layers()
    assert (twin / "current").read_text() == "g0002\n"


def test_upgrading_what_is_up_to_date_copies_nothing(twin: Path) -> None:
    assert upgrade(twin).version == 1
    assert not (twin / "g0002").exists()


def test_of_two_first_builds_the_later_is_refused_and_the_earlier_stays(tmp_path: Path) -> None:
    path = tmp_path / "town.cim"
    inside: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "make town.cim" and not inside:
            inside.append(name)
            create(OLD, path)

    with disk.at_every_step(meanwhile), pytest.raises(StoreError) as caught:
        create(NEW, path)
    assert inside and caught.value.key == "store.exists"
    assert open_twin(path).layers() == OLD.layers()


def test_a_first_build_that_is_refused_does_not_remove_the_one_at_work(tmp_path: Path) -> None:
    path = tmp_path / "town.cim"
    inside: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "write city.gpkg" and not inside:
            inside.append(name)
            with pytest.raises(StoreError) as caught:
                create(NEW, path)
            assert caught.value.key == "store.second_writer"

    with disk.at_every_step(meanwhile):
        create(OLD, path)
    assert inside and open_twin(path).layers() == OLD.layers()


def test_a_lock_whose_file_was_removed_with_a_failed_build_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opened the file before it went would hold a lock that nobody else can see."""
    really = lock._try_lock

    def removed_meanwhile(handle: int) -> bool:
        (tmp_path / "lock").unlink()
        return really(handle)

    monkeypatch.setattr(lock, "_try_lock", removed_meanwhile)
    with pytest.raises(StoreError) as caught, one_writer(tmp_path):
        pass
    assert caught.value.key == "store.second_writer"
    monkeypatch.setattr(lock, "_try_lock", really)
    with one_writer(tmp_path), pytest.raises(StoreError), one_writer(tmp_path):
        pass


def test_a_cancelled_build_leaves_nothing_and_a_cancelled_replacement_the_old(
    twin: Path, tmp_path: Path
) -> None:
    from cim.errors import CancelledError
    from cim.jobs import Job

    for path, replace in ((tmp_path / "new.cim", False), (twin, True)):
        job = Job(listen=lambda progress: job.cancel())  # noqa: B023 - called within the turn
        with pytest.raises(CancelledError):
            create(NEW, path, replace=replace, job=job)
    assert not (tmp_path / "new.cim").exists()
    assert open_twin(twin).layers() == OLD.layers()
    assert sorted(p.name for p in twin.iterdir()) == ["current", "g0001", "lock"]
