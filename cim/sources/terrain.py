"""One grid from several of one layer, by priority; gaps filled and flagged; breaklines.

Where sources overlap the one of higher priority counts (option ``priority``, else the
finer cells). They are laid on the finest cells; ``terrain_source`` says for each cell
of a merged terrain which source it comes from. Two sources that lie apart throughout
are named: mostly a height datum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.model.grid import Grid, GridFrame
from cim.model.table import FeatureTable
from cim.registry import standard
from cim.sources.gaps import fill_gaps
from cim.sources.raster import HEIGHT_KINDS, MOST_CELLS
from cim.sources.report import Report

__all__ = ["BREAKLINE", "FILLED", "Ranked", "merged", "on_cells", "with_breaklines"]

FILLED, BREAKLINE = 0.0, 255.0
"""Values of ``terrain_source`` beside 1, 2, … for the sources in order of priority."""

_ROWS = 256
_LEAST_SHARED = 25  # cells two sources must share to be compared


@dataclass(frozen=True)
class Ranked:
    """A grid with what orders it among others of its layer."""

    grid: Grid
    priority: float
    file: str

    @property
    def order(self) -> tuple[float, float, str, str]:
        """Highest priority first, then finest cells, then by name whatever the order given."""
        return (-self.priority, self.grid.frame.cell_m, self.grid.source, self.file)


def merged(grids: list[Ranked], *, report: Report, fill: bool = True) -> tuple[Grid, Grid | None]:
    """Return the grids of one layer as one, and where each of its cells comes from.

    Parameters
    ----------
    grids
        At least one, of one layer and one frame.
    report
        Order, offsets between sources, gaps.
    fill
        Whether holes inside are filled (heights only).

    Raises
    ------
    SourceError
        More cells than a grid may have.
    """
    ranked = sorted(grids, key=lambda one: one.order)
    layer, heights = ranked[0].grid.layer, ranked[0].grid.layer.split("/")[0] in HEIGHT_KINDS
    frame = _frame(ranked)
    values = np.full(frame.shape, np.nan, dtype=np.float32)
    origin = np.full(frame.shape, np.nan, dtype=np.float32)
    for number, one in enumerate(ranked, 1):
        added = on_cells(one.grid, frame, smooth=heights)
        if heights and number > 1:
            _compare(values, added, one, ranked[0], layer, report)
        new = np.isnan(values) & np.isfinite(added)
        values[new], origin[new] = added[new], number
    names = "; ".join(f"{i} {one.file}" for i, one in enumerate(ranked, 1))
    says: dict[str, Any] = {"order": names, "cell": f"{frame.cell_m:g}", "filled": 0}
    if heights and fill:
        full, gaps = fill_gaps(values)
        values = full.astype(np.float32)
        origin[gaps] = FILLED
        says["filled"] = int(gaps.sum())
    report.note("source.merged", file="", layer=layer, values=says)
    first = ranked[0].grid
    whole = replace(
        first,
        frame=frame,
        values=values,
        illustrative=any(one.grid.illustrative for one in ranked),
        source=" + ".join(dict.fromkeys(one.grid.source for one in ranked)),
    )
    if layer != "terrain":
        return whole, None
    return whole, replace(whole, layer="terrain_source", values=origin, unit="class")


def _frame(ranked: list[Ranked]) -> GridFrame:
    """Return the finest cells, aligned to the first grid that has them, over all grids."""
    base = min(ranked, key=lambda one: (one.grid.frame.cell_m, one.order)).grid.frame
    boxes = np.array([one.grid.frame.bounds for one in ranked])
    cell = base.cell_m
    left = int(np.ceil((base.west - boxes[:, 0].min()) / cell - 1e-9))
    up = int(np.ceil((boxes[:, 3].max() - base.north) / cell - 1e-9))
    west, north = base.west - left * cell, base.north + up * cell
    cols = int(np.ceil((boxes[:, 2].max() - west) / cell - 1e-9))
    rows = int(np.ceil((north - boxes[:, 1].min()) / cell - 1e-9))
    if rows * cols > MOST_CELLS:
        says = {"cols": cols, "rows": rows, "size": f"{rows * cols * 4 / 1e9:.0f}",
                "limit": MOST_CELLS}  # fmt: skip
        raise SourceError("source.raster_too_large", given=ranked[0].grid.layer, values=says)
    return GridFrame(west, north, cell, rows, cols)


def on_cells(grid: Grid, frame: GridFrame, *, smooth: bool) -> NDArray[np.float32]:
    """Return a grid's values on other cells; NaN where it has none."""
    if grid.frame == frame:
        return grid.values
    out = np.full(frame.shape, np.nan, dtype=np.float32)
    x, y = frame.centres()
    for start in range(0, frame.rows, _ROWS):
        part = y[start : start + _ROWS]
        points = np.column_stack([np.tile(x, len(part)), np.repeat(part, len(x))])
        if smooth:
            found = grid.sample(points)
        else:
            row, col, inside = grid.frame.cell_of(points[:, 0], points[:, 1])
            found = np.where(inside, grid.values[row, col], np.nan)
        out[start : start + len(part)] = found.reshape(len(part), -1)
    return out


def _compare(
    values: NDArray[np.float32],
    added: NDArray[np.float32],
    one: Ranked,
    first: Ranked,
    layer: str,
    report: Report,
) -> None:
    """Say where a source lies apart from those before it, throughout and not here and there."""
    gap = added.astype(np.float64) - values
    gap = gap[np.isfinite(gap)]
    if len(gap) < _LEAST_SHARED:
        return
    low, middle, high = np.percentile(gap, [25.0, 50.0, 75.0])
    limit = standard("terrain.source_gap_m").number()
    if abs(middle) >= limit and high - low <= abs(middle):
        says = {"middle": f"{middle:+.2f}", "low": f"{low:+.2f}", "high": f"{high:+.2f}",
                "cells": len(gap), "other": first.file}  # fmt: skip
        report.note("source.sources_apart", file=one.file, layer=layer, values=says)


def with_breaklines(
    terrain: Grid, origin: Grid | None, lines: FeatureTable, *, report: Report
) -> tuple[Grid, Grid]:
    """Return a terrain raised along kerbs and walls, and its ``terrain_source``.

    A cell that a line passes is raised to the line's top: its ``top_m`` above the
    datum, else the terrain there and its ``height_m``. The whole cell is raised, so
    cells should be no wider than what the line keeps apart.

    Parameters
    ----------
    terrain, origin
        Heights, and where they come from (None: one source).
    lines
        A layer of lines.
    report
        How many lines and cells; lines without a height are counted.
    """
    from affine import Affine
    from rasterio.features import rasterize

    top, height = lines.numbers("top_m"), lines.numbers("height_m")
    known = np.isfinite(top) | np.isfinite(height)
    where = Affine(*terrain.frame.geotransform)
    values = terrain.values.copy()
    flags = np.where(np.isfinite(terrain.values), 1.0, np.nan).astype(np.float32)
    flags = flags if origin is None else origin.values.copy()
    for given, absolute in ((height, False), (top, True)):
        rows = np.flatnonzero(np.isfinite(given) & (absolute | ~np.isfinite(top)))
        rows = rows[np.argsort(given[rows], kind="stable")]  # the highest is drawn last
        if not len(rows):
            continue
        drawn = rasterize(
            [(lines.geometry[i], float(given[i])) for i in rows],
            out_shape=terrain.frame.shape,
            transform=where,
            fill=np.nan,
            all_touched=True,
            dtype=np.float64,
        )
        hit = np.isfinite(drawn) & np.isfinite(values)
        level = drawn if absolute else drawn + terrain.values
        raised = hit & (level > values)
        values[raised] = level[raised]
        flags[raised] = BREAKLINE
    says = {
        "lines": int(known.sum()),
        "without": int((~known).sum()),
        "cells": int((flags == BREAKLINE).sum()),
        "cell": f"{terrain.frame.cell_m:g}",
    }
    report.note("source.breaklines", file="", layer=lines.layer, values=says)
    base = origin or replace(terrain, layer="terrain_source", unit="class")
    return replace(terrain, values=values), replace(base, values=flags)
