"""An object that cannot be trusted is repaired or rejected, listed, and the others build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cim.errors import SourceError, UnitError
from cim.sources import Built, build_twin, read_district
from tests.cim.sources import files as f

X, Y = f.EAST + 1000.0, f.NORTH
BOW = shapely.Polygon([(X, Y), (X + 20, Y + 10), (X + 20, Y), (X, Y + 12)])
with np.errstate(invalid="ignore"):
    BROKEN = shapely.Polygon([(X, Y), (float("nan"), Y), (X + 9, Y + 9), (X, Y)])
FAULTS: list[tuple[str, Any, dict[str, Any], str, str]] = [
    ("self-crossing", BOW, {}, "repaired", "source.object.repaired"),
    ("no geometry", None, {}, "rejected", "source.object.no_geometry"),
    ("empty", shapely.Polygon(), {}, "rejected", "source.object.no_geometry"),
    (
        "NaN coordinate",
        BROKEN,
        {},
        "rejected",
        "source.object.not_finite",
    ),
    (
        "no area",
        shapely.Polygon([(X, Y), (X + 10, Y), (X + 20, Y)]),
        {},
        "rejected",
        "source.object.no_area",
    ),
    ("a point", shapely.Point(X, Y), {}, "rejected", "source.object.wrong_type"),
    (
        "a closed line",
        shapely.LineString([(X, Y), (X + 9, Y), (X + 9, Y + 9), (X, Y)]),
        {},
        "repaired",
        "source.object.type_taken",
    ),
    ("far away", shapely.box(0, 0, 10, 10), {}, "rejected", "source.object.far"),
    ("same again", f.houses(1)[0], {"name": "房屋0"}, "rejected", "source.object.duplicate"),
    (
        "negative height",
        shapely.box(X, Y, X + 9, Y + 9),
        {"height_m": -3.0},
        "rejected",
        "source.object.negative",
    ),
    (
        "NaN height",
        shapely.box(X, Y, X + 9, Y + 9),
        {"height_m": float("inf")},
        "repaired",
        "source.object.value_dropped",
    ),
]


def made(at: Path, shapes: list[Any], **columns: list[Any]) -> Built:
    path = f.write(at / "buildings.gpkg", shapes, **columns)
    return f.build(path, accept_rejects=True)


@pytest.mark.parametrize(("name", "shape", "values", "action", "key"), FAULTS, ids=str)
def test_a_faulty_object_is_listed_and_the_others_are_kept(
    name: str, shape: Any, values: dict[str, Any], action: str, key: str, tmp_path: Path
) -> None:
    shapes = [*f.houses(12), shape]
    columns: dict[str, list[Any]] = {
        "name": [f"房屋{i}" for i in range(12)] + [values.get("name", "坏")],
        "height_m": [6.0] * 12 + [values.get("height_m", 6.0)],
    }
    built = made(tmp_path, shapes, **columns)
    count, listed = built.report.layer("building"), [
        e for e in built.report.entries if e.action != "note"
    ]  # fmt: skip
    assert [(e.action, e.reason) for e in listed] == [(action, key)]
    assert count.read == 13 == count.kept + count.rejected
    assert count.rejected == (action == "rejected")
    assert built.twin.layers()["building"] == count.kept
    record = listed[0].record()
    assert record["object"] == "13" and record["reason"] and "{" not in record["reason"]
    with pytest.raises(SourceError) as caught:
        f.build(tmp_path / "buildings.gpkg", strict=True)
    assert caught.value.key == "source.strict"


def test_a_self_crossing_outline_keeps_its_two_halves_and_tells_the_area(tmp_path: Path) -> None:
    built = made(tmp_path, [*f.houses(12), BOW])
    kept = built.twin.table("building").geometry[-1]
    # two triangles over y = x/2 and y = 12 - 12/20·x crossing at x = 120/11
    assert kept.is_valid and kept.area == pytest.approx(12 * (120 / 11) / 2 + 10 * (100 / 11) / 2)
    (entry,) = [e for e in built.report.entries if e.action == "repaired"]
    assert entry.values["after_m2"] == f"{kept.area:.2f}"


def test_a_duplicate_names_the_object_that_stays(tmp_path: Path) -> None:
    built = made(tmp_path, [*f.houses(12), f.houses(1)[0]], id=list("abcdefghijklm"))
    (entry,) = [e for e in built.report.entries if e.action == "rejected"]
    assert entry.object == "m"
    assert entry.record()["reason"] == f"duplicate of {built.twin.table('building').ids[0]}"
    assert entry.record("zh")["remedy"]


def test_the_same_own_id_twice_is_a_duplicate(tmp_path: Path) -> None:
    shapes = f.houses(12)
    built = made(tmp_path, shapes, id=[*"abcdefghijk", "a"])
    (entry,) = [e for e in built.report.entries if e.action == "rejected"]
    assert entry.record()["reason"] == f"duplicate of {built.twin.table('building').ids[0]}"


def test_more_than_a_tenth_rejected_stops_the_build_unless_accepted(tmp_path: Path) -> None:
    path = f.write(tmp_path / "buildings.gpkg", [*f.houses(10), None, None])
    with pytest.raises(SourceError) as caught:
        f.build(path)
    assert caught.value.key == "source.too_many_rejected" and "--accept-rejects" in str(
        caught.value
    )
    assert f.build(path, accept_rejects=True).report.total.rejected == 2
    fine = f.write(tmp_path / "fine.gpkg", [*f.houses(10), None], layer="buildings")
    assert f.build(fine).report.total.rejected == 1


def test_lines_of_several_parts_become_single_lines_in_a_network(tmp_path: Path) -> None:
    joined = shapely.MultiLineString([[(X, Y), (X + 9, Y)], [(X + 9, Y), (X + 20, Y)]])
    apart = shapely.MultiLineString([[(X, Y + 9), (X + 9, Y + 9)], [(X, Y + 50), (X + 9, Y + 50)]])
    built = f.build(f.write(tmp_path / "roads.gpkg", [joined, apart]))
    table = built.twin.table("road")
    assert built.report.layer("road").kept == 2
    assert [g.geom_type for g in table.geometry] == ["LineString"] * 3
    assert table.ids[2] == f"{table.ids[1]}-2" and len(set(table.ids)) == 3
    assert "source.lines_split" in [e.reason for e in built.report.entries]


def test_ids_do_not_depend_on_order_frame_or_run(tmp_path: Path) -> None:
    first = f.write(tmp_path / "buildings.gpkg", f.houses(12), height_m=[6.0] * 12)
    roads = f.geojson(
        tmp_path / "roads.geojson",
        [shapely.LineString([(f.LON, f.LAT), (f.LON + 0.001, f.LAT)])],
    )
    one, two = f.build(first, roads), f.build(roads, first)
    other = f.build(roads, first, frame="EPSG:32650")
    for layer in ("building", "road"):
        ids = [list(b.twin.table(layer).ids) for b in (one, two, other)]
        assert ids[0] == ids[1] == ids[2] and len(set(ids[0])) == len(ids[0])
    assert other.twin.frame.crs == "EPSG:32650" != one.twin.frame.crs


def test_attributes_come_in_the_units_of_their_kind(tmp_path: Path) -> None:
    f.write(
        tmp_path / "h.gpkg",
        f.houses(4),
        H=["12 m", "40 ft", "１５", None],
        floors=["3层", "4F", "5", ""],
        gross=[1.0, 2.0, 3.0, 4.0],
        own=[7, 8, 9, 10],
    )
    (tmp_path / "district.toml").write_text(
        '[twin]\nname = "t"\nillustrative = true\n[[layer]]\nfile = "h.gpkg"\nkind = "building"\n'
        'source = "survey"\n[layer.map]\nheight_m = "H"\nstoreys_above = "floors"\n'
        'floor_area_m2 = "gross"\nmine = "own"\n[layer.units]\nfloor_area_m2 = "ha"\nmine = "km"\n'
        '[layer.set]\nuse = "住宅"\nridge_m = "50 ft"\n',
        encoding="utf-8",
    )
    table = build_twin(read_district(tmp_path / "district.toml")).twin.table("building")
    assert table.numbers("height_m", default=-1.0).tolist() == pytest.approx(
        [12.0, 12.192, 15.0, -1.0]  # 40 × 0.3048
    )
    assert table.numbers("storeys_above", default=-1.0).tolist() == [3, 4, 5, -1]
    assert table.numbers("floor_area_m2").tolist() == [1e4, 2e4, 3e4, 4e4]
    assert table.numbers("mine").tolist() == [7000, 8000, 9000, 10000]
    assert table.texts("use") == ["住宅"] * 4 and table.illustrative
    assert table.numbers("ridge_m")[0] == pytest.approx(15.24)
    units = {field.name: field.unit for field in table.fields}
    assert (units["mine"], units["height_m"]) == ("m", "m")


def test_an_unclear_height_is_left_out_and_listed(tmp_path: Path) -> None:
    built = made(tmp_path, f.houses(12), height_m=["6"] * 10 + ["3层", "12,5"])
    assert np.isnan(built.twin.table("building").numbers("height_m")[-2:]).all()
    entries = [e for e in built.report.entries if e.action == "repaired"]
    assert [e.values["value"] for e in entries] == ["3层", "12,5"]


@pytest.mark.parametrize(
    ("extra", "error", "key"),
    [
        ('[layer.map]\nheight_m = "hoehe"', SourceError, "source.no_column"),
        ('id = "nummer"', SourceError, "source.no_column"),
        ('[layer.units]\nheight_m = "furlong"', UnitError, "source.unit_unknown"),
        ('[layer.units]\nheight_m = "km/h"', UnitError, "source.unit_dimension"),
        ('[layer.units]\nname = "m"', UnitError, "source.unit_of_text"),
        ('[layer.set]\nridge_m = "high"', SourceError, "source.constant"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(
    extra: str, error: type[Exception], key: str, tmp_path: Path
) -> None:
    f.write(tmp_path / "h.gpkg", f.houses(4), height_m=[3.0] * 4, name=["a", "b", "c", "d"])
    head = '[[layer]]\nfile = "h.gpkg"\nkind = "building"\n'
    (tmp_path / "district.toml").write_text(head + extra)
    with pytest.raises(error) as caught:
        build_twin(read_district(tmp_path / "district.toml"))
    assert caught.value.key == key  # type: ignore[attr-defined]
    assert "h.gpkg" in str(caught.value)
    (tmp_path / "district.toml").write_text(head + '[layer.units]\nheight_m = "ft"')
    table = build_twin(read_district(tmp_path / "district.toml")).twin.table("building")
    assert table.numbers("height_m")[0] == pytest.approx(0.9144)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(faults=st.lists(st.sampled_from(range(len(FAULTS) + 1)), min_size=1, max_size=12))
def test_every_object_read_is_kept_or_rejected(faults: list[int], tmp_path: Path) -> None:
    shapes: list[Any] = f.houses(6)
    heights, names = [3.0] * 6, [f"房屋{i}" for i in range(6)]
    for i, fault in enumerate(faults):
        _, shape, values, _, _ = FAULTS[fault] if fault < len(FAULTS) else ("", X, {}, "", "")
        shapes.append(shapely.box(X + 30 * i, Y, X + 30 * i + 9, Y + 9) if shape is X else shape)
        heights.append(values.get("height_m", 3.0))
        names.append(values.get("name", f"多{i}"))
    path = tmp_path / "buildings.gpkg"
    path.unlink(missing_ok=True)
    built = made(tmp_path, shapes, height_m=heights, name=names)
    count = built.report.layer("building")
    assert count.read == len(shapes) == count.kept + count.rejected
    rejected = [e.object for e in built.report.entries if e.action == "rejected"]
    assert len(rejected) == len(set(rejected)) == count.rejected
    assert len(built.twin.table("building")) == count.kept
    assert len(set(built.twin.table("building").ids)) == count.kept
