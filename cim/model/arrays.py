"""Arrays derived from tables, for kernels and scenes: rings, prisms, street network.

The tables are the truth. A derived array carries the version it came from and is
made anew when that version moves on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.table import FeatureTable

__all__ = ["Derived", "Network", "Rings", "network", "rings"]


@dataclass(frozen=True)
class Rings:
    """Polygons as flat coordinates, metres relative to `origin`.

    Attributes
    ----------
    xy
        (v, 2) float64, rings closed, outer counter-clockwise, holes clockwise.
    ring_start
        (r + 1,) int64 into `xy`.
    polygon_start
        (p + 1,) int64 into rings; the first ring of a polygon is its outer one.
    feature
        (p,) int64: which row of the table a polygon belongs to.
    """

    xy: NDArray[np.float64]
    ring_start: NDArray[np.int64]
    polygon_start: NDArray[np.int64]
    feature: NDArray[np.int64]
    origin: tuple[float, float]


def rings(table: FeatureTable, *, origin: tuple[float, float] = (0.0, 0.0)) -> Rings:
    """Return the polygons of a layer as flat arrays; rows without a polygon have none.

    Parameters
    ----------
    table
        A layer of polygons or multipolygons in projected metres.
    origin
        Subtracted from x and y.
    """
    import shapely

    plain = _plain_rings(table.geometry, origin)
    if plain is not None:
        return plain
    parts, feature = shapely.get_parts(table.geometry, return_index=True)
    polygons = shapely.get_type_id(parts) == 3
    parts, feature = parts[polygons], feature[polygons]
    parts = shapely.orient_polygons(parts) if len(parts) else parts
    loops, owner = shapely.get_rings(parts, return_index=True)
    coordinates, ring_of = shapely.get_coordinates(loops, return_index=True)
    ring_start = np.searchsorted(ring_of, np.arange(len(loops) + 1)).astype(np.int64)
    polygon_start = np.searchsorted(owner, np.arange(len(parts) + 1)).astype(np.int64)
    return Rings(
        xy=coordinates - np.asarray(origin, dtype=np.float64),
        ring_start=ring_start,
        polygon_start=polygon_start,
        feature=feature.astype(np.int64),
        origin=origin,
    )


def _plain_rings(shapes: NDArray[Any], origin: tuple[float, float]) -> Rings | None:
    """Return the rings of polygons without holes: no ring object is made, a fifth of the time."""
    import shapely

    whole = (shapely.get_type_id(shapes) == 3) & ~shapely.is_empty(shapes)
    if not len(shapes) or not whole.all() or shapely.get_num_interior_rings(shapes).any():
        return None
    xy = shapely.get_coordinates(shapes) - np.asarray(origin, dtype=np.float64)
    n = len(shapes)
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(shapely.get_num_coordinates(shapes), out=start[1:])
    local = xy - np.repeat(xy[start[:-1]], np.diff(start), axis=0)  # small numbers: exact signs
    cross = np.zeros(len(xy))
    cross[:-1] = local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1]
    cross[start[1:] - 1] = 0.0
    turned = np.repeat(np.add.reduceat(cross, start[:-1]) < 0.0, np.diff(start))
    if turned.any():  # clockwise: each ring from its last point to its first
        mirror = np.repeat(start[:-1] + start[1:] - 1, np.diff(start)) - np.arange(len(xy))
        xy = xy[np.where(turned, mirror, np.arange(len(xy)))]
    count = np.arange(n + 1, dtype=np.int64)
    return Rings(xy, start, count, count[:-1].copy(), origin)


@dataclass(frozen=True)
class Network:
    """A directed network from a line layer: nodes where ends meet.

    Attributes
    ----------
    node_xy
        (n, 2) float64, projected metres.
    tail, head
        (m,) int32 nodes of each directed link.
    feature
        (m,) int64: which row of the table a link belongs to.
    forward
        (m,) bool: along the line's own direction or against it.
    length_m
        (m,) float64.
    """

    node_xy: NDArray[np.float64]
    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    feature: NDArray[np.int64]
    forward: NDArray[np.bool_]
    length_m: NDArray[np.float64]


def network(table: FeatureTable, *, snap_m: float = 0.01) -> Network:
    """Return the network of a line layer; ends closer than `snap_m` on its raster are one node.

    Links run both ways unless ``oneway`` is ``yes`` (along the line) or ``reverse``.
    Links whose ``closed`` is true are left out.

    Raises
    ------
    RequestError
        A feature is not a single line, or nothing is open.
    """
    import shapely

    given = table.geometry
    lines = np.where(shapely.get_type_id(given) == 1, given, shapely.line_merge(given))
    single = shapely.get_type_id(lines) == 1
    if not single.all():
        wrong = str(table.ids[np.flatnonzero(~single)[0]])
        raise RequestError(
            "network.not_a_line", given=wrong, values={"count": int((~single).sum())}
        )
    ends = np.concatenate(
        [
            shapely.get_coordinates(shapely.get_point(lines, 0)),
            shapely.get_coordinates(shapely.get_point(lines, -1)),
        ]
    )
    keys = np.round(ends / snap_m).astype(np.int64)
    _, first, node = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    n = len(lines)
    start, end = node.ravel()[:n].astype(np.int32), node.ravel()[n:].astype(np.int32)
    length = shapely.length(lines)
    oneway = np.array(table.texts("oneway", default="no"), dtype=object)
    closed = np.array([bool(v) for v in table.columns.get("closed", np.zeros(n))], dtype=bool)
    along = np.flatnonzero((oneway != "reverse") & ~closed)
    against = np.flatnonzero((oneway != "yes") & ~closed)
    if not len(along) and not len(against):
        raise RequestError("network.empty", given=table.layer)
    feature = np.concatenate([along, against])
    forward = np.concatenate([np.ones(len(along), bool), np.zeros(len(against), bool)])
    return Network(
        node_xy=ends[first],
        tail=np.where(forward, start[feature], end[feature]).astype(np.int32),
        head=np.where(forward, end[feature], start[feature]).astype(np.int32),
        feature=feature.astype(np.int64),
        forward=forward,
        length_m=length[feature],
    )


@dataclass
class Derived:
    """Keeps derived arrays until the version they came from moves on."""

    _kept: dict[str, tuple[object, Any]] = field(default_factory=dict)

    def get(self, what: str, stamp: object, make: Callable[[], Any]) -> Any:
        """Return the array called `what`, made anew when `stamp` differs from the kept one."""
        kept = self._kept.get(what)
        if kept is None or kept[0] != stamp:
            kept = (stamp, make())
            self._kept[what] = kept
        return kept[1]
