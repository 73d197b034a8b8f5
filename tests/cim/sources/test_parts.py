"""The small parts: numbers with units, guessed kinds, encodings, the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cim.errors import UnitError
from cim.model.kinds import Field, kind
from cim.sources import Report
from cim.sources.encoding import check_texts
from cim.sources.probe import guess_kind
from cim.sources.values import ALIASES, base_unit, factor, parse_number, parse_truth

HEIGHT = Field("height_m", "real", "m")
STOREYS = Field("storeys_above", "integer", "1")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        (" 12.5 m ", 12.5),
        ("12米", 12.0),
        ("１２．５ｍ", 12.5),
        ("40 ft", 12.192),  # 1 ft = 0.3048 m, 1959
        ("1200 mm", 1.2),
        ("-3", -3.0),
        ("1e2", 100.0),
        ("3层", None),
        ("12,5", None),
        ("1,200", None),
        ("10-12", None),
        ("12 km/h", None),
        ("about 12", None),
        ("", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_a_height_is_read_only_where_two_people_would_read_the_same(
    text: str, number: float | None
) -> None:
    found = parse_number(text, HEIGHT)
    assert found == pytest.approx(number) if number is not None else found is None


@pytest.mark.parametrize(("text", "number"), [("3层", 3.0), ("4F", 4.0), ("5 m", None), ("6", 6.0)])
def test_storeys_are_counted(text: str, number: float | None) -> None:
    assert parse_number(text, STOREYS) == number


@pytest.mark.parametrize(
    ("unit", "target", "value"),
    [
        ("us-ft", "m", 1200 / 3937),
        ("km/h", "m/s", 1 / 3.6),
        ("in/h", "mm/h", 25.4),
        ("veh/h", "1/s", 1 / 3600),
        ("亩", "m2", 10000 / 15),
        ("%", "1", 0.01),
        ("毫米", "m", 0.001),
    ],
)
def test_units_become_those_of_the_kind(unit: str, target: str, value: float) -> None:
    assert factor(unit, target) == pytest.approx(value)


def test_an_unknown_unit_and_one_of_another_quantity_are_refused() -> None:
    for given, target in (("furlong", "m"), ("kg", "m"), ("km/h", "m")):
        with pytest.raises(UnitError):
            factor(given, target)
    assert base_unit("ha") == ("m2", 1e4)


def test_truths_are_read_in_two_languages() -> None:
    assert [parse_truth(v) for v in ("是", "no", 1, 0.0, "perhaps")] == [
        True, False, True, False, None,
    ]  # fmt: skip


def test_usual_names_stand_only_for_attributes_that_exist() -> None:
    known = {f.name for k in ("building", "road", "tree", "wall", "pipe", "parcel", "green")
             for f in kind(k).fields} | {"name"}  # fmt: skip
    assert set(ALIASES) <= known


@pytest.mark.parametrize(
    ("names", "carrier", "found"),
    [
        (("", "roads_2024"), "line", "road"),
        (("", "roads_2024"), "polygon", "building"),
        (("五大道建筑", "x"), "polygon", "building"),
        (("", "pipe_nodes"), "point", "pipe_node"),
        (("", "pipes"), "line", "pipe"),
        (("", "DSM_KRbig"), "grid", "surface"),
        (("", "x"), "grid", "terrain"),
        (("", "x"), "point", "generic"),
        (("", "x"), "line", "road"),
    ],
)
def test_a_kind_is_guessed_by_name_and_carrier(
    names: tuple[str, ...], carrier: str, found: str
) -> None:
    assert guess_kind(names, carrier)[0] == found


def test_texts_of_many_languages_are_not_called_mojibake() -> None:
    check_texts([["天津五大道", "Göteborg", "Straße", "Łódź", "東京", "Ñuñoa", "北京·"]], "x")


def test_a_report_reads_the_same_in_both_languages_but_for_its_texts() -> None:
    report = Report()
    report.reject("source.object.no_geometry", file="a", layer="building", object="7")
    english, chinese = report.record("en"), report.record("zh")
    assert english["entries"][0]["reason"] == "no geometry"
    assert chinese["entries"][0]["reason"] == "没有几何"
    for record in (english, chinese):
        for name in ("reason", "remedy"):
            record["entries"][0].pop(name)
    assert english == chinese


def test_importing_the_sources_loads_no_reader_of_files() -> None:
    code = (
        "import sys, cim.sources; "
        "print([m for m in ('pandas','geopandas','pyogrio','rasterio','numba','pyarrow','shapely',"
        "'ifcopenshell','vtk') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
