"""Which of the twin's pipes are storm drains (雨水管), and how they hang together.

Pipes name their nodes; where they do not, their ends do. What cannot be used is listed with
its reason. An outfall takes one pipe in SWMM, so each pipe that reaches one gets an outfall of
its own at the same place and level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["NODE_M2", "Openings", "Sewer", "find_sewer", "openings", "swmm_text"]

Floats = NDArray[np.float64]

_SNAP_M = 1.0  # an end this near to a node is connected to it
_STORM = ("storm", "combined", "雨水", "雨污合流", "合流")
_OUTFALL = ("outfall", "出水口", "排放口")
_INLET = ("inlet", "gully", "grate", "雨水口", "雨水篦", "雨水篦子", "雨水箅", "雨水箅子")
_PIECE_M, _OUTFALL_PIECE_M = 30.0, 5.0
_SURCHARGE_M = 100.0  # nothing overflows inside SWMM: the street takes it
NODE_M2 = 1.167
"""Plan of a manhole's chamber, m²: what SWMM gives a node by default (12.57 ft²)."""


@dataclass(frozen=True)
class Sewer:
    """A storm drain network.

    Attributes
    ----------
    node_ids
        (n,) ids of the pipe nodes.
    x_m, y_m, invert_m, ground_m
        (n,) place, lowest level inside, level of the lid (NaN unknown).
    outfall, inlet
        (n,) which nodes are outfalls, and which are grates; the rest are manholes.
    stage_m
        (n,) water level outside an outfall, NaN where it falls freely.
    grates
        (n,) how many grates a node stands for.
    pipe_ids
        (p,) ids of the pipes.
    start, end
        (p,) node number at either end.
    start_m, end_m, length_m, diameter_m
        (p,) inverts at the ends, length, diameter.
    left_out
        (id, reason key) of what could not be used.
    illustrative
        Whether anything of it is 示意数据.
    """

    node_ids: NDArray[Any]
    x_m: Floats
    y_m: Floats
    invert_m: Floats
    ground_m: Floats
    outfall: NDArray[np.bool_]
    inlet: NDArray[np.bool_]
    stage_m: Floats
    grates: Floats
    pipe_ids: NDArray[Any]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    start_m: Floats
    end_m: Floats
    length_m: Floats
    diameter_m: Floats
    left_out: tuple[tuple[str, str], ...]
    illustrative: bool


def find_sewer(view: TwinView) -> Sewer | None:
    """Return the twin's storm drains, or None where it has none.

    Raises
    ------
    RequestError
        There are storm drains, but no outfall that water could leave by.
    """
    pipes, nodes = _layers(view, "pipe"), _layers(view, "pipe_node")
    if not pipes or not nodes:
        return None
    left_out: list[tuple[str, str]] = []
    spots = _nodes(nodes)
    rows = _pipes(pipes, spots, left_out)
    if not rows:
        return None
    used = sorted({row.start for row in rows} | {row.end for row in rows})
    number = {old: new for new, old in enumerate(used)}
    lonely = (spots.ids[i] for i in range(len(spots.ids)) if i not in number)
    left_out += [(str(id_), "flood.left_out.lonely") for id_ in lonely]
    sewer = _joined(spots, used, number, rows, left_out, (*pipes, *nodes))
    if not sewer.outfall.any():
        raise RequestError("flood.no_outfall", given=len(sewer.node_ids))
    return sewer


def swmm_text(sewer: Sewer, *, step_s: float, duration_s: float, manning: float) -> str:
    """Return the network as an input file of SWMM 5: dynamic wave, metric, fixed steps.

    Nodes are storages of `NODE_M2`. SWMM lets a junction fill as if it had that surface, which
    keeps the steps stable, but does not count the water: two basins over three full pipes lost
    7.6 % by its own count, 0.2 % with storages.
    """
    hours = int(np.ceil(duration_s / 3600.0)) + 1
    day, hour = divmod(hours, 24)
    lines = [
        "[OPTIONS]", "FLOW_UNITS CMS", "FLOW_ROUTING DYNWAVE", "LINK_OFFSETS ELEVATION",
        "START_DATE 01/01/2000", "START_TIME 00:00:00", "REPORT_START_DATE 01/01/2000",
        f"END_DATE 01/{day + 1:02d}/2000", f"END_TIME {hour:02d}:00:00", "ALLOW_PONDING NO",
        "REPORT_STEP 01:00:00", "WET_STEP 01:00:00", "DRY_STEP 01:00:00",
        f"ROUTING_STEP {step_s:g}", "VARIABLE_STEP 0", "LENGTHENING_STEP 0", "THREADS 1",
        "INERTIAL_DAMPING PARTIAL", "NORMAL_FLOW_LIMITED BOTH", "SURCHARGE_METHOD SLOT",
        "MAX_TRIALS 8", "HEAD_TOLERANCE 0.0015", "SKIP_STEADY_STATE NO", "MIN_SURFAREA 0.1", "",
    ]  # fmt: skip
    chambers, outfalls = ["[STORAGE]"], ["[OUTFALLS]"]
    for i in range(len(sewer.node_ids)):
        if sewer.outfall[i]:
            kind = "FREE" if np.isnan(sewer.stage_m[i]) else f"FIXED {sewer.stage_m[i]:.6f}"
            outfalls.append(f"N{i} {sewer.invert_m[i]:.6f} {kind} NO")
        else:
            deep = max(sewer.ground_m[i] - sewer.invert_m[i], 0.1)
            chambers.append(_chamber(f"N{i}", sewer.invert_m[i], deep))
    conduits, sections = ["[CONDUITS]"], ["[XSECTIONS]"]
    for p in range(len(sewer.pipe_ids)):
        names, levels, length_m = _pieces(sewer, p)
        for k in range(len(names) - 1):
            if k:  # a hidden node between two pieces, deep enough never to spill
                chambers.append(_chamber(names[k], levels[k], 20.0))
            line = f"P{p}_{k} {names[k]} {names[k + 1]} {length_m:.4f} {manning:g}"
            conduits.append(f"{line} {levels[k]:.6f} {levels[k + 1]:.6f} 0 0")
            sections.append(f"P{p}_{k} CIRCULAR {sewer.diameter_m[p]:.4f} 0 0 0 1")
    report = ["[REPORT]", "CONTROLS NO", "NODES NONE", "LINKS NONE"]
    return "\n".join(
        [*lines, *chambers, "", *outfalls, "", *conduits, "", *sections, "", *report, ""]
    )


def _chamber(name: str, invert_m: float, deep_m: float) -> str:
    return f"{name} {invert_m:.6f} {deep_m + _SURCHARGE_M:.6f} 0 FUNCTIONAL 0 0 {NODE_M2:g} 0 0"


def _pieces(sewer: Sewer, p: int) -> tuple[list[str], Floats, float]:
    """Node names and levels along a pipe cut into pieces, and the length of one.

    SWMM sets the depth at an outfall and so fills or empties half the last pipe for nothing:
    the last one is cut short, the others where a straight water line would be too coarse.
    """
    ends = f"N{sewer.start[p]}", f"N{sewer.end[p]}"
    longest = _OUTFALL_PIECE_M if sewer.outfall[sewer.end[p]] else _PIECE_M
    length_m = max(float(sewer.length_m[p]), 1.0)
    pieces = max(1, int(np.ceil(length_m / longest)))
    levels = np.linspace(sewer.start_m[p], sewer.end_m[p], pieces + 1)
    between = [f"N{sewer.start[p]}_{p}_{k}" for k in range(1, pieces)]
    return [ends[0], *between, ends[1]], levels, length_m / pieces


@dataclass(frozen=True)
class _Row:
    """One usable pipe."""

    id: str
    start: int
    end: int
    start_m: float
    end_m: float
    length_m: float
    diameter_m: float


@dataclass(frozen=True)
class _Spots:
    """All storm nodes, used or not."""

    ids: list[str]
    by_name: Mapping[str, int]
    xy: Floats
    invert_m: Floats
    ground_m: Floats
    types: list[str]
    stage_m: Floats
    grates: Floats


def _layers(view: TwinView, kind: str) -> list[FeatureTable]:
    tables = [view.table(name) for name in view.layers() if split_layer(name)[0] == kind]
    kept = [t.take(np.array([_is_storm(s) for s in t.texts("system")], bool)) for t in tables]
    return [table for table in kept if len(table)]


def _is_storm(system: str) -> bool:
    return system.strip().lower() in _STORM


def _nodes(tables: Sequence[FeatureTable]) -> _Spots:
    import shapely

    ids = [str(id_) for t in tables for id_ in t.ids]
    names = [name for t in tables for name in t.texts("source_id")]
    points = [shapely.centroid(shape) for t in tables for shape in t.geometry]
    known = {
        **{name: i for i, name in enumerate(names) if name},
        **{x: i for i, x in enumerate(ids)},
    }

    def numbers(name: str, default: float = np.nan) -> Floats:
        return np.concatenate([t.numbers(name, default=default) for t in tables])

    return _Spots(
        ids=ids,
        by_name=known,
        xy=np.array([(p.x, p.y) if p is not None else (np.nan, np.nan) for p in points]),
        invert_m=numbers("invert_m"),
        ground_m=numbers("ground_m"),
        types=[text.strip().lower() for t in tables for text in t.texts("type")],
        stage_m=numbers("stage_m"),
        grates=np.maximum(numbers("grates", 1.0), 1.0),
    )


def _pipes(
    tables: Sequence[FeatureTable], spots: _Spots, left_out: list[tuple[str, str]]
) -> list[_Row]:
    import shapely

    rows = []
    for table in tables:
        wide = table.numbers("diameter_m")
        levels = np.stack([table.numbers("invert_from_m"), table.numbers("invert_to_m")], axis=1)
        names = zip(table.texts("from_node"), table.texts("to_node"), strict=True)
        for i, (ends, line) in enumerate(zip(names, table.geometry, strict=True)):
            found = [
                _node_at(name, line, at, spots) for name, at in zip(ends, (0, -1), strict=True)
            ]
            id_ = str(table.ids[i])
            if None in found or found[0] == found[1]:
                left_out.append((id_, "flood.left_out.no_node"))
                continue
            start, end = (int(n) for n in found if n is not None)
            inverts = [levels[i, k] if np.isfinite(levels[i, k]) else spots.invert_m[n]
                       for k, n in enumerate((start, end))]  # fmt: skip
            if not (np.isfinite(wide[i]) and wide[i] > 0):
                left_out.append((id_, "flood.left_out.no_diameter"))
            elif not np.isfinite(inverts).all():
                left_out.append((id_, "flood.left_out.no_invert"))
            else:
                length = float(shapely.length(line))
                low, high = (float(level) for level in inverts)
                rows.append(_Row(id_, start, end, low, high, length, float(wide[i])))
    return rows


def _node_at(name: str, line: Any, at: int, spots: _Spots) -> int | None:
    """Node of a pipe's end: by name, else the nearest within `_SNAP_M`."""
    import shapely

    if name and name in spots.by_name:
        return spots.by_name[name]
    if line is None or shapely.is_empty(line):
        return None
    x, y = shapely.get_coordinates(line)[at]
    square = (spots.xy[:, 0] - x) ** 2 + (spots.xy[:, 1] - y) ** 2
    if not np.isfinite(square).any():
        return None
    nearest = int(np.nanargmin(square))
    return nearest if square[nearest] <= _SNAP_M**2 else None


def _joined(
    spots: _Spots,
    used: Sequence[int],
    number: Mapping[int, int],
    rows: Sequence[_Row],
    left_out: Sequence[tuple[str, str]],
    tables: Sequence[FeatureTable],
) -> Sewer:
    """Put nodes and pipes together; every pipe at an outfall ends in an outfall of its own."""
    places = list(used)
    outfall = [spots.types[i] in _OUTFALL for i in used]
    taken: set[int] = set()
    start, end = [], []
    flipped = [_towards_outfall(row, spots) for row in rows]
    for row in flipped:
        start.append(number[row.start])
        at = number[row.end]
        if outfall[at]:
            if at in taken:
                places.append(row.end)
                outfall.append(True)
                at = len(places) - 1
            taken.add(at)
        end.append(at)
    index = np.array(places)
    invert = spots.invert_m[index].copy()
    for row, a, b in zip(flipped, start, end, strict=True):
        invert[a] = np.fmin(invert[a], row.start_m)
        invert[b] = np.fmin(invert[b], row.end_m)
    types = [spots.types[i] for i in places]
    return Sewer(
        node_ids=np.array([spots.ids[i] for i in places], dtype=object),
        x_m=spots.xy[index, 0],
        y_m=spots.xy[index, 1],
        invert_m=invert,
        ground_m=spots.ground_m[index],
        outfall=np.array(outfall, bool),
        inlet=np.array([t in _INLET for t in types], bool),
        stage_m=spots.stage_m[index],
        grates=spots.grates[index],
        pipe_ids=np.array([row.id for row in flipped], dtype=object),
        start=np.array(start, np.int64),
        end=np.array(end, np.int64),
        start_m=np.array([row.start_m for row in flipped]),
        end_m=np.array([row.end_m for row in flipped]),
        length_m=np.array([row.length_m for row in flipped]),
        diameter_m=np.array([row.diameter_m for row in flipped]),
        left_out=tuple(left_out),
        illustrative=any(table.illustrative for table in tables),
    )


def _towards_outfall(row: _Row, spots: _Spots) -> _Row:
    if spots.types[row.start] in _OUTFALL and spots.types[row.end] not in _OUTFALL:
        return _Row(
            row.id, row.end, row.start, row.end_m, row.start_m, row.length_m, row.diameter_m
        )
    return row


@dataclass(frozen=True)
class Openings:
    """What lies between each node and the street.

    Attributes
    ----------
    kind
        (n,) of `kernels.flood.exchange`: grate, open shaft, shaft under its lid.
    perimeter_m, area_m2, holes_m2
        (n,) rim and clear area of the opening, clear area of the holes in its lid.
    inlet_law, manhole_law
        Coefficients, as `kernels.flood.exchange.settle` wants them.
    """

    kind: NDArray[np.int8]
    perimeter_m: Floats
    area_m2: Floats
    holes_m2: Floats
    inlet_law: Floats
    manhole_law: Floats


def openings(sewer: Sewer) -> Openings:
    """Return the openings of a network.

    Manholes keep their lids where the network has grates; where it has none, they stand for the
    grates beside them and take water like open shafts.
    """
    from kernels.flood.exchange import GRATE, LID, SHAFT

    grate, hole = standard("flood.grate"), standard("flood.manhole_opening")
    inlet, manhole = standard("flood.exchange_inlet"), standard("flood.exchange_manhole")
    shut = LID if sewer.inlet.any() else SHAFT
    return Openings(
        kind=np.where(sewer.inlet, GRATE, shut).astype(np.int8),
        perimeter_m=np.where(
            sewer.inlet,
            grate.by_class("perimeter_m") * sewer.grates,
            hole.by_class("perimeter_m"),
        ),
        area_m2=np.where(
            sewer.inlet, grate.by_class("area_m2") * sewer.grates, hole.by_class("area_m2")
        ),
        holes_m2=np.full(len(sewer.inlet), standard("flood.lid_holes_m2").number()),
        inlet_law=np.array([inlet.by_class(name) for name in ("weir", "orifice")]),
        manhole_law=np.array(
            [manhole.by_class(name) for name in ("free_weir", "drowned_weir", "orifice")]
        ),
    )
