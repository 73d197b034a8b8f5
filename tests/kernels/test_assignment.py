"""User equilibrium and shortest paths against analytic answers and plain Python."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.traffic.assignment import (
    Equilibrium,
    LinkCost,
    advance,
    demand_of,
    network_of,
    result_of,
    slices,
    solve,
    start,
)
from kernels.traffic.cost import cost_at, objective, slope_at
from kernels.traffic.paths import shortest_tree, tree_of

# Braess (1968), with the numbers of the TNTP collection: nodes 0 start, 1 end.
BRAESS_TAIL, BRAESS_HEAD = [0, 0, 2, 2, 3], [2, 3, 1, 3, 1]
BRAESS_LAW = (
    [0.0, 50.0, 50.0, 10.0, 0.0],
    [10.0, 1.0, 1.0, 1.0, 10.0],
)


def linear(fixed, slope):
    """Cost fixed + slope * flow, written in the kernel's form."""
    fixed, slope = np.asarray(fixed, float), np.asarray(slope, float)
    ones = np.ones_like(slope)
    return LinkCost(slope, ones, ones, ones, fixed - slope)


def law_of(n, *, free=1.0, factor=0.15, capacity=1.0, power=4.0, fixed=0.0):
    return LinkCost(*(np.broadcast_to(np.asarray(x, float), n).copy() for x in
                      (free, factor, capacity, power, fixed)))  # fmt: skip


def equilibrium(network, law, demand, *, gap=1e-12, max_iterations=200) -> Equilibrium:
    state = start(network, law, demand)
    for _ in solve(state, gap=gap, max_iterations=max_iterations):
        pass
    return result_of(state)


def plain_distances(n_nodes, ends, cost, source, through):
    """Bellman and Ford, as in the books."""
    distance = [np.inf] * n_nodes
    distance[source] = 0.0
    for _ in range(n_nodes):
        for (a, b), c in zip(ends, cost, strict=True):
            if through[a] or a == source:
                distance[b] = min(distance[b], distance[a] + c)
    return distance


def plain_frank_wolfe(n_nodes, ends, law, trips, steps):
    """Frank and Wolfe (1956) by averaging, slow and simple: all-or-nothing, step 2/(k+2)."""
    flow = np.zeros(len(ends))
    for step in range(steps):
        cost = law.free * (1 + law.factor * (flow / law.capacity) ** law.power) + law.fixed
        target = np.zeros_like(flow)
        for origin, destination, amount in trips:
            node, distance = destination, [np.inf] * n_nodes
            distance[origin], arrival = 0.0, {}
            for _ in range(n_nodes):
                for k, (a, b) in enumerate(ends):
                    if distance[a] + cost[k] < distance[b]:
                        distance[b], arrival[b] = distance[a] + cost[k], k
            while node != origin:
                target[arrival[node]] += amount
                node = ends[arrival[node]][0]
        flow += (target - flow) * 2.0 / (step + 2.0)
    return flow


def net_outflow(n_nodes, tail, head, flow):
    return np.bincount(tail, flow, n_nodes) - np.bincount(head, flow, n_nodes)


def test_braess_the_bridge_makes_everyone_pay_92():
    result = equilibrium(
        network_of(4, BRAESS_TAIL, BRAESS_HEAD),
        linear(BRAESS_LAW[0], BRAESS_LAW[1]),
        demand_of([0], [1], [6.0]),
    )
    assert result.flow == pytest.approx([4, 2, 2, 2, 4], abs=1e-9)
    assert result.least_cost == pytest.approx([92.0], abs=1e-9)
    assert result.objective == pytest.approx(386.0, abs=1e-9)
    assert result.relative_gap < 1e-12


def test_braess_closing_the_bridge_lowers_the_cost_to_83_and_raises_the_objective():
    closed = np.array([False, False, False, True, False])
    result = equilibrium(
        network_of(4, BRAESS_TAIL, BRAESS_HEAD, closed=closed),
        linear(BRAESS_LAW[0], BRAESS_LAW[1]),
        demand_of([0], [1], [6.0]),
    )
    assert result.flow == pytest.approx([3, 3, 3, 0, 3], abs=1e-9)
    assert result.flow[3] == 0.0
    assert result.least_cost == pytest.approx([83.0], abs=1e-9)
    assert result.objective == pytest.approx(399.0, abs=1e-9)


def test_two_roads_share_so_that_both_cost_the_same():
    # 10 + v = 15 by hand: 5 on the first road, the other 3 on the second
    law = law_of(2, free=[10.0, 15.0], factor=[0.1, 0.0], power=1.0)
    result = equilibrium(network_of(2, [0, 0], [1, 1]), law, demand_of([0], [1], [8.0]))
    assert result.flow == pytest.approx([5.0, 3.0], abs=1e-12)
    assert result.cost == pytest.approx([15.0, 15.0], abs=1e-12)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.7, 4.0])
def test_two_roads_with_any_power_meet_at_the_flow_solved_by_hand(power):
    # road A: 10 (1 + 0.5 v^p), road B constant 12: v = (0.2 / 0.5)^(1/p)
    law = law_of(2, free=[10.0, 12.0], factor=[0.5, 0.0], power=power)
    result = equilibrium(network_of(2, [0, 0], [1, 1]), law, demand_of([0], [1], [2.0]))
    assert result.flow[0] == pytest.approx(0.4 ** (1 / power), rel=1e-9)


def test_a_constant_cost_network_is_loaded_on_its_shortest_paths():
    law = law_of(3, free=[1.0, 1.0, 3.0], power=0.0, factor=1.0)
    result = equilibrium(network_of(3, [0, 1, 0], [1, 2, 2]), law, demand_of([0], [2], [7.0]))
    assert result.flow.tolist() == [7.0, 7.0, 0.0]
    assert result.cost.tolist() == [2.0, 2.0, 6.0]
    assert result.iterations == 1


def test_trips_to_a_place_no_path_reaches_are_reported_and_not_loaded():
    network = network_of(4, [0, 1, 3], [1, 0, 0], closed=[False, False, True])
    demand = demand_of([0, 3, 0, 1], [3, 0, 1, 0], [5.0, 2.0, 4.0, 1.0])
    result = equilibrium(network, law_of(3), demand)
    assert result.unserved.tolist() == [5.0, 2.0, 0.0, 0.0]
    assert result.flow == pytest.approx([4.0, 1.0, 0.0])
    assert np.isinf(result.least_cost[:2]).all()
    assert result.relative_gap < 1e-12


def test_trips_within_a_node_are_served_at_no_cost_and_load_nothing():
    result = equilibrium(network_of(2, [0], [1]), law_of(1), demand_of([0, 0], [0, 1], [9.0, 1.0]))
    assert result.flow.tolist() == [1.0]
    assert result.unserved.tolist() == [0.0, 0.0]
    assert result.least_cost[0] == 0.0


def test_nobody_passes_through_a_node_that_is_no_street_corner():
    # 0 -> 1 -> 2 is short but 1 is a zone; 0 -> 3 -> 2 is long
    network = network_of(4, [0, 1, 0, 3], [1, 2, 3, 2], through=[False, False, False, True])
    law = law_of(4, free=[1.0, 1.0, 5.0, 5.0], factor=0.0)
    result = equilibrium(network, law, demand_of([0, 1], [2, 2], [3.0, 1.0]))
    assert result.flow.tolist() == [0.0, 1.0, 3.0, 3.0]


def test_a_ring_of_links_that_cost_nothing_makes_no_cycle():
    # two parallel rings of zero cost links between congested ones
    tail = [0, 1, 2, 3, 1, 2, 3, 0, 3]
    head = [1, 2, 3, 1, 3, 1, 4, 2, 2]
    law = law_of(9, free=[1, 0, 0, 0, 0, 0, 1, 1, 0], factor=1.0, power=4.0)
    result = equilibrium(network_of(5, tail, head), law, demand_of([0], [4], [2.0]))
    assert result.relative_gap < 1e-12
    assert result.flow[0] == pytest.approx(1.0, abs=1e-9)  # by symmetry of 0-1 and 0-2
    assert net_outflow(5, tail, head, result.flow) == pytest.approx([2, 0, 0, 0, -2], abs=1e-12)


def test_entries_between_the_same_nodes_add_up():
    law, network = law_of(2, power=1.0), network_of(2, [0, 0], [1, 1])
    once = equilibrium(network, law, demand_of([0], [1], [3.0]))
    thrice = equilibrium(network, law, demand_of([0, 0, 0], [1, 1, 1], [1.0, 0.0, 2.0]))
    assert thrice.flow == pytest.approx(once.flow, abs=1e-12)
    assert len(thrice.least_cost) == 3


def test_no_demand_gives_no_flow_and_no_gap():
    result = equilibrium(network_of(2, [0], [1]), law_of(1), demand_of([], [], []))
    assert result.flow.tolist() == [0.0]
    assert result.relative_gap == 0.0


def grid_case(n=5, seed=3):
    """Return an n x n street grid, both ways, with random costs and trips."""
    rng = np.random.default_rng(seed)
    pairs = [(i * n + j, i * n + j + 1) for i in range(n) for j in range(n - 1)]
    pairs += [(i * n + j, (i + 1) * n + j) for i in range(n - 1) for j in range(n)]
    tail = np.array([a for a, b in pairs] + [b for a, b in pairs])
    head = np.array([b for a, b in pairs] + [a for a, b in pairs])
    law = law_of(
        len(tail), free=rng.uniform(1, 3, len(tail)), capacity=rng.uniform(1, 4, len(tail))
    )
    origin, destination = rng.integers(0, n * n, (2, 60))
    return n * n, tail, head, law, origin, destination, rng.uniform(0, 1, 60)


def test_the_same_question_gets_the_same_bits_twice():
    n, tail, head, law, origin, destination, trips = grid_case()
    results = [
        equilibrium(network_of(n, tail, head), law, demand_of(origin, destination, trips))
        for _ in range(2)
    ]
    assert results[0].flow.tobytes() == results[1].flow.tobytes()


def test_the_order_of_the_links_does_not_matter():
    n, tail, head, law, origin, destination, trips = grid_case()
    demand = demand_of(origin, destination, trips)
    order = np.random.default_rng(1).permutation(len(tail))
    one = equilibrium(network_of(n, tail, head), law, demand, gap=1e-13)
    two = equilibrium(
        network_of(n, tail[order], head[order]), LinkCost(*(x[order] for x in law)), demand,
        gap=1e-13,
    )  # fmt: skip
    assert two.flow == pytest.approx(one.flow[order], abs=1e-6)


def test_slices_tell_how_far_they_are_and_end_at_one():
    n, tail, head, law, origin, destination, trips = grid_case()
    state = start(network_of(n, tail, head), law, demand_of(origin, destination, trips))
    shares = list(slices(state))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert state.iteration == 1
    first = state.relative_gap
    assert advance(state) < first


def test_a_bush_with_more_links_than_room_gets_more_room():
    n = 9  # everyone to everyone, so that a bush needs far more than 1.5 links a node
    tail, head = np.array([(a, b) for a in range(n) for b in range(n) if a != b]).T
    rng = np.random.default_rng(0)
    law = law_of(len(tail), free=rng.uniform(1, 2, len(tail)), capacity=0.2)
    state = start(network_of(n, tail, head), law, demand_of([0] * 8, range(1, 9), [1.0] * 8))
    room = state.task.bushes.link.shape[1]
    for _ in solve(state, gap=1e-11):
        pass
    assert state.task.bushes.link.shape[1] > room
    assert state.relative_gap <= 1e-11


def test_the_objective_agrees_with_plain_frank_wolfe():
    n, tail, head, law, origin, destination, trips = grid_case(3, 5)
    keep = origin < 9
    result = equilibrium(network_of(n, tail, head), law, demand_of(origin, destination, trips))
    pairs = [t for t in zip(origin, destination, trips, strict=True) if t[0] != t[1]]
    slow = plain_frank_wolfe(n, list(zip(tail, head, strict=True)), law, pairs, 150)
    assert keep.all()
    assert result.objective <= objective(law, slow)
    assert result.objective == pytest.approx(objective(law, slow), rel=2e-3)


@st.composite
def cases(draw):
    n = draw(st.integers(2, 7))
    links = draw(
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=20)
    )
    links = [(a, b) for a, b in links if a != b] or [(0, 1)]
    m = len(links)
    number = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])
    free = draw(st.lists(number, min_size=m, max_size=m))
    power = draw(st.lists(st.sampled_from([0.0, 1.0, 2.5, 4.0]), min_size=m, max_size=m))
    capacity = draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=m, max_size=m))
    closed = draw(st.lists(st.sampled_from([False, False, False, True]), min_size=m, max_size=m))
    through = draw(st.lists(st.sampled_from([True, True, False]), min_size=n, max_size=n))
    node = st.integers(0, n - 1)
    trips = draw(st.lists(st.tuples(node, node, st.sampled_from([0.0, 0.3, 1.0, 4.0])), max_size=8))
    law = law_of(m, free=free, power=power, capacity=capacity, fixed=0.1, factor=0.5)
    return n, links, law, closed, through, trips


@settings(max_examples=150, deadline=None)
@given(cases())
def test_any_network_settles_conserves_and_reports_what_it_cannot_serve(case):
    n, links, law, closed, through, trips = case
    tail, head = np.array(links).T
    origin, destination, amount = np.array(trips).T if trips else ([], [], [])
    demand = demand_of(origin, destination, amount)
    network = network_of(n, tail, head, closed=closed, through=through)
    result = equilibrium(network, law, demand, gap=1e-10, max_iterations=400)
    is_open = ~np.array(closed)
    least = np.zeros(len(trips))
    for i, (a, b, _) in enumerate(trips):
        found = plain_distances(n, np.array(links)[is_open], result.cost[is_open], a, through)
        least[i] = found[b]
    asked = np.array([t for _, _, t in trips])
    cut = np.isinf(least) & (asked > 0) if trips else np.zeros(0, bool)
    np.testing.assert_array_equal(result.unserved, np.where(cut, asked, 0.0))
    np.testing.assert_array_equal(result.flow[~is_open], 0.0)
    assert (result.flow >= 0).all()
    wanted = np.zeros(n)
    for (a, b, t), gone in zip(trips, cut, strict=True):
        wanted[a] += 0 if gone else t
        wanted[b] -= 0 if gone else t
    assert net_outflow(n, tail, head, result.flow) == pytest.approx(wanted, abs=1e-9)
    # what the flows cost is what the shortest paths cost: no driver can do better
    total = float(result.flow @ result.cost)
    busy = (asked > 0) & ~cut if trips else cut
    best = float(asked[busy] @ least[busy])
    assert total == pytest.approx(best, rel=2e-10, abs=1e-12)
    np.testing.assert_allclose(result.least_cost[busy], least[busy], rtol=1e-13)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_shortest_trees_equal_plain_bellman_ford(case):
    n, links, law, closed, through, _ = case
    tail, head = np.array(links).T
    network = network_of(n, tail, head, closed=closed, through=through)
    cost, is_open = law.free + law.fixed, ~np.array(closed)
    tree = tree_of(n)
    for source in range(n):
        reached = shortest_tree(network, cost[network.link], source, tree)
        plain = plain_distances(n, np.array(links)[is_open], cost[is_open], source, through)
        np.testing.assert_allclose(tree.distance, plain, rtol=1e-14)
        assert reached == np.isfinite(plain).sum()
        assert (np.diff(tree.distance[tree.order[:reached]]) >= 0).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.2, 4.0])
def test_the_slope_is_the_derivative_of_the_cost(power):
    step = 1e-6
    law = law_of(1, free=2.0, factor=0.3, capacity=5.0, power=power, fixed=1.0)
    rise = cost_at(law, 0, 4.0 + step) - cost_at(law, 0, 4.0)
    assert slope_at(law, 0, 4.0) == pytest.approx(rise / step, rel=1e-5, abs=1e-9)


def test_the_kernels_run_uncompiled_and_give_the_same_flows():
    n, tail, head, law, origin, destination, trips = grid_case(3, 2)
    result = equilibrium(
        network_of(n, tail, head), law, demand_of(origin, destination, trips), gap=1e-9
    )
    code = (
        "import numpy as np\n"
        "from tests.kernels.test_assignment import *\n"
        "n, tail, head, law, origin, destination, trips = grid_case(3, 2)\n"
        "demand = demand_of(origin, destination, trips)\n"
        "print(*equilibrium(network_of(n, tail, head), law, demand, gap=1e-9).flow)\n"
    )
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    plain = np.array([float(word) for word in done.stdout.split()])
    assert plain == pytest.approx(result.flow, abs=1e-6)
