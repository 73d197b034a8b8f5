"""What other programs find in the folder, and what happens when they change it."""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from cim.model import Edit, Field, Twin, as_column
from cim.store import as_of, commit, create, open_twin, reindex, save_run
from tests.towns import EAST, FRAME, NORTH, box, layer, town


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    path = tmp_path / "town.cim"
    create(town(), path)
    return path


def other_program(twin: Path, *statements: str) -> None:
    with closing(sqlite3.connect(twin / "g0001" / "city.gpkg")) as other:
        for one in statements:
            other.execute(one)
        other.commit()


def test_solid_geometry_is_written_as_iso_wkb(tmp_path: Path) -> None:
    """OGC 12-128r18, 2.1.3: the body is WKB of ISO 13249-3, where PolygonZ is 1003."""
    roof = shapely.Polygon([(EAST, NORTH, 1.5), (EAST + 4, NORTH, 2.5), (EAST, NORTH + 4, 3.5)])
    made = create(Twin("t", FRAME, {"building": layer("building", [roof])}), tmp_path / "t.cim")
    with made.reading() as connection:
        (blob,) = connection.execute("SELECT geom FROM building").fetchone()
    assert blob[:4] == b"GP\x00\x03"
    assert struct.unpack("<i4d", blob[4:40]) == (4548, EAST, EAST + 4, NORTH, NORTH + 4)
    assert struct.unpack("<BI", blob[40:45]) == (1, 1003)
    assert made.table("building").geometry[0].equals_exact(roof, 0.0)


def test_an_attribute_of_the_source_may_have_a_name_of_ours(tmp_path: Path) -> None:
    names = ("id", "layer", "geom", "fid", "attributes", "changed_in", "Name")
    houses = layer("building", [box(0, 0, 5, 5)], name=["民园"])
    houses = replace(
        houses,
        columns={**houses.columns, **{n: as_column([f"own {n}"], "text") for n in names}},
        fields=(*houses.fields, *(Field(n, "text") for n in names)),
    )
    path = tmp_path / "t.cim"
    create(Twin("t", FRAME, {"building": houses}), path)
    commit(path, [Edit("change", "building", str(houses.ids[0]), {"height_m": 4.0})], why="x")
    for view in (open_twin(path), as_of(path, 1)):
        back = view.table("building")
        assert {n: back.columns[n][0] for n in names} == {n: f"own {n}" for n in names}
        assert back.columns["name"][0] == "民园"


def test_another_program_sees_grids_and_runs_in_their_place(twin: Path) -> None:
    from cim.model import Result, ResultField

    stored = open_twin(twin)
    frame = stored.grid("terrain").frame
    field = ResultField("depth_m", "m", "grid", np.zeros(frame.shape, "f4"), {"en": "d"})
    run = save_run(twin, Result("flood", {"en": "f"}, (field,), {}, {}, 1, "0", True, grid=frame))
    code = (
        "import json, sys, rasterio\n"
        "for path in sys.argv[1:]:\n"
        "    with rasterio.open(path) as f:\n"
        "        print(json.dumps([f.crs.to_epsg(), list(f.bounds), f.units[0],\n"
        "                          str(f.nodata), f.shape, f.is_tiled]))\n"
    )
    files = (stored.folder / "grids" / "terrain.v1.tif", twin / "runs" / run / "depth_m.tif")
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        epsg, bounds, unit, nodata, shape, _ = json.loads(line)
        assert (epsg, unit, nodata) == (4548, "m", "nan")
        assert bounds == list(frame.bounds) and tuple(shape) == frame.shape
    assert [p.name for p in (stored.folder / "grids").iterdir()] == ["terrain.v1.tif"]


def test_rows_added_and_deleted_by_another_program_count_and_do_not_stop_an_edit(
    twin: Path,
) -> None:
    other_program(
        twin,
        "DELETE FROM building WHERE fid = (SELECT max(fid) FROM building)",
        "DELETE FROM tree WHERE fid <= 10",
        "INSERT INTO tree (geom, id, layer) SELECT geom, 'tre-qgis', layer FROM tree LIMIT 1",
    )
    view = open_twin(twin)
    assert view.layers() == {"building": 11, "road": 4, "tree": 21}
    told = commit(twin, [Edit("add", "building", "bld-new", {}, box(190, 190, 3, 3))], why="x")
    assert told.added == 1
    now = open_twin(twin)
    near = now.table("building", bounds=box(189, 189, 2, 2).bounds)
    assert list(near.ids) == ["bld-new"]
    assert now.layers()["building"] == 12 == len(now.table("building"))


def test_reindexing_takes_in_what_another_program_changed(twin: Path) -> None:
    other_program(
        twin,
        "UPDATE building SET geom = (SELECT geom FROM building WHERE fid = 12) WHERE fid = 2",
        "DELETE FROM tree WHERE fid = 1",
        "INSERT INTO tree (geom, id, layer) SELECT geom, 'tre-qgis', 'tree/qgis' FROM tree LIMIT 1",
    )
    view = open_twin(twin)
    assert len(view.info()["notes"]) == 2
    told = reindex(twin, who="甲")
    assert (told.id, told.added, told.changed, told.removed) == (2, 1, 1, 1)
    now = open_twin(twin)
    assert now.info()["notes"] == []
    assert now.layers() == {"building": 12, "road": 4, "tree": 29, "tree/qgis": 1}
    far = now.table("building").geometry[11].bounds
    assert len(now.table("building", bounds=far)) == 2
    assert list(now.table("tree/qgis").ids) == ["tre-qgis"]
    with now.reading() as connection:
        for kind_name in ("building", "tree"):
            (indexed,) = connection.execute(
                f"SELECT count(*) FROM cim_rtree_{kind_name}_box"
            ).fetchone()
            (rows,) = connection.execute(f"SELECT count(*) FROM {kind_name}").fetchone()
            assert indexed == rows
    assert reindex(twin).id is None and open_twin(twin).version == 2


def test_a_lock_held_by_another_program_is_named_as_such(
    twin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit session left open in another program holds SQLite's lock, not ours."""
    from cim.errors import StoreError
    from cim.store import edits, folder

    def impatient(database: Path, *, write: bool = False) -> sqlite3.Connection:
        connection = folder.connect(database, write=write)
        connection.execute("PRAGMA busy_timeout = 50")
        return connection

    monkeypatch.setattr(edits, "connect", impatient)
    with closing(sqlite3.connect(twin / "g0001" / "city.gpkg", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            commit(twin, [Edit("add", "tree", "tre-1", {}, shapely.Point(EAST, NORTH))], why="x")
        assert caught.value.key == "store.busy"
        assert len(open_twin(twin).table("tree")) == 30
        other.execute("ROLLBACK")
    edits_ = [Edit("add", "tree", "tre-1", {}, shapely.Point(EAST, NORTH))]
    assert commit(twin, edits_, why="x").added == 1
