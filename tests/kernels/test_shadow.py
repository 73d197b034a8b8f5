"""The shadow sweep against rays marched one by one and against solid geometry."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels._jit import set_threads
from kernels.sun.shadow import shadow_height

AZIMUTHS = [0.0, 45.0, 77.0, 90.0, 124.7, 135.0, 180.0, 200.0, 233.3, 270.0, 301.0, 315.0]


def sweep(height, altitude_deg, azimuth_deg, cell_m=1.0):
    return shadow_height(
        np.asarray(height, np.float32),
        cell_m=cell_m, altitude_deg=altitude_deg, azimuth_deg=azimuth_deg,
    )  # fmt: skip


def marched(height, altitude_deg, azimuth_deg, cell_m=1.0):
    """March from each cell to the sun, a cell of the main axis a step, nearest cell beside it."""
    rows, columns = height.shape
    to_column, to_row = np.sin(np.radians(azimuth_deg)), -np.cos(np.radians(azimuth_deg))
    longest = max(abs(to_column), abs(to_row))
    d_column, d_row = to_column / longest, to_row / longest
    rise = np.tan(np.radians(altitude_deg)) * cell_m / longest
    shade = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            edge = -np.inf
            for step in range(1, rows + columns):
                r = int(np.floor(row + d_row * step + 0.5))
                c = int(np.floor(column + d_column * step + 0.5))
                if 0 <= r < rows and 0 <= c < columns:
                    edge = max(edge, height[r, c] - rise * step)
            shade[row, column] = max(edge - height[row, column], 0.0)
    return shade


def sideways(height, azimuth_deg, pick):
    """Take the highest or lowest of each cell and its two neighbours across the sun."""
    north, east = np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))
    across = 1 if abs(north) >= abs(east) else 0
    padded = np.pad(height, [(1, 1) if axis == across else (0, 0) for axis in (0, 1)], mode="edge")
    n = height.shape[across]
    return pick.reduce([np.take(padded, range(i, i + n), axis=across) for i in range(3)])


HEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5, 7.0, 20.0]),
)


@settings(max_examples=50, deadline=None)
@given(HEIGHTS, st.floats(0, 360), st.sampled_from([5.0, 20.0, 30.7, 60.0]))
def test_the_shade_is_that_of_obstacles_moved_sideways_by_at_most_a_cell(height, azimuth, altitude):
    height = np.pad(height, 2)  # level ground around, so that none moves off the raster
    edge = sweep(height, altitude, azimuth).astype(float) + height
    high, low = (sideways(height, azimuth, pick) for pick in (np.maximum, np.minimum))
    highest = marched(high, altitude, azimuth) + high
    lowest = marched(low, altitude, azimuth) + low
    assert (edge <= np.maximum(highest, height) + 1e-4).all()
    assert (edge >= lowest - 1e-4).all()


@settings(max_examples=60, deadline=None)
@given(HEIGHTS, st.sampled_from([0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0]))
def test_along_rows_columns_and_diagonals_the_answer_is_exact(height, azimuth):
    found = sweep(height, 25.0, azimuth, cell_m=0.5)
    assert found == pytest.approx(marched(height, 25.0, azimuth, cell_m=0.5), abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(HEIGHTS, st.integers(0, 359))
def test_turning_the_city_by_a_quarter_turns_its_shadow(height, azimuth):
    azimuth = azimuth + 0.37  # no ray through the middle between two cells
    here = sweep(height, 30.0, azimuth)
    turned = sweep(np.ascontiguousarray(np.rot90(height, -1)), 30.0, azimuth + 90.0)
    assert np.rot90(turned) == pytest.approx(here, abs=1e-4)


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("altitude", [10.0, 30.742, 55.0])
def test_a_box_throws_a_shadow_as_long_as_its_height_over_the_tangent(azimuth, altitude):
    height = np.zeros((201, 201), np.float32)
    height[90:111, 90:111] = 12.0
    shade = sweep(height, altitude, azimuth)
    length_m = 12.0 / np.tan(np.radians(altitude))
    # cell centres lie 1, 2, 3 … metres behind the last cell of the box
    line = shade[100] if azimuth in (90.0, 270.0) else shade[:, 100]
    assert (line > 0).sum() == min(int(np.ceil(length_m)) - 1, 90)
    first = line[line > 0].max()
    assert first == pytest.approx(12.0 - np.tan(np.radians(altitude)), abs=1e-3)


@pytest.mark.parametrize("azimuth", AZIMUTHS)
def test_the_shadow_of_a_box_lies_within_a_cell_of_the_solid_one(azimuth):
    """Never more than a cell outside it; at corners it may stay one and a half inside.

    A corner that a ray clips between two steps of the march is missed: half a step more.
    """
    n, altitude, top = 161, 20.0, 15.0
    half_step_m = 0.5 * np.tan(np.radians(altitude)) * np.sqrt(2.0)
    height = np.zeros((n, n), np.float32)
    height[70:91, 70:91] = top
    found = sweep(height, altitude, azimuth)
    row, column = np.mgrid[0:n, 0:n].astype(float)
    ground = height == 0
    wide = solid_box_shade(row, column, azimuth, altitude, top, (68.5, 91.5))
    narrow = solid_box_shade(row, column, azimuth, altitude, top, (71.0, 89.0))
    assert (found[ground] <= wide[ground] + 1e-3).all()
    assert (found[ground] >= narrow[ground] - half_step_m).all()
    assert ((found > 0) | (narrow <= half_step_m))[ground].all()


def solid_box_shade(row, column, azimuth_deg, altitude_deg, top, edges):
    """How high the shade of a square box reaches: where the line to the sun enters it."""
    low, high = edges
    to = (-np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg)))
    enter, leave = np.zeros(row.shape), np.full(row.shape, np.inf)
    for at, step in zip((row, column), to, strict=True):
        if abs(step) < 1e-12:
            miss = (at < low) | (at > high)
            leave[miss] = -np.inf
            continue
        one, two = (low - at) / step, (high - at) / step
        enter = np.maximum(enter, np.minimum(one, two))
        leave = np.minimum(leave, np.maximum(one, two))
    shade = top - enter * np.tan(np.radians(altitude_deg))
    return np.where(enter <= leave, np.maximum(shade, 0.0), 0.0)


def test_the_sun_in_the_south_throws_the_shadow_to_the_north():
    height = np.zeros((21, 21), np.float32)
    height[10, 10] = 3.0
    rows, columns = np.nonzero(sweep(height, 45.0, 180.0))
    assert (rows < 10).all()
    assert set(columns) == {10}


def test_level_ground_and_ground_falling_less_than_the_sun_are_lit():
    row = np.mgrid[0:40, 0:50][0]
    assert not sweep(np.zeros((40, 50)), 3.0, 100.0).any()
    assert sweep(-0.05 * row, 3.5, 180.0).max() < 1e-4  # slope 2.9 degrees
    assert sweep(0.1 * row, 3.5, 180.0).max() > 0.1  # rises to the sun at 5.7 degrees


def test_below_the_horizon_all_is_shade():
    assert np.isinf(sweep(np.zeros((3, 4)), -1.0, 0.0)).all()
    assert np.isinf(sweep(np.zeros((3, 4)), 0.0, 0.0)).all()


@pytest.mark.parametrize("azimuth", [180.0, 90.0, 200.0])
def test_a_missing_height_throws_no_shadow_and_gets_none(azimuth):
    height = np.zeros((30, 30), np.float32)
    height[15, 15] = 5.0
    whole = sweep(height, 30.0, azimuth)
    height[12:14, 12:14] = np.nan
    found = sweep(height, 30.0, azimuth)
    gone = np.isnan(height)
    assert np.isnan(found[gone]).all()
    assert found[~gone] == pytest.approx(whole[~gone])


def test_out_is_filled_and_returned():
    height = np.zeros((5, 5), np.float32)
    out = np.full((5, 5), 9.0, np.float32)
    found = shadow_height(height, cell_m=1.0, altitude_deg=30.0, azimuth_deg=180.0, out=out)
    assert found is out
    assert not out.any()


def rough_ground():
    return np.random.default_rng(5).uniform(0, 30, (150, 190)).astype(np.float32)


def test_one_and_two_threads_give_the_same_bits():
    before = set_threads(1)
    one = [sweep(rough_ground(), 15.0, azimuth).tobytes() for azimuth in AZIMUTHS]
    set_threads(2)
    two = [sweep(rough_ground(), 15.0, azimuth).tobytes() for azimuth in AZIMUTHS]
    set_threads(before)
    assert one == two


def test_the_kernel_runs_uncompiled_and_gives_the_same_shade():
    code = (
        "from tests.kernels.test_shadow import *\n"
        "part = rough_ground()[:30, :40].copy()\n"
        "print(*(sweep(part, 20.0, azimuth).astype(float).sum() for azimuth in AZIMUTHS))\n"
    )
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    plain = [float(word) for word in done.stdout.split()]
    part = rough_ground()[:30, :40].copy()
    fast = [sweep(part, 20.0, azimuth).astype(float).sum() for azimuth in AZIMUTHS]
    assert plain == pytest.approx(fast, rel=1e-5)
