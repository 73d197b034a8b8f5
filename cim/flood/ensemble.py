"""Many floods at once: storms and parameters side by side in processes of their own (集合计算).

The twin is written once, its terrain as one file that every process maps into memory: it is
there once, however many floods run. Processes are spawned, tell their progress, and stop
within a second of a cancel.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.flood.area import Area, find_area
from cim.flood.engine import Numerics, Precision, Solver
from cim.flood.rain import Storm
from cim.flood.run import flood
from cim.flood.setting import DrainMode, Law
from cim.jobs import QUIET, Job, Progress
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import split_layer
from cim.model.result import Result
from cim.model.twin import Twin, TwinView

__all__ = ["Member", "agreement", "ensemble"]

_POLL_S = 0.2
_KINDS = (
    "building", "road", "green", "water", "land_use", "catchment", "pipe", "pipe_node",
    "hydraulic_structure", "entrance", "underground_space", "wall", "admin_unit",
)  # fmt: skip
_here: dict[str, Any] = {}  # of a worker: its twin, and the way to the parent


@dataclass(frozen=True)
class Member:
    """One flood of an ensemble.

    Attributes
    ----------
    name
        How it is called in the answer.
    storm
        Its rain.
    manning, drain_mm_h, drains, infiltration, solver, order, precision
        As of `cim.flood.flood`.
    """

    name: str
    storm: Storm
    manning: float | None = None
    drain_mm_h: float | None = None
    drains: DrainMode = "auto"
    infiltration: Law = "none"
    solver: Solver = "inertial"
    order: int = 1
    precision: Precision = "f32"


def ensemble(
    view: TwinView,
    members: Sequence[Member],
    *,
    cell_m: float = 2.0,
    duration_s: float | None = None,
    within: Any = None,
    workers: int | None = None,
    over_time: bool = False,
    job: Job = QUIET,
) -> list[Result]:
    """Flood a twin by every member and return the results in their order.

    Parameters
    ----------
    view
        The twin, or a scheme over it.
    members
        What differs; names must differ too.
    cell_m, duration_s, within
        As of `cim.flood.flood`.
    workers
        Processes; None takes one per core, and never more than members.
    over_time
        Whether fields over time come back, which are large.
    job
        Hears of progress in members; a cancel stops every process.

    Raises
    ------
    RequestError
        No members, or two of one name.
    CancelledError
        The job was cancelled.
    """
    for member in members:  # before any process starts
        Numerics(member.solver, member.order, member.precision)
    area = None if within is None else find_area(view, within)
    names = [member.name for member in members]
    if not members or len(set(names)) != len(names):
        raise RequestError("flood.members", given=", ".join(names) or "0")
    count = max(1, min(workers or os.cpu_count() or 1, len(members)))
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    with tempfile.TemporaryDirectory(prefix="cim-ensemble-") as folder:
        twin, grids = _snapshot(view, Path(folder))
        pool = ProcessPoolExecutor(
            count,
            mp_context=context,
            initializer=_begin,
            initargs=(twin, grids, folder, stop, told),
        )
        try:
            asked = [
                pool.submit(_run, i, member, cell_m, duration_s, area, over_time)
                for i, member in enumerate(members)
            ]
            _watch(asked, told, job)
            return [
                replace(one.result(), parameters={**one.result().parameters, "member": name})
                for one, name in zip(asked, names, strict=True)
            ]
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            told.close()


def agreement(results: Sequence[Result], field: str, *, above: float) -> NDArray[np.float64]:
    """Return the share of members in which a field exceeds a limit, 0 to 1; NaN where none knows.

    Examples
    --------
    ``agreement(results, "depth_max_m", above=0.15)`` is the map of how sure the flood is.
    """
    values = np.stack([np.asarray(one.field(field).values, np.float64) for one in results])
    known = np.isfinite(values)
    hits = (np.where(known, values, -np.inf) > above).sum(axis=0)
    count = known.sum(axis=0)
    out = np.full(hits.shape, np.nan)
    np.divide(hits, count, out=out, where=count > 0)
    return out


def _snapshot(view: TwinView, folder: Path) -> tuple[Twin, dict[str, tuple[GridFrame, bool]]]:
    """Return what floods read without its terrain, whose values go to files to be mapped."""
    tables = {name: view.table(name) for name in view.layers() if split_layer(name)[0] in _KINDS}
    names = [name for name in view.grids() if split_layer(name)[0] == "terrain"]
    grids = {}
    for number, name in enumerate(names):
        grid = view.grid(name)
        np.save(folder / f"{number}.npy", grid.values)
        grids[name] = (grid.frame, grid.illustrative)
    twin = Twin(
        name=view.name, frame=view.frame, tables=tables, zone=view.zone,
        version=view.version, scheme=view.scheme, titles=dict(view.titles),
    )  # fmt: skip
    return twin, grids


def _begin(
    twin: Twin, grids: dict[str, tuple[GridFrame, bool]], folder: str, stop: Any, told: Any
) -> None:
    from kernels._jit import set_threads

    set_threads(1)
    rasters = {
        name: Grid(name, frame, np.load(Path(folder) / f"{number}.npy", mmap_mode="r"), "m",
                   illustrative=illustrative)
        for number, (name, (frame, illustrative)) in enumerate(grids.items())
    }  # fmt: skip
    _here.update(twin=replace(twin, rasters=rasters), stop=stop, told=told)


def _run(
    number: int, member: Member, cell_m: float, duration_s: float | None, area: Area | None,
    over_time: bool,
) -> Result:  # fmt: skip
    job = Job()

    def listen(progress: Progress) -> None:
        if _here["stop"].is_set():
            job.cancel()
        _here["told"].put((number, progress.share))

    job.listen = listen
    result = flood(
        _here["twin"],
        storm=member.storm,
        cell_m=cell_m,
        duration_s=duration_s,
        manning=member.manning,
        drain_mm_h=member.drain_mm_h,
        drains=member.drains,
        infiltration=member.infiltration,
        solver=member.solver,
        order=member.order,
        precision=member.precision,
        within=area,
        job=job,
    )
    if over_time:
        return result
    return replace(result, fields=tuple(f for f in result.fields if not f.over_time))


def _watch(asked: Sequence[Future[Result]], told: Any, job: Job) -> None:
    """Pass progress on until all are done; an error or a cancel ends it at once."""
    shares = [0.0] * len(asked)
    waiting = set(asked)
    while waiting:
        done, waiting = wait(waiting, timeout=_POLL_S)
        try:
            while True:
                number, share = told.get_nowait()
                shares[number] = max(shares[number], share)
        except queue.Empty:
            pass
        for one in done:
            one.result()
            shares[asked.index(one)] = 1.0
        job.step(sum(shares), len(asked), what="flood.running")
