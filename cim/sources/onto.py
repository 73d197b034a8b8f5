"""A newer delivery laid onto a twin that stands: ids, patches of terrain, heights of buildings.

Objects whose source gives no ids keep those the twin knows them by (`recognised`).
A grid that covers only a part of the twin's replaces that part, not the whole; buildings
that came without heights get them from the twin's surface and terrain, as in a build.
Heights that were measured are measured again where the ground or the surface is newer;
those a source gave, or somebody wrote, stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cim.model.grid import Grid
from cim.model.table import FeatureTable
from cim.model.twin import Twin, TwinView
from cim.sources.heights import MEASURED, measured, with_heights
from cim.sources.recognised import recognised
from cim.sources.report import Report
from cim.sources.terrain import BREAKLINE, FILLED, Ranked, merged, on_cells

__all__ = ["laid_onto"]

_SAME_M = 0.01
_OVER, _UNDER = 1.0, 0.0  # priorities of what is new and of what stands


def laid_onto(fresh: Twin, standing: TwinView, *, report: Report) -> Twin:
    """Return a delivery as it is after it has met the twin it updates.

    Parameters
    ----------
    fresh
        What the newer files gave, in the twin's frame.
    standing
        The twin.
    report
        Where is said what was laid over what, and what was measured.
    """
    fresh = recognised(replace(fresh, tables=dict(fresh.tables)), standing, report=report)
    known = set(standing.grids())
    grids = dict(fresh.rasters)
    source = fresh.rasters.get("terrain_source")
    for layer, grid in fresh.rasters.items():
        if layer in known and layer != "terrain_source":
            grids |= _over(grid, source, standing, report)
    terrain, surface, origin = (
        grids.get(name) or (standing.grid(name) if name in known else None)
        for name in ("terrain", "surface", "terrain_source")
    )
    tables = dict(fresh.tables)
    if terrain is not None and surface is not None:
        newer = [g for name, g in fresh.rasters.items() if name in ("terrain", "surface")]
        if newer:
            tables = {**_buildings(standing), **tables}
        for name, table in tables.items():
            if table.kind in MEASURED and len(table):
                again = None
                if name not in fresh.tables:
                    again = _measured_before(table, newer, standing)
                told = with_heights(
                    partial(iter, (table,)), terrain, surface, origin, report=report, again=again
                )
                tables[name] = table if told is None else next(told)
    return replace(fresh, rasters=grids, tables=tables)


def _measured_before(
    table: FeatureTable, newer: Sequence[Grid], standing: TwinView
) -> NDArray[np.bool_]:
    """Return which buildings under newer grids have the height that the twin's own ones show.

    A height that is another one was written by somebody who knew better, whatever its
    quality says.
    """
    import shapely

    out = np.zeros(len(table), dtype=bool)
    if "height_quality" not in table or not {"terrain", "surface"} <= set(standing.grids()):
        return out
    box = shapely.bounds(table.geometry)
    for grid in newer:
        xmin, ymin, xmax, ymax = grid.frame.bounds
        with np.errstate(invalid="ignore"):
            out |= ((box[:, 0] <= xmax) & (box[:, 2] >= xmin)
                    & (box[:, 1] <= ymax) & (box[:, 3] >= ymin))  # fmt: skip
    out &= np.array([quality is not None for quality in table.column("height_quality")])
    at = np.flatnonzero(out)
    known = standing.grids()
    origin = standing.grid("terrain_source") if "terrain_source" in known else None
    there, _, _ = measured(
        [table.geometry[at]], standing.grid("terrain"), standing.grid("surface"), origin
    )
    out[at] = np.abs(there - table.numbers("height_m")[at]) <= _SAME_M
    return out


def _buildings(standing: TwinView) -> dict[str, FeatureTable]:
    names = [n for n in standing.layers() if n.partition("/")[0] in MEASURED]
    return {name: standing.table(name) for name in names}


def _over(grid: Grid, source: Grid | None, standing: TwinView, report: Report) -> dict[str, Grid]:
    """Return a grid over the twin's own, and for a terrain where its cells come from."""
    old = standing.grid(grid.layer)
    beside = np.isfinite(old.values) & ~np.isfinite(on_cells(grid, old.frame, smooth=False))
    if not beside.any():
        has = "terrain_source" in standing.grids()
        if grid.layer != "terrain" or source is not None or not has:
            return {}
        ones = np.where(np.isfinite(grid.values), np.float32(1), np.float32(np.nan))
        return {"terrain_source": replace(grid, layer="terrain_source", unit="class", values=ones)}
    ranked = [Ranked(grid, _OVER, grid.source or grid.layer), Ranked(old, _UNDER, standing.name)]
    whole, origin = merged(ranked, report=report, fill=False)
    if origin is None:
        return {grid.layer: whole}
    flags = origin.values.copy()
    under = standing.grid("terrain_source") if "terrain_source" in standing.grids() else None
    for number, told in enumerate((source, under), 1):
        if told is not None:
            here = on_cells(told, whole.frame, smooth=False)
            kept = (flags == number) & np.isin(here, (FILLED, BREAKLINE))
            flags[kept] = here[kept]
    return {grid.layer: whole, "terrain_source": replace(origin, values=flags)}
