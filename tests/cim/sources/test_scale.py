"""Long builds: progress goes on, a cancel is felt soon and leaves nothing, one way of work."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from cim.cli._keep import keep
from cim.errors import CancelledError
from cim.jobs import QUIET, Job, Progress
from cim.model import Edit
from cim.model.ids import content_ids
from cim.query import by_id
from cim.sources import build_twin, district_from_files
from cim.store import commit, open_twin, update
from cim.store.compare import diff
from tests.benchmarks.metropolis import outlines
from tests.cim.sources import files as f

COUNT = 30_000


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corners, height_m = outlines(COUNT)
    path = tmp_path_factory.mktemp("scale") / "city.gpkg"
    data = geopandas.GeoDataFrame(
        {"height_m": height_m}, geometry=shapely.polygons(corners), crs="EPSG:4548"
    )
    data.to_file(path, layer="building", driver="GPKG", engine="pyogrio")
    return path


def test_between_two_steps_of_a_long_build_less_than_a_second_of_work_passes(
    city: Path, tmp_path: Path
) -> None:
    steps: list[tuple[float, float]] = []

    def listen(progress: Progress) -> None:
        steps.append((time.process_time(), progress.share))

    job = Job(listen=listen)
    built = build_twin(district_from_files([city]), job=job)
    keep(built, tmp_path / "a.cim", replace=False, job=job)
    gaps = np.diff([at for at, _ in steps])
    assert len(steps) >= 10 and gaps.max() < 1.0


@pytest.mark.parametrize("after", [6, 9])
def test_a_cancelled_build_leaves_nothing(city: Path, tmp_path: Path, after: int) -> None:
    job, seen = Job(), threading.Event()
    count = [0]

    def listen(progress: Progress) -> None:
        count[0] += 1
        if count[0] == after:
            job.cancel()
            seen.set()

    job.listen = listen
    path = tmp_path / "a.cim"
    with pytest.raises(CancelledError):
        built = build_twin(district_from_files([city]), job=job)
        keep(built, path, replace=False, job=job)
    assert seen.is_set() and not path.exists()


def test_ids_from_content_are_those_of_older_versions() -> None:
    shapes = [
        shapely.box(517000.123, 4330000.456, 517010, 4330010),
        shapely.Point(517000.5, 4330000.25),
        shapely.LineString([(0, 0), (1, 1), (2, 0.5)]),
        None,
        shapely.Point(1, 2, 3),
    ]
    columns = {
        "name": ["民园", None, None, None, None], "height_m": [12.5, None, np.nan, None, None],
        "n": [3.0, None, None, None, None], "b": [None, True, None, None, None],
        "t": [None, None, 'a"b\\ü\n', None, None], "z": [None, None, None, 1e-7, None],
        "a": [None, None, None, "", None],
    }  # fmt: skip
    # computed one by one by the version before ids were made by columns
    assert content_ids("building", shapes, columns) == [
        "bld-73a6b08425d88f17", "bld-39181a4ba9a8e469", "bld-7253c71cdbfe894e",
        "bld-95b06199a39d1448", "bld-4d89033cf4ad6b04",
    ]  # fmt: skip


def test_an_update_finds_the_one_house_that_changed(city: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cim"
    built = build_twin(district_from_files([city]))
    keep(built, path, replace=False, job=QUIET)
    before = open_twin(path)
    assert update(path, built.twin, why="the same").id is None
    some = str(before.table("building").ids[1234])
    commit(path, [Edit("change", "building", some, {"height_m": 99.0})], why="taller")
    assert diff(before, open_twin(path)) == {
        "building": {
            "added": [],
            "removed": [],
            "changed": {some: {"attributes": ["height_m"], "moved": False}},
        }
    }
    assert by_id(before, some).tables["building"].numbers("height_m")[0] != 99.0
    assert by_id(open_twin(path), some).tables["building"].numbers("height_m")[0] == 99.0


def test_an_open_twin_sees_commits_by_its_version_and_a_rebuilt_twin_when_opened_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.cim"
    source = f.write(tmp_path / "houses.gpkg", f.houses(), height_m=[5.0] * 12)
    keep(f.build(source), path, replace=False, job=QUIET)
    old = open_twin(path)
    id_ = str(old.table("building").ids[0])
    for turn in range(3):  # the kept connection is asked again after each commit
        commit(path, [Edit("change", "building", id_, {"height_m": 6.0 + turn})], why="t")
        assert old.one(id_).numbers("height_m")[0] == 5.0
        assert open_twin(path).one(id_).numbers("height_m")[0] == 6.0 + turn
    keep(f.build(source), path, replace=True, job=QUIET)
    assert open_twin(path).one(id_).numbers("height_m")[0] == 5.0


def test_threads_ask_one_open_twin_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.cim"
    keep(f.build(f.write(tmp_path / "houses.gpkg", f.houses())), path, replace=False, job=QUIET)
    twin = open_twin(path)
    ids = [str(i) for i in twin.table("building").ids]
    wrong: list[object] = []

    def ask() -> None:
        try:
            for one in ids * 5:
                if str(twin.one(one).ids[0]) != one:
                    wrong.append(one)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_million_is_a_seed_and_a_law() -> None:
    corners, height_m = outlines(50_000)
    again, _ = outlines(50_000)
    np.testing.assert_array_equal(corners, again)
    # the published file of Suzhou: mean 8.9 m, three in four at most 12 m, the highest 84 m
    assert height_m.mean() == pytest.approx(8.9, abs=0.4)
    assert np.percentile(height_m, 75) == 12.0 and 60.0 < height_m.max() <= 84.0
