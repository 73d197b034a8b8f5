"""Small city models for tests, all 示意数据: CityJSON with everything it knows, and CityGML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

E0, N0, Z0 = 517000.0, 4330600.0, 3.0
"""Where the models stand: east, north, height of their zero."""

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde"
    b"\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"
)


def cityjson() -> dict[str, Any]:
    """Return a CityJSON 2.0 document: parts, solids with a hole, looks, a template, own members."""
    corner = [[0, 0], [10000, 0], [10000, 8000], [0, 8000]]
    court = [[3000, 3000], [7000, 3000], [7000, 5000], [3000, 5000]]
    low = [[x, y, 0] for x, y in corner + court]
    high = [[x, y, 9000] for x, y in corner + court]
    tree = [[20000, 4000, 0]]
    wall = [[0, 12000, 0], [10000, 12000, 0], [10000, 12000, 3000], [0, 12000, 3000]]
    sides = [[[i, (i + 1) % 4, (i + 1) % 4 + 8, i + 8]] for i in range(4)]
    inner = [[[4 + (i + 1) % 4, 4 + i, 12 + i, 12 + (i + 1) % 4]] for i in range(4)]
    shell = [
        [[3, 2, 1, 0], [4, 5, 6, 7]],
        [[8, 9, 10, 11], [15, 14, 13, 12]],
        *sides,
        *inner,
    ]
    meaning = [0, 1, *([2] * 8)]
    worn: list[Any] = [[[None], [None]], [[0, 0, 1, 2, 3], [None]]]
    worn += [[[0, 0, 1, 2, 3]], *[[[None]]] * 7]
    solid = {
        "type": "Solid",
        "lod": "2.2",
        "boundaries": [shell],
        "semantics": {
            "surfaces": [
                {"type": "GroundSurface"},
                {"type": "RoofSurface", "slope": 0.0, "children": [3]},
                {"type": "WallSurface", "+noise": {"db": [61.5, None]}},
                {"type": "Window", "parent": 1},
            ],
            "values": [meaning],
        },
        "material": {"plain": {"values": [[None, 0, *([1] * 8)]]}, "night": {"value": 1}},
        "texture": {"photo": {"values": [worn]}},
    }
    block = {"type": "MultiSurface", "lod": "1.2", "boundaries": shell[:2]}
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": [E0, N0, Z0]},
        "metadata": {
            "referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4548",
            "title": "示意数据",
            "referenceDate": "2026-11-25",
        },
        "extensions": {"Noise": {"url": "https://example.org/noise.ext.json", "version": "1.0"}},
        "+census": {"people": 12},
        "appearance": {
            "default-theme-texture": "photo",
            "materials": [
                {"name": "tiles", "diffuseColor": [0.8, 0.2, 0.1], "shininess": 0.2},
                {"name": "plaster", "diffuseColor": [0.9, 0.9, 0.8], "transparency": 0.0},
            ],
            "textures": [{"type": "PNG", "image": "looks/roof.png", "wrapMode": "wrap"}],
            "vertices-texture": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        },
        "geometry-templates": {
            "templates": [
                {"type": "MultiSurface", "lod": "2", "boundaries": [[[0, 1, 2]], [[2, 1, 3]]]}
            ],
            "vertices-templates": [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0, 2, 1]],
        },
        "CityObjects": {
            "house": {
                "type": "Building",
                "children": ["hall", "balcony"],
                "attributes": {
                    "measuredHeight": 9.5,
                    "storeysAboveGround": 3,
                    "yearOfConstruction": 1931,
                    "name": "民园",
                    "empty": None,
                    "mixed": 7,
                    "nested": {"a": [1, 2.5, "x"], "b": None},
                    "listed": True,
                    "source": "survey",
                },
                "address": [{"Country": "中国", "Locality": "天津"}],
                "+owner": {"share": 0.5},
            },
            "hall": {
                "type": "BuildingPart",
                "parents": ["house"],
                "attributes": {"mixed": "seven"},
                "geometry": [block, solid],
            },
            "balcony": {
                "type": "BuildingInstallation",
                "parents": ["house"],
                "geometry": [{"type": "MultiSurface", "lod": "3", "boundaries": [[[8, 9, 10]]]}],
            },
            "plane": {
                "type": "SolitaryVegetationObject",
                "attributes": {"species": "悬铃木"},
                "geometry": [
                    {
                        "type": "GeometryInstance",
                        "template": 0,
                        "boundaries": [16],
                        "transformationMatrix": [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1],
                    }
                ],
            },
            "screen": {
                "type": "+NoiseBarrier",
                "geometry": [
                    {"type": "MultiSurface", "lod": "2", "boundaries": [[[17, 18, 19, 20]]]}
                ],
            },
            "lane": {
                "type": "Road",
                "geometry": [
                    {"type": "MultiLineString", "lod": "0", "boundaries": [[0, 1], [1, 2]]}
                ],
            },
            "block": {"type": "CityObjectGroup", "children": ["house", "plane"],
                      "children_roles": ["main", "tree"]},
        },
        "vertices": low + high + tree + wall,
    }  # fmt: skip


def write_cityjson(path: Path, document: dict[str, Any] | None = None) -> Path:
    """Write the document, and the one image it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document or cityjson(), ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    (path.parent / "looks").mkdir(exist_ok=True)
    (path.parent / "looks" / "roof.png").write_bytes(PNG)
    return path


def write_sequence(path: Path) -> Path:
    """Write a CityJSONSeq of three houses."""
    head = {
        "type": "CityJSON", "version": "2.0", "CityObjects": {}, "vertices": [],
        "transform": {"scale": [0.01] * 3, "translate": [E0, N0, Z0]},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4548"},
    }  # fmt: skip
    lines = [head]
    for k in range(3):
        x = 2000 * k
        vertices = [[x, 0, 0], [x + 1000, 0, 0], [x + 1000, 800, 0], [x, 800, 0]]
        face = {"type": "MultiSurface", "lod": "0", "boundaries": [[[0, 1, 2, 3]]]}
        house = {"type": "Building", "attributes": {"measuredHeight": 6 + k}, "geometry": [face]}
        lines.append(
            {"type": "CityJSONFeature", "id": f"h{k}", "CityObjects": {f"h{k}": house},
             "vertices": vertices}
        )  # fmt: skip
    path.write_text("\n".join(json.dumps(one) for one in lines) + "\n", encoding="utf-8")
    return path


def _ring(points: list[tuple[float, float, float]], own: str = "") -> str:
    closed = [*points, points[0]]
    text = " ".join(f"{x:.3f} {y:.3f} {z:.3f}" for x, y, z in closed)
    return (
        f'<gml:LinearRing{own}><gml:posList srsDimension="3">{text}</gml:posList></gml:LinearRing>'
    )


def citygml(*, system: str = "urn:ogc:def:crs,crs:EPSG::4548,crs:EPSG::5737") -> str:
    """Return a CityGML 2 document: a cube by references, one side turned, one holed, with looks."""
    x0, y0, z0, s = E0, N0, Z0, 10.0
    a = [(x0, y0), (x0 + s, y0), (x0 + s, y0 + s), (x0, y0 + s)]
    low = [(x, y, z0) for x, y in a]
    high = [(x, y, z0 + s) for x, y in a]
    hole = [(x0 + 2 + dx, y0 + 2 + dy, z0 + s) for dx, dy in ((0, 0), (0, 3), (3, 3), (3, 0))]
    faces = {
        "ground": ("GroundSurface", [low[::-1]]),
        "roof": ("RoofSurface", [high, hole]),
        **{
            f"wall{i}": (
                "WallSurface",
                [[low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]]],
            )
            for i in range(4)
        },
    }
    surfaces = ""
    for name, (kind, rings) in faces.items():
        drawn = [ring[::-1] for ring in rings] if name == "wall0" else rings
        inner = "".join(f"<gml:interior>{_ring(r)}</gml:interior>" for r in drawn[1:])
        own = f' gml:id="{name}_ring"'
        surfaces += (
            f'<bldg:boundedBy><bldg:{kind} gml:id="{name}"><bldg:lod2MultiSurface>'
            f'<gml:MultiSurface><gml:surfaceMember><gml:Polygon gml:id="{name}_poly">'
            f"<gml:exterior>{_ring(drawn[0], own)}</gml:exterior>{inner}</gml:Polygon>"
            f"</gml:surfaceMember></gml:MultiSurface></bldg:lod2MultiSurface></bldg:{kind}>"
            f"</bldg:boundedBy>"
        )
    members = "".join(
        f'<gml:surfaceMember xlink:href="#{name}_poly"/>' for name in faces if name != "wall0"
    )
    members += (
        '<gml:surfaceMember><gml:OrientableSurface orientation="-">'
        '<gml:baseSurface xlink:href="#wall0_poly"/></gml:OrientableSurface></gml:surfaceMember>'
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<CityModel xmlns="http://www.opengis.net/citygml/2.0" xmlns:gml="http://www.opengis.net/gml"
 xmlns:bldg="http://www.opengis.net/citygml/building/2.0"
 xmlns:app="http://www.opengis.net/citygml/appearance/2.0"
 xmlns:gen="http://www.opengis.net/citygml/generics/2.0"
 xmlns:veg="http://www.opengis.net/citygml/vegetation/2.0"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<gml:name>示意数据</gml:name>
<gml:boundedBy><gml:Envelope srsName="{system}" srsDimension="3">
<gml:lowerCorner>{x0} {y0} {z0}</gml:lowerCorner>
<gml:upperCorner>{x0 + s} {y0 + s} {z0 + s}</gml:upperCorner></gml:Envelope></gml:boundedBy>
<cityObjectMember><bldg:Building gml:id="house"><gml:name>民园</gml:name>
<gen:intAttribute name="flats"><gen:value>12</gen:value></gen:intAttribute>
<gen:stringAttribute name="note"><gen:value>brick</gen:value></gen:stringAttribute>
<bldg:storeysAboveGround>3</bldg:storeysAboveGround>
<bldg:measuredHeight uom="urn:adv:uom:m">10.5</bldg:measuredHeight>
<bldg:lod2Solid><gml:Solid><gml:exterior><gml:CompositeSurface>{members}</gml:CompositeSurface>
</gml:exterior></gml:Solid></bldg:lod2Solid>{surfaces}
<bldg:consistsOfBuildingPart><bldg:BuildingPart gml:id="shed"><bldg:lod1MultiSurface>
<gml:MultiSurface><gml:surfaceMember><gml:Polygon><gml:exterior>{_ring(low)}</gml:exterior>
</gml:Polygon></gml:surfaceMember></gml:MultiSurface></bldg:lod1MultiSurface></bldg:BuildingPart>
</bldg:consistsOfBuildingPart></bldg:Building></cityObjectMember>
<cityObjectMember><veg:SolitaryVegetationObject gml:id="tree"><veg:height uom="cm">500</veg:height>
<veg:lod2ImplicitRepresentation><ImplicitGeometry>
<transformationMatrix>1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1</transformationMatrix>
<relativeGMLGeometry><gml:MultiSurface gml:id="crown"><gml:surfaceMember><gml:Polygon>
<gml:exterior>{_ring([(0, 0, 0), (1, 0, 0), (0, 1, 2)])}</gml:exterior></gml:Polygon>
</gml:surfaceMember></gml:MultiSurface></relativeGMLGeometry>
<referencePoint><gml:Point><gml:pos>{x0 + 20} {y0 + 20} {z0}</gml:pos></gml:Point></referencePoint>
</ImplicitGeometry></veg:lod2ImplicitRepresentation></veg:SolitaryVegetationObject></cityObjectMember>
<app:appearanceMember><app:Appearance><app:theme>day</app:theme>
<app:surfaceDataMember><app:X3DMaterial gml:id="red">
<app:diffuseColor>0.8 0.1 0.1</app:diffuseColor>
<app:target>#roof</app:target></app:X3DMaterial></app:surfaceDataMember>
<app:surfaceDataMember><app:ParameterizedTexture><app:imageURI>looks/wall.png</app:imageURI>
<app:target uri="#wall0_poly"><app:TexCoordList>
<app:textureCoordinates ring="#wall0_ring">0 0 0 1 1 1 1 0 0 0</app:textureCoordinates>
</app:TexCoordList></app:target></app:ParameterizedTexture></app:surfaceDataMember>
</app:Appearance></app:appearanceMember>
</CityModel>
"""


def write_citygml(path: Path, text: str | None = None) -> Path:
    """Write the document, and the one image it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or citygml(), encoding="utf-8")
    (path.parent / "looks").mkdir(exist_ok=True)
    (path.parent / "looks" / "wall.png").write_bytes(PNG)
    return path
