"""Roads of an OpenStreetMap file as a network: cut where they share a node, turns attached.

Two roads meet where they share a node, not where their lines cross: a bridge shares
none with what lies below it. So ways are cut at shared nodes only, and ends that are
one node have the very same coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Road", "Segment", "Segments", "cut_roads", "restrictions"]

_NOWHERE = 2_147_483_647

Values = dict[str, Any]
Turn = tuple[int, dict[str, str], list[tuple[str, int, str]]]
Fault = tuple[str, dict[str, Any]]


class Road(NamedTuple):
    """A way that is a road: part, number, (n, 3) node, x, y in 1e-7 degrees, columns."""

    part: str
    number: int
    points: NDArray[np.int64]
    values: Values


class Segment(NamedTuple):
    """A piece of a road between two meeting points, or a turn at one of them."""

    part: str
    shape: Any
    values: Values


@dataclass
class Segments:
    """All pieces.

    Attributes
    ----------
    rows
        The pieces.
    ends
        (way, node) -> source ids of the pieces of that way that begin or end there.
    cut, lost
        (part, name, missing nodes, nodes) of ways cut at the edge of the extract, and of
        ways of which no two neighbouring nodes are there.
    """

    rows: list[Segment] = field(default_factory=list)
    ends: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    places: dict[int, tuple[float, float]] = field(default_factory=dict)
    cut: list[tuple[str, str, int, int]] = field(default_factory=list)
    lost: list[tuple[str, str, int, int]] = field(default_factory=list)


def cut_roads(roads: Sequence[Road]) -> Segments:
    """Return the roads cut at every node that two roads share or one road passes twice.

    A piece is named by its way and the node it begins at, so that a new crossing
    elsewhere on the way leaves its id as it is.
    """
    out = Segments()
    if not roads:
        return out
    meets = _meeting([road.points[:, 0] for road in roads])
    for road, shared in zip(roads, meets, strict=True):
        name = f"way/{road.number}"
        there = road.points[:, 1] != _NOWHERE
        gone = int((~there).sum())
        stops = np.flatnonzero(shared | ~there)
        stops = np.unique(np.concatenate([[0], stops, [len(there) - 1]]))
        made = _pieces(road, name, stops, there, out)
        if gone and made:
            out.cut.append((road.part, name, gone, len(there)))
        elif not made:
            out.lost.append((road.part, name, gone, len(there)))
    return out


def _meeting(nodes: list[NDArray[np.int64]]) -> list[NDArray[np.bool_]]:
    """Return for every road which of its nodes occur twice and more in all of them."""
    together = np.concatenate(nodes)
    _, which, counts = np.unique(together, return_inverse=True, return_counts=True)
    shared = counts[which] > 1
    return list(np.split(shared, np.cumsum([len(one) for one in nodes])[:-1]))


def _pieces(
    road: Road, name: str, stops: NDArray[np.intp], there: NDArray[np.bool_], out: Segments
) -> int:
    import shapely

    made, seen = 0, set[str]()
    for first, last in zip(stops[:-1].tolist(), stops[1:].tolist(), strict=True):
        run = np.arange(first, last + 1)
        run = run[there[run]]
        if len(run) < 2:
            continue
        points = road.points[run]
        begin, end = int(points[0, 0]), int(points[-1, 0])
        id_ = f"{name}@{begin}"
        while id_ in seen:
            id_ += "+"
        seen.add(id_)
        shape = shapely.LineString(points[:, 1:] / 1e7)
        values = {**road.values, "osm_id": id_, "from_node": str(begin), "to_node": str(end),
                  "way": name}  # fmt: skip
        out.rows.append(Segment(road.part, shape, values))
        for node in (begin, end):
            out.ends.setdefault((road.number, node), []).append(id_)
        out.places[begin] = (points[0, 1] / 1e7, points[0, 2] / 1e7)
        out.places[end] = (points[-1, 1] / 1e7, points[-1, 2] / 1e7)
        made += 1
    return made


def restrictions(
    turns: Sequence[Turn], segments: Segments
) -> Iterator[tuple[str, Fault, Segment | None]]:
    """Yield (name, fault, turn) of every restriction; the turn is None where it has a fault.

    A turn names the pieces of its roads that end and begin at the node it forbids or
    demands the turn at.
    """
    ways = {way for way, _ in segments.ends}
    for number, tags, members in turns:
        name = f"relation/{number}"
        sort = tags.get("restriction") or tags.get("restriction:conditional") or ""
        conditional = tags.get("restriction:conditional")
        roles: dict[str, list[tuple[str, int]]] = {}
        for kind, ref, role in members:
            roles.setdefault(role, []).append((kind, ref))
        via, start, end = (roles.get(role, []) for role in ("via", "from", "to"))
        if not sort or len(via) != 1 or not start or not end:
            yield name, ("source.osm.turn_unclear", {"type": sort or "-"}), None
            continue
        if via[0][0] != "n":
            yield name, ("source.osm.turn_via_way", {"type": sort}), None
            continue
        node = via[0][1]
        lacking = [ref for _, ref in (*start, *end) if ref not in ways]
        first = [id_ for _, ref in start for id_ in segments.ends.get((ref, node), [])]
        last = [id_ for _, ref in end for id_ in segments.ends.get((ref, node), [])]
        if lacking or not first or not last:
            values = {"type": sort, "missing": ", ".join(f"way/{ref}" for ref in lacking) or "-"}
            key = "source.osm.turn_lacks" if lacking else "source.osm.turn_apart"
            yield name, (key, values), None
            continue
        import shapely

        found: Values = {
            "type": sort.partition("@")[0].strip(),
            "from_road": ";".join(first),
            "to_road": ";".join(last),
            "via_node": str(node),
            "except": tags.get("except"),
            "conditional": conditional,
        }
        shape = shapely.Point(*segments.places[node])
        yield name, ("", {}), Segment("turn_restriction", shape, found)
