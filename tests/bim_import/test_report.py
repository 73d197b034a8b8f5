"""cim ifc-report: one record a file, nothing lost, found again at once."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")
pytest.importorskip("fontTools")
pytest.importorskip("PIL")

from fontTools.ttLib import TTFont
from PIL import Image

from bim_import.embedding import picture_of
from bim_import.meshing import read_and_mesh
from bim_import.page import report_page
from bim_import.reporting import ifc_report
from cim import messages
from cim.cli import main
from cim.errors import MissingError
from cim.jobs import QUIET
from cim.sources.spec import LayerSpec
from scenes.probe import opengl
from tests.bim_import.small import Small


def placed(tmp_path: Path, **values: str) -> Path:
    s = Small("mm")
    s.product(s.box(1000, 2000, 3000), at=s.place(500, 0, 0))
    s.product(s.box(1000, 2000, 3000), at=s.place(5000, 0, 0))
    s.product(kind="IFCBUILDINGELEMENTPROXY")
    given = {"scale": "0.001", "unit": "$", "east": "517410.", "north": "4330746.",
             "crs": "EPSG:4548", "vertical": "'EPSG:5737'", **values}  # fmt: skip
    crs = s.add(f"IFCPROJECTEDCRS('{given['crs']}',$,$,{given['vertical']},$,$,{given['unit']})")
    s.add(
        f"IFCMAPCONVERSION(#6,#{crs},{given['east']},{given['north']},3.5,0.,1.,{given['scale']})"
    )
    return s.write(tmp_path / "small.ifc")


def test_the_record_has_what_was_promised(tmp_path: Path) -> None:
    record = ifc_report(placed(tmp_path), job=QUIET)
    assert (record["schema_ifc"], record["unit_m"], record["products"]) == ("IFC4", 0.001, 6)
    assert record["outcomes"] == {
        "exact": 2, "fallback": 0, "box": 0, "none_by_design": 4, "missing": 0
    }  # fmt: skip
    assert record["spatial"] == {"sites": 1, "buildings": 1, "storeys": 1, "spaces": 0}
    assert (record["triangles"], record["unique_meshes"]) == (24, 2)
    place = record["placement"]
    assert (place["decided"], place["crs"], place["height_datum"]) == (
        True, "EPSG:4548", "EPSG:5737",
    )  # fmt: skip
    origin = (place["easting_m"], place["northing_m"], place["height_m"])
    assert origin == (517410.0, 4330746.0, 3.5)
    assert (place["rotation_deg"], place["scale"]) == (90.0, 1.0)
    assert place["confidence"] > 0.9
    assert [e["how"] for e in place["evidence"] if e["used"]] == ["units", "system_units"]
    assert record["cpu_s"] > 0 and record["peak_mb"] > 0 and record["first_geometry_s"] > 0


def test_a_file_without_a_place_is_reported_with_three_ways_out(tmp_path: Path) -> None:
    s = Small()
    s.product(s.box(1, 1, 1))
    place = ifc_report(s.write(tmp_path / "a.ifc"), job=QUIET)["placement"]
    assert (place["decided"], place["easting_m"]) == (False, None)
    for way in ("--at", "--points", "--by-footprint"):
        assert way in place["remedy"]


def test_a_place_by_hand_is_reported(tmp_path: Path) -> None:
    path = placed(tmp_path)
    spec = LayerSpec(file=path, crs="EPSG:4548", options={"at": [517000, 4330000, 3, 30]})
    place = ifc_report(path, spec=spec, job=QUIET)["placement"]
    assert (place["easting_m"], place["rotation_deg"], place["confidence"]) == (517000, 30, 1)


def test_the_same_bytes_are_not_meshed_twice(tmp_path: Path) -> None:
    path = placed(tmp_path, scale="1.")
    other = tmp_path / "other.ifc"
    other.write_bytes(path.read_bytes())
    first, again = read_and_mesh(path, job=QUIET), read_and_mesh(other, job=QUIET)
    assert (first.cached, again.cached) == (False, True)
    assert again.said == json.loads(json.dumps(first.said))
    assert (first.outcome, first.why) == (again.outcome, again.why)
    assert list(first.places) == list(again.places)
    for number, (key, matrix) in first.places.items():
        assert (again.places[number][1] == matrix).all()
        one, two = first.shapes[key], again.shapes[again.places[number][0]]
        assert (one.vertices == two.vertices).all() and (one.triangles == two.triangles).all()
        assert one.materials == two.materials
    other.write_bytes(path.read_bytes().replace(b"3000.0", b"3001.0"))
    assert not read_and_mesh(other, job=QUIET).cached


def test_a_spoilt_entry_is_made_again(tmp_path: Path, cache_folder: Path) -> None:
    path = placed(tmp_path, east="517411.")
    read_and_mesh(path, job=QUIET)
    for one in cache_folder.rglob("*.npz"):
        one.write_bytes(one.read_bytes()[: one.stat().st_size // 2])
    again = read_and_mesh(path, job=QUIET)
    assert not again.cached and again.outcomes()["exact"] == 2
    assert np.isfinite(again.first_geometry_s)


def test_the_command_prints_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = placed(tmp_path)
    assert main(["ifc-report", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["products"] == sum(record["outcomes"].values()) == 6
    assert main(["ifc-report", str(tmp_path / "no.ifc"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["key"] == "bim.unreadable"


def block_with_room(tmp_path: Path) -> Path:
    """Write a solid wall block of 8 x 6 x 4 m; a room says its area rightly, its volume not."""
    s = Small()
    s.product(s.box(8, 6, 4), name="<墙>")
    room = s.product(s.box(5, 4, 3), kind="IFCSPACE", name="厅", rest="$,.ELEMENT.,.INTERNAL.,$")
    s.products.remove(room)
    s.add(f"IFCRELAGGREGATES('{s.next + 1:022d}',$,$,$,#11,(#{room}))")
    area = s.add("IFCQUANTITYAREA('NetFloorArea',$,$,20.)")
    volume = s.add("IFCQUANTITYVOLUME('NetVolume',$,$,50.)")
    sizes = s.add(f"IFCELEMENTQUANTITY('{s.next:022d}',$,'Qto',$,$,(#{area},#{volume}))")
    s.add(f"IFCRELDEFINESBYPROPERTIES('{s.next:022d}',$,$,$,(#{room}),#{sizes})")
    return s.write(tmp_path / "block.ifc")


def test_shells_and_quantities_come_where_asked_for(tmp_path: Path) -> None:
    path = block_with_room(tmp_path)
    plain = ifc_report(path, job=QUIET)
    assert (plain["shells"], plain["quantities"], plain["solids"]) == (None, None, None)
    record = ifc_report(path, shells=True, job=QUIET)
    (shell,) = record["shells"]
    assert (shell["kept"], shell["closed"], shell["flags"]) == (True, True, [])
    assert shell["volume_m3"] == pytest.approx(8 * 6 * 4, rel=0.02)
    assert shell["footprint_m2"] == shell["roof_outline_m2"] == pytest.approx(48.0)
    assert record["solids"] == {"closed": 2, "open": 0}
    found = {row["quantity"]: row for row in record["quantities"]["rows"]}
    assert (record["quantities"]["compared"], record["quantities"]["within_1_pct"]) == (2, 1)
    assert found["NetFloorArea"]["off_pct"] == pytest.approx(0.0, abs=0.01)
    assert found["NetVolume"]["model"] == pytest.approx(60.0)
    assert found["NetVolume"]["off_pct"] == pytest.approx(20.0)


def test_the_page_tells_the_record_in_both_languages_without_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = block_with_room(tmp_path), tmp_path / "report.html"
    assert main(["ifc-report", str(path), "-o", str(page), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    text = page.read_text(encoding="utf-8")
    assert record["page"] == str(page)
    for lang in messages.LANGUAGES:
        assert record["placement"]["told"][lang]["reason"] in html.unescape(text)
        assert messages.text("bim.page.quantities", lang=lang) in html.unescape(text)
    assert ">60.000<" in text and ">50.000<" in text
    plain = re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert "http" not in plain.replace(record["placement"]["remedy"], "")
    assert "<img" not in plain  # without a place there is nothing to show
    assert "<墙>" not in text
    assert main(["ifc-report", str(path), "-o", str(tmp_path / "no" / "a.html"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["key"] == "bim.page_unwritable"


def test_a_placed_model_is_drawn_on_its_page_with_a_font_of_its_own(tmp_path: Path) -> None:
    if not opengl().ok:
        pytest.skip("no OpenGL on this machine")
    page = tmp_path / "report.html"
    assert main(["ifc-report", str(placed(tmp_path, east="517412.")), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))
    assert drawn.shape == (630, 1120, 3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 50  # something is there
    (font,) = re.findall(r"url\(data:font/otf;base64,([^)]+)\)", text)
    known = set(TTFont(io.BytesIO(base64.b64decode(font))).getBestCmap())
    body = re.sub(r"<[^>]+>", "", html.unescape(text.split("<body", 1)[1]).split(">", 1)[1])
    assert {c for c in body if "\u4e00" <= c <= "\u9fff"} <= {chr(c) for c in known}


def test_without_the_drawing_package_the_page_says_why_there_is_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*, group: str) -> EntryPoints:
        broken = EntryPoint("still", "no_such_package:still", group)
        return EntryPoints([broken] if group == "cim.pages" else [])

    monkeypatch.setattr("bim_import.embedding.entry_points", none)
    path = placed(tmp_path)
    record = ifc_report(path, job=QUIET, shells=True)
    why = picture_of(path, LayerSpec(file=path), record, job=QUIET)
    assert isinstance(why, MissingError)
    page = report_page(record, name="a.ifc", picture=why)
    assert "<img" not in page and "@font-face" not in page
    for lang in messages.LANGUAGES:
        assert html.escape(messages.remedy("cli.demo.no_drawer", lang=lang)) in page


def test_what_was_lost_stands_on_the_page_with_its_reason(tmp_path: Path) -> None:
    record = ifc_report(block_with_room(tmp_path), shells=True, job=QUIET)
    lost = {"guid": "g", "class": "IfcWall", "name": "a<b", "outcome": "missing", "why": "budget"}
    shell = {**record["shells"][0], "kept": False, "flags": ["off", "part"]}
    page = report_page({**record, "not_exact": [lost], "shells": [shell]}, name="x<y.ifc")
    assert "a&lt;b" in page and "budget" in page and "<title>x&lt;y.ifc" in page
    for lang in messages.LANGUAGES:
        assert messages.text("bim.page.outcome_missing", lang=lang) in page
        assert messages.remedy("bim.shell_off", lang=lang) in page
