"""What is a road network, a demand and a link cost, as plain arrays?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Demand", "LinkCost", "Network", "demand_of", "network_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


class Network(NamedTuple):
    """The open links of a directed network, sorted by the node they leave (CSR).

    Attributes
    ----------
    first_out
        Shape (nodes + 1,): links ``first_out[v]:first_out[v + 1]`` leave node v.
    tail, head
        Shape (links,): node each link leaves and enters.
    link
        Shape (links,): the link's number in the order the caller gave.
    through
        Shape (nodes,): whether a path may pass through the node. A zone centroid
        that is no street corner has False: paths begin and end there only (the
        "first through node" rule of the TNTP files).
    """

    first_out: Ints
    tail: Ints
    head: Ints
    link: Ints
    through: Flags


class Demand(NamedTuple):
    """Trips between nodes, grouped by origin.

    Attributes
    ----------
    origin
        Shape (origins,): node of each origin, ascending.
    first
        Shape (origins + 1,): entries ``first[o]:first[o + 1]`` start at origin o.
    destination, trips
        Shape (entries,): node where they end, and how many.
    entry
        Shape (entries,): the entry's number in the order the caller gave.
    n_given
        How many entries the caller gave, those without trips included.
    """

    origin: Ints
    first: Ints
    destination: Ints
    trips: Floats
    entry: Ints
    n_given: int


class LinkCost(NamedTuple):
    """Cost of a link as a function of its flow v, in the order the caller numbers links.

    ``cost(v) = free * (1 + factor * (v / capacity) ** power) + fixed``,
    the form of the US Bureau of Public Roads (1964) with a constant added (toll,
    length). All terms are >= 0; `free` and `fixed` share one unit, as do
    `capacity` and the trips of the demand. Each attribute has shape (links,).
    """

    free: Floats
    factor: Floats
    capacity: Floats
    power: Floats
    fixed: Floats


def network_of(
    n_nodes: int,
    tail: npt.ArrayLike,
    head: npt.ArrayLike,
    *,
    through: npt.ArrayLike | None = None,
    closed: npt.ArrayLike | None = None,
) -> Network:
    """Sort links into a network.

    Parameters
    ----------
    n_nodes
        Number of nodes; nodes are 0 to ``n_nodes - 1``.
    tail, head
        Shape (links,): node each link leaves and enters.
    through
        Shape (nodes,) of bool: see `Network`; all nodes when None.
    closed
        Shape (links,) of bool: links left out as if they were not there.
    """
    tail_ = np.asarray(tail, np.int32)
    head_ = np.asarray(head, np.int32)
    keep = np.flatnonzero(~np.asarray(closed, np.bool_)) if closed is not None else None
    link = (np.arange(len(tail_)) if keep is None else keep).astype(np.int32)
    link = link[np.argsort(tail_[link], kind="stable")]
    first_out = np.zeros(n_nodes + 1, np.int32)
    np.cumsum(np.bincount(tail_[link], minlength=n_nodes), out=first_out[1:])
    passes = np.ones(n_nodes, np.bool_) if through is None else np.array(through, np.bool_)
    return Network(first_out, tail_[link], head_[link], link, passes)


def demand_of(origin: npt.ArrayLike, destination: npt.ArrayLike, trips: npt.ArrayLike) -> Demand:
    """Group trips by origin; entries without trips are dropped.

    Parameters
    ----------
    origin, destination
        Shape (entries,): nodes.
    trips
        Shape (entries,): trips, in the unit of the link capacities.
    """
    origin_ = np.asarray(origin, np.int32)
    trips_ = np.asarray(trips, np.float64)
    entry = np.flatnonzero(trips_ > 0.0).astype(np.int32)
    entry = entry[np.argsort(origin_[entry], kind="stable")]
    nodes, count = np.unique(origin_[entry], return_counts=True)
    first = np.zeros(len(nodes) + 1, np.int32)
    np.cumsum(count, out=first[1:])
    to = np.asarray(destination, np.int32)[entry]
    return Demand(nodes.astype(np.int32), first, to, trips_[entry], entry, len(trips_))
