"""The one frame of a twin: its projected system, height datum and origin, and how to choose it.

Source and frame are two things: a file is *in* its source system, a twin *is* in its
frame. Tables hold projected metres (x east, y north); kernels and scenes get metres
relative to the frame's origin, small enough for float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cim.crs.names import (
    HEIGHT_DATUMS,
    PSEUDO_CRS,
    axis_unit_m,
    crs_title,
    is_geographic,
    parse_crs,
    parse_height_datum,
    proj_crs,
    split_crs,
)
from cim.crs.transform import scale_factor, transform
from cim.errors import FrameError

__all__ = [
    "Box",
    "ChosenFrame",
    "Frame",
    "LonLatBox",
    "check_area_of_use",
    "choose_frame",
    "from_lonlat",
    "in_china",
    "lonlat",
    "lonlat_box",
]

Array = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""``(xmin, ymin, xmax, ymax)`` in the units of its system."""
LonLatBox = tuple[float, float, float, float]
"""``(west, south, east, north)`` in degrees."""

_LONLAT = "EPSG:4326"
_ORIGIN_STEP_M = 100.0
_MARGIN_DEG = 1.0  # how far data may leave the area of use
_TRUE_SCALE = 0.01  # largest share by which a frame may stretch lengths

# A coarse outline of the mainland and its islands, good to half a degree: enough to
# choose between the national zones and UTM, not for anything else.
_CHINA = np.array(
    [
        [73.4, 39.3], [74.8, 40.5], [76.8, 41.0], [80.2, 42.2], [80.2, 45.0], [82.5, 45.3],
        [83.0, 47.2], [85.6, 47.1], [85.7, 48.4], [87.8, 49.2], [90.9, 46.9], [91.0, 45.2],
        [95.4, 44.3], [96.4, 42.7], [101.8, 42.5], [105.0, 41.6], [109.4, 42.5], [111.9, 43.6],
        [112.0, 45.1], [114.6, 45.3], [116.6, 46.3], [119.9, 46.8], [117.8, 47.8], [115.5, 47.7],
        [116.7, 49.9], [119.3, 50.3], [120.8, 53.3], [123.6, 53.6], [126.0, 52.9], [127.6, 50.2],
        [130.7, 48.9], [131.0, 47.7], [135.1, 48.5], [133.2, 45.1], [131.0, 44.8], [130.7, 42.4],
        [128.1, 41.9], [126.9, 41.7], [124.3, 39.9], [123.0, 37.0], [124.0, 30.0], [122.3, 25.6],
        [121.4, 21.7], [115.0, 21.5], [111.2, 17.9], [108.4, 18.2], [108.0, 21.5], [105.3, 23.3],
        [102.0, 22.4], [101.1, 21.1], [99.1, 22.1], [98.9, 23.9], [97.5, 24.0], [98.7, 27.5],
        [97.3, 28.2], [91.7, 27.7], [89.0, 27.2], [86.0, 27.9], [81.0, 30.1], [78.7, 31.5],
        [79.2, 32.5], [78.0, 35.5], [76.0, 36.0], [74.5, 37.2],
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Where a twin stands: projected system, height datum, origin in whole metres.

    Parameters
    ----------
    crs
        Name of a projected system in metres, as `parse_crs` gives it.
    height_datum
        One of `HEIGHT_DATUMS` or a vertical ``"EPSG:n"``.
    origin
        East and north of the local zero point, whole metres.
    """

    crs: str
    height_datum: str
    origin: tuple[float, float]

    def __post_init__(self) -> None:
        origin = (float(self.origin[0]), float(self.origin[1]))
        if not all(np.isfinite(part) and part == round(part) for part in origin):
            raise FrameError("crs.origin_not_whole", given=self.origin)
        object.__setattr__(self, "origin", origin)
        if self.height_datum not in HEIGHT_DATUMS:
            object.__setattr__(self, "height_datum", parse_height_datum(self.height_datum))

    def to_local(self, xy: npt.ArrayLike) -> Array:
        """Return projected ``(…, 2 or 3)`` metres relative to the origin, float64; z stays."""
        return _shift(xy, self.origin, -1.0)

    def to_projected(self, xy: npt.ArrayLike) -> Array:
        """Return metres relative to the origin as projected metres, float64; z stays."""
        return _shift(xy, self.origin, 1.0)

    def require_same(self, other: Frame) -> None:
        """Raise `FrameError` unless `other` has the same system and height datum.

        Two things meet only if their frames are equal; the error names both.
        """
        if (self.crs, self.height_datum) != (other.crs, other.height_datum):
            first, second = (f"{each.crs} + {each.height_datum}" for each in (self, other))
            raise FrameError("crs.frames_differ", given=first, values={"other": second})


class ChosenFrame(NamedTuple):
    """A frame, and the message that says aloud how it was chosen."""

    frame: Frame
    key: str
    values: dict[str, object]


def choose_frame(
    source_crs: object,
    bounds: Box,
    *,
    frame: object | None = None,
    frame_height: str | None = None,
) -> ChosenFrame:
    """Choose the frame of a twin from its first file, or check the one asked for.

    A frame that is asked for counts. Else a file in a projected system in metres that is
    true to scale gives its own. Else (degrees, feet, Web Mercator) the CGCS2000 3-degree
    zone of the data's centre is taken inside China, its UTM zone elsewhere.

    Parameters
    ----------
    source_crs
        What the file is in; anything `parse_crs` knows.
    bounds
        Box of the data in `source_crs`.
    frame
        The system asked for, if any; a compound one also names the height datum.
    frame_height
        Height datum asked for. Else that of a compound `frame` or `source_crs`, else
        ``"unknown"``.

    Returns
    -------
    ChosenFrame
        The frame, the message key and its values for the report.

    Raises
    ------
    FrameError
        An unknown system; a frame that is not projected, not in metres or stretches
        lengths by more than one percent here; data outside the area of use.
    """
    source, source_height = split_crs(source_crs)
    check_area_of_use(source, bounds)
    west, south, east, north = lonlat_box(source, bounds)
    centre = ((west + east) / 2.0, (south + north) / 2.0)
    wanted_height = None
    if frame is not None:
        crs, wanted_height = split_crs(frame)
        _demand_frame(crs, centre)
        key = "crs.frame_given"
    elif source not in PSEUDO_CRS and _frame_fault(source, centre) is None:
        crs, key = source, "crs.frame_from_source"
    else:
        crs, key = _zone(centre)
    check_area_of_use(crs, (west, south, east, north), bounds_crs=_LONLAT)
    height = parse_height_datum(frame_height or wanted_height or source_height or "unknown")
    middle = transform([centre], source=_LONLAT, target=crs)[0]
    origin = np.round(middle / _ORIGIN_STEP_M) * _ORIGIN_STEP_M
    chosen = Frame(crs, height, (float(origin[0]), float(origin[1])))
    values: dict[str, object] = {
        "given": crs_title(source),
        "crs": crs_title(crs),
        "height": height,
        "lon": f"{centre[0]:.3f}",
        "lat": f"{centre[1]:.3f}",
    }
    return ChosenFrame(chosen, key, values)


def _frame_fault(crs: str, centre: tuple[float, float]) -> str | None:
    if crs in PSEUDO_CRS or is_geographic(crs):
        return "crs.frame_not_projected"
    if axis_unit_m(crs) != 1.0:
        return "crs.frame_not_metres"
    if abs(scale_factor(crs, *centre) - 1.0) > _TRUE_SCALE:
        return "crs.frame_not_true_to_scale"
    return None


def _demand_frame(crs: str, centre: tuple[float, float]) -> None:
    if crs not in PSEUDO_CRS and not is_geographic(crs):
        check_area_of_use(crs, (*centre, *centre), bounds_crs=_LONLAT)
    fault = _frame_fault(crs, centre)
    if fault is not None:
        raise FrameError(fault, given=crs_title(crs), values={"better": _zone(centre)[0]})


def _zone(centre: tuple[float, float]) -> tuple[str, str]:
    lon, lat = centre
    if in_china(lon, lat):
        # EPSG:4534 … 4554 are the central meridians 75°E … 135°E, eastings without zone number
        number = 4534 + min(max(round((lon - 75.0) / 3.0), 0), 20)
        return f"EPSG:{number}", "crs.frame_china_zone"
    number = int(min(max((lon + 180.0) // 6.0, 0), 59)) + 1
    return f"EPSG:{(32600 if lat >= 0.0 else 32700) + number}", "crs.frame_utm_zone"


def in_china(lon: float, lat: float) -> bool:
    """Return True where the national CGCS2000 zones are the natural frame (coarse outline)."""
    x, y = _CHINA[:, 0], _CHINA[:, 1]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    spans = (y > lat) != (y2 > lat)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = x + (lat - y) * (x2 - x) / (y2 - y)
    return bool(np.count_nonzero(spans & (lon < crossing)) % 2)


def check_area_of_use(crs: object, bounds: Box, *, bounds_crs: object | None = None) -> None:
    """Raise `FrameError` when data leave the area of use of `crs` by more than a degree.

    Parameters
    ----------
    crs
        The system whose area of use counts.
    bounds
        Box of the data.
    bounds_crs
        What `bounds` is in; `crs` itself when None.
    """
    name = parse_crs(crs)
    box = np.asarray(bounds, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise FrameError("crs.bounds_not_finite", given=tuple(bounds))
    place = lonlat_box(name if bounds_crs is None else bounds_crs, bounds)
    if outside_area(name, place):
        given = ", ".join(f"{part:.10g}" for part in bounds)
        area = proj_crs(name).area_of_use
        values = {"crs": crs_title(name), "area": area.name if area else "±180, ±90"}
        raise FrameError("crs.outside_area", given=given, values=values)


def outside_area(crs: str, box: LonLatBox) -> bool:
    """Return True when a box in degrees leaves the area of use by more than a degree.

    A box with an infinite side (nowhere on earth) is outside of everything.
    """
    west, south, east, north = box
    if not np.isfinite(box).all():
        return True
    area = proj_crs(crs).area_of_use
    if area is None:
        return abs(west) > 181 or abs(east) > 181 or abs(south) > 90 or abs(north) > 90
    limit_east = area.east + (360.0 if area.east < area.west else 0.0)
    if limit_east > 180.0 and west < area.west - _MARGIN_DEG:
        west, east = west + 360.0, east + 360.0
    return bool(
        west < area.west - _MARGIN_DEG
        or east > limit_east + _MARGIN_DEG
        or south < area.south - _MARGIN_DEG
        or north > area.north + _MARGIN_DEG
    )


def lonlat_box(crs: object, bounds: Box) -> LonLatBox:
    """Return the box in degrees that holds `bounds`; infinite where there is no such place.

    The edges are followed with 21 points a side: a box on the map is not one on earth.
    """
    xmin, ymin, xmax, ymax = (float(part) for part in bounds)
    along = np.linspace(0.0, 1.0, 21)
    x, y = xmin + along * (xmax - xmin), ymin + along * (ymax - ymin)
    west, east = np.full(21, xmin), np.full(21, xmax)
    south, north = np.full(21, ymin), np.full(21, ymax)
    ring = np.column_stack([np.r_[x, x, west, east], np.r_[south, north, y, y]])
    try:
        degrees = transform(ring, source=parse_crs(crs), target=_LONLAT)
    except FrameError as error:
        if error.key != "crs.not_finite":
            raise
        return (-np.inf, -np.inf, np.inf, np.inf)
    low, high = degrees.min(axis=0), degrees.max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def lonlat(frame: Frame, xy: Any) -> Any:
    """Return longitude and latitude (CGCS2000 = WGS 84 here) of projected points or geometries."""
    return transform(xy, source=frame.crs, target=_LONLAT)


def from_lonlat(frame: Frame, degrees: Any) -> Any:
    """Return projected metres in `frame` of longitude and latitude, points or geometries."""
    return transform(degrees, source=_LONLAT, target=frame.crs)


def _shift(xy: npt.ArrayLike, origin: tuple[float, float], sign: float) -> Array:
    points = np.array(xy, dtype=np.float64)
    points[..., 0] += sign * origin[0]
    points[..., 1] += sign * origin[1]
    return points
