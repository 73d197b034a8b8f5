"""Floods against truths from outside: published analytic channels and a published still lake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.flood.inertial import advance
from kernels.flood.water import Water, new_ground, new_water, stored_m3

pytestmark = pytest.mark.truths

Grid = NDArray[np.float64]
Find = Callable[[str], Path]


def ascii_grid(path: Path) -> tuple[Grid, float]:
    """Cells, first row north, and cell size of an Arc/Info ASCII grid."""
    lines = path.read_text(encoding="ascii").split("\n")
    head = {}
    while lines[0].split()[0].isidentifier():
        name, value = lines.pop(0).split()[:2]
        head[name.lower()] = float(value)
    shape = int(head["nrows"]), int(head["ncols"])
    return np.array(" ".join(lines).split(), float).reshape(shape), head["cellsize"]


@pytest.mark.parametrize(("dtype", "limit_m"), [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_the_lake_over_three_humps_stays_motionless_for_600_s(
    testdata: Find, dtype: type[np.floating[Any]], limit_m: float
) -> None:
    # Liang & Borthwick (2009), water level 0.875 m, n = 0.04; demand: flood.md 4.6, 1e-6 and 1e-12.
    folder = "flood/lisflood_humps/T01/"
    bed, cell_m = ascii_grid(testdata(folder + "humps.dem"))
    level_less_bed, _ = ascii_grid(testdata(folder + "humps_cp.wd"))
    depth = np.maximum(level_less_bed, 0.0)  # negative in the file where the hump stands out
    ground = new_ground(bed, cell_m=cell_m, manning=0.04, dtype=dtype)
    water = new_water(ground, depth_m=depth)
    before_m3 = stored_m3(water, cell_m=cell_m)
    run(ground, water, cell_m, 600.0)
    speed = np.abs(water.now.flux_x[1:-1, 1:-1]).max(), np.abs(water.now.flux_y).max()
    moved_m = np.abs(water.depth_m - depth).max()
    lost = abs(stored_m3(water, cell_m=cell_m) - before_m3) / before_m3
    print(f"humps {dtype.__name__}: moved {moved_m:.1e} m, flux {max(speed):.1e} m2/s, lost {lost}")
    assert moved_m <= limit_m
    assert max(speed) <= limit_m * 10
    assert lost <= 1e-12


@pytest.mark.parametrize(
    ("name", "inflow_mps", "rain_mps", "limit_m"),
    # Limits: what the test suite of itzi 25.8, which solves the same equations, asks of itself.
    [("norain", 0.4, 0.0, 0.03), ("rain", 0.2, 1e-3, 0.035)],
)
def test_the_macdonald_channel_has_its_analytic_water_level(
    testdata: Find, name: str, inflow_mps: float, rain_mps: float, limit_m: float
) -> None:
    # SWASHES (Delestre et al. 2013), long channel, subcritical: L = 1000 m, n = 0.033, q = 2 m2/s.
    table = np.loadtxt(testdata(f"flood/macdonald_itzi/mcdo_{name}.csv"), delimiter=",", skiprows=1)
    bed = np.tile(table[:, 1], (3, 1))
    feed = np.zeros_like(bed)
    feed[:, 0] = inflow_mps
    errors = {}
    for dtype in (np.float32, np.float64):
        ground = new_ground(
            bed,
            cell_m=5.0,
            manning=0.033,
            rain_share=feed + rain_mps,
            edge_slope=(-1.0, -1.0, -1.0, 0.0),
            dtype=dtype,
        )
        water = new_water(ground)
        run(ground, water, 5.0, 3600.0, rain_mps=1.0)
        level = water.depth_m[1] + bed[1]
        depth = table[:, 2] - table[:, 1]
        errors[dtype.__name__] = np.abs(level - table[:, 2]).mean()
        relative = np.abs(level - table[:, 2]).sum() / depth.sum()
        print(f"MacDonald {name} {dtype.__name__}: mean {errors[dtype.__name__]:.4f} m, "
              f"relative L1 {relative:.4f}")  # fmt: skip
        assert np.abs(water.now.flux_y[1:-1]).max() < 1e-6
        assert np.ptp(water.now.flux_x[2, 2:-1]) == pytest.approx(1000 * rain_mps, abs=0.01)
    assert max(errors.values()) < limit_m
    assert abs(errors["float32"] - errors["float64"]) < 1e-4


def run(ground: Any, water: Water, cell_m: float, until_s: float, *, rain_mps: float = 0.0) -> None:
    advance(
        ground,
        water,
        cell_m=cell_m,
        from_s=0.0,
        until_s=until_s,
        rain_ends_s=np.array([until_s]),
        rain_mps=np.array([rain_mps]),
    )
