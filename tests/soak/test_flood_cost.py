"""What a flood is said to cost is within a factor of two of what it takes, in CPU seconds."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from cim.flood import design_storm, flood, flood_cost
from cim.model import Grid, GridFrame, Twin
from tests.towns import EAST, FRAME, NORTH, box, town

pytestmark = pytest.mark.soak

STORM = design_storm(return_period_a=50, duration_min=60)


def hills() -> Twin:
    x = np.linspace(0, 25, 500)
    z = (5.0 + np.add.outer(np.sin(x), np.cos(1.3 * x)) + 0.01 * x).astype(np.float32)
    grid = Grid("terrain", GridFrame(EAST, NORTH + 500.0, 1.0, 500, 500), z, "m")
    return Twin(name="hills", frame=FRAME, tables={}, rasters={"terrain": grid})


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "houses on fine cells": (lambda: town(size_m=400, houses=100),
                             {"cell_m": 1.0, "duration_s": 3600.0}),
    "hills, second order": (hills, {"cell_m": 2.0, "duration_s": 1200.0, "solver": "godunov",
                                    "order": 2, "precision": "f64"}),
    "a part of the hills": (hills, {"cell_m": 1.0, "duration_s": 3600.0,
                                    "within": box(50, 50, 300, 300)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_minutes_are_told_within_a_factor_of_two(case: str) -> None:
    make, options = CASES[case]
    view = make()
    small = {**options, "duration_s": 20.0}
    flood(view, storm=STORM, **small)  # compiled
    told = flood_cost(view, storm=STORM, **options)
    began_s = time.process_time()
    ran = flood(view, storm=STORM, **options)
    took_s = time.process_time() - began_s
    ratio, steps = told.cpu_s / took_s, told.steps / ran.summary["time_steps"]
    print(f"{case}: told {told.cpu_s:.2f} CPU s, took {took_s:.2f}: {ratio:.2f}; steps {steps:.2f}")
    assert 0.5 < ratio < 2.0
    assert 0.5 < steps < 2.0
