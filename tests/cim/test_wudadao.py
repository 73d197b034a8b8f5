"""The sketch of Wudadao: held to public facts, sound as data, the same every time it is made."""

from __future__ import annotations

import csv
import random
import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from cim.authoring import author
from cim.crs import transform
from tests.cim.wudadao import (
    FOLDER,
    LAYERS,
    assert_same,
    courses,
    ground,
    layer,
    level_at,
    readings,
    road_lines,
    shuffled,
    table,
)  # fmt: skip


def test_the_shipped_layers_are_what_the_recipe_makes_of_its_tables_in_any_order(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "again"
    shuffled(FOLDER, folder, random.Random(7))
    written = author(folder)
    assert {path.name for path in written} >= {f"{name}.geojson" for name in LAYERS}
    for path in written:
        assert_same(path, FOLDER / path.name)


def test_the_folder_is_small_and_says_that_it_is_illustrative() -> None:
    whole = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    models = sum(path.stat().st_size for path in FOLDER.glob("*.ifc"))
    print(f"{whole / 1e6:.2f} MB, {models / 1e6:.2f} MB of it IFC")
    assert whole < 12_000_000
    assert (FOLDER / "terrain.tif").stat().st_size < 4_000_000
    for name in LAYERS:
        assert "示意数据" in (FOLDER / f"{name}.geojson").read_text(encoding="utf-8")[:400]


def test_coordinates_are_written_to_a_hundred_millionth_of_a_degree() -> None:
    for name in LAYERS:
        text = (FOLDER / f"{name}.geojson").read_text(encoding="utf-8")
        numbers = re.findall(r"11[67]\.(\d+),39\.(\d+)", text)
        assert numbers and max(len(digits) for pair in numbers for digits in pair) <= 8, name


def test_there_are_22_roads_of_the_quarter_and_the_ring_road_beside_it() -> None:
    assert len(road_lines()) == 23
    assert "南京路" in road_lines()


def test_lengths_of_roads_are_within_3_percent_of_public_figures() -> None:
    for row in table("roads"):
        if row["length_m"]:
            made = sum(line.length for line in road_lines()[row["name"]])
            print(f"{row['name']} made {made:.0f} m, public {row['length_m']} m")
            assert made == pytest.approx(float(row["length_m"]), rel=0.03), row["name"]


def test_crossings_lie_within_the_printed_error_of_the_control_points() -> None:
    for row in table("crossings"):
        one, other = (shapely.union_all(road_lines()[row[key]]) for key in ("road_a", "road_b"))
        meeting = one.intersection(other)
        assert not meeting.is_empty, row
        lonlat = [[float(row["lon"]), float(row["lat"])]]
        control = transform(lonlat, source="EPSG:4490", target="EPSG:4548")[0]
        away = meeting.distance(shapely.Point(control))
        print(f"{row['road_a']}×{row['road_b']}: {away:.0f} m off, allowed {row['error_m']} m")
        assert away <= float(row["error_m"]), row


def test_the_villa_stands_where_the_public_position_says() -> None:
    # 117.201285, 39.110089 ± 25 m: zh.wikipedia 张学铭旧宅
    control = transform([[117.201285, 39.110089]], source="EPSG:4490", target="EPSG:4548")[0]
    houses = {properties["source_id"]: house for properties, house in layer("buildings")}
    assert houses["munan-50"].centroid.distance(shapely.Point(control)) < 25.0
    assert houses["munan-50"].area == pytest.approx(25.0 * 18.0, abs=0.1)
    plots = {properties["source_id"]: plot for properties, plot in layer("parcels")}
    assert plots["parcel-munan-50"].contains(houses["munan-50"])
    # 1755 m²: zh.wikipedia
    assert plots["parcel-munan-50"].area == pytest.approx(1755, rel=0.03)
    # the NW side of 睦南道: the street lies towards SE, at greater v
    near = shapely.shortest_line(houses["munan-50"], shapely.union_all(road_lines()["睦南道"]))
    (x0, y0), (x1, y1) = near.coords
    assert x1 > x0 and y1 < y0


def test_only_dali_road_is_one_way() -> None:
    one_way = {p["路名"] for p, _ in layer("roads") if p["单行"] != "no"}
    assert one_way == {"大理道"}


def test_links_meet_only_at_their_ends() -> None:
    lines = [line for _, line in layer("roads")]
    tree = shapely.STRtree(lines)
    for first, second in tree.query(lines, predicate="intersects").T:
        if first < second:
            meeting = lines[first].intersection(lines[second])
            assert meeting.geom_type == "Point"
            for line in (lines[first], lines[second]):
                assert meeting.distance(line.boundary) < 0.01


def test_houses_overlap_neither_each_other_nor_a_carriageway() -> None:
    houses = [house for _, house in layer("buildings")]
    assert 1800 <= len(houses) <= 2200
    first, second = shapely.STRtree(houses).query(houses, predicate="intersects")
    assert np.array_equal(np.sort(first[first != second]), [])
    streets = shapely.union_all([line.buffer(p["车行道宽_m"] / 2) for p, line in layer("roads")])
    assert not shapely.intersects(np.array(houses, dtype=object), streets).any()
    assert all(house.geom_type == "Polygon" and house.is_valid for house in houses)


def test_heights_fit_storeys_and_floors_lie_above_the_ground() -> None:
    for properties, house in layer("buildings"):
        assert 2.6 <= properties["height_m"] / properties["storeys_above"] <= 6.0, properties
        assert properties.get("ridge_m", 99.0) > properties["height_m"]
        inside = house.representative_point()
        assert properties["base_m"] == pytest.approx(level_at(inside.x, inside.y), abs=0.002)
        assert 0.2 <= properties["floor_level_m"] - properties["base_m"] <= 0.8, properties
        assert properties["population"] + properties["jobs"] > 0


def test_at_least_25_houses_are_known_by_name_with_their_facts() -> None:
    named = [p for p, _ in layer("buildings") if "name" in p]
    assert len(named) >= 25
    assert all(p["basis"] and p["storeys_above"] for p in named)
    assert {p["protection"] for p in named if "protection" in p} == {"特殊", "重点", "一般"}
    shapes = {p["source_id"]: house for p, house in layer("buildings")}
    assert len(shapes["qingwangfu"].interiors) == 1  # a closed court
    college = shapes["gongshang"].centroid.distance(shapes["minyuan"].centroid)
    assert college == pytest.approx(436, abs=30)  # 0.436 km: aroundus


def test_every_house_has_one_address_odd_and_even_on_their_own_sides() -> None:
    rows = [p for p, _ in layer("addresses")]
    assert sorted(p["building"] for p in rows) == sorted(
        p["source_id"] for p, _ in layer("buildings")
    )
    text_of = {p["source_id"]: p["address"] for p, _ in layer("buildings")}
    assert all(text_of[p["building"]] == p["text"] for p in rows)
    houses = {p["source_id"]: house for p, house in layer("buildings")}
    for row in rows:
        course, house = courses()[row["road"]], houses[row["building"]].centroid
        at = course.project(house)
        a, b = course.interpolate(max(at - 1, 0)), course.interpolate(at + 1)
        left = (b.x - a.x) * (house.y - a.y) - (b.y - a.y) * (house.x - a.x) > 0
        number = int(row["number"].split("-")[0].split("增")[0])
        assert (number % 2 == 1) == left, row


def test_house_numbers_rise_along_every_side() -> None:
    sides: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for row, gate in layer("addresses"):
        number = int(row["number"].split("-")[0].split("增")[0])
        at = courses()[row["road"]].project(gate)
        sides.setdefault((row["road"], number % 2), []).append((at, number))
    for side, houses in sides.items():
        numbers = [number for _, number in sorted(houses)]
        assert numbers == sorted(numbers), (side, sorted(houses))
    texts = [p["text"] for p, _ in layer("addresses")]
    shared = {text for text in texts if texts.count(text) > 1}
    assert shared <= {"天津市和平区重庆道83号", "天津市和平区河北路246号"}  # one gate, more houses


def test_terrain_declares_its_unit_and_system_and_stays_between_2_and_4_metres() -> None:
    import rasterio

    with rasterio.open(FOLDER / "terrain.tif") as file:
        assert (file.dtypes, file.scales, file.units) == (("int16",), (0.001,), ("metre",))
        assert file.crs.to_epsg() == 4548 and file.res == (1.0, 1.0)
        assert file.profile["compress"] == "deflate" and file.profile["tiled"]
    levels, _ = ground()
    assert levels.min() > 2.4 and levels.max() < 4.0


def test_every_house_has_a_door_on_its_wall_at_its_floor_and_on_the_network() -> None:
    doors = [(p, point) for p, point in layer("entrances") if "building" in p]
    houses = {p["source_id"]: (p, house) for p, house in layer("buildings")}
    assert sorted(p["building"] for p, _ in doors) == sorted(houses)
    for p, point in doors:
        facts, house = houses[p["building"]]
        assert point.distance(house.exterior) < 0.005
        assert p["level_m"] == facts["floor_level_m"]
        assert p["road"] in road_lines()  # whose links reach one another: tested above


def test_the_quarter_is_built_as_densely_as_its_public_figures_say() -> None:
    quarter = next(g for p, g in layer("admin_units") if p["source_id"] == "120101003")
    assert quarter.area == pytest.approx(1.28e6, rel=0.01)  # 1.28 km²
    inside = [p for p, house in layer("buildings") if quarter.contains(house.centroid)]
    assert 1800 <= len(inside) <= 2200  # about 2,000 houses
    ratio = sum(p["floor_area_m2"] for p in inside) / quarter.area
    assert ratio == pytest.approx(0.8, abs=0.02)  # > 1,000,000 m² of floor on 1.28 km²
    assert len(layer("walls")) > 1000


def test_grid_units_tile_their_communities_with_codes_of_14_digits() -> None:
    communities = [(p, g) for p, g in layer("admin_units") if p["level"] == "社区"]
    cells = layer("grid_units")
    assert all(len(p["code"]) == 14 and p["code"].isdigit() for p, _ in cells)
    for p, whole in communities:
        mine = [g for c, g in cells if c["code"].startswith(p["admin_code"])]
        assert sum(g.area for g in mine) == pytest.approx(whole.area, rel=0.002)


def test_readings_cover_a_day_of_every_sensor() -> None:
    with (FOLDER / "readings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["time"].endswith("+08:00") for row in rows)
    assert set(readings()) == {p["source_id"] for p, _ in layer("sensors")}
    assert {len(values) for values in readings().values()} == {96}


def test_every_row_of_the_tables_says_whether_it_is_fact() -> None:
    for path in (FOLDER / "tables").glob("*.csv"):
        for row in table(path.stem):
            if path.stem == "courses":
                continue
            assert row["tag"] in ("fact", "computed", "invented"), (path.name, row)
            assert row["tag"] == "invented" or row["source"], (path.name, row)
