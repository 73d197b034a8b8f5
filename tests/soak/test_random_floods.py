"""A thousand random terrains under random storms: never NaN, never negative, every litre found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cim.errors import SimulationError
from cim.flood import run_water
from kernels._jit import set_threads

pytestmark = pytest.mark.soak

TERRAINS = 1000
SEED = 20261125
SOLVERS: list[tuple[Any, int]] = [("inertial", 1), ("godunov", 1), ("godunov", 2)]


def terrain(dice: np.random.Generator) -> NDArray[np.float64]:
    """A tilted plane with waves, noise, cliffs and pits, some of it closed."""
    rows, columns = dice.integers(3, 40, 2)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    bed = x * dice.normal(0, 0.3) + y * dice.normal(0, 0.3)
    bed += dice.uniform(0, 3) * np.sin(x / dice.uniform(1, 9)) * np.cos(y / dice.uniform(1, 9))
    bed += dice.uniform(0, 1, bed.shape) * 10.0 ** dice.uniform(-3, 1)
    bed += np.where(dice.random(bed.shape) < 0.05, dice.normal(0, 20, bed.shape), 0.0)
    closed = dice.random(bed.shape) < dice.choice([0.0, 0.1, 0.4])
    closed[0, 0] = False
    bed[closed] = np.nan
    return np.asarray(bed + dice.choice([0.0, -50.0, 4000.0]), np.float64)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """On grids this small a second thread waits more than it works: 20 times the CPU time."""
    before = set_threads(1)
    yield
    set_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_thousand_random_floods_stay_sane() -> None:
    dice = np.random.default_rng(SEED)
    worst, clipped, steps = {"f32": 0.0, "f64": 0.0}, 0.0, 0
    stopped: list[str] = []
    for number in range(TERRAINS):
        bed = terrain(dice)
        depth = np.maximum(dice.normal(-1, 2) + np.nanmedian(bed) - bed, 0.0)
        wet = np.nan_to_num(np.minimum(depth, 10.0)) * dice.choice([0.0, 1.0])
        n = dice.uniform(0.01, 0.15, bed.shape)
        ends = np.cumsum(dice.uniform(5, 50, 4))
        rates = dice.uniform(0, 500, 4) * dice.choice([0.0, 1.0], 4)
        cell_m = 10.0 ** dice.uniform(-0.3, 1.5)
        boundary = dice.choice(["wall", "free"])
        precision: Any = "f32" if number % 10 == 9 else "f64"
        for solver, order in SOLVERS:
            where = f"terrain {number} of seed {SEED}, {solver} order {order} {precision}"
            try:
                found = run_water(
                    bed, cell_m=cell_m, duration_s=ends[-1] + 30.0, manning=n, depth0_m=wet,
                    rain_ends_s=ends.tolist(), rain_mm_h=rates.tolist(), boundary=boundary,
                    solver=solver, order=order, precision=precision,
                )  # fmt: skip
            except SimulationError:  # said aloud, never a wrong number
                assert order == 2, where  # the second order stops on some cliffs: told, not held
                stopped.append(where)
                continue
            open_cells = found.depth_m[~np.isnan(bed)]
            assert np.isfinite(open_cells).all(), where
            assert open_cells.min() >= 0.0, where
            assert found.min_depth_m >= 0.0, where
            assert np.isnan(found.depth_m[np.isnan(bed)]).all(), where
            assert found.mass_error_rel <= {"f32": 1e-5, "f64": 1e-12}[precision], where
            worst[precision] = max(worst[precision], found.mass_error_rel)
            clipped += found.ledger["clipped_m3"]
            steps += found.steps
    balance = f"balance {worst['f64']:.0e} float64, {worst['f32']:.0e} float32"
    print(f"\n{TERRAINS} terrains, {len(SOLVERS)} schemes, {steps} steps: {balance}, "
          f"clipped {clipped} m3")  # fmt: skip
    print("\n".join(["stopped with an error:", *stopped]) if stopped else "none stopped")
    assert clipped == 0.0
