"""What a flood means for people: streets, floors, ponds, sills and who is hit, in one place.

Gathers from the twin what each verdict needs, asks it, and says it as fields, numbers and
notes of the flood's result. The rules are those of the registry; what had to be assumed is
counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.flood.floors import FloorVerdict, judge_floors
from cim.flood.ground import Site
from cim.flood.hazard import hazard_class
from cim.flood.openings import Sills, find_doors, find_sills, tables_of
from cim.flood.people import exposed
from cim.flood.ponds import find_ponds
from cim.flood.roads import Sections, cut_sections, lane_depths, link_depths
from cim.flood.surface import FineGround, fine_ground
from cim.flood.underground import overtopping
from cim.flood.watcher import Watcher
from cim.model.grid import Grid
from cim.model.kinds import split_layer
from cim.model.result import ResultField
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["Judged", "judge"]

Floats = NDArray[np.float64]

_PONDS_TOLD = 10
_ROUND_M = 4


@dataclass(frozen=True)
class Judged:
    """What is added to a flood's result."""

    fields: tuple[ResultField, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


def judge(
    view: TwinView,
    site: Site,
    *,
    peak_m: NDArray[Any],
    times_s: Floats,
    depth_m: NDArray[Any],
    rain_end_s: float,
    sills: Sills | None = None,
    watched: tuple[Floats, Floats] | None = None,
    danger: Watcher | None = None,
) -> Judged:
    """Ask every verdict of a flood.

    Parameters
    ----------
    view, site
        The twin and its ground on cells.
    peak_m
        (rows, cols) largest depth, NaN where closed.
    times_s, depth_m
        (t,) and (t, rows, cols) depth over time.
    rain_end_s
        When the rain ends.
    sills, watched
        From `find_sills`, and times (w,) and depths (w, k) at their cells, finer than
        `depth_m`; None takes what the frames say.
    danger
        Who looked at moving water during the run.

    Notes
    -----
    Two rules speak of streets. `links_failing` breaks the design rule (内涝防治): no strip as wide
    as a lane stays within ``flood.lane_depth_m``, or a point of the carriageway is deeper than
    ``flood.lowest_point_depth_m``. `links_closed` and `links_slowed` are of traffic: even the best
    strip is deeper than ``access.close_depth_m`` or ``access.slow_depth_m``. `max_depth_m` is the
    deepest cell anywhere, over its mean ground; `road_deepest_m` the deepest point of a street's
    sections, over the fine ground: it may be the larger one. `ponding` is judged
    ``flood.drain_time_h`` after the rain ends; a shorter run has ``judged`` false and no verdict.
    """
    fields: list[ResultField] = []
    summary: dict[str, Any] = {}
    rules: dict[str, str] = {}
    terrain, fine = _fine(view, site)
    level = fine.level_m(peak_m)
    _streets(view, site, (terrain, fine), level, depth_m, times_s, fields, summary, rules)
    _floors(view, site, peak_m, level, fields, summary, rules)
    _standing(site, times_s, depth_m, rain_end_s, summary, rules)
    found = find_sills(view, site) if sills is None else sills
    _underground(site, found, times_s, depth_m, watched, summary, rules)
    if danger is not None:
        _danger(site, danger, fields, summary, rules)
    return Judged(tuple(fields), summary, rules)


def _fine(view: TwinView, site: Site) -> tuple[Grid, FineGround]:
    """The twin's own terrain, and its heights under every cell."""
    name = next(n for n in view.grids() if split_layer(n)[0] == "terrain")
    terrain = view.grid(name)
    return terrain, fine_ground(terrain, site.frame)


# ---------------------------------------------------------------- streets
def _streets(
    view: TwinView,
    site: Site,
    ground: tuple[Grid, FineGround],
    level: Floats,
    depth_m: NDArray[Any],
    times_s: Floats,
    fields: list[ResultField],
    summary: dict[str, Any],
    rules: dict[str, str],
) -> None:
    lane, lowest = standard("flood.lane_depth_m"), standard("flood.lowest_point_depth_m")
    closed_m = standard("access.close_depth_m").number()
    slow_m = standard("access.slow_depth_m").number()
    totals = dict.fromkeys(
        ("links", "failing", "slowed", "closed", "unknown", "partly", "assumed"), 0
    )
    for table in tables_of(view, "road"):
        width, assumed = _carriageways(table)
        cut = cut_sections(
            list(table.geometry), width, every_m=standard("flood.section_spacing_m").number()
        )
        below = _ground_at(ground[0], cut)
        best, deepest = _worst(site, cut, below, level, len(table))
        over_time = np.array(
            [_worst(site, cut, below, ground[1].level_m(d), len(table))[0] for d in depth_m]
        )
        closed = (best > closed_m).astype(np.float64)
        slowed = (best > slow_m) & (best <= closed_m)
        fails = (best > lane.number()) | (deepest > lowest.number())
        known = np.isfinite(best)
        shut_s = _time_above(times_s, over_time, closed_m)
        state = np.where(known, np.where(closed > 0, 2.0, np.where(slowed, 1.0, 0.0)), np.nan)
        made = (
            ("road_lane_depth_m", "m", best, "water on the best lane", "最佳车道积水深度"),
            ("road_deepest_m", "m", deepest, "deepest water of the section", "断面最大积水深度"),
            (
                "road_fails",
                "1",
                np.where(known, fails, np.nan),
                "fails the ponding rule",
                "不满足积水标准",
            ),
            (
                "road_state",
                "1",
                state,
                "0 open, 1 slow, 2 closed",
                "通行状态（0 畅通，1 缓行，2 封闭）",
            ),
            ("road_closed_s", "s", shut_s, "time closed", "封闭时长"),
        )
        suffix = "" if table.layer == "road" else "_" + table.layer.partition("/")[2]
        fields += [
            ResultField(name + suffix, unit, "links", np.asarray(values, np.float64),
                        {"en": en, "zh": zh}, layer=table.layer, ids=table.ids)
            for name, unit, values, en, zh in made
        ]  # fmt: skip
        for name, count in (
            ("links", len(table)), ("failing", (fails & known).sum()), ("slowed", slowed.sum()),
            ("closed", closed.sum()), ("unknown", (~known).sum()),
            ("partly", (known & _cut_off(site, cut, below, len(table))).sum()),
            ("assumed", assumed.sum()),
        ):  # fmt: skip
            totals[name] += int(count)
    summary["streets"] = {
        "links": totals["links"],
        "links_failing": totals["failing"],
        "links_slowed": totals["slowed"],
        "links_closed": totals["closed"],
        "links_not_judged": totals["unknown"],
        "links_judged_in_part": totals["partly"],
        "links_with_assumed_width": totals["assumed"],
    }
    rules["streets"] = f"{lane.key}, {lowest.key}"


def _carriageways(table: FeatureTable) -> tuple[Floats, NDArray[np.bool_]]:
    """Width between the kerbs of each link, and where it is assumed from its lanes."""
    lane_m = standard("flood.lane_width_m").number()
    usual = standard("traffic.lanes").value
    lanes = table.numbers("lanes")
    default = np.array([float(usual.get(c, 1)) for c in table.texts("class")])
    lanes = np.where(np.isfinite(lanes) & (lanes > 0), lanes, default)
    both = np.array([1.0 if way in ("yes", "reverse") else 2.0 for way in table.texts("oneway")])
    known = table.numbers("carriageway_m")
    assumed = ~(np.isfinite(known) & (known > 0))
    return np.where(assumed, lanes * both * lane_m, known), assumed


def _ground_at(terrain: Grid, cut: Sections) -> Floats:
    """Ground of the twin's own terrain under every strip, (s, k), NaN outside it."""
    flat = cut.xy.reshape(-1, 2)
    placed = np.isfinite(flat[:, 0])
    out = np.full(len(flat), np.nan)
    row, col, inside = terrain.frame.cell_of(flat[placed, 0], flat[placed, 1])
    out[placed] = np.where(inside, terrain.values[row, col], np.nan)
    return out.reshape(cut.xy.shape[:2])


def _worst(
    site: Site, cut: Sections, ground: Floats, level: Floats, links: int
) -> tuple[Floats, Floats]:
    """Lane depth and deepest point of each link's worst sections, at one water surface."""
    x, y = cut.xy[..., 0], cut.xy[..., 1]
    row, col, inside = site.frame.cell_of(np.nan_to_num(x), np.nan_to_num(y))
    open_ = inside & np.isfinite(x) & np.isfinite(site.bed_m[row, col])
    water = np.nan_to_num(level[row, col] - ground, nan=0.0)
    depth = np.where(open_ & np.isfinite(ground), np.maximum(water, 0.0), np.nan)
    lane_m = standard("flood.lane_width_m").number()
    best, deepest = lane_depths(depth, strip_m=cut.strip_m, lane_m=lane_m)
    return link_depths(best, cut.link, links), link_depths(deepest, cut.link, links)


def _cut_off(site: Site, cut: Sections, ground: Floats, links: int) -> NDArray[np.bool_]:
    """Which links have cross-sections outside the area or without any ground under them."""
    out = np.zeros(links, bool)
    middle = np.nanmean(cut.xy, axis=1)
    _, _, inside = site.frame.cell_of(middle[:, 0], middle[:, 1])
    out[cut.link[~inside | np.isnan(ground).all(axis=1)]] = True
    return out


def _time_above(times_s: Floats, depth_m: Floats, limit_m: float) -> Floats:
    """How long each link lies above a limit, (n,): between two frames depth runs straight."""
    out = np.zeros(depth_m.shape[1])
    over = depth_m - limit_m
    for before, after, span in zip(over[:-1], over[1:], np.diff(times_s), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            cross = np.where(before != after, before / (before - after), 0.0)
        share = np.where(
            before > 0, np.where(after > 0, 1.0, cross), np.where(after > 0, 1 - cross, 0.0)
        )
        out += np.nan_to_num(share) * span
    return np.where(np.isfinite(depth_m).any(axis=0), out, np.nan)


# ---------------------------------------------------------------- floors and people
def _floors(
    view: TwinView,
    site: Site,
    peak_m: NDArray[Any],
    level: Floats,
    fields: list[ResultField],
    summary: dict[str, Any],
    rules: dict[str, str],
) -> None:
    n = len(site.building_ids)
    lowest, highest, deepest = np.full((3, n), np.nan)
    np.fmin.at(lowest, site.wall_building, site.bed_m.ravel()[site.wall_cell])
    np.fmax.at(highest, site.wall_building, level.ravel()[site.wall_cell])
    np.fmax.at(deepest, site.wall_building, np.asarray(peak_m, np.float64).ravel()[site.wall_cell])
    doors = find_doors(view, site)
    plinth = standard("flood.plinth_m")
    verdict = judge_floors(
        floor_m=site.floor_level_m,
        lowest_wall_m=lowest,
        wall_water_m=highest,
        door_building=doors.building,
        door_sill_m=doors.sill_m,
        door_water_m=level.ravel()[doors.cell],
        plinth_m=plinth.number(),
        allowed_m=standard("flood.ground_floor_depth_m").number(),
    )
    fields.append(
        ResultField("floor_water_m", "m", "objects", verdict.inside_m,
                    {"en": "water above the ground floor", "zh": "首层进水深度"},
                    layer="building", ids=site.building_ids)
    )  # fmt: skip
    summary["floors"] = _floor_counts(verdict)
    summary["people"] = _people(view, site, verdict, deepest)
    rules["floors"] = f"flood.ground_floor_depth_m, {plinth.key}"
    rules["people"] = "flood.lane_depth_m"


def _floor_counts(verdict: FloorVerdict) -> dict[str, int | None]:
    """Counts; what is entered of buildings with a known floor is None where there are none."""
    known = np.isfinite(verdict.floor_m) & ~verdict.floor_assumed
    return {
        "buildings": len(verdict.entered),
        "entered": int(verdict.entered.sum()),
        "floors_known": int(known.sum()),
        "entered_with_known_floor": int((verdict.entered & known).sum()) if known.any() else None,
        "entered_with_assumed_floor": int((verdict.entered & verdict.floor_assumed).sum()),
        "floors_assumed": int(verdict.floor_assumed.sum()),
        "doors_assumed": int(verdict.door_assumed.sum()),
        "not_judged": int(np.isnan(verdict.floor_m).sum()),
    }


def _people(
    view: TwinView, site: Site, verdict: FloorVerdict, wall_depth_m: Floats
) -> dict[str, Any]:
    tables = [view.table(name, bounds=site.frame.bounds) for name in view.layers()
              if split_layer(name)[0] == "building"]  # fmt: skip
    none = [np.empty(0)]
    told = exposed(
        residents=np.concatenate([t.numbers("population") for t in tables] or none),
        jobs=np.concatenate([t.numbers("jobs") for t in tables] or none),
        uses=[use or "unknown" for t in tables for use in t.texts("use")],
        entered=verdict.entered,
        wall_depth_m=wall_depth_m,
        deep_m=standard("flood.lane_depth_m").number(),
    )
    return {
        "residents_where_water_enters": told.residents_inside,
        "jobs_where_water_enters": told.jobs_inside,
        "residents_with_water_at_the_wall": told.residents_at_wall,
        "jobs_with_water_at_the_wall": told.jobs_at_wall,
        "buildings_of_unknown_people": told.unknown_population,
        "residents_where_water_enters_by_use": told.by_use,
    }


# ---------------------------------------------------------------- ponds
def _standing(
    site: Site,
    times_s: Floats,
    depth_m: NDArray[Any],
    rain_end_s: float,
    summary: dict[str, Any],
    rules: dict[str, str],
) -> None:
    hours, limit = standard("flood.drain_time_h"), standard("flood.lane_depth_m")
    due_s = rain_end_s + hours.number() * 3600.0
    late = np.flatnonzero(times_s >= due_s - 1e-6)
    told: dict[str, Any] = {"judged": bool(len(late)), "due_s": due_s}
    at = int(late[0]) if len(late) else len(times_s) - 1
    ponds = find_ponds(depth_m[at], site.frame, above_m=limit.number())
    told["at_s"] = float(times_s[at])
    told["passes"] = (not ponds) if len(late) else None
    told["ponds"] = len(ponds)
    told["area_m2"] = round(sum(p.area_m2 for p in ponds), 2)
    told["volume_m3"] = round(sum(p.volume_m3 for p in ponds), 3)
    told["largest"] = [
        {"x_m": p.x_m, "y_m": p.y_m, "area_m2": round(p.area_m2, 2),
         "volume_m3": round(p.volume_m3, 3), "deepest_m": round(p.deepest_m, _ROUND_M)}
        for p in ponds[:_PONDS_TOLD]
    ]  # fmt: skip
    summary["ponding"] = told
    rules["ponding"] = f"{hours.key}, {limit.key}"


# ---------------------------------------------------------------- underground
def _underground(
    site: Site,
    sills: Sills,
    times_s: Floats,
    depth_m: NDArray[Any],
    watched: tuple[Floats, Floats] | None,
    summary: dict[str, Any],
    rules: dict[str, str],
) -> None:
    reached = sills.cell >= 0
    cell = np.where(reached, sills.cell, 0)
    if watched is None:
        series_s = times_s
        depth = np.asarray(depth_m).reshape(len(times_s), -1)[:, cell].astype(np.float64)
    else:
        series_s, depth = watched
    level = np.where(depth > 1e-3, site.bed_m.ravel()[cell] + depth, np.nan)
    level[:, ~reached] = np.nan
    told = overtopping(
        series_s,
        level,
        sill_m=sills.sill_m,
        width_m=sills.width_m,
        coefficient=standard("flood.broad_crest").number(),
    )
    wet = np.flatnonzero(told.deepest_m > 0)
    order = wet[np.argsort(-told.volume_m3[wet], kind="stable")]
    summary["underground"] = {
        "sills": len(sills.ids),
        "sills_out_of_reach": int((~reached).sum()),
        "sills_of_assumed_width": int(sills.assumed.sum()),
        "sills_overtopped": len(wet),
        "volume_m3": round(float(told.volume_m3.sum()), 3),
        "overtopped": _overtopped(sills, told, order),
    }
    rules["underground"] = "flood.broad_crest, flood.entrance_width_m"


def _overtopped(
    sills: Sills, told: Any, order: Sequence[int] | NDArray[Any]
) -> list[dict[str, Any]]:
    return [
        {
            "id": str(sills.ids[i]),
            "space": str(sills.space[i]),
            "first_s": round(float(told.first_s[i]), 1),
            "volume_m3": round(float(told.volume_m3[i]), 3),
            "peak_m3_s": round(float(told.peak_m3_s[i]), 4),
            "deepest_m": round(float(told.deepest_m[i]), _ROUND_M),
        }
        for i in order
    ]


# ---------------------------------------------------------------- danger
def _danger(
    site: Site,
    danger: Watcher,
    fields: list[ResultField],
    summary: dict[str, Any],
    rules: dict[str, str],
) -> None:
    shut, cell_m2 = np.isnan(site.bed_m), site.frame.cell_m**2
    made = (
        ("speed_max_mps", "m/s", danger.speed_mps, "largest speed", "最大流速"),
        ("hazard_max_m2_s", "m2/s", danger.hazard_m2_s, "largest hazard rating", "最大危险度"),
    )
    fields += [
        ResultField(name, unit, "grid", np.where(shut, np.nan, values).astype(np.float32),
                    {"en": en, "zh": zh})
        for name, unit, values, en, zh in made
    ]  # fmt: skip
    rank = hazard_class(np.where(shut, 0.0, danger.hazard_m2_s))  # not what stands on roofs
    names = ("some", "most", "all")
    summary["danger"] = {
        "looked_every_s": danger.every_s,
        "speed_max_mps": round(float(danger.speed_mps[~shut].max(initial=0.0)), 3),
        **{f"area_danger_for_{who}_m2": float((rank == i + 1).sum() * cell_m2)
           for i, who in enumerate(names)},
        **{f"area_unsafe_{who}_m2": float((where & ~shut).sum() * cell_m2)
           for who, where in danger.unsafe.items()},
    }  # fmt: skip
    rules["danger"] = "flood.hazard_classes, flood.debris_factor, flood.person_dv_m2_s"
