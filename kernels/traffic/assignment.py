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

    network: Network
    demand: Demand
    law: LinkCost
    given_law: LinkCost
    bushes: bush.Bushes
    load: bush.Load
    scratch: bush.Scratch
    unserved: Floats
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
    """Load all trips on shortest paths, each origin on the costs the ones before left.

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
    width = min(n_links, n_nodes + n_nodes // 2)
    state = Assignment(
        network, demand, sorted_law, law, bush.bushes_of(n_origins, n_nodes, width),
        bush.load_of(n_links), bush.scratch_of(n_nodes, n_links),
        np.zeros(len(demand.trips)), np.zeros(len(demand.trips)),
    )  # fmt: skip
    costs(state.law, state.load.flow, state.load.cost, state.load.slope)
    bush.plant(
        network, state.law, demand, state.bushes, state.load, tree_of(n_nodes), state.scratch,
        0, n_origins, state.unserved,
    )  # fmt: skip
    return state


def _ranges(state: Assignment, times: int = 1) -> Iterator[tuple[int, int]]:
    """Cut the origins into pieces of about `_SLICE` links passed."""
    size = max(1, _SLICE // max(1, times * len(state.network.link)))
    for begin in range(0, len(state.demand.origin), size):
        yield begin, min(begin + size, len(state.demand.origin))


def slices(state: Assignment) -> Iterator[float]:
    """Do one outer iteration in short slices; yield the share of it that is done.

    The state may be looked at only when the iterator has ended.
    """
    yield from _grow(state)
    law, load, scratch = state.law, state.load, state.scratch
    for done in range(_PASSES):
        for begin, end in _ranges(state):
            bush.spread(law, state.bushes, load, scratch, 1, begin, end)
            yield (done + 1) / (_PASSES + 2)
    bush.totals(state.bushes, load.flow)
    costs(law, load.flow, load.cost, load.slope)
    for begin, end in _ranges(state):
        bush.least_costs(
            state.network, state.demand, state.bushes, load, scratch, state.unserved,
            begin, end, state.least,
        )  # fmt: skip
        yield (_PASSES + 1) / (_PASSES + 2)
    served = state.unserved == 0.0
    least = float(np.sum(state.demand.trips[served] * state.least[served]))
    total = float(load.flow @ load.cost)
    state.relative_gap = max(total / least - 1.0, 0.0) if least > 0.0 else 0.0
    state.iteration += 1
    yield 1.0


def _grow(state: Assignment) -> Iterator[float]:
    """Change the bushes, and even each out twice while its labels are warm."""
    for begin, end in _ranges(state, 4):
        crowded = bush.grow(
            state.network, state.law, state.demand, state.bushes, state.load, state.scratch,
            state.unserved, begin, end,
        )  # fmt: skip
        bush.spread(state.law, state.bushes, state.load, state.scratch, 2, begin, end)
        if crowded:
            width = min(len(state.network.link), 2 * state.bushes.link.shape[1])
            state.bushes = bush.widen(state.bushes, width)
        yield 0.0


def advance(state: Assignment) -> float:
    """Do one outer iteration; return the relative gap reached."""
    for _ in slices(state):
        pass
    return state.relative_gap


def solve(
    state: Assignment, *, gap: float = 1e-6, max_iterations: int = 200
) -> Iterator[Step]:
    """Advance until the relative gap is at most `gap`; yield after every outer iteration.

    Ends also after `max_iterations`: look at the last step's gap.
    """
    while state.iteration < max_iterations:
        yield Step(state.iteration + 1, advance(state))
        if state.relative_gap <= gap:
            return


def result_of(state: Assignment) -> Equilibrium:
    """Return flows, costs and unserved trips in the caller's order of links and entries."""
    given, link, entry = state.given_law, state.network.link, state.demand.entry
    flow = np.zeros(len(given.free))
    flow[link] = state.load.flow
    cost, slope = np.empty_like(flow), np.empty_like(flow)
    costs(given, flow, cost, slope)
    least, unserved = np.zeros(state.demand.n_given), np.zeros(state.demand.n_given)
    least[entry] = state.least
    unserved[entry] = state.unserved
    return Equilibrium(
        flow, cost, state.relative_gap, objective(given, flow), least, unserved, state.iteration
    )
