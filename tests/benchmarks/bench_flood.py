"""How fast the water runs: a hundred million cell updates in float32 and float64.

A town of blocks, houses and streets under rain and drains, everything wet: the fused
sweep with limiter, friction of the whole flux vector, ledger, and peaks every fourth
step. The kernels compile into an empty cache, so the first call tells the cost of that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.measure import Row, first_and_warm, installed, median_cpu_s

__all__ = ["bench"]

SIDE, STEPS = 1000, 100
GODUNOV_STEPS = 10
PEER_SIDE, PEER_STEPS = 300, 10
CELL_M = 2.0
RAIN_MPS = 100.0 / 3.6e6
MANNING = 0.03


def bench() -> list[Row]:
    """Return a row per solver, order and precision; the inertial float64 one beside landlab."""
    with tempfile.TemporaryDirectory() as empty:
        os.environ["NUMBA_CACHE_DIR"] = empty
        single, double = _ours(np.float32), _ours(np.float64)
        full = [
            Row(f"flood Godunov order {order} {name}, 10^7 cell updates", *_times(cost),
                note=_rate(cost, GODUNOV_STEPS))
            for order in (1, 2)
            for name, dtype in (("f32", np.float32), ("f64", np.float64))
            for cost in [_godunov(dtype, order)]
        ]  # fmt: skip
    peer_s = _landlab() if installed("landlab") else None
    return [
        Row("flood f32, 10^8 cell updates", *_times(single), note=_rate(single)),
        Row(
            "flood f64, 10^8 cell updates",
            *_times(double),
            peer="landlab OverlandFlow (steep_slopes)",
            peer_s=peer_s,
            note=_rate(double) + "; peer scaled up from 300 x 300 cells",
        ),
        *full,
    ]


def _times(measured: tuple[float, float]) -> tuple[float, float]:
    first_s, warm_s = measured
    return warm_s, first_s


def _rate(measured: tuple[float, float], steps: int = STEPS) -> str:
    return f"{SIDE * SIDE * steps / measured[1] / 1e6:.0f} M cell updates per CPU s"


def _bed(side: int) -> Any:
    """Blocks of 80 m with streets 0.15 m lower between them, on a tilted rough plane."""
    dice = np.random.default_rng(1)
    rows, columns = np.mgrid[0:side, 0:side]
    bed = 0.0072 * rows + dice.uniform(0, 0.05, rows.shape)
    bed[(rows % 40 < 8) | (columns % 40 < 8)] -= 0.15
    return bed


def _town(dtype: type[np.floating[Any]]) -> Any:
    """The ground of the town, some blocks closed, a drain in every cell."""
    from kernels.flood.water import new_ground

    bed = _bed(SIDE)
    inside = (np.indices(bed.shape) % 40 >= 8).all(axis=0)
    bed[inside & (np.random.default_rng(2).random(bed.shape) < 0.3)] = np.nan
    return new_ground(bed, cell_m=CELL_M, manning=MANNING, drain_mps=6 / 3.6e6, dtype=dtype)


def _ours(dtype: type[np.floating[Any]]) -> tuple[float, float]:
    from kernels.flood.inertial import advance
    from kernels.flood.water import new_water

    ground = _town(dtype)
    return first_and_warm(_steps(partial(advance, ground, new_water(ground, depth_m=0.02)), STEPS))


def _godunov(dtype: type[np.floating[Any]], order: int) -> tuple[float, float]:
    from kernels.flood.godunov import advance, new_moving

    ground = _town(dtype)
    work = partial(advance, ground, new_moving(ground, depth_m=0.02), order=order)
    return first_and_warm(_steps(work, GODUNOV_STEPS))


def _steps(advance: Callable[..., tuple[float, int]], steps: int) -> Callable[[], None]:
    time_s = 0.0

    def work() -> None:
        nonlocal time_s
        time_s, taken = advance(
            cell_m=CELL_M,
            from_s=time_s,
            until_s=1e6,
            rain_ends_s=np.array([1e9]),
            rain_mps=np.array([RAIN_MPS]),
            most_steps=steps,
            watch_every=4,
        )
        if taken != steps:
            raise AssertionError(f"{taken} steps instead of {steps}")

    return work


def _landlab() -> float:
    """CPU seconds of as many cell updates by landlab's component, which steps by itself."""
    from landlab import RasterModelGrid
    from landlab.components import OverlandFlow

    grid = RasterModelGrid((PEER_SIDE, PEER_SIDE), xy_spacing=CELL_M)
    grid.add_field("topographic__elevation", _bed(PEER_SIDE).ravel(), at="node")
    grid.add_field("surface_water__depth", np.full(PEER_SIDE**2, 0.02), at="node")
    flow = OverlandFlow(grid, mannings_n=MANNING, rainfall_intensity=RAIN_MPS, steep_slopes=True)

    def work() -> None:
        for _ in range(PEER_STEPS):
            flow.overland_flow(dt=flow.calc_time_step())

    updates = PEER_SIDE**2 * PEER_STEPS
    return median_cpu_s(work) * SIDE**2 * STEPS / updates
