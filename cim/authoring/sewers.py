"""Sewers (污水) beside and below the storm drains, apart from them, to the same stations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cim.authoring.ground import Ground
from cim.authoring.layers import Feature
from cim.authoring.runs import Run, outfall_nodes, sized, slope, street_runs
from cim.authoring.streets import Network
from cim.authoring.tables import Row
from cim.authoring.things import beside

__all__ = ["make_sewers"]

_NEAR_M = 10.0  # from a crossing to the manhole where the sewer turns beside its street's drain
Point = tuple[float, float]


def make_sewers(
    table: Mapping[str, Any],
    outfalls: Sequence[Row],
    network: Network,
    ground: Ground,
    zones: Mapping[str, Any],
    drains: Sequence[Feature],
) -> tuple[list[Feature], list[Feature]]:
    """Return sewers and their nodes: one a street, `offset_m` left of its storm drain.

    Rain and sewage are never connected (GB 50014-2021 5.1.14) and sewage lies lowest (GB
    50289-2016 4.1.12): each sewer starts and ends at least `below_m` under the storm drain of
    its street, and falls evenly between.

    Parameters
    ----------
    table
        ``[sewers]`` of ``area.toml``: offset_m, below_m, spacing_m, manning, speed_mps,
        least_slope, sizes (pairs of length drained and diameter), material.
    drains
        The storm pipes, whose levels count.
    """
    runs = street_runs(outfalls, network, zones, table["spacing_m"])
    above = _storm_levels(drains)
    ends = set(outfall_nodes(outfalls))
    arrived: dict[str, float] = {}
    pipes: list[Feature] = []
    nodes: dict[str, Feature] = {}
    for run, size in sized(runs, table["sizes"]):
        names, points = _manholes(run, network, table)
        fall = [slope(size, table) * math.dist(a, b) for a, b in pairwise(points)]
        start = min(above[run.names[0]], above[run.lower] + math.fsum(fall))
        start -= table["below_m"] + size
        if run.is_trunk:
            start = min(start, arrived.get(run.upper, math.inf))
        level = math.floor(start * 1000) / 1000
        if run.is_trunk:
            arrived[run.upper] = level
        for i, step in enumerate(fall):
            end = round(level - step, 3)
            pipes.append(_pipe(run, i, names, points, size, (level, end), table))
            if i or not run.is_trunk:
                nodes[names[i]] = _node(names[i], points[i], "manhole", ground, level)
            level = end
        arrived[run.lower] = min(arrived.get(run.lower, math.inf), level)
    for name, level in arrived.items():
        kind = "outfall" if name in ends else "manhole"
        label = f"WS-{name}"
        nodes[label] = _node(label, _beside_crossing(name, network, table), kind, ground, level)
    return pipes, [nodes[name] for name in sorted(nodes)]


def _storm_levels(drains: Sequence[Feature]) -> dict[str, float]:
    """Return the lowest invert of the storm pipes that meet at each node."""
    levels: dict[str, float] = {}
    for one in drains:
        for node, invert in (("from_node", "invert_from_m"), ("to_node", "invert_to_m")):
            name, level = one.properties[node], one.properties[invert]
            levels[name] = min(levels.get(name, math.inf), level)
    return levels


def _manholes(
    run: Run, network: Network, table: Mapping[str, Any]
) -> tuple[list[str], list[Point]]:
    """Return names and places of a run's manholes, downstream; those at crossings are shared."""
    length, offset = float(run.line.length), table["offset_m"]
    near = min(_NEAR_M, length / 3.0)
    inner = length - 2.0 * near
    count = max(1, math.ceil(inner / table["spacing_m"]))
    stops = [near + inner * i / count for i in range(count + 1)]
    side = offset if run.with_course else -offset
    spots = [beside(run.line, at_m, side) for at_m in stops]
    if not run.is_trunk:
        spots.insert(0, beside(run.line, 0.0, side))
    names = [f"WS-{run.label}-{i:02d}" for i in range(len(spots))]
    points = [(spot.x, spot.y) for spot in spots]
    if run.is_trunk:
        names.insert(0, f"WS-{run.upper}")
        points.insert(0, _beside_crossing(run.upper, network, table))
    return [*names, f"WS-{run.lower}"], [*points, _beside_crossing(run.lower, network, table)]


def _beside_crossing(name: str, network: Network, table: Mapping[str, Any]) -> Point:
    """Return the place of a crossing's sewer manhole: in the widest gap between its streets."""
    x, y = network.nodes[name]
    turns, left = [], 1.0
    for link in network.links:
        path = np.asarray(link.line.coords)
        for end, ahead, node in ((0, 1, link.from_node), (-1, -2, link.to_node)):
            if node == name:
                east, north = path[ahead] - path[end]
                turns.append(math.atan2(north, east))
                left = 1.0 if end == 0 else -1.0
    if len(turns) == 1:  # a street's own end: left of its course, as its sewer lies
        turn = turns[0] + left * math.pi / 2.0
        reach = float(table["offset_m"])
        return round(x + reach * math.cos(turn), 3), round(y + reach * math.sin(turn), 3)
    turns.sort()
    gaps = [
        (round((after - turn) % (2.0 * math.pi), 6) or 2.0 * math.pi, turn)
        for turn, after in zip(turns, [*turns[1:], turns[0]], strict=True)
    ]
    gap, turn = max(gaps)
    middle = turn + gap / 2.0
    reach = table["offset_m"] / max(math.sin(min(gap, math.pi) / 2.0), 0.5)
    return round(x + reach * math.cos(middle), 3), round(y + reach * math.sin(middle), 3)


def _pipe(
    run: Run,
    index: int,
    names: Sequence[str],
    points: Sequence[Point],
    size: float,
    inverts: tuple[float, float],
    table: Mapping[str, Any],
) -> Feature:
    import shapely

    return Feature(f"W-{run.label}-{index:02d}", shapely.LineString(points[index : index + 2]), {
        "system": "sewage", "diameter_m": size, "invert_from_m": inverts[0],
        "invert_to_m": inverts[1], "from_node": names[index], "to_node": names[index + 1],
        "material": table["material"],
    })  # fmt: skip


def _node(name: str, point: Point, kind: str, ground: Ground, level: float) -> Feature:
    import shapely

    return Feature(name, shapely.Point(point), {
        "system": "sewage", "type": kind, "ground_m": round(ground.at(*point), 3),
        "invert_m": round(level, 3),
    })  # fmt: skip
