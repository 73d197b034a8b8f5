"""Which geometries of a file can be kept, which are repaired, which are rejected.

Every fault is found for the whole layer at once; only the few objects at fault are
looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Checked", "Far", "check_before", "check_in_frame", "far_of", "from_wkb", "reject_far"]

SMALLEST_AREA_M2 = 0.01  # a footprint of 10 cm × 10 cm is no object of a city
SMALLEST_LENGTH_M = 0.01
FARTHEST_M = 500_000.0  # from the middle of its layer: another place, not this city
FARTHEST_DEG = 5.0

_CARRIED = {"polygon": (3, 6), "line": (1, 5), "point": (0, 4), "any": (0, 1, 3, 4, 5, 6)}
_NAMES = ("Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString",
          "MultiPolygon", "GeometryCollection")  # fmt: skip
_DIMENSION = {"polygon": 2, "line": 1, "point": 0}

Mask = NDArray[np.bool_]


@dataclass
class Checked:
    """Geometries under examination and what was said of them.

    Attributes
    ----------
    shapes
        (n,) shapely geometries or None.
    good
        (n,) False where rejected.
    rejected, repaired
        Row -> message key and values; a row stands in `rejected` once.
    notes
        Message key -> values, once for the layer.
    """

    shapes: NDArray[Any]
    good: Mask
    rejected: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    repaired: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def copy(self) -> Checked:
        """Return one that can be worked on without this one changing."""
        return Checked(self.shapes.copy(), self.good.copy(), {**self.rejected},
                       {**self.repaired}, {**self.notes})  # fmt: skip

    def reject(
        self, rows: Mask, key: str, values: Callable[[int], dict[str, Any]] | None = None
    ) -> None:
        """Reject the still good ones among `rows`."""
        for row in np.flatnonzero(rows & self.good):
            self.rejected[int(row)] = (key, values(int(row)) if values else {})
        self.good &= ~rows


def from_wkb(wkb: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """Return geometries, None where the bytes make none; NaN coordinates raise no alarm here."""
    import shapely

    with np.errstate(invalid="ignore"):
        return np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)


class Far(NamedTuple):
    """What is another place than that of a file: further than so many of its units from a point."""

    x: float
    y: float
    reach: float

    def beyond(self, boxes: NDArray[np.float64]) -> Mask:
        """Return which of (n, 4) boxes lie there."""
        middle = np.array([self.x, self.y])
        reach = np.maximum(np.abs(boxes[:, :2] - middle), np.abs(boxes[:, 2:] - middle))
        return np.asarray(reach.max(axis=1) > self.reach)


def check_before(wkb: NDArray[Any], *, carrier: str) -> Checked:
    """Read well-known binary and judge what needs neither metres nor the other objects yet.

    Parameters
    ----------
    wkb
        (n,) bytes or None.
    carrier
        What the kind is carried by: polygon, line, point or any.
    """
    import shapely

    shapes = from_wkb(wkb)
    missing = shapely.is_missing(shapes)
    done = Checked(shapes=shapes, good=np.ones(len(shapes), dtype=bool))
    there = np.array([item is not None for item in wkb], dtype=bool)
    done.reject(missing & there, "source.object.unreadable")
    done.reject(missing | shapely.is_empty(shapes), "source.object.no_geometry")
    done.reject(~_finite(shapes), "source.object.not_finite")
    _take_carried(done, carrier)
    shapes = done.shapes[done.good]
    if (shapely.has_z(shapes) | shapely.has_m(shapes)).any():
        done.shapes = np.asarray(shapely.force_2d(done.shapes))
        done.notes["source.z_dropped"] = {}
    return done


def check_in_frame(done: Checked) -> None:
    """Judge what needs metres: self-crossings (repaired), no area, no length; in place."""
    import shapely

    rows = np.flatnonzero(done.good)
    shapes = done.shapes[rows]
    kind_of = shapely.get_dimensions(shapes)
    crossing = np.zeros(len(rows), dtype=bool)
    crossing[kind_of == 2] = ~shapely.is_valid(shapes[kind_of == 2])
    if crossing.any():
        _repair(done, rows[crossing])
        shapes = done.shapes[rows]
        kind_of = shapely.get_dimensions(shapes)
    thin = np.zeros(len(done.good), dtype=bool)
    thin[rows] = (kind_of == 2) & (shapely.area(shapes) < SMALLEST_AREA_M2)
    done.reject(thin, "source.object.no_area")
    short = np.zeros(len(done.good), dtype=bool)
    short[rows] = (kind_of == 1) & (shapely.length(shapes) < SMALLEST_LENGTH_M)
    done.reject(short, "source.object.no_length")


def _repair(done: Checked, rows: NDArray[np.intp]) -> None:
    import shapely

    before = done.shapes[rows]
    after = shapely.make_valid(before, method="structure", keep_collapsed=False)
    for row, old, new in zip(rows, before, after, strict=True):
        whole = _only(new, 2)
        if whole is None or whole.area < SMALLEST_AREA_M2:
            one = np.zeros(len(done.good), dtype=bool)
            one[row] = True
            done.reject(one, "source.object.no_area")
            continue
        done.shapes[row] = whole
        reason = shapely.is_valid_reason(old).split("[")[0]
        done.repaired[int(row)] = (
            "source.object.repaired",
            {
                "why": reason,
                "before_m2": f"{abs(old.area):.2f}",
                "after_m2": f"{whole.area:.2f}",
            },
        )


def _finite(shapes: NDArray[Any]) -> Mask:
    import shapely

    coordinates, owner = shapely.get_coordinates(shapes, include_z=False, return_index=True)
    bad = ~np.isfinite(coordinates).all(axis=1)
    good = np.ones(len(shapes), dtype=bool)
    good[owner[bad]] = False
    return good


def _take_carried(done: Checked, carrier: str) -> None:
    """Reject geometry of another type than the kind's; take what is meant where that is plain."""
    import shapely

    types = shapely.get_type_id(done.shapes)
    wanted = _CARRIED.get(carrier, ())
    other = done.good & ~np.isin(types, wanted)
    for row in np.flatnonzero(other):
        taken = _meant(done.shapes[row], carrier)
        if taken is None:
            continue
        done.shapes[row], other[row] = taken, False
        done.repaired[int(row)] = (
            "source.object.type_taken",
            {"type": _NAMES[types[row]], "taken": taken.geom_type},
        )
    done.reject(
        other,
        "source.object.wrong_type",
        lambda row: {"type": _NAMES[types[row]], "carrier": carrier},
    )
    if carrier == "point":
        many = done.good & (types == 4)
        single = shapely.get_num_geometries(done.shapes) == 1
        done.reject(many & ~single, "source.object.many_points")
        for row in np.flatnonzero(many & single & done.good):
            done.shapes[row] = done.shapes[row].geoms[0]


def _meant(shape: Any, carrier: str) -> Any | None:
    """Return the polygon that a closed line draws, or the parts of a collection that fit."""
    import shapely

    if shape.geom_type == "GeometryCollection" and carrier in _DIMENSION:
        return _only(shape, _DIMENSION[carrier])
    closed = shape.geom_type in ("LineString", "LinearRing") and shape.is_closed
    if carrier == "polygon" and closed and len(shape.coords) >= 4:
        return shapely.Polygon(shape)
    return None


def _only(shape: Any, dimension: int) -> Any | None:
    """Return the parts of `shape` that have `dimension`, or None."""
    import shapely

    parts = shapely.get_parts(shape)
    parts = shapely.get_parts(parts[shapely.get_dimensions(parts) == dimension])
    if len(parts) == 0:
        return None
    if len(parts) == 1:
        return parts[0]
    return (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[dimension](parts)


def far_of(boxes: NDArray[np.float64], *, geographic: bool) -> Far | None:
    """Return what of a file lies elsewhere; None where nothing does, or nobody can say.

    Parameters
    ----------
    boxes
        (n, 4) xmin, ymin, xmax, ymax of all good objects of the file.
    geographic
        Whether they are degrees.
    """
    if len(boxes) < 3:
        return None
    middle = np.median((boxes[:, :2] + boxes[:, 2:]) / 2.0, axis=0)
    found = Far(float(middle[0]), float(middle[1]), FARTHEST_DEG if geographic else FARTHEST_M)
    count = int(found.beyond(boxes).sum())
    return found if 0 < count <= len(boxes) / 2 else None


def reject_far(done: Checked, far: Far | None) -> None:
    """Reject what lies elsewhere; in place."""
    import shapely

    if far is not None:
        rows = np.flatnonzero(done.good)
        mask = np.zeros(len(done.good), dtype=bool)
        mask[rows] = far.beyond(shapely.bounds(done.shapes[rows]))
        done.reject(mask, "source.object.far")
