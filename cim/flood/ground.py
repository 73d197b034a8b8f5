"""What the rain falls on: terrain, buildings, surfaces and drains of a twin on one grid.

A building (建筑) is a hole unless asked otherwise: no water gets in, and the rain on its roof runs
to the open cells that touch its walls, shared evenly; so do the drains' capacities, which are
given per area of city, roofs included. As a block it stands on the ground, as high as it is, and
the water runs off its roof. Where cells are as large as buildings, a cell stays open unless all
of it is built over, and its faces let through what is not. Nothing is lost, nothing falls twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cim.errors import FrameError, RequestError
from cim.flood.area import Area, Ways, ways_out
from cim.flood.off_ground import off_ground
from cim.flood.thin_walls import Crossings
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import TwinView, layer_names
from cim.registry import standard

__all__ = ["BUILDINGS", "Buildings", "Site", "cells_inside", "lay_out", "site_frame"]

Buildings = Literal["holes", "blocks", "porous"]
BUILDINGS: tuple[Buildings, ...] = get_args(Buildings)

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
    block_m
        (rows, cols) level of the roof where a building is a block, NaN elsewhere.
    gaps
        Faces that buildings narrow.
    assumed_heights
        Number of blocks whose height is assumed.
    ways
        Where water leaves the area that was asked for; None where that is all of the terrain.
    off_terrain
        Ids of buildings that the terrain does not carry.
    missing_m2
        Area without a height.
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
    block_m: Floats
    gaps: Crossings = field(default_factory=Crossings)
    assumed_heights: int = 0
    ways: Ways | None = None
    off_terrain: tuple[str, ...] = ()
    missing_m2: float = 0.0

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
    buildings: Buildings = "holes",
    area: Area | None = None,
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
    buildings
        ``holes``, ``blocks`` or ``porous``; see above.
    area
        Only cells whose middle lies in it are ground; None takes all.

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
    houses = _tables(view, "building", frame)
    owner = _burnt(houses, frame)
    covered = _covered(houses, frame) if buildings == "porous" else None
    free = known & (owner < 0 if covered is None else ~covered.cells)
    inside = np.ones(frame.shape, bool) if area is None else _inside(area, frame)
    missing_m2 = float((inside & ~known).sum()) * frame.cell_m**2
    known, open_ = known & inside, free & inside
    if not open_.any():
        raise RequestError("flood.no_ground", given=terrain.layer)
    building, cell = _walls(np.where(inside, owner, -1), open_)
    block, assumed_heights = np.broadcast_to(np.float64(np.nan), frame.shape), 0  # takes no room
    if buildings == "blocks":
        block, assumed_heights = _blocks(houses, owner, terrain.values)
        share = known.astype(np.float64)
    else:
        share = _shared(np.where(inside, owner, -1), known, open_, building, cell)
    ground = np.where(np.isfinite(block), block, terrain.values)
    if buildings == "blocks":
        free = np.isfinite(ground)
        block = np.where(inside, block, np.nan)
    used = [*houses]
    if manning is None:
        roughness, surfaces = _roughness(view, frame)
        used += surfaces
    else:
        roughness = np.full(frame.shape, manning)
    drains, assumed, catchments = _drains(view, frame, drain_mm_h)
    used += catchments
    ids = np.array([id_ for table in houses for id_ in table.ids], dtype=object)
    standing = {
        str(id_) for id_ in ids[np.unique(owner[(owner >= 0) & np.isfinite(terrain.values)])]
    }
    return Site(
        frame=frame,
        bed_m=np.where(open_, terrain.values.astype(np.float64), np.nan),
        rain_share=share,
        manning=roughness,
        drain_mm_h=drains,
        building_ids=ids,
        floor_level_m=np.concatenate([np.empty(0), *(t.numbers("floor_level_m") for t in houses)]),
        wall_building=building,
        wall_cell=cell,
        assumed_drain_share=float(share[assumed].sum() / share.sum()),
        illustrative=terrain.illustrative or any(table.illustrative for table in used),
        block_m=block,
        gaps=Crossings() if covered is None else covered.gaps(open_),
        assumed_heights=assumed_heights,
        ways=None
        if area is None
        else ways_out(known & free, ~inside & free, ground, name=area.name),
        off_terrain=tuple(off_ground(view, terrain, standing=standing, area=area)),
        missing_m2=missing_m2,
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


def _inside(area: Area, frame: GridFrame) -> NDArray[np.bool_]:
    out = np.zeros(frame.shape, bool)
    out[cells_inside(area.polygon, frame)] = True
    return out


def cells_inside(shape: Any, frame: GridFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the cells whose centres lie inside a polygon."""
    return _points_inside(shape, *frame.centres())


def _points_inside(shape: Any, x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the points of a lattice that lie inside a polygon."""
    import shapely

    nothing = np.empty(0, np.int64)
    if shape is None or shapely.is_empty(shape) or shapely.get_dimensions(shape) != 2:
        return nothing, nothing
    xmin, ymin, xmax, ymax = shape.bounds
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


def _blocks(
    tables: list[FeatureTable], owner: NDArray[np.int64], ground: NDArray[Any]
) -> tuple[Floats, int]:
    """Level of the roof over each cell: the lowest ground under its building and its height."""
    height = np.concatenate([np.empty(0), *(t.numbers("height_m") for t in tables)])
    assumed = ~(height > 0)
    height = np.where(assumed, standard("flood.block_height_m").number(), height)
    on = (owner >= 0) & np.isfinite(ground)
    foot = np.full(len(height), np.inf)
    np.minimum.at(foot, owner[on], ground[on])
    out = np.full(owner.shape, np.nan)
    out[on] = np.maximum((foot + height)[owner[on]], ground[on])
    return out, int(np.isfinite(foot[assumed]).sum())


@dataclass(frozen=True)
class _Covered:
    """What buildings cover, looked at on points a fraction of a cell apart.

    `cells` (rows, cols) wholly covered; `across_x` (rows, cols + 1), `across_y` (rows + 1, cols)
    covered share of each face.
    """

    cells: NDArray[np.bool_]
    across_x: Floats
    across_y: Floats

    def gaps(self, open_: NDArray[np.bool_]) -> Crossings:
        """Return the faces between open cells that buildings narrow."""
        out = Crossings()
        for axis, covered in ((0, self.across_x[:, 1:-1]), (1, self.across_y[1:-1])):
            both = open_[:, 1:] & open_[:, :-1] if axis == 0 else open_[1:] & open_[:-1]
            for row, col in np.argwhere(both & (covered > 0)).tolist():
                face = (axis, row, col + 1) if axis == 0 else (axis, row + 1, col)
                out.add(face, np.inf, 1.0 - float(covered[row, col]))
        return out


_PER_FACE = 8  # points


def _covered(tables: list[FeatureTable], frame: GridFrame) -> _Covered:
    """Look at faces on eight points each, and at cells on sixteen."""
    rows, cols = frame.shape
    box = frame.west, frame.north, frame.cell_m

    def along(start: float, step: float, count: int, parts: int) -> NDArray[Any]:
        return start + step / parts * (np.arange(count * parts) + 0.5)

    def held(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        out = np.zeros((len(y), len(x)), bool)
        for table in tables:
            for shape in table.geometry:
                out[_points_inside(shape, x, y)] = True
        return out

    west, north, cell = box
    n, few = _PER_FACE, _PER_FACE // 2
    x_lines, y_lines = west + cell * np.arange(cols + 1), north - cell * np.arange(rows + 1)
    across_x = held(x_lines, along(north, -cell, rows, n)).reshape(rows, n, cols + 1)
    across_y = held(along(west, cell, cols, n), y_lines).reshape(rows + 1, cols, n)
    fine = held(along(west, cell, cols, few), along(north, -cell, rows, few))
    cells = np.asarray(fine.reshape(rows, few, cols, few).all(axis=(1, 3)))
    return _Covered(cells, across_x.mean(axis=1), across_y.mean(axis=2))


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
    roofs = (owner >= 0) & known & ~open_  # what is porous rains for itself
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
