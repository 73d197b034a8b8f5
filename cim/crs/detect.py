"""The classic mistakes of coordinates, each with a detector that has its name.

Degrees read as metres, millimetres read as metres, north and east exchanged: these show
in the numbers alone. An undeclared GCJ-02 or BD-09 shift shows only against something
known: roads or buildings already in the twin. Without them the answer is *cannot tell*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cim.crs.china import bd09_to_wgs84, gcj02_to_wgs84
from cim.crs.frame import Box, Frame, from_lonlat, lonlat, lonlat_box, outside_area
from cim.crs.names import axis_unit_m, is_geographic, parse_crs

__all__ = [
    "Verdict",
    "looks_like_bd09",
    "looks_like_gcj02",
    "looks_like_lonlat",
    "looks_like_millimetres",
    "looks_like_swapped_axes",
]

Array = npt.NDArray[np.float64]

_NEAR_M = 60.0  # the median displacement may miss the model's shift by this much
_SHARE = 1.0 / 3.0  # residual at most this share of the shift and of chance
_FEWEST = 5  # points on either side that a verdict needs
_FEWEST_APART = 60  # points that a verdict from keeping clear of lines needs
_CLEAR, _CROSSING = 0.08, 0.15  # shares of points close to lines, where chance gives 0.25
_MOST = 800  # points looked at; more change nothing
_REACH_M = 150.0  # how far around the reference a moved point still counts
_STARTS_M = (0.0, -40.0, 40.0)
_VOTE_M = 6.0  # cell in which pairs of points vote for one displacement
_ROUNDS = 4


@dataclass(frozen=True)
class Verdict:
    """What a detector says of a layer, with the displacement it measured.

    Parameters
    ----------
    answer
        ``"yes"``, ``"no"`` or ``"cannot tell"``.
    dx_m, dy_m
        Median displacement layer minus reference, east and north; None if unmeasured.
    spread_m
        Median distance to the reference that is left after taking the displacement out.
    count
        Points of the layer that were compared.
    """

    answer: Literal["yes", "no", "cannot tell"]
    dx_m: float | None = None
    dy_m: float | None = None
    spread_m: float | None = None
    count: int = 0


def looks_like_lonlat(xy: npt.ArrayLike) -> bool:
    """Return True when numbers given as metres are longitudes and latitudes.

    No map plane of a city has coordinates below 180 by 90 metres from its zero point.

    Parameters
    ----------
    xy
        ``(n, 2)`` coordinates, or a box ``(xmin, ymin, xmax, ymax)``.

    Examples
    --------
    >>> looks_like_lonlat([[117.2, 39.1]]), looks_like_lonlat([[517325.3, 4318523.0]])
    (True, False)
    """
    points = _points(xy)
    if len(points) == 0:
        return False
    return bool((np.abs(points[:, 0]) <= 180.0).all() and (np.abs(points[:, 1]) <= 90.0).all())


def looks_like_millimetres(bounds: npt.ArrayLike, crs: object) -> bool:
    """Return True when the data fit the projected system only after division by 1000.

    Parameters
    ----------
    bounds
        Box ``(xmin, ymin, xmax, ymax)``, or ``(n, 2)`` points.
    crs
        The system the file claims to be in.
    """
    name, box = parse_crs(crs), _box(bounds)
    if box is None or is_geographic(name) or axis_unit_m(name) != 1.0:
        return False
    return not _fits(name, box) and _fits(name, tuple(part / 1000.0 for part in box))


def looks_like_swapped_axes(xy: npt.ArrayLike, crs: object) -> bool:
    """Return True when the data fit the system only with x and y exchanged.

    EPSG:4548 and EPSG:4490 declare north (latitude) first, and some files believe it.

    Parameters
    ----------
    xy
        ``(n, 2)`` points, or a box ``(xmin, ymin, xmax, ymax)``.
    crs
        The system the file claims to be in.
    """
    name, box = parse_crs(crs), _box(xy)
    if box is None:
        return False
    xmin, ymin, xmax, ymax = box
    return not _fits(name, box) and _fits(name, (ymin, xmin, ymax, xmax))


def looks_like_gcj02(layer: Any, reference: Any, *, frame: Frame) -> Verdict:
    """Say whether a layer that claims to be unshifted is in fact GCJ-02 (火星坐标).

    The shift (near Tianjin 544 m east, 114 m north) is larger than the distance between
    buildings, so the nearest neighbour alone proves nothing. The layer is therefore
    taken back through the model, and through BD-09, and left as it is: the answer is
    *yes* only where GCJ-02 alone makes it fit.

    Parameters
    ----------
    layer
        ``(n, 2)`` projected metres in `frame`, or geometries (polygons count by their
        centroid, lines by their vertices).
    reference
        Points or geometries known to be right: the same kind of thing, or the roads.
    frame
        The frame both are in.

    Returns
    -------
    Verdict
        *cannot tell* without a reference, with fewer than five points, or where no
        position fits better than chance.
    """
    return _judge(layer, reference, frame, "gcj02")


def looks_like_bd09(layer: Any, reference: Any, *, frame: Frame) -> Verdict:
    """Say whether a layer that claims to be unshifted is in fact BD-09 (百度).

    As `looks_like_gcj02`; the shift near Tianjin is 1106 m east, 771 m north.
    """
    return _judge(layer, reference, frame, "bd09")


@dataclass(frozen=True)
class _Fit:
    """How a layer lies against the reference once taken back through one model."""

    shift: Array  # model's median shift in metres, layer minus truth
    offset: Array  # what is left between layer and reference
    raw_m: float  # median distance before taking `offset` out
    left_m: float  # median distance after
    count: int  # points near the reference
    close: float  # share of the points within its hull that are nearer than chance's quartile
    within: int  # points within its hull
    enough: bool  # are these most of the layer


def _judge(layer: Any, reference: Any, frame: Frame, model: str) -> Verdict:
    points, things = _thin(_layer_points(layer)), _things(reference)
    if len(points) < _FEWEST or len(things) < (1 if _has_lines(things) else _FEWEST):
        return Verdict("cannot tell", count=len(points))
    known = _Reference(things)
    if known.chance_m <= 0.0:
        return Verdict("cannot tell", count=len(points))
    degrees = lonlat(frame, points)
    back: dict[str, Array] = {
        "none": points,
        "gcj02": from_lonlat(frame, gcj02_to_wgs84(degrees)),
        "bd09": from_lonlat(frame, bd09_to_wgs84(degrees)),
    }
    fits = {name: _fit(points, moved, known) for name, moved in back.items()}
    best = _best_fit(fits, known)
    if best is not None:
        dx_m, dy_m = (float(part) for part in fits[best].shift + fits[best].offset)
        answer: Literal["yes", "no"] = "yes" if best == model else "no"
        return Verdict(answer, dx_m, dy_m, fits[best].left_m, fits[best].count)
    best = _clear_of_lines(fits) if known.lines else None
    if best is not None:  # known to belong there, but not to the metre
        return Verdict("yes" if best == model else "no", count=fits[best].within)
    return Verdict("cannot tell", count=len(points))


def _best_fit(fits: dict[str, _Fit], known: _Reference) -> str | None:
    """Name the one position at which the layer lies on the reference, None where open."""
    good = [name for name, fit in fits.items() if _attracted(fit, known)]
    if len(good) > 1:  # regular rows fit in many places; the right one fits without a push
        good.sort(key=lambda name: fits[name].raw_m)
        first, second = (fits[name].raw_m for name in good[:2])
        good = good[:1] if first <= second / 2.0 else []
    return good[0] if good else None


def _attracted(fit: _Fit, known: _Reference) -> bool:
    length = float(np.hypot(*fit.shift))
    limit = known.chance_m if length == 0.0 else min(known.chance_m, length)
    near = float(np.hypot(*fit.offset)) <= _NEAR_M
    return fit.count >= _FEWEST and near and fit.left_m <= _SHARE * limit


def _clear_of_lines(fits: dict[str, _Fit]) -> str | None:
    """Name the one position at which buildings keep clear of the roads, None where open.

    A fifth of any scattered points lies close to a road line; of buildings where they
    belong next to none. Counted only inside the hull of the roads.
    """
    clear = [name for name, fit in fits.items() if fit.close <= _CLEAR and fit.enough]
    others = [fit for name, fit in fits.items() if name not in clear]
    if len(clear) != 1 or not all(fit.close >= _CROSSING or fit.within == 0 for fit in others):
        return None
    return clear[0]


def _fit(layer: Array, moved: Array, known: _Reference) -> _Fit:
    shift = np.median(layer - moved, axis=0)
    close, within = known.closeness(moved)
    enough = within >= max(_FEWEST_APART, 0.7 * len(moved))
    near = moved[known.holds(moved)]
    if len(near) < max(_FEWEST, 0.2 * len(moved)):
        return _Fit(shift, np.zeros(2), np.inf, np.inf, 0, close, within, enough)
    raw_m = float(np.median(np.hypot(*(near - known.nearest(near)).T)))
    offset, left_m = min(
        (_settle(near, start, known) for start in known.starts(near)),
        key=lambda result: result[1],
    )
    return _Fit(shift, offset, raw_m, left_m, len(near), close, within, enough)


def _settle(points: Array, offset: Array, known: _Reference) -> tuple[Array, float]:
    """Move `points` by their median way to the reference until they rest."""
    left = np.inf
    for _ in range(_ROUNDS):
        way = points - offset - known.nearest(points - offset)
        left = float(np.median(np.hypot(*way.T)))
        step = np.median(way, axis=0)
        if np.hypot(*step) < 0.1:
            break
        offset = offset + step
    return offset, left


class _Reference:
    """Known points or lines, with the distance that chance alone would give."""

    def __init__(self, things: Any) -> None:
        import shapely

        self.lines = _has_lines(things)
        self._parts = _segments(things) if self.lines else things
        self._tree = shapely.STRtree(self._parts)
        hull = shapely.convex_hull(shapely.geometrycollections(things))
        self._hull, self._reach = hull, shapely.buffer(hull, _REACH_M)
        shapely.prepare([self._hull, self._reach])
        self.chance_m = self._close_m = 0.0
        if hull.area == 0.0:
            return
        xmin, ymin, xmax, ymax = hull.bounds
        x, y = np.meshgrid(np.linspace(xmin, xmax, 30), np.linspace(ymin, ymax, 30))
        anywhere = np.column_stack([x.ravel(), y.ravel()])
        anywhere = anywhere[shapely.intersects_xy(hull, anywhere)]
        distance = np.hypot(*(anywhere - self.nearest(anywhere)).T)
        self.chance_m = float(np.median(distance))
        self._close_m = float(np.quantile(distance, 0.25))

    def holds(self, points: Array) -> npt.NDArray[np.bool_]:
        import shapely

        return np.asarray(shapely.intersects_xy(self._reach, points))

    def closeness(self, points: Array) -> tuple[float, int]:
        import shapely

        within = points[shapely.intersects_xy(self._hull, points)]
        if len(within) == 0:
            return 0.0, 0
        distance = np.hypot(*(within - self.nearest(within)).T)
        return float((distance < self._close_m).mean()), len(within)

    def starts(self, points: Array) -> list[Array]:
        """Return offsets to try: for points those that most pairs agree on, else a lattice."""
        import shapely

        if self.lines:
            return [np.array([x, y]) for x in _STARTS_M for y in _STARTS_M]
        seeds = shapely.points(points)
        mine, theirs = self._tree.query(seeds, predicate="dwithin", distance=1.25 * _NEAR_M)
        ways = points[mine] - shapely.get_coordinates(self._parts[theirs])
        cells, counts = np.unique(np.round(ways / _VOTE_M), axis=0, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:4]
        return [np.zeros(2), *(cells[most] * _VOTE_M)]

    def nearest(self, points: Array) -> Array:
        import shapely

        seeds = shapely.points(points)
        found = self._parts[self._tree.nearest(seeds)]
        ways = shapely.shortest_line(seeds, found)
        return np.asarray(shapely.get_coordinates(ways).reshape(-1, 2, 2)[:, 1])


def _segments(things: Any) -> Any:
    """Return the single segments of lines: small boxes make a quick tree."""
    import shapely

    lines = shapely.get_parts(things)
    ends, owner = shapely.get_coordinates(lines, return_index=True)
    joined = owner[1:] == owner[:-1]
    return shapely.linestrings(np.stack([ends[:-1][joined], ends[1:][joined]], axis=1))


def _has_lines(things: Any) -> bool:
    import shapely

    return len(things) > 0 and bool((shapely.get_dimensions(things) == 1).any())


def _things(reference: Any) -> Any:
    """Return the reference as an array of points or of lines."""
    import shapely

    if reference is None:
        return np.array([], dtype=object)
    if not _is_geometry(reference):
        points = _points(reference)
        return shapely.points(points[np.isfinite(points).all(axis=1)])
    shapes = _shapes(reference)
    lines = shapes[shapely.get_dimensions(shapes) == 1]
    return lines if len(lines) else shapely.points(_layer_points(shapes))


def _layer_points(layer: Any) -> Array:
    """Return ``(n, 2)`` points of coordinates or geometries, none of them NaN."""
    import shapely

    if layer is None:
        return np.empty((0, 2))
    if _is_geometry(layer):
        shapes = _shapes(layer)
        lines = shapely.get_dimensions(shapes) == 1
        centroids = shapely.get_coordinates(shapely.centroid(shapes[~lines]))
        points = np.concatenate([centroids, shapely.get_coordinates(shapes[lines])])
    else:
        points = _points(layer)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _shapes(given: Any) -> Any:
    import shapely

    shapes = np.atleast_1d(np.asarray(given, dtype=object))
    present = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    return present


def _is_geometry(given: Any) -> bool:
    if hasattr(given, "geom_type"):
        return True
    array = np.asarray(given, dtype=object)
    return array.ndim == 1 and any(x is None or hasattr(x, "geom_type") for x in array)


def _thin(points: Array) -> Array:
    if len(points) <= _MOST:
        return points
    chosen = np.linspace(0, len(points) - 1, _MOST).round().astype(np.intp)
    return np.asarray(points[chosen])


def _points(xy: npt.ArrayLike) -> Array:
    array = np.asarray(xy, dtype=np.float64)
    if array.ndim == 1 and array.size == 4:
        array = array.reshape(2, 2)
    points = array.reshape(-1, array.shape[-1] if array.ndim == 2 else 2)[:, :2]
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _box(given: npt.ArrayLike) -> Box | None:
    points = _points(given)
    if len(points) == 0:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _fits(crs: str, box: Any) -> bool:
    return not outside_area(crs, lonlat_box(crs, box))
