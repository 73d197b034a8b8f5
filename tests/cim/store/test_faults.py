"""The disk refuses at every single step: an error, and the twin whole, old or new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.errors import StoreError
from cim.model import Edit, Scheme
from cim.store import commit, create, disk, open_twin, reindex, save_run, save_scheme, upgrade
from tests.cim.store.test_other_programs import other_program
from tests.cim.store_killing import every_kill, steps
from tests.cim.test_store_kills import make_schema_1, still_works, whole
from tests.journeys.tree_distance import tree_distance
from tests.towns import box, town

OLD, NEW = town(houses=4, size_m=60), town(houses=6, size_m=60)
GONE = str(OLD.table("building").ids[0])


def edit_it(path: Path) -> None:
    dig = Edit("terrain", "terrain", "", {"delta_m": -1.0}, box(0, 0, 9, 9))
    commit(path, [Edit("remove", "building", GONE), dig], why="x")


WORKS: dict[str, Callable[[Path], object]] = {
    "replace": lambda p: create(NEW, p, replace=True),
    "edit": edit_it,
    "run": lambda p: save_run(p, tree_distance(OLD)),
    "scheme": lambda p: save_scheme(p, Scheme("s", 1, (Edit("remove", "building", GONE),))),
    "upgrade": upgrade,
}


@pytest.mark.parametrize("name", list(WORKS))
def test_a_step_refused_by_the_disk_is_an_error_and_nothing_half_done(
    tmp_path: Path, name: str
) -> None:
    origin = tmp_path / "origin.cim"
    create(OLD, origin)
    if name == "upgrade":
        make_schema_1(origin)

    def fresh(number: int) -> Path:
        return Path(shutil.copytree(origin, tmp_path / f"k{number}.cim"))

    for number, step in enumerate(steps(lambda: WORKS[name](fresh(-1)))):
        path = fresh(number)
        left = [number]

        def refuse(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(28, "No space left on device")

        with disk.at_every_step(refuse), pytest.raises(StoreError, match="No space left"):
            WORKS[name](path)
        assert not list(path.rglob("*.tmp")), step
        before_commit = not step.startswith(("renamed current", "committed"))
        try:
            whole(path)
            now = open_twin(path)
            assert now.version == 1 or not before_commit, step
            assert now.runs() == [] or not before_commit, step
        except StoreError as error:
            assert name == "upgrade" and before_commit and error.key == "store.older"
            upgrade(path)
        still_works(path)


def test_a_first_build_refused_at_any_step_leaves_no_folder(tmp_path: Path) -> None:
    names = steps(lambda: create(OLD, tmp_path / "whole.cim"))
    for number, step in enumerate(names):
        path = tmp_path / f"k{number}.cim"
        left = [number]

        def refuse(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(28, "No space left on device")

        with disk.at_every_step(refuse), pytest.raises(StoreError, match="No space left"):
            create(OLD, path)
        if step == "renamed current":
            assert whole(path).layers() == OLD.layers()
        else:
            assert not path.exists(), step


def test_reindexing_killed_anywhere_is_done_wholly_or_not_at_all(tmp_path: Path) -> None:
    origin = tmp_path / "origin.cim"
    create(OLD, origin)
    other_program(origin, "DELETE FROM building WHERE fid = 4")

    def fresh(number: int) -> Path:
        return Path(shutil.copytree(origin, tmp_path / f"k{number}.cim"))

    for _, _, path in every_kill(fresh, reindex):
        now = open_twin(path)
        assert now.layers()["building"] == 3 == len(now.table("building"))
        assert bool(now.info()["notes"]) == (now.version == 1)
        reindex(path)
        whole(path)
        still_works(path)
