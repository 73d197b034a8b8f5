"""What tests of floods have in common: a bare twin, a rough ground, a storm, files, a stop."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from cim.flood import even_storm
from cim.jobs import Job, Progress
from cim.model import Grid, GridFrame, Twin
from tests.towns import EAST, FRAME, NORTH

HARD = even_storm(depth_mm=100, duration_min=10)


SOLVERS = pytest.mark.parametrize(("solver", "order"), [("inertial", 1), ("godunov", 1),
                                                         ("godunov", 2)])  # fmt: skip


def bare(values: Any, *, cell_m: float = 1.0, **tables: Any) -> Twin:
    z = np.asarray(values, np.float32)
    frame = GridFrame(EAST, NORTH + z.shape[0] * cell_m, cell_m, *z.shape)
    grid = Grid("terrain", frame, z, "m", illustrative=True)
    return Twin(name="bare", frame=FRAME, tables=tables, rasters={"terrain": grid})


def rough(rows: int = 20, cols: int = 24) -> np.ndarray:
    bed = np.random.default_rng(0).uniform(0, 1, (rows, cols))
    bed[5:8, 9:12] = np.nan
    return bed


def stopping(share: float) -> Job:
    job = Job()

    def listen(step: Progress) -> None:
        if step.what == "flood.running" and step.share >= share:
            job.cancel()

    job.listen = listen
    return job


def dem(path: Path, values: Any, *, crs: str | None = "EPSG:4548", cell: float = 2.0,
        west: float = 500000.0, north: float = 4300000.0) -> Path:  # fmt: skip
    z = np.asarray(values, float)
    with rasterio.open(path, "w", driver="GTiff", height=z.shape[0], width=z.shape[1], count=1,
                       dtype="float64", crs=crs, nodata=np.nan,
                       transform=Affine(cell, 0, west, 0, -cell, north)) as file:  # fmt: skip
        file.write(z, 1)
    return path


def write(path: Path, *rows: tuple[Any, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path
