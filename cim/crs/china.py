"""The shifted longitudes and latitudes of Chinese web maps: GCJ-02 and BD-09, both ways.

Map services in China serve positions moved by some hundred metres: GCJ-02 (高德, 腾讯)
from WGS 84, BD-09 (百度) from GCJ-02 once more. What is known of both is an open
re-engineering, good to a metre or two at best: 近似, 非测绘用 (approximate, not for survey).
The way back is iterated until the model itself closes far below a millimetre.

All functions take and return ``(n, 2)`` float64 arrays of longitude and latitude in
degrees. Outside the box that the model covers GCJ-02 moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "bd09_to_gcj02",
    "bd09_to_wgs84",
    "gcj02_to_bd09",
    "gcj02_to_wgs84",
    "wgs84_to_bd09",
    "wgs84_to_gcj02",
]

Array = npt.NDArray[np.float64]

_AXIS_M = 6378245.0  # semi-major axis of Krassowsky 1940, on which the model works
_ECCENTRICITY_2 = 0.00669342162296594323
_CENTRE = (105.0, 35.0)
_BOX = (72.004, 0.8293, 137.8347, 55.8271)  # where the model moves points: lon, lat, lon, lat
_BD_TURN = np.pi * 3000.0 / 180.0
_BD_SHIFT = (0.0065, 0.006)
_CLOSED_DEG = 1e-12  # 0.1 micrometre on the ground
_MOST_ROUNDS = 60


def wgs84_to_gcj02(lonlat: npt.ArrayLike) -> Array:
    """Return WGS 84 longitude and latitude as GCJ-02 shows them.

    Examples
    --------
    >>> wgs84_to_gcj02([[117.2, 39.1]]).round(5).tolist()
    [[117.2063, 39.10102]]
    """
    points = _points(lonlat)
    return points + _gcj_shift(points)


def gcj02_to_wgs84(lonlat: npt.ArrayLike) -> Array:
    """Return WGS 84 of GCJ-02 positions, the model inverted by iteration."""
    return _invert(wgs84_to_gcj02, _points(lonlat))


def gcj02_to_bd09(lonlat: npt.ArrayLike) -> Array:
    """Return GCJ-02 positions as BD-09 shows them."""
    points = _points(lonlat)
    lon, lat = points[:, 0], points[:, 1]
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_TURN)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_TURN)
    return np.column_stack(
        [radius * np.cos(angle) + _BD_SHIFT[0], radius * np.sin(angle) + _BD_SHIFT[1]]
    )


def bd09_to_gcj02(lonlat: npt.ArrayLike) -> Array:
    """Return GCJ-02 of BD-09 positions, the model inverted by iteration."""
    return _invert(gcj02_to_bd09, _points(lonlat))


def wgs84_to_bd09(lonlat: npt.ArrayLike) -> Array:
    """Return WGS 84 positions as BD-09 shows them."""
    return gcj02_to_bd09(wgs84_to_gcj02(lonlat))


def bd09_to_wgs84(lonlat: npt.ArrayLike) -> Array:
    """Return WGS 84 of BD-09 positions.

    Examples
    --------
    >>> bd09_to_wgs84([[117.22351, 39.127171]]).round(4).tolist()
    [[117.2108, 39.12]]
    """
    return gcj02_to_wgs84(bd09_to_gcj02(lonlat))


def _gcj_shift(points: Array) -> Array:
    lon, lat = points[:, 0], points[:, 1]
    x, y = lon - _CENTRE[0], lat - _CENTRE[1]
    ripple = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    root = np.sqrt(np.abs(x))
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += (ripple + _waves(y, (20.0, 1.0), (40.0, 1 / 3), (160.0, 1 / 12))) * 2.0 / 3.0
    north_m += 320.0 * np.sin(np.pi * y / 30.0) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += (ripple + _waves(x, (20.0, 1.0), (40.0, 1 / 3), (150.0, 1 / 12))) * 2.0 / 3.0
    east_m += 300.0 * np.sin(np.pi * x / 30.0) * 2.0 / 3.0
    latitude = np.radians(lat)
    flat = 1.0 - _ECCENTRICITY_2 * np.sin(latitude) ** 2
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY_2) / (flat * np.sqrt(flat))
    parallel_m = _AXIS_M / np.sqrt(flat) * np.cos(latitude)
    shift = np.degrees(np.column_stack([east_m / parallel_m, north_m / meridian_m]))
    west, south, east, north = _BOX
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return np.asarray(np.where(inside[:, None], shift, 0.0))


def _waves(angle: Array, *terms: tuple[float, float]) -> Array:
    total = np.zeros_like(angle)
    for height, turns in terms:
        total += height * np.sin(np.pi * angle * turns)
    return total


def _invert(forward: Callable[[Any], Array], target: Array) -> Array:
    guess = target.copy()
    for _ in range(_MOST_ROUNDS):
        miss = forward(guess) - target
        guess -= miss
        if miss.size == 0 or np.nanmax(np.abs(miss), initial=0.0) < _CLOSED_DEG:
            break
    return guess


def _points(lonlat: npt.ArrayLike) -> Array:
    points = np.asarray(lonlat, dtype=np.float64)
    return points.reshape(-1, 2)
