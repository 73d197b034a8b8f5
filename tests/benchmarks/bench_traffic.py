"""How long does the equilibrium take, and a shortest path tree, beside scipy on one core?"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from kernels.traffic.assignment import Equilibrium, result_of, solve, start
from kernels.traffic.cost import costs
from kernels.traffic.network import Demand, LinkCost, Network, demand_of, network_of
from kernels.traffic.paths import shortest_tree, tree_of
from tests.benchmarks.measure import Row, first_and_warm, installed, median_cpu_s
from tests.truths.tntp import read

Case = tuple[Network, LinkCost, Demand]
PUBLISHED = [("Winnipeg", 0.0, 0.0), ("Chicago-Sketch", 0.02, 0.04)]
PEER_GAP = 1e-3  # Frank and Wolfe's method hardly gets further


def bench() -> list[Row]:
    """Return one row a question."""
    town = grid_case(24, zones=60)
    return [
        _tree_row(grid_case(200, zones=2)),
        _against_frank_wolfe("grid 24x24, 60 zones", town),
        *_published(),
    ]


def grid_case(side: int, *, zones: int) -> Case:
    """Return a jittered street grid, both ways, with trips between random corners."""
    dice = np.random.default_rng(3)
    number = np.arange(side * side).reshape(side, side)
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    one = np.concatenate([a.ravel() for a, _ in pairs])
    two = np.concatenate([b.ravel() for _, b in pairs])
    tail, head = np.concatenate([one, two]), np.concatenate([two, one])
    m = len(tail)
    free_s = dice.uniform(8.0, 30.0, m)
    law = LinkCost(
        free_s, np.full(m, 0.15), dice.uniform(0.2, 0.6, m), np.full(m, 4.0), np.zeros(m)
    )
    ends = dice.choice(side * side, zones, replace=False)
    origin, destination = (x.ravel() for x in np.meshgrid(ends, ends, indexing="ij"))
    trips = np.where(origin == destination, 0.0, dice.uniform(0, 0.006, zones * zones))
    return network_of(side * side, tail, head), law, demand_of(origin, destination, trips)


def equilibrium(network: Network, law: LinkCost, demand: Demand, *, gap: float) -> Equilibrium:
    """Solve to a relative gap."""
    state = start(network, law, demand)
    for _ in solve(state, gap=gap):
        pass
    return result_of(state)


def _tree_row(case: Case) -> Row:
    network, law, _ = case
    tree, cost = tree_of(len(network.through)), law.free[network.link]
    sources = range(0, len(network.through), 2000)

    def ours() -> None:
        for source in sources:
            shortest_tree(network, cost, source, tree)

    first_s, warm_s = first_and_warm(ours)
    peer_s = None
    if installed("scipy"):
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        n = len(network.through)
        graph = csr_array((cost, network.head, network.first_out), shape=(n, n))
        peer_s = median_cpu_s(partial(dijkstra, graph, indices=list(sources)))
    what = f"{len(sources)} shortest path trees, 40,000 nodes"
    return Row(what, warm_s, first_s, "scipy csgraph.dijkstra", peer_s,
               note="the peer returns distances only, ours also the trees")  # fmt: skip


def _against_frank_wolfe(name: str, case: Case) -> Row:
    first_s, warm_s = first_and_warm(lambda: equilibrium(*case, gap=PEER_GAP))
    peer_s = median_cpu_s(partial(frank_wolfe, *case), repeats=1) if installed("scipy") else None
    return Row(
        f"equilibrium to {PEER_GAP:g}, {name}", warm_s, first_s, "Frank-Wolfe on scipy", peer_s,
        note="another class of method, written here; not a claim over an assignment program",
    )  # fmt: skip


def frank_wolfe(network: Network, law: LinkCost, demand: Demand) -> float:
    """Frank and Wolfe (1956) with an exact line search and scipy's trees; return the gap."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n, m = len(network.through), len(network.link)
    law = LinkCost(*(term[network.link] for term in law))
    link_of = {pair: k for k, pair in enumerate(zip(network.tail.tolist(), network.head.tolist(),
                                                    strict=True))}  # fmt: skip
    owner = np.repeat(np.arange(len(demand.origin)), np.diff(demand.first))
    flow, cost, slope = np.zeros(m), np.zeros(m), np.zeros(m)
    gap = np.inf
    for step in range(400):
        costs(law, flow, cost, slope)
        graph = csr_array((cost, network.head, network.first_out), shape=(n, n))
        distance, before = dijkstra(graph, indices=demand.origin, return_predecessors=True)
        target = np.zeros(m)
        for o in range(len(demand.origin)):
            need = np.bincount(demand.destination[owner == o], demand.trips[owner == o], n)
            for node in np.argsort(-distance[o]):
                if need[node] > 0 and before[o, node] >= 0:
                    target[link_of[int(before[o, node]), int(node)]] += need[node]
                    need[before[o, node]] += need[node]
        least = float(demand.trips @ distance[owner, demand.destination])
        gap = float(flow @ cost) / least - 1.0 if step else np.inf
        if gap <= PEER_GAP:
            break
        flow = flow + _best_step(law, flow, target - flow) * (target - flow) if step else target
    return gap


def _best_step(law: LinkCost, flow: np.ndarray, way: np.ndarray) -> float:
    low, high = 0.0, 1.0
    cost, slope = np.zeros_like(flow), np.zeros_like(flow)
    for _ in range(30):
        middle = 0.5 * (low + high)
        costs(law, flow + middle * way, cost, slope)
        low, high = (low, middle) if cost @ way > 0 else (middle, high)
    return low


def _published() -> list[Row]:
    folder = os.environ.get("CIM_TESTDATA")
    rows = []
    for name, toll, length in PUBLISHED:
        path = Path(folder or "", "traffic", name)
        if not folder or not path.exists():
            continue
        got = read(path, toll_factor=toll, length_factor=length)
        for gap in (1e-6, 1e-12):
            solved = partial(equilibrium, got.network, got.law, got.demand, gap=gap)
            first_s, warm_s = first_and_warm(solved)
            found = solved()
            note = f"gap {found.relative_gap:.1e}, Z {found.objective:.9g}; reading not counted"
            rows.append(Row(f"equilibrium to {gap:g}, {name}", warm_s, first_s, note=note))
    return rows
