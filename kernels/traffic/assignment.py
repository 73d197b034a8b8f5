"""Which flows does traffic settle into when every driver takes the cheapest path?

Wardrop's user equilibrium (1952): all used paths between two places cost the same,
and no unused one costs less. Solved origin by origin on bushes (see
`kernels.traffic.bush`). One thread, fixed order: the same answer everywhere.

Examples
--------
>>> net = network_of(2, [0, 0], [1, 1])
>>> law = LinkCost(*np.array([[10.0, 15], [0.1, 0.0], [1, 1], [1, 1], [0, 0]]))
>>> state = start(net, law, demand_of([0], [1], [8.0]))
>>> for step in solve(state, gap=1e-12): pass
>>> result_of(state).flow.round(9).tolist()
[5.0, 3.0]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernels.traffic import bush
from kernels.traffic.cost import costs, objective
from kernels.traffic.network import Demand, Floats, LinkCost, Network, demand_of, network_of
from kernels.traffic.paths import tree_of

__all__ = ["Assignment", "Equilibrium", "LinkCost", "Step", "advance", "demand_of", "network_of"]
__all__ += ["result_of", "slices", "solve", "start"]

_SLICE = 2_000_000  # bush links passed per call: some 10 ms, so a cancel is felt at once
_PASSES = 20  # evening passes between two changes of the bushes


@dataclass
class Assignment:
    """An assignment under way; made by `start`, moved on by `advance` or `slices`.

    Attributes
    ----------
    iteration
        Outer iterations done.
    relative_gap
        Total cost of the flows over the cost of the same trips on the shortest paths
        of the whole network at these costs, less one. Zero in equilibrium.
    """

    task: bush.Task
    given_law: LinkCost
    least: Floats
    iteration: int = 0
    relative_gap: float = np.inf


class Step(NamedTuple):
    """How far an assignment is: outer iterations done, and the relative gap reached."""

    iteration: int
    relative_gap: float


class Equilibrium(NamedTuple):
    """The flows found.

    Attributes
    ----------
    flow, cost
        Shape (links,), in the caller's order of links: flow, and cost at that flow.
        Closed links carry 0 and show their cost without flow.
    relative_gap
        See `Assignment`.
    objective
        The sum of the cost integrals over the flows (Beckmann).
    least_cost
        Shape (entries,), in the caller's order of demand: cost of the shortest path;
        0 within one node, inf where no path leads.
    unserved
        Shape (entries,): trips that no path serves; they are on no link.
    iterations
        Outer iterations done.
    """

    flow: Floats
    cost: Floats
    relative_gap: float
    objective: float
    least_cost: Floats
    unserved: Floats
    iterations: int


def start(network: Network, law: LinkCost, demand: Demand) -> Assignment:
    """Prepare an assignment; nothing is loaded yet.

    Parameters
    ----------
    network
        Made by `network_of`.
    law
        Shape (links,) each, in the order the links were given to `network_of`.
    demand
        Made by `demand_of`.
    """
    n_nodes, n_links, n_origins = len(network.through), len(network.link), len(demand.origin)
    sorted_law = LinkCost(*(np.ascontiguousarray(term[network.link], float) for term in law))
    task = bush.Task(
        network,
        sorted_law,
        demand,
        bush.bushes_of(n_origins, n_nodes, min(n_links, n_nodes + n_nodes // 2)),
        bush.load_of(n_links),
        np.zeros(len(demand.trips)),
        bush.scratch_of(n_nodes, n_links),
    )
    costs(sorted_law, task.load.flow, task.load.cost, task.load.slope)
    return Assignment(task, law, np.zeros(len(demand.trips)))


def _ranges(task: bush.Task, times: int) -> Iterator[tuple[int, int]]:
    """Cut the origins into pieces of about `_SLICE` links passed."""
    size = max(1, _SLICE // max(1, times * len(task.network.link)))
    for begin in range(0, len(task.demand.origin), size):
        yield begin, min(begin + size, len(task.demand.origin))


def slices(state: Assignment) -> Iterator[float]:
    """Do one outer iteration in short slices; yield the share of it that is done.

    The first one loads the trips on shortest paths before. The state may be looked at
    only when the iterator has ended.
    """
    if state.iteration == 0:
        tree = tree_of(len(state.task.network.through))
        for begin, end in _ranges(state.task, 20):
            bush.plant(state.task, tree, begin, end)
            yield 0.0
    for begin, end in _ranges(state.task, 4):
        crowded = bush.grow(state.task, begin, end)
        bush.spread(state.task, 2, begin, end)
        if crowded:
            _make_room(state)
        yield 0.0
    task = state.task
    for done in range(_PASSES):
        for begin, end in _ranges(task, 1):
            bush.spread(task, 1, begin, end)
            yield done / _PASSES
    bush.totals(task.bushes, task.load.flow)
    costs(task.law, task.load.flow, task.load.cost, task.load.slope)
    for begin, end in _ranges(task, 2):
        bush.least_costs(task, begin, end, state.least)
        yield 1.0
    served = task.unserved == 0.0
    least = float(np.sum(task.demand.trips[served] * state.least[served]))
    total = float(task.load.flow @ task.load.cost)
    state.relative_gap = max(total / least - 1.0, 0.0) if least > 0.0 else 0.0
    state.iteration += 1


def _make_room(state: Assignment) -> None:
    width = min(len(state.task.network.link), 2 * state.task.bushes.link.shape[1])
    state.task = state.task._replace(bushes=bush.widen(state.task.bushes, width))


def advance(state: Assignment) -> float:
    """Do one outer iteration; return the relative gap reached."""
    for _ in slices(state):
        pass
    return state.relative_gap


def solve(state: Assignment, *, gap: float = 1e-6, max_iterations: int = 200) -> Iterator[Step]:
    """Advance until the relative gap is at most `gap`; yield after every outer iteration.

    Ends also after `max_iterations`: look at the last step's gap.
    """
    while state.iteration < max_iterations:
        yield Step(state.iteration + 1, advance(state))
        if state.relative_gap <= gap:
            return


def result_of(state: Assignment) -> Equilibrium:
    """Return flows, costs and unserved trips in the caller's order of links and entries."""
    task, given = state.task, state.given_law
    flow = np.zeros(len(given.free))
    flow[task.network.link] = task.load.flow
    cost, slope = np.empty_like(flow), np.empty_like(flow)
    costs(given, flow, cost, slope)
    least, unserved = np.zeros(task.demand.n_given), np.zeros(task.demand.n_given)
    least[task.demand.entry] = state.least
    unserved[task.demand.entry] = task.unserved
    return Equilibrium(
        flow, cost, state.relative_gap, objective(given, flow), least, unserved, state.iteration
    )
