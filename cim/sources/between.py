"""What layers say of one another: buildings and ground, storeys and heights, pipes and nodes.

Contradictions are notes, never rejections: which side is wrong only a person knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame, in_china, lonlat, looks_like_gcj02
from cim.errors import FrameError
from cim.model.grid import Grid
from cim.model.layers import pieces_of
from cim.model.table import FeatureTable
from cim.registry import standard
from cim.sources.report import Report

__all__ = ["SHIFTED_KINDS", "Lying", "check_between", "check_shift", "joined", "lying"]

LEAST_LEVELS = 10  # fewer tell nothing of a datum
NODE_REACH_M = 0.5  # a pipe's end further from every node hangs free
SHIFTED_KINDS = ("building", "road", "building_part", "address", "parcel", "wall")
_LARGE_SHIFT_M = 300.0  # BD-09 and GCJ-02 shift by 500 m and more; surveys do not


class Lying(NamedTuple):
    """Where the features of a layer lie: centroids, vertices of its lines, the lines themselves."""

    layer: str
    centroids: NDArray[np.float64]
    vertices: NDArray[np.float64]
    lines: NDArray[Any]

    @property
    def kind(self) -> str:
        """Return the kind's name."""
        return self.layer.partition("/")[0]

    @property
    def points(self) -> NDArray[np.float64]:
        """Return all points, centroids first."""
        return np.concatenate([self.centroids, self.vertices])

    @property
    def things(self) -> NDArray[Any]:
        """Return the lines where there are any, else the points."""
        return self.lines if len(self.lines) else self.points


def lying(tables: Iterable[FeatureTable]) -> Lying:
    """Return where the features of a layer lie, of one table or of several pieces."""
    import shapely

    layer, found = "", []
    for table in tables:
        layer = table.layer
        line = shapely.get_dimensions(table.geometry) == 1
        lines = table.geometry[line] if table.kind == "road" else table.geometry[:0]
        found.append((
            shapely.get_coordinates(shapely.centroid(table.geometry[~line])),
            shapely.get_coordinates(table.geometry[line]),
            lines,
        ))  # fmt: skip
    return Lying(layer, *(np.concatenate(part) for part in zip(*found, strict=True)))


def joined(parts: Sequence[Lying]) -> Lying:
    """Return several pieces of a layer as one."""
    return Lying(parts[0].layer, *(np.concatenate([p[i] for p in parts]) for i in (1, 2, 3)))


def check_shift(
    mine: Lying, reference: Mapping[str, FeatureTable], *, frame: Frame, file: str
) -> None:
    """Refuse a layer that lies beside roads or buildings as GCJ-02 or BD-09 would.

    Raises
    ------
    FrameError
        The layer, or the one it was compared with, is shifted; both are named.
    """
    points = mine.points
    if mine.kind not in SHIFTED_KINDS or not len(points):
        return
    middle = lonlat(frame, np.median(points, axis=0)[None])[0]
    if not in_china(float(middle[0]), float(middle[1])):
        return
    for name in reference:
        if name.partition("/")[0] not in ("building", "road"):
            continue
        known = lying(pieces_of(reference, name))
        if not len(known.points):
            continue
        pairs = [(points, known.things, file, name)]
        if mine.kind in ("building", "road"):  # walls and plots lie too close to tell a shift
            pairs.append((known.points, mine.things, name, mine.layer))
        for one, other, blamed, beside in pairs:
            verdict = looks_like_gcj02(one, other, frame=frame)
            if verdict.dx_m is None or verdict.dy_m is None:
                continue
            far = np.hypot(verdict.dx_m, verdict.dy_m) > _LARGE_SHIFT_M
            if verdict.answer == "yes" or far:
                raise FrameError(
                    "source.shifted",
                    given=blamed,
                    values={
                        "model": "GCJ-02" if verdict.answer == "yes" else "BD-09",
                        "reference": beside,
                        "dx_m": f"{verdict.dx_m:.0f}",
                        "dy_m": f"{verdict.dy_m:.0f}",
                    },
                )


def check_between(
    tables: Mapping[str, FeatureTable], grids: Mapping[str, Grid], *, report: Report
) -> None:
    """Note where layers contradict one another.

    Checks: base of a building against the terrain, storeys against height, inverts of
    pipes and nodes against the ground, ends of pipes on nodes.
    """
    terrain = next((g for name, g in grids.items() if name.split("/")[0] == "terrain"), None)
    nodes = [n for n in tables if n.partition("/")[0] == "pipe_node"]
    for name in tables:
        kind_name = name.partition("/")[0]
        if kind_name == "building":
            _buildings(name, tables, terrain, report)
        elif kind_name in ("pipe", "pipe_node"):
            _pipes(name, tables, terrain, nodes, report)


class _Bad:
    """Which features of a layer are wrong in one way, gathered piece by piece."""

    def __init__(self) -> None:
        self.count = self.of = 0
        self.examples: list[str] = []

    def add(self, table: FeatureTable, bad: NDArray[np.bool_]) -> None:
        self.count += int(bad.sum())
        self.of += len(table)
        self.examples += [str(i) for i in table.ids[bad][: 5 - len(self.examples)]]

    def say(
        self, report: Report, key: str, layer: str, more: Mapping[str, object] | None = None
    ) -> None:
        if self.count:
            values = {"count": self.count, "of": self.of,
                      "examples": ", ".join(self.examples), **(more or {})}  # fmt: skip
            report.note(key, file="", layer=layer, values=values)


class _Gaps:
    """Levels of a layer less the terrain where they are known."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = []

    def add(self, gap: NDArray[np.float64]) -> None:
        self._parts.append(gap[np.isfinite(gap)])

    def say(self, report: Report, name: str, layer: str) -> None:
        """Say where levels lie apart from the terrain by the same throughout."""
        gap = np.concatenate([*self._parts, np.empty(0)])
        if len(gap) < LEAST_LEVELS:
            return
        low, middle, high = np.percentile(gap, [25.0, 50.0, 75.0])
        apart = abs(middle) >= standard("terrain.datum_gap_m").number()
        if apart and high - low <= abs(middle) / 2:
            values = {"what": name, "middle": f"{middle:+.2f}", "low": f"{low:+.2f}",
                      "high": f"{high:+.2f}", "count": len(gap)}  # fmt: skip
            report.note("source.between.datum", file="", layer=layer, values=values)


def _buildings(
    layer: str, tables: Mapping[str, FeatureTable], terrain: Grid | None, report: Report
) -> None:
    low, high = (float(part) for part in standard("building.storey_height_m").value)
    gap_m = standard("building.base_gap_m").number()
    storeys, bases, gaps = _Bad(), _Bad(), _Gaps()
    for table in pieces_of(tables, layer, shapes=terrain is not None):
        storeys.add(table, _odd_storeys(table, low, high))
        if terrain is not None:
            gap = _above(table, "base_m", terrain)
            with np.errstate(invalid="ignore"):
                bases.add(table, np.abs(gap) >= gap_m)
            gaps.add(gap)
    storeys.say(report, "source.between.storeys", layer, {"low": low, "high": high})
    bases.say(report, "source.between.base", layer, {"gap": gap_m})
    gaps.say(report, "base_m", layer)


def _odd_storeys(table: FeatureTable, low: float, high: float) -> NDArray[np.bool_]:
    height, storeys = table.numbers("height_m"), table.numbers("storeys_above")
    both = np.isfinite(height) & (storeys > 0)
    each = np.divide(height, storeys, out=np.full(len(table), np.nan), where=both)
    return np.asarray(both & ((each < low) | (each > high)))


def _above(table: FeatureTable, name: str, terrain: Grid) -> NDArray[np.float64]:
    """Return a level of each feature less the terrain there, NaN where one of them is not known."""
    import shapely

    level = table.numbers(name)
    known = np.isfinite(level)
    known &= ~(shapely.is_missing(table.geometry) | shapely.is_empty(table.geometry))
    points = shapely.get_coordinates(shapely.point_on_surface(table.geometry[known]))
    gap = np.full(len(table), np.nan)
    gap[known] = level[known] - terrain.sample(points)
    return gap


def _pipes(
    layer: str,
    tables: Mapping[str, FeatureTable],
    terrain: Grid | None,
    nodes: Sequence[str],
    report: Report,
) -> None:
    pipes = layer.partition("/")[0] == "pipe"
    tree = _tree(tables, nodes) if pipes else None
    inverts, ends, gaps = _Bad(), _Bad(), _Gaps()
    for table in pieces_of(tables, layer):
        if terrain is not None:
            inverts.add(table, _high_inverts(table, terrain))
            if not pipes:
                gaps.add(_above(table, "ground_m", terrain))
        if tree is not None:
            ends.add(table, _free_ends(table, tree))
    inverts.say(report, "source.between.invert", layer)
    gaps.say(report, "ground_m", layer)
    ends.say(report, "source.between.ends", layer, {"reach": NODE_REACH_M})


def _high_inverts(table: FeatureTable, terrain: Grid) -> NDArray[np.bool_]:
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
        points = shapely.get_point(shapes, at) if table.kind == "pipe" else shapes
        with np.errstate(invalid="ignore"):
            bad[there] |= level[there] > terrain.sample(shapely.get_coordinates(points))
    return bad


def _tree(tables: Mapping[str, FeatureTable], nodes: Sequence[str]) -> Any:
    """Return the nodes as a tree; None where there is none."""
    import shapely

    shapes = [table.geometry for name in nodes for table in pieces_of(tables, name)]
    every = np.concatenate([*shapes, np.empty(0, dtype=object)])
    return shapely.STRtree(every) if len(every) else None


def _free_ends(table: FeatureTable, tree: Any) -> NDArray[np.bool_]:
    import shapely

    bad = np.zeros(len(table), dtype=bool)
    rows = np.flatnonzero(shapely.get_type_id(table.geometry) == 1)
    for at in (0, -1):
        ends = shapely.get_point(table.geometry[rows], at)
        found, _ = tree.query_nearest(ends, max_distance=NODE_REACH_M, all_matches=False)
        free = np.ones(len(rows), dtype=bool)
        free[found] = False
        bad[rows[free]] = True
    return bad
