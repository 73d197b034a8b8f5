"""CityGML 3.0: spaces and their boundaries, parts of a building, heights with references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cim.export import to_cityjson
from cim.sources import Built, build_twin, district_from_files

X, Y, Z, S = 517_000.0, 4_330_600.0, 3.0, 10.0
QUADS = {"ground": (3, 2, 1, 0), "roof": (4, 5, 6, 7), "south": (0, 1, 5, 4),
         "east": (1, 2, 6, 5), "north": (2, 3, 7, 6), "west": (3, 0, 4, 7)}  # fmt: skip
KINDS = {"ground": "GroundSurface", "roof": "RoofSurface"}


def corners(side: float, low: float = 0.0) -> list[tuple[float, float, float]]:
    plan = ((0, 0), (side, 0), (side, side), (0, side))
    return [(X + a, Y + b, Z + low + c) for c in (0.0, side) for a, b in plan]


def polygon(points: list[tuple[float, float, float]], own: str) -> str:
    text = " ".join(f"{v:.3f}" for p in [*points, points[0]] for v in p)
    return (
        f'<gml:Polygon gml:id="{own}"><gml:exterior><gml:LinearRing><gml:posList>{text}'
        "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>"
    )


def surface(own: str, kind: str, drawn: str, inside: str = "") -> str:
    return (
        f'<boundary><con:{kind} gml:id="{own}"><lod2MultiSurface><gml:MultiSurface>'
        f"<gml:surfaceMember>{drawn}</gml:surfaceMember></gml:MultiSurface></lod2MultiSurface>"
        f"{inside}</con:{kind}></boundary>"
    )


def solid(names: list[str], level: int = 2) -> str:
    members = "".join(f'<gml:surfaceMember xlink:href="#{n}_poly"/>' for n in names)
    return (
        f"<lod{level}Solid><gml:Solid><gml:exterior><gml:Shell>{members}</gml:Shell>"
        f"</gml:exterior></gml:Solid></lod{level}Solid>"
    )


def document() -> str:
    out, room = corners(S), corners(4.0)
    door = polygon([out[0], out[1], (X + S, Y, Z + 2.2), (X, Y, Z + 2.2)], "door_poly")
    filling = (
        '<con:fillingSurface><con:DoorSurface gml:id="door"><lod3MultiSurface>'
        f"<gml:MultiSurface><gml:surfaceMember>{door}</gml:surfaceMember></gml:MultiSurface>"
        "</lod3MultiSurface></con:DoorSurface></con:fillingSurface>"
    )
    shell = "".join(
        surface(n, KINDS.get(n, "WallSurface"), polygon([out[i] for i in q], f"{n}_poly"),
                filling if n == "south" else "")
        for n, q in QUADS.items()
    )  # fmt: skip
    inner = "".join(
        f"<gml:surfaceMember>{polygon([room[i] for i in q], f'room_{n}')}</gml:surfaceMember>"
        for n, q in QUADS.items()
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<CityModel xmlns="http://www.opengis.net/citygml/3.0" xmlns:gml="http://www.opengis.net/gml/3.2"
 xmlns:bldg="http://www.opengis.net/citygml/building/3.0"
 xmlns:con="http://www.opengis.net/citygml/construction/3.0"
 xmlns:gen="http://www.opengis.net/citygml/generics/3.0"
 xmlns:tran="http://www.opengis.net/citygml/transportation/3.0"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<gml:name>示意数据</gml:name>
<gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs,crs:EPSG::4548,crs:EPSG::5737"
 srsDimension="3"><gml:lowerCorner>{X} {Y} {Z}</gml:lowerCorner>
<gml:upperCorner>{X + S} {Y + S} {Z + S}</gml:upperCorner></gml:Envelope></gml:boundedBy>
<cityObjectMember><bldg:Building gml:id="house"><gml:name>张园</gml:name>
<genericAttribute><gen:StringAttribute><gen:name>note</gen:name><gen:value>brick</gen:value>
</gen:StringAttribute></genericAttribute>
<genericAttribute><gen:IntAttribute><gen:name>flats</gen:name><gen:value>12</gen:value>
</gen:IntAttribute></genericAttribute>
{shell}{solid(list(QUADS))}
<con:height><con:Height><con:highReference>highestRoofEdge</con:highReference>
<con:lowReference>lowestGround</con:lowReference><con:status>measured</con:status>
<con:value uom="m">10.5</con:value></con:Height></con:height>
<bldg:storeysAboveGround>3</bldg:storeysAboveGround>
<bldg:buildingRoom><bldg:BuildingRoom gml:id="hall"><lod2Solid><gml:Solid><gml:exterior>
<gml:Shell>{inner}</gml:Shell></gml:exterior></gml:Solid></lod2Solid></bldg:BuildingRoom>
</bldg:buildingRoom>
<bldg:buildingSubdivision><bldg:Storey gml:id="first"><bldg:sortKey>1</bldg:sortKey>
</bldg:Storey></bldg:buildingSubdivision>
</bldg:Building></cityObjectMember>
<cityObjectMember><tran:Road gml:id="street"><tran:section><tran:Section gml:id="one">
<tran:trafficSpace><tran:TrafficSpace gml:id="lane"><boundary>
<tran:TrafficArea gml:id="way"><lod2MultiSurface><gml:MultiSurface><gml:surfaceMember>
{polygon([(X, Y - 9, Z), (X + 40, Y - 9, Z), (X + 40, Y - 3, Z), (X, Y - 3, Z)], "way_poly")}
</gml:surfaceMember></gml:MultiSurface></lod2MultiSurface></tran:TrafficArea></boundary>
</tran:TrafficSpace></tran:trafficSpace></tran:Section></tran:section></tran:Road>
</cityObjectMember></CityModel>
"""


@pytest.fixture
def built(tmp_path: Path) -> Built:
    (tmp_path / "town.gml").write_text(document(), encoding="utf-8")
    return build_twin(district_from_files([tmp_path / "town.gml"]))


def test_a_building_is_read_with_its_spaces_boundaries_and_values(built: Built) -> None:
    assert built.report.total.read == built.report.total.kept == 4
    table = built.twin.table("building")
    row = table.row(0)
    assert (row["name"], row["note"], row["flats"]) == ("张园", "brick", 12)
    assert (row["height_m"], row["storeys_above"], row["base_m"]) == (10.5, 3, Z)
    assert table.geometry[0].area == pytest.approx(S * S)
    (body,) = [b for b in built.twin.body_pool.bodies
               if b.object_id == table.ids[0] and b.type == "Solid"]  # fmt: skip
    assert body.surfaces is not None
    kinds = [body.surfaces[k]["type"] for k in body.semantic]
    assert sorted(kinds) == ["GroundSurface", "RoofSurface", *["WallSurface"] * 4]
    assert body.lod == "2" and body.face_count == 6


def test_rooms_and_storeys_know_their_building_and_a_road_its_traffic_area(built: Built) -> None:
    house = str(built.twin.table("building").ids[0])
    inside = {
        str(s): str(p)
        for table in built.twin.tables.values()
        for s, p in zip(table.columns["source_id"], table.columns["parent"], strict=True)
        if p is not None
    }
    assert inside == {"hall": house, "first": house}
    (road,) = [t for name, t in built.twin.tables.items() if "street" in t.texts("source_id")]
    assert road.geometry[0].area == pytest.approx(240.0)


def test_it_goes_out_as_cityjson(built: Built, tmp_path: Path) -> None:
    import json

    to_cityjson(built.twin, tmp_path / "out.city.json")
    objects = json.loads((tmp_path / "out.city.json").read_text())["CityObjects"]
    assert {k: o["type"] for k, o in objects.items()} == {
        "house": "Building", "hall": "BuildingRoom", "first": "BuildingStorey", "street": "Road",
    }  # fmt: skip
    assert set(objects["house"]["children"]) == {"hall", "first"}
    heights = [b.vertices[:, 2] for b in built.twin.body_pool.bodies if b.type == "Solid"]
    assert np.concatenate(heights).min() == Z
