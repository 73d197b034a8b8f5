"""What the rain falls on: terrain, buildings, surfaces and drains of a twin on one grid.

A building (建筑) is a hole: no water gets in, and the rain on its roof runs to the
open cells that touch its walls, shared evenly; so do the drains' capacities, which
are given per area of city, roofs included. Nothing is lost and nothing falls twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import FrameError, RequestError
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import TwinView, layer_names
from cim.registry import standard

__all__ = ["Site", "cells_inside", "lay_out", "site_frame"]

Floats = NDArray[np.float64]

_SURFACES = (("green", "green"), ("water", "water"), ("road", "road"))
_NO_LEVEL = ("unknown", "relative")


@dataclass(frozen=True)
class Site:
    """A twin's ground on the cells of a flood.

    Attributes
    ----------
    frame
        Where the cells lie.
    bed_m
        (rows, cols) height, NaN where a building stands or no height is known.
    rain_share
        (rows, cols) area that rains into a cell, in cells: 1, more beside a wall, 0 closed.
    manning, drain_mm_h
        (rows, cols).
    building_ids, floor_level_m
        (n,) buildings and the level of their ground floor (NaN unknown); `wall_building` counts
        along them.
    wall_building, wall_cell
        (k,) which building touches which open cell (flat index) with a wall.
    assumed_drain_share
        Part of the area whose drains are assumed.
    illustrative
        Whether anything used is 示意数据.
    """

    frame: GridFrame
    bed_m: Floats
    rain_share: Floats
    manning: Floats
    drain_mm_h: Floats
    building_ids: NDArray[Any]
    floor_level_m: Floats
    wall_building: NDArray[np.int64]
    wall_cell: NDArray[np.int64]
    assumed_drain_share: float
    illustrative: bool

    @property
    def area_m2(self) -> float:
        """Return the area that rains, roofs included."""
        return float(self.rain_share.sum()) * self.frame.cell_m**2


def lay_out(
    view: TwinView,
    *,
    cell_m: float,
    manning: float | None = None,
    drain_mm_h: float | None = None,
) -> Site:
    """Put the twin's ground on cells of `cell_m`.

    Parameters
    ----------
    view
        The twin; its terrain decides where the cells lie.
    cell_m
        A whole multiple of the terrain's own cells; heights are means of the known ones.
    manning
        Manning's n everywhere; None takes the registry's by surface.
    drain_mm_h
        What the drains take everywhere; None takes the catchments' own, and the registry's where
        there is none.

    Raises
    ------
    RequestError
        No terrain, cells that do not fit it, or no ground left between the buildings.
    FrameError
        The heights have no datum.
    """
    terrain = _terrain(view, cell_m)
    frame = terrain.frame
    known = np.isfinite(terrain.values)
    buildings = _tables(view, "building", frame)
    owner = _burnt(buildings, frame)
    open_ = known & (owner < 0)
    if not open_.any():
        raise RequestError("flood.no_ground", given=terrain.layer)
    building, cell = _walls(owner, open_)
    share = _shared(owner, known, open_, building, cell)
    used = [*buildings]
    if manning is None:
        roughness, surfaces = _roughness(view, frame)
        used += surfaces
    else:
        roughness = np.full(frame.shape, manning)
    drains, assumed, catchments = _drains(view, frame, drain_mm_h)
    used += catchments
    return Site(
        frame=frame,
        bed_m=np.where(open_, terrain.values.astype(np.float64), np.nan),
        rain_share=share,
        manning=roughness,
        drain_mm_h=drains,
        building_ids=np.array([id_ for table in buildings for id_ in table.ids], dtype=object),
        floor_level_m=np.concatenate(
            [np.empty(0), *(t.numbers("floor_level_m") for t in buildings)]
        ),
        wall_building=building,
        wall_cell=cell,
        assumed_drain_share=float(share[assumed].sum() / share.sum()),
        illustrative=terrain.illustrative or any(table.illustrative for table in used),
    )


def site_frame(view: TwinView, *, cell_m: float) -> GridFrame:
    """Where the cells of a flood would lie; raises as `lay_out` does."""
    return _terrain(view, cell_m).frame


def _terrain(view: TwinView, cell_m: float) -> Grid:
    names = [name for name in view.grids() if split_layer(name)[0] == "terrain"]
    if not names:
        raise RequestError("flood.no_terrain", given=layer_names(view))
    if view.frame.height_datum in _NO_LEVEL:
        raise FrameError("flood.height_datum", given=view.frame.height_datum)
    terrain = view.grid(names[0])
    factor = cell_m / terrain.frame.cell_m
    if not (np.isfinite(factor) and factor >= 0.5 and abs(factor - round(factor)) < 1e-6):
        values = {"terrain": f"{terrain.frame.cell_m:g}"}
        raise RequestError("flood.cell_size", given=f"{cell_m:g}", values=values)
    return terrain.coarsened(round(factor))


def _tables(view: TwinView, kind: str, frame: GridFrame) -> list[FeatureTable]:
    names = [name for name in view.layers() if split_layer(name)[0] == kind]
    return [view.table(name, bounds=frame.bounds) for name in names]


def cells_inside(shape: Any, frame: GridFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the cells whose centres lie inside a polygon."""
    import shapely

    nothing = np.empty(0, np.int64)
    if shape is None or shapely.is_empty(shape) or shapely.get_dimensions(shape) != 2:
        return nothing, nothing
    xmin, ymin, xmax, ymax = shape.bounds
    x, y = frame.centres()
    cols = np.flatnonzero((x >= xmin) & (x <= xmax))
    rows = np.flatnonzero((y >= ymin) & (y <= ymax))
    if not len(cols) or not len(rows):
        return nothing, nothing
    xx, yy = np.meshgrid(x[cols], y[rows])
    shapely.prepare(shape)
    at_row, at_col = np.nonzero(shapely.contains_xy(shape, xx, yy))
    return rows[at_row], cols[at_col]


def _burnt(tables: list[FeatureTable], frame: GridFrame) -> NDArray[np.int64]:
    """Which building stands on each cell, counted along all tables; -1 none."""
    owner = np.full(frame.shape, -1, np.int64)
    shapes = [shape for table in tables for shape in table.geometry]
    for number, shape in enumerate(shapes):
        owner[cells_inside(shape, frame)] = number
    return owner


def _walls(
    owner: NDArray[np.int64], open_: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a building and an open cell beside it, each once."""
    number = np.arange(owner.size).reshape(owner.shape)
    found = []
    for mine, other in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[1:], np.s_[:-1]),
    ):
        touch = (owner[mine] >= 0) & open_[other]
        found.append(np.stack([owner[mine][touch], number[other][touch]]))
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1]


def _shared(
    owner: NDArray[np.int64],
    known: NDArray[np.bool_],
    open_: NDArray[np.bool_],
    building: NDArray[np.int64],
    cell: NDArray[np.int64],
) -> Floats:
    """Area that rains into each cell, in cells: its own, and roofs beside it."""
    share = open_.astype(np.float64).ravel()
    roofs = (owner >= 0) & known
    count = int(owner.max()) + 1
    roof_cells = np.bincount(owner[roofs], minlength=count).astype(np.float64)
    walls = np.bincount(building, minlength=count)
    np.add.at(share, cell, roof_cells[building] / walls[building])
    for number in np.flatnonzero((walls == 0) & (roof_cells > 0)):  # no wall in the open
        share[_nearest_open(owner == number, open_)] += roof_cells[number]
    return share.reshape(owner.shape)


def _nearest_open(cells: NDArray[np.bool_], open_: NDArray[np.bool_]) -> int:
    """Flat index of the open cell nearest to the middle of `cells`."""
    rows, cols = np.nonzero(cells)
    at_row, at_col = np.nonzero(open_)
    square = (at_row - rows.mean()) ** 2 + (at_col - cols.mean()) ** 2
    nearest = int(np.argmin(square))
    return int(at_row[nearest] * open_.shape[1] + at_col[nearest])


def _roughness(view: TwinView, frame: GridFrame) -> tuple[Floats, list[FeatureTable]]:
    """Manning's n by surface: streets over water over green over land use over the default."""
    entry = standard("flood.manning")
    out = np.full(frame.shape, entry.by_class("default"))
    used = _by_land_use(view, frame, out)
    for kind, surface in _SURFACES:
        for table in _tables(view, kind, frame):
            used.append(table)
            for shape in _areas(table):
                out[cells_inside(shape, frame)] = entry.by_class(surface)
    return out, used


def _by_land_use(view: TwinView, frame: GridFrame, out: Floats) -> list[FeatureTable]:
    """Write Manning's n of land whose use says what its surface is."""
    entry, words = standard("flood.manning"), standard("flood.land_use_surface").value
    surface = {word: name for name, several in words.items() for word in several}
    tables = _tables(view, "land_use", frame)
    for table in tables:
        for shape, use in zip(table.geometry, table.texts("use"), strict=True):
            name = surface.get(use.strip().lower())
            if name is not None:
                out[cells_inside(shape, frame)] = entry.by_class(name)
    return tables


def _areas(table: FeatureTable) -> Any:
    """Polygons of a layer; a street's line is as wide as its carriageway."""
    import shapely

    if table.kind != "road":
        return table.geometry
    wide = table.numbers("carriageway_m", default=0.0)
    lines = shapely.get_dimensions(table.geometry) == 1
    return shapely.buffer(table.geometry[lines & (wide > 0)], wide[lines & (wide > 0)] / 2)


def _drains(
    view: TwinView, frame: GridFrame, drain_mm_h: float | None
) -> tuple[Floats, NDArray[np.bool_], list[FeatureTable]]:
    """Capacity of the drains, and where it is assumed."""
    if drain_mm_h is not None:
        return np.full(frame.shape, drain_mm_h), np.zeros(frame.shape, bool), []
    out = np.full(frame.shape, standard("flood.drain_mm_h").number())
    assumed = np.ones(frame.shape, bool)
    tables = _tables(view, "catchment", frame)
    for table in tables:
        for shape, capacity in zip(table.geometry, table.numbers("drain_mm_h"), strict=True):
            if np.isfinite(capacity):
                at = cells_inside(shape, frame)
                out[at], assumed[at] = max(capacity, 0.0), False
    return out, assumed, tables
