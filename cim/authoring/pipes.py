"""Buried lines: storm drains whose inverts fall to one outfall; water and gas along streets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cim.authoring.frame import StreetFrame
from cim.authoring.ground import Ground
from cim.authoring.layers import Feature
from cim.authoring.streets import Network, node_name
from cim.authoring.tables import Row
from cim.errors import SourceError

__all__ = ["make_pipes"]


def make_pipes(
    pipes: Sequence[Row],
    nodes: Sequence[Row],
    network: Network,
    frame: StreetFrame,
    ground: Ground,
) -> tuple[list[Feature], list[Feature]]:
    """Return pipes and their nodes.

    A storm pipe starts at the lowest invert that reaches its upper node, or where its cover
    demands it, and falls with its slope. Water and gas lie under their cover at both ends.

    Raises
    ------
    SourceError
        The storm pipes go round in a circle.
    """
    places = {row.text("node"): _place(row, network, frame) for row in nodes}
    grounds = {name: round(ground.at(*place), 3) for name, place in places.items()}
    lines = {row.text("pipe"): _line(row, network, places) for row in pipes}
    storm = [row for row in pipes if row.text("system") == "storm"]
    inverts = _fall(storm, lines, grounds)
    made = []
    for row in pipes:
        name, line = row.text("pipe"), lines[row.text("pipe")]
        ends = inverts.get(name) or _covered(row, line, ground)
        made.append(
            Feature(
                name,
                line,
                {
                    "system": row.text("system"),
                    "diameter_m": row.real("diameter_m"),
                    "invert_from_m": ends[0],
                    "invert_to_m": ends[1],
                    "from_node": row.text_or_none("from_node"),
                    "to_node": row.text_or_none("to_node"),
                    "material": row.text("material"),
                },
            )
        )
    return made, [_node(row, places, grounds, storm, inverts) for row in nodes]


def _place(row: Row, network: Network, frame: StreetFrame) -> tuple[float, float]:
    if row.text("road_a"):
        return network.nodes[node_name(row.text("road_a"), row.text("road_b"))]
    x, y = frame.to_xy([[row.real("u_m"), row.real("v_m")]])[0]
    return float(x), float(y)


def _line(row: Row, network: Network, places: Mapping[str, tuple[float, float]]) -> Any:
    import shapely
    from shapely.ops import substring

    ends = [places.get(row.text(name)) for name in ("from_node", "to_node")]
    if not row.text("road"):
        return shapely.LineString(ends)
    course = network.roads[row.text("road")].line
    if ends[0] is None:
        at = [network.along(row.text("road"), row.text(n)) for n in ("from_road", "to_road")]
        moved = substring(course, *at).offset_curve(row.real("offset_m"), join_style="mitre")
        return shapely.transform(moved, lambda points: points.round(3))
    at = [float(course.project(shapely.Point(end))) for end in ends]
    bends = [(round(x, 3), round(y, 3)) for x, y in substring(course, *at).coords[1:-1]]
    return shapely.LineString([ends[0], *bends, ends[1]])


def _fall(
    storm: Sequence[Row], lines: Mapping[str, Any], grounds: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    inverts: dict[str, tuple[float, float]] = {}
    waiting = list(storm)
    while waiting:
        ready = [
            row
            for row in waiting
            if all(
                other.text("pipe") in inverts
                for other in storm
                if other.text("to_node") == row.text("from_node")
            )
        ]
        if not ready:
            raise SourceError("authoring.pipe_circle", given=waiting[0].where)
        for row in ready:
            inverts[row.text("pipe")] = _ends(row, storm, lines, grounds, inverts)
        waiting = [row for row in waiting if row.text("pipe") not in inverts]
    return inverts


def _ends(
    row: Row,
    storm: Sequence[Row],
    lines: Mapping[str, Any],
    grounds: Mapping[str, float],
    inverts: Mapping[str, tuple[float, float]],
) -> tuple[float, float]:
    top = row.text("from_node")
    drop = row.real("slope") * float(lines[row.text("pipe")].length)
    covered = min(
        grounds[top] - row.real("cover_m") - row.real("diameter_m"),
        grounds[row.text("to_node")] - row.real("cover_m") - row.real("diameter_m") + drop,
    )
    arriving = [inverts[o.text("pipe")][1] for o in storm if o.text("to_node") == top]
    start = round(min([covered, *arriving]), 3)
    return start, round(start - drop, 3)


def _covered(row: Row, line: Any, ground: Ground) -> tuple[float, float]:
    below = row.real("cover_m") + row.real("diameter_m")
    first, last = line.coords[0], line.coords[-1]
    return round(ground.at(*first) - below, 3), round(ground.at(*last) - below, 3)


def _node(
    row: Row,
    places: Mapping[str, tuple[float, float]],
    grounds: Mapping[str, float],
    storm: Sequence[Row],
    inverts: Mapping[str, tuple[float, float]],
) -> Feature:
    import shapely

    name = row.text("node")
    levels = [inverts[p.text("pipe")][0] for p in storm if p.text("from_node") == name]
    levels += [inverts[p.text("pipe")][1] for p in storm if p.text("to_node") == name]
    return Feature(
        name,
        shapely.Point(places[name]),
        {
            "system": "storm",
            "type": row.text("type"),
            "ground_m": grounds[name],
            "invert_m": min(levels),
        },
    )
