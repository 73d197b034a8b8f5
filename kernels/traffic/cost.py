"""What does a link cost at a flow, and how steeply does that rise?"""

from __future__ import annotations

import numpy as np

from kernels._jit import kernel
from kernels.traffic.network import Floats, LinkCost

__all__ = ["cost_at", "costs", "objective", "slope_at"]

_LEAST_RATIO = 1e-9  # powers below 1 rise infinitely steeply at zero flow


@kernel
def cost_at(law: LinkCost, k: int, flow: float) -> float:
    """Return the cost of link `k`: ``free (1 + factor (flow / capacity)^power) + fixed``."""
    factor, power = law.factor[k], law.power[k]
    raised = 0.0
    if factor != 0.0:
        ratio = flow / law.capacity[k]
        if power == 4.0:
            square = ratio * ratio
            raised = square * square
        elif power == 1.0:
            raised = ratio
        elif power == 0.0:
            raised = 1.0
        elif ratio > 0.0:
            raised = ratio**power
    cost: float = law.free[k] * (1.0 + factor * raised) + law.fixed[k]
    return cost


@kernel
def slope_at(law: LinkCost, k: int, flow: float) -> float:
    """Return the derivative of `cost_at` by the flow."""
    factor, power = law.factor[k], law.power[k]
    if factor == 0.0 or power == 0.0:
        return 0.0
    ratio = flow / law.capacity[k]
    raised = 0.0
    if power == 4.0:
        raised = ratio * ratio * ratio
    elif power == 1.0:
        raised = 1.0
    elif power < 1.0:
        raised = max(ratio, _LEAST_RATIO) ** (power - 1.0)
    elif ratio > 0.0:
        raised = ratio ** (power - 1.0)
    slope: float = law.free[k] * factor * power * raised / law.capacity[k]
    return slope


@kernel
def costs(law: LinkCost, flow: Floats, cost: Floats, slope: Floats) -> None:
    """Fill `cost` and `slope`, both of shape (links,), at the given flows."""
    for k in range(flow.shape[0]):
        cost[k] = cost_at(law, k, flow[k])
        slope[k] = slope_at(law, k, flow[k])


def objective(law: LinkCost, flow: Floats) -> float:
    """Return what a user equilibrium makes least: the sum of the cost integrals.

    ``Z = sum free (v + factor v / (power + 1) (v / capacity)^power) + fixed v``
    (Beckmann, McGuire and Winsten 1956).
    """
    rises = law.factor > 0.0
    ratio = np.divide(flow, law.capacity, out=np.zeros_like(flow), where=rises)
    raised = np.where(rises, law.factor * flow / (law.power + 1.0) * ratio**law.power, 0.0)
    return float(np.sum(law.free * (flow + raised) + law.fixed * flow))
