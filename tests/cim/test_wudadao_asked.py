"""Wudadao as a twin is asked: by name, by address, from door to door, for people and room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

import cim
from cim.cli import main
from cim.model.arrays import network
from cim.query import box, select
from cim.registry import standard
from tests.cim.wudadao import layer, table


@pytest.fixture(scope="module")
def city(sketch_once: Path) -> cim.City:
    return cim.open(sketch_once)


def named() -> dict[str, dict[str, str]]:
    """Return the row of every building with a name, from the tables of facts."""
    return {row["source_id"]: row for name in ("landmarks", "named") for row in table(name)}


def test_every_named_building_is_found_by_its_name(city: cim.City) -> None:
    assert len(named()) > 50
    names = [row["name"] for row in named().values()]
    assert len(set(names)) == len(names)
    for row in named().values():
        found = city["building"].where(f"name = '{row['name']}'").to_geopandas()
        assert list(found["source_id"]) == [row["source_id"]]
        west, south, east, north = found.geometry.iloc[0].bounds
        around = (west - 1, south - 1, east + 1, north + 1)
        asked = box(city.view, around, layer="building", where=f"name LIKE '{row['name']}%'")
        assert row["name"] in [one["name"] for one in asked.records()]


def test_every_named_building_is_found_by_its_address(city: cim.City) -> None:
    addresses = city.view.table("address")
    texts = dict(zip(addresses.texts("building"), addresses.texts("text"), strict=True))
    tags = dict(zip(addresses.texts("building"), addresses.texts("number_tag"), strict=True))
    shared: dict[str, set[str]] = {}
    for name, text in texts.items():
        shared.setdefault(text, set()).add(name)
    for name, row in named().items():
        known = row["number"] and row.get("number_tag", "fact") == "fact"
        assert tags[name] == ("fact" if known else "invented")
        if known:
            assert texts[name].endswith(f"区{row['road']}{row['number']}号")
        found = select(city.view.table("building"), f"address = '{texts[name]}'")
        assert set(found.texts("source_id")) == shared[texts[name]] >= {name}
        at = select(addresses, f"road = '{row['road']}' AND text = '{texts[name]}'")
        assert name in at.texts("building")
    # houses behind one gate; every other named house is alone at its address
    groups = {frozenset(group) for group in shared.values() if len(group) > 1}
    assert groups == {
        frozenset({"minyuan", "minyuan-stand"}),
        frozenset({"xiannong", "xiannong-1", "xiannong-2", "xiannong-3"}),
    }


def test_the_command_line_finds_them_by_name_and_address(
    sketch_once: Path, city: cim.City, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = [str(v) for v in shapely.total_bounds(city.view.table("building").geometry)]

    def ask(where: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        words = ["query", str(sketch_once), "box", "--bounds", *bounds, "--kind", "building"]
        assert main([*words, "--where", where, "--json"]) == 0
        return list(json.loads(capsys.readouterr().out)["items"])

    buildings = city.view.table("building")
    address = dict(zip(buildings.texts("source_id"), buildings.texts("address"), strict=True))
    for name, row in named().items():
        by_name = ask(f"name = '{row['name']}'")
        assert [one["source_id"] for one in by_name] == [name]
        assert name in [one["source_id"] for one in ask(f"address = '{address[name]}'")]


def test_any_door_can_be_reached_from_any_other_on_foot_and_by_car(city: cim.City) -> None:
    roads, doors = city.view.table("road"), city.view.table("entrance")
    net = network(roads)
    count = len(net.node_xy)
    ways = csr_matrix((net.length_m, (net.tail, net.head)), shape=(count, count))
    assert connected_components(ways, directed=False)[0] == 1  # on foot
    assert connected_components(ways, directed=True, connection="strong")[0] == 1  # by car
    # every door's link is one of its own street's, no further than the depth of a block
    names, asked = np.array(roads.texts("name")), np.array(doors.texts("road"), dtype=object)
    houses = np.array([bool(name) for name in doors.texts("building")])
    assert houses.sum() == len(city.view.table("building"))
    assert set(asked[houses]) <= set(names)
    link = np.full(len(doors), -1)
    for name in set(asked[houses]):
        mine, here = np.flatnonzero(names == name), np.flatnonzero(houses & (asked == name))
        tree = shapely.STRtree(roads.geometry[mine])
        link[here] = mine[tree.query_nearest(doors.geometry[here], all_matches=False)[1]]
    link[~houses] = shapely.STRtree(roads.geometry).query_nearest(
        doors.geometry[~houses], all_matches=False
    )[1]
    away = shapely.distance(doors.geometry, roads.geometry[link])
    assert away.max() < 160.0  # the back of the campus and the middle of the deepest block
    # a car leaves a door's link at a head of it and comes in at a tail: all pairs, both ways
    far = dijkstra(ways, directed=True)
    heads = {i: net.head[net.feature == i] for i in set(link)}
    tails = {i: net.tail[net.feature == i] for i in set(link)}
    longest = 0.0
    for one in heads:
        for other in tails:
            way = far[np.ix_(heads[one], tails[other])].min()
            assert np.isfinite(way), (roads.ids[one], roads.ids[other])
            longest = max(longest, float(way))
    print(f"{len(doors)} doors, the longest way between two streets {longest:.0f} m")


def test_people_and_jobs_fit_the_floor_area(city: cim.City) -> None:
    buildings = city.view.table("building")
    people, jobs, floor = (
        buildings.numbers(n) for n in ("population", "jobs", "floor_area_m2")
    )  # fmt: skip
    assert np.isfinite([people, jobs, floor]).all()
    lived_in = np.array([use == "residential" for use in buildings.texts("use")])
    assert np.all((people > 0) == lived_in)
    each = floor[lived_in].sum() / people[lived_in].sum()
    assert 25.0 < each < 45.0  # m² of floor a resident, of the usual order; invented
    assert np.all(jobs >= 1) and 0.2 < jobs.sum() / people.sum() < 1.0


def test_shelters_hold_as_many_as_the_standard_allows_on_their_ground() -> None:
    each = standard("evacuation.shelter_area_m2").number()
    shelters = [p for p, _ in layer("places") if p["type"] == "shelter"]
    assert len(shelters) == 3
    for p in shelters:
        assert p["capacity_persons"] == int(p["open_m2"] / each)
        assert "示意" in p["capacity_basis"] and "示意" in p["name"]
