"""A disk that fills up at any byte: an error that says so, and what was there stays as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cim.errors import StoreError
from cim.model import Edit, Grid, GridFrame, Result, ResultField
from cim.store import commit, create, open_run, open_twin, save_run
from cim.store.raster import read_grid, write_grid
from tests.towns import EAST, FRAME, NORTH, box, town

resource = pytest.importorskip("resource", reason="limits of POSIX")

OLD, NEW = town(houses=4, size_m=60), town(houses=6, size_m=60)
RNG = np.random.default_rng(20261124)
CELLS = GridFrame(EAST, NORTH + 120.0, 1.0, 120, 120)
NOISE = RNG.random(CELLS.shape).astype(np.float32)  # does not compress: many blocks to write


def with_files_of_at_most(bytes_: int, work: Callable[[], object]) -> str:
    """Run `work` in a child whose files cannot grow beyond a size; return how it ended."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # GDAL also prints
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))
            work()
            text = "done"
        except StoreError as error:
            text = error.key
        except BaseException as error:
            text = repr(error)
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def replace_it(path: Path) -> None:
    create(NEW, path, replace=True)


def edit_it(path: Path) -> None:
    many = [
        Edit("add", "tree", f"tre-{i}", {"name": "x" * 999}, box(1, 1, 3, 3)) for i in range(60)
    ]
    commit(path, many, why="many")


def dig(path: Path) -> None:
    commit(path, [], why="survey", grids=[Grid("terrain", CELLS, NOISE, "m")])


def keep_run(path: Path) -> None:
    field = ResultField("depth_m", "m", "grid", NOISE, {"en": "d", "zh": "深"})
    save_run(path, Result("flood", {"en": "f"}, (field,), {}, {}, 1, "0", True, grid=CELLS))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "origin.cim"
    create(OLD, path)
    return path


@pytest.mark.parametrize("work", [replace_it, edit_it, dig, keep_run])
def test_a_write_that_finds_no_room_changes_nothing(
    origin: Path, tmp_path: Path, work: Callable[[Path], None]
) -> None:
    seen = set()
    for kilobytes in (0, 1, 8, 20, 40, 56, 60, 80, 120, 200, 4000):
        path = tmp_path / f"k{kilobytes}.cim"
        shutil.copytree(origin, path)
        told = with_files_of_at_most(kilobytes * 1000, lambda path=path: work(path))  # type: ignore[misc]
        assert told in ("done", "store.cannot_write"), (kilobytes, told)
        seen.add(told)
        now = open_twin(path)
        if told == "done":
            done(path, work)
        else:
            assert (now.version, now.layers(), now.runs()) == (1, OLD.layers(), [])
            np.testing.assert_array_equal(now.grid("terrain").values, OLD.grid("terrain").values)
            assert not list(path.rglob("*.tmp"))
            work(path)  # and with room again it goes through
            done(path, work)
    assert seen == {"done", "store.cannot_write"}


def done(path: Path, work: Callable[[Path], None]) -> None:
    now = open_twin(path)
    if work is replace_it:
        assert now.layers() == NEW.layers()
    elif work is edit_it:
        assert now.layers()["tree"] == 90
    elif work is dig:
        np.testing.assert_array_equal(now.grid("terrain").values, NOISE)
    else:
        (run,) = now.runs()
        np.testing.assert_array_equal(open_run(path, run["run"]).fields[0].values, NOISE)


def test_a_first_build_that_finds_no_room_leaves_no_folder(tmp_path: Path) -> None:
    for kilobytes in (0, 1, 40, 100):
        path = tmp_path / f"k{kilobytes}.cim"
        told = with_files_of_at_most(kilobytes * 1000, lambda path=path: create(OLD, path))  # type: ignore[misc]
        assert told == "store.cannot_write" and not path.exists()


def test_a_grid_is_never_taken_for_written_when_its_end_is_missing(tmp_path: Path) -> None:
    """GDAL closes a Cloud Optimized GeoTIFF cut in its last tenth without an error (measured)."""
    grid = Grid("terrain", CELLS, NOISE, "m")
    name = write_grid(grid, tmp_path, 1, crs=FRAME.crs)
    size = (tmp_path / name).stat().st_size

    def write() -> None:
        write_grid(grid, tmp_path, 2, crs=FRAME.crs)

    for missing in (size, size - 1, size // 2, 20_000, 5_000, 1_000, 300, 10, 1):
        assert with_files_of_at_most(size - missing, write) == "store.cannot_write", missing
    assert with_files_of_at_most(size, write) == "done"
    np.testing.assert_array_equal(read_grid(tmp_path / "terrain.v2.tif", None)[1], NOISE)
