"""How long, how high, how large: measures of points picked in a scene and of its buildings.

Pure functions: points come from `scenes.pick.Hit.at` (projected metres and absolute
height), the answers are metres, square and cubic metres. Nothing is drawn.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cim.errors import RequestError
from cim.model.grid import Grid
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import TwinView

__all__ = ["Area", "Length", "Volume", "area", "area_on", "height_between", "length", "volume"]

Floats = NDArray[np.float64]

_MOST_CELLS = 4_000_000  # of a terrain under one polygon
_WELD_M = 1e-3  # corners of a shell this near are one: meshes are kept in float32


class Length(NamedTuple):
    """Length of a line: as it runs in space, and of its shadow on the map (metres)."""

    space_m: float
    plan_m: float


class Area(NamedTuple):
    """Area of a polygon: of its shadow on the map, and as it lies on the slope (m²)."""

    plan_m2: float
    slope_m2: float


class Volume(NamedTuple):
    """Volume of a building (m³), and of what: its closed ``mesh``, or footprint times height."""

    volume_m3: float
    of: Literal["mesh", "prism"]


def length(points: ArrayLike) -> Length:
    """Return the length of a line through points.

    Parameters
    ----------
    points
        (n, 3), n at least 2: projected metres and height.

    Raises
    ------
    RequestError
        Fewer than two points, or one that is no place.
    """
    steps = np.diff(_points(points, least=2), axis=0)
    plan = np.hypot(steps[:, 0], steps[:, 1])
    return Length(float(np.hypot(plan, steps[:, 2]).sum()), float(plan.sum()))


def height_between(low: ArrayLike, high: ArrayLike) -> float:
    """Return how much higher the second point lies than the first (metres; negative if lower)."""
    a, b = _points(np.array([low, high], dtype=np.float64), least=2)
    return float(b[2] - a[2])


def area(corners: ArrayLike) -> Area:
    """Return the area of a polygon through picked points.

    On the slope it is the length of the vector area, ½ |Σ pᵢ × pᵢ₊₁| (Newell): exact for
    a polygon in one plane, such as a roof; for one that is not, the area on the plane that
    fits. Over rough ground `area_on` counts every cell.

    Parameters
    ----------
    corners
        (n, 3), n at least 3, in order; the first need not come again.

    Raises
    ------
    RequestError
        Fewer than three points, one that is no place, or sides that cross.
    """
    import shapely

    p = _points(corners, least=3)
    if (np.ptp(p[:, :2], axis=0) > 0.0).all() and not shapely.Polygon(p[:, :2]).is_valid:
        raise RequestError("scenes.measure.crossing", given=len(p))
    off = p - p.mean(axis=0)  # large coordinates would cost digits
    vector = np.cross(off, np.roll(off, -1, axis=0)).sum(axis=0) / 2
    return Area(abs(float(vector[2])), float(np.linalg.norm(vector)))


def area_on(terrain: Grid, corners: ArrayLike) -> Area:
    """Return the area of a polygon laid over the ground.

    Each cell of the ground counts with its part of the polygon, times √(1 + slope²) of the
    heights' central differences.

    Parameters
    ----------
    terrain
        The ground.
    corners
        (n, 2) or (n, 3) projected metres, n at least 3; heights are not used.

    Raises
    ------
    RequestError
        As for `area`; or the ground is not known everywhere in the polygon, or the polygon
        covers more than four million cells.
    """
    import shapely

    given = np.asarray(corners, dtype=np.float64)
    if given.ndim == 2 and given.shape[1] == 2:
        given = np.c_[given, np.zeros(len(given))]
    shape = shapely.Polygon(_points(given, least=3)[:, :2])
    if not shape.is_valid:
        raise RequestError("scenes.measure.crossing", given=len(given))
    frame, (x0, y0, x1, y1) = terrain.frame, shape.bounds
    first = (int(np.floor((frame.north - y1) / frame.cell_m)),
             int(np.floor((x0 - frame.west) / frame.cell_m)))  # fmt: skip
    last = (int(np.ceil((frame.north - y0) / frame.cell_m)),
            int(np.ceil((x1 - frame.west) / frame.cell_m)))  # fmt: skip
    if first[0] < 0 or first[1] < 0 or last[0] > frame.rows or last[1] > frame.cols:
        raise RequestError("scenes.measure.no_ground", given=terrain.layer)
    if (last[0] - first[0]) * (last[1] - first[1]) > _MOST_CELLS:
        raise RequestError("scenes.measure.too_large", given=terrain.layer)
    row, col = (n.ravel() for n in np.mgrid[first[0] : last[0], first[1] : last[1]])
    west, north = frame.west + col * frame.cell_m, frame.north - row * frame.cell_m
    cells = shapely.box(west, north - frame.cell_m, west + frame.cell_m, north)
    shapely.prepare(shape)
    inside = shapely.contains(shape, cells)
    part = np.where(inside, frame.cell_m**2, 0.0)
    part[~inside] = shapely.area(shapely.intersection(cells[~inside], shape))
    held = part > 0.0
    stretch = _stretch(terrain, row[held], col[held])
    if not np.isfinite(stretch).all():
        raise RequestError("scenes.measure.no_ground", given=terrain.layer)
    return Area(float(shape.area), float((part[held] * stretch).sum()))


def volume(view: TwinView, building: str) -> Volume:
    """Return the volume of a building.

    The volume its own closed shells enclose, where it has any (a solid of CityJSON, say;
    Σ a · (b × c) / 6 over their triangles); else its footprint times ``height_m``. An open
    mesh, or one of many elements, encloses nothing and does not count.

    Raises
    ------
    RequestError
        No such building, or it has neither a closed mesh nor footprint and height.
    """
    table, row = _building(view, building)
    shell = _shell(view, building)
    if shell is not None:
        return Volume(shell, "mesh")
    import shapely

    plan = float(shapely.area(table.geometry[row]))
    height = float(table.numbers("height_m")[row]) if "height_m" in table.columns else np.nan
    if not (plan > 0.0 and height > 0.0):
        raise RequestError("scenes.measure.no_volume", given=building)
    return Volume(plan * height, "prism")


def _points(points: ArrayLike, *, least: int) -> Floats:
    made = np.asarray(points, dtype=np.float64)
    if made.ndim != 2 or made.shape[1] != 3 or len(made) < least or not np.isfinite(made).all():
        raise RequestError("scenes.measure.points", given=made.shape, values={"least": least})
    return made


def _stretch(terrain: Grid, row: NDArray[np.int64], col: NDArray[np.int64]) -> Floats:
    """Return √(1 + slope²) of cells: central differences, one-sided at the grid's edge."""
    z, (rows, cols) = terrain.values, terrain.frame.shape
    south, north = np.minimum(row + 1, rows - 1), np.maximum(row - 1, 0)
    east, west = np.minimum(col + 1, cols - 1), np.maximum(col - 1, 0)
    down = (z[south, col].astype(np.float64) - z[north, col]) / np.maximum(south - north, 1)
    across = (z[row, east].astype(np.float64) - z[row, west]) / np.maximum(east - west, 1)
    made: Floats = np.sqrt(1.0 + (down**2 + across**2) / terrain.frame.cell_m**2)
    return np.where(np.isfinite(z[row, col]), made, np.nan)


def _building(view: TwinView, one: str) -> tuple[FeatureTable, int]:
    for name in view.layers():
        if split_layer(name)[0] in ("building", "building_part"):
            table = view.table(name)
            found = np.flatnonzero(table.ids.astype(str) == one)
            if len(found):
                return table, int(found[0])
    raise RequestError("scenes.measure.no_building", given=one)


def _shell(view: TwinView, building: str) -> float | None:
    """Return what a building's finest closed shells enclose, None where any is open."""
    pool = view.meshes()
    own = [i for i in pool.instances if i.object_id == building]
    for lod in sorted({i.lod for i in own}, reverse=True):
        enclosed = [
            _enclosed(pool.placed(i), pool.meshes[i.mesh_id].triangles) for i in own if i.lod == lod
        ]
        if all(enclosed):
            return float(sum(v for v in enclosed if v is not None))
    return None


def _enclosed(vertices: Floats, triangles: NDArray[np.int32]) -> float | None:
    """Return the volume inside triangles, None where they are not closed all around."""
    if not np.isfinite(vertices).all():
        return None
    off = vertices - vertices.mean(axis=0)
    _, weld = np.unique((off / _WELD_M).round().astype(np.int64), axis=0, return_inverse=True)
    faces = weld.reshape(-1)[triangles]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = (np.unique(s, axis=0, return_counts=True) for s in (sides, sides[:, ::-1]))
    if len(there[0]) != len(back[0]) or (there[0] != back[0]).any() or (there[1] != back[1]).any():
        return None
    a, b, c = (off[triangles[:, k]] for k in range(3))
    inside = abs(float((a * np.cross(b, c)).sum()) / 6)
    return inside if inside > 0.0 else None
