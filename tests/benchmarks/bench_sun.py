"""How many cells does the shadow sweep shade in a CPU second, beside shifted numpy arrays?"""

from __future__ import annotations

from functools import partial

import numpy as np

from kernels._jit import set_threads
from kernels.sun.position import sun_direction_at
from kernels.sun.shadow import Heights, shadow_height
from tests.benchmarks.measure import Row, first_and_warm, median_cpu_s

ALTITUDE_DEG = 30.7
SOUTH_EAST_DEG = 148.0


def bench() -> list[Row]:
    """Return one row a question; one thread."""
    before = set_threads(1)
    small, large = blocks(1024), blocks(4096)
    rows = [_beside_numpy(small)]
    rows += [_sweep(large, azimuth_deg) for azimuth_deg in (90.0, SOUTH_EAST_DEG, 180.0, 250.0)]
    year_s = 1.767e9 + 60.0 * np.arange(525_600)
    first_s, warm_s = first_and_warm(lambda: sun_direction_at(year_s, 117.2, 39.13))
    rows.append(Row("sun positions, every minute of a year", warm_s, first_s))
    set_threads(before)
    return rows


def blocks(side: int) -> Heights:
    """Return level ground under random blocks, 5 to 40 m high, on about a third of it."""
    dice = np.random.default_rng(0)
    height = np.zeros((side, side), np.float32)
    for _ in range(side * side // 800):
        row, column = dice.integers(0, side - 20, 2)
        deep, wide = dice.integers(5, 20, 2)
        height[row : row + deep, column : column + wide] = dice.uniform(5, 40)
    return height


def _cast(height: Heights, azimuth_deg: float, out: Heights) -> Heights:
    return shadow_height(
        height, cell_m=1.0, altitude_deg=ALTITUDE_DEG, azimuth_deg=azimuth_deg, out=out
    )


def _sweep(height: Heights, azimuth_deg: float) -> Row:
    out = np.empty_like(height)
    first_s, warm_s = first_and_warm(partial(_cast, height, azimuth_deg, out))
    rate_m = height.size / warm_s / 1e6
    side = height.shape[0]
    return Row(f"shadow, {side}x{side}, azimuth {azimuth_deg:g}", warm_s, first_s,
               note=f"{rate_m:.0f} M cells per CPU second")  # fmt: skip


def _beside_numpy(height: Heights) -> Row:
    out = np.empty_like(height)
    first_s, warm_s = first_and_warm(partial(_cast, height, SOUTH_EAST_DEG, out))
    peer = shifted(height, SOUTH_EAST_DEG)
    differ = float(((peer > height) != (out > 0)).mean())
    peer_s = median_cpu_s(partial(shifted, height, SOUTH_EAST_DEG), repeats=1)
    return Row(
        f"shadow, 1024x1024, azimuth {SOUTH_EAST_DEG:g}", warm_s, first_s, "shifted numpy arrays",
        peer_s, note=f"the method of UMEP, written here; {100 * differ:.1f} % of cells differ",
    )  # fmt: skip


def shifted(height: Heights, azimuth_deg: float) -> Heights:
    """Return the shadow surface as the highest of ever farther shifted, lowered rasters."""
    azimuth = np.radians(azimuth_deg)
    row_step, column_step = -np.cos(azimuth), np.sin(azimuth)  # to the sun, row 0 in the north
    longest = max(abs(row_step), abs(column_step))
    fall = np.tan(np.radians(ALTITUDE_DEG)) / longest
    rows, columns = height.shape
    surface = height.copy()
    for step in range(1, int(height.max() / fall) + 2):
        r = round(row_step / longest * step)
        c = round(column_step / longest * step)
        here = surface[max(0, -r) : rows - max(0, r), max(0, -c) : columns - max(0, c)]
        there = height[max(0, r) : rows - max(0, -r), max(0, c) : columns - max(0, -c)]
        np.maximum(here, there - np.float32(fall * step), out=here)
    return surface
