"""What does a link cost at a flow, and how steeply does that rise?"""

from __future__ import annotations

import numpy as np

from kernels._jit import kernel
from kernels.traffic.network import Floats, LinkCost

__all__ = ["cost_at", "costs", "objective", "slope_at"]

_LEAST_RATIO = 1e-9  # powers below 1 rise infinitely steeply at zero flow


@kernel
def cost_at(
    free: float, factor: float, capacity: float, power: float, fixed: float, flow: float
) -> float:
    """Return the cost of one link: ``free (1 + factor (flow/capacity)^power) + fixed``."""
    if factor == 0.0:
        return free + fixed
    ratio = flow / capacity
    if power == 4.0:
        square = ratio * ratio
        return free * (1.0 + factor * square * square) + fixed
    if power == 1.0:
        return free * (1.0 + factor * ratio) + fixed
    if power == 0.0:
        return free * (1.0 + factor) + fixed
    raised = ratio**power if ratio > 0.0 else 0.0
    return free * (1.0 + factor * raised) + fixed


@kernel
def slope_at(free: float, factor: float, capacity: float, power: float, flow: float) -> float:
    """Return the derivative of `cost_at` by the flow."""
    if factor == 0.0 or power == 0.0:
        return 0.0
    ratio = flow / capacity
    if power == 4.0:
        return 4.0 * free * factor * ratio * ratio * ratio / capacity
    if power == 1.0:
        return free * factor / capacity
    if power < 1.0:
        ratio = max(ratio, _LEAST_RATIO)
    elif ratio <= 0.0:
        return 0.0
    return free * factor * power * ratio ** (power - 1.0) / capacity


@kernel
def costs(law: LinkCost, flow: Floats, cost: Floats, slope: Floats) -> None:
    """Fill `cost` and `slope`, both of shape (links,), at the given flows."""
    for k in range(flow.shape[0]):
        free, factor, capacity, power = law.free[k], law.factor[k], law.capacity[k], law.power[k]
        cost[k] = cost_at(free, factor, capacity, power, law.fixed[k], flow[k])
        slope[k] = slope_at(free, factor, capacity, power, flow[k])


def objective(law: LinkCost, flow: Floats) -> float:
    """Return what a user equilibrium makes least: the sum of the cost integrals.

    ``Z = sum free (v + factor v / (power + 1) (v / capacity)^power) + fixed v``
    (Beckmann, McGuire and Winsten 1956).
    """
    rises = law.factor > 0.0
    ratio = np.divide(flow, law.capacity, out=np.zeros_like(flow), where=rises)
    raised = np.where(rises, law.factor * flow / (law.power + 1.0) * ratio**law.power, 0.0)
    return float(np.sum(law.free * (flow + raised) + law.fixed * flow))
