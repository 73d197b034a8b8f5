"""What stands near a point, within an area, in a box, or under an id.

The store finds the boxes that touch, shapely decides exactly. Distances are in plan,
from the point to the footprint, 0 inside it; answers are sorted by distance, then id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cim.crs import Frame, check_area_of_use, is_geographic, looks_like_lonlat, transform
from cim.errors import RequestError
from cim.model.kinds import kinds, split_layer
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, SchemedView, TwinView, layer_names
from cim.query.grammar import parse, properties
from cim.query.where import matches

if TYPE_CHECKING:
    import pandas

__all__ = ["Found", "box", "by_id", "near", "within"]

Floats = npt.NDArray[np.float64]
Test = Callable[[FeatureTable], tuple[npt.NDArray[np.bool_], Floats | None]]

_FAR_M = 10_000.0  # a frame whose origin is this far from zero holds no numbers like degrees


@dataclass(frozen=True)
class Found:
    """The features that answer a question, in order.

    Parameters
    ----------
    frame
        Frame of all coordinates.
    tables
        What was found, layer by layer.
    order
        ``(layer, row of its table)`` for each feature, in the order of the answer.
    distance_m
        Plan distance of each feature in that order; empty where none was asked for.
    """

    frame: Frame
    tables: Mapping[str, FeatureTable]
    order: tuple[tuple[str, int], ...]
    distance_m: tuple[float, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.order)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in order."""
        return tuple(str(self.tables[layer].ids[row]) for layer, row in self.order)

    def records(self) -> list[dict[str, Any]]:
        """Return one plain record per feature: id, kind, layer, distance, attributes, lonlat.

        ``lonlat`` is a point on the feature in degrees (CGCS2000 = WGS 84), absent where
        it has no place.
        """
        places = self._lonlats()
        records = []
        for i, (layer, row) in enumerate(self.order):
            record = self.tables[layer].row(row)
            head = {name: record.pop(name) for name in ("id", "kind", "layer")}
            if self.distance_m:
                head["distance_m"] = round(self.distance_m[i], 3)
            if np.isfinite(places[i]).all():
                record["lonlat"] = [round(float(part), 7) for part in places[i]]
            records.append({**head, **record})
        return records

    def to_pandas(self) -> pandas.DataFrame:
        """Return the records as a DataFrame indexed by id."""
        import pandas

        columns = None if self.order else ["id", "kind", "layer"]
        return pandas.DataFrame(self.records(), columns=columns).set_index("id")

    def _lonlats(self) -> Floats:
        import shapely

        shapes = np.empty(len(self.order), dtype=object)
        shapes[:] = [self.tables[layer].geometry[row] for layer, row in self.order]
        points = shapely.point_on_surface(shapes)
        # a missing geometry and an empty one both come out as NaN
        places = np.column_stack([shapely.get_x(points), shapely.get_y(points)])
        there = np.isfinite(places).all(axis=1)
        places[there] = transform(places[there], source=self.frame.crs, target="EPSG:4326")
        return places


def near(
    view: TwinView,
    point: tuple[float, float],
    *,
    radius_m: float,
    layer: str | None = None,
    where: str | None = None,
    limit: int | None = None,
    crs: str | None = None,
) -> Found:
    """Return what stands within a radius of a point, nearest first.

    Parameters
    ----------
    view
        Any twin.
    point
        x east, y north in the frame's metres, or in `crs` (longitude, latitude).
    radius_m
        Largest plan distance from the point to the footprint, that distance included.
    layer
        Layer or kind; None asks all.
    where
        CQL2 condition, see `cim.query.select`.
    limit
        Keep this many.
    crs
        What `point` is in; None is the frame.

    Raises
    ------
    RequestError
        A radius, point, layer, condition or limit that makes no sense.
    FrameError
        `crs` is unknown or the point has no place in the frame.
    """
    import shapely

    radius = _number(radius_m, "query.bad_radius")
    if radius < 0.0:
        raise RequestError("query.bad_radius", given=radius_m)
    x, y = _points(view, [point], crs)[0]
    here = shapely.Point(x, y)

    def test(table: FeatureTable) -> tuple[npt.NDArray[np.bool_], Floats | None]:
        distance = np.asarray(shapely.distance(table.geometry, here), dtype=np.float64)
        return distance <= radius, distance

    bounds = (x - radius, y - radius, x + radius, y + radius)
    return ask(view, bounds, test, layer=layer, where=where, limit=limit)


def within(
    view: TwinView,
    area: Any,
    *,
    layer: str | None = None,
    where: str | None = None,
    limit: int | None = None,
    crs: str | None = None,
) -> Found:
    """Return what lies wholly within an area, its edge included, sorted by id.

    Parameters
    ----------
    view
        Any twin.
    area
        A shapely polygon or multipolygon in the frame's metres, or in `crs`.
    layer, where, limit, crs
        See `near`.

    Raises
    ------
    RequestError
        Not a valid area, or as `near`.
    """
    import shapely

    _demand_area(area)
    if crs is not None:
        area = transform(area, source=crs, target=view.frame.crs)
    _demand_metres(view, shapely.get_coordinates(area), crs)
    shapely.prepare(area)

    def test(table: FeatureTable) -> tuple[npt.NDArray[np.bool_], Floats | None]:
        return np.asarray(shapely.covers(area, table.geometry)), None

    return ask(view, area.bounds, test, layer=layer, where=where, limit=limit)


def box(
    view: TwinView,
    bounds: Bounds,
    *,
    layer: str | None = None,
    where: str | None = None,
    limit: int | None = None,
    crs: str | None = None,
) -> Found:
    """Return what touches a box, sorted by id.

    Parameters
    ----------
    view
        Any twin.
    bounds
        ``(xmin, ymin, xmax, ymax)`` in the frame's metres, or in `crs`; a box in degrees
        is followed along its edges and is no box on the map.
    layer, where, limit, crs
        See `near`.

    Raises
    ------
    RequestError
        Not four finite numbers, or one side beyond the other, or as `near`.
    """
    import shapely

    numbers = [_number(part, "query.bad_box", given=bounds) for part in bounds]
    if len(numbers) != 4 or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        raise RequestError("query.bad_box", given=tuple(bounds))
    shape = shapely.box(*numbers)
    if crs is not None:
        side = max(numbers[2] - numbers[0], numbers[3] - numbers[1])
        dense = shapely.segmentize(shape, side / 32.0) if side > 0.0 else shape
        shape = transform(dense, source=crs, target=view.frame.crs)
    _demand_metres(view, shapely.get_coordinates(shape), crs)
    shapely.prepare(shape)

    def test(table: FeatureTable) -> tuple[npt.NDArray[np.bool_], Floats | None]:
        return np.asarray(shapely.intersects(shape, table.geometry)), None

    return ask(view, shape.bounds, test, layer=layer, where=where, limit=limit)


def by_id(view: TwinView, id: str) -> Found:
    """Return the one feature with this id.

    Raises
    ------
    RequestError
        There is none.
    """
    table = _one(view, str(id))
    if table is None:
        raise RequestError("query.no_id", given=id, values={"twin": view.name})
    return Found(view.frame, {table.layer: table}, ((table.layer, 0),))


def _one(view: TwinView, id: str) -> FeatureTable | None:
    edited: set[str] = set()
    if isinstance(view, SchemedView):  # only edited layers differ from the base
        edited = set(view.edits.layers()) & set(view.layers())
        found = _look(view, id, edited)
        if found is not None:
            return found
        below = _one(view.base, id)
        return None if below is None or below.layer in edited else below
    ask = getattr(view, "one", None)  # a stored twin has an index of ids
    if ask is None:
        return _look(view, id, set(view.layers()))
    try:
        table: FeatureTable = ask(id)
    except RequestError:
        return None
    return table if len(table) else None


def _look(view: TwinView, id: str, layers: set[str]) -> FeatureTable | None:
    for layer in sorted(layers):
        table = view.table(layer)
        rows = np.flatnonzero(table.ids == id)
        if len(rows):
            return table.take(rows[:1])
    return None


def ask(
    view: TwinView,
    bounds: Bounds | None,
    test: Test,
    *,
    layer: str | None,
    where: str | None,
    limit: int | None,
) -> Found:
    """Test what touches `bounds`, or all, in every layer asked for, and put it in order."""
    if limit is not None and (isinstance(limit, bool) or int(limit) != limit or limit < 1):
        raise RequestError("query.bad_limit", given=limit)
    tables = {name: view.table(name, bounds=bounds) for name in _layers(view, layer)}
    absent = _absent(tables, where)
    found: dict[str, FeatureTable] = {}
    rows: list[tuple[float, str, str, int]] = []
    measured = False
    for name, table in tables.items():
        mask, distance = test(table)
        measured = measured or distance is not None
        if where is not None:
            mask = mask & matches(table, where, absent=absent)
        found[name] = table.take(mask)
        away = np.zeros(len(found[name])) if distance is None else distance[mask]
        rows += [
            (float(away[i]), str(found[name].ids[i]), name, i) for i in range(len(found[name]))
        ]
    rows.sort()
    rows = rows[:limit]
    order = tuple((name, i) for _, _, name, i in rows)
    return Found(view.frame, found, order, tuple(row[0] for row in rows) if measured else ())


def _layers(view: TwinView, layer: str | None) -> list[str]:
    """Return the layers a name stands for; a kind of which the twin has nothing is no error."""
    there = sorted(view.layers())
    if layer is None:
        return there
    chosen = [name for name in there if name == layer or split_layer(name)[0] == layer]
    if not chosen and (layer in view.grids() or layer not in kinds()):
        raise RequestError("twin.no_layer", given=layer, values={"known": layer_names(view)})
    return chosen


def _absent(tables: Mapping[str, FeatureTable], where: str | None) -> list[str]:
    """Return the columns that only some layers have; a column none has is an error."""
    if where is None:
        return []
    tree = parse(where)
    if not tables:
        return []
    everywhere = {"id", "kind", "layer"}.union(*(table.columns for table in tables.values()))
    for name in properties(tree):
        if name not in everywhere:
            layers = ", ".join(tables)
            values = {"layer": layers, "known": ", ".join(sorted(everywhere))}
            raise RequestError("query.no_column", given=name, values=values)
    return sorted(everywhere)


def _points(view: TwinView, points: Any, crs: str | None) -> Floats:
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RequestError("query.bad_point", given=points[0]) from error
    if array.shape != (1, 2) or not np.isfinite(array).all():
        raise RequestError("query.bad_point", given=points[0])
    if crs is not None:
        x, y = (float(part) for part in array[0])
        if is_geographic(crs) and not looks_like_lonlat(array):
            raise RequestError("query.bad_lonlat", given=f"{x:g}, {y:g}")
        check_area_of_use(view.frame.crs, (x, y, x, y), bounds_crs=crs)
        return np.asarray(transform(array, source=crs, target=view.frame.crs))
    _demand_metres(view, array, crs)
    return array


def _demand_metres(view: TwinView, points: Floats, crs: str | None) -> None:
    """Raise where degrees are given for the metres of a frame far from zero."""
    far = float(np.hypot(*view.frame.origin)) > _FAR_M
    if crs is None and far and looks_like_lonlat(points):
        given = ", ".join(f"{part:g}" for part in points[0])
        raise RequestError("query.degrees", given=given, values={"crs": view.frame.crs})


def _demand_area(area: Any) -> None:
    import shapely

    name = getattr(area, "geom_type", type(area).__name__)
    if name not in ("Polygon", "MultiPolygon") or area.is_empty:
        raise RequestError("query.not_an_area", given=name)
    if not area.is_valid:
        why = shapely.is_valid_reason(area)
        raise RequestError("query.bad_area", given=name, values={"why": why})


def _number(value: Any, key: str, *, given: Any = None) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise RequestError(key, given=value if given is None else given) from error
    if not np.isfinite(number):
        raise RequestError(key, given=value if given is None else given)
    return number
