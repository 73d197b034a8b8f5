"""A file read in pieces gives what it gives as one, whatever the pieces. All 示意数据."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from cim.cli import update
from cim.cli._keep import keep
from cim.errors import SourceError, UnitError
from cim.jobs import Job, Progress
from cim.sources import Built, Parts, build_twin, gathering
from cim.sources.district import District
from cim.sources.spec import LayerSpec
from cim.store import begun_rows, open_twin
from tests.cim.sources import files as f
from tests.cim.test_resume import dump

COUNT = 5_300


def houses(count: int = COUNT) -> geopandas.GeoDataFrame:
    """Return houses with every fault that is judged object by object or over the whole file."""
    column, row = np.arange(count) % 100, np.arange(count) // 100
    x, y = 517000.0 + 30.0 * column, 4330000.0 + 30.0 * row
    shapes = shapely.box(x, y, x + 12.0, y + 9.0)
    shapes[17] = None
    shapes[4100] = shapely.Polygon([(517010, 4330010), (517020, 4330020), (517020, 4330010),
                                    (517010, 4330020)])  # fmt: skip
    shapes[2500] = shapely.box(9e6, 9e6, 9e6 + 5, 9e6 + 5)  # elsewhere
    shapes[3333] = shapely.force_3d(shapes[3333], 5.0)
    shapes[1500], shapes[5200] = shapes[400], shapes[5199]  # twice: far apart, and side by side
    number = np.arange(count, dtype=object)
    number[5000] = 2**60 + 1  # too large for a float64: the column is one of texts
    height = np.array([f"{3 + i % 9} m" for i in range(count)], dtype=object)
    height[2200], height[1999] = "hoch", "1200"
    built = np.full(count, "1987-01-01T00:00:00+08:00", dtype=object)
    built[4400] = "1987-01-01T00:00:00"
    named = np.array([f"房屋{i % 700}" for i in range(count)], dtype=object)
    named[1500], named[5200] = named[400], named[5199]
    for column_ in (number, height, built):
        column_[1500], column_[5200] = column_[400], column_[5199]
    return geopandas.GeoDataFrame(
        {"name": named, "number": number.astype(np.int64), "height": height, "valid_from": built},
        geometry=shapes, crs="EPSG:4548",
    )  # fmt: skip


WRITERS: dict[str, Callable[[Path], Path]] = {
    "gpkg": lambda at: _written(at / "houses.gpkg", "GPKG"),
    "fgb": lambda at: _written(at / "houses.fgb", "FlatGeobuf"),
    "shp": lambda at: _written(at / "houses.shp", "ESRI Shapefile"),
    "geojson": lambda at: _written(at / "houses.geojson", "GeoJSON"),
    "parquet": lambda at: _parquet(at / "houses.parquet"),
    "csv": lambda at: _csv(at / "houses.csv"),
}


def _written(path: Path, driver: str) -> Path:
    data = houses()
    if driver == "GeoJSON":
        data = data.drop(index=2500).to_crs("EPSG:4326")
    if driver in ("FlatGeobuf", "ESRI Shapefile"):
        data.geometry = shapely.force_2d(data.geometry.values)
    options = {"SPATIAL_INDEX": "NO"} if driver == "FlatGeobuf" else {}
    data.to_file(path, driver=driver, engine="pyogrio", **options)
    return path


def _parquet(path: Path) -> Path:
    houses().to_parquet(path)
    return path


def _csv(path: Path) -> Path:
    data = houses()
    data["wkt"] = ["" if g is None else g.wkt for g in data.geometry]
    data.drop(columns="geometry").to_csv(path, index=False)
    return path


def district(*files: Path) -> District:
    specs = [
        LayerSpec(p, kind=None if p.suffix == ".tif" else "building", crs="EPSG:4548",
                  height_datum="cgvd1985", options={"guess": True})
        for p in files
    ]  # fmt: skip
    return District("city", layers=tuple(specs))


def work(files: list[Path], out: Path, job: Job | None = None) -> tuple[Built, Parts]:
    parts = Parts(out.with_name(out.name + ".work"), long_s=0.0)
    built = build_twin(district(*files), parts=parts, accept_rejects=True, job=job or Job())
    keep(built, out, replace=False, job=job or Job(), resumable=True)
    parts.end()
    return built, parts


def in_pieces(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    for module in ("survey", "gathering"):
        monkeypatch.setattr(f"cim.sources.{module}.AT_ONCE", rows)


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_in_pieces_is_the_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [WRITERS[form](tmp_path), f.tif(tmp_path / "terrain.tif", f.ground())]
    whole, _ = work(files, tmp_path / "whole.cim")
    want = dump(tmp_path / "whole.cim")
    told = {e.reason for e in whole.report.entries}
    assert {"source.object.duplicate", "source.naive_time", "source.object.value_dropped"} <= told
    assert whole.report.total.rejected >= 3
    for rows in (1000, 1777) if form == "gpkg" else (1300,):
        in_pieces(monkeypatch, rows)
        built, _ = work(files, tmp_path / f"{rows}.cim")
        assert dump(tmp_path / f"{rows}.cim") == want
        memory = build_twin(district(*files), accept_rejects=True)
        assert memory.report == built.report == whole.report


def test_heights_measured_in_pieces_are_those_measured_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = houses().iloc[:1200].drop(columns="height")
    data.to_file(tmp_path / "houses.gpkg", driver="GPKG", engine="pyogrio")
    ground = np.add.outer(np.arange(200.0), np.arange(400.0)).astype(np.float32) / 50.0
    blocks = np.random.default_rng(3).uniform(2.0, 30.0, (10, 20))
    roofs = ground + np.kron(blocks, np.ones((20, 20))).astype(np.float32)
    grids = [f.tif(tmp_path / "terrain.tif", ground, cell=5.0),
             f.tif(tmp_path / "surface.tif", roofs, cell=5.0)]  # fmt: skip
    whole, _ = work([tmp_path / "houses.gpkg", *grids], tmp_path / "whole.cim")
    assert any(e.reason == "source.heights_measured" for e in whole.report.entries)
    in_pieces(monkeypatch, 111)
    work([tmp_path / "houses.gpkg", *grids], tmp_path / "pieces.cim")
    assert dump(tmp_path / "pieces.cim") == dump(tmp_path / "whole.cim")


def test_what_is_judged_of_a_whole_file_is_an_error_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 1000)
    data = houses().iloc[:3000]
    data["height"] = np.where(np.arange(3000) < 1200, 9.0, 9000.0)  # the first piece is metres
    data.to_file(tmp_path / "houses.gpkg", driver="GPKG", engine="pyogrio")
    with pytest.raises(UnitError) as metres:
        build_twin(district(tmp_path / "houses.gpkg"), accept_rejects=True)
    assert metres.value.key == "source.heights_absurd"
    data["height"] = np.where(np.arange(3000) < 1200, "9", "hoch")
    data.to_file(tmp_path / "texts.gpkg", driver="GPKG", engine="pyogrio")
    with pytest.raises(SourceError) as texts:
        build_twin(district(tmp_path / "texts.gpkg"), accept_rejects=True)
    assert texts.value.key == "source.column_type"


def killed(files: list[Path], out: Path, when: Callable[[Progress], bool]) -> bool:
    """Build in a child that is killed at a step; tell whether it came to it."""
    child = os.fork()
    if child == 0:

        def listen(step: Progress) -> None:
            if when(step):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(files, out, Job(listen=listen))
        except BaseException as error:
            print(f"child failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_a_build_killed_in_the_middle_of_one_file_goes_on_from_its_last_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 500)
    monkeypatch.setattr("cim.store.writing._AT_ONCE", 200)
    monkeypatch.setattr("cim.store.writing._COMMITTED", 1000)
    files = [WRITERS["gpkg"](tmp_path)]
    work(files, tmp_path / "whole.cim")
    want = dump(tmp_path / "whole.cim")
    out = tmp_path / "a.cim"
    read: list[int] = []
    before = gathering.read_piece

    def counted(one: Any, piece: Any, start: int, **rest: Any) -> Any:
        read.append(start)
        return before(one, piece, start, **rest)

    monkeypatch.setattr(gathering, "read_piece", counted)
    for reached in (500, 2500, 4500):
        assert killed(files, out, lambda step: step.count == (reached, COUNT))  # noqa: B023
        assert not out.exists() and not read
    built = build_twin(district(*files), accept_rejects=True)
    read.clear()
    assert killed(files, out, lambda s: s.what == "store.writing" and bool(s.count)
                  and s.count[0] > 3000)  # fmt: skip
    assert begun_rows(out, built.name) >= 2000
    work(files, out)
    assert read == [], "what was read before the kill is not read again"
    assert dump(out) == want
    assert killed(files, tmp_path / "b.cim", lambda step: step.count == (2500, COUNT))
    _, parts = work(files, tmp_path / "b.cim")
    assert read == list(range(2500, COUNT, 500)) and parts.pieces == 5
    assert dump(tmp_path / "b.cim") == want


def test_a_killed_update_changes_nothing_and_goes_on_from_its_last_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 500)
    path, out = tmp_path / "houses.gpkg", tmp_path / "a.cim"
    houses().iloc[:900].to_file(path, driver="GPKG", engine="pyogrio")
    work([path], out)
    before = dump(out)
    path.unlink()
    WRITERS["gpkg"](tmp_path)
    options: dict[str, Any] = {"kind": "building", "accept_rejects": True, "why": "newer"}
    read_piece, read = gathering.read_piece, list[int]()

    def counted(one: Any, piece: Any, start: int, **rest: Any) -> Any:
        if start == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        read.append(start)
        return read_piece(one, piece, start, **rest)

    shutil.copytree(out, tmp_path / "b.cim")
    update.verb(tmp_path / "b.cim", [path], **options)
    monkeypatch.setattr(gathering, "read_piece", counted)
    dies_at = 2500
    child = os.fork()
    if child == 0:
        update.verb(out, [path], **options)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert dump(out) == before
    dies_at = -1
    told = update.verb(out, [path], **options)
    assert told["resumed"]["pieces"] == 5 and read == list(range(2500, COUNT, 500))
    assert told["added"] > 4000 and dump(out) == dump(tmp_path / "b.cim")
    assert not list(tmp_path.glob("*.work"))


def test_a_layer_of_many_files_is_put_aside_where_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.sources.gathering._HELD", 30)
    files = [f.write(tmp_path / f"h{i}.gpkg", f.houses(20, step=31.0 + i),
                     **{f"own{i}": [float(i)] * 20}) for i in range(4)]  # fmt: skip
    held = build_twin(district(*files), accept_rejects=True)
    keep(held, tmp_path / "held.cim", replace=False, job=Job())
    built, _ = work(files, tmp_path / "aside.cim")
    assert type(built.twin.tables) is not dict
    assert dump(tmp_path / "aside.cim") == dump(tmp_path / "held.cim")
    assert len(open_twin(tmp_path / "aside.cim").table("building")) == 80
