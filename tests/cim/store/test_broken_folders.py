"""Folders that went wrong: nothing of value is removed, and what the remedy promises works."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from cim.errors import StoreError
from cim.model import Edit, Grid, Result, ResultField, Twin
from cim.store import commit, create, open_run, open_twin, save_run
from tests.journeys.tree_distance import tree_distance
from tests.towns import FRAME, box, layer, town


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "town.cim"
    create(town(houses=4, size_m=60), path)
    return path


@pytest.mark.parametrize("pointer", ["../../etc", "g0009", "", "g٣"])
def test_replacing_heals_a_pointer_that_names_nothing(twin: Path, pointer: str) -> None:
    save_run(twin, tree_distance(town(houses=4, size_m=60)))
    (twin / "current").write_text(pointer, encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        open_twin(twin)
    assert caught.value.key == "store.bad_pointer"
    create(town(houses=3, size_m=60), twin, replace=True)
    now = open_twin(twin)
    assert (now.version, now.layers()["building"], len(now.runs())) == (2, 3, 1)


def test_replacing_heals_a_damaged_database(twin: Path) -> None:
    (twin / "g0001" / "city.gpkg").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    create(town(houses=3, size_m=60), twin, replace=True)
    assert open_twin(twin).layers()["building"] == 3


def test_a_twin_that_lost_its_pointer_is_not_taken_for_a_stopped_build(twin: Path) -> None:
    create(town(houses=5, size_m=60), twin, replace=True)
    (twin / "current").unlink()
    for ask in (lambda: open_twin(twin), lambda: create(town(), twin)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.key == "store.lost_pointer"
    assert (twin / "g0002" / "city.gpkg").is_file()
    (twin / "current").write_text("g0002\n")
    assert open_twin(twin).layers()["building"] == 5
    (twin / "current").unlink()
    create(town(houses=3, size_m=60), twin, replace=True)
    assert open_twin(twin).version == 3
    assert (twin / "g0002" / "city.gpkg").is_file()


def test_a_newer_twin_is_not_replaced_by_an_older_program(twin: Path) -> None:
    from contextlib import closing

    from cim.store.folder import connect

    with closing(connect(twin / "g0001" / "city.gpkg", write=True)) as connection:
        connection.execute("UPDATE cim_meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(StoreError) as caught:
        create(town(), twin, replace=True)
    assert caught.value.key == "store.newer"
    assert [p.name for p in twin.iterdir() if p.name.startswith("g")] == ["g0001"]


def test_two_features_with_one_id_are_refused_by_name_and_nothing_is_left(tmp_path: Path) -> None:
    one = layer("building", [box(0, 0, 5, 5)])
    path = tmp_path / "t.cim"
    for other in ("building/more", "tree"):
        both = Twin("t", FRAME, {"building": one, other: _renamed(one, other)})
        with pytest.raises(StoreError, match=f"building, {other}") as caught:
            create(both, path)
        assert caught.value.key == "store.twice"
        assert not path.exists()


def _renamed(table, name: str):  # type: ignore[no-untyped-def]
    return replace(layer(name, list(table.geometry)), ids=table.ids)


def test_a_torn_grid_of_a_stopped_writer_does_not_stand_in_the_way(twin: Path) -> None:
    """GDAL opens what is there before it writes, and fails on a truncated file (measured)."""
    grids = twin / "g0001" / "grids"
    whole = (grids / "terrain.v1.tif").read_bytes()
    (grids / "terrain.v2.tif").write_bytes(whole[:100])
    (grids / "other.v2.tif").write_bytes(b"II*\0")
    before = open_twin(twin).grid("terrain").values
    commit(twin, [Edit("terrain", "terrain", "", {"delta_m": -1.0}, box(0, 0, 9, 9))], why="dig")
    assert sorted(p.name for p in grids.iterdir()) == ["terrain.v1.tif", "terrain.v2.tif"]
    assert int((open_twin(twin).grid("terrain").values != before).sum()) == 81


def test_a_truncated_grid_is_named_when_it_is_read(twin: Path) -> None:
    path = twin / "g0001" / "grids" / "terrain.v1.tif"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StoreError, match=r"terrain\.v1\.tif") as caught:
        open_twin(twin).grid("terrain")
    assert caught.value.key == "store.damaged"


def test_a_new_grid_and_a_terrain_edit_of_it_go_together(twin: Path) -> None:
    old = open_twin(twin).grid("terrain")
    flat = replace(old, values=np.full_like(old.values, 5.0))
    edits = [Edit("terrain", "terrain", "", {"height_m": 4.0}, box(0, 0, 9, 9))]
    commit(twin, edits, why="survey and pit", grids=[flat])
    values = open_twin(twin).grid("terrain").values
    assert (values == 4.0).sum() == 81 and (values == 5.0).sum() == values.size - 81


def test_what_a_stopped_run_left_is_gone_with_the_next_write(twin: Path) -> None:
    staged = twin / "runs" / "tree_distance-0001.tmp"
    staged.mkdir(parents=True)
    (staged / "left.parquet").write_bytes(b"x")
    orphan = twin / "runs" / "tree_distance-0001"
    orphan.mkdir()
    result = replace(tree_distance(town(houses=4, size_m=60)), question="tree_distance")
    assert open_twin(twin).runs() == []
    assert save_run(twin, result) == "tree_distance-0001"
    assert sorted(p.name for p in (twin / "runs").iterdir()) == ["tree_distance-0001"]
    assert not (orphan / "left.parquet").exists()
    assert open_run(twin, "tree_distance-0001").question == "tree_distance"


def test_a_run_whose_record_was_changed_is_not_believed(twin: Path) -> None:
    run = save_run(twin, tree_distance(town(houses=4, size_m=60)))
    path = twin / "runs" / run / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["illustrative"] = not record["illustrative"]
    for text in (json.dumps(record), "{"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(StoreError, match="not what was written"):
            open_run(twin, run)
    path.unlink()
    with pytest.raises(StoreError) as caught:
        open_run(twin, run)
    assert caught.value.key == "store.damaged"


def test_one_quantity_of_two_layers_is_kept_twice(twin: Path) -> None:
    memory = town(houses=4, size_m=60)
    fields = tuple(
        ResultField(
            "exposed",
            "1",
            "objects",
            np.full(len(memory.table(name)), value),
            {"en": "exposed", "zh": "暴露"},
            name,
            memory.table(name).ids,
        )
        for name, value in (("building", 1.0), ("road", 2.0))
    )
    run = save_run(twin, Result("flood", {"en": "f"}, fields, {}, {}, 1, "0", True))
    first, second = open_run(twin, run).fields
    assert (set(first.values), first.layer, len(first.ids)) == ({1.0}, "building", 4)
    assert (set(second.values), second.layer, len(second.ids)) == ({2.0}, "road", 4)


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """A folder of its own that any user may read (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as_a_mere_reader(path: Path, ask) -> str:  # type: ignore[no-untyped-def]
    """Run `ask` in a child that may read but not write; return what it tells."""
    shapely.to_wkb(shapely.Point(0, 0))  # loaded before the child loses its rights
    for one in sorted([path, *path.rglob("*")]):
        one.chmod(0o555 if one.is_dir() else 0o444)
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            text = str(ask())
        except BaseException as error:
            text = getattr(error, "key", "") or repr(error)
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    for one in [path, *path.rglob("*")]:
        one.chmod(0o755 if one.is_dir() else 0o644)
    return told


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_a_twin_that_may_only_be_read_is_read_and_not_written(readable_folder: Path) -> None:
    path = readable_folder / "town.cim"
    create(town(houses=4, size_m=60), path)
    assert _as_a_mere_reader(path, lambda: len(open_twin(path).table("building"))) == "4"
    edits = [Edit("add", "tree", "tre-1", {}, shapely.Point(0, 0))]
    assert _as_a_mere_reader(path, lambda: commit(path, edits, why="x")) == "store.cannot_write"
    told = _as_a_mere_reader(path, lambda: create(town(), path, replace=True))
    assert told == "store.cannot_write"


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_a_log_that_cannot_be_read_is_an_error_and_never_an_older_answer(
    readable_folder: Path,
) -> None:
    """An acknowledged edit of a killed writer lies in the log; without its folder's
    shared memory file a mere reader cannot see it, and must not answer without it."""
    path = readable_folder / "town.cim"
    create(town(houses=4, size_m=60), path)
    child = os.fork()
    if child == 0:
        from cim.store import disk

        def die(name: str) -> None:
            if name == "committed":
                os._exit(0)

        with disk.at_every_step(die):
            commit(path, [Edit("remove", "building", str(town().table("building").ids[0]))], why="")
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    folder = path / "g0001"
    assert (folder / "city.gpkg-wal").stat().st_size > 0
    (folder / "city.gpkg-shm").unlink()
    told = _as_a_mere_reader(path, lambda: open_twin(path).layers())
    assert told == "store.read_only"
    assert open_twin(path).layers()["building"] == 3


def test_a_grid_of_whole_numbers_and_an_endless_height_come_back(tmp_path: Path) -> None:
    houses = layer("building", [box(0, 0, 5, 5)] * 2, height_m=[np.inf, 3.0], year=[1925, None])
    terrain = town(houses=1, size_m=20).grid("terrain")
    cover = Grid("land_cover", terrain.frame, np.round(terrain.values), "class")
    made = create(Twin("t", FRAME, {"building": houses}, {"land_cover": cover}), tmp_path / "t.cim")
    assert made.table("building").columns["height_m"].tolist() == [np.inf, 3.0]
    assert made.table("building").row(0)["year"] == 1925
    np.testing.assert_array_equal(made.grid("land_cover").values, cover.values)
