"""Water, gas, power and telecom along every street, at depths by system, with planted conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cim.authoring.ground import Ground
from cim.authoring.layers import Feature
from cim.authoring.streets import Link, Network, node_name
from cim.authoring.tables import Row

__all__ = ["make_lines"]

_SAME_M = 0.05


def make_lines(
    rows: Sequence[Row], conflicts: Sequence[Row], network: Network, ground: Ground
) -> tuple[list[Feature], list[Feature]]:
    """Return lines and the nodes at their ends, link by link.

    Depths are measured from the crown at the crossings, so that lines of one system meet and
    lines of two pass each other; a row of ``conflicts.csv`` lays one line at another depth.

    Parameters
    ----------
    rows
        ``lines.csv``: system, side, kerb_m (behind the kerb), diameter_m, cover_m, material.
    conflicts
        ``conflicts.csv``: system, road, at_road (the link that begins there), cover_m.
    """
    import shapely

    planted = {
        (row.text("system"), row.text("road"), node_name(row.text("road"), row.text("at_road"))):
        row.real("cover_m")
        for row in conflicts
    }  # fmt: skip
    lines: list[Feature] = []
    nodes: dict[tuple[str, str], list[Feature]] = {}
    for row in rows:
        system, size = row.text("system"), row.real("diameter_m")
        side = 1.0 if row.text("side") == "left" else -1.0
        for link in network.links:
            road = network.roads[link.road]
            offset = side * (road.carriageway_m / 2.0 + row.real("kerb_m"))
            moved = link.line.offset_curve(offset, join_style="mitre")
            line = shapely.transform(moved, lambda points: points.round(3))
            cover = planted.get((system, link.road, link.from_node), row.real("cover_m"))
            name = f"{system}-{link.road}-{link.order:02d}"
            levels = _levels(link, network, ground, cover + size)
            ends = []
            marks = (("a", 0, link.from_node, levels[0]), ("b", -1, link.to_node, levels[1]))
            for mark, at, crossing, level in marks:
                point = shapely.get_point(line, at)
                made = Feature(f"{name}{mark}", point, _node(system, point, ground, level))
                ends.append(_shared(made, nodes.setdefault((system, crossing), [])))
            lines.append(Feature(name, line, {
                "system": system, "diameter_m": size, "invert_from_m": levels[0],
                "invert_to_m": levels[1], "from_node": ends[0], "to_node": ends[1],
                "material": row.text("material"),
            }))  # fmt: skip
    return lines, [node for group in nodes.values() for node in group]


def _shared(made: Feature, known: list[Feature]) -> str:
    """Return the node of one street's line that ends here already, else the new one."""
    for other in known:
        if other.geometry.distance(made.geometry) < _SAME_M:
            return other.source_id
    known.append(made)
    return made.source_id


def _levels(link: Link, network: Network, ground: Ground, below_m: float) -> tuple[float, float]:
    first, last = (ground.at(*network.nodes[n]) for n in (link.from_node, link.to_node))
    return round(first - below_m, 3), round(last - below_m, 3)


def _node(system: str, point: Any, ground: Ground, level: float) -> Mapping[str, Any]:
    return {"system": system, "type": "junction",
            "ground_m": round(ground.at(point.x, point.y), 3), "invert_m": level}  # fmt: skip
