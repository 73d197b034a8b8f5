"""The features of one layer as columns: ids, geometry, attributes.

Columns are numpy arrays, missing values are None in object columns (text,
boolean, instant) and NaN in float columns (real, integer: exact to 2⁵³).
Geometry is shapely in projected metres of the twin's frame; an entry may be
None where an object has no place of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, ShapeError
from cim.model.kinds import COMMON, Field, FieldType, kind, split_layer

__all__ = ["FeatureTable", "as_column", "concat", "empty_table", "missing", "with_fields"]

Column = NDArray[Any]


def as_column(values: Iterable[Any], type_: FieldType) -> Column:
    """Return `values` as a column of the given type, missing values normalised.

    Raises
    ------
    ShapeError
        A value cannot be read as `type_`.
    """
    items = list(values)
    if type_ in ("real", "integer"):
        try:
            numbers = [np.nan if v is None or v == "" else float(v) for v in items]
        except (TypeError, ValueError) as error:
            raise ShapeError("table.not_a_number", given=str(error)) from error
        return np.array(numbers, dtype=np.float64)
    column = np.empty(len(items), dtype=object)
    for i, value in enumerate(items):
        missing = value is None or (isinstance(value, float) and np.isnan(value))
        column[i] = None if missing else _scalar(value, type_)
    return column


def _scalar(value: Any, type_: FieldType) -> Any:
    if type_ == "boolean":
        return value in (True, 1, "1", "true", "True", "yes", "是")
    return str(value)


@dataclass(frozen=True)
class FeatureTable:
    """The features of one layer.

    Attributes
    ----------
    layer
        ``kind`` or ``kind/name``.
    ids
        (n,) object array of str, unique.
    geometry
        (n,) object array of shapely geometries or None.
    columns
        name -> (n,) array; the common attributes are always there.
    fields
        One `Field` per column, in reading order.
    """

    layer: str
    ids: Column
    geometry: Column
    columns: Mapping[str, Column]
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        n = len(self.ids)
        wrong = [name for name, column in self.columns.items() if len(column) != n]
        if len(self.geometry) != n or wrong:
            raise ShapeError(
                "table.lengths",
                given=self.layer,
                values={"columns": ", ".join(wrong) or "geometry"},
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def kind(self) -> str:
        """Return the kind's name."""
        return split_layer(self.layer)[0]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def column(self, name: str) -> Column:
        """Return one column.

        Raises
        ------
        RequestError
            No such column; the message lists those there are.
        """
        if name not in self.columns:
            raise RequestError(
                "table.no_column",
                given=name,
                values={"layer": self.layer, "known": ", ".join(self.columns)},
            )
        return self.columns[name]

    def numbers(self, name: str, *, default: float = np.nan) -> NDArray[np.float64]:
        """Return column `name` as float64; `default` where missing or no such column."""
        if name not in self.columns:
            return np.full(len(self), default)
        column = np.asarray(self.columns[name], dtype=np.float64)
        return np.where(np.isnan(column), default, column)

    def texts(self, name: str, *, default: str = "") -> list[str]:
        """Return column `name` as str; `default` where missing or no such column."""
        if name not in self.columns:
            return [default] * len(self)
        return [default if v is None else str(v) for v in self.columns[name]]

    def take(self, index: NDArray[Any] | Sequence[int]) -> FeatureTable:
        """Return the rows at `index` (integers or a boolean mask)."""
        at = np.asarray(index)
        if at.size == 0 and at.dtype != bool:
            at = at.astype(np.intp)
        return replace(
            self,
            ids=self.ids[at],
            geometry=self.geometry[at],
            columns={name: column[at] for name, column in self.columns.items()},
        )

    def position(self) -> dict[str, int]:
        """Return the row number of every id."""
        return {id_: i for i, id_ in enumerate(self.ids)}

    def row(self, i: int) -> dict[str, Any]:
        """Return one feature as a plain record without its geometry; missing values left out."""
        record: dict[str, Any] = {"id": str(self.ids[i]), "kind": self.kind, "layer": self.layer}
        for field in self.fields:
            value = self.columns[field.name][i]
            if value is None or (isinstance(value, float) and np.isnan(value)):
                continue
            if field.type == "integer":
                value = int(value)
            elif field.type == "real":
                value = float(value)
            record[field.name] = value
        return record

    def bounds(self) -> tuple[float, float, float, float] | None:
        """Return (xmin, ymin, xmax, ymax) of all geometry in metres; None where there is none."""
        import shapely

        placed = self.geometry[
            ~(shapely.is_missing(self.geometry) | shapely.is_empty(self.geometry))
        ]
        if not len(placed):
            return None
        box = shapely.total_bounds(placed)
        return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))

    @property
    def illustrative(self) -> bool:
        """Tell whether any feature is illustrative (示意数据)."""
        return any(bool(v) for v in self.columns.get("illustrative", ()))


def empty_table(layer: str) -> FeatureTable:
    """Return a layer without features but with all declared columns of its kind."""
    fields = (*COMMON, *kind(split_layer(layer)[0]).fields)
    none = np.empty(0, dtype=object)
    columns = {f.name: as_column([], f.type) for f in fields}
    return FeatureTable(layer=layer, ids=none, geometry=none.copy(), columns=columns, fields=fields)


def concat(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Return several tables of one layer as one; columns one of them lacks are missing there.

    Raises
    ------
    ShapeError
        No table, or tables of different layers.
    """
    layers = {table.layer for table in tables}
    if len(layers) != 1:
        raise ShapeError("table.concat", given=", ".join(sorted(layers)) or "0")
    if len(tables) == 1:
        return tables[0]
    fields: dict[str, Field] = {}
    for table in tables:
        for field in table.fields:
            fields.setdefault(field.name, field)
    told = tuple(fields.values())
    tables = [with_fields(table, told) for table in tables]
    columns = {name: np.concatenate([t.columns[name] for t in tables]) for name in fields}
    return FeatureTable(
        layer=tables[0].layer,
        ids=np.concatenate([t.ids for t in tables]),
        geometry=np.concatenate([t.geometry for t in tables]),
        columns=columns,
        fields=told,
    )


def with_fields(table: FeatureTable, fields: Sequence[Field]) -> FeatureTable:
    """Return a table with these fields in their order; columns that it lacks are missing."""
    if tuple(fields) == table.fields and tuple(table.columns) == tuple(f.name for f in fields):
        return table
    n = len(table)
    columns = {f.name: table.columns.get(f.name, missing(n, f.type)) for f in fields}
    return replace(table, columns=columns, fields=tuple(fields))


def missing(count: int, type_: FieldType) -> Column:
    """Return a column in which every value is missing."""
    if type_ in ("real", "integer"):
        return np.full(count, np.nan)
    return np.full(count, None, dtype=object)
