"""An IFC file into a twin that stands: by hand, by points, by the footprint of its building."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import affinity

pytest.importorskip("ifcopenshell")

from bim_import.bringing import import_ifc
from cim.cli import main
from cim.errors import FrameError, RequestError, SourceError
from cim.jobs import QUIET
from cim.store import as_of, diff, open_twin
from tests.bim_import.small import Small

ELL = [(0, 0), (20, 0), (20, 8), (10, 8), (10, 20), (0, 20)]
BOX = [(0, 0), (20, 0), (20, 8), (0, 8)]
EAST, NORTH, TURN = 517400.0, 4330700.0, 25.0


def standing(ring: list[tuple[float, float]]) -> shapely.Polygon:
    turned = affinity.rotate(shapely.Polygon(ring), TURN, origin=(0, 0))
    return affinity.translate(turned, EAST, NORTH)


def twin(tmp_path: Path, *rings: list[tuple[float, float]], floor: float | None = 3.5) -> Path:
    shapes = [affinity.translate(standing(r), 60.0 * i, 0.0) for i, r in enumerate(rings)]
    path = tmp_path / "town.gpkg"
    gpd.GeoDataFrame(
        {"oid": [f"h{i}" for i in range(len(rings))], "height_m": [9.0] * len(rings),
         "floor_level_m": [floor] * len(rings)},
        geometry=shapes, crs="EPSG:4548",
    ).to_file(path, layer="building")  # fmt: skip
    out = tmp_path / "town.cim"
    words = ["build", str(path), "-o", str(out), "--kind", "building", "--height-datum",
             "cgvd1985", "--frame", "EPSG:4548", "--frame-height", "cgvd1985"]  # fmt: skip
    assert main([*words, "--json"]) == 0
    return out


def house(tmp_path: Path, ring: list[tuple[float, float]], shift: float = 100.0) -> Path:
    """Write walls around a ring that stands `shift` metres off the model's zero, and a room."""
    s = Small("mm")
    inner = shapely.Polygon(ring).buffer(-0.3, join_style="mitre")
    outer = shapely.Polygon(ring)
    moved = [[(1000 * (x + shift), 1000 * y) for x, y in g.exterior.coords[:-1]]
             for g in (outer, inner)]  # fmt: skip
    lines = []
    for part in moved:
        points = [s.point(*p) for p in (*part, part[0])]
        lines.append(s.add("IFCPOLYLINE((" + ",".join(f"#{p}" for p in points) + "))"))
    wall = s.add(f"IFCARBITRARYPROFILEDEFWITHVOIDS(.AREA.,$,#{lines[0]},(#{lines[1]}))")
    s.product(s.extrusion(wall, 6000.0))
    room = s.product(
        s.extrusion(s.polygon(moved[1]), 3000.0), kind="IFCSPACE", name="厅",
        rest="$,.ELEMENT.,.INTERNAL.,$",
    )  # fmt: skip
    s.products.remove(room)
    s.add(f"IFCRELAGGREGATES('{s.next + 1:022d}',$,$,$,#11,(#{room}))")
    return s.write(tmp_path / "house.ifc")


def test_a_model_finds_its_building_by_footprint_and_joins_it(tmp_path: Path) -> None:
    town = twin(tmp_path, ELL, BOX)
    record = import_ifc(town, [house(tmp_path, ELL)], by_footprint=True, job=QUIET)
    assert len(record["replaced"]) == 1
    told = record["disagreement"][0]
    assert told["overlap"] == "100"
    assert float(told["height"]) == pytest.approx(6.0, abs=0.01)
    assert told["other_height"] == "9.00"
    stored = open_twin(town)
    rooms = stored.table("room")
    inner = standing(ELL).buffer(-0.3, join_style="mitre")
    assert shapely.symmetric_difference(rooms.geometry[0], inner).area < 0.05
    parts = stored.table("building_part")
    assert parts.columns["parent"].tolist() == record["replaced"]
    walls = stored.table("building_element")
    assert walls.numbers("bottom_m").tolist() == pytest.approx([3.5], abs=1e-3)
    shown = {i.object_id for i in stored.meshes().instances}
    assert set(record["replaced"]) <= shown
    # The same file again changes nothing.
    again = import_ifc(town, [tmp_path / "house.ifc"], by_footprint=True, job=QUIET)
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)


def test_a_rectangle_fits_two_ways_and_is_refused_with_both(tmp_path: Path) -> None:
    town = twin(tmp_path, BOX, ELL)
    path = house(tmp_path, BOX)
    with pytest.raises(FrameError) as caught:
        import_ifc(town, [path], by_footprint=True, job=QUIET)
    assert caught.value.key == "bim.footprint_several"
    assert caught.value.values["places"].count(";") == 1
    with pytest.raises(FrameError) as caught:
        import_ifc(town, [house(tmp_path, [(0, 0), (5, 0), (5, 5), (0, 5)])],
                   by_footprint=True, job=QUIET)  # fmt: skip
    assert caught.value.key == "bim.footprint_none"


def test_places_to_choose_from_say_where_the_height_is_not_known(tmp_path: Path) -> None:
    town = twin(tmp_path, BOX, ELL, floor=None)
    with pytest.raises(FrameError) as caught:
        import_ifc(town, [house(tmp_path, BOX)], by_footprint=True, job=QUIET)
    places = [p.split(": ")[1].split() for p in caught.value.values["places"].split("; ")]
    assert [p[2] for p in places] == ["?", "?"]
    assert all(np.isfinite(float(v)) for p in places for v in (p[0], p[1], p[3]))
    assert "not known" in caught.value.remedy("en") and "未知" in caught.value.remedy("zh")


def test_a_building_without_a_floor_level_cannot_place_a_model(tmp_path: Path) -> None:
    town = twin(tmp_path, ELL, BOX, floor=None)
    with pytest.raises(FrameError) as caught:
        import_ifc(town, [house(tmp_path, ELL)], by_footprint=True, job=QUIET)
    assert caught.value.key == "bim.footprint_height"


def test_two_points_place_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    town = twin(tmp_path, ELL)
    path = house(tmp_path, ELL)
    angle = np.deg2rad(TURN)
    far = (EAST + 20 * float(np.cos(angle)), NORTH + 20 * float(np.sin(angle)))
    table = tmp_path / "points.csv"
    table.write_text(
        f"x,y,z,east,north,height\n100,0,0,{EAST},{NORTH},3.5\n120,0,0,{far[0]!r},{far[1]!r},3.5\n"
    )
    capsys.readouterr()
    assert main(["import-ifc", str(town), str(path), "--points", str(table), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["changeset"] and record["added"] == record["kept"]
    room = open_twin(town).table("room").geometry[0]
    inner = standing(ELL).buffer(-0.3, join_style="mitre")
    assert shapely.symmetric_difference(room, inner).area < 0.05
    table.write_text("x,y\n1,2\n")
    with pytest.raises(SourceError, match="east"):
        import_ifc(town, [path], points=table, job=QUIET)
    with pytest.raises(RequestError):
        import_ifc(town, [path], points=table, by_footprint=True, job=QUIET)


def test_a_zipped_model_is_brought_in_like_a_plain_one(tmp_path: Path) -> None:
    town = twin(tmp_path, ELL)
    zipped = tmp_path / "house.ifczip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(house(tmp_path, ELL), "house.ifc")
    record = import_ifc(town, [zipped], at=(EAST - 90.6, NORTH - 42.3, 3.5, TURN), job=QUIET)
    assert record["added"] == record["kept"] > 4


def yard(tmp_path: Path, *, newer: bool) -> Path:
    """Write walls of two deliveries: one raised, one taken down, one cut, one new."""
    s = Small()
    guids = {
        name: f"{i:022d}" for i, name in enumerate(("kept", "raised", "gone", "cut", "new"), 50)
    }
    for i, (name, guid) in enumerate(guids.items()):
        if name == ("gone" if newer else "new"):
            continue
        height = 4.0 if newer and name == "raised" else 3.0
        wall = s.product(s.box(5, 0.3, height), at=s.place(0, 2.0 * i, 0), name=name, guid=guid)
        if newer and name == "cut":
            s.opening(wall, s.box(1, 0.3, 1, at=(2, 2.0 * i, 1)))
    return s.write(tmp_path / "yard.ifc")


def test_a_newer_delivery_is_a_diff_by_global_id(tmp_path: Path) -> None:
    town = twin(tmp_path, ELL)
    place = {"at": (EAST + 200.0, NORTH, 3.5, TURN), "job": QUIET}
    import_ifc(town, [yard(tmp_path, newer=False)], **place)
    before = open_twin(town)
    record = import_ifc(town, [yard(tmp_path, newer=True)], **place)
    after = open_twin(town)
    guids: dict[str, str] = {}
    for view in (before, after):
        table = view.table("building_element")
        guids |= dict(zip(table.ids.tolist(), table.texts("source_id"), strict=True))
    found = diff(before, after)["building_element"]
    added = {guids[i] for i in found["added"]}
    assert f"{54:022d}" in added
    assert len(added) == 2
    assert {guids[i] for i in found["removed"]} == {f"{52:022d}"}
    changed = {guids[i]: change for i, change in found["changed"].items()}
    assert set(changed) == {f"{51:022d}"}
    assert changed[f"{51:022d}"] == {"attributes": ["top_m"], "moved": False}
    # The opening is a product of its own; the cut wall keeps its row and gets another mesh.
    assert (record["added"], record["removed"]) == (2, 1)
    meshes = [{guids[i.object_id]: i.mesh_id for i in view.meshes().instances if i.lod == "4"}
              for view in (before, after)]  # fmt: skip
    cut, kept = f"{53:022d}", f"{50:022d}"
    assert meshes[0][cut] != meshes[1][cut]
    assert meshes[0][kept] == meshes[1][kept]
    assert f"{52:022d}" not in meshes[1]
    # What stood before is still told of the version before.
    assert diff(as_of(town, before.version), after)["building_element"] == found
