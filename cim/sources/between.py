"""What layers say of one another: buildings and ground, storeys and heights, pipes and nodes.

Contradictions are notes, never rejections: which side is wrong only a person knows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame, in_china, lonlat, looks_like_gcj02
from cim.errors import FrameError
from cim.model.grid import Grid
from cim.model.table import FeatureTable
from cim.registry import standard
from cim.sources.report import Report

__all__ = ["check_between", "check_shift"]

LEAST_LEVELS = 10  # fewer tell nothing of a datum
NODE_REACH_M = 0.5  # a pipe's end further from every node hangs free
SHIFTED_KINDS = ("building", "road", "building_part", "address", "parcel", "wall")
_LARGE_SHIFT_M = 300.0  # BD-09 and GCJ-02 shift by 500 m and more; surveys do not


def check_shift(
    table: FeatureTable, reference: Mapping[str, FeatureTable], *, frame: Frame, file: str
) -> None:
    """Refuse a layer that lies beside roads or buildings as GCJ-02 or BD-09 would.

    Raises
    ------
    FrameError
        The layer, or the one it was compared with, is shifted; both are named.
    """
    if table.kind not in SHIFTED_KINDS or not len(table):
        return
    middle = lonlat(frame, np.array([_middle(table)]))[0]
    if not in_china(float(middle[0]), float(middle[1])):
        return
    for name, known in reference.items():
        if known.kind not in ("building", "road") or not len(known):
            continue
        pairs = [(table, known, file)]
        if table.kind in ("building", "road"):  # walls and plots lie too close to tell a shift
            pairs.append((known, table, name))
        for one, other, blamed in pairs:
            verdict = looks_like_gcj02(one.geometry, other.geometry, frame=frame)
            if verdict.dx_m is None or verdict.dy_m is None:
                continue
            far = np.hypot(verdict.dx_m, verdict.dy_m) > _LARGE_SHIFT_M
            if verdict.answer == "yes" or far:
                raise FrameError(
                    "source.shifted",
                    given=blamed,
                    values={
                        "model": "GCJ-02" if verdict.answer == "yes" else "BD-09",
                        "reference": other.layer,
                        "dx_m": f"{verdict.dx_m:.0f}",
                        "dy_m": f"{verdict.dy_m:.0f}",
                    },
                )


def _middle(table: FeatureTable) -> tuple[float, float]:
    import shapely

    box = np.nanmedian(shapely.bounds(table.geometry), axis=0)
    return (float(box[0] + box[2]) / 2.0, float(box[1] + box[3]) / 2.0)


def check_between(
    tables: Mapping[str, FeatureTable], grids: Mapping[str, Grid], *, report: Report
) -> None:
    """Note where layers contradict one another.

    Checks: base of a building against the terrain, storeys against height, inverts of
    pipes and nodes against the ground, ends of pipes on nodes.
    """
    terrain = next((g for name, g in grids.items() if name.split("/")[0] == "terrain"), None)
    nodes = [t for t in tables.values() if t.kind == "pipe_node" and len(t)]
    for table in tables.values():
        if not len(table):
            continue
        if table.kind == "building":
            _storeys(table, report)
            if terrain is not None:
                _bases(table, terrain, report)
                _datum(table, "base_m", terrain, report)
        elif table.kind in ("pipe", "pipe_node"):
            if terrain is not None:
                _inverts(table, terrain, report)
                if table.kind == "pipe_node":
                    _datum(table, "ground_m", terrain, report)
            if table.kind == "pipe" and nodes:
                _ends(table, nodes, report)


def _say(
    report: Report, key: str, table: FeatureTable, bad: NDArray[np.bool_], **more: object
) -> None:
    if not bad.any():
        return
    some = [str(i) for i in table.ids[bad][:5]]
    values = {"count": int(bad.sum()), "of": len(table), "examples": ", ".join(some), **more}
    report.note(key, file="", layer=table.layer, values=values)


def _storeys(table: FeatureTable, report: Report) -> None:
    low, high = (float(part) for part in standard("building.storey_height_m").value)
    height, storeys = table.numbers("height_m"), table.numbers("storeys_above")
    both = np.isfinite(height) & (storeys > 0)
    each = np.divide(height, storeys, out=np.full(len(table), np.nan), where=both)
    bad = both & ((each < low) | (each > high))
    _say(report, "source.between.storeys", table, bad, low=low, high=high)


def _bases(table: FeatureTable, terrain: Grid, report: Report) -> None:
    import shapely

    base = table.numbers("base_m")
    gap = standard("building.base_gap_m").number()
    if not np.isfinite(base).any():
        return
    points = shapely.get_coordinates(shapely.point_on_surface(table.geometry))
    if len(points) != len(table):
        return
    ground = terrain.sample(points)
    with np.errstate(invalid="ignore"):
        bad = np.abs(base - ground) >= gap
    _say(report, "source.between.base", table, bad, gap=gap)


def _datum(table: FeatureTable, name: str, terrain: Grid, report: Report) -> None:
    """Say where levels lie apart from the terrain by the same throughout."""
    import shapely

    level = table.numbers(name)
    points = shapely.get_coordinates(shapely.point_on_surface(table.geometry))
    if len(points) != len(table):
        return
    gap = level - terrain.sample(points)
    gap = gap[np.isfinite(gap)]
    if len(gap) < LEAST_LEVELS:
        return
    low, middle, high = np.percentile(gap, [25.0, 50.0, 75.0])
    if abs(middle) >= standard("terrain.datum_gap_m").number() and high - low <= abs(middle) / 2:
        values = {"what": name, "middle": f"{middle:+.2f}", "low": f"{low:+.2f}",
                  "high": f"{high:+.2f}", "count": len(gap)}  # fmt: skip
        report.note("source.between.datum", file="", layer=table.layer, values=values)


def _inverts(table: FeatureTable, terrain: Grid, report: Report) -> None:
    import shapely

    if table.kind == "pipe":
        pairs = [("invert_from_m", 0), ("invert_to_m", -1)]
        single = shapely.get_type_id(table.geometry) == 1
    else:
        pairs, single = [("invert_m", 0)], np.ones(len(table), dtype=bool)
    bad = np.zeros(len(table), dtype=bool)
    for name, at in pairs:
        level = table.numbers(name)
        there = single & np.isfinite(level)
        if not there.any():
            continue
        shapes = table.geometry[there]
        ends = shapely.get_point(shapes, at) if table.kind == "pipe" else shapes
        with np.errstate(invalid="ignore"):
            bad[there] |= level[there] > terrain.sample(shapely.get_coordinates(ends))
    _say(report, "source.between.invert", table, bad)


def _ends(table: FeatureTable, nodes: list[FeatureTable], report: Report) -> None:
    import shapely

    tree = shapely.STRtree(np.concatenate([node.geometry for node in nodes]))
    bad = np.zeros(len(table), dtype=bool)
    rows = np.flatnonzero(shapely.get_type_id(table.geometry) == 1)
    for at in (0, -1):
        ends = shapely.get_point(table.geometry[rows], at)
        found, _ = tree.query_nearest(ends, max_distance=NODE_REACH_M, all_matches=False)
        free = np.ones(len(rows), dtype=bool)
        free[found] = False
        bad[rows[free]] = True
    _say(report, "source.between.ends", table, bad, reach=NODE_REACH_M)
