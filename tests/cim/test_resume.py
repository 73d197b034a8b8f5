"""A build that was killed goes on, and ends as if nobody had killed it. All 示意数据."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cim.cli._keep import keep
from cim.errors import SourceError, StoreError
from cim.jobs import Job
from cim.sources import Built, Parts, build_twin
from cim.sources.district import District
from cim.sources.spec import LayerSpec
from cim.store import begun_rows, create, open_twin
from tests.cim.sources import files as f
from tests.cim.sources.city_files import write_citygml, write_cityjson
from tests.cim.sources.test_heights_and_terrain import cloud, footprints
from tests.cim.sources.test_osm import small

ROOT = Path(__file__).parents[2]


def dump(twin: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every record of a twin but the moments of writing, and the bytes of its grids."""
    folder = open_twin(twin).folder
    found: dict[str, list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(folder / "city.gpkg")) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "AND name NOT LIKE '%_box_%'"
        ).fetchall()
        for (name,) in names:
            columns = [c[1] for c in connection.execute(f'PRAGMA table_info("{name}")')]
            kept = ", ".join(f'"{c}"' for c in columns if c not in ("at", "last_change"))
            found[name] = sorted(connection.execute(f'SELECT {kept} FROM "{name}"'), key=repr)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for grid in sorted((folder / "grids").iterdir()):
        found[grid.name] = [(hashlib.sha256(grid.read_bytes()).hexdigest(),)]
    found["report"] = [((folder / "report.json").read_text(),)]
    return found


def sources(folder: Path) -> list[Path]:
    east = f.write(folder / "houses_east.gpkg", f.houses(40), height_m=[9.0 + i for i in range(40)])
    moved = f.houses(30, step=31.0)
    west = f.write(folder / "houses_west.gpkg", moved, name=[f"房屋{i}" for i in range(30)])
    return [east, west, f.tif(folder / "terrain.tif", f.ground())]


def work(files: list[Path], out: Path, job: Job, *, replace: bool = False) -> tuple[Built, Parts]:
    """Do what the verb does."""
    parts = Parts(out.with_name(out.name + ".work"), long_s=0.0)
    layers = [LayerSpec(p, height_datum="cgvd1985", options={"guess": True}) for p in files]
    built = build_twin(District("city", layers=tuple(layers)), parts=parts, job=job)
    keep(built, out, replace=replace, job=job, resumable=True)
    parts.end()
    return built, parts


def killed_at_step(number: int, files: list[Path], out: Path, *, replace: bool = False) -> bool:
    """Build in a child that is killed at its step `number`; tell whether it was."""
    child = os.fork()
    if child == 0:
        left = [number]

        def listen(_: object) -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        try:
            work(files, out, Job(listen=listen), replace=replace)
        except BaseException as error:
            print(f"child failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the child failed with {code}"
    return code != 0


def begin(files: list[Path], out: Path) -> int:
    """Leave a build of which some rows are committed; tell how many."""
    name = build_twin(_district(files)).name
    for number in range(12, 40):
        assert killed_at_step(number, files, out), "no step is between two commits"
        if begun_rows(out, name):
            return begun_rows(out, name)
    raise AssertionError("nothing was committed")


@pytest.fixture
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cim.store.writing._AT_ONCE", 10)
    monkeypatch.setattr("cim.store.writing._COMMITTED", 20)


@pytest.mark.usefixtures("small_commits")
def test_a_build_killed_at_any_step_goes_on_to_the_same_twin(tmp_path: Path) -> None:
    files = sources(tmp_path)
    work(files, tmp_path / "whole.cim", Job())
    want = dump(tmp_path / "whole.cim")
    resumed_files, number = set(), 0
    while True:
        out = tmp_path / f"k{number}.cim"
        if not killed_at_step(number, files, out):
            break
        with pytest.raises(StoreError):
            open_twin(out)  # nobody sees half a twin
        parts = Parts(out.with_name(out.name + ".work"), long_s=0.0)
        _, parts = work(files, out, Job())
        assert dump(out) == want, f"killed at step {number}"
        assert not parts.folder.exists() and parts.changed == []
        resumed_files.add(len(parts.taken))
        shutil.rmtree(out)
        number += 2
    assert resumed_files >= {0, 2, 3} and number > 20


def _district(files: list[Path]) -> District:
    layers = [LayerSpec(p, height_datum="cgvd1985", options={"guess": True}) for p in files]
    return District("city", layers=tuple(layers))


@pytest.mark.usefixtures("small_commits")
def test_rows_that_were_committed_are_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cim.store import rows

    files, out = sources(tmp_path), tmp_path / "a.cim"
    work(files, tmp_path / "whole.cim", Job())
    begun = begin(files, out)
    written: list[int] = []
    write_rows = rows.write_rows

    def counted(connection: Any, table: Any, **rest: Any) -> None:
        written.append(len(table))
        write_rows(connection, table, **rest)

    monkeypatch.setattr(rows, "write_rows", counted)
    work(files, out, Job())
    assert sum(written) == 70 - begun and dump(out) == dump(tmp_path / "whole.cim")


@pytest.mark.usefixtures("small_commits")
def test_a_rebuild_that_is_killed_leaves_the_old_twin_and_goes_on(tmp_path: Path) -> None:
    files, out = sources(tmp_path), tmp_path / "a.cim"
    create(build_twin(_district(files[:1])).twin, out)
    before = dump(out)
    shutil.copytree(out, tmp_path / "whole.cim")
    work(files, tmp_path / "whole.cim", Job(), replace=True)
    kills = 0
    while killed_at_step(4 + 3 * kills, files, out, replace=True):
        assert dump(out) == before
        kills += 1
    assert kills >= 3
    assert dump(out) == dump(tmp_path / "whole.cim")


@pytest.mark.usefixtures("small_commits")
def test_a_file_that_changed_since_is_read_anew_and_named(tmp_path: Path) -> None:
    files, out = sources(tmp_path), tmp_path / "a.cim"
    begin(files, out)
    (tmp_path / "houses_west.gpkg").unlink()
    f.write(tmp_path / "houses_west.gpkg", f.houses(9, step=33.0), name=["新"] * 9)
    _, parts = work(files, out, Job())
    assert parts.taken == ["terrain.tif (terrain)", "houses_east.gpkg (building)"]
    assert parts.changed == ["houses_west.gpkg (building)"]
    work(files, tmp_path / "whole.cim", Job())
    assert dump(out) == dump(tmp_path / "whole.cim")


FORMATS = {
    "CityJSON": lambda at: write_cityjson(at / "a.city.json"),
    "CityGML": lambda at: write_citygml(at / "a.gml"),
    "OpenStreetMap": lambda at: small().write(at / "a.osm"),
    "cloud": lambda at: cloud(at / "cloud.laz"),
    "Shapefile": lambda at: f.write(at / "h.shp", f.houses(), encoding="GBK", 名称=["楼"] * 12),
    "GeoJSON": lambda at: f.geojson(at / "h.geojson", f.degrees(), height=["12"] * 12),
    "IFC": lambda at: Path(shutil.copy(ROOT / "data/wudadao/villa.ifc", at / "v.ifc")),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_part_of_every_format_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    path = FORMATS[name](tmp_path)
    options = {} if name == "IFC" else {"guess": True}
    files = [LayerSpec(path, height_datum="cgvd1985", options=options)]
    if name in ("cloud", "IFC"):
        files.append(LayerSpec(footprints(tmp_path / "houses.gpkg"), kind="building"))
    district = District("city", layers=tuple(files), frame="EPSG:4548")
    first = Parts(tmp_path / "work", long_s=0.0)
    create(build_twin(district, accept_rejects=True, parts=first).twin, tmp_path / "a.cim")
    second = Parts(tmp_path / "work", long_s=0.0)
    create(build_twin(district, accept_rejects=True, parts=second).twin, tmp_path / "b.cim")
    assert first.taken == [] and len(second.taken) >= len(files)
    assert dump(tmp_path / "a.cim") == dump(tmp_path / "b.cim")


@pytest.mark.parametrize("name", ["houses_east.gpkg", "terrain.tif"])
def test_a_file_that_vanishes_during_the_build_is_an_error_that_names_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cim.sources import build

    files = sources(tmp_path)
    for when in ("common_frame", "chain"):
        before = getattr(build, when)

        def gone(*given: Any, before: Any = before, **rest: Any) -> Any:
            (tmp_path / name).rename(tmp_path / "elsewhere")
            return before(*given, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(build, when, gone)
            if when == "chain" and name.endswith("gpkg"):
                assert (
                    build_twin(_district(files)).report.total.kept == 71
                )  # its rows are in memory
            else:
                with pytest.raises(SourceError) as caught:
                    build_twin(_district(files))
                assert name in str(caught.value)
        (tmp_path / "elsewhere").rename(tmp_path / name)


class _Act:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.where),)

    def __init__(self, where: Path) -> None:
        self.where = where


@pytest.mark.parametrize("how", ["byte", "short", "acts", "other"])
def test_a_part_that_cannot_be_trusted_is_made_anew(how: str, tmp_path: Path) -> None:
    files = sources(tmp_path)
    build_twin(_district(files), parts=Parts(tmp_path / "work", long_s=0.0))
    for path in (tmp_path / "work").glob("*.part"):
        data = bytearray(path.read_bytes())
        if how == "byte":
            data[len(data) // 2] ^= 1
        elif how == "short":
            del data[len(data) // 2 :]
        else:
            body = pickle.dumps(_Act(tmp_path / "acted") if how == "acts" else {"a": 1})
            mark = bytes(data[:11])
            data = bytearray(mark + hashlib.blake2b(body, digest_size=16).digest() + body)
        path.write_bytes(data)
    parts = Parts(tmp_path / "work", long_s=0.0)
    built = build_twin(_district(files), parts=parts)
    assert parts.taken == [] and not (tmp_path / "acted").exists()
    assert built.report.total.kept == 71


def test_the_verb_says_what_it_went_on_from(tmp_path: Path) -> None:
    files = [str(p) for p in sources(tmp_path)[:2]]
    out = str(tmp_path / "a.cim")
    code = (
        "import os, signal, sys\n"
        "import cim.jobs, cim.sources.parts\n"
        "from cim.cli import main\n"
        "cim.sources.parts._LONG_S = 0.0\n"
        "step, count = cim.jobs.Job.step, [0]\n"
        "def counted(self, done, total, **rest):\n"
        "    count[0] += 1\n"
        "    if count[0] == int(sys.argv[1]):\n"
        "        os.kill(os.getpid(), int(sys.argv[2]))\n"
        "    step(self, done, total, **rest)\n"
        "cim.jobs.Job.step = counted\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main(sys.argv[3:]))\n"
    )

    def run(at: int, how: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, str(at), str(int(how)), "build", *files, "-o", out,
                   "--json"]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)

    stopped = run(11, signal.SIGINT)
    assert stopped.returncode == 130, stopped.stderr
    assert not Path(out).exists() and Path(out + ".work").is_dir()
    killed = run(8, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    done = run(0, signal.SIGKILL)
    told = json.loads(done.stdout)
    assert told["resumed"]["files"][0] == "houses_east.gpkg (building)"
    assert told["resumed"]["changed"] == [] and told["resumed"]["rows"] == 0
    assert "Went on from a build" in told["notes"][0] and told["kept"] == 70
    assert not Path(out + ".work").exists()
