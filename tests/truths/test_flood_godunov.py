"""The Godunov solver against closed solutions: dam breaks, and water that swings in a bowl.

Formulas: Delestre et al. (2013), SWASHES, Int. J. Numer. Meth. Fluids 72, 269-300.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from kernels.flood import godunov

pytestmark = pytest.mark.truths

Grid = NDArray[np.float64]
G = 9.81
INSIDE = (slice(2, -2), slice(2, -2))


def run(pool: godunov.Pool, cell_m: float, until_s: float, order: int) -> None:
    time_s = 0.0
    while time_s < until_s - 1e-12:
        asked_s = 0.4 * cell_m / max(godunov.fastest_mps(pool), 1e-9)
        taken_s, _ = godunov.step(
            pool, cell_m=cell_m, dt_s=min(asked_s, until_s - time_s), order=order
        )
        assert taken_s > 0.0
        time_s += taken_s


def off(found: Grid, expected: Grid) -> float:
    """Relative L1 error."""
    return float(np.abs(found - expected).sum() / expected.sum())


def stoker(x: Grid, time_s: float, high_m: float, low_m: float) -> Grid:
    """Dam break on a wet bed, dam at 5 m."""
    c0 = np.sqrt(G * high_m)

    def shock(c: float) -> float:
        inner = (c * c - G * low_m) ** 2 * (c * c + G * low_m)
        return float(-8 * G * low_m * c * c * (c0 - c) ** 2 + inner)

    c = brentq(shock, np.sqrt(G * low_m) * 1.0001, c0 * 0.9999)
    middle, speed = c * c / G, 2 * (c0 - c)
    fan = 4 / (9 * G) * (c0 - (x - 5) / (2 * time_s)) ** 2
    front = 5 + time_s * speed * middle / (middle - low_m)
    tail = 5 + time_s * (2 * c0 - 3 * c)
    ends = [x < 5 - time_s * c0, x < tail, x < front]
    return np.select(ends, [np.full_like(x, high_m), fan, np.full_like(x, middle)], low_m)


def ritter(x: Grid, time_s: float, high_m: float) -> Grid:
    """Dam break on a dry bed, dam at 5 m."""
    c0 = np.sqrt(G * high_m)
    fan = 4 / (9 * G) * (c0 - (x - 5) / (2 * time_s)) ** 2
    ends = [x < 5 - time_s * c0, x < 5 + 2 * time_s * c0]
    return np.select(ends, [np.full_like(x, high_m), fan], 0.0)


@pytest.mark.parametrize(
    ("name", "order", "limit"),
    [("Stoker", 1, 1.2e-2), ("Stoker", 2, 5e-3), ("Ritter", 1, 1.4e-2), ("Ritter", 2, 6e-3)],
)
def test_a_dam_break_has_its_closed_solution(name: str, order: int, limit: float) -> None:
    x = np.linspace(0.025, 9.975, 200, dtype=np.float64)
    low_m = 0.001 if name == "Stoker" else 0.0
    start = np.tile(np.where(x < 5, 0.005, low_m), (2, 1))
    pool = godunov.new_pool(np.zeros((2, 200)), manning=0.0, depth_m=start)
    run(pool, 0.05, 6.0, order)
    expected = stoker(x, 6.0, 0.005, low_m) if low_m else ritter(x, 6.0, 0.005)
    error = off(pool.depth_m[2, 2:-2], expected)
    print(f"{name} N=200 order {order}: relative L1 {error:.2e}")
    assert error <= limit


def bowl() -> tuple[Grid, Grid, Grid]:
    middle = (np.arange(100) + 0.5) * 0.04 - 2.0
    x, y = np.meshgrid(middle, middle)
    return x, y, -0.1 * (1 - x * x - y * y)


def planar(x: Grid, y: Grid, bed: Grid) -> tuple[Callable[[float], Grid], float]:
    omega = np.sqrt(2 * G * 0.1)

    def depth(t: float) -> Grid:
        tilt = 2 * x * np.cos(omega * t) + 2 * y * np.sin(omega * t) - 0.5
        out: Grid = np.maximum(0.5 * 0.1 * tilt - bed, 0.0)
        return out

    return depth, float(omega)


def radial(x: Grid, y: Grid, bed: Grid) -> tuple[Callable[[float], Grid], float]:
    omega, a = np.sqrt(8 * G * 0.1), (1 - 0.8**2) / (1 + 0.8**2)

    def depth(t: float) -> Grid:
        part = 1 - a * np.cos(omega * t)
        square = (1 - a * a) / part**2 - 1
        level = 0.1 * (np.sqrt(1 - a * a) / part - 1 - (x * x + y * y) * square)
        out: Grid = np.maximum(level - bed, 0.0)
        return out

    return depth, float(omega)


@pytest.mark.parametrize("name", ["planar", "radial"])
def test_water_in_a_bowl_swings_for_three_periods(name: str) -> None:
    x, y, bed = bowl()
    depth, omega = planar(x, y, bed) if name == "planar" else radial(x, y, bed)
    pool = godunov.new_pool(bed, manning=0.0, depth_m=depth(0.0))
    if name == "planar":
        pool.flow_y[INSIDE] = depth(0.0) * 0.5 * omega
    before = pool.depth_m.sum()
    until_s = 3 * 2 * np.pi / omega
    run(pool, 0.04, until_s, 2)
    error = off(pool.depth_m[INSIDE], depth(until_s))
    lost = abs(pool.depth_m.sum() / before - 1)
    print(f"Thacker {name} N=100, three periods, order 2: relative L1 {error:.3f}, lost {lost:.1e}")
    assert error <= 0.05
    assert lost <= 1e-12
    assert pool.depth_m.min() >= 0.0
