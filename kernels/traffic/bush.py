"""Which links does an origin use, and how does its flow spread evenly over them?

A *bush* is the acyclic part of the network that one origin uses. Inside it the
longest and the shortest path to every node are found in one pass, so flow can be
moved from the one to the other by Newton's rule until they cost the same; then the
bush itself is changed: unused links leave, links that would shorten a path enter.
Dial, R.B. (2006), "A path-based user-equilibrium traffic assignment algorithm that
obviates path storage and enumeration", Transp. Res. B 40, 917-936; the rule for
entering links is that of Nie, Y. (2010), "A class of bush-based algorithms for the
traffic assignment problem", Transp. Res. B 44, 73-89.

A bush is stored by itself: its nodes in topological order, and for each node its
entering links. All labels are by position in that order, so passes run straight
through memory.

A link w -> v may enter only where max_cost[w] + cost < max_cost[v], and the nodes
are then put in order of max_cost, ties as before. As every kept link has
max_cost[w] + cost <= max_cost[v] with cost >= 0, no cycle can arise, also with
links that cost nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels.traffic.cost import cost_at, slope_at
from kernels.traffic.network import Demand, Flags, Floats, Ints, LinkCost, Network
from kernels.traffic.paths import Tree, shortest_tree

__all__ = ["Bushes", "Load", "Scratch", "Task", "bushes_of", "grow", "least_costs", "load_of"]
__all__ += ["plant", "scratch_of", "spread", "totals", "widen"]

_DUST = 1e-14  # a share of a node's flow below this is moved to the node's other links
_GAIN = 1e-14  # a link enters a bush only for a relative gain above rounding
_EVEN = 1e-15  # paths that differ by less, as a share of their cost, are even


class Bushes(NamedTuple):
    """One bush per origin.

    Attributes
    ----------
    size
        Shape (origins,): nodes in the bush.
    node
        Shape (origins, nodes): its nodes in topological order, the origin first.
    first
        Shape (origins, nodes + 1): slots ``first[p]:first[p + 1]`` enter the node at position p.
    link, tail, flow
        Shape (origins, width): per slot the link, the position of the link's tail, and the flow.
    """

    size: Ints
    node: Ints
    first: Ints
    link: Ints
    tail: Ints
    flow: Floats


class Load(NamedTuple):
    """What is on the links, all origins together: flow, cost and its slope, shape (links,)."""

    flow: Floats
    cost: Floats
    slope: Floats


class Scratch(NamedTuple):
    """Room for the work on one bush; holds nothing between calls.

    Attributes
    ----------
    least, most
        Shape (nodes,): cost of the shortest and the longest path, by position.
    least_slot, most_slot
        Shape (nodes,): slot by which that path arrives.
    need
        Shape (nodes,): flow that must arrive.
    place
        Shape (nodes,): position of each node, -1 outside the bush.
    inside
        Shape (links,): whether the link is in the bush.
    keep
        Shape (links,): whether the slot stays.
    new_link
        Shape (links,): links that enter.
    node, first, link, tail, flow
        Room to rebuild one bush.
    """

    least: Floats
    most: Floats
    least_slot: Ints
    most_slot: Ints
    need: Floats
    place: Ints
    inside: Flags
    keep: Flags
    new_link: Ints
    node: Ints
    first: Ints
    link: Ints
    tail: Ints
    flow: Floats


class Task(NamedTuple):
    """All that the work on the bushes reads and writes.

    Attributes
    ----------
    network, law, demand
        The question; `law` in the order of the sorted network.
    bushes, load
        The answer so far.
    unserved
        Shape (entries,): trips of each entry of the demand that no path serves.
    scratch
        Room to work in.
    """

    network: Network
    law: LinkCost
    demand: Demand
    bushes: Bushes
    load: Load
    unserved: Floats
    scratch: Scratch


def bushes_of(n_origins: int, n_nodes: int, width: int) -> Bushes:
    """Return empty bushes with room for `width` links each."""
    return Bushes(
        np.zeros(n_origins, np.int32),
        np.zeros((n_origins, n_nodes), np.int32),
        np.zeros((n_origins, n_nodes + 1), np.int32),
        np.zeros((n_origins, width), np.int32),
        np.zeros((n_origins, width), np.int32),
        np.zeros((n_origins, width)),
    )


def widen(bushes: Bushes, width: int) -> Bushes:
    """Return the same bushes with room for `width` links each."""
    more = ((0, 0), (0, width - bushes.link.shape[1]))
    link, tail = np.pad(bushes.link, more), np.pad(bushes.tail, more)
    return bushes._replace(link=link, tail=tail, flow=np.pad(bushes.flow, more))


def load_of(n_links: int) -> Load:
    """Return a load of no flow; its costs are unset."""
    return Load(np.zeros(n_links), np.zeros(n_links), np.zeros(n_links))


def scratch_of(n_nodes: int, n_links: int) -> Scratch:
    """Return room for the work on one bush."""
    return Scratch(
        least=np.zeros(n_nodes),
        most=np.zeros(n_nodes),
        least_slot=np.zeros(n_nodes, np.int32),
        most_slot=np.zeros(n_nodes, np.int32),
        need=np.zeros(n_nodes),
        place=np.full(n_nodes, -1, np.int32),
        inside=np.zeros(n_links, np.bool_),
        keep=np.zeros(n_links, np.bool_),
        new_link=np.zeros(n_links, np.int32),
        node=np.zeros(n_nodes, np.int32),
        first=np.zeros(n_nodes + 1, np.int32),
        link=np.zeros(n_links, np.int32),
        tail=np.zeros(n_links, np.int32),
        flow=np.zeros(n_links),
    )


@kernel
def _weigh(law: LinkCost, load: Load, k: int) -> None:
    """Bring cost and slope of link `k` up to its flow."""
    load.cost[k] = cost_at(law, k, load.flow[k])
    load.slope[k] = slope_at(law, k, load.flow[k])


@kernel
def plant(task: Task, tree: Tree, begin: int, end: int) -> None:
    """Start the bushes of origins begin to end as shortest path trees, with all flow on them.

    Origins are loaded one after the other, each on the costs the ones before left.
    Trips that no path serves go into ``task.unserved`` and are not loaded.
    """
    network, law, demand, bushes, load, unserved, scratch = task
    need = scratch.need
    for o in range(begin, end):
        source = demand.origin[o]
        count = shortest_tree(network, load.cost, source, tree)
        bushes.size[o] = count
        need[:] = 0.0
        for e in range(demand.first[o], demand.first[o + 1]):
            to = demand.destination[e]
            if tree.distance[to] == np.inf:
                unserved[e] = demand.trips[e]
            elif to != source:
                need[to] += demand.trips[e]
        for p in range(count):
            scratch.place[tree.order[p]] = p
        for p in range(count - 1, -1, -1):
            node = tree.order[p]
            bushes.node[o, p] = node
            bushes.first[o, p] = max(p - 1, 0)
            if p > 0:
                k = tree.arrival[node]
                bushes.link[o, p - 1] = k
                bushes.tail[o, p - 1] = scratch.place[network.tail[k]]
                bushes.flow[o, p - 1] = need[node]
                need[network.tail[k]] += need[node]
                load.flow[k] += need[node]
                _weigh(law, load, k)
        bushes.first[o, count] = count - 1


@kernel
def _restore(task: Task, o: int) -> None:
    """Scale the flows so that every node gets exactly what it must pass on, from the ends back.

    Removes what rounding has added up, and moves dust to the node's other links.
    Fills `scratch.place` for the nodes of the bush.
    """
    _, _, demand, bushes, load, unserved, scratch = task
    count, node, first = bushes.size[o], bushes.node[o], bushes.first[o]
    link, tail, flow = bushes.link[o], bushes.tail[o], bushes.flow[o]
    need, place = scratch.need, scratch.place
    place[:] = -1
    for p in range(count):
        place[node[p]] = p
        need[p] = 0.0
    for e in range(demand.first[o], demand.first[o + 1]):
        if unserved[e] == 0.0:
            need[place[demand.destination[e]]] += demand.trips[e]
    for p in range(count - 1, 0, -1):
        whole = 0.0
        for j in range(first[p], first[p + 1]):
            if flow[j] > _DUST * need[p]:
                whole += flow[j]
        for j in range(first[p], first[p + 1]):
            kept = flow[j] if flow[j] > _DUST * need[p] else 0.0
            if whole > 0.0:
                kept *= need[p] / whole
            elif j == first[p]:
                kept = need[p]
            load.flow[link[j]] += kept - flow[j]
            flow[j] = kept
            need[tail[j]] += kept


@kernel
def _prune(task: Task, o: int) -> int:
    """Mark the slots that stay: with flow, or on a shortest path; label the paths over them.

    Returns how many stay.
    """
    bushes, load, scratch = task.bushes, task.load, task.scratch
    count, first, link = bushes.size[o], bushes.first[o], bushes.link[o]
    tail, flow = bushes.tail[o], bushes.flow[o]
    least, most = scratch.least, scratch.most
    least[0] = most[0] = 0.0
    kept = 0
    for p in range(1, count):
        best = np.inf
        slot = -1
        for j in range(first[p], first[p + 1]):
            length = least[tail[j]] + load.cost[link[j]]
            if length < best:
                best, slot = length, j
        least[p] = best
        longest = -1.0
        for j in range(first[p], first[p + 1]):
            stays = flow[j] > 0.0 or j == slot
            scratch.keep[j] = stays
            if stays:
                kept += 1
                scratch.inside[link[j]] = True
                longest = max(longest, most[tail[j]] + load.cost[link[j]])
        most[p] = longest
    return kept


@kernel
def _find(task: Task, o: int, room: int, strict: bool) -> int:
    """List in `scratch.new_link` the links that may enter; return how many, at most `room`.

    `strict` demands that the link shortens the shortest path too.
    """
    network, bushes, load, scratch = task.network, task.bushes, task.load, task.scratch
    least, most, place = scratch.least, scratch.most, scratch.place
    found = 0
    for p in range(bushes.size[o]):
        node = bushes.node[o, p]
        if p > 0 and not network.through[node]:
            continue
        for k in range(network.first_out[node], network.first_out[node + 1]):
            q = place[network.head[k]]
            if q <= 0 or scratch.inside[k]:
                continue
            if most[p] + load.cost[k] >= most[q] * (1.0 - _GAIN):
                continue
            if strict and least[p] + load.cost[k] >= least[q] * (1.0 - _GAIN):
                continue
            if found == room:
                return found
            scratch.new_link[found] = k
            found += 1
    return found


@kernel
def _rebuild(task: Task, o: int, added: int) -> None:
    """Write the bush anew with the slots that stay and the `added` links that enter."""
    network, bushes, scratch = task.network, task.bushes, task.scratch
    count, node, first = bushes.size[o], bushes.node[o], bushes.first[o]
    link, tail, flow = bushes.link[o], bushes.tail[o], bushes.flow[o]
    place, room = scratch.place, scratch.first
    order = np.argsort(scratch.most[:count], kind="mergesort")
    room[: count + 1] = 0
    for p in range(count):
        scratch.node[p] = node[order[p]]
        place[scratch.node[p]] = p
    for p in range(1, count):
        for j in range(first[p], first[p + 1]):
            if scratch.keep[j]:
                room[place[node[p]] + 1] += 1
    for i in range(added):
        room[place[network.head[scratch.new_link[i]]] + 1] += 1
    for p in range(count):
        room[p + 1] += room[p]
    for p in range(1, count):
        for j in range(first[p], first[p + 1]):
            if scratch.keep[j]:
                q = place[node[p]]
                scratch.link[room[q]] = link[j]
                scratch.tail[room[q]] = place[node[tail[j]]]
                scratch.flow[room[q]] = flow[j]
                room[q] += 1
    for i in range(added):
        k = scratch.new_link[i]
        q = place[network.head[k]]
        scratch.link[room[q]] = k
        scratch.tail[room[q]] = place[network.tail[k]]
        scratch.flow[room[q]] = 0.0
        room[q] += 1
    total = room[count - 1]
    node[:count] = scratch.node[:count]
    link[:total] = scratch.link[:total]
    tail[:total] = scratch.tail[:total]
    flow[:total] = scratch.flow[:total]
    first[0] = 0
    first[1 : count + 1] = room[:count]


@kernel
def grow(task: Task, begin: int, end: int) -> bool:
    """Change the bushes of origins begin to end: drop unused links, let better ones enter.

    Returns whether any bush had less room than links that wanted to enter.
    """
    network, law, _, bushes, load, _, scratch = task
    crowded = False
    for o in range(begin, end):
        _restore(task, o)
        kept = _prune(task, o)
        room = bushes.link.shape[1] - kept
        added = _find(task, o, room, True)
        if added == 0:
            added = _find(task, o, room, False)
        crowded = crowded or (added == room and bushes.link.shape[1] < network.head.shape[0])
        for j in range(bushes.first[o, bushes.size[o]]):
            k = bushes.link[o, j]
            scratch.inside[k] = False
            _weigh(law, load, k)
        _rebuild(task, o, added)
    return crowded


@kernel
def _label(task: Task, o: int) -> None:
    """Label each node with its shortest path and its longest used one, if any is used."""
    bushes, load, scratch = task.bushes, task.load, task.scratch
    count, first, link = bushes.size[o], bushes.first[o], bushes.link[o]
    tail, flow = bushes.tail[o], bushes.flow[o]
    least, most = scratch.least, scratch.most
    least_slot, most_slot, cost = scratch.least_slot, scratch.most_slot, load.cost
    least[0] = most[0] = 0.0
    for p in range(1, count):
        j = first[p]
        near = far = j
        best = least[tail[j]] + cost[link[j]]
        longest = most[tail[j]] + cost[link[j]]
        if first[p + 1] - j > 1:
            if flow[j] <= 0.0:
                longest, far = -1.0, -1
            for i in range(j + 1, first[p + 1]):
                if least[tail[i]] + cost[link[i]] < best:
                    best, near = least[tail[i]] + cost[link[i]], i
                if flow[i] > 0.0 and most[tail[i]] + cost[link[i]] > longest:
                    longest, far = most[tail[i]] + cost[link[i]], i
            if far < 0:
                longest, far = best, near
        least[p], most[p] = best, longest
        least_slot[p], most_slot[p] = near, far


@kernel
def _level(task: Task, o: int) -> None:
    """From the last node back, move flow from its longest used path to its shortest."""
    bushes, load, scratch = task.bushes, task.load, task.scratch
    link, tail, flow = bushes.link[o], bushes.tail[o], bushes.flow[o]
    least, most = scratch.least, scratch.most
    least_slot, most_slot = scratch.least_slot, scratch.most_slot
    for p in range(bushes.size[o] - 1, 0, -1):
        near, far = least_slot[p], most_slot[p]
        if near == far or flow[far] <= 0.0 or most[p] - least[p] <= _EVEN * least[p]:
            continue
        gain = load.cost[link[far]] - load.cost[link[near]]
        slope = load.slope[link[far]] + load.slope[link[near]]
        movable = flow[far]
        a, b = tail[near], tail[far]
        while a != b:  # back to where the two paths part
            if a > b:
                j = least_slot[a]
                gain -= load.cost[link[j]]
                a = tail[j]
            else:
                j = most_slot[b]
                gain += load.cost[link[j]]
                movable = min(movable, flow[j])
                b = tail[j]
            slope += load.slope[link[j]]
        if gain <= 0.0 or movable <= 0.0:
            continue
        if slope > 0.0:
            movable = min(movable, gain / slope)
        _move(task, o, p, a, movable)


@kernel
def _move(task: Task, o: int, start: int, end: int, amount: float) -> None:
    """Move flow from the longest used to the shortest path between positions end and start."""
    law, load, scratch = task.law, task.load, task.scratch
    link, tail, flow = task.bushes.link[o], task.bushes.tail[o], task.bushes.flow[o]
    p = start
    while p != end:
        j = scratch.least_slot[p]
        flow[j] += amount
        load.flow[link[j]] += amount
        _weigh(law, load, link[j])
        p = tail[j]
    p = start
    while p != end:
        j = scratch.most_slot[p]
        flow[j] -= amount
        load.flow[link[j]] = max(load.flow[link[j]] - amount, 0.0)
        _weigh(law, load, link[j])
        p = tail[j]


@kernel
def spread(task: Task, times: int, begin: int, end: int) -> None:
    """Even out the path costs inside the bushes of origins begin to end, `times` passes each."""
    for o in range(begin, end):
        for _ in range(times):
            _label(task, o)
            _level(task, o)


@kernel
def totals(bushes: Bushes, flow: Floats) -> None:
    """Add up the flows of all bushes, in the order of the origins, into `flow`."""
    flow[:] = 0.0
    for o in range(bushes.size.shape[0]):
        for j in range(bushes.first[o, bushes.size[o]]):
            flow[bushes.link[o, j]] += bushes.flow[o, j]


@kernel
def least_costs(task: Task, begin: int, end: int, least: Floats) -> None:
    """Fill `least`, shape (entries,), with the cost of each entry's shortest path in the network.

    Starts from the labels of the bush, which are paths and so never too short, and
    corrects them over *all* links until no link shortens any: the shortest paths of
    the whole network, at the price of a pass or two. Unserved entries get inf.
    """
    network, _, demand, bushes, load, unserved, scratch = task
    distance = scratch.need
    for o in range(begin, end):
        _label(task, o)
        distance[:] = np.inf
        for p in range(bushes.size[o]):
            distance[bushes.node[o, p]] = scratch.least[p]
        changed = True
        while changed:
            changed = False
            for p in range(bushes.size[o]):
                node = bushes.node[o, p]
                if p > 0 and not network.through[node]:
                    continue
                for k in range(network.first_out[node], network.first_out[node + 1]):
                    length = distance[node] + load.cost[k]
                    if length < distance[network.head[k]]:
                        distance[network.head[k]] = length
                        changed = True
        for e in range(demand.first[o], demand.first[o + 1]):
            served = unserved[e] == 0.0
            least[e] = distance[demand.destination[e]] if served else np.inf
