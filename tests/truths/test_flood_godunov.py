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
from kernels.flood.water import Ground, Water, new_ground, stored_m3

pytestmark = pytest.mark.truths

Grid = NDArray[np.float64]
G = 9.81


def run(
    bed: Grid, depth: Grid, cell_m: float, until_s: float, order: int, v: Grid | float = 0.0
) -> Water:
    ground = new_ground(bed, cell_m=cell_m, manning=0.0)
    water = godunov.new_moving(ground, depth_m=depth, v_mps=v)
    reached_s, _ = godunov.advance(
        ground, water, cell_m=cell_m, from_s=0.0, until_s=until_s, rain_ends_s=np.zeros(0),
        rain_mps=np.zeros(0), order=order,
    )  # fmt: skip
    assert reached_s == until_s
    return water


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
    water = run(np.zeros((2, 200)), start, 0.05, 6.0, order)
    expected = stoker(x, 6.0, 0.005, low_m) if low_m else ritter(x, 6.0, 0.005)
    error = off(water.depth_m[0], expected)
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
    until_s = 3 * 2 * np.pi / omega
    spin = 0.5 * omega if name == "planar" else 0.0
    water = run(bed, depth(0.0), 0.04, until_s, 2, spin)
    error = off(water.depth_m, depth(until_s))
    lost = abs(stored_m3(water, cell_m=0.04) / (depth(0.0).sum() * 0.04**2) - 1)
    print(f"Thacker {name} N=100, three periods, order 2: relative L1 {error:.3f}, lost {lost:.1e}")
    assert error <= 0.05
    assert lost <= 1e-12
    assert water.depth_m.min() >= 0.0
    assert water.ledger[3] == 0.0


def channel(q: float, level_m: float, ground: Ground) -> godunov.Edges:
    """Inflow q at the first column, a level at the last while water there is slow, walls beside."""
    rows, columns = (n - 2 for n in ground.bed_m.shape)
    lengths = [columns, columns, rows, rows]
    kind = np.repeat([godunov.WALL, godunov.WALL, godunov.DISCHARGE, godunov.STAGE], lengths)
    value = np.repeat([0.0, 0.0, q, level_m], lengths)
    return godunov.Edges(kind.astype(np.int8), value, value)


def bernoulli(bed: Grid, head_m: float, q: float) -> tuple[Grid, Grid]:
    """Slow and fast depth of a discharge at a head; NaN where the head does not carry it."""
    slow, fast = np.full_like(bed, np.nan), np.full_like(bed, np.nan)
    for i, z in enumerate(bed):
        roots = np.roots([1.0, z - head_m, 0.0, q * q / (2 * G)])
        real = np.sort(roots[np.abs(roots.imag) < 1e-6].real)
        if len(real) == 3:
            slow[i], fast[i] = real[2], real[1]
    return slow, fast


def over_the_bump(x: Grid, bed: Grid, q: float, level_m: float) -> Grid:
    """Slow where the head downstream carries the flow over; else fast behind the crest, up to
    the place where the level downstream pushes harder (the jump), or to the end."""
    crest_m = 0.2 + 1.5 * (q * q / G) ** (1 / 3)
    head_m = level_m + q * q / (2 * G * level_m**2)
    if head_m > crest_m:
        return bernoulli(bed, head_m, q)[0]
    slow, fast = bernoulli(bed, crest_m + 1e-9, q)
    over = np.where(x < 10, slow, fast)
    tail = bernoulli(bed, head_m, q)[0]

    def push(h: Grid) -> Grid:
        out: Grid = q * q / h + 0.5 * G * h * h
        return out

    stronger = (x > 10) & (push(tail) > push(over))
    jump = int(np.argmax(stronger)) if stronger.any() else len(x)
    return np.where(np.arange(len(x)) < jump, over, tail)


@pytest.mark.parametrize(
    ("name", "q", "level_m", "start_m"),
    [
        ("subcritical", 4.42, 2.0, 2.0),
        ("transcritical", 1.53, 0.66, 0.66),
        ("with a jump", 0.18, 0.33, 0.33),
    ],
)
def test_flow_over_a_bump_is_bernoullis(
    name: str, q: float, level_m: float, start_m: float
) -> None:
    # SWASHES 3.1.3 to 3.1.5: a channel of 25 m.
    cell_m = 25.0 / 200
    x = (np.arange(200) + 0.5) * cell_m
    bed = np.where((x > 8) & (x < 12), 0.2 - 0.05 * (x - 10) ** 2, 0.0)
    ground = new_ground(np.tile(bed, (2, 1)), cell_m=cell_m, manning=0.0,
                        edge_slope=(-1.0, -1.0, -1.0, 0.0))  # fmt: skip
    water = godunov.new_moving(ground, depth_m=np.tile(np.maximum(start_m - bed, 0.0), (2, 1)))
    godunov.advance(
        ground, water, cell_m=cell_m, from_s=0.0, until_s=200.0, rain_ends_s=np.zeros(0),
        rain_mps=np.zeros(0), edges=channel(q, level_m, ground),
    )  # fmt: skip
    error = off(water.depth_m[0], over_the_bump(x, bed, q, level_m))
    print(f"bump {name} N=200, order 2: relative L1 {error:.1e}")
    assert error <= 5e-3
    assert np.abs(water.now.flux_y).max() < 1e-9
