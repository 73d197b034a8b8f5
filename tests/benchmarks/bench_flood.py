"""How fast the water runs: a hundred million cell updates in float32 and float64.

A town of blocks, houses and streets under rain and drains, everything wet: the fused
sweep with limiter, friction of the whole flux vector, ledger, and peaks every fourth
step. The kernels compile into an empty cache, so the first call tells the cost of that.

Then rain on a slope beside landlab, and a column of water that collapses beside ANUGA, both in
float64 for the same time of the same ground.
LISFLOOD-FP, SFINCS and itzi cannot be had from a package index; what was once measured of
them on another machine is printed as quoted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels._jit import set_threads
from tests.benchmarks import flood_peers as peers
from tests.benchmarks.measure import Row, first_and_warm, median_cpu_s

__all__ = ["bench"]

SIDE, STEPS = 1000, 100
GODUNOV_STEPS = 10
CELL_M = 2.0
RAIN_MPS = 100.0 / 3.6e6
MANNING = 0.03
QUOTED = (
    "quoted, not measured here, M cell updates per CPU s of other cases on another machine: "
    "LISFLOOD-FP 8.1 local inertial 15-23, its first order 12-17, SFINCS 14-17, itzi 13-16"
)


def bench() -> list[Row]:
    """Return a row per solver, order and precision, and one per peer on the peers' case."""
    set_threads(1)
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
        foot_m, middle_m = peers.FOOT_M, peers.SIDE * peers.CELL_M / 2
        beside = [
            _beside(peers.LANDLAB, _rain, "rain on a slope f64, 1,800 s, inertial", foot_m),
            _beside(peers.ANUGA, _column, "collapsing column f64, 60 s, order 2", middle_m),
        ]
    return [
        Row("flood f32, 10^8 cell updates", *_times(single), note=f"{_rate(single)}; {QUOTED}"),
        Row("flood f64, 10^8 cell updates", *_times(double), note=_rate(double)),
        *full,
        *beside,
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


def _beside(
    peer: peers.Peer, work: Callable[[], tuple[Any, int]], what: str, disc_x_m: float
) -> Row:
    """A peer's case by our scheme of the same kind, and by the peer."""
    told = peers.ask(peer)
    water, steps = work()
    cpu_s = median_cpu_s(work)
    depth = water.depth_m
    y, x = (np.indices(depth.shape) + 0.5) * peers.CELL_M
    near = np.hypot(x - disc_x_m, y - peers.SIDE * peers.CELL_M / 2) < peers.DISC_M
    rate = depth.size * steps / cpu_s / 1e6
    note = f"{rate:.0f} M cell updates per CPU s, disc {depth[near].mean():.4f} m deep"
    if told.cpu_s is None:
        note += f"; peer absent: {told.why}"
    else:
        theirs = told.updates / told.cpu_s / 1e6
        note += f"; peer {theirs:.1f} M of its cells, disc {told.disc_m:.4f} m"
    return Row(what, cpu_s, peer=peer.name, peer_s=told.cpu_s, note=note)


def _rain() -> tuple[Any, int]:
    """Rain on a slope by the local inertial scheme: the water, and its steps."""
    from kernels.flood.inertial import advance
    from kernels.flood.water import new_ground, new_water

    x = (np.arange(peers.SIDE) + 0.5) * peers.CELL_M
    bed = np.tile(peers.SLOPE * x, (peers.SIDE, 1))
    ground = new_ground(bed, cell_m=peers.CELL_M, manning=peers.MANNING, dtype=np.float64)
    water = new_water(ground)
    return water, advance(
        ground, water, cell_m=peers.CELL_M, from_s=0.0, until_s=peers.RAIN_S, most_steps=10_000,
        rain_ends_s=np.array([1e9]), rain_mps=np.array([peers.RAIN_MPS]), watch_every=4,
    )[1]  # fmt: skip


def _column() -> tuple[Any, int]:
    """A column of water that collapses by the second-order scheme: the water, and its steps."""
    from kernels.flood.godunov import advance, new_moving
    from kernels.flood.water import new_ground

    y, x = (np.indices((peers.SIDE, peers.SIDE)) + 0.5) * peers.CELL_M
    half = peers.SIDE * peers.CELL_M / 2
    inside = np.hypot(x - half, y - half) < peers.RADIUS_M
    bed = np.zeros(inside.shape)
    ground = new_ground(bed, cell_m=peers.CELL_M, manning=peers.MANNING, dtype=np.float64)
    water = new_moving(ground, depth_m=np.where(inside, peers.INSIDE_M, peers.OUTSIDE_M))
    return water, advance(
        ground, water, cell_m=peers.CELL_M, from_s=0.0, until_s=peers.COLUMN_S, most_steps=10_000,
        rain_ends_s=np.array([1e9]), rain_mps=np.zeros(1), watch_every=4, order=2,
    )[1]  # fmt: skip
