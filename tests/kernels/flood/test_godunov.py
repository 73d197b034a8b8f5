"""The shock-capturing solver: still lakes, mirrors, threads, slices, edges, and the ledger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kernels import _jit
from kernels._jit import set_threads
from kernels.flood.godunov import (
    DISCHARGE,
    FREE,
    STAGE,
    WALL,
    Edges,
    advance,
    new_edges,
    new_moving,
)
from kernels.flood.water import new_ground, stored_m3

pytestmark = pytest.mark.usefixtures("one_thread")

NEVER = np.array([1e9])
G = 9.81


@pytest.fixture
def one_thread():
    before = set_threads(1)
    yield
    set_threads(before)


def run(bed, depth, *, cell_m, until_s, u=0.0, v=0.0, order=2, manning=0.0, dtype=np.float64,
        rain_mps=0.0, slope=(-1.0,) * 4, edges=None, **more):  # fmt: skip
    ground = new_ground(bed, cell_m=cell_m, manning=manning, dtype=dtype, edge_slope=slope)
    water = new_moving(ground, depth_m=depth, u_mps=u, v_mps=v)
    reached, _ = advance(
        ground, water, cell_m=cell_m, from_s=0.0, until_s=until_s, rain_ends_s=NEVER,
        rain_mps=np.array([rain_mps]), order=order,
        edges=None if edges is None else edges(ground), **more,
    )  # fmt: skip
    assert reached == until_s
    return water


@pytest.mark.parametrize("order", [1, 2])
def test_a_lake_stays_still_among_rocks_and_houses(order):
    dice = np.random.default_rng(1)
    bed = dice.uniform(0, 2, (40, 50))
    bed[10:14, 20:30] = np.nan
    depth = np.nan_to_num(np.maximum(1.2 - bed, 0.0))
    water = run(bed, depth, cell_m=2.0, until_s=300.0, order=order, manning=0.03)
    wet = depth > 0.01
    speed = np.hypot(water.now.flux_x, water.now.flux_y)[1:-1, 1:-1][wet] / depth[wet]
    assert speed.max() <= 1e-12
    assert np.abs(water.depth_m - depth).max() <= 1e-13
    assert water.ledger[3] == 0.0


def town(seed=3, shape=(30, 30)):
    dice = np.random.default_rng(seed)
    bed = dice.uniform(0, 0.6, shape) + 0.02 * np.arange(shape[1])
    bed[dice.random(shape) < 0.1] = np.nan
    depth = np.where(dice.random(shape) < 0.3, dice.uniform(0, 1.0, shape), 0.0)
    return bed, np.where(np.isnan(bed), 0.0, depth)


@pytest.mark.parametrize("order", [1, 2])
def test_a_turned_or_mirrored_town_floods_turned_or_mirrored(order):
    bed, depth = town()
    u = np.full(bed.shape, 0.4)
    v = np.full(bed.shape, -0.2)
    asked = {"cell_m": 2.0, "until_s": 30.0, "order": order, "manning": 0.02, "rain_mps": 1e-5}
    plain = run(bed, depth, u=u, v=v, **asked).depth_m
    # One quarter turn of the array takes (u, v) along (columns, rows) to (v, -u).
    turned = run(np.rot90(bed), np.rot90(depth), u=np.rot90(v), v=-np.rot90(u), **asked).depth_m
    mirrored = run(bed[:, ::-1], depth[:, ::-1], u=-u[:, ::-1], v=v[:, ::-1], **asked).depth_m
    assert np.abs(np.rot90(plain) - turned).max() <= 1e-12
    assert np.abs(plain[:, ::-1] - mirrored).max() <= 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_thread_and_many_give_the_same_bits(dtype, monkeypatch):
    monkeypatch.setattr(_jit, "_FEW_CELLS", 0)
    bed, depth = town(shape=(200, 40))
    asked = {"cell_m": 2.0, "until_s": 10.0, "manning": 0.02, "rain_mps": 1e-5, "dtype": dtype}
    set_threads(2)
    many = run(bed, depth, **asked)
    set_threads(1)
    one = run(bed, depth, **asked)
    for a, b in zip(many.now, one.now, strict=True):
        assert (a == b).all()


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 10**6), st.sampled_from([1, 2]), st.sampled_from([np.float32, np.float64]),
       st.floats(0, 0.2), st.floats(0, 3e-5))  # fmt: skip
def test_no_town_and_no_storm_makes_water_or_goes_below_zero(seed, order, dtype, manning, rain):
    bed, depth = town(seed, (20, 24))
    free = (-1.0, 0.0, 0.001, 0.01) if seed % 2 else (-1.0,) * 4
    water = run(bed * 3, depth * 2, cell_m=2.0, until_s=40.0, order=order, dtype=dtype,
                manning=manning, rain_mps=rain, slope=free)  # fmt: skip
    assert np.isfinite(water.depth_m).all() and water.depth_m.min() >= 0.0
    rained, drained, left, clipped = water.ledger
    start = float((depth * 2).astype(dtype).sum(dtype=np.float64)) * 4.0
    end = stored_m3(water, cell_m=2.0)
    scale = max(start + rained, 1.0)
    # Cells add up rounded differences of fluxes: float32 closes as well as it counts.
    limit = 1e-12 if dtype is np.float64 else 2e-7
    assert abs(end - (start + rained + clipped - drained - left)) <= limit * scale
    assert abs(clipped) <= limit * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_cell_that_a_step_drains_does_not_race_on_what_rounding_left(dtype):
    bed, depth = town(4994, (20, 24))
    ground = new_ground(bed * 3, cell_m=2.0, manning=0.0, dtype=dtype)
    water = new_moving(ground, depth_m=depth * 2)
    never = {"rain_ends_s": NEVER, "rain_mps": np.zeros(1)}
    reached, steps = advance(ground, water, cell_m=2.0, from_s=0.0, until_s=40.0,
                             most_steps=2000, **never)  # fmt: skip
    assert reached == 40.0  # with 160 km/s in one cell it took 100,000 steps a second
    assert steps < 1000


def test_a_slice_at_a_time_gives_the_same_answer():
    bed, depth = town()
    ground = new_ground(bed, cell_m=2.0, manning=0.02)
    whole, cut = new_moving(ground, depth_m=depth), new_moving(ground, depth_m=depth)
    asked = {"cell_m": 2.0, "rain_ends_s": NEVER, "rain_mps": np.zeros(1)}
    advance(ground, whole, from_s=0.0, until_s=20.0, **asked)
    t = 0.0
    while t < 20.0:
        t, taken = advance(ground, cut, from_s=t, until_s=20.0, most_steps=7, **asked)
        assert taken
    assert (whole.depth_m == cut.depth_m).all()


def inflow(q):
    """Inflow q at the first column, free at the last, walls beside."""

    def made(ground):
        rows, columns = (n - 2 for n in ground.bed_m.shape)
        lengths = [columns, columns, rows, rows]
        kind = np.repeat([WALL, WALL, DISCHARGE, FREE], lengths).astype(np.int8)
        value = np.repeat([0.0, 0.0, q, 0.0], lengths)
        return Edges(kind, value, value)

    return made


def test_edges_let_in_what_they_say_to_the_drop():
    water = run(np.zeros((4, 30)), 0.2, cell_m=1.0, until_s=50.0, edges=inflow(0.3),
                slope=(-1.0, -1.0, -1.0, 0.0))  # fmt: skip
    gained = stored_m3(water, cell_m=1.0) - 0.2 * 120
    assert gained + water.ledger[2] == pytest.approx(0.0, abs=1e-10)
    filled = run(np.zeros((4, 30)), 0.2, cell_m=1.0, until_s=5.0, edges=inflow(0.3),
                 manning=0.1)  # fmt: skip
    assert stored_m3(filled, cell_m=1.0) == pytest.approx(0.2 * 120 - filled.ledger[2], rel=1e-13)


def test_a_falling_tide_empties_a_basin_to_its_level():
    def tide(ground):
        edges = new_edges(ground)
        kind, value = edges.kind.copy(), edges.start.copy()
        kind[-20:] = STAGE
        value[-20:] = 0.5
        return Edges(kind, value, value)

    water = run(np.zeros((20, 20)), 1.0, cell_m=5.0, until_s=3000.0, manning=0.05, edges=tide)
    assert water.depth_m == pytest.approx(np.full((20, 20), 0.5), abs=0.01)
