"""From a GeoTIFF or ASCII grid to a grid of the twin: missing cells, units, heights, place.

A raster that declares more cells than `MOST_CELLS` is refused before a byte is decoded.
A grid in another system than the twin's is resampled here, bilinear for heights and
nearest for classes, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame, axis_unit_m, transform, transform_heights
from cim.errors import CimError, FrameError, SourceError, UnitError
from cim.jobs import Job
from cim.model.colour import RGB
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import kind as kind_called
from cim.sources.ascii_grid import leave_out, words_among
from cim.sources.colours import check_colours, has_colours, read_colours
from cim.sources.opening import Format, gdal_reason
from cim.sources.place import Place, named
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.values import factor

__all__ = [
    "HEIGHT_KINDS",
    "MOST_CELLS",
    "RasterHead",
    "leave_out_undeclared",
    "look_at_raster",
    "read_raster",
]

MOST_CELLS = 400_000_000
"""Cells a grid may have: 1.6 GB as float32, a city of 20 km × 20 km at 1 m."""

HEIGHT_KINDS = ("terrain", "surface")
HIGHEST_M = 8_849.0  # Everest, 2020 survey
LOWEST_M = -11_034.0  # Challenger Deep
STEEPEST = 1.5  # median slope (56°) that no ground has; millimetres read as metres do

_USUAL_NODATA = (-9999.0, -99999.0, -32768.0, -32767.0, 9999.0, 65535.0)
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class RasterHead:
    """What a raster says of itself before it is read.

    Attributes
    ----------
    crs
        WKT or code, None where it says nothing.
    bounds
        Box in its own units.
    rows, cols, cell
        Size, and the width of a cell in its own units.
    dtype
        Type of the stored numbers.
    unit
        Unit tag of the band, may be empty.
    colours
        Whether its bands are red, green and blue.
    """

    crs: str | None
    bounds: Box
    rows: int
    cols: int
    cell: float
    dtype: str
    unit: str
    colours: bool = False


@contextmanager
def _opened(path: Path, driver: str) -> Iterator[Any]:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path.absolute(), driver=driver) as data:
                yield data
    except (RasterioError, UnicodeDecodeError) as error:  # the second: a .prj that is not text
        values = {"why": gdal_reason(error.__cause__ or error)}
        raise SourceError("source.unreadable", given=path.name, values=values) from error


def look_at_raster(spec: LayerSpec, found: Format) -> RasterHead:
    """Return what a raster declares; nothing of its cells is read.

    Raises
    ------
    SourceError
        Unreadable, too large, turned, not square, without a place, or without the band.
    """
    with _opened(spec.file, found.driver) as data:
        cells = data.width * data.height
        name = spec.file.name
        if cells > MOST_CELLS:
            size = cells * np.dtype(data.dtypes[0]).itemsize
            values = {
                "cols": data.width,
                "rows": data.height,
                "size": f"{size / 1e9:.0f}",
                "limit": MOST_CELLS,
            }
            raise SourceError("source.raster_too_large", given=name, values=values)
        _check_transform(data, name)
        colours = spec.kind in (None, "image") and "band" not in spec.options and has_colours(data)
        if spec.kind == "image" and not colours:
            colours = check_colours(data, name)
        band = 1 if colours else _band(spec, data.count)
        return RasterHead(
            crs=data.crs.to_wkt() if data.crs else None,
            bounds=tuple(data.bounds),
            rows=data.height,
            cols=data.width,
            cell=float(data.transform.a),
            dtype=str(data.dtypes[band - 1]),
            unit=str(data.units[band - 1] or ""),
            colours=colours,
        )


def _band(spec: LayerSpec, count: int) -> int:
    band = spec.options.get("band", 1)
    several = count > 1 and "band" not in spec.options
    if several or not isinstance(band, int) or not 1 <= band <= count:
        values = {"file": spec.file.name, "count": count}
        raise SourceError("source.raster_band", given=band, values=values)
    return band


def _check_transform(data: Any, name: str) -> None:
    move = data.transform
    if move.is_identity:
        raise SourceError("source.raster_no_place", given=name)
    if abs(move.b) > 1e-9 * abs(move.a) or abs(move.d) > 1e-9 * abs(move.e):
        raise SourceError("source.raster_turned", given=name)
    if move.a <= 0 or move.e >= 0:
        raise SourceError("source.raster_upside_down", given=name)
    if abs(move.a + move.e) > 1e-3 * move.a:
        values = {"width": f"{move.a:g}", "height": f"{-move.e:g}"}
        raise SourceError("source.raster_not_square", given=name, values=values)


def read_raster(
    spec: LayerSpec,
    *,
    layer: str,
    format: Format,
    head: RasterHead,
    place: Place,
    frame: Frame,
    report: Report,
    job: Job,
) -> Grid:
    """Return a raster as a grid of the twin.

    Parameters
    ----------
    spec, layer, format, head, place
        The file, what it becomes, and what is known of it.
    frame
        The twin's frame.
    report, job
        Where everything assumed, converted or left out is said; progress.

    Raises
    ------
    SourceError
        Truncated, empty of values, or heights that no ground has.
    FrameError
        No height datum, or one that cannot be brought to the twin's.
    UnitError
        An unknown unit.
    """
    kind_name = layer.partition("/")[0]
    values: NDArray[Any]
    if kind_called(kind_name).unit == RGB:
        with _opened(spec.file, format.driver) as data:
            values = read_colours(data, spec, report, layer)
    else:
        values = _decoded(spec, format, kind_name, head, report, layer)
    if not np.isfinite(values).any():
        raise SourceError("source.raster_no_values", given=spec.file.name)
    if kind_name in HEIGHT_KINDS:
        values = _heights(values, spec, head, place, frame)
    job.step(1, 2, what="source.reading")
    bounds = GridFrame(head.bounds[0], head.bounds[3], head.cell, head.rows, head.cols)
    if place.crs == frame.crs:
        target, moved = bounds, values.astype(np.float32)
    else:
        smooth = kind_name in HEIGHT_KINDS
        target, moved = _resampled(values, bounds, place, frame, smooth=smooth, job=job)
        says = {
            "source": place.crs,
            "target": frame.crs,
            "cell": f"{target.cell_m:g}",
            "method": "bilinear" if smooth else "nearest",
        }
        report.note("source.resampled", file=spec.file.name, layer=layer, values=says)
    return Grid(
        layer=layer,
        frame=target,
        values=np.ascontiguousarray(moved),
        unit=kind_called(kind_name).unit,
        illustrative=spec.illustrative,
        source=spec.source_key,
    )


def _decoded(
    spec: LayerSpec, format: Format, kind_name: str, head: RasterHead, report: Report, layer: str
) -> NDArray[np.float64]:
    """Return the cells as float64 in the kind's unit, missing ones NaN."""
    ascii_grid = format.driver == "AAIGrid"
    words = words_among(spec.file, head.rows * head.cols) if ascii_grid else []
    with _opened(spec.file, format.driver) as data:
        band = _band(spec, data.count)
        raw = data.read(band, masked=True)
        scale, offset = float(data.scales[band - 1]), float(data.offsets[band - 1])
    values = np.ma.filled(raw.astype(np.float64), np.nan)
    if words:
        told = leave_out(words, values)
        report.note("source.ascii_grid_words", file=spec.file.name, layer=layer, values=told)
    for says in leave_out_undeclared(values, heights=kind_name in HEIGHT_KINDS):
        report.note("source.nodata_undeclared", file=spec.file.name, layer=layer, values=says)
    if (scale, offset) != (1.0, 0.0):
        values = values * scale + offset
        says = {"scale": f"{scale:g}", "offset": f"{offset:g}"}
        report.note("source.scale_applied", file=spec.file.name, layer=layer, values=says)
    wanted = kind_called(kind_name).unit
    if wanted != "m":
        return values
    given = next(iter(spec.units.values()), None) or head.unit
    times = 1.0
    if given:
        try:
            times = factor(given, wanted)
        except UnitError as error:
            raise named(error, spec.file.name) from error
    if times != 1.0:
        says = {"unit": given, "factor": f"{times:g}"}
        report.note("source.unit_converted", file=spec.file.name, layer=layer, values=says)
    return values * times


def leave_out_undeclared(
    values: NDArray[np.float64], *, heights: bool
) -> list[dict[str, int | str]]:
    """Make cells missing (NaN) that hold a mark of missing cells nobody declared.

    Parameters
    ----------
    values
        (rows, cols) stored numbers, before any scale; changed in place.
    heights
        Whether they are heights of the ground: -9999 and the like are then marks as well.

    Returns
    -------
    list of dict
        ``count`` and ``value`` of each mark, for the note ``source.nodata_undeclared``.
    """
    found: list[dict[str, int | str]] = []
    endless = int(np.isinf(values).sum())
    if endless:
        found.append({"count": endless, "value": "inf"})
    values[~np.isfinite(values)] = np.nan
    odd = np.isin(values, _USUAL_NODATA) | (np.abs(values) > 1e30)
    if heights and odd.any() and not odd.all():
        found.append({"count": int(odd.sum()), "value": f"{values[odd][0]:g}"})
        values[odd] = np.nan
    return found


def _heights(
    values: NDArray[Any], spec: LayerSpec, head: RasterHead, place: Place, frame: Frame
) -> NDArray[np.float64]:
    """Check heights against the earth and bring them to the twin's datum."""
    name = spec.file.name
    if place.height_datum is None:
        raise FrameError(
            "source.no_height_datum", given=name, values={"what": spec.kind or "terrain"}
        )
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    says = {"low": f"{low:g}", "high": f"{high:g}"}
    if high > HIGHEST_M or low < LOWEST_M:
        raise SourceError("source.heights_of_no_ground", given=name, values=says)
    cell_m = head.cell * (111_320.0 if place.geographic else axis_unit_m(place.crs))
    slope = _median_slope(values, cell_m)
    if slope > STEEPEST:
        says["slope"] = f"{np.degrees(np.arctan(slope)):.0f}"
        raise SourceError("source.heights_too_steep", given=name, values=says)
    offset = spec.options.get("height_offset_m")
    try:
        return transform_heights(
            values, source=place.height_datum, target=frame.height_datum, offset_m=offset
        )
    except CimError as error:
        raise named(error, name) from error


def _median_slope(values: NDArray[np.float64], cell_m: float) -> float:
    if min(values.shape) < 2:
        return 0.0
    step = max(1, values.shape[0] // 1000)
    rises = np.abs(np.diff(values[::step], axis=1))
    rises = rises[np.isfinite(rises)]
    return float(np.median(rises)) / cell_m if len(rises) else 0.0


def _resampled(
    values: NDArray[Any],
    old: GridFrame,
    place: Place,
    frame: Frame,
    *,
    smooth: bool,
    job: Job,
) -> tuple[GridFrame, NDArray[np.float32]]:
    """Return the grid on square cells of the twin's system, each asked where it came from."""
    target = _target_frame(old, place, frame)
    if target.rows * target.cols > MOST_CELLS:
        says = {"cols": target.cols, "rows": target.rows, "size": "-", "limit": MOST_CELLS}
        raise SourceError("source.raster_too_large", given=place.crs, values=says)
    source = Grid("terrain", old, np.asarray(values, dtype=np.float32), "")
    out = np.empty(target.shape, dtype=np.float32)
    x, y = target.centres()
    for start in range(0, target.rows, _ROWS_AT_ONCE):
        part = y[start : start + _ROWS_AT_ONCE]
        points = np.column_stack([np.tile(x, len(part)), np.repeat(part, len(x))])
        back = transform(points, source=frame.crs, target=place.crs)
        if smooth:
            found = source.sample(back)
        else:
            row, col, inside = old.cell_of(back[:, 0], back[:, 1])
            found = np.where(inside, source.values[row, col], np.nan)
        out[start : start + len(part)] = found.reshape(len(part), -1)
        job.step(start + len(part), target.rows, what="source.resampling")
    return target, out


def _target_frame(old: GridFrame, place: Place, frame: Frame) -> GridFrame:
    """Return cells of the same size in metres that cover the old grid."""
    along = np.linspace(0.0, 1.0, 33)
    west, south, east, north = old.bounds
    x, y = west + along * (east - west), south + along * (north - south)
    edge = np.concatenate(
        [
            np.column_stack([x, np.full(33, south)]),
            np.column_stack([x, np.full(33, north)]),
            np.column_stack([np.full(33, west), y]),
            np.column_stack([np.full(33, east), y]),
        ]
    )
    moved = transform(edge, source=place.crs, target=frame.crs)
    low, high = moved.min(axis=0), moved.max(axis=0)
    middle = np.array([[(west + east) / 2.0, (south + north) / 2.0]])
    beside = middle + np.array([[old.cell_m, 0.0], [0.0, old.cell_m]])
    three = transform(np.concatenate([middle, beside]), source=place.crs, target=frame.crs)
    sides = np.hypot(*(three[1:] - three[0]).T)
    cell = _tidy(float(np.sqrt(sides[0] * sides[1])), exact=not place.geographic)
    first, last = np.floor(low / cell) * cell, np.ceil(high / cell) * cell
    size = np.round((last - first) / cell).astype(int)
    return GridFrame(float(first[0]), float(last[1]), cell, int(size[1]), int(size[0]))


def _tidy(cell_m: float, *, exact: bool) -> float:
    """Return a cell size of two digits (three between two metric systems)."""
    digits = (3 if exact else 2) - 1 - int(np.floor(np.log10(cell_m)))
    return round(cell_m, digits)
