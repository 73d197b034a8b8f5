"""The demo villa: the same table gives the same bytes, and what it draws is what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import._drawing import guid
from bim_import._hip_roof import hip_roof
from bim_import._villa_plan import plan
from bim_import.authoring import LABEL, VillaFacts, draw_villa, main, read_facts, villa_ifc
from cim.errors import SourceError

DATA = Path(__file__).resolve().parents[2] / "data" / "wudadao"


@pytest.fixture(scope="module")
def facts() -> VillaFacts:
    return read_facts(DATA / "tables" / "villa.toml")


@pytest.fixture(scope="module")
def file(facts: VillaFacts) -> Any:
    return draw_villa(facts, easting_m=517410.845, northing_m=4330746.198, convergence_deg=0.127)


def test_the_same_table_gives_the_same_bytes_which_are_those_in_the_data_folder(
    tmp_path: Path, facts: VillaFacts
) -> None:
    assert main([str(DATA / "tables" / "villa.toml"), str(tmp_path / "villa.ifc")]) == 0
    written = (tmp_path / "villa.ifc").read_bytes()
    assert written == villa_ifc(facts).encode("ascii")
    assert written == (DATA / "villa.ifc").read_bytes()
    assert len(written) <= 400_000


def test_global_ids_come_from_source_id_and_part_and_from_nothing_else(
    facts: VillaFacts, file: Any
) -> None:
    # uuid5 of fixed names: the value holds on every machine and in every version.
    assert guid("munan-50", "building") == "3A7gAlSBzRIgwYDnNzHvVf"
    assert file.by_type("IfcBuilding")[0].GlobalId == guid("munan-50", "building")
    moved = draw_villa(
        replace(facts, name="另一名称", year=1930),
        easting_m=0.0, northing_m=0.0, convergence_deg=0.0,
    )  # fmt: skip
    ids = [sorted(one.GlobalId for one in f.by_type("IfcRoot")) for f in (file, moved)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_the_file_is_valid_ifc4_and_has_the_parts_of_a_villa(file: Any) -> None:
    import ifcopenshell.validate

    log = ifcopenshell.validate.json_logger()
    ifcopenshell.validate.validate(file, log)
    assert log.statements == []
    count = {name: len(file.by_type(name)) for name in (
        "IfcSite", "IfcBuilding", "IfcBuildingStorey", "IfcSpace", "IfcRoof", "IfcStair",
        "IfcColumn", "IfcChimney",
    )}  # fmt: skip
    assert count == {
        "IfcSite": 1, "IfcBuilding": 1, "IfcBuildingStorey": 3, "IfcSpace": 10, "IfcRoof": 2,
        "IfcStair": 1, "IfcColumn": 4, "IfcChimney": 2,
    }  # fmt: skip
    assert len(file.by_type("IfcWindow")) + len(file.by_type("IfcDoor")) == len(
        file.by_type("IfcRelFillsElement")
    )


def test_facts_of_the_table_stand_in_the_file_with_the_label(facts: VillaFacts, file: Any) -> None:
    from ifcopenshell.util.element import get_psets

    building = file.by_type("IfcBuilding")[0]
    sets = get_psets(building)
    assert (building.Name, building.Description) == (facts.name, LABEL)
    assert sets["Pset_BuildingCommon"]["YearOfConstruction"] == "1925"
    assert sets["CIM_Source"]["source_id"] == "munan-50"
    # 25.0 x 18.0 m on two storeys: the published floor area of 900 m2.
    assert sets["Qto_BuildingBaseQuantities"]["GrossFloorArea"] == 900.0
    for name in ("IfcProject", "IfcSite", "IfcBuilding"):
        assert "示意数据" in file.by_type(name)[0].Description


def test_map_conversion_names_system_datum_and_bearing(facts: VillaFacts, file: Any) -> None:
    conversion = file.by_type("IfcMapConversion")[0]
    crs = conversion.TargetCRS
    assert (crs.Name, crs.VerticalDatum) == ("EPSG:4548", "EPSG:5737")
    assert (conversion.Eastings, conversion.Northings) == (517410.845, 4330746.198)
    assert conversion.OrthogonalHeight == facts.ground_floor_m
    bearing = np.degrees(np.arctan2(conversion.XAxisAbscissa, conversion.XAxisOrdinate))
    assert bearing == pytest.approx(72.6, abs=1e-6)


def test_true_north_lies_west_of_grid_north_east_of_the_meridian(
    facts: VillaFacts, file: Any
) -> None:
    x, y = file.by_type("IfcGeometricRepresentationContext")[0].TrueNorth.DirectionRatios
    # In plan axes grid north is at the bearing, counter-clockwise from x.
    assert np.degrees(np.arctan2(y, x)) - facts.bearing_deg == pytest.approx(0.127, abs=1e-6)


def test_room_quantities_are_those_of_the_plan(facts: VillaFacts, file: Any) -> None:
    from ifcopenshell.util.element import get_psets

    rooms = plan(facts.length_m, facts.width_m).rooms
    areas = [
        get_psets(one)["Qto_SpaceBaseQuantities"]["NetFloorArea"]
        for one in file.by_type("IfcSpace")
    ]
    assert sorted(areas) == pytest.approx(sorted(r.area_m2 for r in rooms), abs=1e-3)
    assert sum(areas) < 900.0


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("year = 1925", "bim.table_missing"),
        ("storeys = 2", "bim.table_missing"),
    ],
)
def test_a_table_without_a_fact_names_it(tmp_path: Path, line: str, key: str) -> None:
    text = (DATA / "tables" / "villa.toml").read_text(encoding="utf-8")
    (tmp_path / "villa.toml").write_text(text.replace(line, ""), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        read_facts(tmp_path / "villa.toml")
    assert caught.value.key == key
    assert line.split(maxsplit=1)[0] in str(caught.value)


def test_a_table_with_three_storeys_is_refused(tmp_path: Path) -> None:
    text = (DATA / "tables" / "villa.toml").read_text(encoding="utf-8")
    (tmp_path / "v.toml").write_text(text.replace("storeys = 2", "storeys = 3"), encoding="utf-8")
    with pytest.raises(SourceError, match="2 storeys"):
        read_facts(tmp_path / "v.toml")


def test_every_slope_of_the_hip_roof_is_equally_steep_and_the_shell_is_closed() -> None:
    roof = hip_roof(
        half_length_m=13.0, half_width_m=10.0, wing_width_m=9.0, court_depth_m=3.5,
        eaves_m=7.0, rise_m=3.3,
    )  # fmt: skip
    points = np.array(roof.points)
    for face in roof.faces:
        corners = points[face]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        assert normal[2] > 0
        assert np.hypot(normal[0], normal[1]) / normal[2] == pytest.approx(roof.slope)
        assert (corners - corners[0]) @ normal == pytest.approx(0, abs=1e-9)
    assert points[:, 2].max() == pytest.approx(10.3)
    _, faces = roof.shell(0.2)
    edges = [(a, b) for face in faces for a, b in zip(face, face[1:] + face[:1], strict=True)]
    assert sorted(edges) == sorted((b, a) for a, b in edges)  # every edge twice, both ways
