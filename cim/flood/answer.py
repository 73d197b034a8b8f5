"""What a flood of a twin answers: fields, summary, balance and notes of a run that is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim._version import VERSION
from cim.flood import drains
from cim.flood.drains import DrainBalance
from cim.flood.engine import Engine
from cim.flood.ground import Site
from cim.flood.judge import Judged, judge
from cim.flood.setting import Setting
from cim.model.result import Result, ResultField
from cim.model.twin import TwinView
from cim.registry import cite, standard

if TYPE_CHECKING:
    from cim.flood.run import Asked

__all__ = ["answer"]


def answer(
    view: TwinView,
    setting: Setting,
    engine: Engine,
    asked: Asked,
    times_s: NDArray[np.float64],
    depth: NDArray[np.float32],
    pipes: DrainBalance | None,
) -> Result:
    """Make the result of a run: `depth` (times, rows, cols) is changed in place."""
    site, water = setting.site, engine.water
    shut = np.isnan(site.bed_m)
    depth[:, shut] = np.nan
    peak = np.where(shut, np.nan, water.peak_m).astype(np.float32)
    wet = peak > standard("flood.arrival_depth_m").number()
    at_wall = _at_walls(site, peak)
    valid = setting.danger.valid(engine.numerics)
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
        _grid(
            "duration_15cm_s",
            "s",
            np.where(shut, np.nan, setting.danger.long_s).astype(np.float32),
            {"en": "time deeper than one lane may be", "zh": "积水超过车道限值的时长"},
        ),
        _grid(
            "valid",
            "1",
            np.where(shut, np.nan, valid).astype(np.float32),
            {
                "en": "solver inside its range (1) or not (0)",
                "zh": "求解器适用（1）或超出适用范围（0）",
            },
        ),
    )
    summary = _summary(setting, engine, asked, depth[-1], peak, at_wall, judged, pipes)
    return Result(
        question="flood",
        titles={
            lang: f"{title} · {_rain_title(asked, lang)}"
            for lang, title in {"en": "flood", "zh": "内涝"}.items()
        },
        fields=fields,
        summary=summary,
        parameters=asked.parameters,
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=f"cim-twin {VERSION}",
        illustrative=site.illustrative or setting.illustrative,
        times_s=times_s,
        grid=site.frame,
        balance=_balance(setting, engine),
        notes=tuple(_notes(setting, asked, pipes, summary)),
    )


def _rain_title(asked: Asked, lang: str) -> str:
    if not asked.zones:
        return asked.storm.titles[lang]
    return messages.text("rain.by_zones", {"given": len(asked.zones)}, lang=lang)


def _grid(
    name: str,
    unit: str,
    values: NDArray[Any],
    titles: Mapping[str, str],
    *,
    over_time: bool = False,
) -> ResultField:
    return ResultField(name, unit, "grid", values, titles, over_time=over_time)


def _at_walls(site: Site, peak: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest depth beside each building; NaN: no wall outside."""
    depth = np.full(len(site.building_ids), np.nan)
    beside = peak.ravel()[site.wall_cell].astype(np.float64)
    np.fmax.at(depth, site.wall_building, beside)
    return depth


def _missing(site: Site, lang: str) -> list[dict[str, str]]:
    """What of the terrain has no height, as an entry of what was left out."""
    if site.missing_m2 <= 0:
        return []
    said = {"given": f"{site.missing_m2:g}"}
    return [{"id": "terrain", "reason": messages.text("flood.left_out.terrain", said, lang=lang)}]


def _summary(
    setting: Setting,
    engine: Engine,
    asked: Asked,
    last: NDArray[np.float32],
    peak: NDArray[np.float32],
    at_wall: NDArray[np.float64],
    judged: Judged,
    pipes: DrainBalance | None,
) -> dict[str, Any]:
    site, balance = setting.site, _balance(setting, engine)
    valid = setting.danger.valid(engine.numerics)
    arrival = standard("flood.arrival_depth_m")
    lane = standard("flood.lane_depth_m")
    cell_m2 = site.frame.cell_m**2
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
        "time_steps": engine.steps,
        "wet_area_outside_range_m2": float((~valid & (peak > arrival.number())).sum() * cell_m2),
        "edges": engine.edges_told(),
        **judged.summary,
        **({} if pipes is None else {"drains": asdict(pipes)}),
        **({} if setting.works is None else {"structures": setting.works.told()}),
        "left_out": [
            *_missing(site, "en"),
            *(
                {"id": id_, "reason": messages.text(key, {}, lang="en")}
                for id_, key in setting.left_out
            ),
        ],
        "rules": {
            **judged.rules,
            "wet_cells": arrival.key,
            "wet_area_m2": arrival.key,
            "buildings_touched": arrival.key,
            "area_over_lane_depth_m2": lane.key,
            "area_over_lane_depth_at_end_m2": lane.key,
        },
    }


def _balance(setting: Setting, engine: Engine) -> dict[str, float]:
    ledger = engine.ledger()
    moved = setting.meeting.account
    stored = engine.stored_m3()
    came = ledger["rain_m3"] + ledger["clipped_m3"] + ledger["edge_in_m3"]
    error = stored + ledger["drained_m3"] + ledger["outflow_m3"] - came - sum(moved.values())
    rain = {"rain_m3": ledger["rain_m3"] + moved.get("rain_m3", 0.0)}
    total = max(rain["rain_m3"] + ledger["clipped_m3"] + ledger["edge_in_m3"], 1e-12)
    return {**ledger, **moved, **rain, "stored_m3": stored, "error_rel": abs(error) / total}


def _notes(
    setting: Setting, asked: Asked, pipes: DrainBalance | None, summary: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    site = setting.site
    for key, given in setting.notes:
        yield _both(key, given=given)
    yield _both(f"flood.note.{asked.numerics.solver}", given=asked.numerics.order)
    yield from _words(asked, summary)
    if asked.area is not None:
        yield _both("flood.note.within", given=asked.area.name, area=f"{site.area_m2 / 1e4:.1f}")
    elif not asked.borders:
        yield _both("flood.note.edges")
    if len(site.building_ids):
        yield _both(f"flood.note.{asked.buildings}", given=len(site.building_ids))
    if site.assumed_heights:
        yield _both("flood.note.heights_assumed", given=site.assumed_heights)
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
    if setting.works is not None and asked.numerics.solver == "inertial":
        yield _both("flood.note.structures_inertial", given=f"{setting.works.most_lift_m:.3f}")
    yield from _unclosed(setting, pipes)
    if site.missing_m2 > 0:
        yield {
            lang: messages.text("flood.note.left_out", {"given": one["reason"]}, lang=lang)
            for lang in messages.LANGUAGES
            for one in _missing(site, lang)
        }
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


def _words(asked: Asked, summary: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Say what is easily mixed up, and which verdict the run is too short for."""

    def metres(key: str) -> str:
        return f"{standard(key).number():g}"

    if summary["streets"]["links"]:
        yield _both("flood.note.streets", given=summary["streets"]["links_failing"],
                    closed=summary["streets"]["links_closed"],
                    lane=metres("flood.lane_depth_m"), lowest=metres("flood.lowest_point_depth_m"),
                    close=metres("access.close_depth_m"))  # fmt: skip
    yield _both("flood.note.deepest", given=f"{summary['max_depth_m']:g}")
    if not summary["ponding"]["judged"]:
        hours = standard("flood.drain_time_h").number()
        followed = f"{max(asked.duration_s - asked.storm.duration_s, 0.0) / 60.0:g}"
        yield _both("flood.note.ponding_not_judged", given=f"{hours * 60:g}", followed=followed)


def _unclosed(setting: Setting, pipes: DrainBalance | None) -> Iterator[dict[str, str]]:
    """Say where SWMM's own count of the water does not close."""
    limit = standard("flood.drains_continuity").number()
    if pipes is None or setting.pipes is None or abs(pipes.continuity_error) <= limit:
        return
    yield _both(
        "flood.note.continuity",
        given=f"{pipes.continuity_error:+.2%}",
        volume=f"{pipes.continuity_error * pipes.swmm_received_m3:+.2f}",
        limit=f"{limit:.0%}",
        step=f"{drains.ROUTING_STEP_S:g}",
        nodes=", ".join(setting.pipes.drains.worst) or "-",
    )


def _both(key: str, **values: object) -> dict[str, str]:
    return {lang: messages.text(key, values, lang=lang) for lang in messages.LANGUAGES}
