"""The street frame: u along the long roads, v across them, and its way to map and globe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cim.crs import transform
from cim.errors import SourceError

__all__ = ["StreetFrame", "street_frame"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StreetFrame:
    """Axes laid along the streets, in metres of the district's projected system.

    Attributes
    ----------
    east_m, north_m
        Projected place of the zero point.
    bearing_deg
        Direction of u, clockwise from grid north; v is 90 degrees further clockwise.
    crs, lonlat
        The projected system of the district, and the geographic one its GeoJSON is in.
    height_datum
        What levels are above.
    """

    east_m: float
    north_m: float
    bearing_deg: float
    crs: str
    lonlat: str
    height_datum: str

    @property
    def axis(self) -> tuple[float, float]:
        """Return the unit vector of u as (east, north)."""
        angle = math.radians(self.bearing_deg)
        return math.sin(angle), math.cos(angle)

    def to_xy(self, uv: ArrayLike) -> Array:
        """Return projected (n, 2) metres, rounded to 1 mm, of (n, 2) street coordinates."""
        u, v = np.asarray(uv, dtype=np.float64).reshape(-1, 2).T
        sine, cosine = self.axis
        x = self.east_m + u * sine + v * cosine
        y = self.north_m + u * cosine - v * sine
        return np.column_stack([x, y]).round(3)

    def to_uv(self, xy: ArrayLike) -> Array:
        """Return (n, 2) street coordinates of projected metres."""
        x, y = np.asarray(xy, dtype=np.float64).reshape(-1, 2).T
        sine, cosine = self.axis
        east, north = x - self.east_m, y - self.north_m
        return np.column_stack([east * sine + north * cosine, east * cosine - north * sine])


def street_frame(table: Mapping[str, Any], twin: Mapping[str, Any]) -> StreetFrame:
    """Return the frame of an ``area.toml``: origin in degrees, bearing of the long roads.

    Parameters
    ----------
    table
        ``[frame]`` of ``area.toml``: lonlat, origin_lon, origin_lat, bearing_deg.
    twin
        ``[twin]`` of ``district.toml``: frame, frame_height.

    Raises
    ------
    SourceError
        One of them says not where the district lies.
    """
    for name in ("frame", "frame_height"):
        if name not in twin:
            raise SourceError("authoring.no_district", given="district.toml", values={"what": name})
    crs, lonlat = str(twin["frame"]), str(table["lonlat"])
    place = [[float(table["origin_lon"]), float(table["origin_lat"])]]
    east, north = transform(place, source=lonlat, target=crs)[0]
    return StreetFrame(
        round(float(east), 3),
        round(float(north), 3),
        float(table["bearing_deg"]),
        crs,
        lonlat,
        str(twin["frame_height"]),
    )
