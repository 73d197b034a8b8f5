"""Models from tables: the same tables give the same bytes, and they are what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

pytest.importorskip("ifcopenshell")

import ifcopenshell
from ifcopenshell.util.element import get_psets

from bim_import.authoring import LABEL, author_models, draw_model, read_model
from bim_import.authoring.__main__ import main
from bim_import.authoring.drawing import guid
from bim_import.reporting import ifc_report
from cim.crs import transform
from cim.errors import SourceError
from cim.jobs import QUIET
from cim.model.kinds import COMMON, kind
from cim.model.table import FeatureTable, as_column
from tests.bim_import.test_reader import run

DATA = Path(__file__).resolve().parents[2] / "data" / "wudadao"
TABLES = DATA / "tables" / "models"
NAMES = sorted(path.stem for path in TABLES.glob("*.toml"))
HOUSES = [name for name in NAMES if name != "minyuan"]


@pytest.fixture(scope="module")
def files() -> dict[str, Any]:
    return {name: ifcopenshell.open(str(DATA / f"{name}.ifc")) for name in NAMES}


@pytest.fixture(scope="module")
def city() -> FeatureTable:
    """Return the buildings of the district, as the twin holds them."""
    fields = (*COMMON, *kind("building").fields)
    names = {one.name for one in fields}
    features = json.loads((DATA / "buildings.geojson").read_text(encoding="utf-8"))["features"]
    rows = [{k: v for k, v in f["properties"].items() if k in names} for f in features]
    geometry = np.empty(len(features), dtype=object)
    geometry[:] = [
        shapely.transform(
            shapely.geometry.shape(f["geometry"]),
            lambda xy: transform(xy, source="EPSG:4490", target="EPSG:4548"),
        )
        for f in features
    ]
    return FeatureTable(
        layer="building", geometry=geometry, fields=fields,
        ids=np.array([f["properties"]["source_id"] for f in features], dtype=object),
        columns={f.name: as_column([r.get(f.name) for r in rows], f.type) for f in fields},
    )  # fmt: skip


def test_there_are_three_villas_a_stadium_and_a_terrace_and_they_are_small() -> None:
    assert NAMES == ["minyuan", "portico_villa", "terrace", "tower_villa", "villa"]
    assert sum((DATA / f"{name}.ifc").stat().st_size for name in NAMES) < 1_200_000


def test_the_same_tables_give_the_bytes_in_the_data_folder(tmp_path: Path) -> None:
    written = author_models(DATA, into=tmp_path)
    assert [path.stem for path in written] == NAMES
    for path in written:
        made, kept = path.read_bytes().splitlines(), (DATA / path.name).read_bytes().splitlines()
        apart = [(a, b) for a, b in zip(made, kept, strict=False) if a != b]
        assert apart[:1] == [], path.name
        assert len(made) == len(kept), path.name


def test_global_ids_come_from_source_id_and_part_and_from_nothing_else(
    files: dict[str, Any], tmp_path: Path
) -> None:
    # uuid5 of fixed names: the value holds on every machine and in every version.
    assert guid("munan-50", "building") == "3A7gAlSBzRIgwYDnNzHvVf"
    assert files["villa"].by_type("IfcBuilding")[0].GlobalId == guid("munan-50", "building")
    tables = _copied(tmp_path, "villa", ("year = 1925", "year = 1930"), ("117.2013 ", "117.2113 "))
    moved = draw_model(read_model(tables / "villa.toml"))
    ids = [sorted(one.GlobalId for one in f.by_type("IfcRoot")) for f in (files["villa"], moved)]
    assert ids[0] == ids[1]
    every = [one.GlobalId for file in files.values() for one in file.by_type("IfcRoot")]
    assert len(set(every)) == len(every)


@pytest.mark.truths
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the validator
@pytest.mark.parametrize("name", NAMES)
def test_a_file_keeps_the_rules_of_the_schema_by_the_validator_of_ifcopenshell(name: str) -> None:
    import ifcopenshell.validate

    file = ifcopenshell.open(str(DATA / f"{name}.ifc"))
    log = ifcopenshell.validate.json_logger()
    ifcopenshell.validate.validate(file, log, express_rules=True)
    print(f"{name}: {len(log.statements)} statements against {len(list(file))} entities")
    assert log.statements == []
    file.by_type("IfcCartesianPoint")[0].Coordinates = (1.0,)  # the validator does look
    ifcopenshell.validate.validate(file, log, express_rules=True)
    assert log.statements


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_what_a_building_has(name: str, files: dict[str, Any]) -> None:
    import ifcopenshell.validate

    file = files[name]
    log = ifcopenshell.validate.json_logger()
    ifcopenshell.validate.validate(file, log)
    assert log.statements == []
    for one in ("IfcBuildingStorey", "IfcSpace", "IfcWall", "IfcWindow", "IfcDoor", "IfcSlab",
                "IfcRoof", "IfcStairFlight", "IfcOpeningElement", "IfcRelAssociatesClassification",
                "IfcRelAssociatesMaterial", "IfcMappedItem"):  # fmt: skip
        assert file.by_type(one), one
    assert len(file.by_type("IfcWindow")) + len(file.by_type("IfcDoor")) == len(
        file.by_type("IfcRelFillsElement")
    )
    assert bool(file.by_type("IfcIndexedPolyCurve")) == (name == "minyuan")
    building = file.by_type("IfcBuilding")[0]
    sets = get_psets(building)
    assert sets["CIM_Source"]["illustrative"] is True
    assert sets["Pset_BuildingCommon"]["Reference"] == read_model(
        TABLES / f"{name}.toml").facts.source_id  # fmt: skip
    for kind_ in ("IfcProject", "IfcSite", "IfcBuilding"):
        assert file.by_type(kind_)[0].Description == LABEL
    assert "示意数据" in file.header.file_name.authorization


def test_facts_of_the_tables_stand_in_the_files(files: dict[str, Any]) -> None:
    villa = get_psets(files["villa"].by_type("IfcBuilding")[0])
    assert villa["Pset_BuildingCommon"]["YearOfConstruction"] == "1925"
    assert villa["CIM_Source"]["published_floor_area_m2"] == 900.0
    # 25.0 x 18.0 m less the court of 9.0 x 3.5 m, on two storeys.
    assert villa["Qto_BuildingBaseQuantities"]["GrossFloorArea"] == pytest.approx(2 * 418.5)
    terrace = files["terrace"].by_type("IfcBuilding")[0]
    assert (terrace.Name, terrace.BuildingAddress.AddressLines) == (
        "先农大院四排", ("河北路246号",),
    )  # fmt: skip
    assert get_psets(terrace)["Pset_BuildingCommon"]["YearOfConstruction"] == "1925"


def test_map_conversion_names_system_datum_and_bearing(files: dict[str, Any]) -> None:
    for name in NAMES:
        facts = read_model(TABLES / f"{name}.toml").facts
        conversion = files[name].by_type("IfcMapConversion")[0]
        crs = conversion.TargetCRS
        assert (crs.Name, crs.VerticalDatum) == ("EPSG:4548", "EPSG:5737")
        assert (conversion.Eastings, conversion.Northings) == (facts.east_m, facts.north_m)
        assert conversion.OrthogonalHeight == facts.ground_floor_m
        bearing = np.degrees(np.arctan2(conversion.XAxisAbscissa, conversion.XAxisOrdinate))
        assert bearing % 360 == pytest.approx(facts.bearing_deg, abs=1e-6)
        # True north lies counter-clockwise of grid north, east of the meridian.
        context = files[name].by_type("IfcGeometricRepresentationContext")[0]
        x, y = context.TrueNorth.DirectionRatios
        turn = (np.degrees(np.arctan2(y, x)) - facts.bearing_deg + 180) % 360 - 180
        assert turn == pytest.approx(0.127, abs=2e-3)
    villa = files["villa"].by_type("IfcMapConversion")[0]
    assert (villa.Eastings, villa.Northings) == (517410.845, 4330746.198)


@pytest.mark.parametrize("name", NAMES)
def test_the_importer_reads_every_product_and_measures_what_the_file_says(name: str) -> None:
    closer = name.endswith("villa")  # the large ones are truths
    record = ifc_report(DATA / f"{name}.ifc", job=QUIET, shells=closer)
    assert set(record["outcomes"]) == {"exact", "fallback", "box", "none_by_design", "missing"}
    lost = {k: record["outcomes"][k] for k in ("fallback", "box", "missing")}
    assert lost == {"fallback": 0, "box": 0, "missing": 0}
    assert record["outcomes"]["exact"] > 100
    place = record["placement"]
    assert (place["decided"], place["crs"], place["height_datum"]) == (
        True, "EPSG:4548", "EPSG:5737",
    )  # fmt: skip
    if closer:
        sizes = record["quantities"]
        assert sizes["compared"] > 50
        assert sizes["within_1_pct"] == sizes["compared"], sizes["rows"][:3]
        (shell,) = record["shells"]
        assert (shell["kept"], shell["closed"], shell["flags"]) == (True, True, [])


@pytest.mark.truths
@pytest.mark.parametrize("name", ["minyuan", "terrace"])
def test_the_large_ones_close_and_measure_what_the_file_says(name: str) -> None:
    record = ifc_report(DATA / f"{name}.ifc", job=QUIET, shells=True)
    sizes = record["quantities"]
    print(f"{name}: {sizes['within_1_pct']} of {sizes['compared']} sizes within 1 %")
    assert sizes["within_1_pct"] == sizes["compared"] > 300
    (shell,) = record["shells"]
    print(f"shell {shell['volume_m3']} m3 of {shell['enclosed_m3']}, flags {shell['flags']}")
    assert (shell["kept"], shell["closed"]) == (True, True)
    # 214 m long: cells wider than 0.1 m
    assert set(shell["flags"]) <= ({"coarse"} if name == "minyuan" else set())


@pytest.mark.parametrize("name", [*HOUSES, pytest.param("minyuan", marks=pytest.mark.truths)])
def test_a_model_stands_on_its_building_of_the_city(name: str, city: FeatureTable) -> None:
    done = run(DATA / f"{name}.ifc", near={"building": city}, options={"shells": False})
    note = next(e for e in done.report.entries if e.reason == "bim.joined").values
    print(f"{name}: on {note['source_id']}, {note['overlap']} % in common")
    assert note["source_id"] == read_model(TABLES / f"{name}.toml").facts.source_id
    assert float(note["overlap"]) >= 90
    assert abs(float(note["floor"]) - float(note["other_floor"])) < 0.15


def test_party_walls_stand_between_all_houses_of_the_terrace(files: dict[str, Any]) -> None:
    walls = [w for w in files["terrace"].by_type("IfcWall") if w.Name == "分户墙"]
    assert len(walls) == 2 * 13
    rooms = {s.LongName for s in files["terrace"].by_type("IfcSpace")}
    assert {f"{i}号客堂" for i in range(1, 15)} <= rooms


@pytest.mark.parametrize(
    ("old", "new", "key", "told"),
    [
        ("ground_floor_m = 3.60", "", "bim.table_missing", "ground_floor_m"),
        ("overhang_m = 0.85", "overhung_m = 0.85", "bim.table_wrong", "overhung_m"),
        ("width_m = 18.0", 'width_m = "18"', "bim.table_wrong", "width_m"),
        ('"w e w"', '"w x w"', "bim.table_wrong", "x"),
        ('at = [8, 4]', 'at = [0, 4]', "bim.table_wrong", "room at"),
        ('kind = "hip"', 'kind = "onion"', "bim.table_wrong", "onion"),
        ("[house", "[ring", "bim.table_missing", "house / ring"),
        ('name = "西横墙"\nstart = [-12.5, 0.5]', 'name = "西横墙"\nstart = [-40, 0.5]',
         None, ""),
        ('start = [-12.5, 0.5]\nend = [-4.62, 0.5]', 'start = [40, 0.5]\nend = [50, 0.5]',
         "bim.table_wrong", "西横墙"),
        ("", "= =", "authoring.bad_toml", "villa.toml"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_named_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, key: str | None, told: str
) -> None:
    tables = _copied(tmp_path, "villa", (old, new))
    if key is None:  # a wall drawn too long is cut to the house
        assert draw_model(read_model(tables / "villa.toml")).by_type("IfcSpace")
        return
    with pytest.raises(SourceError) as caught:
        draw_model(read_model(tables / "villa.toml"))
    assert caught.value.key == key
    assert told in str(caught.value)


def test_a_model_of_no_landmark_is_refused(tmp_path: Path) -> None:
    tables = _copied(tmp_path, "terrace", ('"xiannong"', '"nowhere"'))
    with pytest.raises(SourceError, match="nowhere"):
        read_model(tables / "terrace.toml")


def test_the_command_names_its_files_and_its_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _copied(tmp_path, "villa", ("", ""))
    assert main([str(tmp_path), "villa"]) == 0
    assert "villa.ifc" in capsys.readouterr().err
    assert (tmp_path / "villa.ifc").read_bytes() == (DATA / "villa.ifc").read_bytes()
    assert main([]) == 2
    assert main([str(tmp_path), "castle"]) == 2
    assert "castle" in capsys.readouterr().err


def _copied(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Copy a model's table, changed, with the tables it needs; return where models lie."""
    tables = folder / "tables" / "models"
    tables.mkdir(parents=True)
    for other in ("landmarks.csv", "area.toml"):
        shutil.copy(DATA / "tables" / other, folder / "tables" / other)
    shutil.copy(DATA / "district.toml", folder / "district.toml")
    text = (TABLES / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (tables / f"{name}.toml").write_text(text, encoding="utf-8")
    return tables
