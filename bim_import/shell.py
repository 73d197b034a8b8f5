"""The body of a building from its outer elements: a closed LoD2 shell, and its volume.

The elements are put on a grid turned along the building's walls; what the outside cannot
reach is the building (`kernels.spatial.enclosure`). Seen from above, every column of it has
a roof plane and a bottom; columns of one plane and one bottom become a polygon, the polygons
a coverage without gaps, and the coverage the shell: roofs on top, ground below, walls
wherever two neighbours end at different heights. Eaves, canopies and railings thinner than
`Grain.thin_m` stay outside; the roof outline tells of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import._roof_planes import roof_planes
from bim_import._shell_faces import Region, closed, faces_of, snap_outline, volume_of
from cim.jobs import QUIET, Job
from kernels.spatial.enclosure import (
    FREE,
    OUTSIDE,
    TOUCHED,
    column_runs,
    enclose,
    exposure,
    grown,
    top_faces,
)

__all__ = ["Grain", "Seen", "Shell", "build_shell"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Seen = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Shares of each triangle that look outside, and that do with the outside behind as well."""


@dataclass(frozen=True)
class Grain:
    """How finely a shell is made.

    Attributes
    ----------
    cell_m
        Edge of a cell; coarser where the building would take more than `most_cells`.
    most_cells
        Bound on the grid, a byte each.
    thin_m
        What is thinner from top to bottom stays outside the shell.
    gap_m
        Openings up to this width count as closed where the building would otherwise leak.
    small_m2
        Smaller pieces of roof go to their neighbour.
    step_m
        Heights closer than this are one height.
    bridge_m
        Air up to this high within a body, below it and above it built, is part of it.
    """

    cell_m: float = 0.1
    most_cells: int = 30_000_000
    thin_m: float = 1.5
    gap_m: float = 1.2
    small_m2: float = 0.5
    step_m: float = 0.2
    bridge_m: float = 0.3


@dataclass(frozen=True)
class Shell:
    """A building's body.

    Attributes
    ----------
    vertices, triangles
        (n, 3) float64 in the coordinates of the elements, (m, 3) int32 turned outwards.
    surface
        (m,) uint8 of `cim.model.Surface`: ground, wall, roof.
    footprint
        Plan of the shell, a shapely geometry.
    volume_m3
        Volume of the shell.
    enclosed_m3
        Volume the outside does not reach, counted in cells; the cells of the skin by half.
    thin_m3
        That of it which stands by itself thinner than `Grain.thin_m` and is no part of the
        shell: eaves, canopies, terraces, slabs beside the house.
    closed
        Every edge is used as often forth as back.
    flags
        What a reader should know: ``leaks`` (openings were closed to hold the inside),
        ``coarse`` (cells larger than asked for), ``open`` (not closed), ``off`` (volume
        of the shell and of the cells but for the thin ones differ by more than 3 %),
        ``apart`` (more of the volume is thin than in the shell).
    cell_m
        Edge of the cells used.
    seen
        What looks outside of each of ``parts``, then of each of ``beside``.
    """

    vertices: Floats
    triangles: Ints
    surface: NDArray[np.uint8]
    footprint: Any
    volume_m3: float
    enclosed_m3: float
    thin_m3: float
    closed: bool
    flags: tuple[str, ...]
    cell_m: float
    seen: tuple[Seen, ...] = ()


def build_shell(
    parts: Sequence[tuple[Floats, Ints]],
    *,
    plugs: Sequence[tuple[Floats, Ints]] = (),
    beside: Sequence[tuple[Floats, Ints]] = (),
    grain: Grain | None = None,
    job: Job = QUIET,
) -> Shell | None:
    """Return the closed LoD2 shell of a building, or None where nothing encloses anything.

    Parameters
    ----------
    parts
        (vertices (n, 3) float64 in metres, triangles (m, 3) int) of each outer element:
        walls, roofs, slabs, windows, doors; rooms and furniture may be left out.
    plugs
        Bodies that fill openings of the elements: no way in for the outside.
    beside
        More elements that enclose nothing; only looked at.
    grain
        How finely.
    job
        Progress and cancel.
    """
    grain = grain or Grain()
    soup = [v[t] for v, t in parts if len(t)]
    if not soup:
        return None
    job.step(0, 4, what="bim.shelling")
    raster = _Raster(np.concatenate(soup), [v[t] for v, t in plugs if len(t)], grain)
    job.step(1, 4, what="bim.shelling")
    columns = _columns(raster, grain)
    if not columns.solid.any():
        return None
    job.step(2, 4, what="bim.shelling")
    regions = _regions(raster, columns, grain)
    job.step(3, 4, what="bim.shelling")
    if not regions:
        return None
    made = _shell(raster, regions, columns, grain)
    job.step(4, 4, what="bim.shelling")
    return replace(made, seen=tuple(raster.seen(v[t]) for v, t in (*parts, *beside)))


class _Raster:
    """Triangles of a building on a grid along its walls, and what they enclose."""

    def __init__(self, own: Floats, plugs: Sequence[Floats], grain: Grain) -> None:
        self.turn = _along_walls(own)
        turned = np.concatenate([own, *plugs]) @ self.turn.T
        low = turned.reshape(-1, 3).min(axis=0)
        size = turned.reshape(-1, 3).max(axis=0) - low
        room = float(np.prod(size + 2 * grain.gap_m))
        self.cell_m = max(grain.cell_m, (room / grain.most_cells) ** (1 / 3))
        self.coarse = self.cell_m > grain.cell_m
        close = round(0.5 * grain.gap_m / self.cell_m)
        pad = close + 2
        # Faces on whole metres must not lie between two cells: off by a fraction of a cell.
        self.origin = low - (pad + np.array([0.31, 0.37, 0.43])) * self.cell_m
        shape = np.ceil(size / self.cell_m).astype(int) + 2 * pad + 1
        self.triangles = (turned - self.origin) / self.cell_m
        nx, ny, nz = (int(n) for n in shape)
        self.cells = enclose(self.triangles, shape=(nx, ny, nz))
        self.leaks = bool(close) and _hold(self.cells, self.triangles, close)
        self.open = _unplugged(self.cells, self.triangles, len(own)) if plugs else self.cells

    def enclosed_m3(self, columns: _Columns) -> tuple[float, float]:
        """Return the volume the outside does not reach: within the columns, and beside them.

        Touched cells beside the outside count by half.
        """
        level = np.arange(self.cells.shape[2])
        low, high = columns.low[:, :, None], columns.high[:, :, None]
        own = (level >= low) & (level < high) & columns.solid[:, :, None]
        whole, body = _inside(self.cells, own)
        size = float(self.cell_m) ** 3
        return body * size, (whole - body) * size

    def seen(self, soup: Floats) -> Seen:
        """Return what of triangles (m, 3, 3) in the caller's metres looks outside."""
        return exposure((soup @ self.turn.T - self.origin) / self.cell_m, self.open)

    def back(self, points: Floats) -> Floats:
        """Return points in cells, (n, 3), as the caller's metres."""
        moved: Floats = (points * self.cell_m + self.origin) @ self.turn
        return moved


def _hold(cells: NDArray[np.uint8], triangles: Floats, close: int) -> bool:
    """Dry the rooms that only an opening left wet; whether there was one.

    Closing gaps also fills niches and the air under eaves; a room is what is still there
    when those are worn away by as much again.
    """
    nx, ny, nz = cells.shape
    shut = enclose(triangles, shape=(nx, ny, nz), close=close)
    gained = (shut == FREE) & (cells == OUTSIDE)
    core = ~grown(~gained, 2 * close)
    if not core.any():
        return False
    cells[gained & grown(core, 2 * close)] = FREE
    return True


def _unplugged(cells: NDArray[np.uint8], triangles: Floats, own: int) -> NDArray[np.uint8]:
    """Return the cells with the plugs taken out again, what they held still held.

    A window stands back in its opening: seen from outside, the opening is open.
    """
    nx, ny, nz = cells.shape
    bare = enclose(triangles[:own], shape=(nx, ny, nz))
    plug = enclose(triangles[own:], shape=(nx, ny, nz)) != OUTSIDE
    bare[(bare == OUTSIDE) & (cells != OUTSIDE) & ~plug] = FREE
    return bare


def _inside(cells: NDArray[np.uint8], own: NDArray[np.bool_]) -> tuple[float, float]:
    """Count cells not outside, all and those of a mask; the skin by half."""
    wet = cells == OUTSIDE
    skin = np.zeros(cells.shape, bool)
    for axis in range(3):
        for ahead, behind in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            here: list[slice] = [slice(None)] * 3
            there: list[slice] = [slice(None)] * 3
            here[axis], there[axis] = ahead, behind
            skin[tuple(here)] |= wet[tuple(there)]
    skin &= cells == TOUCHED
    return (
        float((~wet).sum()) - 0.5 * float(skin.sum()),
        float((~wet & own).sum()) - 0.5 * float((skin & own).sum()),
    )


def _along_walls(soup: Floats) -> Floats:
    """Return the turn about z that lays most upright surface along the axes, (3, 3)."""
    normal = np.cross(soup[:, 1] - soup[:, 0], soup[:, 2] - soup[:, 0])
    flat = np.hypot(normal[:, 0], normal[:, 1])
    upright = flat > np.abs(normal[:, 2])
    if not upright.any():
        return np.eye(3)
    # Directions a quarter turn apart are the same: angles times four on a circle.
    angle = 4.0 * np.arctan2(normal[upright, 1], normal[upright, 0])
    degrees = np.round(np.degrees(angle), 1) % 360.0
    bins = np.bincount((degrees * 10).astype(int) % 3600, weights=flat[upright], minlength=3600)
    best = np.argmax(bins + np.roll(bins, 1) + np.roll(bins, -1))
    turn = -np.radians(best / 10.0) / 4.0
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class _Columns:
    """Every column's roof, first cell and one past the last, (nx, ny), and which of them stand."""

    top: Floats
    low: Ints
    high: Ints
    solid: NDArray[np.bool_]


def _columns(raster: _Raster, grain: Grain) -> _Columns:
    """Return the body's columns, judged at their middles: cells count when merely touched."""
    least = max(2, round(grain.thin_m / raster.cell_m))
    low, high, free = column_runs(
        raster.cells, least=least, bridge=int(grain.bridge_m / raster.cell_m + 1e-6)
    )
    hit, _ = top_faces(raster.triangles, ceiling=np.where(high > 0, high + 1.0, np.nan))
    # Enclosed air above the hit: the roof has a gap there, which closing bridged.
    seen = (hit > low) & (free <= hit + 1.0)
    touched_only = (high > 0) & ~seen & (free < 0)
    top = np.where(seen, hit, high - 0.5)
    solid = (high > 0) & ~touched_only & (top - low >= least)
    return _Columns(np.where(solid, top, np.nan), low, high, solid)


def _regions(raster: _Raster, columns: _Columns, grain: Grain) -> list[Region]:
    """Return columns of one roof plane and one bottom as polygons in cells."""
    step, least = grain.step_m / raster.cell_m, grain.small_m2 / raster.cell_m**2
    planes = roof_planes(columns.top, step=step, least=least)
    base = float(np.median(columns.low[columns.solid]))
    deep = np.abs(columns.low - base) > 5 * step
    bottom = np.where(deep, np.round(columns.low / (2.5 * step)), -1).astype(np.int64)
    label = planes.of - planes.of.min() + (bottom - bottom.min()) * (np.ptp(planes.of) + 1)
    label = np.where(columns.solid, label, -1).astype(np.int32)
    shapes, piece = _coverage(_sieved(label, least))
    drawn = snap_outline(shapes, raster.triangles)
    found = []
    for i, shape in enumerate(drawn):
        here = (piece == i) & columns.solid
        # A strip that snapping laid flat is no region, however many columns it had.
        if not here.any() or not shape.area > 1.0:
            continue
        own = float(np.median(columns.low[here]))
        ground = own if abs(own - base) > 5 * step else base
        roof = planes.fitted(planes.common(here), columns.top, here)
        found.append(Region(shape, roof, ground + 0.5))
    return found


def _sieved(label: Ints, least: float) -> Ints:
    """Give pieces smaller than `least` columns to their largest neighbour."""
    from rasterio.features import sieve

    known = label >= 0
    merged = sieve(label, max(2, round(least)), mask=known, connectivity=4)
    merged[~known] = -1
    lonely: Ints = sieve((merged >= 0).astype(np.int32), max(2, round(least)), connectivity=4)
    merged[lonely == 0] = -1
    found: Ints = merged.astype(np.int32)
    return found


def _coverage(label: Ints) -> tuple[list[Any], Ints]:
    """Return a polygon per piece in cells, neighbours sharing borders, and each column's piece."""
    import shapely
    from rasterio.features import rasterize, shapes

    image = np.ascontiguousarray(label.T)
    found = [shapely.geometry.shape(shape) for shape, _ in shapes(image, mask=image >= 0)]
    if not found:
        return [], np.full(label.shape, -1, np.int32)
    piece = rasterize(
        [(shape, i) for i, shape in enumerate(found)],
        out_shape=image.shape, fill=-1, dtype="int32",
    ).T  # fmt: skip
    # A corner cut off by the diagonal of a cell is a stair of the grid, not a wall.
    plain = shapely.coverage_simplify(np.array(found, object), 4.0)
    return list(plain), piece


def _shell(raster: _Raster, regions: list[Region], columns: _Columns, grain: Grain) -> Shell:
    import shapely

    vertices, triangles, surface = faces_of(regions, step=grain.step_m / raster.cell_m)
    turned = raster.back(vertices)
    tight = closed(triangles)
    volume = volume_of(turned, triangles)
    body, thin = raster.enclosed_m3(columns)
    plan = shapely.union_all([r.shape for r in regions])
    flags = [
        name
        for name, is_so in (
            ("leaks", raster.leaks),
            ("coarse", raster.coarse),
            ("open", not tight),
            ("off", abs(volume - body) > 0.03 * body),
            ("apart", thin > body),
        )
        if is_so
    ]
    return Shell(
        vertices=turned, triangles=triangles, surface=surface,
        footprint=shapely.transform(
            plan, lambda xy: raster.back(np.column_stack([xy, np.zeros(len(xy))]))[:, :2]
        ),
        volume_m3=volume, enclosed_m3=body + thin, thin_m3=thin, closed=tight, flags=tuple(flags),
        cell_m=raster.cell_m,
    )  # fmt: skip
