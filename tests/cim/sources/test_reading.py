"""Good files of every sort come in whole: encodings, parts, rasters, districts, real data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely

from cim.cli import main
from cim.crs import Frame, transform
from cim.errors import CimError, FrameError, SourceError
from cim.jobs import Job
from cim.sources import build_twin, district_from_files, read_district
from cim.store import open_twin
from tests.cim.sources import files as f

NAMES = ["天津五大道", "民园体育场", "重庆道", "Minyuan"]


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "GB18030"])
@pytest.mark.parametrize("said", [True, False])
def test_chinese_texts_of_a_shapefile_come_through(
    encoding: str, said: bool, tmp_path: Path
) -> None:
    path = f.write(tmp_path / "房屋.shp", f.houses(4), encoding=encoding, 名称=NAMES)
    if not said:
        path.with_suffix(".cpg").unlink()
    built = f.build(path)
    assert built.twin.table("building").texts("name") == NAMES
    keys = [e.reason for e in built.report.entries]
    assert ("source.encoding_found" in keys) is not said


def test_a_geopackage_of_several_layers_gives_several(tmp_path: Path) -> None:
    path = f.write(tmp_path / "city.gpkg", f.houses(5), layer="建筑")
    line = shapely.LineString([(f.EAST, f.NORTH), (f.EAST + 100, f.NORTH)])
    f.write(path, [line], layer="roads", append=True)
    f.write(path, [shapely.Point(f.EAST, f.NORTH)], layer="trees", append=True)
    built = f.build(path)
    assert built.twin.layers() == {"building": 5, "road": 1, "tree": 1}


def test_geojson_in_metres_builds_when_its_system_is_passed(tmp_path: Path) -> None:
    path = f.geojson(tmp_path / "buildings.geojson", f.houses(5))
    assert f.build(path, crs="EPSG:4548").twin.frame.crs == "EPSG:4548"
    member = f.geojson(tmp_path / "b2.geojson", f.houses(5), "EPSG:4548")
    assert f.build(member).twin.frame.crs == "EPSG:4548"


def test_the_files_own_system_counts_over_the_one_passed_and_it_is_said(tmp_path: Path) -> None:
    path = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    built = f.build(path, crs="EPSG:32650")
    assert built.twin.frame.crs == "EPSG:4548"
    assert "source.crs_not_used" in [e.reason for e in built.report.entries]


def test_files_in_different_systems_meet_in_one_frame(tmp_path: Path) -> None:
    here = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    shapes = transform(np.array(f.houses(5), dtype=object), source="EPSG:4548", target="EPSG:4490")
    there = f.geojson(tmp_path / "parcels.geojson", list(shapes))
    built = f.build(here, there)
    a, b = built.twin.table("building").geometry, built.twin.table("parcel").geometry
    assert shapely.hausdorff_distance(a, b).max() < 0.001  # standards: 1 mm


def test_int16_millimetres_with_a_scale_come_as_metres(tmp_path: Path) -> None:
    stored = np.round(f.ground() * 1000).astype(np.int16)
    stored[0, 0] = -32768
    path = f.tif(tmp_path / "dem.tif", stored, nodata=-32768, scale=0.001)
    built = f.build(path, height_datum="cgvd1985")
    values = built.twin.grid("terrain").values
    assert np.isnan(values[0, 0])
    assert np.nanmax(np.abs(values - f.ground())) < 0.0006  # half a millimetre of rounding
    assert "source.scale_applied" in [e.reason for e in built.report.entries]


def test_undeclared_missing_cells_are_found_and_said(tmp_path: Path) -> None:
    values = f.ground()
    values[3:5, 3:5] = -9999
    built = f.build(f.tif(tmp_path / "dem.tif", values), height_datum="cgvd1985")
    assert np.isnan(built.twin.grid("terrain").values).sum() == 4
    assert "source.nodata_undeclared" in [e.reason for e in built.report.entries]


@pytest.mark.parametrize(("unit", "factor"), [("mm", 0.001), ("ft", 0.3048), ("m", 1.0)])
def test_a_units_tag_counts(unit: str, factor: float, tmp_path: Path) -> None:
    path = f.tif(tmp_path / "dem.tif", f.ground() / np.float32(factor), unit=unit)
    values = f.build(path, height_datum="cgvd1985").twin.grid("terrain").values
    assert np.allclose(values, f.ground(), rtol=1e-5)


def test_heights_of_1956_are_lowered_to_those_of_1985(tmp_path: Path) -> None:
    path = f.tif(tmp_path / "dem.tif", f.ground())
    built = f.build(path, height_datum="yellow1956", frame_height="cgvd1985")
    lower = f.ground() - built.twin.grid("terrain").values
    assert np.allclose(lower, 0.029, atol=1e-5)  # standards.toml: height.yellow1956_over_cgvd1985_m
    with pytest.raises(FrameError) as caught:
        f.build(path, height_datum="unknown", frame_height="cgvd1985")
    assert caught.value.key == "crs.height_no_relation" and "dem.tif" in str(caught.value)


def test_a_terrain_in_another_zone_is_resampled_onto_the_frame(tmp_path: Path) -> None:
    houses = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    ground = f.tif(tmp_path / "dem.tif", f.ground())
    west = transform([[f.EAST, f.NORTH + 200.0]], source="EPSG:4548", target="EPSG:32650")[0]
    from affine import Affine

    other = f.tif(
        tmp_path / "dem50.tif",
        f.ground(),
        crs="EPSG:32650",
        transform=Affine(5.0, 0.0, west[0], 0.0, -5.0, west[1]),
    )
    plain = f.build(houses, ground, height_datum="cgvd1985").twin.grid("terrain")
    built = f.build(houses, other, height_datum="cgvd1985")
    moved = built.twin.grid("terrain")
    assert "source.resampled" in [e.reason for e in built.report.entries]
    inner = np.array([[f.EAST + x, f.NORTH + y] for x in (60, 120, 180) for y in (60, 100, 140)])
    # slope 0.5 %, grid convergence between the zones below 1°: a few centimetres over 200 m
    assert np.abs(plain.sample(inner) - moved.sample(inner)).max() < 0.02


def test_classes_are_resampled_without_mixing(tmp_path: Path) -> None:
    from affine import Affine

    classes = np.tile(np.array([1, 1, 7, 7], dtype=np.uint8), (40, 10))
    cover = f.tif(
        tmp_path / "land_cover.tif",
        classes,
        crs="EPSG:4490",
        transform=Affine(5e-5, 0.0, f.LON, 0.0, -5e-5, f.LAT),
    )
    values = f.build(cover).twin.grid("land_cover").values
    assert set(np.unique(values[np.isfinite(values)])) == {1.0, 7.0}


def test_a_kind_of_objects_leaves_the_grids_beside_them_alone(tmp_path: Path) -> None:
    parts = f.write(tmp_path / "x.gpkg", f.houses(5))
    dem = f.tif(tmp_path / "dem.tif", f.ground())
    built = f.build(parts, dem, kind="parcel", height_datum="unknown")
    assert built.twin.layers() == {"parcel": 5} and built.twin.grids() == ["terrain"]
    with pytest.raises(SourceError):
        f.build(dem, kind="parcel", height_datum="unknown")


def test_a_given_frame_is_taken_as_it_is(tmp_path: Path) -> None:
    path = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    frame = Frame("EPSG:32650", "cgvd1985", (500_000.0, 4_000_000.0))
    assert f.build(path, frame=frame).twin.frame == frame


def test_a_cancel_is_felt(tmp_path: Path) -> None:
    from cim.errors import CancelledError

    path = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    job = Job()
    job.cancel()
    with pytest.raises(CancelledError):
        f.build(path, job=job)


DISTRICT = """
[twin]
name = "wudadao"
frame = "EPSG:4548"
frame_height = "cgvd1985"
illustrative = true
[twin.title]
en = "Wudadao"
zh = "五大道"

[[layer]]
file = "h.gpkg"
kind = "building"
name = "old"

[[layer]]
file = "s.geojson"
kind = "sensor"

[[observations]]
file = "rain.csv"
"""


def district(at: Path, text: str = DISTRICT, csv: str | None = None) -> Path:
    f.write(at / "h.gpkg", f.houses(5)) if not (at / "h.gpkg").exists() else None
    f.geojson(at / "s.geojson", [shapely.Point(f.LON, f.LAT)], name=["R1"])
    (at / "rain.csv").write_text(
        csv
        or "sensor,time,value\nR1,2026-07-01T08:00:00+08:00,1.5\nR9,2026-07-01T00:00Z,2\n"
        + "".join(f"R1,2026-07-01T08:{m:02d}:00+08:00,0\n" for m in range(5, 60, 5))
    )
    (at / "district.toml").write_text(text, encoding="utf-8")
    return at / "district.toml"


def test_a_district_builds_with_observations_and_an_unknown_sensor_is_listed(
    tmp_path: Path,
) -> None:
    built = build_twin(read_district(district(tmp_path)))
    assert built.twin.layers() == {"building/old": 5, "sensor": 1}
    assert built.twin.table("sensor").illustrative and built.title["zh"] == "五大道"
    sensor = str(built.twin.table("sensor").ids[0])
    assert built.observations.rows()[0] == (sensor, 1782864000.0, 1.5)  # 2026-07-01T00:00Z
    (entry,) = [e for e in built.report.entries if e.action == "rejected"]
    assert entry.reason == "source.row.sensor" and entry.object == "2"
    assert [s.file for s in built.sources] == ["h.gpkg", "s.geojson"]


def test_a_reading_without_offset_is_an_error(tmp_path: Path) -> None:
    path = district(tmp_path, csv="sensor,time,value\nR1,2026-07-01T08:00:00,1.5\n")
    with pytest.raises(SourceError) as caught:
        build_twin(read_district(path))
    assert caught.value.key == "source.time_without_offset"


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ('name = "old"', 'nam = "old"', "source.toml_key", "line 14"),
        ("illustrative = true", 'illustrative = "yes"', "source.toml_type", "line 6"),
        ('kind = "building"', 'kind = "castle"', "source.toml_kind", "line 13"),
        ('file = "h.gpkg"', 'file = "x.gpkg"', "source.toml_no_file", "line 12"),
        ('file = "h.gpkg"', "", "source.toml_lacks", "file"),
        ('name = "old"', 'name = "a/b"', "source.toml_name", "line 14"),
        ('name = "old"', 'crs = "EPSG:99999"', "crs.unknown", "district.toml:14"),
        ('name = "old"', 'height_datum = "sea"', "crs.unknown_height_datum", "district.toml:14"),
        ("[twin]", '[twin]\nzone = "Asia/Nowhere"', "source.toml_zone", "line 3"),
        ("[twin]", "[twin", "source.toml", "line 2"),
        ("[[layer]]", "[[layers]]", "source.toml_key", "layers"),
        ('file = "h.gpkg"', 'file = "/vsicurl/http://x/h.gpkg"', "source.remote", "vsicurl"),
    ],
)
def test_a_fault_in_a_district_names_key_and_line(
    old: str, new: str, key: str, line: str, tmp_path: Path
) -> None:
    path = district(tmp_path, DISTRICT.replace(old, new))
    with pytest.raises(CimError) as caught:
        read_district(path)
    assert caught.value.key == key
    assert line in str(caught.value) and caught.value.remedy()


def test_gothenburg_comes_in_whole(testdata: Callable[[str], Path]) -> None:
    folder = testdata("city3d/gothenburg/buildings.shp").parent
    built = f.build(
        folder / "buildings.shp", folder / "DEM_KRbig.tif", folder / "landcover.tif",
        height_datum="unknown",
    )  # fmt: skip
    assert built.twin.frame.crs == "EPSG:3007"
    assert built.twin.layers() == {"building": 137}  # README of the data: 137 buildings
    assert built.report.total.read == built.report.total.kept == 139
    assert built.twin.grid("terrain").frame.shape == (223, 234)  # README of the data


def test_suzhou_comes_in_with_heights_and_storeys(testdata: Callable[[str], Path]) -> None:
    built = f.build(testdata("city3d/suzhou/bd_demo_2.json"))
    table = built.twin.table("building")
    assert built.twin.frame.crs == "EPSG:4549"
    assert len(table) == 3076  # README of the data: 3,076 buildings, 3-84 m, mean 8.9
    heights = table.numbers("height_m")
    assert (heights.min(), heights.max()) == (3.0, 84.0)
    assert heights.mean() == pytest.approx(8.9, abs=0.05)
    assert built.report.total.read == 3076


def test_waterloo_comes_in_with_roads(testdata: Callable[[str], Path]) -> None:
    folder = testdata("city3d/waterloo_iowa/waterloo_buildings.geojson").parent
    built = f.build(folder / "waterloo_buildings.geojson", folder / "roads_0yr_flood.geojson")
    assert built.report.layer("building").read == 1105  # README of the data: 1,105 buildings
    assert built.report.layer("road").read == 33
    total = built.report.total
    assert total.read == total.kept + total.rejected


def test_layers_that_contradict_one_another_are_noted_not_rejected(tmp_path: Path) -> None:
    houses = f.write(
        tmp_path / "buildings.gpkg",
        f.houses(5),
        base_m=[3.0, 3.0, 9.0, 3.0, 3.0],  # the ground lies between 3 and 4.3 m
        height_m=[9.0, 9.0, 9.0, 30.0, 9.0],
        storeys_above=[3, 3, 3, 3, 3],  # 10 m a storey: more than building.storey_height_m
    )
    ends = [(f.EAST + x, f.NORTH + 10.0) for x in (0.0, 50.0, 150.0)]
    nodes = f.write(tmp_path / "pipe_nodes.gpkg", [shapely.Point(ends[0]), shapely.Point(ends[1])])
    pipes = f.write(
        tmp_path / "pipes.gpkg",
        [shapely.LineString(ends[:2]), shapely.LineString(ends[1:])],
        invert_from_m=[1.0, 7.0],
        invert_to_m=[0.9, 0.8],
    )
    dem = f.tif(tmp_path / "dem.tif", f.ground())
    built = f.build(houses, nodes, pipes, dem, height_datum="cgvd1985")
    notes = {e.reason: e.values["count"] for e in built.report.entries if "between" in e.reason}
    assert built.report.total.rejected == 0
    assert notes["source.between.storeys"] == 1
    assert notes["source.between.invert"] == 1
    assert notes["source.between.ends"] == 1
    assert notes["source.between.base"] >= 1


def test_progress_only_goes_forward(tmp_path: Path) -> None:
    shares: list[float] = []
    path = f.write(tmp_path / "buildings.gpkg", f.houses(5))
    dem = f.tif(tmp_path / "dem.tif", f.ground())
    f.build(path, dem, height_datum="unknown", job=Job(listen=lambda p: shares.append(p.share)))
    assert shares == sorted(shares) and len(shares) > 4


def test_the_sketch_of_wudadao_comes_in_whole() -> None:
    path = Path(__file__).resolve().parents[3] / "data" / "wudadao" / "district.toml"
    start = time.process_time()
    built = build_twin(read_district(path))
    spent = time.process_time() - start
    print(f"built in {spent:.1f} CPU s")
    assert spent <= 20.0
    total = built.report.total
    assert total.read == total.kept and total.repaired == total.rejected == 0
    assert {entry["action"] for entry in built.report.record()["entries"]} == {"note"}
    assert built.twin.frame.crs == "EPSG:4548" and built.twin.frame.height_datum == "cgvd1985"
    assert all(table.illustrative for table in built.twin.tables.values())
    assert len(built.observations) > 0


@pytest.mark.parametrize(
    ("crs", "x", "y", "zone", "told"),
    [
        ("EPSG:28992", 92_000, 437_000, "Etc/GMT+0", True),
        ("EPSG:25833", 390_000, 5_820_000, "Etc/GMT-1", True),
        ("EPSG:26918", 360_000, 4_350_000, "Etc/GMT+5", True),
        ("EPSG:4548", f.EAST, f.NORTH, "Asia/Shanghai", False),
    ],
)
def test_a_city_has_the_time_zone_of_its_place(
    crs: str, x: float, y: float, zone: str, told: bool, tmp_path: Path
) -> None:
    shapes = [shapely.box(x + 20 * i, y, x + 20 * i + 9, y + 9) for i in range(4)]
    path = f.write(tmp_path / "houses.gpkg", shapes, crs)
    built = build_twin(district_from_files([path], crs=None, height_datum=None, kind="building"))
    assert built.twin.zone == zone
    assert ("source.zone_assumed" in [e.reason for e in built.report.entries]) is told


def test_a_time_zone_is_given_and_must_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, twin = f.write(tmp_path / "houses.gpkg", f.houses(4)), tmp_path / "t.cim"
    ask = ["build", str(path), "--kind", "building", "-o", str(twin), "--zone"]
    assert main([*ask, "Europe/Bonn"]) == 2
    assert "no time zone Europe/Bonn" in capsys.readouterr().err
    assert main([*ask, "Europe/Berlin"]) == 0
    assert open_twin(twin).zone == "Europe/Berlin"
