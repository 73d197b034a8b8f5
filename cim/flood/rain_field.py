"""Rain that differs from place to place: by the twin's gauges, or from a grid of rates.

Both end as *zones*: a number of a storm for each cell of a flood, and the storms. A gauge
(雨量站) counts for the ground nearest to it (Thiessen, 泰森多边形); a cell of a coarse grid for
the ground under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, UnitError
from cim.flood.openings import tables_of
from cim.flood.rain import Storm, recorded_storm
from cim.model.grid import GridFrame
from cim.model.twin import TwinView

__all__ = ["Zones", "gauged_rain", "gridded_rain", "nearest_gauge"]

Zones = tuple[NDArray[np.int64], list[Storm]]


class _Observed(TwinView, Protocol):
    """A twin that keeps readings."""

    def observations(
        self, sensor: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


def nearest_gauge(frame: GridFrame, xy_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (rows, cols) the number of the gauge nearest to each cell's middle.

    Raises
    ------
    RequestError
        No gauge.
    """
    if not len(xy_m):
        raise RequestError("rain.no_gauges", given=0)
    x, y = frame.centres()
    best = np.full(frame.shape, np.inf)
    out = np.zeros(frame.shape, np.int64)
    for number, (gx, gy) in enumerate(xy_m):
        square = (x[None, :] - gx) ** 2 + (y[:, None] - gy) ** 2
        closer = square < best
        out[closer], best[closer] = number, square[closer]
    return out


def gauged_rain(view: _Observed, frame: GridFrame, *, start: datetime, end: datetime) -> Zones:
    """Return the rain that the twin's gauges read between two instants.

    Parameters
    ----------
    view
        A twin with sensors of type ``rain`` whose unit is ``mm`` (fallen since the reading
        before) or ``mm/h``, and their readings.
    frame
        Of the flood: `cim.flood.ground.site_frame`.
    start, end
        Instants with their offset. A reading counts for the time since the one before.

    Raises
    ------
    RequestError
        No gauge has read anything then; a reading is negative or missing.
    UnitError
        A gauge reads in another unit.
    """
    import shapely

    places, storms = [], []
    for table in tables_of(view, "sensor"):
        types, units = table.texts("type"), table.texts("unit")
        for i, shape in enumerate(table.geometry):
            if types[i].strip().lower() not in ("rain", "雨量") or shape is None:
                continue
            time_s, value = view.observations(str(table.ids[i]), start=start, end=end)
            ends = time_s - start.timestamp()
            later = ends > 0  # what fell before the start is not ours
            if not later.any():
                continue
            unit = units[i].strip()
            if unit not in ("mm", "mm/h"):
                raise UnitError("rain.unit", given=unit or "-", values={"sensor": table.ids[i]})
            spans = np.diff(ends[later], prepend=0.0)
            depths = value[later] * (spans / 3600.0 if unit == "mm/h" else 1.0)
            storms.append(recorded_storm(ends_s=ends[later], depths_mm=depths.tolist()))
            point = shapely.centroid(shape)
            places.append((point.x, point.y))
    if not storms:
        given = f"{start.isoformat()} … {end.isoformat()}"
        raise RequestError("rain.no_gauges", given=given)
    return nearest_gauge(frame, np.array(places, np.float64)), storms


def gridded_rain(
    frame: GridFrame,
    *,
    rain_frame: GridFrame,
    ends_s: Sequence[float],
    rain_mm_h: NDArray[Any],
) -> Zones:
    """Return rain given on a coarser grid, as radar gives it.

    Parameters
    ----------
    frame
        Of the flood.
    rain_frame
        Where the cells of the rain lie, projected metres.
    ends_s
        (t,) end of each block, seconds after the start.
    rain_mm_h
        (t, rows, cols) rates, mm/h.

    Raises
    ------
    RequestError
        Shapes or times do not fit, a rate is negative or missing, or the rain does not cover the
        flood.
    """
    ends = np.asarray(ends_s, np.float64)
    rates = np.asarray(rain_mm_h, np.float64)
    if rates.shape != (len(ends), *rain_frame.shape):
        raise RequestError("rain.times", given=f"{ends.shape} {rates.shape}")
    x, y = frame.centres()
    col = np.floor((x - rain_frame.west) / rain_frame.cell_m).astype(np.int64)
    row = np.floor((rain_frame.north - y) / rain_frame.cell_m).astype(np.int64)
    outside = min(col.min(), row.min()) < 0
    if outside or col.max() >= rain_frame.cols or row.max() >= rain_frame.rows:
        raise RequestError("rain.cover", given=rain_frame.bounds, values={"area": frame.bounds})
    number = row[:, None] * rain_frame.cols + col[None, :]
    used, zone = np.unique(number, return_inverse=True)
    spans = np.diff(ends, prepend=0.0)
    flat = rates.reshape(len(ends), -1)
    storms = [
        recorded_storm(ends_s=ends, depths_mm=(flat[:, cell] * spans / 3600.0).tolist())
        for cell in used
    ]
    return zone.reshape(frame.shape).astype(np.int64), storms
