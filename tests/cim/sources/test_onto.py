"""A newer delivery meets the twin that stands: patches of ground, heights that were measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.cli import update as verb
from cim.cli._keep import keep
from cim.jobs import QUIET
from cim.sources import build_twin
from cim.sources.district import District
from cim.sources.spec import LayerSpec
from cim.store import edit, open_twin
from tests.cim.sources import files as f


def spec(path: Path, kind: str) -> LayerSpec:
    return LayerSpec(path, kind=kind, height_datum="cgvd1985", options={"guess": True})


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    ground = np.full((60, 80), 3.0, dtype=np.float32)
    roofs = ground + 9.0
    layers = (
        spec(f.tif(tmp_path / "terrain.tif", ground, cell=5.0), "terrain"),
        spec(f.tif(tmp_path / "surface.tif", roofs, cell=5.0), "surface"),
        spec(f.write(tmp_path / "houses.gpkg", f.houses(side=20.0), name=["a"] * 12), "building"),
    )
    keep(build_twin(District("t", layers=layers)), tmp_path / "t.cim", replace=False, job=QUIET)
    return tmp_path / "t.cim"


def updated(twin: Path, *files: Path, kind: str) -> dict[str, Any]:
    return verb.verb(twin, list(files), kind=kind, height_datum="cgvd1985")


def test_a_patch_of_terrain_changes_its_part_and_leaves_the_rest(
    twin: Path, tmp_path: Path
) -> None:
    before = open_twin(twin).grid("terrain")
    patch = f.tif(tmp_path / "dug.tif", np.full((10, 10), 1.0, dtype=np.float32), cell=5.0)
    told = updated(twin, patch, kind="terrain")
    after = open_twin(twin).grid("terrain")
    assert after.frame == before.frame
    changed = after.values != before.values
    assert changed.sum() == 100 and (after.values[changed] == 1.0).all()
    assert any(e["key"] == "source.merged" for e in told["entries"])
    assert set(np.unique(open_twin(twin).grid("terrain_source").values)) == {1.0, 2.0}


def test_a_whole_new_terrain_takes_the_place_of_the_old(twin: Path, tmp_path: Path) -> None:
    new = f.tif(tmp_path / "new.tif", np.full((60, 80), 4.0, dtype=np.float32), cell=5.0)
    told = updated(twin, new, kind="terrain")
    assert (open_twin(twin).grid("terrain").values == 4.0).all()
    assert not any(e["key"] == "source.merged" for e in told["entries"])


def test_heights_that_were_measured_survive_a_newer_file_without_heights(
    twin: Path, tmp_path: Path
) -> None:
    before = open_twin(twin).table("building")
    assert np.isfinite(before.numbers("height_m")).all()
    (tmp_path / "houses.gpkg").unlink()
    f.write(tmp_path / "houses.gpkg", f.houses(13, side=20.0), name=["a"] * 13)
    told = updated(twin, tmp_path / "houses.gpkg", kind="building")
    assert (told["added"], told["changed"], told["removed"]) == (1, 0, 0)
    assert np.isfinite(open_twin(twin).table("building").numbers("height_m")).all()


def test_a_new_surface_measures_the_houses_that_lack_a_height(tmp_path: Path) -> None:
    ground = np.full((60, 80), 3.0, dtype=np.float32)
    layers = (
        spec(f.tif(tmp_path / "terrain.tif", ground, cell=5.0), "terrain"),
        spec(f.write(tmp_path / "houses.gpkg", f.houses(side=20.0), name=["a"] * 12), "building"),
    )
    path = tmp_path / "t.cim"
    keep(build_twin(District("t", layers=layers)), path, replace=False, job=QUIET)
    assert np.isnan(open_twin(path).table("building").numbers("height_m")).all()
    surface = f.tif(tmp_path / "surface.tif", ground + 9.0, cell=5.0)
    told = updated(path, surface, kind="surface")
    assert told["changed"] == 12 + 1  # and the grid
    heights = open_twin(path).table("building").numbers("height_m")
    np.testing.assert_allclose(heights, 9.0, atol=0.01)


def test_measured_heights_are_measured_again_under_a_newer_surface_and_written_ones_stay(
    twin: Path, tmp_path: Path
) -> None:
    before = open_twin(twin).table("building")
    np.testing.assert_allclose(before.numbers("height_m"), 9.0, atol=0.01)
    written = str(before.ids[0])
    with edit(twin, why="surveyed") as edits:
        edits.change(written, {"height_m": 11.5})
    roofs = np.full((60, 80), 3.0 + 15.0, dtype=np.float32)
    told = updated(twin, f.tif(tmp_path / "newer.tif", roofs, cell=5.0), kind="surface")
    after = open_twin(twin).table("building")
    heights = dict(zip(after.ids, after.numbers("height_m"), strict=True))
    assert heights.pop(written) == 11.5
    np.testing.assert_allclose(list(heights.values()), 15.0, atol=0.01)
    (said,) = [e for e in told["entries"] if e["key"] == "source.heights_again"]
    assert (said["values"]["count"], said["values"]["changed"], said["values"]["gone"]) == (
        11,
        11,
        0,
    )
    assert any(e["key"] == "source.heights_differ" for e in told["entries"])


def test_a_patch_of_surface_measures_the_houses_under_it_and_no_other(
    twin: Path, tmp_path: Path
) -> None:
    before = open_twin(twin).table("building")
    patch = np.full((60, 10), 3.0, dtype=np.float32)  # the western houses were pulled down
    told = updated(twin, f.tif(tmp_path / "patch.tif", patch, cell=5.0), kind="surface")
    after = open_twin(twin).table("building")
    west = shapely.bounds(after.geometry)[:, 2] <= 517000.0 + 50.5
    assert 0 < west.sum() < len(after) and list(after.ids) == list(before.ids)
    assert np.isnan(after.numbers("height_m")[west]).all()
    assert set(after.column("height_quality")[west]) == {"low"}
    np.testing.assert_allclose(after.numbers("height_m")[~west], 9.0, atol=0.01)
    (said,) = [e for e in told["entries"] if e["key"] == "source.heights_again"]
    assert said["values"]["gone"] == west.sum()


def test_a_footprint_that_changed_is_measured_where_it_stands_now(
    twin: Path, tmp_path: Path
) -> None:
    roofs = np.add.outer(np.zeros(60), np.repeat([9.0, 21.0], 40)).astype(np.float32) + 3.0
    updated(twin, f.tif(tmp_path / "newer.tif", roofs, cell=5.0), kind="surface")
    (tmp_path / "houses.gpkg").unlink()
    f.write(tmp_path / "houses.gpkg", f.houses(side=24.0), name=["a"] * 12)
    updated(twin, tmp_path / "houses.gpkg", kind="building")
    after = open_twin(twin).table("building")
    middle = shapely.get_x(shapely.centroid(after.geometry)) - 517000.0
    east = middle > 200.0
    assert set(np.round(after.numbers("height_m")[east])) <= {21.0}
    assert set(np.round(after.numbers("height_m")[~east & (middle < 180.0)])) == {9.0}
