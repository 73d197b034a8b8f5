"""Floods that were measured: a wave in a flume, and a street the water went down.

Monai valley: Third International Workshop on Long-Wave Runup Models (2004), benchmark 2.
Merewether: Smith & Wasko (2012), Australian Rainfall and Runoff, revision project 15.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from kernels.flood import godunov, inertial
from kernels.flood.water import new_ground, new_water

pytestmark = pytest.mark.truths

Grid = NDArray[np.float64]
Find = Callable[[str], Path]


def coarser(values: Grid, times: int) -> Grid:
    """Means of blocks; NaN where most of a block is."""
    rows, columns = (n // times for n in values.shape)
    blocks = values[: rows * times, : columns * times].reshape(rows, times, columns, times)
    held = np.isfinite(blocks)
    total = np.where(held, blocks, 0.0).sum(axis=(1, 3))
    count = held.sum(axis=(1, 3))
    return np.where(2 * count > times * times, total / np.maximum(count, 1), np.nan)


@pytest.mark.parametrize("order", [1, 2])
def test_the_wave_in_monai_valley_passes_its_gauges(testdata: Find, order: int) -> None:
    folder = "flood/okushiri_monai/"
    name = "Benchmark_2_Bathymetry"
    with zipfile.ZipFile(testdata(f"{folder}{name}.zip")) as packed:
        text = io.TextIOWrapper(packed.open(f"{name}.xya"), encoding="ascii")
        points = np.loadtxt(text, delimiter=",", skiprows=1)
    wave = np.loadtxt(testdata(folder + "Benchmark_2_input.txt"), skiprows=1)
    measured = np.loadtxt(testdata(folder + "output_ch5-7-9.txt"), skiprows=1)
    xs, ys = np.unique(points[:, 0]), np.unique(points[:, 1])
    fine = np.full((ys.size, xs.size), np.nan)
    fine[np.searchsorted(ys, points[:, 1]), np.searchsorted(xs, points[:, 0])] = points[:, 2]
    bed, cell_m = coarser(fine, 2), 0.028
    rows, columns = bed.shape
    ground = new_ground(bed, cell_m=cell_m, manning=0.01)
    water = godunov.new_moving(ground, depth_m=np.maximum(-bed, 0.0))
    lengths = [columns, columns, rows, rows]
    kind = np.repeat([godunov.WALL, godunov.WALL, godunov.STAGE, godunov.WALL], lengths)
    # A block's middle lies half a fine cell beyond its first point.
    column = round((4.521 - 0.007) / cell_m)
    gauges = [(round((y - 0.007) / cell_m), column) for y in (1.196, 1.696, 2.196)]
    levels = [[0.0, 0.0, 0.0]]
    for (from_s, before_m), (until_s, after_m) in zip(wave[:-1], wave[1:], strict=True):
        start, end = (np.repeat([0.0, 0.0, m - bed.min(), 0.0], lengths)
                      for m in (before_m, after_m))  # fmt: skip
        godunov.advance(
            ground, water, cell_m=cell_m, from_s=from_s, until_s=until_s, order=order,
            rain_ends_s=np.zeros(0), rain_mps=np.zeros(0),
            edges=godunov.Edges(kind.astype(np.int8), start, end),
        )  # fmt: skip
        levels.append([float(water.depth_m[at] + bed[at]) for at in gauges])
    found = np.array(levels)
    told = measured[measured[:, 0] <= wave[-1, 0]]
    error = []
    for k in range(3):
        ours = np.interp(told[:, 0], wave[:, 0], found[:, k])
        theirs = told[:, k + 1] / 100
        error.append(np.sqrt(np.mean((ours - theirs) ** 2)) / np.ptp(theirs))
    print(f"Monai, 28 mm cells, order {order}: NRMSE {error[0]:.3f} {error[1]:.3f} {error[2]:.3f} "
          f"at gauges 5, 7, 9")  # fmt: skip
    assert max(error) <= 0.10
    assert water.ledger[3] == 0.0


def inside(path: Path, x: Grid, y: Grid) -> NDArray[np.bool_]:
    outline = Outline(np.loadtxt(path, delimiter=","))
    return np.asarray(outline.contains_points(np.c_[x.ravel(), y.ravel()]).reshape(x.shape))


@pytest.mark.parametrize(("solver", "times"), [("inertial", 1), ("godunov order 1", 2)])
def test_the_flood_of_merewether_has_its_surveyed_levels(
    testdata: Find, solver: str, times: int
) -> None:
    """19.7 m³/s down the street until steady; houses are holes; n 0.02 on the road, 0.04 beside."""
    folder = "flood/merewether_anuga/"
    with zipfile.ZipFile(testdata(folder + "topography1.zip")) as packed:
        lines = packed.read("topography1.asc").decode("ascii").split("\n")
    head = {name.lower(): float(value) for name, value in (line.split() for line in lines[:6])}
    z = np.array(" ".join(lines[6:]).split(), float).reshape(int(head["nrows"]), int(head["ncols"]))
    z[z == head["nodata_value"]] = np.nan
    side = head["cellsize"]
    across = head["xllcorner"] + (np.arange(z.shape[1]) + 0.5) * side
    x, y = np.meshgrid(across, head["yllcorner"] + (np.arange(z.shape[0])[::-1] + 0.5) * side)
    road = inside(testdata(folder + "Road/RoadPolygon.csv"), x, y)
    for house in sorted(testdata(folder + "houses").glob("*.csv")):
        z[inside(house, x, y)] = np.nan
    spring = (np.hypot(x - 382_300.0, y - 6_354_290.0) < 15.0) & np.isfinite(z)
    bed, x, y = (coarser(a, times) for a in (z, x, y))
    manning = coarser(np.where(road, 0.02, 0.04), times)
    share = np.where(np.isfinite(bed), coarser(spring.astype(float), times), 0.0)
    cell_m = side * times
    share *= 19.7 / (share.sum() * cell_m**2)
    ground = new_ground(bed, cell_m=cell_m, manning=manning, rain_share=share,
                        edge_slope=(0.001,) * 4)  # fmt: skip
    kept: dict[str, Any] = {"cell_m": cell_m, "from_s": 0.0, "until_s": 600.0,
                            "rain_ends_s": np.array([600.0]), "rain_mps": np.ones(1)}  # fmt: skip
    if solver == "inertial":
        water = new_water(ground)
        inertial.advance(ground, water, **kept)
    else:
        water = godunov.new_moving(ground)
        godunov.advance(ground, water, order=1, **kept)
    points = np.loadtxt(testdata(folder + "Observations/ObservationPoints.csv"), delimiter=",",
                        skiprows=1)  # fmt: skip
    where = [int(np.nanargmin(np.hypot(x - px, y - py))) for px, py in points[:, :2]]
    level = (bed + water.depth_m).ravel()[where]
    surveyed, tuflow = points[:, 4], points[:, 5]
    error, theirs = (np.sqrt(np.mean((a - surveyed) ** 2)) for a in (level, tuflow))
    dry = int((water.depth_m.ravel()[where] < 0.01).sum())
    print(f"Merewether, {solver}, {cell_m:.0f} m: RMSE {error:.3f} m to {len(points)} surveyed "
          f"levels ({dry} dry with us: their ground counts); TUFLOW {theirs:.3f}")  # fmt: skip
    assert error <= 0.2
