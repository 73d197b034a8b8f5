"""Files in metres from a point of their own, and systems that are not what a file says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
import shapely

from cim.cli._keep import point
from cim.errors import CimError, RequestError
from cim.sources import Built, build_twin, district_from_files
from tests.cim.sources import files as f
from tests.cim.sources.city_files import cityjson, write_cityjson
from tests.cim.sources.test_osm import small

AT = (517_000.0, 4_330_600.0)


def build(path: Path, **given: Any) -> Built:
    return build_twin(district_from_files([path], height_datum="cgvd1985", **given))


def keys(built: Built) -> set[str]:
    return {e.reason for e in built.report.entries}


def local_houses(at: Path) -> Path:
    """Write three houses near zero that call themselves Web Mercator."""
    shapes = [shapely.box(x, -8.0, x + 6.0, -2.0) for x in (-3.0, 9.0, 20.0)]
    return f.write(at / "houses.gpkg", shapes, "EPSG:3857", height_m=[6.0] * 3)


def test_local_metres_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(CimError) as caught:
        build(local_houses(tmp_path), kind="building")
    assert caught.value.key == "source.degrees_as_metres" and "--at" in str(caught.value)


@pytest.mark.parametrize(("turn", "box"), [((), (-3, -8, 3, -2)), ((0.0, 90.0), (2, -3, 8, 3))])
def test_local_metres_stand_where_they_are_put(
    turn: tuple[float, ...], box: tuple[float, ...], tmp_path: Path
) -> None:
    path = local_houses(tmp_path)
    built = build(path, kind="building", crs="EPSG:4548", at=[*AT, *turn])
    first = built.twin.table("building").geometry[0]
    assert np.array(first.bounds) - [*AT, *AT] == pytest.approx(box, abs=1e-6)
    assert "source.placed_at" in keys(built) and built.twin.frame.crs == "EPSG:4548"
    plain = build(path, kind="building", crs="EPSG:4548", at=AT)
    assert list(built.twin.table("building").ids) == list(plain.twin.table("building").ids)


def test_a_cloud_of_local_metres_stands_where_it_is_put(tmp_path: Path) -> None:
    cloud = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
    grid = np.mgrid[0:40, 0:20].reshape(2, -1).astype(float) / 2.0 + 0.25
    cloud.x, cloud.y, cloud.z = grid[0], grid[1], np.full(800, 5.0)
    cloud.classification = np.full(800, 2)
    cloud.write(tmp_path / "terrain.las")
    built = build(tmp_path / "terrain.las", crs="EPSG:4548", at=[*AT, 2.5, 0.0])
    grid_of = built.twin.grid("terrain")
    west, south, east, north = grid_of.frame.bounds
    assert (west, south) == pytest.approx(AT, abs=1.0)
    assert (east - west, north - south) == pytest.approx((20.0, 10.0), abs=2.0)
    assert np.nanmax(grid_of.values) == pytest.approx(7.5, abs=0.01)


def test_a_city_model_of_local_metres_stands_where_it_is_put(tmp_path: Path) -> None:
    there = build(write_cityjson(tmp_path / "a.city.json"))
    document = cityjson()
    document["transform"]["translate"] = [0.0, 0.0, 0.0]
    document["metadata"].pop("referenceSystem")
    path = write_cityjson(tmp_path / "b.city.json", document)
    with pytest.raises(CimError):
        build(path, crs="EPSG:4548")
    moved = build(path, crs="EPSG:4548", at=[*AT, 3.0])
    part, same = (b.twin.table("building_part").geometry[0] for b in (moved, there))
    assert part.equals_exact(same, 1e-6)
    tree, same = (b.twin.table("tree").geometry[0] for b in (moved, there))
    assert tree.distance(same) < 1e-6
    assert moved.twin.table("building").numbers("base_m")[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("make", "given", "key"),
    [
        (local_houses, {"at": AT}, "source.at_crs"),
        (local_houses, {"at": AT, "crs": "EPSG:4490"}, "source.at_crs"),
        (local_houses, {"at": [1.0], "crs": "EPSG:4548"}, "source.at"),
        (local_houses, {"at": [*AT, float("nan")], "crs": "EPSG:4548"}, "source.at"),
        (local_houses, {"at": [*AT, 5.0], "crs": "EPSG:4548"}, "source.at"),
        (lambda at: f.tif(at / "dem.tif", f.ground()), {"at": AT, "crs": "EPSG:4548"},
         "source.at_not_here"),
        (lambda at: small().write(at / "a.osm"), {"at": AT, "crs": "EPSG:4548"},
         "source.at_not_here"),
    ],
)  # fmt: skip
def test_a_point_that_cannot_be_meant_is_refused(
    make: Callable[[Path], Path], given: dict[str, Any], key: str, tmp_path: Path
) -> None:
    with pytest.raises(CimError) as caught:
        build(make(tmp_path), **given)
    assert caught.value.key == key


def test_a_point_is_read_from_the_command_line() -> None:
    assert point("517000,4330600.5") == [517000.0, 4330600.5] and point(None) is None
    with pytest.raises(RequestError):
        point("517000 4330600")


def test_degrees_called_metres_are_read_with_the_system_that_is_passed(tmp_path: Path) -> None:
    path = f.write(tmp_path / "buildings.gpkg", f.degrees(), "EPSG:3857", height_m=[6.0] * 12)
    with pytest.raises(CimError):
        build(path)
    built = build(path, crs="EPSG:4326")
    plain = build(f.geojson(tmp_path / "buildings.geojson", f.degrees(), height_m=[6.0] * 12))
    assert "source.crs_overruled" in keys(built)
    one, other = (b.twin.table("building").geometry[0] for b in (built, plain))
    assert one.equals_exact(other, 1e-6)


def in_system(at: Path, crs: object, shapes: list[Any]) -> Path:
    path = f.geojson(at / "buildings.geojson", shapes, height_m=[6.0] * 12)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "crs": crs}))
    return path


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::99999"}},
        {"type": "name", "properties": {"name": "urn:adv:crs:NOBODY"}},
        {"type": "name", "properties": {"name": None}},
        {"type": "EPSG", "properties": {"code": 99999}},
    ],
)
def test_a_geojson_in_a_system_nobody_knows_is_refused_by_name(crs: object, tmp_path: Path) -> None:
    path = in_system(tmp_path, crs, f.degrees())
    with pytest.raises(CimError) as caught:
        build(path)
    assert caught.value.key == "crs.unknown"
    assert "source.crs_not_known" in keys(build(path, crs="EPSG:4490"))


def test_a_system_that_only_we_know_counts(tmp_path: Path) -> None:
    gk4 = [shapely.transform(s, lambda c: c + (4_468_000 - f.EAST, 5_333_000 - f.NORTH))
           for s in f.houses()]  # fmt: skip
    named = {"type": "name", "properties": {"name": "urn:adv:crs:DE_DHDN_3GK4*NH"}}
    assert build(in_system(tmp_path, named, gk4)).twin.frame.crs == "EPSG:31468"


def test_the_published_local_case_comes_in_with_its_point(testdata: Callable[[str], Path]) -> None:
    folder = testdata("city3d/minimal_dtcc")
    given = {"crs": "EPSG:3006", "at": [674_000.0, 6_580_000.0]}
    built = build_twin(district_from_files(
        [folder / "PropertyMap.shp", folder / "pointcloud.las"], kind="building",
        height_datum="unknown", **given))  # fmt: skip
    assert built.twin.layers() == {"building": 3}
    assert built.report.counts["points"].kept == 8148
