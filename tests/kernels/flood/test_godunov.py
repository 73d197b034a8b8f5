"""The Godunov kernel against algebra, against symmetry, and against conservation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import _jit
from kernels.flood import godunov

Grid = NDArray[np.float64]
INSIDE = (slice(2, -2), slice(2, -2))


def settled(pool: godunov.Pool, until_s: float, *, order: int, cell_m: float = 2.0) -> None:
    """Step until `until_s` between walls."""
    time_s = 0.0
    while time_s < until_s:
        asked_s = 0.4 * cell_m / max(godunov.fastest_mps(pool), 1e-9)
        taken_s, _ = godunov.step(
            pool, cell_m=cell_m, dt_s=min(asked_s, until_s - time_s), order=order
        )
        assert taken_s > 0.0
        time_s += taken_s


def rough(seed: int, shape: tuple[int, int]) -> tuple[Grid, Grid]:
    """Bed with closed cells, depth with dry patches."""
    dice = np.random.default_rng(seed)
    bed = dice.uniform(0, 1.5, shape)
    bed[dice.random(shape) < 0.15] = np.nan
    return bed, np.where(np.isnan(bed), 0.0, np.maximum(dice.uniform(-0.3, 0.8, shape), 0))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), order=st.sampled_from([1, 2]), single=st.booleans())
def test_water_is_neither_made_nor_lost_nor_negative(seed: int, order: int, single: bool) -> None:
    bed, depth = rough(seed, (9, 12))
    dtype: Any = np.float32 if single else np.float64
    pool = godunov.new_pool(bed, manning=0.03, depth_m=depth, dtype=dtype)
    before = pool.depth_m[INSIDE].sum(dtype=np.float64)
    settled(pool, 20.0, order=order)
    assert pool.depth_m[INSIDE].min() >= 0.0
    assert np.isfinite(pool.flow_x).all()
    after = pool.depth_m[INSIDE].sum(dtype=np.float64)
    assert after == pytest.approx(before, rel=1e-6 if single else 1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_a_lake_between_islands_and_buildings_stays_at_rest(order: int) -> None:
    bed, _ = rough(3, (40, 50))
    depth = np.nan_to_num(np.maximum(0.7 - bed, 0.0))
    pool = godunov.new_pool(bed, manning=0.03, depth_m=depth)
    settled(pool, 60.0, order=order)
    assert max(np.abs(pool.flow_x).max(), np.abs(pool.flow_y).max()) < 1e-12
    np.testing.assert_allclose(pool.depth_m[INSIDE], depth, atol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
def test_turned_and_mirrored_grids_give_the_turned_and_mirrored_water(order: int) -> None:
    bed, depth = rough(5, (35, 34))
    answers = []
    for turns in range(4):
        for mirrored in (False, True):
            there = [np.rot90(a, turns)[:, ::-1] if mirrored else np.rot90(a, turns)
                     for a in (bed, depth)]  # fmt: skip
            pool = godunov.new_pool(there[0], manning=0.03, depth_m=there[1])
            settled(pool, 3.0, order=order)
            back = pool.depth_m[INSIDE]
            answers.append(np.rot90(back[:, ::-1] if mirrored else back, -turns))
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], rtol=0, atol=1e-12)


def test_threads_change_no_bit() -> None:
    bed, depth = rough(7, (130, 20))
    answers = []
    for threads in (1, 2):
        before = _jit.set_threads(threads)
        pool = godunov.new_pool(bed, manning=0.03, depth_m=depth)
        settled(pool, 3.0, order=2)
        _jit.set_threads(before)
        answers.append(pool.depth_m)
    np.testing.assert_array_equal(answers[0], answers[1])


def test_friction_slows_a_sheet_as_its_law_says() -> None:
    # d u / d t = -g n^2 u^2 / h^(4/3): u = u0 / (1 + g n^2 u0 t / h^(4/3)), far from the walls.
    pool = godunov.new_pool(np.zeros((3, 400)), manning=0.05, depth_m=1.0)
    pool.flow_x[INSIDE] = 1.0
    settled(pool, 20.0, order=2)
    expected = 1.0 / (1.0 + 9.81 * 0.05**2 * 20.0)
    np.testing.assert_allclose(pool.flow_x[3, 150:250], expected, rtol=5e-3)
