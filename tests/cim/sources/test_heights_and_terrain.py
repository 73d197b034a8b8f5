"""Clouds, merged terrain, gaps, breaklines, heights from surface and terrain: known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
import shapely

from cim.errors import CimError
from cim.model.grid import Grid, GridFrame
from cim.sources import Built, build_twin
from cim.sources.district import District
from cim.sources.gaps import fill_gaps, holes
from cim.sources.heights import measured
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.terrain import Ranked, merged, with_breaklines
from tests.cim.sources import files as f
from tests.towns import layer

EAST, NORTH = f.EAST, f.NORTH
SLOPE = 0.02


def ground_m(x: Any, y: Any) -> Any:
    return 3.0 + SLOPE * (x - EAST) + 0.5 * SLOPE * (y - NORTH)


HOUSES = [(20.0, 20.0, 12.0, 9.0), (60.0, 25.0, 8.0, 15.0), (30.0, 70.0, 20.0, 6.0)]
"""East, north, side, height above ground of boxes on the slope, 示意数据."""


def cloud(path: Path, *, classed: bool = True, crs: bool = True, per_m2: float = 9.0) -> Path:
    """Write a cloud of a slope of 100 m with three flat-roofed houses and some noise."""
    rng = np.random.default_rng(4)
    n = int(100 * 100 * per_m2)
    x, y = EAST + rng.uniform(0, 100, n), NORTH + rng.uniform(0, 100, n)
    z, class_ = ground_m(x, y), np.full(n, 2)
    for east, north, side, high in HOUSES:
        inside = (x > EAST + east) & (x < EAST + east + side)
        inside &= (y > NORTH + north) & (y < NORTH + north + side)
        z[inside] = ground_m(EAST + east + side / 2, NORTH + north + side / 2) + high
        class_[inside] = 6
    z[:20], class_[:20] = 500.0, 7  # birds
    z[20:] += rng.normal(0, 0.02, n - 20)
    head = laspy.LasHeader(point_format=6, version="1.4")
    head.offsets, head.scales = [EAST, NORTH, 0], [0.001] * 3
    if crs:
        keys = laspy.vlrs.known.GeoKeyDirectoryVlr()
        record = laspy.vlrs.known.GeoKeyEntryStruct(3072, 0, 1, 4548)
        keys.geo_keys, keys.geo_keys_header.number_of_keys = [record], 1
        head.vlrs.append(keys)
    data = laspy.LasData(head)
    data.x, data.y, data.z = x, y, z
    data.classification = class_ if classed else np.zeros(n, dtype=np.uint8)
    data.write(path)
    return path


def footprints(path: Path) -> Path:
    boxes = [shapely.box(EAST + e, NORTH + n, EAST + e + s, NORTH + n + s) for e, n, s, _ in HOUSES]
    return f.write(path, boxes, name=["a", "b", "c"])


def notes(built: Built, key: str) -> list[dict[str, Any]]:
    return [dict(e.values) for e in built.report.entries if e.reason == key]


@pytest.mark.parametrize("name", ["a.las", "a.laz"])
def test_a_classed_cloud_gives_terrain_surface_and_heights(tmp_path: Path, name: str) -> None:
    built = f.build(
        cloud(tmp_path / name), footprints(tmp_path / "buildings.gpkg"), height_datum="cgvd1985"
    )
    terrain = built.twin.grid("terrain")
    x, y = terrain.frame.centres()
    inner = slice(2, -2)
    error = (terrain.values - ground_m(x[None, :], y[:, None]))[inner, inner]
    assert np.nanmax(np.abs(error)) < 0.25 and abs(float(np.nanmedian(error))) < 0.02
    table = built.twin.table("building")
    by_name = dict(zip(table.texts("name"), table.numbers("height_m"), strict=True))
    for label, (_, _, _, high) in zip("abc", HOUSES, strict=True):
        assert by_name[label] == pytest.approx(high, abs=0.35)
    assert set(table.texts("height_quality")) == {"good"}
    count = built.report.counts["points"]
    assert (count.read, count.rejected) == (90_000, 20) and count.kept == 89_980


def test_below_houses_the_terrain_is_filled_and_flagged(tmp_path: Path) -> None:
    built = f.build(cloud(tmp_path / "a.laz"), height_datum="cgvd1985")
    origin = built.twin.grid("terrain_source")
    east, north, side, _ = HOUSES[0]
    inside = np.array([[EAST + east + side / 2, NORTH + north + side / 2]])
    row, col, _ = origin.frame.cell_of(inside[:, 0], inside[:, 1])
    assert origin.values[row, col] == 0.0 and np.nanmax(origin.values) == 1.0
    (filled,) = notes(built, "source.points_filled")
    assert filled["filled"] == int((origin.values == 0).sum()) > 100


def test_a_cloud_without_classes_is_searched_for_ground_and_says_so(tmp_path: Path) -> None:
    built = f.build(
        cloud(tmp_path / "a.laz", classed=False),
        footprints(tmp_path / "buildings.gpkg"),
        height_datum="cgvd1985",
        accept_rejects=True,
    )
    assert notes(built, "source.points_no_ground") == [{}]
    table = built.twin.table("building")
    by_name = dict(zip(table.texts("name"), table.numbers("height_m"), strict=True))
    for label, (_, _, _, high) in zip("abc", HOUSES, strict=True):
        assert by_name[label] == pytest.approx(high, abs=0.8)


@pytest.mark.parametrize(
    ("options", "key"),
    [({}, "source.no_height_datum"), ({"height_datum": "cgvd1985", "kind": "building"},
                                      "source.not_features")],
)  # fmt: skip
def test_a_cloud_demands_a_datum_and_is_no_layer_of_objects(
    tmp_path: Path, options: dict[str, str], key: str
) -> None:
    with pytest.raises(CimError) as caught:
        f.build(cloud(tmp_path / "a.las", per_m2=1.0), **options)
    assert caught.value.key == key


def test_a_cloud_without_a_system_and_one_cut_off_are_refused(tmp_path: Path) -> None:
    path = cloud(tmp_path / "a.las", crs=False, per_m2=1.0)
    with pytest.raises(CimError) as caught:
        f.build(path, height_datum="cgvd1985")
    assert caught.value.key == "source.no_crs"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(CimError) as caught:
        f.build(path, crs="EPSG:4548", height_datum="cgvd1985")
    assert caught.value.key == "source.truncated"


def grid(values: Any, *, west: float = 0.0, north: float = 100.0, cell: float = 1.0) -> Grid:
    array = np.asarray(values, dtype=np.float32)
    return Grid("terrain", GridFrame(west, north, cell, *array.shape), array, "m", source="s")


def test_of_overlapping_terrains_the_finer_counts_and_a_priority_counts_over_it() -> None:
    fine, coarse = grid(np.full((20, 20), 5.0)), grid(np.full((20, 20), 5.2), cell=2.0)
    report = Report()
    whole, origin = merged([Ranked(coarse, 0, "b"), Ranked(fine, 0, "a")], report=report)
    assert whole.frame.cell_m == 1.0 and whole.frame.shape == (40, 40) and origin is not None
    assert (whole.values[:20, :20] == 5.0).all() and (origin.values[:20, :20] == 1).all()
    assert whole.values[30, 30] == np.float32(5.2) and origin.values[30, 30] == 2
    turned, _ = merged([Ranked(coarse, 1, "b"), Ranked(fine, 0, "a")], report=report)
    assert turned.values[5, 5] == np.float32(5.2)


def test_sources_that_lie_apart_throughout_are_named_and_rough_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(5, 1, (30, 30))
    report = Report()
    merged([Ranked(grid(base), 1, "a"), Ranked(grid(base + 1.7), 0, "b")], report=report)
    (found,) = [e for e in report.entries if e.reason == "source.sources_apart"]
    assert found.file == "b" and found.values["middle"] == "+1.70"
    report = Report()
    other = base + rng.normal(0.4, 3, base.shape)
    merged([Ranked(grid(base), 1, "a"), Ranked(grid(other), 0, "b")], report=report)
    assert not [e for e in report.entries if e.reason == "source.sources_apart"]


def test_holes_are_filled_from_their_rim_and_the_outside_stays_missing() -> None:
    y, x = np.mgrid[0:30, 0:30]
    values = 2.0 + 0.1 * x + 0.05 * y
    full = values.copy()
    values[10:14, 10:14] = np.nan
    values[:, :3] = np.nan
    assert holes(values).sum() == 16
    filled, flags = fill_gaps(values)
    assert flags.sum() == 16 and np.isnan(filled[:, :3]).all()
    assert np.abs(filled - full)[10:14, 10:14].max() < 0.15


def test_two_rasters_of_one_layer_become_one(tmp_path: Path) -> None:
    first = f.tif(tmp_path / "dem_a.tif", f.ground())
    shifted = f.ground() + 2.0
    second = f.tif(tmp_path / "dem_b.tif", shifted, cell=10.0)
    built = f.build(first, second, height_datum="cgvd1985")
    assert sorted(built.twin.grids()) == ["terrain", "terrain_source"]
    (told,) = notes(built, "source.merged")
    assert told["order"] == "1 dem_a.tif; 2 dem_b.tif"
    count = built.report.counts["terrain"]
    assert (count.read, count.kept) == (2, 2)
    one = f.build(first, height_datum="cgvd1985").twin.grid("terrain")
    whole = built.twin.grid("terrain").window(one.frame.bounds)
    np.testing.assert_array_equal(whole.values[:40, :50], one.values)


def test_breaklines_raise_the_cells_they_pass() -> None:
    terrain = grid(np.full((20, 20), 4.0))
    kerb = shapely.LineString([(2.5, 90.5), (15.5, 90.5)])
    across, bare = ([(5.5, 85), (5.5, 95)], [(0.5, 99.5), (0.5, 98)])
    shapes = [kerb, shapely.LineString(across), shapely.LineString(bare)]
    lines = layer("wall", shapes, height_m=[0.15, 2.0, None])
    report = Report()
    raised, origin = with_breaklines(terrain, None, lines, report=report)
    assert raised.values[9, 10] == np.float32(4.15) and raised.values[9, 5] == 6.0
    assert origin.values[9, 10] == 255 and origin.values[0, 0] == 1
    assert raised.values[0, 0] == 4.0
    (told,) = report.entries
    assert (told.values["lines"], told.values["without"]) == (2, 1)


def test_a_wall_layer_with_the_option_raises_the_twin_s_terrain(tmp_path: Path) -> None:
    wall = shapely.LineString([(EAST + 20, NORTH + 100), (EAST + 200, NORTH + 100)])
    walls = f.write(tmp_path / "walls.gpkg", [wall], height_m=[1.5])
    dem = f.tif(tmp_path / "dem.tif", f.ground())
    layers = (
        LayerSpec(walls, kind="wall", options={"breakline": True}),
        LayerSpec(dem, kind="terrain", height_datum="cgvd1985"),
    )
    twin = build_twin(District(name="t", layers=layers)).twin
    flat = f.build(dem, height_datum="cgvd1985").twin.grid("terrain")
    rise = twin.grid("terrain").values - flat.values
    assert rise.max() == pytest.approx(1.5) and (rise > 0).sum() >= 36


def test_quality_tells_what_a_measured_height_is_worth() -> None:
    top = np.full((60, 60), 3.0)
    top[10:30, 10:30] = 13.0  # a house
    top[10:30, 40:50], top[10:20, 40:50] = 9.0, 23.0  # half of it a tower
    top[40:44, 10:14] = 8.0  # a shed of few cells
    top[45:55, 45:55] = np.nan  # not seen but for a strip
    top[45:47, 45:55] = 9.0
    boxes = [shapely.box(10, 70, 30, 90), shapely.box(40, 70, 50, 90), shapely.box(10, 57, 13, 60),
             shapely.box(45, 45, 55, 55), shapely.box(30, 42, 40, 48), shapely.box(500, 0, 510, 10),
             None]  # fmt: skip
    shapes = np.empty(len(boxes), dtype=object)
    shapes[:] = boxes
    surface, terrain = grid(top), grid(np.full((60, 60), 3.0))
    height, _, quality = measured([shapes], terrain, surface)
    assert list(quality) == ["good", "rough", "few cells", "gaps", "low", "none", "none"]
    assert height[0] == 10.0 and np.isnan(height[4:]).all()


def test_given_heights_stay_and_contradictions_are_counted(tmp_path: Path) -> None:
    boxes = [shapely.box(EAST + 20, NORTH + 20, EAST + 50, NORTH + 50),
             shapely.box(EAST + 80, NORTH + 20, EAST + 110, NORTH + 50)]  # fmt: skip
    houses = f.write(tmp_path / "buildings.gpkg", boxes, height_m=[10.0, 30.0])
    dem = f.tif(tmp_path / "dem.tif", np.full((40, 50), 3.0, dtype=np.float32))
    high = np.full((40, 50), 3.0, dtype=np.float32)
    high[30:36, 4:10] = high[30:36, 16:22] = 13.0
    dsm = f.tif(tmp_path / "dsm.tif", high)
    built = f.build(houses, dem, dsm, height_datum="cgvd1985")
    assert sorted(built.twin.table("building").numbers("height_m")) == [10.0, 30.0]
    (told,) = notes(built, "source.heights_differ")
    assert (told["count"], told["of"]) == (1, 2)


def test_levels_that_lie_apart_from_the_terrain_throughout_hint_at_the_datum(
    tmp_path: Path,
) -> None:
    points = [shapely.Point(EAST + 12 * i + 3, NORTH + 40) for i in range(15)]
    level = [3.0 + 0.01 * (12 * i / 5) + 0.02 * 31 - 2.6 for i in range(15)]
    nodes = f.write(tmp_path / "manholes.gpkg", points, ground_m=level)
    dem = f.tif(tmp_path / "dem.tif", f.ground())
    built = f.build(nodes, dem, height_datum="cgvd1985")
    (told,) = notes(built, "source.between.datum")
    assert told["what"] == "ground_m" and float(told["middle"]) == pytest.approx(-2.6, abs=0.15)
