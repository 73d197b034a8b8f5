"""The local inertial kernel against plain numpy, against algebra, and against conservation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import _jit
from kernels.flood.inertial import advance
from kernels.flood.water import LEDGER, Ground, Water, new_ground, new_water, stored_m3
from tests.kernels.flood.plain import PlainFlood

Grid = NDArray[np.float64]
DRY = np.zeros(0)
QUIET = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rained(
    ground: Ground,
    water: Water,
    until_s: float,
    *,
    cell_m: float = 2.0,
    rain_mps: float = 0.0,
    **options: Any,
) -> tuple[float, int]:
    """Advance from 0 under even rain for the whole time."""
    ends, rates = np.array([1e9]), np.array([rain_mps])
    return advance(
        ground,
        water,
        cell_m=cell_m,
        from_s=options.pop("from_s", 0.0),
        until_s=until_s,
        rain_ends_s=ends,
        rain_mps=rates,
        **options,
    )


def rough(seed: int, rows: int, columns: int) -> tuple[Grid, Grid, Grid, Grid]:
    """Bed with closed cells, depth with dry patches, Manning, rain share: all by cell."""
    dice = np.random.default_rng(seed)
    bed = dice.uniform(0, 1.5, (rows, columns))
    bed[dice.random(bed.shape) < 0.15] = np.nan
    depth = np.maximum(dice.uniform(-0.3, 0.8, bed.shape), 0)
    return bed, depth, dice.uniform(0.01, 0.1, bed.shape), dice.uniform(0, 2, bed.shape)


def closing_error_m3(water: Water, before_m3: float, cell_m: float) -> float:
    """What the ledger cannot explain."""
    ledger = dict(zip(LEDGER, water.ledger, strict=True))
    came = ledger["rain_m3"] + ledger["clipped_m3"]
    went = ledger["drained_m3"] + ledger["outflow_m3"]
    return stored_m3(water, cell_m=cell_m) - before_m3 - came + went


@QUIET
@given(seed=st.integers(0, 2**31), rows=st.sampled_from([1, 2, 3, 32, 33, 66]))
def test_steps_agree_with_plain_numpy(seed: int, rows: int) -> None:
    bed, depth, manning, share = rough(seed, rows, 9)
    drain = np.full(bed.shape, 2e-3)
    plain = PlainFlood(bed, depth.copy(), manning, 2.0, share=share, drain_mps=drain)
    ground = new_ground(bed, cell_m=2.0, manning=manning, rain_share=share, drain_mps=drain)
    water = new_water(ground, depth_m=depth)
    dt_s = 0.2  # below 0.7 * 2 / sqrt(9.81 * 1.6) = 0.35
    for step in range(6):
        plain.step(dt_s, rain_mps=1e-3)
        rained(ground, water, (step + 1) * dt_s, from_s=step * dt_s, rain_mps=1e-3)
    # The power of the depth in the kernel is good to 2.6e-8, bed - lowest bed to 1e-16.
    np.testing.assert_allclose(water.depth_m, plain.depth, atol=1e-8)
    np.testing.assert_allclose(water.now.flux_x[1:-1, 1:-1], plain.qx, atol=1e-7)
    np.testing.assert_allclose(water.ledger[1], plain.drained_m * 4.0, rtol=1e-7, atol=1e-9)


@QUIET
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 40),
    columns=st.integers(1, 12),
    single=st.booleans(),
)
def test_water_is_neither_made_nor_lost_nor_negative(
    seed: int, rows: int, columns: int, single: bool
) -> None:
    bed, depth, manning, share = rough(seed, rows, columns)
    dtype = np.float32 if single else np.float64
    slopes = np.random.default_rng(seed).choice([-1.0, 0.0, 0.05], 4)
    ground = new_ground(
        bed,
        cell_m=2.0,
        manning=manning,
        rain_share=share,
        drain_mps=2e-4,
        edge_slope=slopes,
        dtype=dtype,
    )
    water = new_water(ground, depth_m=depth)
    before = stored_m3(water, cell_m=2.0)
    rained(ground, water, 60.0, rain_mps=1e-4)
    assert water.depth_m.min() >= 0.0
    assert np.isfinite(water.depth_m).all()
    assert water.ledger[LEDGER.index("clipped_m3")] == 0.0
    moved = before + np.abs(water.ledger).sum() + 1e-300
    assert abs(closing_error_m3(water, before, 2.0)) <= (1e-6 if single else 1e-12) * moved


@QUIET
@given(seed=st.integers(0, 2**31), slope=st.sampled_from([-1.0, 0.01]))
def test_the_eight_mirrored_grids_give_the_mirrored_bits(seed: int, slope: float) -> None:
    bed, depth, _, _ = rough(seed, 35, 34)
    answers = []
    turns: list[Callable[[Grid], Grid]] = [
        lambda a: a,
        np.flipud,
        np.fliplr,
        np.rot90,
        np.transpose,
        lambda a: np.rot90(a, 2),
        lambda a: np.rot90(a, 3),
        lambda a: np.rot90(a).T,
    ]
    undo: list[Callable[[Grid], Grid]] = [
        lambda a: a,
        np.flipud,
        np.fliplr,
        lambda a: np.rot90(a, -1),
        np.transpose,
        lambda a: np.rot90(a, -2),
        lambda a: np.rot90(a, -3),
        lambda a: np.rot90(a.T, -1),
    ]
    for turn, back in zip(turns, undo, strict=True):
        ground = new_ground(np.ascontiguousarray(turn(bed)), cell_m=2.0, manning=0.03,
                            edge_slope=(slope,) * 4)  # fmt: skip
        water = new_water(ground, depth_m=turn(depth))
        rained(ground, water, 5.0, rain_mps=1e-4)
        answers.append(back(water.depth_m))
    assert all(np.array_equal(answers[0], other) for other in answers[1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_slices_change_no_bit(
    dtype: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_jit, "_FEW_CELLS", 0)
    bed, depth, manning, _ = rough(7, 130, 40)
    answers = []
    for threads, slices in ((1, 2**62), (2, 2**62), (2, 7)):
        before = _jit.set_threads(threads)
        ground = new_ground(bed, cell_m=2.0, manning=manning, drain_mps=1e-4, dtype=dtype)
        water = new_water(ground, depth_m=depth)
        t_s = 0.0
        while t_s < 20.0:
            t_s, _ = rained(
                ground, water, 20.0, from_s=t_s, rain_mps=1e-4, most_steps=slices, watch_every=3
            )
        _jit.set_threads(before)
        answers.append((water.depth_m, water.ledger, water.peak_m, water.peak_s, water.arrival_s))
    for other in answers[1:]:
        for mine, yours in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize(("dtype", "still_mps"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_a_lake_over_humps_and_islands_stays_at_rest(
    dtype: type[np.floating[Any]], still_mps: float
) -> None:
    dice = np.random.default_rng(3)
    bed = dice.uniform(0, 1, (40, 50)) + 50.0
    depth = np.maximum(50.6 - bed, 0.0)
    ground = new_ground(bed, cell_m=2.0, manning=0.03, dtype=dtype)
    water = new_water(ground, depth_m=depth)
    rained(ground, water, 600.0)
    # Rounding of depth and bed: 6e-8 and 1e-16 of a metre drive at most dt g h times that.
    assert np.abs(water.now.flux_x).max() < still_mps
    np.testing.assert_allclose(water.depth_m, depth, atol=still_mps)
    assert (water.depth_m[bed > 50.61] == 0).all()


def test_ripples_on_a_frictionless_pond_do_not_grow() -> None:
    # The checkerboard is the wave that a step above sqrt(theta / 2) makes grow: 0.67 at 0.9.
    rows, columns = np.mgrid[0:40, 0:40]
    ripple_m = 1e-6 * (-1.0) ** (rows + columns)
    ground = new_ground(np.zeros((40, 40)), cell_m=2.0, manning=0.0)
    water = new_water(ground, depth_m=1.0 + ripple_m)
    rained(ground, water, 300.0)
    assert np.ptp(water.depth_m) < np.ptp(ripple_m)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_friction_has_the_power_of_the_depth_to_a_millionth(
    dtype: type[np.floating[Any]],
) -> None:
    # One step of even flow on a flat bed: q' + b q'^2 = q; b = g n^2 dt h^(-7/3), made near 1 / q.
    depth = np.geomspace(2e-4, 90.0, 4000).astype(dtype).astype(np.float64)[:, None]
    flux = (0.2 * depth * np.sqrt(9.81 * depth)).astype(dtype).astype(np.float64)
    manning = np.sqrt(depth ** (7 / 3) / (9.81 * flux))
    bed = np.tile(2e3 * np.arange(len(depth) % 2, len(depth) % 2 + len(depth))[:, None] % 4e3, 3)
    ground = new_ground(bed, cell_m=200.0, manning=np.tile(manning, 3), dtype=dtype)
    water = new_water(ground, depth_m=np.tile(depth, 3))
    water.now.flux_x[1:-1] = flux
    t_s, steps = rained(ground, water, 1.0, cell_m=200.0, froude=10.0)
    assert (t_s, steps) == (1.0, 1)
    after = water.now.flux_x[1:-1, 2].astype(np.float64)[:, None]
    found = (flux - after) / after**2 / (ground.friction[1:-1, 1:2] * 1.0)
    np.testing.assert_allclose(found, depth ** (-7 / 3), rtol=1e-6)


def test_rain_on_a_flat_plate_stands_as_deep_as_it_fell() -> None:
    ground = new_ground(np.zeros((20, 30)), cell_m=2.0, manning=0.03)
    water = new_water(ground)
    rained(ground, water, 3600.0, rain_mps=0.05 / 3600)
    np.testing.assert_allclose(water.depth_m, 0.05, rtol=1e-12)
    assert water.ledger[0] == pytest.approx(0.05 * 20 * 30 * 4, rel=1e-12)


def test_small_rain_on_deep_water_is_not_rounded_away_in_float32() -> None:
    ground = new_ground(np.zeros((4, 4)), cell_m=2.0, manning=0.03, dtype=np.float32)
    water = new_water(ground, depth_m=3.0)
    before = stored_m3(water, cell_m=2.0)
    rained(ground, water, 3600.0, rain_mps=1e-3 / 3600)  # 1 mm in 12 000 steps of 7e-8 m
    gained_m = (stored_m3(water, cell_m=2.0) - before) / 64
    assert gained_m == pytest.approx(1e-3, rel=1e-4)


def test_a_drain_takes_its_capacity_and_no_more_than_there_is() -> None:
    ground = new_ground(np.zeros((5, 5)), cell_m=2.0, manning=0.03, drain_mps=1e-5)
    water = new_water(ground, depth_m=0.01)
    rained(ground, water, 500.0)
    np.testing.assert_allclose(water.depth_m, 0.005, rtol=1e-9)
    rained(ground, water, 2000.0, from_s=500.0)
    assert (water.depth_m == 0).all()
    assert water.ledger[1] == pytest.approx(0.01 * 100, rel=1e-12)


def test_rain_follows_its_blocks_and_ends_with_them() -> None:
    ground = new_ground(np.zeros((3, 3)), cell_m=2.0, manning=0.03)
    water = new_water(ground)
    ends, rates = np.array([100.0, 250.0]), np.array([1e-5, 3e-5])
    t_s, _ = advance(
        ground, water, cell_m=2.0, from_s=0.0, until_s=400.0, rain_ends_s=ends, rain_mps=rates
    )
    assert t_s == 400.0
    np.testing.assert_allclose(water.depth_m, 100e-5 + 150 * 3e-5, rtol=1e-12)


def test_rain_on_a_roof_runs_off_beside_it() -> None:
    bed = np.zeros((5, 5))
    bed[2, 2] = np.nan
    share = np.ones((5, 5))
    share[2, 1] += 1.0
    ground = new_ground(bed, cell_m=2.0, manning=0.03, rain_share=share)
    water = new_water(ground)
    rained(ground, water, 600.0, rain_mps=1e-5)
    assert water.depth_m[2, 2] == 0.0
    assert stored_m3(water, cell_m=2.0) == pytest.approx(600e-5 * 25 * 4, rel=1e-12)


@pytest.mark.parametrize("along", ["columns", "rows"])
def test_steady_flow_down_a_plane_has_mannings_depth(along: str) -> None:
    # Rain on a strip at the top, free outflow at the foot; uniform flow: q = h^(5/3) sqrt(S) / n.
    slope, manning, q_m2ps = 0.01, 0.03, 0.05
    bed = np.repeat(-slope * 2.0 * np.arange(100.0)[np.newaxis], 3, axis=0)
    share = np.zeros_like(bed)
    share[:, 0] = 1.0
    edges = (-1.0, -1.0, -1.0, 0.0)
    if along == "rows":
        bed, share, edges = bed.T.copy(), share.T.copy(), (-1.0, 0.0, -1.0, -1.0)
    ground = new_ground(bed, cell_m=2.0, manning=manning, rain_share=share, edge_slope=edges)
    water = new_water(ground)
    rained(ground, water, 2000.0, rain_mps=q_m2ps / 2.0)
    depth = water.depth_m if along == "columns" else water.depth_m.T
    normal_m = (q_m2ps * manning / np.sqrt(slope)) ** 0.6
    np.testing.assert_allclose(depth[:, 20:], normal_m, rtol=0.005)


def test_flow_across_the_grid_is_as_deep_as_along_it() -> None:
    # The same plane turned by 45 degrees: friction must see the whole flux vector.
    slope, manning, depth_m = 0.01, 0.03, 0.1
    rows, columns = np.mgrid[0:60, 0:60]
    ground = new_ground(
        -slope * 2.0 * (rows + columns) / np.sqrt(2),
        cell_m=2.0,
        manning=manning,
        edge_slope=(0.0, 0.0, 0.0, 0.0),
    )
    water = new_water(ground, depth_m=depth_m)
    rained(ground, water, 20.0)  # the middle has not heard of the edges yet: 60 m at 1 m/s
    flux = np.hypot(water.now.flux_x[40, 40], water.now.flux_y[40, 40])
    expected = depth_m ** (5 / 3) * np.sqrt(slope) / manning
    assert flux == pytest.approx(expected, rel=0.02)


def test_a_steep_jet_stays_at_the_froude_cap() -> None:
    bed = np.repeat(-1.0 * np.arange(30.0)[np.newaxis], 3, axis=0)  # 1 in 2
    ground = new_ground(bed, cell_m=2.0, manning=0.01, edge_slope=(-1, -1, -1, 0))
    water = new_water(ground, depth_m=0.2)
    rained(ground, water, 5.0, froude=1.0)
    assert water.depth_m.min() >= 0
    flux = np.abs(water.now.flux_x[1:-1, 2:-2])
    hf = np.maximum(water.depth_m[:, :-1], water.depth_m[:, 1:]).max()
    assert flux.max() <= hf * np.sqrt(9.81 * hf) * 1.2


def test_peaks_and_arrivals_remember_a_passing_wave() -> None:
    ground = new_ground(np.zeros((3, 60)), cell_m=2.0, manning=0.03)
    depth = np.zeros((3, 60))
    depth[:, :10] = 1.0
    water = new_water(ground, depth_m=depth)
    rained(ground, water, 60.0, arrival_m=0.05)
    arrival = water.arrival_s[1]
    reached = ~np.isnan(arrival)
    assert reached[:30].all()
    assert (np.diff(arrival[9:30]) >= 0).all()
    assert (water.peak_m >= water.depth_m).all()
    assert water.peak_m[1, 0] == 1.0
    assert water.peak_s[1, 0] == 0.0


def test_water_that_ran_away_stops_the_clock_instead_of_the_machine() -> None:
    ground = new_ground(np.zeros((3, 3)), cell_m=2.0, manning=0.03)
    water = new_water(ground, depth_m=1.0)
    water.now.depth[2, 2] = np.inf
    assert rained(ground, water, 60.0) == (0.0, 0)


def test_closed_cells_let_nothing_through() -> None:
    bed = np.zeros((4, 9))
    bed[:, 4] = np.nan
    depth = np.zeros((4, 9))
    depth[:, :4] = 1.0
    ground = new_ground(bed, cell_m=2.0, manning=0.03)
    water = new_water(ground, depth_m=depth)
    rained(ground, water, 120.0)
    assert (water.depth_m[:, 4:] == 0).all()


def test_without_compilation_the_numbers_are_the_same() -> None:
    script = """
import numpy as np
from kernels.flood.inertial import advance
from kernels.flood.water import new_ground, new_water
bed = np.random.default_rng(5).uniform(0, 1, (5, 6))
bed[2, 3] = np.nan
for dtype in (np.float64, np.float32):
    ground = new_ground(bed, cell_m=2.0, manning=0.03, drain_mps=1e-5,
                        edge_slope=(0.0, -1, 0.01, -1), dtype=dtype)
    water = new_water(ground, depth_m=0.3)
    advance(ground, water, cell_m=2.0, from_s=0.0, until_s=4.0,
            rain_ends_s=np.array([2.0]), rain_mps=np.array([1e-4]))
    print(" ".join(float(x).hex() for x in [*water.depth_m.ravel(), *water.ledger]))
"""
    said = []
    for off in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append([[float.fromhex(x) for x in line.split()] for line in done.stdout.splitlines()])
    np.testing.assert_allclose(said[0][0], said[1][0], rtol=1e-13)
    np.testing.assert_allclose(said[0][1], said[1][1], rtol=1e-5, atol=1e-9)
