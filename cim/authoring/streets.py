"""Streets: courses in a table become a network whose links share their end nodes exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.tables import Row
from cim.errors import SourceError

__all__ = ["Link", "Network", "Road", "make_network", "node_name", "road_features"]

_END_SLACK_M = 0.01  # a T-junction's end lies on the other course up to rounding
_VERTEX_SLACK_M = 2.0  # a bend this close to a crossing is the crossing


@dataclass(frozen=True)
class Road:
    """A named road: its course (shapely line, projected metres) and its row of facts."""

    name: str
    line: Any
    row: Row

    @property
    def width_m(self) -> float:
        """Return the width between the walls."""
        return self.row.real("width_m")

    @property
    def carriageway_m(self) -> float:
        """Return the width between the kerbs."""
        return self.row.real("carriageway_m")


@dataclass(frozen=True)
class Link:
    """A piece of a road between two nodes; its ends are the nodes' coordinates."""

    road: str
    order: int
    from_node: str
    to_node: str
    line: Any


@dataclass(frozen=True)
class Network:
    """Roads by name, nodes by name (projected metres, whole millimetres), links in order."""

    roads: Mapping[str, Road]
    nodes: Mapping[str, tuple[float, float]]
    links: Sequence[Link]

    def along(self, road: str, node: str) -> float:
        """Return how far along `road` the crossing with road `node` lies, metres."""
        import shapely

        place = self.nodes[node_name(road, node)]
        return float(self.roads[road].line.project(shapely.Point(place)))


def node_name(road_a: str, road_b: str) -> str:
    """Return the name of the crossing of two roads, in either order."""
    return "×".join(sorted((road_a, road_b)))


def make_network(rows: Sequence[Row], courses: Sequence[Row], frame: StreetFrame) -> Network:
    """Return the routable network of ``roads.csv`` and ``courses.csv``.

    Courses are drawn longer than the road; a road that says where it starts or ends is cut
    at its crossing with that road. Every crossing becomes a node of both.

    Raises
    ------
    SourceError
        A road ends at a road that its course does not meet.
    """
    from shapely.ops import substring

    raw = {row.text("name"): _course(row.text("name"), courses, frame) for row in rows}
    span = {row.text("name"): _span(row, raw) for row in rows}
    events: dict[str, list[tuple[float, str]]] = {name: [] for name in raw}
    nodes: dict[str, tuple[float, float]] = {}
    for one, other in combinations(raw, 2):
        for point in _meetings(raw[one], raw[other]):
            at = {name: raw[name].project(point) for name in (one, other)}
            if all(_within(at[name], span[name]) for name in at):
                label = node_name(one, other)
                nodes[label] = (round(point.x, 3), round(point.y, 3))
                for name, place in at.items():
                    events[name].append((place, label))
    links: list[Link] = []
    roads: dict[str, Road] = {}
    for row in rows:
        name = row.text("name")
        _add_free_ends(name, raw[name], span[name], events[name], nodes)
        pieces = _links(name, raw[name], sorted(events[name]), nodes)
        links += pieces
        roads[name] = Road(name, substring(raw[name], *span[name]), row)
    return Network(roads, nodes, links)


def road_features(network: Network, speed_kmh: Mapping[str, int]) -> list[Feature]:
    """Return one feature a link, with the Chinese column names of a survey office's file.

    Parameters
    ----------
    speed_kmh
        Free-flow speed by class of road.
    """
    features = []
    for link in network.links:
        row = network.roads[link.road].row
        label = row.text("class")
        features.append(
            Feature(
                f"{link.road}-{link.order:02d}",
                link.line,
                {
                    "路名": link.road,
                    "旧名": row.text_or_none("former_name"),
                    "等级": label,
                    "宽度_m": row.real("width_m"),
                    "车行道宽_m": row.real("carriageway_m"),
                    "单向车道数": row.whole("lanes"),
                    "单行": row.text("oneway"),
                    "限速_kmh": speed_kmh[label],
                    "起点": link.from_node,
                    "终点": link.to_node,
                },
            )
        )
    return features


def _course(name: str, courses: Sequence[Row], frame: StreetFrame) -> Any:
    import shapely

    places = [(r.real("u_m"), r.real("v_m")) for r in courses if r.text("road") == name]
    if len(places) < 2:
        raise SourceError("authoring.no_course", given=name)
    return shapely.LineString(frame.to_xy(places))


def _span(row: Row, raw: Mapping[str, Any]) -> tuple[float, float]:
    name = row.text("name")
    line = raw[name]
    ends = [0.0, float(line.length)]
    for index, column in enumerate(("starts_at", "ends_at")):
        other = row.text(column)
        if not other:
            continue
        points = _meetings(line, raw[other]) if other in raw else []
        if not points:
            raise SourceError("authoring.no_meeting", given=row.where, values={"other": other})
        ends[index] = float(line.project(points[0]))
    return ends[0], ends[1]


def _meetings(one: Any, other: Any) -> list[Any]:
    crossing = one.intersection(other)
    return [part for part in getattr(crossing, "geoms", [crossing]) if part.geom_type == "Point"]


def _within(place: float, span: tuple[float, float]) -> bool:
    return span[0] - _END_SLACK_M <= place <= span[1] + _END_SLACK_M


def _add_free_ends(
    name: str,
    line: Any,
    span: tuple[float, float],
    events: list[tuple[float, str]],
    nodes: dict[str, tuple[float, float]],
) -> None:
    for label, place in ((f"{name}·起", span[0]), (f"{name}·终", span[1])):
        if all(abs(place - at) > _END_SLACK_M for at, _ in events):
            point = line.interpolate(place)
            nodes[label] = (round(point.x, 3), round(point.y, 3))
            events.append((place, label))


def _links(
    name: str,
    line: Any,
    events: Sequence[tuple[float, str]],
    nodes: Mapping[str, tuple[float, float]],
) -> list[Link]:
    import shapely

    bends = np.asarray(line.coords)
    at_bend = [float(line.project(shapely.Point(bend))) for bend in bends]
    links = []
    for order, ((start, one), (stop, other)) in enumerate(pairwise(events), start=1):
        between = [
            (float(bend[0]), float(bend[1]))
            for bend, at in zip(bends, at_bend, strict=True)
            if start + _VERTEX_SLACK_M < at < stop - _VERTEX_SLACK_M
        ]
        path = shapely.LineString([nodes[one], *between, nodes[other]])
        links.append(Link(name, order, one, other, path))
    return links
