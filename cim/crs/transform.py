"""Coordinates from one system to another: points, geometries, heights, angles of the grid.

Always x east and y north, longitude before latitude: EPSG:4548 itself declares
X = north, Y = east, and whoever forgets it builds a city in the Pacific. CGCS2000 and
WGS 84 are taken as the same (a null step in PROJ): they differ by centimetres to a
decimetre with plate motion, so nothing here is better than that between the two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cim.crs.china import bd09_to_wgs84, gcj02_to_wgs84
from cim.crs.local import LocalSystem
from cim.crs.names import PSEUDO_CRS, offline_pyproj, parse_crs, parse_height_datum, proj_crs
from cim.errors import FrameError

if TYPE_CHECKING:
    import pyproj

__all__ = [
    "from_geocentric",
    "grid_convergence_deg",
    "scale_factor",
    "to_geocentric",
    "transform",
    "transform_heights",
]

Array = npt.NDArray[np.float64]

_LONLAT = "EPSG:4326"
_YELLOW_1956_OVER_1985_M = 0.029  # origin 72.289 m in 1956, 72.260 m in 1985: the definition
_YELLOW_SEA = {"cgvd1985": 0.0, "yellow1956": _YELLOW_1956_OVER_1985_M}


def transform(coordinates: Any, *, source: str | LocalSystem, target: str) -> Any:
    """Return `coordinates` in another coordinate system.

    Parameters
    ----------
    coordinates
        ``(n, 2)`` or ``(n, 3)`` array (x east or longitude, y north or latitude), or a
        shapely geometry or array of them. A third column and z are kept as they are:
        heights have their own `transform_heights`.
    source
        Any name `parse_crs` knows, also ``"GCJ-02"`` and ``"BD-09"``, or a `LocalSystem`.
    target
        Any name `parse_crs` knows except those two.

    Returns
    -------
    float64 array of the same shape, or geometries.

    Raises
    ------
    FrameError
        Unknown system, a shifted system as target, or points that have no place in
        `target`; the error names how many.

    Examples
    --------
    >>> transform([[117.2, 39.0]], source="EPSG:4490", target="EPSG:4548").round(3).tolist()
    [[517325.288, 4318523.014]]
    """
    goal = parse_crs(target)
    if goal in PSEUDO_CRS:
        raise FrameError("crs.pseudo_target", given=goal)
    start = source if isinstance(source, LocalSystem) else parse_crs(source)
    if _holds_geometry(coordinates):
        import shapely

        def move(xy: Array) -> Array:
            return _transform_array(xy, start, goal)

        return shapely.transform(coordinates, move, include_z=None)
    points = np.asarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise FrameError("crs.not_points", given=f"shape {points.shape}")
    return _transform_array(points, start, goal)


def _holds_geometry(coordinates: Any) -> bool:
    if hasattr(coordinates, "geom_type"):
        return True
    return getattr(np.asarray(coordinates, dtype=object).reshape(-1), "size", 0) > 0 and all(
        item is None or hasattr(item, "geom_type")
        for item in np.asarray(coordinates, dtype=object).reshape(-1)[:8]
    )


def _transform_array(points: Array, source: str | LocalSystem, target: str) -> Array:
    if isinstance(source, LocalSystem):
        points = _with_z(source.to_projected(points[:, :2]), points)
        source = parse_crs(source.crs)
    if source in PSEUDO_CRS:
        undo = gcj02_to_wgs84 if source == "GCJ-02" else bd09_to_wgs84
        points = _with_z(undo(points[:, :2]), points)
        source = _LONLAT
    if source == target or points.size == 0:
        moved = points[:, :2].copy()
    else:
        offline_pyproj()  # the switch is per thread
        x, y = _transformer(source, target).transform(points[:, 0], points[:, 1])
        moved = np.column_stack([x, y]).astype(np.float64, copy=False)
    lost = ~np.isfinite(moved).all(axis=1)
    if lost.any():
        first = points[int(np.argmax(lost)), :2].tolist()
        values = {"count": int(lost.sum()), "total": len(points), "target": target}
        raise FrameError("crs.not_finite", given=f"{first} ({source})", values=values)
    return _with_z(moved, points)


def _with_z(xy: Array, points: Array) -> Array:
    return np.column_stack([xy, points[:, 2]]) if points.shape[1] == 3 else xy


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    proj: Any = offline_pyproj()
    try:
        way: pyproj.Transformer = proj.Transformer.from_crs(
            proj_crs(source), proj_crs(target), always_xy=True
        )
    except proj.exceptions.ProjError as error:
        raise FrameError("crs.no_way", given=source, values={"target": target}) from error
    return way


def to_geocentric(lonlat_height: npt.ArrayLike, *, crs: str) -> Array:
    """Return geocentric x, y, z in metres of longitude, latitude, ellipsoid height.

    Parameters
    ----------
    lonlat_height
        ``(n, 3)``: degrees, degrees, metres above the ellipsoid of `crs`.
    crs
        A geographic system; its ellipsoid counts. For seven-parameter local systems.
    """
    return _geocentric(lonlat_height, crs, forward=True)


def from_geocentric(xyz: npt.ArrayLike, *, crs: str) -> Array:
    """Return longitude, latitude, ellipsoid height of geocentric ``(n, 3)`` metres."""
    return _geocentric(xyz, crs, forward=False)


def _geocentric(points: npt.ArrayLike, crs: str, *, forward: bool) -> Array:
    proj: Any = offline_pyproj()
    body = proj_crs(parse_crs(crs)).ellipsoid
    if body is None:
        raise FrameError("crs.unknown", given=crs)
    step = f"+proj=cart +a={body.semi_major_metre!r} +b={body.semi_minor_metre!r}"
    pipe = proj.Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step {step}"
    )
    x, y, z = np.asarray(points, dtype=np.float64).reshape(-1, 3).T
    direction = "FORWARD" if forward else "INVERSE"
    return np.column_stack(pipe.transform(x, y, z, direction=direction))


def transform_heights(
    z_m: npt.ArrayLike, *, source: str, target: str, offset_m: float | None = None
) -> Array:
    """Return heights above another datum (高程基准).

    The Yellow Sea heights of 1956 are 0.029 m larger than those of 1985. Dagu (大沽)
    heights are larger by 1.16 m, 1.21 m or something else: published values contradict
    each other and change with place and year, so there is no default.

    Parameters
    ----------
    z_m
        Heights in metres, any shape.
    source, target
        Names that `parse_height_datum` knows.
    offset_m
        For a datum with no fixed relation (``dagu``, ``ellipsoid``, an EPSG code): its
        heights minus Yellow Sea heights, the same sign both ways. Asked for only then.

    Raises
    ------
    FrameError
        No offset where one is needed, one where none is, ``relative`` or ``unknown``
        against anything else, or two datums that are both local.
    """
    heights = np.array(z_m, dtype=np.float64)
    start, goal = parse_height_datum(source), parse_height_datum(target)
    pair = f"{start} → {goal}"
    fixed = start == goal or (start in _YELLOW_SEA and goal in _YELLOW_SEA)
    if fixed:
        if offset_m is not None:
            raise FrameError("crs.height_offset_not_needed", given=f"{pair}, {offset_m} m")
        return heights + (_YELLOW_SEA.get(goal, 0.0) - _YELLOW_SEA.get(start, 0.0))
    if {start, goal} & {"relative", "unknown"}:
        raise FrameError("crs.height_no_relation", given=pair)
    if start not in _YELLOW_SEA and goal not in _YELLOW_SEA:
        raise FrameError("crs.height_two_local", given=pair)
    if offset_m is None or not np.isfinite(offset_m):
        raise FrameError("crs.height_offset_missing", given=pair)
    return heights + (offset_m if start in _YELLOW_SEA else -offset_m)


def grid_convergence_deg(crs: str, lon: float, lat: float) -> float:
    """Return the angle from true north to grid north, degrees, positive clockwise.

    East of the central meridian it is positive in the northern hemisphere: there the
    grid's north points east of true north. The sun and a compass know true north.

    Examples
    --------
    >>> round(grid_convergence_deg("EPSG:4548", 117.2, 39.1), 3)
    0.126
    """
    return float(_factors(crs, lon, lat).meridian_convergence)


def scale_factor(crs: str, lon: float, lat: float) -> float:
    """Return grid length divided by length on the ellipsoid, along the meridian."""
    return float(_factors(crs, lon, lat).meridional_scale)


def _factors(crs: str, lon: float, lat: float) -> Any:
    proj: Any = offline_pyproj()
    name = parse_crs(crs)
    if not proj_crs(name).is_projected:
        raise FrameError("crs.not_projected", given=name)
    try:
        return proj.Proj(proj_crs(name)).get_factors(lon, lat, errcheck=True)
    except proj.exceptions.ProjError as error:
        values = {"count": 1, "total": 1, "target": name}
        raise FrameError("crs.not_finite", given=f"{lon}, {lat}", values=values) from error
