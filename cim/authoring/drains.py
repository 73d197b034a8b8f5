"""Storm drains under every street, falling to the nearest pump station; inlets at both kerbs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cim.authoring.ground import Ground
from cim.authoring.layers import Feature
from cim.authoring.streets import Link, Network, node_name
from cim.authoring.tables import Row
from cim.authoring.things import beside
from cim.errors import SourceError

__all__ = ["make_drains"]

_ABROAD = 10.0  # a metre of street that leaves its catchment counts this often
_KERB_M = 0.25  # gully centre inside the kerb


@dataclass(frozen=True)
class _Run:
    """The drain under one link: manholes from its upper end to its lower one."""

    upper: str
    lower: str
    names: Sequence[str]
    points: Sequence[tuple[float, float]]
    kerbs: Sequence[tuple[Any, Any] | None]
    length_m: float


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
    ends = [node_name(row.text("road_a"), row.text("road_b")) for row in outfalls]
    away = _distances(network, ends, [zones[row.text("catchment")] for row in outfalls])
    runs = sorted(
        (_run(link, network, away, table["spacing_m"]) for link in network.links),
        key=lambda run: (-away[run.lower] - run.length_m, run.names[0]),
    )
    runs = _ordered(runs)
    drained: dict[str, float] = {}
    arrived: dict[str, float] = {}
    sizes: dict[str, float] = {}
    pipes: list[Feature] = []
    nodes: dict[str, Feature] = {}
    for run in runs:
        length = run.length_m + drained.get(run.upper, 0.0) * _is_trunk(run)
        size = max(_diameter(length, table["sizes"]), sizes.get(run.upper, 0.0) * _is_trunk(run))
        drained[run.lower] = drained.get(run.lower, 0.0) + length
        sizes[run.lower] = max(sizes.get(run.lower, 0.0), size)
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


def _is_trunk(run: _Run) -> bool:
    return run.names[0] == run.upper


def _distances(network: Network, ends: Sequence[str], zones: Sequence[Any]) -> dict[str, float]:
    """Return the metres from every crossing to its outfall, links abroad counted longer."""
    import shapely

    links: dict[str, list[tuple[str, Link]]] = {}
    for link in network.links:
        links.setdefault(link.from_node, []).append((link.to_node, link))
        links.setdefault(link.to_node, []).append((link.from_node, link))
    away: dict[str, float] = {}
    waiting = [(0.0, name, index) for index, name in enumerate(ends)]
    while waiting:
        far, name, index = heapq.heappop(waiting)
        if name in away:
            continue
        away[name] = far
        for other, link in links[name]:
            middle = link.line.interpolate(0.5, normalized=True)
            weight = 1.0 if shapely.intersects(zones[index], middle) else _ABROAD
            heapq.heappush(waiting, (far + weight * link.line.length, other, index))
    if len(away) < len(network.nodes):
        lost = sorted(set(network.nodes) - set(away))[0]
        raise SourceError("authoring.no_outfall", given=lost)
    return away


def _run(link: Link, network: Network, away: Mapping[str, float], spacing_m: float) -> _Run:
    """Return the drain of a link, drawn downstream; heads of their own start off the crossing."""
    import shapely
    from shapely.ops import substring

    down = (away[link.to_node], link.to_node) < (away[link.from_node], link.from_node)
    line = link.line if down else shapely.reverse(link.line)
    upper, lower = (link.from_node, link.to_node) if down else (link.to_node, link.from_node)
    trunk = _best(network, away, upper) is link
    if not trunk:
        line = substring(line, min(12.0, line.length / 2), line.length)
    count = max(1, math.ceil(line.length / spacing_m))
    label = f"{link.road}-{link.order:02d}"
    names = [f"MH-{label}-{i:02d}" for i in range(count)] + [lower]
    if trunk:
        names[0] = upper
    half = network.roads[link.road].carriageway_m / 2.0 - _KERB_M
    points, kerbs = [], []
    for i in range(count + 1):
        at_m = line.length * i / count
        spot = line.interpolate(at_m)
        points.append((round(spot.x, 3), round(spot.y, 3)))
        inner = (i > 0 or not trunk) and i < count
        kerbs.append((beside(line, at_m, half), beside(line, at_m, -half)) if inner else None)
    points[-1] = network.nodes[lower]
    if trunk:
        points[0] = network.nodes[upper]
    return _Run(upper, lower, names, points, kerbs, float(line.length))


def _best(network: Network, away: Mapping[str, float], name: str) -> Link | None:
    """Return the link that leads on from a crossing; None at an outfall."""
    if away[name] == 0.0:
        return None
    ways = []
    for index, link in enumerate(network.links):
        if name in (link.from_node, link.to_node):
            other = link.to_node if link.from_node == name else link.from_node
            ways.append((away[other], other, index))
    return network.links[min(ways)[2]]


def _ordered(runs: Sequence[_Run]) -> list[_Run]:
    """Return the drains so that each follows all that arrive at its upper crossing."""
    open_runs, done = list(runs), []
    while open_runs:
        waiting_for = {run.lower for run in open_runs}
        ready = [r for r in open_runs if not _is_trunk(r) or r.upper not in waiting_for]
        done += ready
        open_runs = [r for r in open_runs if r not in ready]
    return done


def _diameter(length_m: float, sizes: Sequence[Sequence[float]]) -> float:
    return float(next((d for up_to, d in sizes if length_m <= up_to), sizes[-1][1]))


def _slope(size_m: float, table: Mapping[str, Any]) -> float:
    speed, manning = float(table["speed_mps"]), float(table["manning"])
    full = manning * speed / (size_m / 4.0) ** (2.0 / 3.0)
    steps: int = math.ceil(full * full * 1e5)
    return steps / 1e5


def _lay(
    run: _Run,
    size: float,
    table: Mapping[str, Any],
    ground: Ground,
    arrived: dict[str, float],
    pipes: list[Feature],
    nodes: dict[str, Feature],
) -> None:
    slope, below = _slope(size, table), table["cover_m"] + size
    steps = [math.dist(a, b) for a, b in pairwise(run.points)]
    fallen, start = 0.0, math.inf
    for point, step in zip(run.points, [*steps, 0.0], strict=True):
        start = min(start, ground.at(*point) - below + fallen)
        fallen += slope * step
    if _is_trunk(run):
        start = min(start, arrived.get(run.upper, math.inf))
        arrived[run.upper] = start = math.floor(start * 1000) / 1000
    level = math.floor(start * 1000) / 1000
    for i, step in enumerate(steps):
        end = round(level - slope * step, 3)
        pipes.append(_pipe(f"P-{run.names[i]}>{i}" if i == 0 and _is_trunk(run) else
                           f"P-{run.names[i]}", (run.points[i], run.points[i + 1]),
                           (run.names[i], run.names[i + 1]), size, (level, end),
                           table["material"]))  # fmt: skip
        if run.names[i].startswith("MH-"):
            nodes[run.names[i]] = _node(run.names[i], run.points[i], "manhole", ground, level)
            _inlets(run, i, level, table, ground, pipes, nodes)
        level = end
    arrived[run.lower] = min(arrived.get(run.lower, math.inf), level)


def _inlets(
    run: _Run,
    index: int,
    level: float,
    table: Mapping[str, Any],
    ground: Ground,
    pipes: list[Feature],
    nodes: dict[str, Feature],
) -> None:
    size = table["inlet_diameter_m"]
    for side, point in zip("LR", run.kerbs[index] or (), strict=False):
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
