"""Where water stands when it rains on the city, how deep, when, and at whose wall.

Rain falls on the terrain and on roofs, drains take what they can, the rest flows by the
equations asked for (`cim.flood.engine`) until the end. Every cubic metre is in the balance:
rain in, drained, over the edge, still there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.flood.answer import answer
from cim.flood.area import Area, AreaView, find_area
from cim.flood.borders import Border
from cim.flood.checkpoint import Checkpoint, fingerprint
from cim.flood.cost import enough_memory, memory_mb
from cim.flood.coupling import Meeting
from cim.flood.engine import Engine, Numerics, Precision, Solver, require_kernels
from cim.flood.ground import BUILDINGS, Buildings, lay_out, site_frame
from cim.flood.march import Companion, Keeping, march
from cim.flood.rain import Storm, far_from_law_km
from cim.flood.setting import DrainMode, Law, Setting, set_up
from cim.flood.worth import comparable
from cim.jobs import QUIET, Cost, Job
from cim.model.grid import GridFrame
from cim.model.result import Result
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["Asked", "flood", "flood_cost"]

_FRAMES = 13


def flood(
    view: TwinView,
    *,
    storm: Storm,
    cell_m: float = 2.0,
    duration_s: float | None = None,
    solver: Solver = "inertial",
    order: int = 1,
    precision: Precision = "f32",
    drain_mm_h: float | None = None,
    manning: float | None = None,
    drains: DrainMode = "auto",
    infiltration: Law = "none",
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None = None,
    borders: Sequence[Border] = (),
    buildings: Buildings = "holes",
    walls: bool = True,
    within: Any = None,
    against: Result | None = None,
    checkpoint: Checkpoint | None = None,
    job: Job = QUIET,
) -> Result:
    """Rain `storm` on a twin and follow the water.

    Parameters
    ----------
    view
        A twin with a terrain grid; buildings, walls, roads, greens, waters and catchments count
        where there are any.
    storm
        From `design_storm`, `even_storm` or `recorded_storm`.
    cell_m
        Side of a cell: a whole multiple of the terrain's.
    duration_s
        How long to follow the water; None until the registry's ``flood.drain_time_h`` after the
        rain.
    solver, order
        ``inertial``, for water that flows gradually and below Froude 1, or ``godunov`` of order 1
        or 2, for jumps and steep streets at three to ten times the price. The field ``valid`` says
        where the one asked for was out of its range.
    precision
        ``"f32"``, or ``"f64"`` at half the speed.
    drain_mm_h
        What the drains take everywhere; None takes the catchments' own, and the registry's where
        there is none.
    manning
        Manning's n (曼宁系数) everywhere; None takes the registry's by surface.
    drains
        ``pipes`` runs the twin's storm drains in SWMM, ``sinks`` takes capacities by catchment,
        ``auto`` pipes where the twin has them and SWMM is installed.
    infiltration
        ``none``, ``green_ampt``, ``horton``, ``curve_number`` or ``constant``, on ground that is
        not sealed.
    zones
        Rain that differs from place to place: (rows, cols) number of the storm of each cell of
        `site_frame`, -1 none, and the storms. `storm` then only says when the rain ends.
    borders
        What the edges do (a river's level, a tide, a discharge); levels in the twin's height
        datum. Free all around where none is given.
    buildings
        ``holes`` no water gets in, roofs rain on the ground beside; ``blocks`` as high as they
        are, water runs off them; ``porous`` for cells as large as buildings: a cell takes water
        unless all of it is built over, a face lets through what is not built over.
    walls
        Whether walls thinner than a cell (院墙) hold water back up to their height.
    within
        Only this part of the twin: a shapely polygon in projected metres, or the id or name of an
        object with an outline (an administrative unit, a control zone, a catchment); see
        `cim.flood.area`. Cells outside are not computed; water leaves freely over the outline and
        none comes in; pipes are kept whole. `zones` then lie on `site_frame` of the same area.
    against
        A flood that this one is to be held against with `worth`: where the two would not be asked
        the same, that is said before the first step.
    checkpoint
        Where to keep the run now and then, and whether to go on with one.
    job
        Hears of progress; a cancel is felt within a second, save while kernels compile.

    Returns
    -------
    Result
        ``depth_m`` over time, ``depth_max_m``, ``time_of_max_s``, ``arrival_s``, ``valid`` on the
        grid (NaN in buildings), ``depth_at_wall_m`` per building.

    Raises
    ------
    RequestError
        No terrain, cells that do not fit it, impossible numbers, nothing to rain on, more memory
        than there is, a checkpoint of another question, or a flood `against` another question.
    FrameError
        The terrain's heights have no datum.
    SimulationError
        The numbers ran away.
    CancelledError
        The job was cancelled.
    """
    asked = Asked(
        storm, cell_m, _duration(storm, duration_s), Numerics(solver, order, precision),
        drain_mm_h, manning, drains, infiltration, _zones_told(zones), tuple(borders), buildings,
        walls, None if within is None else find_area(view, within),
    )  # fmt: skip
    require_kernels()
    job.step(0.0, asked.duration_s, what="flood.preparing")
    if asked.area is not None:
        view = AreaView(view, asked.area, cell_m)
    frame = site_frame(view, cell_m=cell_m)
    if against is not None:
        comparable(against, asked.parameters, frame)
    cells = frame.rows * frame.cols
    enough_memory(memory_mb(cells, asked.numerics, frames=_FRAMES), cells=cells)
    site = lay_out(view, cell_m=cell_m, manning=manning, drain_mm_h=drain_mm_h,
                   buildings=buildings, area=asked.area)  # fmt: skip
    frames = _Frames(np.linspace(0.0, asked.duration_s, _FRAMES), site.frame.shape)
    with ExitStack() as stack:
        setting = set_up(
            view,
            site,
            storm=storm,
            duration_s=asked.duration_s,
            drains=drains,
            infiltration=infiltration,
            zones=zones,
            walls=walls,
            stack=stack,
            remember=checkpoint is not None,
        )
        setting = replace(setting, notes=(*_cautions(view, asked, frame, against), *setting.notes))
        engine = _engine(setting, asked)
        keeping = None
        if checkpoint is not None:
            said = {**asked.parameters, "twin": view.version, "scheme": view.scheme}
            where = np.empty(0) if zones is None else zones[0]
            rains = [{"ends": s.ends_s, "mm_h": s.rain_mm_h}
                     for s in (storm, *(zones[1] if zones else ()))]  # fmt: skip
            said["rains"] = rains
            question = fingerprint(said, setting.solid_m, setting.site.drain_mm_h, where)
            keeping = Keeping(checkpoint, question)
        job.step(0.0, asked.duration_s, what="flood.compiling")
        along: dict[str, Companion] = {"meeting": _Met(setting.meeting), "frames": frames}
        march(engine, asked.duration_s, along, job=job, keeping=keeping)
        pipes = None if setting.pipes is None else setting.pipes.balance()
    return answer(view, setting, engine, asked, frames.times_s, frames.depth_m, pipes)


def _cautions(
    view: TwinView, asked: Asked, frame: GridFrame, against: Result | None
) -> Iterator[tuple[str, str]]:
    """What a reader must know before the numbers: (message key, given)."""
    away_km = None if asked.zones else far_from_law_km(asked.storm, view.frame, frame.bounds)
    if away_km is not None:
        yield "flood.note.far_storm", f"{away_km:.0f}"
    if against is not None and against.twin_version != view.version:
        yield "flood.note.other_version", f"{against.twin_version} / {view.version}"


def flood_cost(
    view: TwinView,
    *,
    storm: Storm,
    cell_m: float = 2.0,
    duration_s: float | None = None,
    solver: Solver = "inertial",
    order: int = 1,
    precision: Precision = "f32",
    within: Any = None,
    drains: DrainMode = "auto",
) -> Cost:
    """Tell what `flood` would take: cells, memory, and CPU time.

    A flood of the same storm on much coarser cells, and a measurement of this machine, tell how
    many steps there will be and how long each takes; kernels are compiled for it where they are
    not yet. Storm drains are run for some steps. What it takes to lay out the ground is taken
    three times: once more to set up, once for the verdicts.
    """
    from cim.flood.cost import drains_cpu_s, foresee

    numerics = Numerics(solver, order, precision)
    until_s = _duration(storm, duration_s)
    area = None if within is None else find_area(view, within)
    if area is not None:
        view = AreaView(view, area, cell_m)
    began_s = time.process_time()
    frame = site_frame(view, cell_m=cell_m)
    site = lay_out(view, cell_m=cell_m, area=area)
    beside_s = 3.0 * (time.process_time() - began_s)
    if drains != "sinks":
        beside_s += drains_cpu_s(view, site, duration_s=until_s)
    told = foresee(
        np.where(np.isfinite(site.bed_m), site.bed_m, np.nan), cell_m=frame.cell_m,
        numerics=numerics, duration_s=until_s, manning=site.manning, rain_share=site.rain_share,
        drain_mps=site.drain_mm_h / 3.6e6 * site.rain_share, borders=(Border("free"),),
        rain_ends_s=storm.ends_s, rain_mps=storm.rain_mm_h / 3.6e6, frames=_FRAMES,
    )  # fmt: skip
    return replace(told, cpu_s=told.cpu_s + beside_s)


@dataclass(frozen=True)
class Asked:
    """What was asked, checked."""

    storm: Storm
    cell_m: float
    duration_s: float
    numerics: Numerics
    drain_mm_h: float | None
    manning: float | None
    drains: DrainMode = "auto"
    infiltration: Law = "none"
    zones: tuple[Mapping[str, Any], ...] = ()
    borders: tuple[Border, ...] = ()
    buildings: Buildings = "holes"
    walls: bool = True
    area: Area | None = None

    def __post_init__(self) -> None:
        if self.drain_mm_h is not None and not 0.0 <= self.drain_mm_h < np.inf:
            raise RequestError("flood.drain", given=self.drain_mm_h)
        if self.manning is not None and not 0.0 < self.manning < 1.0:
            raise RequestError("flood.manning", given=self.manning)
        if not 0.0 < self.duration_s < np.inf:
            raise RequestError("flood.duration", given=self.duration_s)
        if self.buildings not in BUILDINGS:
            values = {"known": ", ".join(BUILDINGS)}
            raise RequestError("flood.buildings", given=self.buildings, values=values)

    @property
    def peak_mm_h(self) -> float:
        """Return the hardest rain anywhere."""
        return max((z["peak_mm_h"] for z in self.zones), default=self.storm.peak_mm_h)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what is needed to ask the same again."""
        return {
            "storm": {**self.storm.parameters, "depth_mm": self.storm.depth_mm},
            "cell_m": self.cell_m,
            "duration_s": self.duration_s,
            "precision": self.numerics.precision,
            "drain_mm_h": self.drain_mm_h,
            "manning": self.manning,
            "drains": self.drains,
            "infiltration": self.infiltration,
            "rain_zones": list(self.zones),
            "borders": [border.parameters for border in self.borders],
            "buildings": self.buildings,
            "walls": self.walls,
            "within": None if self.area is None else self.area.parameters,
            "solver": self.numerics.parameters,
        }


def _duration(storm: Storm, duration_s: float | None) -> float:
    if duration_s is None:
        return storm.duration_s + standard("flood.drain_time_h").number() * 3600.0
    return float(duration_s)


def _zones_told(
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None,
) -> tuple[Mapping[str, Any], ...]:
    if zones is None:
        return ()
    return tuple(
        {**storm.parameters, "depth_mm": storm.depth_mm, "peak_mm_h": storm.peak_mm_h}
        for storm in zones[1]
    )


def _engine(setting: Setting, asked: Asked) -> Engine:
    """Put the site under the solver: no water yet, rain of zones comes as a coupling."""
    site, storm = setting.site, asked.storm
    return Engine(
        setting.solid_m,
        cell_m=site.frame.cell_m,
        numerics=asked.numerics,
        manning=site.manning,
        rain_share=site.rain_share,
        drain_mps=site.drain_mm_h / 3.6e6 * site.rain_share,
        borders=asked.borders or (Border("free"),),
        walls=setting.crossings,
        rain_ends_s=storm.ends_s,
        rain_mps=storm.rain_mm_h / 3.6e6 * (0.0 if asked.zones else 1.0),
    )


class _Met:
    """The other waters, at their own times."""

    most_steps = 2**62

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting

    def next_s(self) -> float:
        return self._meeting.next_s()

    def act(self, engine: Engine, *, from_s: float, t_s: float, last: bool) -> None:
        self._meeting.act(engine.water, t_s=t_s, cell_m=engine.cell_m, last=last)

    def state(self) -> dict[str, NDArray[Any]]:
        return self._meeting.state()

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        self._meeting.restore(state)


class _Frames:
    """Keeps the depths at some times, the first and the last among them."""

    most_steps = 2**62

    def __init__(self, times_s: NDArray[np.float64], shape: tuple[int, int]) -> None:
        self.times_s = times_s
        self.depth_m = np.zeros((len(times_s), *shape), np.float32)
        self._have = np.zeros(1, np.int64)

    def next_s(self) -> float:
        have = int(self._have[0])
        return float(self.times_s[have]) if have < len(self.times_s) else np.inf

    def act(self, engine: Engine, *, from_s: float, t_s: float, last: bool) -> None:
        if t_s >= self.next_s():
            self.depth_m[int(self._have[0])] = engine.depth_m
            self._have += 1

    def state(self) -> dict[str, NDArray[Any]]:
        return {"depth_m": self.depth_m, "have": self._have}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.depth_m[...], self._have[...] = state["depth_m"], state["have"]
