"""How drains run: one a street link, each towards the outfall nearest along the streets."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cim.authoring.streets import Link, Network, Road, node_name
from cim.authoring.tables import Row
from cim.authoring.things import beside
from cim.errors import SourceError

__all__ = ["Run", "outfall_nodes", "sized", "slope", "street_runs"]

_ABROAD = 10.0  # a metre of street that leaves its catchment counts this often
_KERB_M = 0.25  # gully centre inside the kerb
_BESIDE_M = 2.5  # behind another street's kerb, where its lines lie, stands no gully
_REACH_M = 20.0
_HEAD_M = 12.0  # a head of its own starts this far off the crossing


@dataclass(frozen=True)
class Run:
    """The drain under one link: manholes from its upper end to its lower one.

    Attributes
    ----------
    label
        Road and order of its link.
    with_course
        Whether it runs as its road does.
    line
        Its course, drawn downstream.
    kerbs
        The gullies at the left and right kerb of each manhole; None, or none, where another
        street passes.
    """

    label: str
    with_course: bool
    upper: str
    lower: str
    names: Sequence[str]
    points: Sequence[tuple[float, float]]
    kerbs: Sequence[Sequence[Any | None]]
    line: Any
    length_m: float

    @property
    def is_trunk(self) -> bool:
        """Return whether it takes what arrives at its upper crossing."""
        return self.names[0] == self.upper


def outfall_nodes(outfalls: Sequence[Row]) -> list[str]:
    """Return the crossings with a pump station."""
    return [node_name(row.text("road_a"), row.text("road_b")) for row in outfalls]


def street_runs(
    outfalls: Sequence[Row], network: Network, zones: Mapping[str, Any], spacing_m: float
) -> list[Run]:
    """Return the drain of every link, each after all that arrive at its upper crossing.

    Raises
    ------
    SourceError
        A crossing reaches no outfall.
    """
    ends = outfall_nodes(outfalls)
    away = _distances(network, ends, [zones[row.text("catchment")] for row in outfalls])
    runs = sorted(
        (_run(link, network, away, spacing_m) for link in network.links),
        key=lambda run: (-away[run.lower] - run.length_m, run.names[0]),
    )
    return _ordered(runs)


def sized(runs: Sequence[Run], sizes: Sequence[Sequence[float]]) -> Iterator[tuple[Run, float]]:
    """Yield each drain with its diameter, which grows with the length of street drained.

    Parameters
    ----------
    runs
        In the order of `street_runs`.
    sizes
        Pairs of length drained, metres, and diameter; the last serves any length.
    """
    drained: dict[str, float] = {}
    largest: dict[str, float] = {}
    for run in runs:
        length, size = run.length_m, 0.0
        if run.is_trunk:
            length, size = length + drained.get(run.upper, 0.0), largest.get(run.upper, 0.0)
        size = max(size, next((float(d) for up_to, d in sizes if length <= up_to), sizes[-1][1]))
        drained[run.lower] = drained.get(run.lower, 0.0) + length
        largest[run.lower] = max(largest.get(run.lower, 0.0), size)
        yield run, size


def slope(size_m: float, table: Mapping[str, Any]) -> float:
    """Return the slope at which a full pipe runs at `speed_mps` (Manning), at least the least."""
    speed, manning = float(table["speed_mps"]), float(table["manning"])
    full = manning * speed / (size_m / 4.0) ** (2.0 / 3.0)
    steps: int = math.ceil(full * full * 1e5)
    return max(steps / 1e5, float(table.get("least_slope", 0.0)))


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


def _run(link: Link, network: Network, away: Mapping[str, float], spacing_m: float) -> Run:
    """Return the drain of a link, drawn downstream; heads of their own start off the crossing."""
    import shapely
    from shapely.ops import substring

    down = (away[link.to_node], link.to_node) < (away[link.from_node], link.from_node)
    line = link.line if down else shapely.reverse(link.line)
    upper, lower = (link.from_node, link.to_node) if down else (link.to_node, link.from_node)
    trunk = _best(network, away, upper) is link
    if not trunk:
        line = substring(line, min(_HEAD_M, line.length / 2), line.length)
    count = max(1, math.ceil(line.length / spacing_m))
    label = f"{link.road}-{link.order:02d}"
    names = [f"MH-{label}-{i:02d}" for i in range(count)] + [lower]
    if trunk:
        names[0] = upper
    half = network.roads[link.road].carriageway_m / 2.0 - _KERB_M
    others = [road for road in network.roads.values() if road.name != link.road]
    others = [road for road in others if road.line.distance(line) < _REACH_M]
    points, kerbs = [], []
    for i in range(count + 1):
        at_m = line.length * i / count
        spot = line.interpolate(at_m)
        points.append((round(spot.x, 3), round(spot.y, 3)))
        inner = (i > 0 or not trunk) and i < count
        spots = [beside(line, at_m, side) for side in (half, -half)] if inner else []
        kerbs.append([None if _in_another(spot, others) else spot for spot in spots])
    points[-1] = network.nodes[lower]
    if trunk:
        points[0] = network.nodes[upper]
    return Run(label, down, upper, lower, names, points, kerbs, line, float(line.length))


def _in_another(spot: Any, others: Sequence[Road]) -> bool:
    return any(road.line.distance(spot) < road.carriageway_m / 2.0 + _BESIDE_M for road in others)


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


def _ordered(runs: Sequence[Run]) -> list[Run]:
    """Return the drains so that each follows all that arrive at its upper crossing."""
    open_runs, done = list(runs), []
    while open_runs:
        waiting_for = {run.lower for run in open_runs}
        ready = [r for r in open_runs if not r.is_trunk or r.upper not in waiting_for]
        done += ready
        open_runs = [r for r in open_runs if r not in ready]
    return done
