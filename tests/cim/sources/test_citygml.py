"""CityGML: references, turned surfaces, looks and templates; and XML that means harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.crs import split_crs
from cim.errors import CimError
from cim.model.facets import facets
from cim.sources import Built, build_twin, district_from_files
from tests.cim.sources.city_files import E0, N0, citygml, write_citygml


def build(path: Path, **options: Any) -> Built:
    return build_twin(district_from_files([path], **options))


def test_a_house_by_references_is_a_solid_with_meaning_and_looks(tmp_path: Path) -> None:
    built = build(write_citygml(tmp_path / "a.gml"))
    faults = [e for e in built.report.entries if e.action != "note"]
    assert built.report.total.kept == 3
    # the skylight in its roof has no pane: the solid is open there
    assert [(e.reason, e.values["count"]) for e in faults] == [("source.model.shell_302", 4)]
    assert built.twin.layers() == {"building": 1, "building_part": 1, "tree": 1}
    assert built.twin.frame.height_datum == "cgvd1985"
    row = built.twin.table("building").row(0)
    assert (row["height_m"], row["storeys_above"], row["flats"]) == (10.5, 3, 12)
    assert row["name"] == "民园" and row["note"] == "brick" and row["base_m"] == 3.0
    (solid,) = [b for b in built.twin.body_pool.bodies if b.type == "Solid"]
    assert solid.face_count == 6 and solid.surfaces is not None
    kinds = [solid.surfaces[k]["type"] for k in solid.semantic]
    assert sorted(kinds) == ["GroundSurface", "RoofSurface", *["WallSurface"] * 4]
    found = facets(solid.vertices[solid.index], solid.rings, solid.faces)
    corners = solid.vertices[solid.index][found.triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    volume = np.einsum("ij,ij->i", corners[:, 0] - corners[0, 0], cross).sum() / 6
    # the roof has a hole of 9 m², 10 m above the ground: its cone is missing
    assert volume == pytest.approx(1000.0, abs=40.0) and volume > 0
    assert solid.materials["day"].max() == 0 and (solid.materials["day"] == 0).sum() == 1
    draped = solid.textures["day"]
    ring = int(np.flatnonzero(draped.image >= 0)[0])
    uv = draped.uv[solid.rings[ring] : solid.rings[ring + 1]]
    xyz = solid.vertices[solid.index[solid.rings[ring] : solid.rings[ring + 1]]]
    # wall0 was written turned round with its texture; v runs up the wall all the same
    assert uv.tolist() == [[1, 0], [1, 1], [0, 1], [0, 0]] and not np.isnan(xyz).any()
    assert len(built.twin.body_pool.images) == 1


def test_a_template_stands_at_its_point_and_centimetres_are_read(tmp_path: Path) -> None:
    twin = build(write_citygml(tmp_path / "a.gml")).twin
    tree = twin.table("tree")
    assert tree.row(0)["height_m"] == pytest.approx(2.0) or tree.row(0)["height_m"] == 5.0
    assert tree.geometry[0].x == pytest.approx(E0 + 20.5)
    assert tree.geometry[0].y == pytest.approx(N0 + 20.5)


@pytest.mark.parametrize(
    ("name", "crs", "height"),
    [
        ("urn:adv:crs:DE_DHDN_3GK4*DE_DHHN92_NH", "EPSG:31468", "EPSG:5783"),
        ("urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH", "EPSG:25832", "EPSG:7837"),
        ("urn:adv:crs:DE_DHDN_3GK4*DE_DHN92_NH", "EPSG:31468", None),
        ("urn:ogc:def:crs,crs:EPSG:31467", "EPSG:31467", None),
        ("urn:ogc:def:crs,crs:EPSG:6.12:25832,crs:EPSG:6.12:5783", "EPSG:25832", "EPSG:5783"),
        ("https://www.opengis.net/def/crs/EPSG/0/7415", "EPSG:28992", "EPSG:5709"),
        ("http://www.opengis.net/def/crs/EPSG/0/6697", "EPSG:6668", "EPSG:6695"),
    ],
)
def test_names_of_systems_are_resolved_and_no_height_is_guessed(
    name: str, crs: str, height: str | None
) -> None:
    assert split_crs(name) == (crs, height)


@pytest.mark.parametrize("name", ["urn:adv:crs:DE_NOWHERE", "urn:adv:crs:DE_DHDN_3GK9*DE_X"])
def test_a_system_nobody_knows_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(CimError) as caught:
        build(write_citygml(tmp_path / "a.gml", citygml(system=name)))
    assert caught.value.key == "crs.unknown" and name in str(caught.value)


def test_two_systems_in_one_file_are_refused(tmp_path: Path) -> None:
    text = citygml().replace("<gml:Solid>", '<gml:Solid srsName="EPSG:4547">')
    with pytest.raises(CimError) as caught:
        build(write_citygml(tmp_path / "a.gml", text))
    assert caught.value.key == "source.model.mixed_crs"


def test_latitude_first_is_read_as_its_system_declares(tmp_path: Path) -> None:
    import re

    from cim.crs import Frame, lonlat

    frame = Frame("EPSG:4548", "cgvd1985", (517000.0, 4330600.0))

    def degrees(found: re.Match[str]) -> str:
        flat = np.array(found[2].split(), dtype=float).reshape(-1, 3)
        if flat[:, 0].max() < 1000:  # the template has metres of its own
            return found[0]
        lon, lat = lonlat(frame, flat[:, :2]).T
        rows = np.column_stack([lat, lon, flat[:, 2]])
        return found[1] + " ".join(f"{v:.9f}" for v in rows.ravel()) + "<"

    text = citygml(system="http://www.opengis.net/def/crs/EPSG/0/4490")
    text = re.sub(r"(<gml:(?:posList|pos|lowerCorner|upperCorner)[^>]*>)([^<]*)<", degrees, text)
    path = write_citygml(tmp_path / "a.gml", text)
    built = build(path, height_datum="cgvd1985")
    assert built.twin.table("building").geometry[0].area == pytest.approx(100, rel=1e-3)
    assert built.twin.frame.crs == "EPSG:4548"


BOMB = """<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<CityModel>&c;</CityModel>"""
OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE x SYSTEM "http://192.0.2.1/evil.dtd" [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<CityModel>&f;</CityModel>"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (BOMB, "source.xml_doctype"),
        (OUTSIDE, "source.xml_doctype"),
        ("<CityModel>" + "<a>" * 300 + "</a>" * 300 + "</CityModel>", "source.xml_deep"),
        ("<CityModel><gml:x></CityModel>", "source.xml_broken"),
        ("<html><body/></html>", "source.not_citygml"),
    ],
)
def test_xml_that_means_harm_or_nothing_is_refused(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(CimError) as caught:
        build(write_citygml(tmp_path / "a.gml", text))
    assert caught.value.key == key and "passwd" not in str(caught.value)


def test_a_reference_that_points_at_nothing_is_counted(tmp_path: Path) -> None:
    text = citygml().replace('xlink:href="#roof_poly"', 'xlink:href="#gone"')
    built = build(write_citygml(tmp_path / "a.gml", text))
    (entry,) = [e for e in built.report.entries if e.reason == "source.model.gml_href"]
    assert entry.object == "house" and built.report.total.kept == 3


def test_a_class_nobody_knows_is_rejected_by_name(tmp_path: Path) -> None:
    text = citygml().replace("veg:SolitaryVegetationObject", "veg:Gnome")
    with pytest.raises(CimError) as caught:
        build(write_citygml(tmp_path / "a.gml", text))
    assert caught.value.key == "source.too_many_rejected" and "Gnome" in str(caught.value)
