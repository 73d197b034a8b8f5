"""Point clouds (LAS, LAZ) as grids: terrain from the ground points, surface from the highest.

A cloud is read in slices, never whole. Each point falls into a square cell; the cell's
terrain is the mean of its ground points, its surface the highest point that is no
noise. Classes are those of ASPRS LAS 1.4 R15, table 17. A cloud in which no point is
classed as ground is searched for ground by its form (K. Zhang et al. 2003, progressive
morphological filter), and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame, transform, transform_heights
from cim.errors import CimError, FrameError, MissingError, SourceError
from cim.jobs import Job
from cim.model.grid import Grid, GridFrame
from cim.sources.gaps import fill_gaps
from cim.sources.place import Place, named
from cim.sources.raster import HIGHEST_M, LOWEST_M, MOST_CELLS
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["CloudHead", "look_at_cloud", "read_cloud"]

GROUND, NOISE, HIGH_NOISE = 2, 7, 18
_AT_ONCE = 500_000
_PER_CELL = 4.0  # points a cell should have
_CELLS_M = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_WIDEST_M = 60.0  # of a building: what is wider counts as ground where nothing is classed
_SLOPE = 0.3  # of ground, rise over run, where nothing is classed
_SPIKE_M = 20.0  # of one cell alone: no ground, a bird or an echo classed as ground
_STEP_M = 0.5  # above the opened ground: still ground

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CloudHead:
    """What a cloud says of itself.

    Attributes
    ----------
    crs
        WKT or code, None where it says nothing.
    bounds
        Box in its own units.
    count
        Number of points.
    """

    crs: str | None
    bounds: Box
    count: int


def _laspy() -> Any:
    try:
        import laspy
    except ImportError as error:
        values = {"package": "cim-twin[points]"}
        raise MissingError("source.points_missing", given="LAS", values=values) from error
    return laspy


def look_at_cloud(path: Path) -> CloudHead:
    """Return what the head of a cloud declares.

    Raises
    ------
    SourceError
        Unreadable, cut off, or without points.
    MissingError
        laspy is not installed.
    """
    laspy = _laspy()
    try:
        _check_packing(path)
        with laspy.open(path, laz_backend=laspy.LazBackend.Lazrs) as file:
            head = file.header
            scales = np.concatenate([head.scales, head.offsets])
            low, high = head.mins, head.maxs
            bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
            count, crs = int(head.point_count), _crs_of(head.vlrs)
            size = int(head.offset_to_point_data) + count * int(head.point_format.size)
            packed = bool(head.are_points_compressed)
    except Exception as error:  # laspy and lazrs raise of all kinds on damaged heads
        raise _unreadable(path, error) from error
    if count == 0:
        raise SourceError("source.no_features", given=path.name)
    if not np.isfinite(scales).all() or not (scales[:3] != 0.0).all():
        says = {"scale": ", ".join(f"{v:g}" for v in scales[:3])}
        says["offset"] = ", ".join(f"{v:g}" for v in scales[3:])
        raise SourceError("source.points_scale", given=path.name, values=says)
    if not packed and path.stat().st_size < size:
        values = {"size": path.stat().st_size, "declared": size}
        raise SourceError("source.truncated", given=path.name, values=values)
    if count <= _AT_ONCE and np.isfinite(bounds).all():
        bounds = _without_strays(path, bounds)
    if not np.isfinite(bounds).all() or bounds[0] > bounds[2] or bounds[1] > bounds[3]:
        raise SourceError("source.raster_no_place", given=path.name)
    return CloudHead(crs, bounds, count)


def _without_strays(path: Path, bounds: Box) -> Box:
    """Return the box of a small cloud without single points far from all others.

    Nothing is cut within one width of the middle 98 % of the points.
    """
    xy = np.concatenate([part for part, *_ in _slices(path)])
    xy = xy[np.isfinite(xy).all(axis=1)]
    if not len(xy):
        return bounds
    low, high = np.percentile(xy, 1, axis=0), np.percentile(xy, 99, axis=0)
    wide = np.maximum(high - low, 1e-9)
    near = ((xy >= low - wide) & (xy <= high + wide)).all(axis=1)
    (xmin, ymin), (xmax, ymax) = xy[near].min(axis=0), xy[near].max(axis=0)
    return (float(xmin), float(ymin), float(xmax), float(ymax))


def _check_packing(path: Path) -> None:
    """Refuse a LAZ whose table of chunks cannot be: the decoder would ask for its memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(255)
        if len(head) < 111 or not head[104] & 0xC0:  # the format's upper bits say it is packed
            return
        start = int.from_bytes(head[96:100], "little")
        many = int.from_bytes(head[107:111], "little")
        if head[25] >= 4 and len(head) >= 255:
            many = max(many, int.from_bytes(head[247:255], "little"))
        file.seek(start)
        table = int.from_bytes(file.read(8), "little", signed=True)
        if table == -1:  # written without going back: the place is at the end
            file.seek(-8, 2)
            table = int.from_bytes(file.read(8), "little", signed=True)
        if not start < table <= size - 8:
            raise ValueError(f"table of chunks at {table} of {size} bytes")
        file.seek(table + 4)
        chunks = int.from_bytes(file.read(4), "little")
    if chunks > min(many, size - start):
        raise ValueError(f"{chunks} chunks for {many} points")


def _unreadable(path: Path, error: BaseException) -> SourceError:
    why = " ".join(str(error).split()).replace(str(path), path.name)[:200] or type(error).__name__
    return SourceError("source.unreadable", given=path.name, values={"why": why})


def _crs_of(records: Any) -> str | None:
    """Return the system that the head's records state: WKT, else the GeoTIFF keys."""
    horizontal = vertical = None
    for record in records:
        if record.user_id.strip("\0") != "LASF_Projection":
            continue
        if record.record_id == 2112 and getattr(record, "string", ""):
            return str(record.string).strip("\0") or None
        if record.record_id == 34735:
            for key in record.geo_keys:
                if key.id in (2048, 3072) and 0 < key.value_offset < 32767:
                    horizontal = key.value_offset if key.id == 3072 else horizontal or (
                        key.value_offset)  # fmt: skip
                elif key.id == 4096 and 0 < key.value_offset < 32767:
                    vertical = key.value_offset
    if horizontal is None:
        return None
    return f"EPSG:{horizontal}" + (f"+{vertical}" if vertical else "")


@dataclass
class _Cells:
    """What the points of each cell come to."""

    frame: GridFrame
    ground_sum: Floats
    ground_count: NDArray[np.int64]
    lowest: Floats
    highest: Floats

    @classmethod
    def empty(cls, frame: GridFrame) -> _Cells:
        """Return cells without points."""
        n = frame.rows * frame.cols
        return cls(frame, np.zeros(n), np.zeros(n, np.int64), np.full(n, np.inf),
                   np.full(n, -np.inf))  # fmt: skip

    def add(self, xy: Floats, z: Floats, ground: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Add points; return which lie inside."""
        row, col, inside = self.frame.cell_of(xy[:, 0], xy[:, 1])
        at = (row * self.frame.cols + col)[inside]
        z, ground = z[inside], ground[inside]
        np.minimum.at(self.lowest, at, z)
        np.maximum.at(self.highest, at, z)
        n = len(self.ground_sum)
        self.ground_sum += np.bincount(at[ground], weights=z[ground], minlength=n)
        self.ground_count += np.bincount(at[ground], minlength=n)
        return inside


def read_cloud(
    spec: LayerSpec, head: CloudHead, place: Place, *, frame: Frame, report: Report, job: Job
) -> tuple[Grid, Grid, Grid]:
    """Return terrain, surface, and where each cell of the terrain comes from.

    Parameters
    ----------
    spec, head, place
        The cloud and what is known of it. The option ``cell_m`` sets the cells' size.
    frame
        The twin's frame; points are brought into it one by one.
    report, job
        What was assumed, left out and filled; progress.

    Raises
    ------
    SourceError
        Damaged on the way, too many cells, or no point that is no noise.
    FrameError
        No height datum.
    """
    if place.height_datum is None:
        raise FrameError("source.no_height_datum", given=spec.file.name, values={"what": "points"})
    target = _grid_frame(spec, head, place, frame)
    cells = _Cells.empty(target)
    classes = np.zeros(256, dtype=np.int64)
    used = done = 0
    for given, levels, class_, withheld in _slices(spec.file):
        xy = place.on_map(given)
        if place.crs != frame.crs:
            xy = transform(xy, source=place.crs, target=frame.crs)
        z = _heights(levels + place.lift_m, spec, place, frame)
        classes += np.bincount(class_, minlength=256)
        good = np.isfinite(xy).all(axis=1) & (z < HIGHEST_M) & (z > LOWEST_M) & ~withheld
        good &= (class_ != NOISE) & (class_ != HIGH_NOISE)
        inside = cells.add(xy[good], z[good], class_[good] == GROUND)
        used, done = used + int(inside.sum()), done + len(z)
        job.step(done, max(head.count, done), what="source.reading")
    count = report.layer("points")
    count.read, count.kept = count.read + done, count.kept + used
    count.rejected += done - used
    if not used:
        raise SourceError("source.raster_no_values", given=spec.file.name)
    named_classes = ", ".join(f"{i}: {n}" for i, n in enumerate(classes.tolist()) if n)
    says = {"count": done, "used": used, "classes": named_classes, "cell": f"{target.cell_m:g}"}
    report.note("source.points_read", file=spec.file.name, layer="points", values=says)
    return _grids(cells, spec, report)


def _slices(path: Path) -> Iterator[tuple[Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield plan places, heights, classes and withheld-or-not of the points."""
    laspy = _laspy()
    try:
        with laspy.open(path, laz_backend=laspy.LazBackend.Lazrs) as file:
            for part in file.chunk_iterator(_AT_ONCE):
                xy = np.column_stack([np.asarray(part.x), np.asarray(part.y)])
                withheld = np.asarray(part.withheld, dtype=bool)
                class_ = np.asarray(part.classification, dtype=np.int64) & 255
                yield xy, np.asarray(part.z, dtype=np.float64), class_, withheld
    except CimError:
        raise
    except Exception as error:  # laspy and lazrs raise of all kinds on damaged points
        raise _unreadable(path, error) from error


def _heights(z: Floats, spec: LayerSpec, place: Place, frame: Frame) -> Floats:
    try:
        return transform_heights(
            z,
            source=str(place.height_datum),
            target=frame.height_datum,
            offset_m=spec.options.get("height_offset_m"),
        )
    except FrameError as error:
        raise named(error, spec.file.name) from error


def _grid_frame(spec: LayerSpec, head: CloudHead, place: Place, frame: Frame) -> GridFrame:
    """Return cells that cover the cloud and hold some four points each."""
    xmin, ymin, xmax, ymax = place.box(head.bounds)
    along = np.linspace(0.0, 1.0, 9)
    x, y = xmin + along * (xmax - xmin), ymin + along * (ymax - ymin)
    grid = np.array([(a, b) for a in x for b in y])
    moved = grid
    if place.crs != frame.crs:
        moved = transform(grid, source=place.crs, target=frame.crs)
    low, high = moved.min(axis=0), moved.max(axis=0)
    area = float(np.prod(np.maximum(high - low, 0.01)))
    wanted = np.sqrt(_PER_CELL * area / head.count)
    cell = float(spec.options.get("cell_m") or next((c for c in _CELLS_M if c >= wanted), 0.0)
                 or _CELLS_M[-1])  # fmt: skip
    first, last = np.floor(low / cell) * cell, np.floor(high / cell) * cell + cell
    first[1] = np.ceil(low[1] / cell) * cell - cell  # a cell holds its north edge, not its south
    last[1] = np.ceil(high[1] / cell) * cell
    size = np.round((last - first) / cell).astype(np.int64)
    if size.prod() > MOST_CELLS or not np.isfinite(area):
        says = {"cols": int(size[0]), "rows": int(size[1]), "size": "-", "limit": MOST_CELLS}
        raise SourceError("source.raster_too_large", given=spec.file.name, values=says)
    return GridFrame(float(first[0]), float(last[1]), cell, int(size[1]), int(size[0]))


def _grids(cells: _Cells, spec: LayerSpec, report: Report) -> tuple[Grid, Grid, Grid]:
    shape = cells.frame.shape
    there = np.isfinite(cells.highest).reshape(shape)
    highest = np.where(there, cells.highest.reshape(shape), np.nan)
    count = cells.ground_count.reshape(shape)
    if count.any():
        total = cells.ground_sum.reshape(shape)
        ground = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    else:
        lowest = np.where(there, cells.lowest.reshape(shape), np.nan)
        ground = _ground_by_form(lowest, cells.frame.cell_m)
        report.note("source.points_no_ground", file=spec.file.name, layer="terrain")
    measured = np.isfinite(ground)
    ground, filled = fill_gaps(ground)
    _note_spikes(ground, spec, report)
    surface, _ = fill_gaps(highest)
    surface = np.fmax(surface, ground)
    says = {"filled": int(filled.sum()), "cells": int(np.isfinite(ground).sum())}
    report.note("source.points_filled", file=spec.file.name, layer="terrain", values=says)
    origin = np.where(measured, 1.0, np.where(filled, 0.0, np.nan))
    made = [
        ("terrain", ground, "m"),
        ("surface", surface, "m"),
        ("terrain_source", origin, "class"),
    ]
    grids = [
        Grid(name, cells.frame, np.ascontiguousarray(values, dtype=np.float32), unit,
             spec.illustrative, spec.source_key)
        for name, values, unit in made
    ]  # fmt: skip
    return grids[0], grids[1], grids[2]


def _note_spikes(ground: Floats, spec: LayerSpec, report: Report) -> None:
    """Say how many lone cells of the ground stand far above or below all around them."""
    there = np.where(np.isfinite(ground), ground, np.nanmedian(ground))
    opened = _slide(_slide(there, 1, np.minimum), 1, np.maximum)
    closed = _slide(_slide(there, 1, np.maximum), 1, np.minimum)
    off = np.maximum(there - opened, closed - there) * np.isfinite(ground)
    count = int((off > _SPIKE_M).sum())
    if count:
        says = {"count": count, "most": f"{off.max():.0f}", "least": f"{_SPIKE_M:g}"}
        report.note("source.points_spikes", file=spec.file.name, layer="terrain", values=says)


def _ground_by_form(lowest: Floats, cell_m: float) -> Floats:
    """Return the lowest points that are ground: what openings of growing width leave in place.

    An opening (the highest of the lowest around) of width w flattens what is narrower
    than w; what it lowers by more than ground could rise over w is no ground.
    """
    ground = fill_gaps(lowest)[0]
    ground = np.where(np.isfinite(ground), ground, np.nanmax(ground))
    is_ground = np.isfinite(lowest)
    half, before = 1, 0
    while True:
        opened = _slide(_slide(ground, half, np.minimum), half, np.maximum)
        rise = _SLOPE * (half - before) * 2 * cell_m + _STEP_M if before else _STEP_M
        is_ground &= lowest - opened <= rise
        ground = opened
        if (2 * half + 1) * cell_m >= _WIDEST_M or half >= max(lowest.shape):
            break
        half, before = 2 * half, half
    return np.where(is_ground, lowest, np.nan)


def _slide(values: Floats, half: int, take: Any) -> Floats:
    """Return the lowest or highest of a square of 2·half + 1 cells around each cell."""
    out = values
    for axis in (0, 1):
        step, width, reach = out, 1, 2 * half + 1
        padded = np.pad(out, [(half, half) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        step = padded
        while width < reach:  # doubling: a window is two overlapping halves
            move = min(width, reach - width)
            n = step.shape[axis] - move
            first = np.take(step, np.arange(n), axis=axis)
            second = np.take(step, np.arange(move, n + move), axis=axis)
            step, width = take(first, second), width + move
        out = step
    return out
