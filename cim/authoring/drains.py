"""Storm drains under every street, falling to the nearest pump station; inlets at both kerbs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from cim.authoring.ground import Ground
from cim.authoring.layers import Feature
from cim.authoring.runs import Run, outfall_nodes, sized, slope, street_runs
from cim.authoring.streets import Network
from cim.authoring.tables import Row

__all__ = ["make_drains"]


def make_drains(
    table: Mapping[str, Any],
    outfalls: Sequence[Row],
    network: Network,
    ground: Ground,
    zones: Mapping[str, Any],
) -> tuple[list[Feature], list[Feature]]:
    """Return storm pipes and their nodes.

    Every link's drain leads towards the outfall nearest along the streets of its catchment.
    Diameters grow with the length drained; slopes give `speed_mps` when full (Manning).
    An upper end lies under its cover, or lower where a drain arrives lower.

    Parameters
    ----------
    table
        ``[drains]`` of ``area.toml``: cover_m, spacing_m, manning, speed_mps, sizes (pairs of
        length drained and diameter), inlet_diameter_m, inlet_cover_m, inlet_slope, material.
    outfalls
        Crossings with a pump station (road_a, road_b, catchment).
    zones
        Catchments by source id.

    Raises
    ------
    SourceError
        A crossing reaches no outfall.
    """
    ends = outfall_nodes(outfalls)
    runs = street_runs(outfalls, network, zones, table["spacing_m"])
    arrived: dict[str, float] = {}
    pipes: list[Feature] = []
    nodes: dict[str, Feature] = {}
    for run, size in sized(runs, table["sizes"]):
        _lay(run, size, table, ground, arrived, pipes, nodes)
    lowest = {
        name: min(p.properties["invert_to_m"] for p in pipes if p.properties["to_node"] == name)
        for name in ends
    }
    for name in network.nodes:
        if name in arrived:
            point = network.nodes[name]
            level = lowest.get(name, arrived[name])
            kind = "outfall" if name in lowest else "manhole"
            nodes[name] = _node(name, point, kind, ground, level)
    return pipes, [nodes[name] for name in sorted(nodes)]


def _lay(
    run: Run,
    size: float,
    table: Mapping[str, Any],
    ground: Ground,
    arrived: dict[str, float],
    pipes: list[Feature],
    nodes: dict[str, Feature],
) -> None:
    fall, below = slope(size, table), table["cover_m"] + size
    steps = [math.dist(a, b) for a, b in pairwise(run.points)]
    fallen, start = 0.0, math.inf
    for point, step in zip(run.points, [*steps, 0.0], strict=True):
        start = min(start, ground.at(*point) - below + fallen)
        fallen += fall * step
    if run.is_trunk:
        start = min(start, arrived.get(run.upper, math.inf))
        arrived[run.upper] = start = math.floor(start * 1000) / 1000
    level = math.floor(start * 1000) / 1000
    for i, step in enumerate(steps):
        end = round(level - fall * step, 3)
        pipes.append(_pipe(f"P-{run.names[i]}>{i}" if i == 0 and run.is_trunk else
                           f"P-{run.names[i]}", (run.points[i], run.points[i + 1]),
                           (run.names[i], run.names[i + 1]), size, (level, end),
                           table["material"]))  # fmt: skip
        if run.names[i].startswith("MH-"):
            nodes[run.names[i]] = _node(run.names[i], run.points[i], "manhole", ground, level)
            _inlets(run, i, level, table, ground, pipes, nodes)
        level = end
    arrived[run.lower] = min(arrived.get(run.lower, math.inf), level)


def _inlets(
    run: Run,
    index: int,
    level: float,
    table: Mapping[str, Any],
    ground: Ground,
    pipes: list[Feature],
    nodes: dict[str, Feature],
) -> None:
    size = table["inlet_diameter_m"]
    for side, point in zip("LR", run.kerbs[index], strict=False):
        if point is None:
            continue
        name, place = f"IN-{run.names[index][3:]}{side}", (point.x, point.y)
        top = round(ground.at(*place) - table["inlet_cover_m"] - size, 3)
        low = max(level, round(top - table["inlet_slope"] * math.dist(place, run.points[index]), 3))
        nodes[name] = _node(name, place, "inlet", ground, top)
        pipes.append(_pipe(f"P-{name}", (place, run.points[index]), (name, run.names[index]),
                           size, (top, low), table["material"]))  # fmt: skip


def _pipe(
    name: str,
    points: tuple[tuple[float, float], tuple[float, float]],
    ends: tuple[str, str],
    size: float,
    inverts: tuple[float, float],
    material: str,
) -> Feature:
    import shapely

    return Feature(name, shapely.LineString(points), {
        "system": "storm", "diameter_m": size, "invert_from_m": inverts[0],
        "invert_to_m": inverts[1], "from_node": ends[0], "to_node": ends[1],
        "material": material,
    })  # fmt: skip


def _node(
    name: str, point: tuple[float, float], kind: str, ground: Ground, level: float
) -> Feature:
    import shapely

    return Feature(name, shapely.Point(point), {
        "system": "storm", "type": kind, "ground_m": round(ground.at(*point), 3),
        "invert_m": round(level, 3),
    })  # fmt: skip
