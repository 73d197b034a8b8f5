"""Which paths from one node are the shortest?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels.traffic.network import Floats, Ints, Network

__all__ = ["Tree", "shortest_tree", "tree_of"]


class Tree(NamedTuple):
    """A shortest path tree.

    Attributes
    ----------
    distance
        Shape (nodes,): cost from the source; inf where no path leads.
    arrival
        Shape (nodes,): link (index into the sorted network) by which the path
        arrives; -1 at the source and where no path leads.
    order
        Shape (nodes,): the reached nodes, nearest first; only the first
        `shortest_tree` returns of them are set.
    heap, place
        Shape (nodes,): scratch.
    """

    distance: Floats
    arrival: Ints
    order: Ints
    heap: Ints
    place: Ints


def tree_of(n_nodes: int) -> Tree:
    """Return an unset tree over `n_nodes` nodes, to be filled by `shortest_tree`."""
    ints = [np.full(n_nodes, -1, np.int32) for _ in range(4)]
    return Tree(np.full(n_nodes, np.inf), ints[0], ints[1], ints[2], ints[3])


@kernel(inline=True)
def _sift_down(heap: Ints, place: Ints, distance: Floats, size: int, node: int) -> None:
    """Put `node` into the hole at the top of a 4-ary heap of `size` entries."""
    key = distance[node]
    hole = 0
    while 4 * hole + 1 < size:
        best = 4 * hole + 1
        least = distance[heap[best]]
        for other in range(best + 1, min(best + 4, size)):
            length = distance[heap[other]]
            if length < least:
                least, best = length, other
        if least >= key:
            break
        heap[hole] = heap[best]
        place[heap[hole]] = hole
        hole = best
    heap[hole] = node
    place[node] = hole


@kernel(inline=True)
def _sift_up(heap: Ints, place: Ints, distance: Floats, start: int, node: int) -> None:
    """Move `node`, whose key fell, from `start` towards the top."""
    key = distance[node]
    hole = start
    while hole > 0:
        parent = (hole - 1) >> 2
        if distance[heap[parent]] <= key:
            break
        heap[hole] = heap[parent]
        place[heap[hole]] = hole
        hole = parent
    heap[hole] = node
    place[node] = hole


@kernel
def shortest_tree(network: Network, cost: Floats, source: int, tree: Tree) -> int:
    """Fill `tree` with the shortest paths from `source`; return how many nodes are reached.

    Dijkstra (1959) with an indexed 4-ary heap. Of equal paths the one found first,
    in the order of the links, is kept: the answer does not depend on the machine.

    Parameters
    ----------
    network
        The links; a node with ``through`` False is entered but left only as source.
    cost
        Shape (links,), >= 0, in the order of the sorted network.
    source
        Node number.
    tree
        Made by `tree_of`; every entry is overwritten.
    """
    distance, arrival, order, heap, place = tree
    first_out, head, through = network.first_out, network.head, network.through
    distance[:] = np.inf
    arrival[:] = -1
    place[:] = -1
    distance[source] = 0.0
    heap[0] = source
    size = 1
    reached = 0
    while size > 0:
        node = heap[0]
        order[reached] = node
        reached += 1
        size -= 1
        if size > 0:
            _sift_down(heap, place, distance, size, heap[size])
        if not through[node] and node != source:
            continue
        for k in range(first_out[node], first_out[node + 1]):
            to = head[k]
            length = distance[node] + cost[k]
            if length < distance[to]:
                if place[to] < 0:
                    place[to] = size
                    size += 1
                distance[to] = length
                arrival[to] = k
                _sift_up(heap, place, distance, place[to], to)
    return reached
