"""Rain that runs off: a plane with its kinematic hydrograph, a V-shaped catchment's plateau.

Formulas: Henderson & Wooding (1964), J. Geophys. Res. 69, 1531-1540 (plane);
Di Giammarco, Todini & Lamberti (1996), J. Hydrol. 175, 267-291 (V-catchment).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cim.flood import run_water
from kernels.flood import godunov, inertial
from kernels.flood.water import new_ground, new_water

pytestmark = pytest.mark.truths

Grid = NDArray[np.float64]
SOLVERS = [("inertial", 1), ("godunov", 1), ("godunov", 2)]

LONG_M, SLOPE, MANNING, RAIN_MPS = 200.0, 0.05, 0.1, 1e-5  # 36 mm/h
RAIN_S, UNTIL_S, EVERY_S = 3000.0, 6000.0, 30.0


def kinematic(times_s: Grid) -> Grid:
    """Flow from the foot of the plane, m²/s: rise, plateau, recession."""
    alpha, m = np.sqrt(SLOPE) / MANNING, 5 / 3
    full_s = (LONG_M * RAIN_MPS ** (1 - m) / alpha) ** (1 / m)
    assert full_s < RAIN_S
    rising = alpha * (RAIN_MPS * np.minimum(times_s, full_s)) ** m
    depth = np.linspace((RAIN_MPS * LONG_M / alpha) ** (1 / m), 1e-9, 20_000)
    since = (LONG_M - alpha * depth**m / RAIN_MPS) / (alpha * m * depth ** (m - 1))
    falling = alpha * np.interp(times_s - RAIN_S, since, depth) ** m
    return np.asarray(np.where(times_s <= RAIN_S, rising, falling), np.float64)


def hydrograph(solver: str, order: int) -> Grid:
    """Flow from the foot of the plane, m²/s, means over `EVERY_S`."""
    cells = 200
    cell_m = LONG_M / cells
    bed = np.tile(SLOPE * (LONG_M - (np.arange(cells) + 0.5) * cell_m), (2, 1))
    ground = new_ground(bed, cell_m=cell_m, manning=MANNING, edge_slope=(-1.0, -1.0, -1.0, 0.0))
    water = new_water(ground) if solver == "inertial" else godunov.new_moving(ground)
    advance: Any = (
        inertial.advance if solver == "inertial" else partial(godunov.advance, order=order)
    )
    gone = []
    for end_s in np.arange(0.0, UNTIL_S, EVERY_S) + EVERY_S:
        advance(
            ground, water, cell_m=cell_m, from_s=end_s - EVERY_S, until_s=end_s,
            rain_ends_s=np.array([RAIN_S]), rain_mps=np.array([RAIN_MPS]),
        )  # fmt: skip
        gone.append(water.ledger[2])
    assert water.ledger[3] == 0.0
    return np.diff(gone, prepend=0.0) / EVERY_S / (2 * cell_m)


@pytest.mark.parametrize(("solver", "order"), SOLVERS)
def test_a_plane_in_the_rain_has_the_kinematic_hydrograph(solver: str, order: int) -> None:
    fine = kinematic(np.arange(0.0, UNTIL_S, 1.0) + 0.5)
    expected = fine.reshape(-1, int(EVERY_S)).mean(axis=1)
    missed = np.sum((hydrograph(solver, order) - expected) ** 2)
    nse = float(1 - missed / np.sum((expected - expected.mean()) ** 2))
    print(f"kinematic plane, {solver} order {order}: NSE {nse:.5f}")
    assert nse >= 0.999


@pytest.mark.parametrize(("solver", "order"), SOLVERS)
def test_the_v_catchment_reaches_its_plateau(solver: Any, order: int) -> None:
    cell_m, rows, columns = 20.0, 50, 81  # two planes of 800 x 1000 m, a channel of 20 m between
    aside = np.abs(np.arange(columns) - 40)
    down = 0.02 * (np.arange(rows)[::-1] + 0.5) * cell_m
    bed = down[:, None] + np.where(aside == 0, 0.0, 0.05 * (aside - 0.5) * cell_m)
    manning = np.where(aside == 0, 0.15, 0.015) * np.ones((rows, 1))
    runs = [
        run_water(
            bed, cell_m=cell_m, duration_s=end_s, manning=manning, rain_ends_s=[5400.0],
            rain_mm_h=[10.8], boundary="free", solver=solver, order=order, precision="f64",
        )
        for end_s in (5100.0, 5400.0)
    ]  # fmt: skip
    flow = (runs[1].ledger["outflow_m3"] - runs[0].ledger["outflow_m3"]) / 300
    expected = 10.8 / 3.6e6 * rows * columns * cell_m**2
    print(f"V-catchment, {solver} order {order}: plateau {flow:.4f} m3/s of {expected:.2f}, "
          f"balance {runs[1].mass_error_rel:.0e}")  # fmt: skip
    assert expected == pytest.approx(4.86)
    assert flow == pytest.approx(expected, rel=3e-3)
    assert runs[1].mass_error_rel <= 1e-12
    assert runs[1].ledger["clipped_m3"] == 0.0
