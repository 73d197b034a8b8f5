"""OpenStreetMap becomes layers: heights, levels, areas, a network, turns; nothing is lost."""

from __future__ import annotations

import bz2
import json
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import pytest
import shapely

from cim.errors import SourceError
from cim.model.arrays import network
from cim.sources import Built
from cim.sources.osm_tags import attributes_of
from tests.cim.sources import files as f

LON, LAT = f.LON, f.LAT
CLASSES = frozenset(["trunk", "primary", "residential", "service"])


class Map:
    """A small map being written down as OSM XML, 示意数据."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.rest: list[str] = []

    def node(self, number: int, east: float, north: float, **tags: str) -> int:
        lon, lat = LON + east * 1e-5, LAT + north * 1e-5
        self.nodes.append(
            f'<node id="{number}" version="1" lat="{lat:.7f}" lon="{lon:.7f}">{_tags(tags)}</node>'
        )
        return number

    def box(self, first: int, east: float, north: float, side: float = 10.0) -> list[int]:
        corners = [(0, 0), (side, 0), (side, side), (0, side)]
        for i, (dx, dy) in enumerate(corners):
            self.node(first + i, east + dx, north + dy)
        return [first, first + 1, first + 2, first + 3, first]

    def way(self, number: int, nodes: list[int], tags: dict[str, str] | None = None) -> None:
        refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
        self.rest.append(f'<way id="{number}" version="1">{refs}{_tags(tags or {})}</way>')

    def relation(self, number: int, members: list[tuple[str, int, str]], **tags: str) -> None:
        long = {"n": "node", "w": "way", "r": "relation"}
        inside = "".join(f'<member type="{long[t]}" ref="{r}" role="{o}"/>' for t, r, o in members)
        self.rest.append(f'<relation id="{number}" version="1">{inside}{_tags(tags)}</relation>')

    def write(self, path: Path) -> Path:
        text = "\n".join(["<?xml version='1.0'?>", '<osm version="0.6">', *self.nodes, *self.rest,
                          "</osm>"])  # fmt: skip
        if path.suffix == ".bz2":
            path.write_bytes(bz2.compress(text.encode()))
        elif path.suffix == ".pbf":
            plain = path.with_suffix(".osm")
            plain.write_text(text, encoding="utf-8")
            with osmium.SimpleWriter(str(path)) as out:
                for one in osmium.FileProcessor(str(plain)):
                    out.add(one)
            plain.unlink()
        else:
            path.write_text(text, encoding="utf-8")
        return path


def _tags(tags: dict[str, str]) -> str:
    return "".join(
        f'<tag k="{k.replace("__", ":")}" v="{v.replace(chr(34), "&quot;")}"/>'
        for k, v in tags.items()
    )


def small() -> Map:
    one = Map()
    one.way(1, one.box(10, 0, 0), {"building": "yes", "height": "12 m", "building:levels": "4",
                                   "addr:street": "睦南道", "addr:housenumber": "50"})  # fmt: skip
    one.way(2, one.box(20, 30, 0), {"building": "house", "height": "40'", "name": "张园"})
    one.way(3, one.box(30, 60, 0), {"building": "yes", "building:levels": "3;4"})
    one.node(50, -50, 50)
    one.node(51, 0, 50)
    one.node(52, 50, 50)
    one.node(53, 0, 100)
    one.node(54, 0, 45)
    one.way(5, [50, 51, 52], {"highway": "primary", "lanes": "4", "maxspeed": "30 mph"})
    one.way(6, [53, 51, 54], {"highway": "residential", "oneway": "-1", "maxspeed": "40"})
    one.way(7, [50, 53], {"highway": "footway"})
    one.relation(8, [("w", 5, "from"), ("n", 51, "via"), ("w", 6, "to")], type="restriction",
                 restriction="no_left_turn")  # fmt: skip
    return one


def notes(built: Built, key: str) -> list[dict[str, Any]]:
    return [dict(e.values) for e in built.report.entries if e.reason == key]


@pytest.mark.parametrize("name", ["a.osm", "a.osm.bz2", "a.osm.pbf"])
def test_buildings_keep_their_heights_in_every_unit_and_ambiguous_levels_are_listed(
    tmp_path: Path, name: str
) -> None:
    built = f.build(small().write(tmp_path / name))
    table = built.twin.table("building")
    by_id = dict(zip(table.texts("source_id"), range(len(table)), strict=True))
    height = table.numbers("height_m")
    assert height[by_id["way/1"]] == 12.0
    assert height[by_id["way/2"]] == pytest.approx(12.192)
    assert np.isnan(table.numbers("storeys_above")[by_id["way/3"]])
    dropped = [e for e in built.report.entries if e.reason == "source.object.value_dropped"]
    assert [e.object for e in dropped] == ["way/3"] and dropped[0].values["value"] == "3;4"
    assert table.numbers("storeys_above")[by_id["way/1"]] == 4
    address = built.twin.table("address")
    assert address.texts("text") == ["睦南道 50"] and address.texts("building") == ["way/1"]


def test_every_object_of_the_file_is_used_or_counted_as_left_out(tmp_path: Path) -> None:
    one = small()
    one.node(90, 5, 5, amenity="bench")
    one.way(91, [50, 52], {"railway": "rail"})
    one.relation(92, [("w", 5, "")], type="route", route="bus")
    built = f.build(one.write(tmp_path / "a.osm"))
    (account,) = notes(built, "source.osm.account")
    read = account["nodes"] + account["ways"] + account["relations"]
    assert read == account["used"] + account["left_count"] == 10
    for what in ("node amenity=bench 1", "way railway=rail 1", "relation type=route 1"):
        assert what in account["left"]
    total = built.report.total
    assert total.read == total.kept + total.rejected


def test_roads_are_cut_at_shared_nodes_only_and_make_one_network(tmp_path: Path) -> None:
    one = small()
    one.node(60, 25, 30)
    one.node(61, 25, 70)
    one.way(9, [60, 61], {"highway": "primary", "bridge": "yes", "layer": "1"})
    built = f.build(one.write(tmp_path / "a.osm"))
    roads = built.twin.table("road")
    # 5 and 6 cross at node 51: two pieces each; the bridge crosses 5 without a node
    assert sorted(roads.texts("source_id")) == [
        "way/5@50", "way/5@51", "way/6@51", "way/6@53", "way/9@60",
    ]  # fmt: skip
    at = {n: i for i, n in enumerate(roads.texts("source_id"))}
    assert roads.numbers("lanes")[at["way/5@50"]] == 2  # 4 in both directions together
    assert roads.numbers("speed_mps")[at["way/5@50"]] == pytest.approx(30 * 0.44704)
    assert roads.numbers("speed_mps")[at["way/6@51"]] == pytest.approx(40 / 3.6)
    assert roads.texts("oneway")[at["way/6@51"]] == "reverse"
    assert roads.numbers("level")[at["way/9@60"]] == 1
    net = network(roads)
    assert len(net.node_xy) == 7  # 50 51 52 53 54 60 61
    assert len(net.tail) == 2 * 2 + 2 + 2  # both ways, one way, both ways
    assert built.twin.layers()["road/path"] == 1


def test_a_turn_restriction_names_the_pieces_that_meet_at_its_node(tmp_path: Path) -> None:
    built = f.build(small().write(tmp_path / "a.osm"))
    turns = built.twin.table("turn_restriction")
    assert turns.texts("type") == ["no_left_turn"]
    assert set(turns.texts("from_road")[0].split(";")) == {"way/5@50", "way/5@51"}
    assert set(turns.texts("to_road")[0].split(";")) == {"way/6@53", "way/6@51"}


def test_a_turn_over_a_road_or_between_absent_roads_is_rejected_with_its_reason(
    tmp_path: Path,
) -> None:
    one = small()
    one.relation(81, [("w", 5, "from"), ("w", 6, "via"), ("w", 5, "to")], type="restriction",
                 restriction="no_u_turn")  # fmt: skip
    one.relation(82, [("w", 5, "from"), ("n", 51, "via"), ("w", 999, "to")], type="restriction",
                 restriction="no_right_turn")  # fmt: skip
    built = f.build(one.write(tmp_path / "a.osm"), accept_rejects=True)
    count = built.report.counts["turn_restriction"]
    assert (count.read, count.kept, count.rejected) == (3, 1, 2)
    reasons = {e.object: e.reason for e in built.report.entries if e.action == "rejected"}
    assert reasons == {
        "relation/81": "source.osm.turn_via_way",
        "relation/82": "source.osm.turn_lacks",
    }


def test_a_multipolygon_keeps_its_courtyard_in_old_and_new_style(tmp_path: Path) -> None:
    one = Map()
    one.way(1, one.box(10, 0, 0, 30))
    one.way(2, one.box(20, 10, 10, 10))
    one.relation(3, [("w", 1, "outer"), ("w", 2, "inner")], type="multipolygon", building="yes",
                 height="9")  # fmt: skip
    one.way(4, one.box(30, 100, 0, 30), {"building": "school", "height": "8"})
    one.way(5, one.box(40, 110, 10, 10))
    one.relation(6, [("w", 4, "outer"), ("w", 5, "inner")], type="multipolygon")
    table = f.build(one.write(tmp_path / "a.osm")).twin.table("building")
    assert sorted(table.texts("source_id")) == ["relation/3", "relation/6"]
    assert [shapely.get_num_interior_rings(g) for g in table.geometry] == [1, 1]
    assert sorted(table.numbers("height_m")) == [8, 9]


def test_an_extract_cut_at_its_edge_names_and_counts_what_it_lacks(tmp_path: Path) -> None:
    one = small()
    one.box(110, 0, 200)
    one.way(11, [110, 111, 998, 999, 110], {"building": "yes"})
    one.way(12, [50, 51, 997, 52, 53], {"highway": "service"})
    one.relation(13, [("w", 996, "outer"), ("w", 1, "inner")], type="multipolygon", natural="water")
    built = f.build(one.write(tmp_path / "a.osm"))  # no accept_rejects: an edge is no fault
    (edge,) = notes(built, "source.osm.edge")
    assert edge == {"ways": 2, "nodes": 3, "relations": 1, "members": 1}
    reasons = {e.object: e.reason for e in built.report.entries if e.action == "rejected"}
    assert reasons == {
        "way/11": "source.osm.cut_area", "relation/13": "source.osm.cut_relation"
    }  # fmt: skip
    pieces = [n for n in built.twin.table("road").texts("source_id") if n.startswith("way/12")]
    assert pieces == ["way/12@50", "way/12@52"]
    for count in built.report.counts.values():
        assert count.read == count.kept + count.rejected


def test_parts_know_their_building_by_relation_and_by_lying_in_it(tmp_path: Path) -> None:
    one = Map()
    one.way(1, one.box(10, 0, 0, 20), {"building": "yes"})
    one.way(2, one.box(20, 2, 2, 5), {"building:part": "yes", "min_height": "3", "height": "9"})
    one.way(3, one.box(30, 40, 0, 5), {"building:part": "yes"})
    one.way(4, one.box(40, 90, 0, 5), {"building:part": "yes"})
    one.relation(5, [("w", 1, "outline"), ("w", 3, "part")], type="building")
    built = f.build(one.write(tmp_path / "a.osm"))
    parts, whole = built.twin.table("building_part"), built.twin.table("building")
    parents = dict(zip(parts.texts("source_id"), parts.texts("parent"), strict=True))
    assert parents == {"way/2": str(whole.ids[0]), "way/3": str(whole.ids[0]), "way/4": ""}
    assert sorted(parts.numbers("min_height_m"))[0] == 3
    assert notes(built, "source.osm.parts_alone") == [{"count": 1, "of": 3}]


def test_the_same_map_in_three_wrappings_gives_the_same_ids(tmp_path: Path) -> None:
    ids = []
    for name in ("a.osm", "a.osm.pbf", "a.osm.bz2"):
        folder = tmp_path / name
        folder.mkdir()
        twin = f.build(small().write(folder / name)).twin
        ids.append(len({i for t in twin.tables.values() for i in t.ids}))
        assert ids[-1] == sum(twin.layers().values())
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "motorway"}, ("trunk", "yes", None)),
        ({"highway": "motorway", "oneway": "no", "lanes": "2"}, ("trunk", "no", "1")),
        ({"highway": "primary_link", "oneway": "yes", "lanes": "2"}, ("primary", "yes", "2")),
        ({"highway": "residential", "junction": "roundabout"}, ("residential", "yes", None)),
        ({"highway": "unclassified", "lanes": "3", "lanes:forward": "2", "lanes:backward": "1"},
         ("residential", "no", "1")),
        ({"highway": "service", "lanes": "1"}, ("service", "no", "1")),
    ],
)  # fmt: skip
def test_class_direction_and_lanes_follow_the_map_s_own_rules(
    tags: dict[str, str], expected: tuple[str, str, str | None]
) -> None:
    values = attributes_of("road", tags, CLASSES)
    assert (values["class"], values["oneway"], values["lanes"]) == expected


def test_tags_that_no_column_takes_are_kept(tmp_path: Path) -> None:
    one = Map()
    one.way(1, one.box(10, 0, 0), {"building": "yes", "wikidata": "Q1", "heritage": "2"})
    table = f.build(one.write(tmp_path / "a.osm")).twin.table("building")
    assert json.loads(table.texts("tags")[0]) == {"wikidata": "Q1", "heritage": "2"}


def test_only_the_kind_asked_for_is_taken(tmp_path: Path) -> None:
    built = f.build(small().write(tmp_path / "a.osm"), kind="building")
    assert set(built.twin.layers()) == {"building"}


def test_a_road_closed_to_traffic_is_closed(tmp_path: Path) -> None:
    assert attributes_of("road", {"highway": "service", "access": "no"}, CLASSES)["closed"] == "yes"
    open_ = {"highway": "service", "access": "no", "motor_vehicle": "yes"}
    assert attributes_of("road", open_, CLASSES)["closed"] is None


@pytest.mark.parametrize("name", ["a.osm", "a.osm.pbf"])
def test_a_file_that_breaks_off_is_refused_in_words(tmp_path: Path, name: str) -> None:
    path = small().write(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 60])
    with pytest.raises(SourceError) as caught:
        f.build(path)
    assert caught.value.key == "source.unreadable" and str(tmp_path) not in str(caught.value)


def test_xml_entities_are_not_expanded(tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE o [<!ENTITY a "aaaa">]><osm version="0.6">'
        '<node id="1" lat="39" lon="117"><tag k="name" v="&a;"/></node></osm>'
    )
    with pytest.raises(SourceError) as caught:
        f.build(path)
    assert caught.value.key in ("source.unreadable", "source.no_features")


def test_a_map_without_anything_of_a_city_holds_no_objects(tmp_path: Path) -> None:
    one = Map()
    one.node(1, 0, 0)
    with pytest.raises(SourceError) as caught:
        f.build(one.write(tmp_path / "a.osm"))
    assert caught.value.key == "source.no_features"


def test_a_single_damaged_number_costs_one_object_not_the_city(tmp_path: Path) -> None:
    path = small().write(tmp_path / "a.osm")
    text = path.read_text(encoding="utf-8")
    broken = text.replace('<nd ref="21"/>', '<nd ref="2!"/>').replace('v="张园"', 'v="张\x07园"')
    path.write_text(broken, encoding="utf-8")
    built = f.build(path, accept_rejects=True)
    (told,) = notes(built, "source.osm.mended")
    assert (told["objects"], told["references"], told["texts"]) == (0, 1, 1)
    reasons = {e.object: e.reason for e in built.report.entries if e.action == "rejected"}
    assert reasons == {"way/2": "source.osm.cut_area"}  # a corner unknown: no footprint at all
    assert sorted(built.twin.table("building").texts("source_id")) == ["way/1", "way/3"]


def test_a_file_with_too_much_damage_is_not_mended(tmp_path: Path) -> None:
    path = small().write(tmp_path / "a.osm")
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[: middle - 900] + b"\0" * 1800 + data[middle + 900 :])
    with pytest.raises(SourceError) as caught:
        f.build(path)
    assert caught.value.key == "source.unreadable"
