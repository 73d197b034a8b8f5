"""Who drives where: a gravity model from people and jobs, and through traffic at the edge.

Trips between nodes i and j are ``P_i A_j exp(-t_ij / tau) / sum_j A_j exp(-t_ij / tau)``
(singly constrained gravity model, Wilson 1967): people choose among jobs, near ones
more often. Streets that end at the edge of the data carry what comes from outside.
The times t are those of the empty network with every road open: a closed street changes
which way people drive, not where they want to go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.table import FeatureTable
from cim.registry import standard
from cim.traffic.streets import Streets

__all__ = ["Trips", "trips_between"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trips:
    """Demand between nodes.

    Attributes
    ----------
    origin, destination
        (k,) nodes.
    trips_vps
        (k,) vehicles a second.
    residents_vps, through_vps
        How much of it starts at buildings, and at the edge.
    gateways
        Nodes at the edge.
    """

    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    trips_vps: Floats
    residents_vps: float
    through_vps: float
    gateways: NDArray[np.int64]


def trips_between(
    streets: Streets, buildings: FeatureTable | None, *, through_share: float | None = None
) -> Trips:
    """Return the demand of a peak hour.

    Parameters
    ----------
    streets
        The network.
    buildings
        With ``population`` and ``jobs``; None where the twin has none.
    through_share
        Traffic entering at each edge street as a share of its capacity; the registry's
        where None, 0 for none.

    Raises
    ------
    RequestError
        Nobody drives: no people, no edge streets.
    """
    share = standard("traffic.through_share").number() if through_share is None else through_share
    n = len(streets.net.node_xy)
    people, jobs = _at_nodes(streets, buildings, n)
    produced = people * standard("traffic.trips_per_person_h").number() / 3600.0
    gateways, edge_vps = _gateways(streets, share)
    attracted = jobs.copy()
    through = np.zeros(n)
    through[gateways] = edge_vps
    # an edge street draws trips as much as it sends them, on the scale of the jobs
    scale = jobs.sum() / max(produced.sum(), 1e-12) if jobs.sum() > 0 else 1.0
    attracted[gateways] += edge_vps * scale
    source = produced + through
    if not source.sum() > 0 or not attracted.sum() > 0:
        raise RequestError("traffic.no_demand", given=streets.table.layer)
    time_s = _times(streets, np.flatnonzero(source), n)
    tau = standard("traffic.deterrence_s").number()
    origins = np.flatnonzero(source)
    pull = attracted[None, :] * np.exp(-np.nan_to_num(time_s, posinf=1e9) / tau)
    pull[np.arange(len(origins)), origins] = 0.0  # within one corner nobody drives
    total = pull.sum(axis=1, keepdims=True)
    lost = (total[:, 0] <= 0) & (source[origins] > 0)
    flow = source[origins][:, None] * pull / np.where(total > 0, total, 1.0)
    if lost.any():  # no way leads anywhere: kept as demand, so that it is told as unserved
        best = np.argsort(-attracted)[:2]
        for i in np.flatnonzero(lost):
            target = best[0] if best[0] != origins[i] else best[-1]
            flow[i, target] = source[origins[i]]
    row, column = np.nonzero(flow > 1e-12)
    return Trips(
        origin=origins[row],
        destination=column,
        trips_vps=flow[row, column],
        residents_vps=float(produced.sum()),
        through_vps=float(edge_vps.sum()),
        gateways=gateways,
    )


def _at_nodes(streets: Streets, buildings: FeatureTable | None, n: int) -> tuple[Floats, Floats]:
    """Return people and jobs at nodes: each building's at the nearest with a way in and out."""
    people, jobs = np.zeros(n), np.zeros(n)
    if buildings is None or not len(buildings):
        return people, jobs
    import shapely

    usable = np.intersect1d(streets.net.tail, streets.net.head)
    if not len(usable):
        return people, jobs
    there = ~shapely.is_missing(buildings.geometry)
    spots = shapely.centroid(buildings.geometry[there])
    tree = shapely.STRtree(shapely.points(streets.net.node_xy[usable]))
    node = usable[tree.nearest(spots)]
    np.add.at(people, node, buildings.numbers("population", default=0.0)[there])
    np.add.at(jobs, node, buildings.numbers("jobs", default=0.0)[there])
    return people, jobs


def _gateways(streets: Streets, share: float) -> tuple[NDArray[np.int64], Floats]:
    """Return nodes where one street ends at the edge of the network, and what enters there."""
    net = streets.whole  # a street that a closure cuts off does not end at the edge
    n = len(net.node_xy)
    touching: list[set[int]] = [set() for _ in range(n)]
    for tail, head, feature in zip(net.tail, net.head, net.feature, strict=True):
        touching[tail].add(int(feature))
        touching[head].add(int(feature))
    ends = np.array([len(t) == 1 for t in touching], dtype=bool)
    classes = np.array(streets.table.texts("class"), dtype=object)
    main = np.isin(classes, ("trunk", "primary", "secondary", "tertiary"))
    entering = np.zeros(n)
    for link in np.flatnonzero(main[net.feature]):
        entering[net.tail[link]] += streets.whole_capacity_vps[link] * share
    leaving = np.zeros(n, dtype=bool)
    leaving[net.head] = True
    nodes = np.flatnonzero(ends & leaving & (entering > 0))
    return nodes, entering[nodes]


def _times(streets: Streets, origins: NDArray[np.int64], n: int) -> Floats:
    """Return travel times without traffic or closures from each origin to every node."""
    from kernels.traffic.network import network_of
    from kernels.traffic.paths import shortest_tree, tree_of

    sorted_net = network_of(n, streets.whole.tail, streets.whole.head)
    cost = np.ascontiguousarray(streets.whole_free_s[sorted_net.link])
    tree = tree_of(n)
    times = np.empty((len(origins), n))
    for row, origin in enumerate(origins):
        shortest_tree(sorted_net, cost, int(origin), tree)
        times[row] = tree.distance
    return times
