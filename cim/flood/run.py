"""Where water stands when it rains on the city, how deep, when, and at whose wall.

Rain falls on the terrain and on roofs, drains take what they can, the rest flows by
the local inertial equations (`kernels.flood`) until the end. Every cubic metre is in
the balance: rain in, drained, over the edge, still there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim._version import VERSION
from cim.errors import MissingError, RequestError, SimulationError
from cim.flood.coupling import Meeting
from cim.flood.drains import DrainBalance
from cim.flood.ground import Site, lay_out, site_frame
from cim.flood.judge import Judged, judge
from cim.flood.rain import Storm
from cim.flood.setting import DrainMode, Law, Setting, set_up
from cim.jobs import QUIET, Cost, Job
from cim.model.result import Result, ResultField
from cim.model.twin import TwinView
from cim.registry import cite, standard

if TYPE_CHECKING:
    from kernels.flood.water import Ground, Water

__all__ = ["Precision", "flood", "flood_cost"]

Precision = Literal["f32", "f64"]

_FRAMES = 13
_SLICE_S = 0.2  # wall time between two chances to cancel
_THETA, _COURANT, _FROUDE, _DRY_M = 0.9, 0.6, 1.0, 1e-4
_WATCH_EVERY = 4  # steps between two looks at the peaks
_BYTES = {"f32": 4, "f64": 8}
_ARRAYS = 17  # of the solver, per cell
_CELLS_PER_CPU_S = {"f32": 1.0e8, "f64": 5.5e7}
_TYPICAL_DEEPEST_M = 1.0


def flood(
    view: TwinView,
    *,
    storm: Storm,
    cell_m: float = 2.0,
    duration_s: float | None = None,
    precision: Precision = "f32",
    drain_mm_h: float | None = None,
    manning: float | None = None,
    drains: DrainMode = "auto",
    infiltration: Law = "none",
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None = None,
    job: Job = QUIET,
) -> Result:
    """Rain `storm` on a twin and follow the water.

    Parameters
    ----------
    view
        A twin with a terrain grid; buildings, roads, greens, waters and catchments count
        where there are any.
    storm
        From `design_storm`, `even_storm` or `recorded_storm`.
    cell_m
        Side of a cell: a whole multiple of the terrain's.
    duration_s
        How long to follow the water; None until the registry's ``flood.drain_time_h`` after the
        rain.
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
    job
        Hears of progress; a cancel is felt within a second, save while kernels compile.

    Returns
    -------
    Result
        ``depth_m`` over time, ``depth_max_m``, ``time_of_max_s``, ``arrival_s`` on the grid (NaN in
        buildings), ``depth_at_wall_m`` per building.

    Raises
    ------
    RequestError
        No terrain, cells that do not fit it, impossible numbers, nothing to rain on.
    FrameError
        The terrain's heights have no datum.
    SimulationError
        The numbers ran away.
    CancelledError
        The job was cancelled.
    """
    asked = _Asked.checked(storm, cell_m, duration_s, precision, drain_mm_h, manning)
    asked = replace(asked, drains=drains, infiltration=infiltration, zones=_zones_told(zones))
    job.step(0.0, asked.duration_s, what="flood.preparing")
    site = lay_out(view, cell_m=cell_m, manning=manning, drain_mm_h=drain_mm_h)
    times_s = np.linspace(0.0, asked.duration_s, _FRAMES)
    depth = np.zeros((_FRAMES, *site.frame.shape), np.float32)
    with ExitStack() as stack:
        setting = set_up(
            view,
            site,
            storm=storm,
            duration_s=asked.duration_s,
            drains=drains,
            infiltration=infiltration,
            zones=zones,
            stack=stack,
        )
        ground, water = _solver_arrays(setting.site, precision)
        job.step(0.0, asked.duration_s, what="flood.compiling")
        for frame, t_s in _frames(ground, water, asked, times_s, setting.meeting, job):
            depth[frame] = water.depth_m
            if not np.isfinite(depth[frame]).all():
                raise SimulationError("flood.not_finite", given=f"{t_s:g}")
        pipes = None if setting.pipes is None else setting.pipes.balance()
    return _result(view, setting, water, asked, times_s, depth, pipes)


def flood_cost(
    view: TwinView,
    *,
    storm: Storm,
    cell_m: float = 2.0,
    duration_s: float | None = None,
) -> Cost:
    """Tell what `flood` in f32 would take, from the size of the terrain alone.

    The CPU time is a guess for water 1 m deep at its deepest place, kernels compiled.
    """
    asked = _Asked.checked(storm, cell_m, duration_s, "f32", None, None)
    frame = site_frame(view, cell_m=cell_m)
    cells = frame.rows * frame.cols
    steps = asked.duration_s * np.sqrt(9.81 * _TYPICAL_DEEPEST_M) / (_COURANT * cell_m)
    return Cost(
        cells=cells,
        memory_mb=cells * 4.0 * (_ARRAYS + _FRAMES) / 1e6,
        cpu_s=float(cells * steps / _CELLS_PER_CPU_S["f32"]),
    )


@dataclass(frozen=True)
class _Asked:
    """What was asked, checked."""

    storm: Storm
    cell_m: float
    duration_s: float
    precision: Precision
    drain_mm_h: float | None
    manning: float | None
    drains: DrainMode = "auto"
    infiltration: Law = "none"
    zones: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def checked(
        cls,
        storm: Storm,
        cell_m: float,
        duration_s: float | None,
        precision: Precision,
        drain_mm_h: float | None,
        manning: float | None,
    ) -> _Asked:
        """Refuse what makes no sense."""
        if precision not in _BYTES:
            raise RequestError("flood.precision", given=precision)
        if drain_mm_h is not None and not 0.0 <= drain_mm_h < np.inf:
            raise RequestError("flood.drain", given=drain_mm_h)
        if manning is not None and not 0.0 < manning < 1.0:
            raise RequestError("flood.manning", given=manning)
        if duration_s is None:
            duration_s = storm.duration_s + standard("flood.drain_time_h").number() * 3600.0
        if not 0.0 < duration_s < np.inf:
            raise RequestError("flood.duration", given=duration_s)
        return cls(storm, cell_m, float(duration_s), precision, drain_mm_h, manning)

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
            "precision": self.precision,
            "drain_mm_h": self.drain_mm_h,
            "manning": self.manning,
            "drains": self.drains,
            "infiltration": self.infiltration,
            "rain_zones": list(self.zones),
            "solver": {
                "scheme": "local inertial",
                "theta": _THETA,
                "courant": _COURANT,
                "froude": _FROUDE,
                "dry_m": _DRY_M,
            },
        }


def _solver_arrays(site: Site, precision: Precision) -> tuple[Ground, Water]:
    """Lay the site out for the kernel: no water yet, all four edges open."""
    try:
        from kernels.flood import inertial  # noqa: F401 - fails here rather than half-way
        from kernels.flood.water import new_ground, new_water
    except ImportError as error:
        import kernels

        if getattr(kernels, "IS_CIM_KERNELS", False):
            raise
        raise MissingError("flood.another_kernels", given=kernels.__file__) from error
    slope = standard("flood.edge_slope").number()
    ground = new_ground(
        site.bed_m,
        cell_m=site.frame.cell_m,
        manning=site.manning,
        rain_share=site.rain_share,
        drain_mps=site.drain_mm_h / 3.6e6 * site.rain_share,
        edge_slope=(slope, slope, slope, slope),
        dtype=np.float32 if precision == "f32" else np.float64,
    )
    return ground, new_water(ground)


def _zones_told(
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None,
) -> tuple[Mapping[str, Any], ...]:
    if zones is None:
        return ()
    return tuple(
        {**storm.parameters, "depth_mm": storm.depth_mm, "peak_mm_h": storm.peak_mm_h}
        for storm in zones[1]
    )


def _rain_title(asked: _Asked, lang: str) -> str:
    if not asked.zones:
        return asked.storm.titles[lang]
    return messages.text("rain.by_zones", {"given": len(asked.zones)}, lang=lang)


def _frames(
    ground: Ground,
    water: Water,
    asked: _Asked,
    times_s: NDArray[np.float64],
    meeting: Meeting,
    job: Job,
) -> Iterator[tuple[int, float]]:
    """Run to each of `times_s` in slices short enough for a cancel, and say when it is there."""
    from kernels.flood.inertial import advance

    t_s, steps = 0.0, 1
    rain_mps = asked.storm.rain_mm_h / 3.6e6 * (0.0 if asked.zones else 1.0)
    for frame, until_s in enumerate(times_s):
        while t_s < until_s:
            began_s = time.perf_counter()
            t_s, taken = advance(
                ground,
                water,
                cell_m=asked.cell_m,
                from_s=t_s,
                until_s=min(float(until_s), meeting.next_s()),
                rain_ends_s=asked.storm.ends_s,
                rain_mps=rain_mps,
                most_steps=steps,
                theta=_THETA,
                courant=_COURANT,
                froude=_FROUDE,
                dry_m=_DRY_M,
                arrival_m=standard("flood.arrival_depth_m").number(),
                watch_every=_WATCH_EVERY,
            )
            if not taken:
                raise SimulationError("flood.not_finite", given=f"{t_s:g}")
            took_s = time.perf_counter() - began_s
            steps = max(1, min(4 * steps, int(taken * _SLICE_S / max(took_s, 1e-6))))
            meeting.act(water, t_s=t_s, cell_m=asked.cell_m)
            job.step(t_s, asked.duration_s, what="flood.running")
        yield frame, t_s


def _result(
    view: TwinView,
    setting: Setting,
    water: Water,
    asked: _Asked,
    times_s: NDArray[np.float64],
    depth: NDArray[np.float32],
    pipes: DrainBalance | None,
) -> Result:
    site = setting.site
    shut = np.isnan(site.bed_m)
    depth[:, shut] = np.nan
    peak = np.where(shut, np.nan, water.peak_m).astype(np.float32)
    wet = peak > standard("flood.arrival_depth_m").number()
    at_wall, level = _at_walls(site, peak)
    judged = judge(
        view,
        site,
        peak_m=peak,
        times_s=times_s,
        depth_m=depth,
        rain_end_s=asked.storm.duration_s,
        sills=setting.sills,
        watched=None if setting.watch is None else setting.watch.series,
        danger=setting.danger,
    )
    fields: tuple[ResultField, ...] = (
        _grid("depth_m", "m", depth, {"en": "water depth", "zh": "积水深度"}, over_time=True),
        _grid("depth_max_m", "m", peak, {"en": "largest water depth", "zh": "最大积水深度"}),
        _grid(
            "time_of_max_s",
            "s",
            np.where(wet, water.peak_s, np.nan).astype(np.float32),
            {"en": "time of the largest depth", "zh": "最大积水出现时间"},
        ),
        _grid(
            "arrival_s",
            "s",
            np.where(shut, np.nan, water.arrival_s).astype(np.float32),
            {"en": "time the water arrives", "zh": "积水到达时间"},
        ),
        ResultField(
            name="depth_at_wall_m",
            unit="m",
            carrier="objects",
            values=at_wall,
            titles={"en": "largest depth at the walls", "zh": "墙边最大积水深度"},
            layer="building",
            ids=site.building_ids,
        ),
        *judged.fields,
    )
    return Result(
        question="flood",
        titles={
            lang: f"{title} · {_rain_title(asked, lang)}"
            for lang, title in {"en": "flood", "zh": "内涝"}.items()
        },
        fields=fields,
        summary=_summary(setting, water, asked, depth[-1], peak, at_wall, level, judged, pipes),
        parameters=asked.parameters,
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=f"cim-twin {VERSION}",
        illustrative=site.illustrative or setting.illustrative,
        times_s=times_s,
        grid=site.frame,
        balance=_balance(setting, water),
        notes=tuple(_notes(setting, asked)),
    )


def _grid(
    name: str,
    unit: str,
    values: NDArray[Any],
    titles: Mapping[str, str],
    *,
    over_time: bool = False,
) -> ResultField:
    return ResultField(name, unit, "grid", values, titles, over_time=over_time)


def _at_walls(
    site: Site, peak: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest depth, and largest level of wet cells, beside each building; NaN: no wall outside."""
    depth = np.full(len(site.building_ids), np.nan)
    level = np.full(len(site.building_ids), np.nan)
    beside = peak.ravel()[site.wall_cell].astype(np.float64)
    np.fmax.at(depth, site.wall_building, beside)
    dry = beside <= standard("flood.arrival_depth_m").number()
    surface = np.where(dry, np.nan, site.bed_m.ravel()[site.wall_cell] + beside)
    np.fmax.at(level, site.wall_building, surface)
    return depth, level


def _summary(
    setting: Setting,
    water: Water,
    asked: _Asked,
    last: NDArray[np.float32],
    peak: NDArray[np.float32],
    at_wall: NDArray[np.float64],
    level: NDArray[np.float64],
    judged: Judged,
    pipes: DrainBalance | None,
) -> dict[str, Any]:
    site, balance = setting.site, _balance(setting, water)
    arrival = standard("flood.arrival_depth_m")
    lane = standard("flood.lane_depth_m")
    cell_m2 = site.frame.cell_m**2
    entered = level > site.floor_level_m + standard("flood.ground_floor_depth_m").number()
    return {
        "rain_mm": round(balance["rain_m3"] / site.area_m2 * 1000.0, 3),
        "peak_rain_mm_h": round(asked.peak_mm_h, 3),
        "area_m2": site.area_m2,
        "max_depth_m": round(float(np.nanmax(peak)), 4),
        "wet_cells": int((peak > arrival.number()).sum()),
        "wet_area_m2": float((peak > arrival.number()).sum() * cell_m2),
        "area_over_lane_depth_m2": float((peak > lane.number()).sum() * cell_m2),
        "area_over_lane_depth_at_end_m2": float((last > lane.number()).sum() * cell_m2),
        "volume_at_end_m3": round(balance["stored_m3"], 3),
        "buildings": len(site.building_ids),
        "buildings_touched": int((at_wall > arrival.number()).sum()),
        "buildings_with_floor_level": int(np.isfinite(site.floor_level_m).sum()),
        "buildings_entered": int(entered.sum()),
        "time_steps": int(water.steps[0]),
        **judged.summary,
        **({} if pipes is None else {"drains": asdict(pipes)}),
        **({} if setting.works is None else {"structures": setting.works.told()}),
        "left_out": [
            {"id": id_, "reason": messages.text(key, {}, lang="en")}
            for id_, key in setting.left_out
        ],
        "rules": {
            **judged.rules,
            "wet_cells": arrival.key,
            "wet_area_m2": arrival.key,
            "buildings_touched": arrival.key,
            "area_over_lane_depth_m2": lane.key,
            "area_over_lane_depth_at_end_m2": lane.key,
            "buildings_entered": "flood.ground_floor_depth_m",
        },
    }


def _balance(setting: Setting, water: Water) -> dict[str, float]:
    from kernels.flood.water import LEDGER, stored_m3

    ledger = {name: float(v) for name, v in zip(LEDGER, water.ledger, strict=True)}
    moved = setting.meeting.account
    stored = stored_m3(water, cell_m=setting.site.frame.cell_m)
    came = ledger["rain_m3"] + ledger["clipped_m3"]
    error = stored + ledger["drained_m3"] + ledger["outflow_m3"] - came - sum(moved.values())
    rain = {"rain_m3": ledger["rain_m3"] + moved.get("rain_m3", 0.0)}
    total = max(rain["rain_m3"] + ledger["clipped_m3"], 1e-12)
    return {**ledger, **moved, **rain, "stored_m3": stored, "error_rel": abs(error) / total}


def _notes(setting: Setting, asked: _Asked) -> Iterator[dict[str, str]]:
    site = setting.site
    yield _both("flood.note.model")
    yield _both("flood.note.edges")
    if len(site.building_ids):
        yield _both("flood.note.roofs", given=len(site.building_ids))
    if asked.drain_mm_h is not None:
        yield _both("flood.note.drain_given", given=f"{asked.drain_mm_h:g}")
    elif site.assumed_drain_share > 0:
        share = f"{site.assumed_drain_share:.0%}"
        yield {
            lang: messages.text(
                "flood.note.drain_assumed",
                {"share": share, "cite": cite("flood.drain_mm_h", lang)},
                lang=lang,
            )
            for lang in messages.LANGUAGES
        }
    rules = ("flood.arrival_depth_m", "flood.lane_depth_m", "flood.ground_floor_depth_m")
    for key, given in setting.notes:
        yield _both(key, given=given)
    for key in dict.fromkeys(reason for _, reason in setting.left_out):
        count = sum(reason == key for _, reason in setting.left_out)
        said = {lang: messages.text(key, {}, lang=lang) for lang in messages.LANGUAGES}
        yield {
            lang: messages.text(
                "flood.note.left_out", {"given": f"{said[lang]} ({count})"}, lang=lang
            )
            for lang in messages.LANGUAGES
        }
    for key in (*asked.storm.standards, *rules, *setting.standards):
        yield {lang: cite(key, lang) for lang in messages.LANGUAGES}


def _both(key: str, **values: object) -> dict[str, str]:
    return {lang: messages.text(key, values, lang=lang) for lang in messages.LANGUAGES}
