"""CSV, Excel, GeoParquet, FlatGeobuf and sets of them: places found by name, systems never."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from cim.errors import CimError, FrameError, SourceError
from cim.sources import build_twin
from cim.sources.district import District
from cim.sources.spec import LayerSpec
from tests.cim.sources import files as f

CSV = "编号,名称,经度,纬度,高度\n1,民园,117.2000,39.1100,12.5\n2,张园,117.2010,39.1105,9\n"
LONLAT = "EPSG:4326"


def frame(count: int = 12) -> Any:
    data = {"name": [f"房{i}" for i in range(count)], "height_m": np.arange(count) + 3.0}
    return geopandas.GeoDataFrame(data, geometry=f.houses(count), crs="EPSG:4548")


def layer(path: Path, **more: Any) -> District:
    return District(name="t", layers=(LayerSpec(file=path, **more),))


def key_of(call: Any) -> str:
    with pytest.raises(CimError) as caught:
        call()
    for lang in ("en", "zh"):
        assert "{" not in caught.value.message(lang)
    return caught.value.key


def test_a_csv_with_longitude_and_latitude_becomes_points(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text(CSV, encoding="utf-8")
    built = f.build(path, crs=LONLAT)
    table = built.twin.table("tree")
    assert table.texts("name") == ["民园", "张园"]
    assert list(table.numbers("height_m")) == [12.5, 9.0]
    assert table.texts("source_id") == ["1", "2"]
    assert any(e.reason == "source.table_place" for e in built.report.entries)


def test_a_csv_s_system_is_demanded_even_where_columns_are_called_longitude(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trees.csv"
    path.write_text(CSV, encoding="utf-8")
    assert key_of(lambda: f.build(path)) == "source.no_crs"


def test_a_gbk_csv_is_found_and_said_aloud_and_refused_when_declared_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_bytes(CSV.encode("gbk"))
    built = f.build(path, crs=LONLAT)
    assert built.twin.table("tree").texts("name") == ["民园", "张园"]
    assert any(e.reason == "source.encoding_found" for e in built.report.entries)
    wrong = layer(path, kind="tree", crs=LONLAT, encoding="utf-8")
    assert key_of(lambda: build_twin(wrong)) == "source.encoding_wrong"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_quoted_texts_are_read(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "stops.csv"
    lines = [
        ["name", "x", "y"],
        [f'"a{separator}b"', "517000", "4330000"],
        ["c", "517100", "4330050"],
    ]
    path.write_text("\n".join(separator.join(line) for line in lines))
    table = f.build(path, crs="EPSG:4548").twin.table("transit_stop")
    assert table.texts("name") == [f"a{separator}b", "c"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name,height\na,3\n", "source.table_no_place"),
        ("name,lon,lat,x,y\na,117,39,517000,4330000\n", "source.table_which_place"),
        ("name,lon,lon\na,117,39\n", "source.table_heading"),
        ("name,lon,lat\na,117,39,5\n", "source.table_ragged"),
        ("name,lon,lat\n", "source.no_features"),
    ],
)
def test_a_table_that_does_not_say_where_its_rows_are_is_refused(
    tmp_path: Path, text: str, key: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert key_of(lambda: f.build(path, crs=LONLAT)) == key


def test_columns_with_other_names_are_named_in_the_options(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,rechts,hoch\na,517000,4330000\nb,517100,4330100\n")
    spec = layer(path, kind="tree", crs="EPSG:4548", options={"x": "rechts", "y": "hoch"})
    assert len(build_twin(spec).twin.table("tree")) == 2


def test_exchanged_columns_of_metres_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"  # Chinese survey tables call north X
    path.write_text("n,x,y\na,4330000,517000\nb,4330100,517100\n")
    assert key_of(lambda: f.build(path, crs="EPSG:4548")) == "source.swapped_axes"


def test_rows_without_a_place_are_rejected_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    rows = [f"t{i},{117.2 + i * 1e-4:.5f},39.11" for i in range(20)]
    path.write_text("\n".join(["name,lon,lat", *rows, "bad,here,39.11", "none,,"]))
    built = f.build(path, crs=LONLAT)
    count = built.report.counts["tree"]
    assert (count.read, count.kept, count.rejected) == (22, 20, 2)


def test_degrees_minutes_seconds_and_wkt_are_read(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text("n,lon,lat\na,117°12'00\"E,39°06'36\"N\nb,117.2010°,39.11°\n", encoding="utf-8")
    first = f.build(path, crs=LONLAT).twin.table("tree")
    path.write_text("n,wkt\na,POINT (117.2 39.11)\nb,POINT (117.201 39.11)\n")
    second = f.build(path, crs=LONLAT).twin.table("tree")
    assert shapely.equals_exact(first.geometry, second.geometry, 1e-6).all()


def test_a_wkt_that_states_its_system_needs_no_other_word(tmp_path: Path) -> None:
    path = tmp_path / "houses.csv"
    lines = [f'{i},"SRID=4548;{shape.wkt}"' for i, shape in enumerate(f.houses())]
    path.write_text("\n".join(["n,wkt", *lines]))
    assert len(f.build(path).twin.table("building")) == 12


def test_codes_stay_texts_and_numbers_become_numbers(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text("code,size,lon,lat\n007,3,117.2,39.11\n012,4.5,117.201,39.11\n")
    table = f.build(path, crs=LONLAT).twin.table("tree")
    assert table.texts("code") == ["007", "012"] and list(table.numbers("size")) == [3, 4.5]


def test_an_excel_sheet_is_read_like_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "trees.xlsx"
    data = pandas.DataFrame({"名称": ["民园", "张园"], "经度": [117.2, 117.201],
                             "纬度": [39.11, 39.1105], "高度": [12.5, 9.0]})  # fmt: skip
    pyogrio.write_dataframe(data, path, driver="XLSX", layer="树")
    table = f.build(path, crs=LONLAT).twin.table("tree")
    assert table.texts("name") == ["民园", "张园"]
    assert list(table.numbers("height_m")) == [12.5, 9.0]


def test_geoparquet_and_flatgeobuf_say_the_same_as_geopackage(tmp_path: Path) -> None:
    data = frame()
    data.to_parquet(tmp_path / "building.parquet")
    data.to_parquet(tmp_path / "native.parquet", geometry_encoding="geoarrow",
                    schema_version="1.1.0", write_covering_bbox=True)  # fmt: skip
    for name, driver in (("building.fgb", "FlatGeobuf"), ("building.gpkg", "GPKG")):
        data.to_file(tmp_path / name, driver=driver, engine="pyogrio")
    names = ("building.gpkg", "building.fgb", "building.parquet", "native.parquet")
    tables = [f.build(tmp_path / n, kind="building").twin.table("building") for n in names]
    for other in tables[1:]:
        assert sorted(other.ids) == sorted(tables[0].ids)  # ids from content: equal content
        assert sorted(other.numbers("height_m")) == sorted(tables[0].numbers("height_m"))


def test_a_geoparquet_without_crs_is_lonlat_and_with_null_must_be_told(tmp_path: Path) -> None:
    path = tmp_path / "building.parquet"
    geopandas.GeoDataFrame({"a": range(12)}, geometry=f.degrees(), crs=LONLAT).to_parquet(path)

    def rewrite(change: Any) -> None:
        table = pq.read_table(path)
        geo = json.loads(table.schema.metadata[b"geo"])
        change(geo["columns"]["geometry"])
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)

    rewrite(lambda facts: facts.pop("crs"))
    assert len(f.build(path).twin.table("building")) == 12
    rewrite(lambda facts: facts.update(crs=None))
    assert key_of(lambda: f.build(path)) == "source.no_crs"
    assert len(f.build(path, crs=LONLAT).twin.table("building")) == 12


def test_a_plain_parquet_with_coordinates_is_a_table_of_points(tmp_path: Path) -> None:
    path = tmp_path / "trees.parquet"
    when = pandas.to_datetime(["2026-01-01T08:00:00+08:00"] * 2)
    pandas.DataFrame({"lon": [117.2, 117.201], "lat": [39.11, 39.11], "seen": when,
                      "sort": pandas.Categorical(["槐", "柳"])}).to_parquet(path)  # fmt: skip
    table = f.build(path, crs=LONLAT).twin.table("tree")
    assert table.texts("sort") == ["槐", "柳"]
    assert table.texts("seen") == ["2026-01-01T08:00:00+0800"] * 2


def test_a_zipped_set_brings_all_its_files_and_says_what_it_leaves(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "houses.fgb", driver="FlatGeobuf", engine="pyogrio")
    (tmp_path / "trees.csv").write_text("name,x,y\na,517000,4330000\nb,517050,4330050\n")
    (tmp_path / "codes.csv").write_text("code,meaning\n1,brick\n")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as out:
        for name in ("houses.fgb", "trees.csv", "codes.csv"):
            out.write(tmp_path / name, f"data/{name}")
    built = f.build(tmp_path / "set.zip", crs="EPSG:4548")
    assert built.twin.layers() == {"building": 12, "tree": 2}
    (left,) = [e for e in built.report.entries if e.reason == "source.archive_skipped"]
    assert left.values["member"] == "codes.csv"


@pytest.mark.parametrize("name", ["a.parquet", "a.fgb", "a.xlsx", "a.csv"])
def test_garbage_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\0\1\2 nonsense \0")
    with pytest.raises(SourceError) as caught:
        f.build(path, crs=LONLAT)
    assert caught.value.key == "source.not_what_it_says" and name in str(caught.value)


def test_mixed_systems_meet_in_one_frame_and_one_that_is_not_said_stops_the_build(
    tmp_path: Path,
) -> None:
    houses = f.write(tmp_path / "houses.gpkg", f.houses())
    (tmp_path / "trees.csv").write_text("name,lon,lat\na,117.2,39.11\nb,117.201,39.11\n")
    built = f.build(houses, tmp_path / "trees.csv", crs=LONLAT)
    assert built.twin.frame.crs == "EPSG:4548"
    assert shapely.get_x(built.twin.table("tree").geometry[0]) > 500_000
    with pytest.raises(FrameError):
        f.build(houses, tmp_path / "trees.csv")


def test_a_text_with_one_broken_byte_is_kept_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    rows = [f"民园{i}号,{117.2 + i * 1e-4:.5f},39.11" for i in range(20)]
    data = "\n".join(["name,lon,lat", *rows]).encode()
    path.write_bytes(data.replace("园7号".encode(), "园7".encode() + b"\xe5\x8f"))
    built = f.build(path, crs=LONLAT)
    (told,) = [e for e in built.report.entries if e.reason == "source.bytes_replaced"]
    assert told.values["count"] == 1 and len(built.twin.table("tree")) == 20


def test_half_a_number_in_a_sheet_is_no_number(tmp_path: Path) -> None:
    path, broken = tmp_path / "trees.xlsx", tmp_path / "broken.xlsx"
    data = pandas.DataFrame({"name": ["a", "b"], "x": [517240, 517300], "y": [4330000, 4330050]})
    pyogrio.write_dataframe(data, path, driver="XLSX", layer="trees")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>517240</v>", b"<v>517d40</v>"))
    assert len(f.build(path, crs="EPSG:4548").twin.table("tree")) == 2
    with pytest.raises(SourceError) as caught:
        f.build(broken, crs="EPSG:4548", kind="tree")
    assert caught.value.key == "source.unreadable" and "517d40" in str(caught.value)


def test_decimal_commas_are_read_where_they_can_be_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "trees.csv"
    path.write_text(
        "id;x;y;height_m;girth;code\n1;517000,5;4330000,25;6,5;1,250;0,5\n"
        "2;517010,5;4330010;12;2,500;07\n",
        encoding="utf-8",
    )
    built = f.build(path, crs="EPSG:4548", kind="tree")
    table = built.twin.table("tree")
    assert [(p.x, p.y) for p in table.geometry] == [(517000.5, 4330000.25), (517010.5, 4330010.0)]
    assert list(table.numbers("height_m")) == [6.5, 12.0]
    assert list(table.texts("girth")) == ["1,250", "2,500"]  # thousands, or not: nobody knows
    assert list(table.texts("code")) == ["0,5", "07"]
    (note,) = [e for e in built.report.entries if e.reason == "source.decimal_commas"]
    assert note.values["columns"] == "x, y, height_m"


@pytest.mark.parametrize(
    ("heading", "given", "metres"),
    [
        ("高度（米）", "12.5", 12.5),
        ("建筑高度(m)", "12.5", 12.5),
        ("height (ft)", "40", 12.192),
        ("Height_cm", "1250", 12.5),
        ("height [mm]", "12500", 12.5),
    ],
)
def test_a_unit_in_a_heading_counts_and_is_said(
    heading: str, given: str, metres: float, tmp_path: Path
) -> None:
    shape = "POLYGON ((517000 4330000, 517010 4330000, 517010 4330010, 517000 4330000))"
    path = tmp_path / "buildings.csv"
    path.write_text(f"id;wkt;{heading};floor_area\n1;{shape};{given};9\n", encoding="utf-8")
    built = f.build(path, crs="EPSG:4548", kind="building")
    assert built.twin.table("building").numbers("height_m")[0] == pytest.approx(metres)
    notes = [e.values for e in built.report.entries if e.reason == "source.column_taken"]
    assert [n["attribute"] for n in notes] == ["height_m"]
    path.write_text(f"id;wkt;{heading};height_m\n1;{shape};{given};7\n", encoding="utf-8")
    own = f.build(path, crs="EPSG:4548", kind="building").twin.table("building")
    assert own.numbers("height_m")[0] == 7.0


def test_a_comma_that_comes_early_counts_to_the_end(tmp_path: Path) -> None:
    from cim.sources.arrow import BATCH

    path = tmp_path / "trees.csv"
    rows = [f"{517000 + i % 900};{4330000 + i // 900};{'6,5' if i == 0 else 7}"
            for i in range(BATCH + 5)]  # fmt: skip
    path.write_text("\n".join(["x;y;height_m", *rows]), encoding="utf-8")
    heights = f.build(path, crs="EPSG:4548", kind="tree").twin.table("tree").numbers("height_m")
    assert sorted(set(heights.tolist())) == [6.5, 7.0]
