"""What a flood would cost before it runs: cells, memory, steps, CPU time.

The same water is run on much coarser cells, which costs next to nothing: time steps are as many
times fewer as the cells are wider, so their number is known. A few steps on a patch of the same
kind of water tell how fast this machine is.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, SimulationError
from cim.flood.borders import Border
from cim.flood.cells import open_cells
from cim.flood.coupling import Pipes
from cim.flood.drains import Drains
from cim.flood.engine import LONGEST_STEP_S, Engine, Numerics
from cim.flood.ground import Site
from cim.flood.setting import NODE_REACH_M
from cim.flood.sewer import find_sewer
from cim.jobs import Cost
from cim.model.twin import TwinView

__all__ = ["drains_cpu_s", "enough_memory", "foresee", "memory_mb"]

Array = NDArray[Any]

_PILOT_CELLS = 2500
_TRIAL_CELLS = 250_000
_TRIAL_S = 0.3
# Coarse cells level the hollows in which water is deepest and steps are shortest. Of a run's steps
# they told 0.93 (a district, 4 h), 0.78 (its quarter, 1 h) and 0.63 (cells of 1 m, half an hour).
_HOLLOWS = 1.25
_DRAIN_TRIALS = 12  # exchanges between street and sewer; the first two compile
# Per cell: arrays of the ground, of both states, and the peaks.
_ARRAYS = {("inertial", 1): 13, ("inertial", 2): 13, ("godunov", 1): 13, ("godunov", 2): 13}
_FIXED_BYTES = 8 + 8 + 8 + 13  # terrain and its copies in float64, peak times, what looks keep
_ANSWER_BYTES = 8 * 4  # fields of the answer
# Of a twin's run, which keeps depths over time: its site in float64 (bed, rain, Manning's n,
# drains), the fine ground under its cells twice, levels of a verdict.
_TWIN_BYTES = 8 * 4 + 4 * 4 * 2 + 8 * 5


def memory_mb(cells: int, numerics: Numerics, *, frames: int = 0) -> float:
    """Return the most memory that a run takes, MB: water, looks, and the answer's fields."""
    wide = 4 if numerics.precision == "f32" else 8
    each = _ARRAYS[numerics.solver, numerics.order] * wide + _FIXED_BYTES + _ANSWER_BYTES
    each += _TWIN_BYTES if frames else 0
    return cells * (each + 4.0 * frames) / 1e6


def enough_memory(need_mb: float, *, cells: int) -> None:
    """Refuse what this machine cannot hold.

    Raises
    ------
    RequestError
        The run needs more memory than there is.
    """
    have_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    if need_mb > have_mb:
        values = {"need": f"{need_mb / 1e3:.1f}", "have": f"{have_mb / 1e3:.1f}"}
        raise RequestError("flood.memory", given=cells, values=values)


def foresee(
    bed_m: Array,
    *,
    cell_m: float,
    numerics: Numerics,
    duration_s: float,
    manning: Array | float,
    depth0_m: Array | float = 0.0,
    rain_share: Array | float = 1.0,
    drain_mps: Array | float = 0.0,
    borders: Sequence[Border] = (),
    springs_m3_s: float = 0.0,
    rain_ends_s: Sequence[float] | Array = (),
    rain_mps: Sequence[float] | Array = (),
    frames: int = 0,
) -> Cost:
    """Tell what a run would take, by a run on coarse cells and a trial of this machine.

    Parameters are those of `cim.flood.engine.Engine`; `springs_m3_s` is what springs pour on
    average, `frames` how many depths the answer keeps.
    """
    shape = np.shape(bed_m)
    cells = int(np.prod(shape))
    times = max(1, int(np.sqrt(cells / _PILOT_CELLS)))

    def coarse(values: Array | float, *, total: bool = False) -> Array:
        full = np.broadcast_to(np.asarray(values, np.float64), shape)
        rows, cols = (-(-n // times) for n in shape)
        pad = ((0, rows * times - shape[0]), (0, cols * times - shape[1]))
        blocks = np.pad(np.where(np.isnan(bed_m), np.nan, full), pad, constant_values=np.nan)
        blocks = blocks.reshape(rows, times, cols, times).transpose(0, 2, 1, 3)
        flat = blocks.reshape(rows, cols, times * times)
        known = np.isfinite(flat)
        sums = np.where(known, flat, 0.0).sum(axis=-1)
        count = times * times if total else np.maximum(known.sum(axis=-1), 1)
        return np.asarray(np.where(known.any(axis=-1), sums / count, np.nan))

    bed = coarse(bed_m)
    open_ = np.isfinite(bed)
    water: dict[str, Any] = {
        "manning": np.where(open_, coarse(manning), 0.03),
        "depth0_m": np.where(open_, coarse(depth0_m), 0.0),
        "rain_share": np.where(open_, coarse(rain_share, total=True), 0.0),
        "drain_mps": np.where(open_, coarse(drain_mps), 0.0),
    }
    pilot = Engine(
        bed, cell_m=cell_m * times, numerics=numerics, rain_ends_s=rain_ends_s, rain_mps=rain_mps,
        borders=[_coarser(b, times) for b in borders], longest_step_s=LONGEST_STEP_S * times,
        **water,
    )  # fmt: skip
    t_s = 0.0
    springs = np.unravel_index(int(np.nanargmin(bed)), bed.shape)
    while t_s < duration_s:
        new_s, taken = pilot.step(t_s, duration_s, most_steps=8 if springs_m3_s else 10_000)
        if not taken:
            break
        if springs_m3_s:
            pilot.pour(int(springs[0]), int(springs[1]), springs_m3_s * (new_s - t_s))
        t_s = new_s
    steps = max(1, round(pilot.steps * times * _HOLLOWS))
    return Cost(
        cells=cells,
        memory_mb=memory_mb(cells, numerics, frames=frames),
        steps=steps,
        cpu_s=steps * _swept(bed_m, numerics) / _cells_per_cpu_s(bed_m, pilot, numerics, cell_m),
    )


def drains_cpu_s(view: TwinView, site: Site, *, duration_s: float) -> float:
    """Measure what the twin's storm drains would take: opened, filled and routed for a little.

    0 where they would not run: no drains, none here, no outfall, no SWMM, or one that runs.
    """
    began_s = time.process_time()
    try:
        sewer = find_sewer(view)
        if sewer is None or importlib.util.find_spec("swmm") is None:
            return 0.0
        open_ = np.isfinite(site.bed_m)
        cell = open_cells(site.frame, open_, sewer.x_m, sewer.y_m, reach_m=NODE_REACH_M)
        if not (cell[~sewer.outfall] >= 0).any():
            return 0.0
        crest = np.where(cell >= 0, site.bed_m.ravel()[np.maximum(cell, 0)], np.nan)
        every_s = Pipes.every_s
        with Drains(sewer, crest_m=crest, duration_s=3600.0, remember=False) as running:
            pipes = Pipes(running, cell=cell, bed_m=site.bed_m.ravel(), cell_m=site.frame.cell_m)
            opened_s, spent = time.process_time() - began_s, []
            for k in range(_DRAIN_TRIALS):
                now_s = time.process_time()
                pipes.act(lambda at: np.full(len(at), 0.05), t_s=(k + 1) * every_s, dt_s=every_s)
                spent.append(time.process_time() - now_s)
    except (RequestError, SimulationError):
        return 0.0
    return opened_s + float(np.median(spent[2:])) * duration_s / every_s


def _swept(bed_m: Array, numerics: Numerics) -> int:
    """Return the cells a step goes over; the inertial solver skips blocks of closed ones."""
    if numerics.solver != "inertial":
        return int(np.size(bed_m))
    from kernels.flood.blocks import COLUMNS, ROWS

    rows, cols = np.shape(bed_m)
    some = np.add.reduceat(np.isfinite(bed_m).astype(np.int64), np.arange(0, rows, ROWS), axis=0)
    some = np.add.reduceat(some, np.arange(0, cols, COLUMNS), axis=1)
    return min(int((some > 0).sum()) * ROWS * COLUMNS, int(np.size(bed_m)))


def _coarser(border: Border, times: int) -> Border:
    start = None if border.start is None else border.start // times
    stop = None if border.stop is None else -(-border.stop // times)
    return Border(border.kind, border.side, start, stop, border.times_s, border.values, border.name)


def _cells_per_cpu_s(bed_m: Array, pilot: Engine, numerics: Numerics, cell_m: float) -> float:
    """Measure how many cells this machine moves in a CPU second, on a corner of the terrain."""
    side = int(np.sqrt(_TRIAL_CELLS))
    patch = np.nan_to_num(bed_m[:side, :side], nan=float(np.nanmean(bed_m)))
    deep = max(float(pilot.water.peak_m.mean()), 0.01)
    engine = Engine(patch, cell_m=cell_m, numerics=numerics, manning=0.03, depth0_m=deep)
    engine.step(0.0, 1e9, most_steps=2)  # compiles
    best, began = 0.0, time.process_time()
    while time.process_time() - began < _TRIAL_S:
        now = time.process_time()
        _, taken = engine.step(0.0, 1e9, most_steps=8)
        best = max(best, taken * patch.size / max(time.process_time() - now, 1e-6))
    return best
