"""Leaving out dry ground changes nothing: sweeps of some blocks against sweeps of all."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import _jit
from kernels.flood import godunov
from kernels.flood.blocks import COLUMNS, ROWS, new_blocks
from kernels.flood.edges import DISCHARGE, FREE, STAGE, WALL, Edges
from kernels.flood.faces import LEAVES_UP, Faces, new_faces
from kernels.flood.inertial import advance
from kernels.flood.water import Ground, Water, new_ground, new_water, stored_m3

Grid = NDArray[np.float64]
QUIET = settings(
    max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CELL_M = 2.0


class Storm(NamedTuple):
    """Ends of blocks of rain, s, and rates, m/s."""

    ends_s: Grid = np.array([1e9])
    rain_mps: Grid = np.array([0.0])


def moved(
    ground: Ground, water: Water, until_s: float, storm: Storm, *, from_s: float = 0.0,
    order: int = 0, **options: Any,
) -> Water:  # fmt: skip
    """Advance `water` and hand it back: order 0 is the local inertial solver."""
    solver = partial(godunov.advance, order=order) if order else advance
    solver(ground, water, cell_m=CELL_M, from_s=from_s, until_s=until_s,
            rain_ends_s=storm.ends_s, rain_mps=storm.rain_mps, watch_every=3,
            **options)  # fmt: skip
    return water


def same(one: Water, other: Water) -> None:
    """Hold every number of the answer to the bit."""
    for name in ("depth", "carry", "flux_x", "flux_y"):
        mine, yours = getattr(one.now, name)[1:-1, 1:-1], getattr(other.now, name)[1:-1, 1:-1]
        np.testing.assert_array_equal(mine, yours, err_msg=name)
    for name in ("peak_m", "peak_s", "arrival_s", "ledger", "steps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def scene(seed: int) -> tuple[Grid, Grid, Storm, dict[str, Any], list[float]]:
    """A large rough grid with few puddles, some closed cells; ground options; times to stop at."""
    dice = np.random.default_rng(seed)
    rows, columns = dice.integers(3, 5 * ROWS), dice.integers(3, 5 * COLUMNS)
    y, x = np.mgrid[0:rows, 0:columns]
    bed = x * dice.normal(0, 0.02) + y * dice.normal(0, 0.02) + dice.uniform(0, 0.3, x.shape)
    bed[dice.random(bed.shape) < dice.choice([0.0, 0.1])] = np.nan
    depth = np.zeros(bed.shape)
    for _ in range(dice.integers(0, 4)):
        row, column = dice.integers(0, rows), dice.integers(0, columns)
        size = dice.integers(1, 30)
        depth[row : row + size, column : column + size] = dice.uniform(0, 1.5)
    depth += dice.choice([0.0, 9e-5]) * (dice.random(bed.shape) < 0.5)  # a film that may not flow
    ends_s = np.array([dice.uniform(5, 20), 25.0, 40.0])
    storm = Storm(ends_s, dice.uniform(0, 2e-5, 3) * dice.choice([0.0, 1.0], 3))
    options = {
        "manning": dice.uniform(0.01, 0.1, bed.shape),
        "rain_share": (dice.random(bed.shape) < dice.choice([0.002, 1.0])).astype(float),
        "drain_mps": 1e-5 * (dice.random(bed.shape) < dice.choice([0.0, 0.001, 1.0])),
        "edge_slope": dice.choice([-1.0, 0.0, 0.05], 4),
    }
    return bed, np.where(np.isnan(bed), 0.0, depth), storm, options, [15.0, 50.0]


def special(seed: int, ground: Ground) -> tuple[Faces, Edges | None]:
    """Thin walls, low and high, with gaps; edge cells that hold a level or pour, some time."""
    dice = np.random.default_rng(seed)
    rows, columns = (n - 2 for n in ground.bed_m.shape)
    walls = []
    for axis in (0, 1):
        row = np.arange(1, rows) if axis else np.arange(rows)
        column = np.full(len(row), dice.integers(1, columns))
        some = dice.random(len(row)) < dice.choice([0.0, 0.8])
        here = ground.bed_m[row + 1, column + 1]
        top = np.where(here < 1e20, here, 0.0) + dice.choice([0.0, 0.3])
        share = dice.choice([0.0, 0.4], len(row))
        walls.append((row[some], column[some], top[some], share[some]))
    if dice.random() < 0.5:
        return new_faces((rows, columns), x=walls[0], y=walls[1]), None
    cells = 2 * (rows + columns)
    kind = np.full(cells, WALL, np.int8)
    at = dice.integers(0, cells, 3)
    kind[at] = dice.choice([DISCHARGE, STAGE, WALL], 3)
    opening = np.repeat(ground.opening > 0, (columns, columns, rows, rows))
    kind[opening & (dice.random(cells) < 0.5)] = FREE
    start, end = np.zeros(cells), np.zeros(cells)
    end[at] = dice.uniform(0, 0.5, 3)
    return new_faces((rows, columns), x=walls[0], y=walls[1]), Edges(kind, start, end)


@QUIET
@given(seed=st.integers(0, 2**31), single=st.booleans(), order=st.integers(0, 2))
def test_blocks_left_out_change_no_bit(seed: int, single: bool, order: int) -> None:
    bed, depth, storm, options, stops = scene(seed)
    dtype: type[np.floating[Any]] = np.float32 if single else np.float64
    ground = new_ground(bed, cell_m=CELL_M, dtype=dtype, **options)
    faces, edges = special(seed, ground)
    more: dict[str, Any] = {"faces": faces, "edges": edges, "order": order}
    answers = []
    for threads, skip_dry in ((1, False), (1, True), (2, True)):
        before, few = _jit.set_threads(threads), _jit._FEW_CELLS
        _jit._FEW_CELLS = 0
        water = (godunov.new_moving if order else new_water)(ground, depth_m=depth)
        from_s = 0.0
        for stop_s in stops:
            moved(ground, water, stop_s, storm, from_s=from_s, skip_dry=skip_dry, **more)
            water.depth_m[bed.shape[0] // 2, bed.shape[1] // 2] += 0.25  # a spring, from outside
            from_s = stop_s
        _jit._FEW_CELLS = few
        _jit.set_threads(before)
        answers.append(moved(ground, water, 60.0, storm, from_s=from_s, skip_dry=skip_dry, **more))
    same(answers[0], answers[1])
    same(answers[0], answers[2])
    assert answers[1].depth_m.min() >= 0.0


@pytest.mark.parametrize("towards", ["columns", "rows"])
def test_water_enters_a_dry_block_from_its_neighbour(towards: str) -> None:
    shape = (3, 4 * COLUMNS) if towards == "columns" else (6 * ROWS, 3)
    bed = -0.01 * (np.arange(shape[1]) if towards == "columns" else np.arange(shape[0])[:, None])
    bed = bed * np.ones(shape)
    depth = np.zeros(shape)
    depth[:, :9] = 1.0 if towards == "columns" else 0.0
    depth[:9] += 0.0 if towards == "columns" else 1.0
    ground = new_ground(bed, cell_m=CELL_M, manning=0.02)
    some = moved(ground, new_water(ground, depth_m=depth), 240.0, Storm())
    every = moved(ground, new_water(ground, depth_m=depth), 240.0, Storm(), skip_dry=False)
    same(some, every)
    far = some.arrival_s[1] if towards == "columns" else some.arrival_s[:, 1]
    start = 2 * (COLUMNS if towards == "columns" else ROWS)
    assert np.isfinite(far[start])


def test_rain_that_starts_later_falls_on_sleeping_ground() -> None:
    ground = new_ground(np.zeros((3 * ROWS, 3 * COLUMNS)), cell_m=CELL_M, manning=0.03)
    storm = Storm(np.array([100.0, 200.0]), np.array([0.0, 1e-5]))
    water = moved(ground, new_water(ground), 300.0, storm)
    np.testing.assert_allclose(water.depth_m, 1e-3, rtol=1e-12)


def test_a_spring_in_a_dry_block_flows_on() -> None:
    ground = new_ground(np.zeros((3 * ROWS, 3 * COLUMNS)), cell_m=CELL_M, manning=0.03)
    waters = [new_water(ground) for _ in range(2)]
    for second in range(30):
        for water, skip_dry in zip(waters, (True, False), strict=True):
            water.depth_m[ROWS, COLUMNS] += 0.1  # the corner of four blocks
            moved(ground, water, second + 1.0, Storm(), from_s=float(second), skip_dry=skip_dry)
    same(*waters)
    assert (waters[0].depth_m > 0.01).sum() > 50


def test_water_over_a_free_edge_is_booked_from_any_block() -> None:
    depth = np.zeros((3 * ROWS, 3 * COLUMNS))
    depth[ROWS : 2 * ROWS, -5:] = 0.5
    depth[-4:, COLUMNS : 2 * COLUMNS] = 0.5
    ground = new_ground(np.zeros(depth.shape), cell_m=CELL_M, manning=0.03,
                        edge_slope=(0.01,) * 4)  # fmt: skip
    some = moved(ground, new_water(ground, depth_m=depth), 30.0, Storm())
    every = moved(ground, new_water(ground, depth_m=depth), 30.0, Storm(), skip_dry=False)
    same(some, every)
    assert some.ledger[2] > 0.1 * depth.sum() * CELL_M**2


def test_dry_ground_is_asleep_and_wet_ground_is_not() -> None:
    from kernels.flood import blocks as of

    ground = new_ground(np.zeros((5 * ROWS, 5 * COLUMNS)), cell_m=CELL_M, manning=0.03)
    blocks = new_blocks(ground)
    blocks.awake[1:-1, 1:-1] = 1
    blocks.deepest[2, 2] = 0.3
    assert of.settle(blocks, 1e-4) == 0.3
    of.wake(blocks, False, False)
    assert blocks.awake.sum() == 9
    assert blocks.awake[2:5, 2:5].all()
    blocks.deepest[2, 2] = 1e-4  # may not flow any more: two steps later it sleeps
    awake = []
    for _ in range(3):
        of.settle(blocks, 1e-4)
        of.wake(blocks, False, False)
        awake.append(int(blocks.awake.sum()))
    assert awake == [9, 0, 0]
    blocks.deepest[0, 4] = np.nan
    assert of.settle(blocks, 1e-4) == np.inf


@pytest.mark.parametrize("column", [COLUMNS, COLUMNS + 7])
def test_closed_blocks_are_never_swept_and_sinks_in_them_are_counted(column: int) -> None:
    rows = 5
    bed = np.full((rows, 4 * COLUMNS), np.nan)
    bed[:, :column] = 0.0
    at = np.arange(rows)
    up = np.full(rows, LEAVES_UP)
    nothing = [np.empty(0)] * 4
    out = []
    for skip_dry in (False, True):
        faces = new_faces(bed.shape, x=[at, np.full(rows, column), np.zeros(rows), up], y=nothing,
                          least_slope=1e-3, sinks=(at, np.full(rows, column)))  # fmt: skip
        ground = new_ground(bed, cell_m=CELL_M, manning=0.02)
        water = moved(ground, new_water(ground, depth_m=0.3), 120.0, Storm(), faces=faces,
                      skip_dry=skip_dry)  # fmt: skip
        kept = stored_m3(water, cell_m=CELL_M)
        left = faces.sunk_m.sum() * CELL_M**2
        assert kept + left == pytest.approx(0.3 * rows * column * CELL_M**2, rel=1e-12)
        assert left > 10.0
        out.append((water, faces))
    same(out[0][0], out[1][0])
    assert np.array_equal(out[0][1].sunk_m, out[1][1].sunk_m)
