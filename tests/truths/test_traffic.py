"""User equilibrium of published networks against their best known answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernels.traffic.assignment import result_of, solve, start
from tests.truths.tntp import read

pytestmark = pytest.mark.truths

# Best known objectives of the TNTP collection (Transportation Networks for Research,
# commit d1639b4); Anaheim prints none there: recomputed from its published flow file.
NETWORKS = [
    ("SiouxFalls", 0.0, 0.0, 4231335.28710744, True),
    ("Anaheim", 0.0, 0.0, 1286032.17109602, True),
    ("Winnipeg", 0.0, 0.0, 827911.494629963, False),  # flows are not unique: power 0
    ("Chicago-Sketch", 0.02, 0.04, 17313018.7387477, True),
]


@pytest.mark.parametrize("published", NETWORKS, ids=[row[0] for row in NETWORKS])
def test_published_networks_reach_their_best_known_objective(
    testdata: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    published: tuple[str, float, float, float, bool],
) -> None:
    name, toll, length, best, unique = published
    case = read(testdata(f"traffic/{name}"), toll_factor=toll, length_factor=length)
    began = time.process_time()
    state = start(case.network, case.law, case.demand)
    at_1e_6 = None
    for step in solve(state, gap=1e-12, max_iterations=60):
        if at_1e_6 is None and step.relative_gap <= 1e-6:
            at_1e_6 = (result_of(state).objective, time.process_time() - began)
    result = result_of(state)
    spent_s = time.process_time() - began
    assert at_1e_6 is not None
    with capsys.disabled():
        print(
            f"\n{name:15s} Z {result.objective:.9f}  best known {best:.9f}"
            f"  relative {result.objective / best - 1.0:+.1e}"
            f"  gap {result.relative_gap:.1e} in {result.iterations} iterations,"
            f" {spent_s:.2f} CPU s"
            f"  (to 1e-6: Z {at_1e_6[0] / best - 1.0:+.1e}, {at_1e_6[1]:.2f} CPU s)"
        )
    assert at_1e_6[0] == pytest.approx(best, rel=1e-6)
    assert result.relative_gap <= 1e-12
    assert result.objective == pytest.approx(best, rel=1e-12)
    assert result.unserved.sum() == 0.0
    assert case.cost is not None
    assert case.flow is not None
    np.testing.assert_allclose(result.cost, case.cost, atol=1e-6)
    if unique:
        np.testing.assert_allclose(result.flow, case.flow, atol=1e-4)


def test_flows_of_a_published_network_conserve_at_every_node(
    testdata: Callable[[str], Path],
) -> None:
    case = read(testdata("traffic/Anaheim"))
    state = start(case.network, case.law, case.demand)
    for _ in solve(state, gap=1e-8):
        pass
    flow = result_of(state).flow
    nodes = len(case.network.through)
    out = np.bincount(case.tail.astype(int), flow, nodes)
    out -= np.bincount(case.head.astype(int), flow, nodes)
    wanted = np.zeros(nodes)
    sizes = np.diff(case.demand.first)
    np.add.at(wanted, np.repeat(case.demand.origin, sizes), case.demand.trips)
    np.add.at(wanted, case.demand.destination, -case.demand.trips)
    np.testing.assert_allclose(out, wanted, atol=1e-9 * case.demand.trips.sum())


def test_braess_of_the_collection_costs_92(testdata: Callable[[str], Path]) -> None:
    case = read(testdata("traffic/Braess-Example"))
    state = start(case.network, case.law, case.demand)
    for _ in solve(state, gap=1e-13):
        pass
    assert result_of(state).least_cost.max() == pytest.approx(92.0, abs=1e-6)
