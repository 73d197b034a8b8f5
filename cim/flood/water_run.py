"""Water on a bare grid, without a city: arrays in, depths, peaks and a ledger out.

One loop for both solvers: rain, inflows and what leaves over the edges are counted
each under its own name, so that the balance closes or says by how much it does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, SimulationError
from cim.flood.hazard import hazard_rating
from cim.jobs import QUIET, Job
from cim.registry import standard

__all__ = ["Boundary", "Inflow", "Solver", "WaterRun", "run_water"]

Solver = Literal["inertial", "godunov"]
Boundary = Literal["wall", "free"]
Array = NDArray[Any]

_WATCH_EVERY = 4  # steps between two looks at the peaks
_LONGEST_S = 10.0
_COURANT = {"inertial": 0.6, "godunov": 0.45}


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
        Volumes, m³, by cause.
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
    steps: int = 0
    cpu_s: float = 0.0
    min_depth_m: float = 0.0
    gauges: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    gauge_cells: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def mass_error_rel(self) -> float:
        """What the ledger cannot explain, relative to all water that was there."""
        one = self.ledger
        came = one["initial_m3"] + one["rain_m3"] + one["inflow_m3"] + one["clipped_m3"]
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
    boundary: Boundary = "wall",
    solver: Solver = "inertial",
    order: int = 1,
    precision: Literal["f32", "f64"] = "f32",
    gauges: Mapping[str, tuple[int, int]] | None = None,
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
        own slope (inertial), or over a fall at critical depth (godunov).
    solver, order
        ``inertial`` (gradually varied flow below Froude 1), or ``godunov`` of order 1 or 2.
    precision
        ``f32`` or ``f64``.
    gauges
        Cells (row, column) whose depth and speed are kept over time.
    job
        Progress and cancel.

    Raises
    ------
    RequestError
        Impossible numbers, or water put into closed cells.
    SimulationError
        The solver could not go on.
    """
    bed = np.asarray(bed_m, np.float64)
    shut = np.isnan(bed)
    _check(bed, cell_m, duration_s, manning, depth0_m, rain_ends_s, rain_mm_h, inflows, gauges)
    if solver not in _COURANT or order not in {1, 2} or boundary not in {"wall", "free"}:
        raise RequestError("flood.solver", given=f"{solver} {order} {boundary}")
    if precision not in {"f32", "f64"}:
        raise RequestError("flood.precision", given=precision)
    dtype: type[np.floating[Any]] = np.float32 if precision == "f32" else np.float64
    began_s = time.process_time()
    engine = _Engine(bed, cell_m, manning, depth0_m, boundary, dtype, solver, order)
    watch = _Watch(shut, gauges or {})
    ledger = dict.fromkeys(("initial_m3", "rain_m3", "inflow_m3", "outflow_m3", "clipped_m3"), 0.0)
    ledger["initial_m3"] = engine.stored_m3()
    ends, rates = np.asarray(rain_ends_s, np.float64), np.asarray(rain_mm_h, np.float64) / 3.6e6
    t_s, steps = 0.0, 0
    at_once = 1 if inflows else _WATCH_EVERY  # springs are poured between two steps
    watch.look(engine, t_s)
    while t_s < duration_s:
        new_s, taken = engine.steps(t_s, duration_s, at_once, ends, rates, ledger)
        if not taken:
            raise SimulationError("flood.not_finite", given=f"{t_s:g}")
        for one in inflows:
            depth_m = one.volume_m3(t_s, new_s) / cell_m**2
            if depth_m > 0.0:
                ledger["inflow_m3"] += engine.add(one.row, one.col, depth_m)
        t_s, steps = new_s, steps + taken
        if steps % _WATCH_EVERY == 0 or t_s >= duration_s:
            watch.look(engine, t_s)
            job.step(t_s, duration_s, what="flood.running")
    ledger["stored_m3"] = engine.stored_m3()
    if not np.isfinite(ledger["stored_m3"]):
        raise SimulationError("flood.not_finite", given=f"{t_s:g}")
    return watch.result(
        engine.depth(),
        ledger,
        steps,
        time.process_time() - began_s,
        step_m=None if solver == "inertial" else _bed_steps(bed) * (order == 1),
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


class _Engine:
    """A solver on its grid, a few steps at a time."""

    def __init__(
        self, bed: Array, cell_m: float, manning: Array | float, depth0: Array | float,
        boundary: Boundary, dtype: type[np.floating[Any]], solver: Solver, order: int,
    ) -> None:  # fmt: skip
        from kernels.flood import godunov, inertial, water

        slope = standard("flood.edge_slope").number() if boundary == "free" else -1.0
        self._ground = water.new_ground(
            bed, cell_m=cell_m, manning=manning, edge_slope=(slope,) * 4, dtype=dtype
        )
        self._cell_m, self._water_kernel = cell_m, water
        self._faces = solver == "inertial"  # its momenta stand on faces, the other's in cells
        if self._faces:
            self._water = water.new_water(self._ground, depth_m=depth0)
            self._advance = partial(inertial.advance, courant=_COURANT["inertial"])
        else:
            self._water = godunov.new_moving(self._ground, depth_m=depth0)
            self._advance = partial(godunov.advance, courant=_COURANT["godunov"], order=order)

    def steps(
        self, from_s: float, until_s: float, most: int, ends: Array, rates: Array,
        ledger: dict[str, float],
    ) -> tuple[float, int]:  # fmt: skip
        """Go on for at most `most` steps; the time reached, and the steps taken."""
        before = self._water.ledger.copy()
        reached_s, taken = self._advance(
            self._ground, self._water, cell_m=self._cell_m, from_s=from_s, until_s=until_s,
            rain_ends_s=ends, rain_mps=rates, most_steps=most, longest_step_s=_LONGEST_S,
            watch_every=2**31,
        )  # fmt: skip
        gained = dict(zip(self._water_kernel.LEDGER, self._water.ledger - before, strict=True))
        for name in ("rain_m3", "outflow_m3", "clipped_m3"):
            ledger[name] += float(gained[name])
        return reached_s, taken

    def add(self, row: int, col: int, depth_m: float) -> float:
        """Pour water into a cell; what did arrive, m³."""
        held = self._water.depth_m
        before = float(held[row, col])
        held[row, col] += depth_m
        return (float(held[row, col]) - before) * self._cell_m**2

    def stored_m3(self) -> float:
        """Return the volume on the grid."""
        return float(self._water_kernel.stored_m3(self._water, cell_m=self._cell_m))

    def depth(self) -> Array:
        """Return the depths, (rows, columns)."""
        return self._water.depth_m

    def through(self) -> Array:
        """Return the size of depth times velocity, (rows, columns), m²/s."""
        now = self._water.now
        if not self._faces:
            return np.hypot(now.flux_x[1:-1, 1:-1], now.flux_y[1:-1, 1:-1])
        x, y = now.flux_x[1:-1], now.flux_y[:, 1:-1]
        along = 0.5 * (x[:, 1:-2] + x[:, 2:-1])
        return np.hypot(along, 0.5 * (y[1:-2] + y[2:-1]))


def _bed_steps(bed: Array) -> Array:
    """Largest step from each cell to an open neighbour, m.

    Water shallower than that runs too fast in the first-order scheme: a film down a plane was
    measured at 0.6 of its normal depth.
    """
    out = np.zeros(bed.shape)
    for axis in (0, 1):
        step = np.nan_to_num(np.abs(np.diff(bed, axis=axis)))
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        out[tuple(low)] = np.maximum(out[tuple(low)], step)
        out[tuple(high)] = np.maximum(out[tuple(high)], step)
    return out


class _Watch:
    """Remembers peaks, arrivals, durations and gauges."""

    def __init__(self, shut: Array, gauges: Mapping[str, tuple[int, int]]) -> None:
        self._shut = shut
        self._arrival_m = standard("flood.arrival_depth_m").number()
        self._lane_m = standard("flood.lane_depth_m").number()
        self._froude = standard("flood.inertial_froude").number()
        self._debris = standard("flood.debris_factor").number()
        self._last_s = 0.0
        shape = shut.shape
        self._most, self._most_s, self._long_s, self._speed, self._rating, self._fr = (
            np.zeros(shape, np.float32) for _ in range(6)
        )
        self._arrival_s = np.full(shape, np.nan, np.float32)
        self._least = np.inf
        self._gauges = dict(gauges)
        self._told: dict[str, list[tuple[float, float, float]]] = {name: [] for name in gauges}

    def look(self, engine: _Engine, t_s: float) -> None:
        depth, through = engine.depth(), engine.through()
        wet = depth > self._arrival_m
        speed = np.where(wet, through / np.where(wet, depth, 1.0), 0.0)
        self._least = min(self._least, float(depth.min()))
        higher = depth > self._most
        self._most[higher], self._most_s[higher] = depth[higher], t_s
        self._arrival_s[wet & np.isnan(self._arrival_s)] = t_s
        self._long_s[depth > self._lane_m] += np.float32(t_s - self._last_s)
        np.maximum(self._speed, speed, out=self._speed)
        rating = hazard_rating(depth, speed, debris_m2_s=self._debris, wet_m=self._arrival_m)
        np.maximum(self._rating, rating, out=self._rating)
        froude = speed / np.sqrt(9.81 * np.where(wet, depth, 1.0))
        np.maximum(self._fr, froude, out=self._fr)
        self._last_s = t_s
        for name, (row, col) in self._gauges.items():
            deep = float(depth[row, col])
            fast = float(through[row, col]) / deep if deep > self._arrival_m else 0.0
            self._told[name].append((t_s, deep, fast))

    def result(
        self,
        depth: Array,
        ledger: dict[str, float],
        steps: int,
        cpu_s: float,
        *,
        step_m: Array | None,
    ) -> WaterRun:
        def open_only(values: Array) -> Array:
            return np.where(self._shut, np.nan, values).astype(np.float32)

        wet = self._most > self._arrival_m
        valid = self._fr <= self._froude if step_m is None else ~(wet & (self._most < step_m))
        return WaterRun(
            depth_m=open_only(depth),
            depth_max_m=open_only(self._most),
            time_of_max_s=open_only(np.where(wet, self._most_s, np.nan)),
            arrival_s=open_only(self._arrival_s),
            duration_15cm_s=open_only(self._long_s),
            speed_max_mps=open_only(self._speed),
            hazard_max_m2_s=open_only(self._rating),
            valid=valid.astype(np.uint8),
            ledger=ledger,
            cells=int((~self._shut).sum()),
            steps=steps,
            cpu_s=cpu_s,
            min_depth_m=self._least,
            gauges=self._told,
            gauge_cells=self._gauges,
        )
