"""The twin on disk: what goes in comes out, history, schemes, runs, other programs, bad folders."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cim.errors import RequestError, StoreError
from cim.model import (
    Edit,
    Grid,
    GridFrame,
    Instance,
    Material,
    Mesh,
    MeshPool,
    Result,
    ResultField,
    Scheme,
    Twin,
    mesh_id,
)
from cim.store import (
    as_of,
    at,
    commit,
    create,
    diff,
    edit,
    merge_scheme,
    open_run,
    open_scheme,
    open_twin,
    save_run,
    save_scheme,
    schemes,
    update,
)
from cim.store.lock import one_writer
from tests.towns import EAST, FRAME, NORTH, box, layer, town

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "town.cim"
    create(town(), path)
    return path


def pool(object_id: str) -> MeshPool:
    mesh = Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.5]], dtype=np.float32),
        triangles=np.array([[0, 1, 2]], dtype=np.int32),
        surface=np.array([3], dtype=np.uint8),
        material=np.array([0], dtype=np.int32),
        uv=np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32),
    )
    tile = Material("tile", (0.7, 0.3, 0.2, 1.0), "tile.png")
    matrix = np.eye(4)
    matrix[:3, 3] = (517175.125, 4330857.25, 3.5)
    key = mesh_id(mesh, [tile])
    return MeshPool({key: mesh}, (tile,), (Instance(object_id, key, matrix, "3", 6),))


def test_a_twin_comes_back_as_it_was_put_in(tmp_path: Path) -> None:
    source = town()
    house = str(source.table("building").ids[0])
    mixed = layer(
        "tree/old",
        [None, box(0, 0, 1, 1).centroid],
        source_id=["a", "b"],
        species=["国槐", None],
        valid_from=[None, "2001-01-01T00:00:00+08:00"],
    )
    whole = Twin("镇", FRAME, {**source.tables, "tree/old": mixed}, source.rasters, pool(house))
    stored = create(whole, tmp_path / "t.cim", report={"read": 1}, sources=[{"key": "k"}])
    assert (stored.name, stored.frame, stored.version) == ("镇", FRAME, 1)
    assert stored.layers() == whole.layers() and stored.illustrative
    for name, table in whole.tables.items():
        back = stored.table(name)
        assert [back.row(i) for i in range(len(back))] == [table.row(i) for i in range(len(table))]
        assert all(
            (a is None and b is None) or a.equals_exact(b, 0.0)
            for a, b in zip(back.geometry, table.geometry, strict=True)
        )
    np.testing.assert_array_equal(stored.grid("terrain").values, source.grid("terrain").values)
    meshes, want = stored.meshes(), whole.pool
    assert meshes.materials == want.materials
    np.testing.assert_array_equal(meshes.instances[0].matrix, want.instances[0].matrix)
    key = want.instances[0].mesh_id
    np.testing.assert_array_equal(meshes.meshes[key].uv, want.meshes[key].uv)
    assert json.loads(stored.report_path.read_text()) == {"read": 1}


def test_a_box_finds_what_touches_it_and_nothing_else(twin: Path) -> None:
    stored, memory = open_twin(twin), town()
    rng = np.random.default_rng(1)
    for _ in range(40):
        x, y = rng.uniform(-20, 220, 2)
        w, h = rng.uniform(0, 60, 2)
        bounds = (EAST + x, NORTH + y, EAST + x + w, NORTH + y + h)
        for name in memory.layers():
            got = set(stored.table(name, bounds=bounds).ids)
            assert got == set(memory.table(name, bounds=bounds).ids)


def test_another_program_opens_every_layer_and_finds_the_same_ids_in_a_box(twin: Path) -> None:
    """A second GDAL, in a process of its own, while this one holds the twin open."""
    stored = open_twin(twin)
    bounds = (EAST + 10.0, NORTH + 10.0, EAST + 120.0, NORTH + 120.0)
    code = (
        "import json, sys, pyogrio\n"
        "path, bounds = sys.argv[1], tuple(json.loads(sys.argv[2]))\n"
        "names = pyogrio.list_layers(path)[:, 0].tolist()\n"
        "found = {}\n"
        "for name in names:\n"
        "    info = pyogrio.read_info(path, layer=name)\n"
        "    if info['geometry_type'] is None:\n"
        "        pyogrio.raw.read(path, layer=name, read_geometry=False)\n"
        "        continue\n"
        "    meta, _, _, data = pyogrio.raw.read(path, layer=name, bbox=bounds, columns=['id'])\n"
        "    assert 'EPSG:4548' in (meta['crs'] or ''), meta['crs']\n"
        "    found[name] = sorted(data[0].tolist())\n"
        "print(json.dumps([names, found]))\n"
    )
    with stored.reading():
        done = subprocess.run(
            [sys.executable, "-c", code, str(stored.folder / "city.gpkg"), json.dumps(bounds)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    names, found = json.loads(done.stdout)
    assert set(found) == {"building", "road", "tree"}
    assert {"cim_changeset", "cim_history", "cim_run", "cim_mesh"} <= set(names)
    for name, ids in found.items():
        assert ids == sorted(stored.table(name, bounds=bounds).ids)
        assert ids


def test_no_code_of_ours_hands_a_live_database_to_gdal() -> None:
    for path in (ROOT / "cim" / "store").rglob("*.py"):
        assert "pyogrio" not in path.read_text(encoding="utf-8")
    for path in (ROOT / "cim").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "city.gpkg" not in text or "pyogrio" not in text, path


def test_rows_changed_by_another_program_are_noticed_named_and_still_found(twin: Path) -> None:
    stored = open_twin(twin)
    assert stored.info()["notes"] == []
    with closing(sqlite3.connect(stored.folder / "city.gpkg")) as other:
        other.execute("UPDATE building SET name = '别处' WHERE fid = 1")
        other.execute(
            "UPDATE building SET geom = (SELECT geom FROM building WHERE fid = 12) WHERE fid = 2"
        )
        other.commit()
    again = open_twin(twin)
    assert "2 rows of building" in again.info()["notes"][0]
    far = again.table("building").geometry[11].bounds
    assert len(again.table("building", bounds=far)) == 2


def test_a_version_keeps_telling_what_was_known_then(twin: Path) -> None:
    before = open_twin(twin)
    ids = [str(i) for i in before.table("building").ids]
    with edit(twin, why="测量", who="甲") as tx:
        tx.change(ids[0], {"height_m": 99.0, "colour": "红"})
        tx.remove(ids[1])
        tx.move(ids[2], dx_m=3.0, dy_m=0.0)
        tx.add("building", "bld-new", {"height_m": 4.0}, geometry=box(150, 150, 9, 9))
        tx.terrain(box(0, 0, 10, 10), delta_m=-1.0)
    commit(twin, [Edit("change", "building", ids[0], {"height_m": 50.0})], why="correction")
    now = open_twin(twin)
    assert now.version == 3 and now.one(ids[0]).row(0)["height_m"] == 50.0
    assert as_of(twin, 2).one(ids[0]).row(0)["height_m"] == 99.0
    old = as_of(twin, 1)
    assert diff(town(), old) == {} and diff(town(), before) == {}
    assert before.layers() == town().layers()
    change = diff(old, now)["building"]
    assert (change["added"], change["removed"]) == (["bld-new"], [ids[1]])
    assert change["changed"][ids[0]] == {"attributes": ["height_m", "colour"], "moved": False}
    assert change["changed"][ids[2]]["moved"] is True
    assert diff(old, now)["terrain"] == {"cells": 100}
    told = now.about(ids[0])
    assert [h["why"] for h in told["history"]] == ["测量", "correction"]
    assert now.versions()[1]["who"] == "甲"
    with pytest.raises(StoreError, match="1 to 3"):
        as_of(twin, 4)


def test_a_failing_edit_leaves_nothing_of_itself(twin: Path) -> None:
    house = str(open_twin(twin).table("building").ids[0])
    with pytest.raises(RequestError), edit(twin, why="x") as tx:
        tx.change(house, {"height_m": 1.0})
        tx.collected.append(Edit("remove", "building", "bld-none"))
    assert open_twin(twin).version == 1
    with pytest.raises(ZeroDivisionError), edit(twin, why="x") as tx:
        tx.remove(house)
        raise ZeroDivisionError
    assert open_twin(twin).version == 1


def test_an_update_touches_only_what_differs_in_the_sources_that_delivered(twin: Path) -> None:
    newer = town(houses=11)
    house = newer.table("building")
    heights = house.columns["height_m"].copy()
    heights[3] = 77.0
    changed = type(house)(
        house.layer, house.ids, house.geometry, {**house.columns, "height_m": heights}, house.fields
    )
    told = update(twin, Twin("town", FRAME, {"building": changed}), why="2027 survey")
    assert (told.added, told.changed, told.removed) != (0, 0, 0)
    now = open_twin(twin)
    assert now.layers()["building"] == 11 and now.layers()["tree"] == 30
    assert (
        diff(now, Twin("town", FRAME, {"building": changed, **_others(newer)}, newer.rasters)) == {}
    )
    again = update(twin, Twin("town", FRAME, {"building": changed}), why="the same")
    assert again.id is None and open_twin(twin).version == 2


def _others(twin: Twin) -> dict[str, object]:
    return {name: twin.table(name) for name in ("road", "tree")}


def test_a_scheme_lies_beside_the_base_until_it_is_merged(twin: Path) -> None:
    first = str(open_twin(twin).table("building").ids[0])
    plan = Scheme("方案一", 1, (Edit("remove", "building", first),), "test", True)
    save_scheme(twin, plan)
    assert open_scheme(twin, "方案一").layers()["building"] == 11
    assert open_twin(twin).layers()["building"] == 12
    assert [s["scheme"] for s in schemes(twin)] == ["方案一"]
    with pytest.raises(RequestError, match="方案一"):
        open_scheme(twin, "方案二")
    bad = Scheme("bad", 1, (Edit("remove", "building", "bld-none"),))
    with pytest.raises(RequestError):
        save_scheme(twin, bad)
    assert merge_scheme(twin, "方案一").removed == 1
    assert open_twin(twin).layers()["building"] == 11


def test_the_world_at_an_instant_leaves_out_what_was_not_there(tmp_path: Path) -> None:
    houses = layer(
        "building",
        [box(0, 0, 5, 5), box(10, 0, 5, 5), box(20, 0, 5, 5)],
        valid_from=[None, "1925-01-01T00:00:00+08:00", "2014-05-01T00:00:00+08:00"],
        valid_to=[None, "2012-12-01T00:00:00+08:00", None],
    )
    create(Twin("t", FRAME, {"building": houses}), tmp_path / "t.cim")
    view = open_twin(tmp_path / "t.cim")
    for year, count in ((1900, 1), (1950, 2), (2013, 1), (2020, 2)):
        assert at(view, datetime(year, 6, 1, tzinfo=UTC)).layers()["building"] == count
    with pytest.raises(RequestError, match="offset"):
        at(view, datetime(2020, 1, 1))


def test_a_run_comes_back_exactly(twin: Path) -> None:
    frame = GridFrame(EAST, NORTH + 40.0, 2.0, 20, 30)
    rng = np.random.default_rng(2)
    depth = rng.random((3, 20, 30)).astype(np.float32)
    depth[0, 0, 0] = np.nan
    ids = town().table("road").ids
    result = Result(
        question="flood",
        titles={"en": "f", "zh": "淹"},
        fields=(
            ResultField("depth_m", "m", "grid", depth, {"en": "d", "zh": "深"}, over_time=True),
            ResultField("wet", "1", "grid", depth[2] > 0.5, {"en": "w", "zh": "湿"}),
            ResultField("flow", "1/s", "links", rng.random(4), {"en": "q"}, "road", ids),
            ResultField("v", "m/s", "links", rng.random((3, 4)), {"en": "v"}, "road", ids, True),
        ),
        summary={"max_m": np.float32(0.5), "text": "积水"},
        parameters={"storm": {"p": 50}},
        twin_version=1,
        kernel_version="0",
        illustrative=True,
        times_s=np.array([0.0, 60.5, 121.25]),
        start=datetime(2026, 7, 1, 8, tzinfo=UTC),
        grid=frame,
        balance={"rain_m3": 1.5, "error_rel": 1e-9},
        notes=({"en": "a", "zh": "甲"},),
    )
    back = open_run(twin, save_run(twin, result))
    for one, two in zip(result.fields, back.fields, strict=True):
        np.testing.assert_array_equal(one.values, two.values)
        assert one.values.dtype == two.values.dtype
        assert (one.name, one.unit, one.carrier, one.titles, one.layer, one.over_time) == (
            (two.name, two.unit, two.carrier, two.titles, two.layer, two.over_time)
        )
    assert back.grid == frame and back.start == result.start and back.notes == result.notes
    assert (back.balance, back.parameters) == (result.balance, result.parameters)
    assert back.summary["text"] == "积水"
    assert save_run(twin, result) == "flood-0002"
    tampered = twin / "runs" / "flood-0001" / "flow.parquet"
    tampered.write_bytes(tampered.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="not what was written"):
        open_run(twin, "flood-0001")
    with pytest.raises(RequestError, match="flood-0002"):
        open_run(twin, "flood-0009")


def test_about_tells_a_grid_runs_value_beside_the_object(twin: Path) -> None:
    stored = open_twin(twin)
    frame = stored.grid("terrain").frame
    depth = np.zeros(frame.shape, dtype=np.float32)
    house = stored.table("building")
    xmin, ymin, _, _ = house.geometry[0].bounds
    depth[int(frame.north - ymin), int(xmin - frame.west) - 1] = 0.4
    field = ResultField("depth_max_m", "m", "grid", depth, {"en": "d"})
    save_run(twin, Result("flood", {"en": "f"}, (field,), {}, {}, 1, "0", True, grid=frame))
    told = open_twin(twin).about(str(house.ids[0]))
    assert told["runs"][0]["values"]["depth_max_m"] == pytest.approx(0.4)
    other = open_twin(twin).about(str(house.ids[5]))
    assert other["runs"][0]["values"]["depth_max_m"] == 0.0


def test_about_tells_the_end_of_what_goes_on_in_time(twin: Path) -> None:
    house = open_twin(twin).table("building")
    flow = np.array([[5.0, 1.0], [9.0, 2.0], [3.0, 0.5]])
    field = ResultField("depth_m", "m", "objects", flow, {"en": "d"}, "building", house.ids[:2],
                        over_time=True)  # fmt: skip
    steady = ResultField("peak_m", "m", "objects", flow.max(axis=0), {"en": "p"}, "building",
                         house.ids[:2])  # fmt: skip
    times_s = np.array([0.0, 60.0, 120.0])
    save_run(twin, Result("flood", {"en": "f"}, (field, steady), {}, {}, 1, "0", True,
                          times_s=times_s))  # fmt: skip
    told = open_twin(twin).about(str(house.ids[0]))["runs"][0]["values"]
    assert told == {"depth_m": 3.0, "peak_m": 9.0}


def test_a_second_writer_is_refused_with_the_name_of_the_first(twin: Path) -> None:
    house = str(open_twin(twin).table("building").ids[0])
    with one_writer(twin), pytest.raises(StoreError, match="process") as caught:
        commit(twin, [Edit("remove", "building", house)], why="x")
    assert "readers need not wait" in caught.value.remedy()
    assert commit(twin, [Edit("remove", "building", house)], why="x").removed == 1


def _edit_often(path: str, house: str, count: int) -> None:
    for number in range(count):
        commit(path, [Edit("change", "building", house, {"height_m": float(number)})], why="w")


def test_many_readers_see_whole_versions_while_one_writes(twin: Path) -> None:
    house = str(open_twin(twin).table("building").ids[0])
    faults: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            view = open_twin(twin)
            height = view.one(house).row(0)["height_m"]
            if view.version > 1 and height != view.version - 2:
                faults.append(f"version {view.version} height {height}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    writer = multiprocessing.get_context("spawn").Process(
        target=_edit_often, args=(str(twin), house, 25)
    )
    for one in (*readers, writer):
        one.start()
    writer.join()
    stop.set()
    for one in readers:
        one.join()
    assert writer.exitcode == 0 and faults == []
    assert open_twin(twin).version == 26


def test_a_reader_of_a_replaced_generation_goes_on_reading_it(twin: Path) -> None:
    before = open_twin(twin)
    create(town(houses=3), twin, replace=True)
    assert len(before.table("building")) == 12
    after = open_twin(twin)
    assert after.version == 2 and after.layers()["building"] == 3


def test_runs_and_schemes_outlive_a_new_generation(twin: Path) -> None:
    field = ResultField("a", "1", "objects", np.zeros(0), {"en": "a"}, "tree", np.empty(0, object))
    run = save_run(twin, Result("q", {"en": "q"}, (field,), {}, {}, 1, "0", True))
    house = str(open_twin(twin).table("building").ids[0])
    save_scheme(twin, Scheme("s", 1, (Edit("remove", "building", house),)))
    create(town(), twin, replace=True)
    assert open_run(twin, run).question == "q"
    assert open_scheme(twin, "s").layers()["building"] == 11


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda p: (p / "current").unlink(), "store.unfinished"),
        (lambda p: (p / "current").write_text("../../etc"), "store.bad_pointer"),
        (lambda p: (p / "current").write_text("g0009"), "store.bad_pointer"),
        (lambda p: _overwrite(p / "g0001" / "city.gpkg"), "store.damaged"),
        (lambda p: _schema(p, 99), "store.newer"),
        (lambda p: _schema(p, 1), "store.older"),
    ],
)
def test_a_folder_that_cannot_be_trusted_says_why(twin: Path, spoil, key: str) -> None:  # type: ignore[no-untyped-def]
    assert open_twin(twin).version == 1
    spoil(twin)
    with pytest.raises(StoreError) as caught:
        open_twin(twin)
    assert caught.value.key == key
    assert caught.value.remedy() and caught.value.given


def _overwrite(path: Path) -> None:
    for extra in (path.with_name("city.gpkg-wal"), path.with_name("city.gpkg-shm")):
        extra.unlink(missing_ok=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)


def _schema(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path / "g0001" / "city.gpkg")) as connection:
        connection.execute("UPDATE cim_meta SET value = ? WHERE key = 'schema'", (str(number),))
        connection.commit()


@pytest.mark.parametrize(
    ("name", "prepare", "key"),
    [
        ("t.folder", None, "store.name"),
        ("missing/t.cim", None, "store.no_folder"),
        ("t.cim", lambda p: p.write_text("a file"), "store.not_ours"),
    ],
)
def test_a_target_that_cannot_be_a_twin_is_refused_and_untouched(
    tmp_path: Path, name: str, prepare, key: str
) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / name
    if prepare:
        prepare(path)
    with pytest.raises(StoreError) as caught:
        create(town(), path)
    assert caught.value.key == key
    assert path.exists() == bool(prepare)


def test_opening_a_twin_is_cheap(twin: Path) -> None:
    code = (
        "import time, sys\n"
        "import cim\n"
        "start = time.process_time()\n"
        f"city = cim.open({str(twin)!r})\n"
        "city['building']\n"
        "heavy = [m for m in ('pandas', 'geopandas', 'numba', 'shapely', 'rasterio') "
        "if m in sys.modules]\n"
        "print(heavy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_grids_of_other_types_and_empty_layers_are_kept(tmp_path: Path) -> None:
    frame = GridFrame(EAST, NORTH, 5.0, 3, 4)
    cover = Grid("land_cover", frame, np.arange(12, dtype=np.float32).reshape(3, 4), "class")
    empty = town().table("tree").take(np.zeros(30, dtype=bool))
    stored = create(Twin("t", FRAME, {"tree": empty}, {"land_cover": cover}), tmp_path / "t.cim")
    assert stored.layers() == {"tree": 0} and len(stored.table("tree")) == 0
    np.testing.assert_array_equal(stored.grid("land_cover").values, cover.values)
    part = stored.grid("land_cover", bounds=(EAST + 6, NORTH - 9, EAST + 9, NORTH - 6))
    assert part.values.tolist() == [[5.0]]


def test_info_counts_the_objects_that_have_a_value(twin: Path) -> None:
    stored = open_twin(twin)
    told = stored.info()["layers"]
    for name in ("building", "road"):
        table = stored.table(name)
        held = {
            f.name: sum(v is not None and v == v for v in table.columns[f.name])
            for f in table.fields
        }
        assert told[name]["filled"] == {key: count for key, count in held.items() if count}
    assert told["building"]["filled"]["height_m"] > 0
