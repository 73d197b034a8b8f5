"""The villa through the reader: semantics, meshes, the join with the city, and refusals."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely

pytest.importorskip("ifcopenshell")

import ifcopenshell

from bim_import._frames import receive, send
from bim_import.authoring import read_model
from bim_import.reader import probe, read
from cim import messages
from cim.crs import Frame
from cim.errors import CancelledError, CimError, FrameError, SourceError
from cim.jobs import QUIET, Job, Progress
from cim.model.kinds import COMMON, kind
from cim.model.mesh import Surface
from cim.model.table import FeatureTable, as_column
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

DATA = Path(__file__).resolve().parents[2] / "data" / "wudadao"
VILLA = DATA / "villa.ifc"
FRAME = Frame("EPSG:4548", "cgvd1985", (517000.0, 4330000.0))


def footprint() -> shapely.Polygon:
    """Return the rectangle that villa.toml gives, in EPSG:4548."""
    facts = read_model(DATA / "tables" / "models" / "villa.toml").facts
    bearing = np.radians(facts.bearing_deg)
    along = np.array([np.sin(bearing), np.cos(bearing)]) * facts.length_m / 2
    across = np.array([-np.cos(bearing), np.sin(bearing)]) * facts.width_m / 2
    centre = np.array([517410.845, 4330746.198])  # lon, lat of the table by pyproj
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return shapely.Polygon([centre + a * along + b * across for a, b in signs])


def city() -> FeatureTable:
    fields = (*COMMON, *kind("building").fields)
    rows = [
        {"source_id": "munan-50", "height_m": 8.0, "floor_level_m": 3.5},
        {"source_id": "munan-52", "height_m": 9.0},
    ]
    shapes = [footprint(), shapely.affinity.translate(footprint(), 24.0, -8.0)]
    geometry = np.empty(2, dtype=object)
    geometry[:] = shapes
    return FeatureTable(
        layer="building", ids=np.array(["bld-a", "bld-b"], dtype=object), geometry=geometry,
        columns={f.name: as_column([r.get(f.name) for r in rows], f.type) for f in fields},
        fields=fields,
    )  # fmt: skip


@dataclass
class Done:
    loaded: Loaded
    report: Report

    def table(self, layer: str) -> FeatureTable:
        return next(t for t in self.loaded.tables if t.layer == layer)

    def keys(self) -> list[str]:
        return [entry.reason for entry in self.report.entries]


def run(path: Path, *, near: dict[str, FeatureTable] | None = None, **spec: object) -> Done:
    report = Report()
    given = LayerSpec(file=path, kind="bim", **spec)  # type: ignore[arg-type]
    return Done(read(given, frame=FRAME, report=report, near=near or {}, job=QUIET), report)


@pytest.fixture(scope="module")
def joined() -> Done:
    return run(VILLA, near={"building": city()})


@pytest.fixture(scope="module")
def alone() -> Done:
    return run(VILLA, name="bim")


def test_every_product_is_counted_once_and_has_an_outcome(joined: Done) -> None:
    total = joined.report.total
    products = len(ifcopenshell.open(str(VILLA)).by_type("IfcProduct"))
    assert (total.read, total.kept, total.rejected) == (products, products, 0)
    assert sum(len(t) for t in joined.loaded.tables) == products
    outcomes = [o for t in joined.loaded.tables for o in t.columns["outcome"]]
    assert set(outcomes) == {"exact", "none_by_design"}
    bodies = sum(1 for p in ifcopenshell.open(str(VILLA)).by_type("IfcProduct") if p.Representation)
    openings = len(ifcopenshell.open(str(VILLA)).by_type("IfcOpeningElement"))
    assert outcomes.count("exact") == bodies - openings


def test_the_model_becomes_the_detailed_form_of_the_building_it_stands_on(joined: Done) -> None:
    assert "building" not in {t.layer for t in joined.loaded.tables}
    part = joined.table("building_part").row(0)
    assert (part["parent"], part["name"]) == ("bld-a", "张学铭旧宅")
    assert set(joined.table("storey").columns["parent"]) == {"bld-a"}
    outside = [i for i in joined.loaded.meshes.instances if i.object_id == "bld-a"]
    levels = [(i.lod, i.cim_level) for i in outside]
    assert set(levels) == {("0", 1), ("1", 2), ("2", 3), ("3", 4)}
    assert [levels.count(level) for level in (("0", 1), ("1", 2), ("2", 3))] == [2, 1, 1]
    note = next(e for e in joined.report.entries if e.reason == "bim.joined")
    assert note.values["source_id"] == "munan-50"
    # The court of 9.0 x 3.5 m is outside of the walls: 450 - 31.5 m2.
    assert (note.values["area"], note.values["other_area"]) == ("418.5", "450.0")
    assert (note.values["overlap"], note.values["floor"], note.values["other_floor"]) == (
        "93", "3.60", "3.50",
    )  # fmt: skip


def test_without_a_building_under_it_the_model_is_a_building_of_its_own(alone: Done) -> None:
    villa = alone.table("building/bim").row(0)
    facts = read_model(DATA / "tables" / "models" / "villa.toml").facts
    assert villa["height_m"] == pytest.approx(2 * 3.6)
    assert villa["ridge_m"] == pytest.approx(7.2 + 0.395 * 8.1, abs=1e-3)  # half the depth
    assert villa["floor_level_m"] == pytest.approx(facts.ground_floor_m)
    assert (villa["year"], villa["use"], villa["storeys_above"]) == (1925, "居住", 2)
    assert villa["illustrative"]
    assert set(alone.table("storey/bim").columns["parent"]) == {villa["id"]}


def test_walls_stand_inside_the_footprint_and_eaves_may_not_reach_far(joined: Done) -> None:
    table = joined.table("building_element")
    walls = table.take(np.array([c == "IfcWall" for c in table.columns["ifc_class"]]))
    around = footprint().buffer(0.002)
    assert len(walls) == 26
    assert all(around.contains(shape) for shape in walls.geometry)
    everything = shapely.union_all([g for g in table.geometry if g is not None])
    assert footprint().buffer(1.1, join_style="mitre").contains(everything)


def test_meshes_stand_at_the_heights_of_the_table(joined: Done) -> None:
    facts = read_model(DATA / "tables" / "models" / "villa.toml").facts
    table = joined.table("building_element")
    floor = table.row(table.texts("name").index("首层楼板"))
    assert floor["top_m"] == pytest.approx(facts.ground_floor_m, abs=1e-3)
    tile = table.row(table.texts("name").index("屋面"))
    ridge = facts.ground_floor_m + 2 * 3.6 + 0.395 * 8.1
    assert tile["top_m"] == pytest.approx(ridge, abs=1e-3)


def test_rooms_have_their_area_by_the_file_and_by_their_outline(joined: Done) -> None:
    rooms = joined.table("room")
    outlines = [shape.area for shape in rooms.geometry]
    # Rooms and their quantities come from one plan; 1 mm of the outline's grid lies between.
    assert rooms.numbers("floor_area_m2") == pytest.approx(outlines, rel=2e-3)
    assert "客厅" in rooms.texts("name")
    assert set(rooms.columns["parent"]) <= set(joined.table("storey").ids)


def test_storeys_are_ordered_from_below_with_elevations_in_metres(joined: Done) -> None:
    storeys = joined.table("storey")
    order = np.argsort(storeys.numbers("index"))
    assert storeys.numbers("elevation_m")[order].tolist() == [0.0, 3.6, 7.2]


def test_properties_keep_their_sets_as_json(joined: Done) -> None:
    part = json.loads(joined.table("building_part").row(0)["properties"])
    assert part["Pset_BuildingCommon"]["YearOfConstruction"] == "1925"
    walls = joined.table("building_element")
    outside = [json.loads(p)["Pset_WallCommon"]["IsExternal"]
               for p, c in zip(walls.texts("properties"), walls.texts("ifc_class"), strict=True)
               if c == "IfcWall" and p]  # fmt: skip
    assert (outside.count(True), outside.count(False)) == (16, 8)


def test_equal_windows_are_one_mesh(joined: Done) -> None:
    pool, table = joined.loaded.meshes, joined.table("building_element")
    doors = dict(zip(table.ids, table.texts("name"), strict=True))
    shown = [i.mesh_id for i in pool.instances if doors.get(i.object_id) == "双扇木窗"]
    assert len(shown) > 20
    assert len(set(shown)) == 1
    mesh = pool.meshes[shown[0]]
    assert set(mesh.surface) == {Surface.WINDOW}
    assert {pool.materials[i].name for i in mesh.material} == {"白漆木", "玻璃", "浅色石"}
    glass = next(m for m in pool.materials if m.name == "玻璃")
    assert glass.rgba == pytest.approx((0.33, 0.42, 0.48, 0.65))


def test_reading_twice_gives_the_same_ids_meshes_and_places(joined: Done) -> None:
    again = run(VILLA, near={"building": city()})
    for first, second in zip(joined.loaded.tables, again.loaded.tables, strict=True):
        assert first.ids.tolist() == second.ids.tolist()
    one, two = joined.loaded.meshes, again.loaded.meshes
    assert list(one.meshes) == list(two.meshes)
    assert all(
        (a.object_id, a.mesh_id) == (b.object_id, b.mesh_id) and (a.matrix == b.matrix).all()
        for a, b in zip(one.instances, two.instances, strict=True)
    )


def test_a_first_look_tells_system_datum_and_place() -> None:
    look = probe(LayerSpec(file=VILLA))
    assert look is not None
    assert (look.crs, look.height_datum) == ("EPSG:4548", "cgvd1985")
    assert shapely.box(*look.bounds).contains(footprint())


def altered(tmp_path: Path, change: Callable[[str], str]) -> Path:
    path = tmp_path / "villa.ifc"
    path.write_text(change(VILLA.read_text(encoding="ascii")), encoding="ascii")
    return path


def no_conversion(text: str) -> str:
    return re.sub(r"#\d+=IFCMAPCONVERSION\(.*\n", "", text)


@pytest.mark.parametrize(
    ("change", "error", "key"),
    [
        (lambda t: t[:80_000], SourceError, "bim.cut_short"),
        (lambda t: "", SourceError, "bim.not_ifc"),
        (lambda t: "a,b\n1,2\n", SourceError, "bim.not_ifc"),
        (lambda t: t.replace("'IFC4'", "'IFC9'"), SourceError,
         "bim.unknown_schema"),
        (lambda t: t[: t.index("DATA;")] + "DATA;\nENDSEC;\nEND-ISO-10303-21;\n", SourceError,
         "bim.no_products"),
        (no_conversion, FrameError, "bim.only_lonlat"),
        (lambda t: t.replace("'EPSG:5737'", "$"), FrameError, "bim.no_height_datum"),
        (lambda t: t.replace("'EPSG:4548'", "'EPSG:2193'"), FrameError, "bim.outside_area"),
        (lambda t: t.replace("'EPSG:4548'", "'nowhere'"), FrameError, "crs.unknown"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_trusted_is_refused_with_a_remedy(
    tmp_path: Path, change: Callable[[str], str], error: type[CimError], key: str
) -> None:
    with pytest.raises(error) as caught:
        run(altered(tmp_path, change))
    assert caught.value.key == key
    assert caught.value.message("zh")
    assert caught.value.remedy("zh")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="villa"):
        run(tmp_path / "villa.ifc")


def test_a_model_without_a_place_is_put_where_at_says(tmp_path: Path) -> None:
    path = altered(tmp_path, no_conversion)
    done = run(path, options={"at": [517000.0, 4330000.0, 3.0, 0.0]})
    points = np.concatenate([done.loaded.meshes.placed(i) for i in done.loaded.meshes.instances])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    # Eaves of 0.85 m all round, gutters of 0.1 m: symmetric about the plan's middle.
    assert middle[:2] == pytest.approx([517000.0, 4330000.0], abs=1e-3)


@pytest.mark.parametrize("at", [[1, 2], "here", [1, 2, "3", 4], [1, 2, float("nan"), 0]])
def test_a_place_that_is_none_is_refused(at: object) -> None:
    with pytest.raises(SourceError, match="not a place"):
        run(VILLA, options={"at": at})


def test_a_second_product_of_one_global_id_is_rejected_and_named(tmp_path: Path) -> None:
    file = ifcopenshell.open(str(VILLA))
    first, second = (wall.GlobalId for wall in file.by_type("IfcChimney"))
    done = run(altered(tmp_path, lambda t: t.replace(second, first)))
    total = done.report.total
    assert (total.rejected, total.read - total.kept) == (1, 1)
    rejected = next(e for e in done.report.entries if e.action == "rejected")
    assert (rejected.reason, rejected.values["id"]) == ("bim.duplicate", first)


def test_a_release_candidate_is_read_and_the_report_says_so(tmp_path: Path) -> None:
    path = altered(tmp_path, lambda t: t.replace("'IFC4'", "'IFC4X3_RC2'"))
    done = run(path)
    assert done.keys().count("bim.patched") == 1
    assert done.report.total.kept == done.report.total.read


def test_a_body_without_a_face_is_a_box_and_listed(tmp_path: Path) -> None:
    def hollow(text: str) -> str:
        number = re.search(r"#(\d+)=IFCTRIANGULATEDFACESET", text)
        assert number is not None
        return re.sub(
            rf"(#{number.group(1)}=IFCTRIANGULATEDFACESET\(#\d+,\$,\.F\.,)\(.*?\)\)(,\$\);)",
            r"\1((1,1,1))\2", text,
        )  # fmt: skip

    done = run(altered(tmp_path, hollow))
    missing = [e for e in done.report.entries if e.reason == "bim.geometry_box"]
    assert [e.values["name"] for e in missing] == ["瓦垄"]
    table = done.table("building_element")
    row = table.row(table.texts("name").index("瓦垄"))
    assert row["outcome"] == "box"


def test_a_cancel_ends_the_worker_and_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIM_CACHE", "off")
    job = Job()

    def stop(progress: Progress) -> None:
        if progress.what == "bim.meshing":
            job.cancel()

    job.listen = stop
    with pytest.raises(CancelledError):
        read(LayerSpec(file=VILLA), frame=FRAME, report=Report(), near={}, job=job)


def test_worker_messages_survive_and_a_cut_one_is_the_end() -> None:
    stream = io.BytesIO()
    send(stream, ["mesh", "键", [["玻璃", [1.0, 0.5, 0.0, 0.3]]]], (b"abc", b""))
    whole = stream.getvalue()
    head, blocks = receive(io.BytesIO(whole)) or ([], [])
    assert (head[1], blocks) == ("键", [b"abc", b""])
    for cut in range(len(whole)):
        assert receive(io.BytesIO(whole[:cut])) is None


def test_every_text_stands_in_both_languages() -> None:
    own = {key: texts for key, texts in messages.keys().items() if key.startswith("bim.")}
    assert len(own) > 20
    for key, texts in own.items():
        for first, second in (("en", "zh"), ("do_en", "do_zh")):
            fields = [set(re.findall(r"{(\w+)}", texts.get(name, ""))) for name in (first, second)]
            assert fields[0] == fields[1], key
            assert (first in texts) == (second in texts), key
