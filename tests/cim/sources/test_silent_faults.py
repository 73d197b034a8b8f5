"""Faults that readers used to pass over in silence: each is refused, or said of its object."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
import shapely
import trimesh

from cim.errors import CimError, SourceError, UnitError
from cim.export import to_cityjson
from cim.flood import flood_files
from cim.sources import Built, District, build_twin
from cim.sources.spec import LayerSpec
from tests.cim.sources import files as f
from tests.cim.sources.city_files import citygml, cityjson, write_citygml, write_cityjson
from tests.cim.sources.test_osm import Map

HEAD = "ncols 3\nnrows 2\nxllcorner 517000\nyllcorner 4330000\ncellsize 5\nNODATA_value -9999\n"


def told(built: Built, object_: str) -> list[tuple[str, str]]:
    """Return action and key of every line about an object."""
    return [(e.action, e.reason) for e in built.report.entries if e.object == object_]


@pytest.mark.parametrize(
    ("numbers", "key"),
    [
        ("1 2 3\nx y 6\n", "source.ascii_grid_word"),
        ("1 2 3\n4 5\0 6\n", "source.ascii_grid_word"),
        ("1,2,3\n4,5,6\n", "source.ascii_grid_word"),
        ("1 2 3\n4 5 6\n7 8 9\n", "source.ascii_grid_count"),
        ("1 2 3\n4 5\n", "source.ascii_grid_count"),
    ],
)
def test_an_ascii_grid_holds_the_numbers_its_head_declares(
    numbers: str, key: str, tmp_path: Path
) -> None:
    path = tmp_path / "dem.asc"
    path.write_text(HEAD + numbers)
    with pytest.raises(SourceError) as caught:
        f.build(path, crs="EPSG:4548", height_datum="cgvd1985")
    assert caught.value.key == key


def test_a_word_among_the_heights_costs_its_cell(tmp_path: Path) -> None:
    path = tmp_path / "dem.asc"
    path.write_bytes((HEAD + "1 2 3\n4 5,x\x01\xff 6\n").encode("latin-1"))
    built = f.build(path, crs="EPSG:4548", height_datum="cgvd1985")
    (note,) = [e for e in built.report.entries if e.reason == "source.ascii_grid_words"]
    assert (note.values["count"], note.values["row"], note.values["col"]) == (1, 2, 2)
    values = built.twin.grid("terrain").values
    np.testing.assert_array_equal(values, [[1, 2, 3], [4, np.nan, 6]])
    answer = flood_files(path, tmp_path / "out", duration_s=1.0, rain_mm_h=9.0, crs="local")
    assert answer["closed_cells"] == 1
    assert any("hold no number" in note for note in answer["notes"])


@pytest.mark.parametrize(
    "numbers", ["1 2 3\n4 5 6\n", "1,5 2 3 4\n5 -9999", "1e0 .5 2.\r\n3 4 nan"]
)
def test_an_ascii_grid_of_plain_numbers_in_any_dress_is_read(numbers: str, tmp_path: Path) -> None:
    path = tmp_path / "dem.asc"
    path.write_bytes((HEAD + numbers).encode())
    grid = f.build(path, crs="EPSG:4548", height_datum="cgvd1985").twin.grid("terrain")
    assert grid.values.shape == (2, 3) and np.isfinite(grid.values).sum() >= 5


def test_endless_cells_are_said_to_be_missing(tmp_path: Path) -> None:
    cells = f.ground()
    cells[:3, :3] = np.inf
    built = f.build(f.tif(tmp_path / "dem.tif", cells), height_datum="cgvd1985")
    (note,) = [e for e in built.report.entries if e.reason == "source.nodata_undeclared"]
    assert note.values["count"] == 9
    assert np.isnan(built.twin.grid("terrain").values).sum() == 9


def test_a_quotation_mark_nobody_closes_swallows_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text('id,x,y,name\n1,517000,4330000,"a\n2,517009,4330000,b\n')
    with pytest.raises(SourceError) as caught:
        f.build(path, crs="EPSG:4548", kind="tree")
    assert "never closed" in str(caught.value)
    path.write_text('id,x,y,name\n1,517000,4330000,a "b" c\n2,517009,4330000,"a" b\n')
    assert f.build(path, crs="EPSG:4548", kind="tree").report.total.kept == 2


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("inf")])
def test_a_cloud_with_an_impossible_scale_is_refused(scale: float, tmp_path: Path) -> None:
    cloud = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
    cloud.x, cloud.y, cloud.z = (np.arange(50.0) for _ in range(3))
    path = tmp_path / "terrain.las"
    cloud.write(path)
    raw = bytearray(path.read_bytes())
    raw[131:139] = struct.pack("<d", scale)  # LAS 1.2, public header: x scale factor
    path.write_bytes(raw)
    with pytest.raises(SourceError) as caught:
        f.build(path, crs="EPSG:4548", height_datum="cgvd1985")
    assert caught.value.key == "source.points_scale"


def test_an_inner_outline_outside_adds_no_area_and_an_island_stays(tmp_path: Path) -> None:
    one = Map()
    one.way(1, one.box(10, 0, 0, 40))
    one.way(2, one.box(20, 60, 0, 10))  # called inner, but lies outside
    one.way(3, one.box(30, 10, 10, 20))  # a courtyard
    one.way(4, one.box(40, 15, 15, 5))  # a house in it
    roles = [("w", 1, "outer"), ("w", 2, "inner"), ("w", 3, "inner"), ("w", 4, "outer")]
    one.relation(9, roles, type="multipolygon", building="yes")
    built = f.build(one.write(tmp_path / "a.osm"), frame="EPSG:4548")
    assert told(built, "relation/9") == [("repaired", "source.osm.loose_inner")]
    (area,) = built.twin.table("building").geometry
    unit = area.area / (40 * 40 - 20 * 20 + 5 * 5)  # the box's metres a square unit
    assert unit == pytest.approx(0.86 * 1.113, rel=0.01)  # 1e-5° east × north at 39.1°
    assert len(shapely.get_parts(area)) == 2


@pytest.mark.parametrize("tags", [{"maxspeed": "0"}, {"maxspeed": "500"}, {"lanes": "-1"}])
def test_a_speed_or_lanes_that_cannot_be_cost_the_value_not_the_road(
    tags: dict[str, str], tmp_path: Path
) -> None:
    one = Map()
    one.way(1, [one.node(1, 0, 0), one.node(2, 90, 0)], {"highway": "primary", **tags})
    built = f.build(one.write(tmp_path / "a.osm"))
    table = built.twin.table("road")
    assert len(table) == 1 and built.report.total.repaired == 1
    assert np.isnan(table.numbers("speed_mps")).all() and np.isnan(table.numbers("lanes")).all()


@pytest.mark.parametrize("mark", [-9999.0, -99.0])
def test_a_usual_mark_of_a_missing_height_costs_the_value_not_the_house(
    mark: float, tmp_path: Path
) -> None:
    heights = [6.0] * 11 + [mark]
    built = f.build(f.write(tmp_path / "buildings.gpkg", f.houses(), height_m=heights))
    assert built.report.total.kept == 12 and built.report.total.repaired == 1
    assert np.isnan(built.twin.table("building").numbers("height_m")).sum() == 1


@pytest.mark.parametrize("given", ["9,5 m", -9999, 0, "unknown"])
def test_a_measured_height_that_cannot_be_read_is_said_and_goes_out_as_it_came(
    given: Any, tmp_path: Path
) -> None:
    document = cityjson()
    document["CityObjects"]["house"]["attributes"]["measuredHeight"] = given
    second = {"type": "Building", "attributes": {"measuredHeight": "12 ft"}}
    document["CityObjects"]["second"] = second
    path = write_cityjson(tmp_path / "a.city.json", document)
    built = f.build(path, height_datum="cgvd1985")
    assert told(built, "house") == [("repaired", "source.object.value_dropped")]
    table = built.twin.table("building")
    height = dict(zip(table.texts("source_id"), table.numbers("height_m"), strict=True))
    assert height["house"] == pytest.approx(9.0)  # of its geometry
    assert height["second"] == pytest.approx(12 * 0.3048)
    to_cityjson(built.twin, tmp_path / "out.city.json")
    out = json.loads((tmp_path / "out.city.json").read_text())["CityObjects"]
    assert out["house"]["attributes"]["measuredHeight"] == given


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('uom="urn:adv:uom:m">10.5', 'uom="#cubit">10.5'),
        (">3</bldg:storeysAboveGround>", ">three</bldg:storeysAboveGround>"),
        ('xlink:href="#roof_poly"', 'xlink:href="http://elsewhere/b.gml#roof_poly"'),
    ],
)
def test_what_citygml_says_in_words_nobody_knows_is_listed(
    old: str, new: str, tmp_path: Path
) -> None:
    plain = f.build(write_citygml(tmp_path / "plain.gml"))
    built = f.build(write_citygml(tmp_path / "a.gml", citygml().replace(old, new)))
    more = [line for line in told(built, "house") if line not in told(plain, "house")]
    assert len(more) == 1 and more[0][0] == "repaired"


def test_a_gltf_with_its_buffers_beside_it_is_read(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 10.0
    scene.add_geometry(trimesh.creation.box((4, 10, 6)), node_name="plain")
    scene.add_geometry(trimesh.creation.box((4, 10, 6)), node_name="mirrored", transform=mirror)
    scene.export(tmp_path / "two.gltf")
    spec = LayerSpec(
        tmp_path / "two.gltf",
        kind="building",
        crs="EPSG:4548",
        height_datum="cgvd1985",
        options={"at": [517000.0, 4330600.0, 3.0]},
    )
    twin = build_twin(District(name="m", layers=(spec,))).twin
    assert sorted(twin.table("building").texts("source_id")) == ["mirrored", "plain"]
    assert twin.table("building").numbers("height_m") == pytest.approx([10.0, 10.0])
    for mesh in twin.pool.meshes.values():  # of the mirrored one too the faces look outwards
        a, b, c = np.asarray(mesh.vertices, dtype=float)[mesh.triangles].transpose(1, 0, 2)
        assert (a * np.cross(b, c)).sum() / 6.0 == pytest.approx(240.0, rel=1e-4)


def test_a_mesh_in_millimetres_is_no_building_of_ten_kilometres(tmp_path: Path) -> None:
    trimesh.creation.box((4000, 6000, 10000)).export(tmp_path / "a.stl")
    spec = LayerSpec(
        tmp_path / "a.stl",
        kind="building",
        crs="EPSG:4548",
        height_datum="cgvd1985",
        options={"at": [517000.0, 4330600.0, 3.0]},
    )
    with pytest.raises(UnitError) as caught:
        build_twin(District(name="m", layers=(spec,)))
    assert caught.value.key == "source.mesh.too_high" and "unit_m" in str(caught.value)


def test_what_macos_puts_into_an_archive_is_no_data(tmp_path: Path) -> None:
    inner = f.write(tmp_path / "buildings.gpkg", f.houses())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(inner, "d/buildings.gpkg")
        archive.writestr("__MACOSX/d/._buildings.gpkg", b"\0\5\x16\7")
        archive.writestr("d/._more.shp", b"\0\5\x16\7")
    assert f.build(tmp_path / "a.zip").report.total.kept == 12
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "a.zip", "a.zip")
    with pytest.raises(CimError) as caught:
        f.build(tmp_path / "b.zip")
    assert caught.value.key == "source.archive_empty" and "unpacked first" in str(caught.value)


@pytest.mark.parametrize("level", [None, "high", -1, "3.5.1", 9, True])
def test_a_level_of_detail_nobody_knows_is_said_and_goes_out_as_one_that_is(
    level: Any, tmp_path: Path
) -> None:
    document = cityjson()
    document["CityObjects"]["hall"]["geometry"][1]["lod"] = level
    path = write_cityjson(tmp_path / "a.city.json", document)
    built = f.build(path, height_datum="cgvd1985")
    assert told(built, "hall") == [("repaired", "source.model.lod_unknown")]
    to_cityjson(built.twin, tmp_path / "out.city.json")
    out = json.loads((tmp_path / "out.city.json").read_text())["CityObjects"]["hall"]
    assert [one["lod"] for one in out["geometry"]] == ["1.2", "1"]


def test_children_that_are_not_there_and_meanings_that_do_not_fit_are_said(tmp_path: Path) -> None:
    document = cityjson()
    objects = document["CityObjects"]
    objects["house"]["children"].append("ghost")
    objects["hall"]["geometry"][1]["semantics"]["values"] = [[0, 1]]
    path = write_cityjson(tmp_path / "a.city.json", document)
    built = f.build(path, height_datum="cgvd1985")
    assert told(built, "house") == [("repaired", "source.model.child_missing")]
    assert told(built, "hall") == [("repaired", "source.model.semantics_count")]


def test_materials_that_are_not_beside_a_mesh_are_said(tmp_path: Path) -> None:
    text = trimesh.exchange.obj.export_obj(trimesh.creation.box((4, 6, 9)), include_texture=False)
    (tmp_path / "a.obj").write_text("mtllib nowhere.mtl\nusemtl red\n" + text)
    spec = LayerSpec(
        tmp_path / "a.obj",
        kind="building",
        crs="EPSG:4548",
        height_datum="cgvd1985",
        options={"at": [517000.0, 4330600.0, 3.0]},
    )
    report = build_twin(District(name="m", layers=(spec,))).report
    (note,) = [e for e in report.entries if e.reason == "source.mesh.beside"]
    assert note.values["name"] == "nowhere.mtl" and report.total.kept == 1


def test_points_far_above_the_ground_that_are_classed_as_ground_are_said(tmp_path: Path) -> None:
    grid = np.mgrid[0:40, 0:40].reshape(2, -1).astype(float) + 0.5
    height = 3.0 + 0.3 * grid[0]
    height[[820, 333]] = [5000.0, -80.0]
    cloud = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
    cloud.x, cloud.y, cloud.z = grid[0] + f.EAST, grid[1] + f.NORTH, height
    cloud.classification = np.full(1600, 2)
    cloud.write(tmp_path / "terrain.las")
    report = f.build(tmp_path / "terrain.las", crs="EPSG:4548", height_datum="cgvd1985").report
    (note,) = [e for e in report.entries if e.reason == "source.points_spikes"]
    assert note.values["count"] == 2
    cloud.z = 3.0 + 0.3 * grid[0]
    cloud.write(tmp_path / "terrain.las")
    report = f.build(tmp_path / "terrain.las", crs="EPSG:4548", height_datum="cgvd1985").report
    assert not [e for e in report.entries if e.reason == "source.points_spikes"]
