"""What dry ground costs a flood: a pond on a large grid, and ten million cells for an hour.

Ours against ourselves: the sweep that leaves out what cannot move beside the sweep of
every cell, same case, same bits. No rain, walls all around, the pond's water 1 m deep.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.measure import Row

__all__ = ["bench"]

SIDE, STEPS, REPEATS = 2048, 12, 5
LARGE, LARGE_STEPS, HOUR_S = 3163, 100, 3600.0
CELL_M, DEEP_M, COURANT = 2.0, 1.0, 0.6


def bench() -> list[Row]:
    """Return a row per wet share, and one for ten million cells."""
    rows = []
    for order, name in enumerate(("", ", Godunov order 1", ", Godunov order 2")):
        for wet, bar in ((0.02, "at least 10x"), (0.1, ""), (1.0, "at least 0.95x")):
            ground, pond = _pond(SIDE, wet)
            some, every = _pair(ground, pond, order)
            rows.append(
                Row(f"flood f32{name}, {SIDE}^2 cells, {wet:.0%} wet, {STEPS} steps", some,
                    peer="ours without leaving out", peer_s=every,
                    note=(bar + "; " if bar else "") + f"minimum of {REPEATS} in turn; "
                    f"{SIDE**2 * STEPS / some / 1e6:.0f} M cells a CPU s, the dry ones counted")
            )  # fmt: skip
    return [*rows, _large()]


def _pond(side: int, wet: float) -> tuple[Any, Any]:
    from kernels.flood.water import new_ground

    ground = new_ground(np.zeros((side, side)), cell_m=CELL_M, manning=0.03, dtype=np.float32)
    half = int(np.sqrt(wet) * side / 2)
    depth = np.zeros((side, side), np.float32)
    depth[side // 2 - half : side // 2 + half, side // 2 - half : side // 2 + half] = DEEP_M
    return ground, depth


def _pair(ground: Any, depth: Any, order: int) -> tuple[float, float]:
    """CPU seconds of the same steps with and without leaving out, the better of several each."""
    from kernels.flood.godunov import new_moving
    from kernels.flood.water import new_water

    water = (new_moving if order else new_water)(ground, depth_m=depth)
    best = [np.inf, np.inf]
    for turn in range(REPEATS + 1):
        for place, skip_dry in enumerate((True, False)):
            for held in water.now:  # the same memory for both: pages differ in speed
                held[:] = 0.0
            water.depth_m[:] = depth
            _steps(ground, water, 1, order, skip_dry)
            taken_s = _steps(ground, water, STEPS, order, skip_dry)
            if turn > 0:  # the first compiles
                best[place] = min(best[place], taken_s)
    return best[0], best[1]


def _steps(ground: Any, water: Any, steps: int, order: int, skip_dry: bool) -> float:
    """CPU seconds of some steps; order 0 is the local inertial solver."""
    from kernels.flood import godunov, inertial

    advance: Any = partial(godunov.advance, order=order) if order else inertial.advance
    began_s = time.process_time()
    _, taken = advance(
        ground, water, cell_m=CELL_M, from_s=0.0, until_s=1e6, rain_ends_s=np.zeros(0),
        rain_mps=np.zeros(0), most_steps=steps, watch_every=4, skip_dry=skip_dry,
    )  # fmt: skip
    if taken != steps:
        raise AssertionError(f"{taken} steps instead of {steps}")
    return time.process_time() - began_s


def _large() -> Row:
    from kernels.flood.water import new_water

    ground, depth = _pond(LARGE, 0.1)
    water = new_water(ground, depth_m=depth)
    step_s = COURANT * CELL_M / np.sqrt(9.81 * DEEP_M)
    taken_s = _steps(ground, water, LARGE_STEPS, 0, True)
    held = [*ground, *water.now, *water.then, water.peak_m, water.peak_s, water.arrival_s]
    cell_bytes = sum(array.nbytes for array in held) / LARGE**2
    hour_s = taken_s * HOUR_S / step_s / LARGE_STEPS
    return Row(
        "flood f32, 10^7 cells at 2 m, 1 h, 10% wet", hour_s, bar_s=300.0,
        note=f"scaled up from {LARGE_STEPS} steps of {step_s:.2f} s; {cell_bytes:.0f} bytes a cell "
        "with peaks and arrivals (at most 60)",
    )  # fmt: skip
