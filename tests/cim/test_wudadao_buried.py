"""What lies under Wudadao: drains and sewers that fall, lines that keep their distance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import shapely

from cim.registry import standard
from tests.cim.wudadao import layer, level_at, road_lines, table

ROUNDING_M = 0.002  # levels to 1 mm, places to 1e-8 degrees
CROSSING_M = 8.0  # so far from the kerbs of a crossing lines turn and pass: heights count there


@cache
def nodes() -> dict[str, tuple[dict[str, Any], Any]]:
    return {p["source_id"]: (p, point) for p, point in layer("pipe_nodes")}


def pipes(*systems: str) -> list[tuple[dict[str, Any], Any]]:
    return [(p, line) for p, line in layer("pipes") if p["system"] in systems]


def is_gully_link(p: dict[str, Any]) -> bool:
    return bool(p["source_id"].startswith("P-IN"))


@pytest.mark.parametrize(
    # least full-pipe speed: GB 50014-2021 5.2.7; cover under a carriageway: 5.3.7
    ("system", "speed_mps", "cover_m"),
    [("storm", 0.75, 0.7), ("sewage", 0.6, 0.7)],
)
def test_every_drain_falls_all_the_way_to_an_outfall_of_its_own_system(
    system: str, speed_mps: float, cover_m: float
) -> None:
    mine = pipes(system)
    below = {p["from_node"]: p for p, _ in mine}
    outfalls = {
        name for name, (p, _) in nodes().items() if p["type"] == "outfall" and p["system"] == system
    }
    assert len(outfalls) == len(table("outfalls")) == len(layer("catchments"))
    assert len(below) == len(mine)  # one way on from every node
    for p, line in mine:
        assert p["invert_from_m"] > p["invert_to_m"]
        for end, which in ((0, "from_node"), (-1, "to_node")):
            at, point = nodes()[p[which]]
            assert at["system"] == system  # rain and sewage are never connected
            assert shapely.Point(line.coords[end]).distance(point) < 0.005
            assert at["invert_m"] <= p[("invert_from_m", "invert_to_m")[end]] + 1e-9
        cover = nodes()[p["from_node"]][0]["ground_m"] - p["invert_from_m"] - p["diameter_m"]
        assert cover >= cover_m - ROUNDING_M
        radius, slope = p["diameter_m"] / 4, (p["invert_from_m"] - p["invert_to_m"]) / line.length
        assert radius ** (2 / 3) * slope**0.5 / 0.013 >= speed_mps - 0.01, p  # levels to 1 mm
        after = below.get(p["to_node"])
        if after is not None:
            assert after["invert_from_m"] <= p["invert_to_m"] + 1e-9
            assert after["diameter_m"] >= p["diameter_m"]
    for name in below:
        steps = 0
        while name not in outfalls:
            name, steps = below[name]["to_node"], steps + 1  # noqa: PLW2901
            assert steps < 500
    assert {p["drain_mm_h"] for p, _ in layer("catchments")} == {6}


def test_every_street_has_a_drain_and_a_sewer_and_the_manholes_stand_close_enough() -> None:
    for system, furthest_m in (("storm", 30.5), ("sewage", 75.0)):  # GB 50014-2021 5.4.4: 75 m
        mine = shapely.STRtree([line for _, line in pipes(system)])
        for name, lines in road_lines().items():
            for line in lines:
                middle = line.interpolate(0.5, normalized=True)
                assert len(mine.query(middle.buffer(4.0), predicate="intersects")), (name, system)
        assert max(line.length for _, line in pipes(system)) <= furthest_m


def test_every_node_knows_the_ground_above_it() -> None:
    for p, point in layer("pipe_nodes"):
        # a place to 1e-8 degrees may fall into the next cell at a kerb
        around = [
            level_at(point.x + dx, point.y + dy) for dx in (-0.01, 0.01) for dy in (-0.01, 0.01)
        ]
        assert min(around) - 0.001 <= p["ground_m"] <= max(around) + 0.001, p
        assert p["invert_m"] < p["ground_m"]


def test_every_inlet_lies_at_a_kerb() -> None:
    inlets = [point for p, point in layer("pipe_nodes") if p["type"] == "inlet"]
    assert len(inlets) > 800
    halves = {line.wkb: p["车行道宽_m"] / 2 for p, line in layer("roads")}
    lines = [line for _, line in layer("roads")]
    tree = shapely.STRtree(lines)
    for point in inlets:
        near = tree.query(point.buffer(15))
        assert min(abs(lines[i].distance(point) - halves[lines[i].wkb]) for i in near) < 0.3


def limit(key: str, one: str, other: str) -> float:
    """Return the legal distance of two systems; the registry names each pair once."""
    pairs: Any = standard(key).value
    return float(pairs.get(f"{one}-{other}", pairs.get(f"{other}-{one}")))


def crossing_pairs() -> Iterator[tuple[dict[str, Any], dict[str, Any], float]]:
    """Yield two lines of different systems that cross, and the clear height between them."""
    known = layer("pipes")
    lines = [line for _, line in known]
    for i, j in shapely.STRtree(lines).query(lines, predicate="intersects").T:
        one, other = known[i][0], known[j][0]
        if i < j and one["system"] != other["system"]:
            for point in shapely.get_parts(lines[i].intersection(lines[j])):
                spans = []
                for p, line in (known[i], known[j]):
                    share = line.project(point) / line.length
                    bottom = p["invert_from_m"] + share * (p["invert_to_m"] - p["invert_from_m"])
                    spans.append((bottom, bottom + p["diameter_m"]))
                gap = max(spans[0][0] - spans[1][1], spans[1][0] - spans[0][1])
                yield one, other, gap


def planted() -> dict[str, str]:
    """Return line -> system it was made to meet, of every row of the list of conflicts."""
    made = {}
    for row in table("conflicts"):
        a, b = sorted((row["road"], row["at_road"]))
        link = next(
            p for p, _ in layer("roads")
            if p["路名"] == row["road"] and p["起点"] == f"{a}×{b}"
        )  # fmt: skip
        made[f"{row['system']}-{link['source_id']}"] = row["meets"]
    return made


def test_lines_that_cross_keep_the_legal_height_but_for_the_three_planted_conflicts() -> None:
    met: dict[str, set[str]] = {name: set() for name in planted()}
    assert len(met) == 3
    crossings = 0
    for one, other, gap in crossing_pairs():
        crossings += 1
        if gap < limit("pipe.vertical_m", one["system"], other["system"]) - ROUNDING_M:
            pair = {one["source_id"]: other, other["source_id"]: one}
            guilty = pair.keys() & met.keys()
            assert guilty, (one["source_id"], other["source_id"], gap)
            for name in guilty:
                met[name].add(pair[name]["system"])
    print(f"{crossings} crossings of lines of two systems")
    assert crossings > 1500
    assert met == {name: {system} for name, system in planted().items()}


def angle_deg(one: Any, other: Any) -> float:
    """Return the angle between two lines where they are nearest."""
    ways = []
    for line, point in zip((one, other), shapely.shortest_line(one, other).coords, strict=True):
        at = line.project(shapely.Point(point))
        (x0, y0), (x1, y1) = (line.interpolate(at + step).coords[0] for step in (-1.0, 1.0))
        ways.append(np.arctan2(y1 - y0, x1 - x0))
    turn = abs(np.degrees(ways[0] - ways[1])) % 180.0
    return float(min(turn, 180.0 - turn))


def test_lines_side_by_side_keep_the_legal_distance() -> None:
    """Lines that cross, or draw together at more than 20 degrees to cross, are judged by height.

    So are those near a crossing, and the short links of gullies, which lie across the street.
    """
    halves = {p["路名"]: p["车行道宽_m"] / 2 for p, _ in layer("roads")}
    clear = shapely.union_all([
        point.buffer(max(halves[road] for road in name.split("×")) + CROSSING_M)
        for name, (_, point) in nodes().items() if "×" in name and not name.startswith("WS-")
    ])  # fmt: skip
    by_name = {p["source_id"]: line for p, line in layer("pipes")}
    known = [(p, line.difference(clear)) for p, line in layer("pipes") if not is_gully_link(p)]
    known = [(p, line) for p, line in known if not line.is_empty]
    whole = [by_name[p["source_id"]] for p, _ in known]
    lines = [line for _, line in known]
    least: dict[tuple[str, str], float] = {}
    furthest = 1.5 + 1.8  # the largest distance and the largest pipe
    for i, j in shapely.STRtree(lines).query(lines, predicate="dwithin", distance=furthest).T:
        one, other = known[i][0], known[j][0]
        if i < j and one["system"] != other["system"] and not whole[i].intersects(whole[j]):
            clearance = lines[i].distance(lines[j]) - (one["diameter_m"] + other["diameter_m"]) / 2
            need = limit("pipe.horizontal_m", one["system"], other["system"])
            if angle_deg(whole[i], whole[j]) > 20.0:
                continue
            assert clearance >= need - 0.005, (one["source_id"], other["source_id"], clearance)
            a, b = sorted((one["system"], other["system"]))
            least[a, b] = min(least.get((a, b), np.inf), clearance)
    for (a, b), clearance in sorted(least.items()):
        print(f"{a}-{b}: {clearance:.2f} m, at least {limit('pipe.horizontal_m', a, b)} m")
    assert {("sewage", "storm"), ("gas", "power"), ("telecom", "water")} <= least.keys()


def test_drains_keep_their_distance_from_the_houses() -> None:
    need = float(standard("pipe.building_to_drain_m").number())
    houses = shapely.STRtree([house for _, house in layer("buildings")])
    drains = np.array([line for _, line in pipes("storm", "sewage")], dtype=object)
    assert houses.query(drains, predicate="dwithin", distance=need - 0.01).size == 0
