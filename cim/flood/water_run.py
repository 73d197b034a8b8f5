"""Water on a bare grid, without a city: arrays in, depths, peaks and a ledger out.

Rain, springs and what crosses the edges are counted each under its own name, so that the
balance closes or says by how much it does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.flood.borders import Border
from cim.flood.checkpoint import Checkpoint, fingerprint
from cim.flood.engine import Engine, Numerics, Precision, Solver
from cim.flood.march import Companion, Keeping, march
from cim.flood.watcher import Watcher
from cim.jobs import QUIET, Job
from cim.registry import standard

__all__ = ["Boundary", "Inflow", "Solver", "WaterRun", "run_water"]

Boundary = Literal["wall", "free"]
Array = NDArray[Any]

_LOOK_EVERY = 8  # steps between two looks at speeds and gauges
_POUR_EVERY = 1  # steps between two pourings of springs: lumps of two carry water over sills


@dataclass(frozen=True)
class Inflow:
    """Water that enters one cell: (k,) ascending seconds and m³/s, straight between, 0 outside."""

    row: int
    col: int
    times_s: NDArray[np.float64]
    flow_m3s: NDArray[np.float64]

    def volume_m3(self, from_s: float, until_s: float) -> float:
        """Return what enters between two times."""
        inner = self.times_s[(self.times_s > from_s) & (self.times_s < until_s)]
        t = np.concatenate([[from_s], inner, [until_s]])
        # The ends are taken just inside the span: a series may begin or end with a jump.
        middle = np.interp((t[1:] + t[:-1]) / 2, self.times_s, self.flow_m3s, left=0.0, right=0.0)
        return float(np.sum(middle * np.diff(t)))


@dataclass
class WaterRun:
    """What `run_water` found.

    Attributes
    ----------
    depth_m, depth_max_m, time_of_max_s, arrival_s, duration_15cm_s, speed_max_mps, hazard_max_m2_s
        (rows, columns), NaN in closed cells; times also where the water never came.
    valid
        (rows, columns) 1 where the solver is inside its range, 0 where it is not.
    gauges, gauge_cells
        Per gauge: time s, depth m, speed m/s at every look; its row and column.
    ledger
        Volumes, m³, by cause; `edge_in_m3` and `outflow_m3` came in and went out over the edges.
    edges
        What crossed them by border: ``in_m3``, ``out_m3``.
    steps, cells, cpu_s, min_depth_m
        How the run went; `min_depth_m` is the least depth of any look.
    """

    depth_m: Array
    depth_max_m: Array
    time_of_max_s: Array
    arrival_s: Array
    duration_15cm_s: Array
    speed_max_mps: Array
    hazard_max_m2_s: Array
    valid: NDArray[np.uint8]
    ledger: dict[str, float]
    cells: int
    edges: dict[str, dict[str, float]] = field(default_factory=dict)
    steps: int = 0
    cpu_s: float = 0.0
    min_depth_m: float = 0.0
    gauges: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    gauge_cells: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def mass_error_rel(self) -> float:
        """What the ledger cannot explain, relative to all water that was there."""
        one = self.ledger
        causes = ("initial_m3", "rain_m3", "inflow_m3", "edge_in_m3", "clipped_m3")
        came = sum(one[cause] for cause in causes)
        gone = one["outflow_m3"] + one["stored_m3"]
        return abs(came - gone) / max(came, 1e-300) if came > 0 else abs(gone)

    @property
    def summary(self) -> dict[str, Any]:
        """Return the plain numbers of the run."""
        return {
            "steps": self.steps,
            "cells": self.cells,
            "cell_updates": self.steps * self.cells,
            "cpu_s": round(self.cpu_s, 4),
            "mass_error_rel": self.mass_error_rel,
            "clipped_m3": self.ledger["clipped_m3"],
            "min_depth_m": self.min_depth_m,
            "max_depth_m": float(np.nanmax(self.depth_max_m)),
            "ledger": dict(self.ledger),
            "edges": {name: dict(told) for name, told in self.edges.items()},
        }


def run_water(
    bed_m: Array,
    *,
    cell_m: float,
    duration_s: float,
    manning: Array | float = 0.03,
    depth0_m: Array | float = 0.0,
    rain_ends_s: Sequence[float] = (),
    rain_mm_h: Sequence[float] = (),
    inflows: Sequence[Inflow] = (),
    boundary: Boundary | Sequence[Border] = "wall",
    solver: Solver = "inertial",
    order: int = 1,
    precision: Precision = "f32",
    gauges: Mapping[str, tuple[int, int]] | None = None,
    checkpoint: Checkpoint | None = None,
    job: Job = QUIET,
) -> WaterRun:
    """Follow water over a grid.

    Parameters
    ----------
    bed_m
        (rows, columns) height, m; NaN is a building or a hole: closed, and dry.
    cell_m, duration_s
        Side of a cell, m; how long, s.
    manning
        Manning's n (曼宁系数), one number or per cell.
    depth0_m
        Still water at the start, one number or per cell.
    rain_ends_s, rain_mm_h
        Ends of the blocks of rain, s, and their intensities; dry after the last.
    inflows
        Water that enters single cells.
    boundary
        ``wall``, or ``free``: all four edges let water out, none in: at normal depth on the bed's
        own slope (inertial), or over a fall at critical depth (godunov). Or borders: discharges,
        levels, tides, slopes and curves by side, walls where none.
    solver, order
        ``inertial`` (gradually varied flow below Froude 1), or ``godunov`` of order 1 or 2.
    precision
        ``f32`` or ``f64``.
    gauges
        Cells (row, column) whose depth and speed are kept over time.
    checkpoint
        Where to keep the run now and then, and whether to go on with one.
    job
        Progress and cancel.

    Raises
    ------
    RequestError
        Impossible numbers, water put into closed cells, or a checkpoint of another question.
    SimulationError
        The numbers ran away; it says when and where.
    """
    bed = np.asarray(bed_m, np.float64)
    _check(bed, cell_m, duration_s, manning, depth0_m, rain_ends_s, rain_mm_h, inflows, gauges)
    numerics = Numerics(solver, order, precision)
    if isinstance(boundary, str) and boundary not in {"wall", "free"}:
        raise RequestError("flood.solver", given=f"{solver} {order} {boundary}")
    borders = [Border(boundary)] if isinstance(boundary, str) else list(boundary)
    began_s = time.process_time()
    engine = Engine(
        bed, cell_m=cell_m, numerics=numerics, manning=manning, depth0_m=depth0_m,
        borders=borders, rain_ends_s=rain_ends_s,
        rain_mps=np.asarray(rain_mm_h, np.float64) / 3.6e6,
    )  # fmt: skip
    looks = _Looks(Watcher(engine.depth_m.shape), dict(gauges or {}))
    springs = _Springs(inflows)
    companions: dict[str, Companion] = {"springs": springs} if inflows else {}
    companions["looks"] = looks
    keeping = None
    if checkpoint is not None:
        asked = {"numerics": numerics, "cell_m": cell_m, "gauges": gauges, "inflows": inflows,
                 "duration_s": duration_s, "ends": list(rain_ends_s), "rain": list(rain_mm_h),
                 "borders": [b.parameters for b in borders]}  # fmt: skip
        n, start = np.asarray(manning, float), np.asarray(depth0_m, float)
        keeping = Keeping(checkpoint, fingerprint(asked, bed, n, start))
    march(engine, duration_s, companions, job=job, keeping=keeping)
    return _answer(engine, bed, looks, springs, time.process_time() - began_s)


def _answer(engine: Engine, bed: Array, looks: _Looks, springs: _Springs, cpu_s: float) -> WaterRun:
    shut, water, watcher = np.isnan(bed), engine.water, looks.watcher

    def open_only(values: Array) -> Array:
        return np.where(shut, np.nan, values).astype(np.float32)

    moved = engine.ledger()
    causes = ("rain_m3", "edge_in_m3", "outflow_m3", "clipped_m3")
    wet = water.peak_m > standard("flood.arrival_depth_m").number()
    valid = watcher.valid(engine.numerics)
    return WaterRun(
        depth_m=open_only(engine.depth_m),
        depth_max_m=open_only(water.peak_m),
        time_of_max_s=open_only(np.where(wet, water.peak_s, np.nan)),
        arrival_s=open_only(water.arrival_s),
        duration_15cm_s=open_only(watcher.long_s),
        speed_max_mps=open_only(watcher.speed_mps),
        hazard_max_m2_s=open_only(watcher.hazard_m2_s),
        valid=valid.astype(np.uint8),
        ledger={
            "initial_m3": engine.initial_m3,
            **{cause: moved[cause] for cause in causes},
            "inflow_m3": float(springs.moved_m3[0]),
            "stored_m3": engine.stored_m3(),
        },
        cells=int((~shut).sum()),
        edges=engine.borders.told(),
        steps=engine.steps,
        cpu_s=cpu_s,
        min_depth_m=watcher.least_m,
        gauges=looks.told,
        gauge_cells=looks.gauges,
    )


def _check(
    bed: Array, cell_m: float, duration_s: float, manning: Array | float, depth0: Array | float,
    ends: Sequence[float], rates: Sequence[float], inflows: Sequence[Inflow],
    gauges: Mapping[str, tuple[int, int]] | None,
) -> None:  # fmt: skip
    if bed.ndim != 2 or not np.isfinite(bed).any():
        raise RequestError("flood.no_ground", given=str(bed.shape))
    if not 0.0 < cell_m < np.inf:
        raise RequestError("flood.cell_zero", given=f"{cell_m:g}")
    if not 0.0 < duration_s < np.inf:
        raise RequestError("flood.duration", given=duration_s)
    n = np.asarray(manning, np.float64)
    open_n = n if n.ndim == 0 else n[np.isfinite(bed)]
    if not ((open_n > 0) & (open_n < 1)).all():
        raise RequestError("flood.manning", given=f"{float(np.min(open_n)):g}")
    water = np.broadcast_to(np.asarray(depth0, np.float64), bed.shape)[np.isfinite(bed)]
    if not (np.isfinite(water) & (water >= 0)).all():
        raise RequestError("flood.depth0", given=f"{float(np.min(water)):g}")
    times, rain = np.asarray(ends, np.float64), np.asarray(rates, np.float64)
    if times.shape != rain.shape or not (np.diff(times, prepend=0.0) > 0).all():
        raise RequestError("rain.times", given=f"{times.shape} {rain.shape}")
    if not (np.isfinite(rain) & (rain >= 0)).all():
        raise RequestError("rain.depth", given=rain.tolist())
    cells = [(f"{one.row}, {one.col}", one.row, one.col) for one in inflows]
    cells += [(name, *at) for name, at in (gauges or {}).items()]
    for name, row, col in cells:
        inside = 0 <= row < bed.shape[0] and 0 <= col < bed.shape[1]
        if not inside or np.isnan(bed[row, col]):
            raise RequestError("flood.not_on_ground", given=name)
    for one in inflows:
        if not (np.isfinite(one.flow_m3s) & (one.flow_m3s >= 0)).all():
            raise RequestError("flood.inflow", given=one.flow_m3s.tolist())


class _Springs:
    """Pours what enters single cells."""

    most_steps = _POUR_EVERY

    def __init__(self, inflows: Sequence[Inflow]) -> None:
        self._inflows = inflows
        self.moved_m3 = np.zeros(1)

    def next_s(self) -> float:
        return np.inf

    def act(self, engine: Engine, *, from_s: float, t_s: float, last: bool) -> None:
        for one in self._inflows:
            volume = one.volume_m3(from_s, t_s) if t_s > from_s else 0.0
            if volume > 0.0:
                self.moved_m3 += engine.pour(one.row, one.col, volume)

    def state(self) -> dict[str, Array]:
        return {"moved_m3": self.moved_m3}

    def restore(self, state: dict[str, Array]) -> None:
        self.moved_m3[...] = state["moved_m3"]


class _Looks:
    """Looks at everything every few steps, and notes the gauges."""

    most_steps = _LOOK_EVERY

    def __init__(self, watcher: Watcher, gauges: dict[str, tuple[int, int]]) -> None:
        self.watcher, self.gauges = watcher, gauges
        self.told: dict[str, list[tuple[float, float, float]]] = {name: [] for name in gauges}

    def next_s(self) -> float:
        return np.inf

    def act(self, engine: Engine, *, from_s: float, t_s: float, last: bool) -> None:
        if engine.steps % self.most_steps and not last:
            return
        self.watcher.look(engine.water, t_s=t_s)
        for name, (row, col) in self.gauges.items():
            depth, speed = engine.at(row, col)
            self.told[name].append((t_s, depth, speed))

    def state(self) -> dict[str, Array]:
        told = {f"gauge/{name}": np.array(rows) for name, rows in self.told.items()}
        return {**self.watcher.state(), **told}

    def restore(self, state: dict[str, Array]) -> None:
        self.watcher.restore(state)
        for name, rows in self.told.items():
            rows[:] = [(t, d, v) for t, d, v in state[f"gauge/{name}"].reshape(-1, 3).tolist()]
