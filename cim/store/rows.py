"""How features become rows of a GeoPackage table, and rows features."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import Field, split_layer
from cim.model.table import FeatureTable, as_column
from cim.store.schema import columns_of, index_of, quoted

__all__ = [
    "index_boxes",
    "read_fields",
    "read_rows",
    "row_columns",
    "to_blobs",
    "to_shapes",
    "write_fields",
    "write_index",
    "write_rows",
]

_ENVELOPES = (0, 32, 48, 48, 64)
_HEADER = np.dtype([("magic", "S3"), ("flags", "u1"), ("srs", "<i4"), ("box", "<f8", 4)])
_NUMBERS, _TEXTS = frozenset([float, int, type(None)]), frozenset([str, type(None)])


def to_blobs(geometry: NDArray[Any], srs_id: int) -> list[bytes | None]:
    """Return geometries as GeoPackage blobs (OGC 12-128, 2.1.3), None where there is none."""
    import shapely

    wkb = shapely.to_wkb(geometry, output_dimension=3, byte_order=1, flavor="iso")
    heads = np.empty(len(wkb), dtype=_HEADER)
    heads["magic"], heads["flags"], heads["srs"] = b"GP\0", 0b00000011, srs_id
    heads["box"] = shapely.bounds(geometry)[:, [0, 2, 1, 3]]
    size, head = _HEADER.itemsize, heads.tobytes()
    return [
        None if one is None else head[i * size : i * size + size] + one for i, one in enumerate(wkb)
    ]


def to_shapes(blobs: Sequence[bytes | None]) -> NDArray[Any]:
    """Return GeoPackage blobs, ours or another program's, as shapely geometries."""
    import shapely

    bodies = [None if b is None else b[8 + _ENVELOPES[(b[3] >> 1) & 7] :] for b in blobs]
    shapes = np.empty(len(bodies), dtype=object)
    if bodies:
        shapes[:] = shapely.from_wkb(np.array(bodies, dtype=object))
    return shapes


def row_columns(kind_name: str) -> list[str]:
    """Return the columns of a kind's table in the order they are written and read."""
    return [
        "geom",
        "id",
        "layer",
        *(f.name for f in columns_of(kind_name)),
        "attributes",
        "changed_in",
    ]


def write_rows(
    connection: sqlite3.Connection,
    table: FeatureTable,
    *,
    srs_id: int,
    origin: tuple[float, float],
    version: int,
    rows: Sequence[int] | None = None,
    indexed: bool = True,
) -> None:
    """Write features and their entries in the R*Tree.

    Parameters
    ----------
    connection
        Open in a transaction; the kind's table is there.
    table
        The features.
    srs_id
        EPSG code written into the geometry.
    origin
        Subtracted from coordinates in the index.
    version
        Written into ``changed_in``.
    rows
        Row numbers (fid) to use, for features that replace others; new ones where None.
    indexed
        False where the R*Tree is filled at once when all are written.
    """
    kind_name = table.kind
    if not len(table):
        return
    if rows is None:
        last = connection.execute(
            f"SELECT coalesce(max(fid), 0) FROM {quoted(kind_name)}"
        ).fetchone()[0]
        rows = range(last + 1, last + 1 + len(table))
    names = row_columns(kind_name)
    marks = ", ".join("?" * (len(names) + 1))
    connection.executemany(
        f"INSERT INTO {quoted(kind_name)} (fid, {', '.join(map(quoted, names))}) VALUES ({marks})",
        _records(table, rows, srs_id, version),
    )
    if indexed:
        write_index(connection, table, rows, origin=origin)


def write_index(
    connection: sqlite3.Connection,
    table: FeatureTable,
    rows: Iterable[int],
    *,
    origin: tuple[float, float],
) -> None:
    """Write the entries of features in the R*Tree of their kind.

    A row another program deleted leaves its entry behind, and its number comes again.
    """
    connection.executemany(
        f"INSERT OR REPLACE INTO {index_of(table.kind)} VALUES (?, ?, ?, ?, ?, ?, ?)",
        _boxes(table, rows, origin),
    )


def _records(
    table: FeatureTable, rows: Iterable[int], srs_id: int, version: int
) -> Iterable[tuple[Any, ...]]:
    declared = {f.name for f in columns_of(table.kind)}
    own = [f for f in table.fields if f.name not in declared]
    n = len(table)
    columns: list[Sequence[Any]] = []
    for field in columns_of(table.kind):
        column = table.columns.get(field.name)
        columns.append([None] * n if column is None else _plain(column, field))
    others = {f.name: _plain(table.columns[f.name], f) for f in own}
    texts: Iterable[str | None] = repeat(None, n)
    if others:
        texts = (
            json.dumps(kept, ensure_ascii=False) if kept else None
            for values in zip(*others.values(), strict=True)
            for kept in [{k: v for k, v in zip(others, values, strict=True) if v is not None}]
        )
    ids = [str(id_) for id_ in table.ids]
    yield from zip(
        rows,
        to_blobs(table.geometry, srs_id),
        ids,
        repeat(table.layer, n),
        *columns,
        texts,
        repeat(version, n),
        strict=True,
    )


def _plain(column: NDArray[Any], field: Field) -> list[Any]:
    if field.type == "integer":
        return [None if v != v else int(v) if float(v).is_integer() else v for v in column.tolist()]
    if field.type == "real":
        return [None if v != v else float(v) for v in column.tolist()]
    return list(column)


def index_boxes(table: FeatureTable, origin: tuple[float, float]) -> NDArray[np.float64]:
    """Return (n, 6) minx, maxx, miny, maxy, minz, maxz from the origin; NaN without a place."""
    import shapely

    box = shapely.bounds(table.geometry) - np.array([*origin, *origin])
    low = table.numbers("base_m", default=0.0)
    high = low + table.numbers("height_m", default=0.0)
    z = (np.minimum(low, high), np.maximum(low, high))
    return np.column_stack([box[:, 0], box[:, 2], box[:, 1], box[:, 3], *z])


def _boxes(
    table: FeatureTable, rows: Iterable[int], origin: tuple[float, float]
) -> Iterable[tuple[float, ...]]:
    for fid, box in zip(rows, index_boxes(table, origin).tolist(), strict=True):
        if box[0] == box[0]:
            yield (fid, *box)


def write_fields(connection: sqlite3.Connection, layer: str, fields: Sequence[Field]) -> None:
    """Declare the attributes of a layer; those declared before stay as they are."""
    connection.executemany(
        "INSERT OR IGNORE INTO cim_field VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                layer,
                i,
                f.name,
                f.type,
                f.unit,
                f.en,
                f.zh,
                f.source,
                f.date,
                f.accuracy_m,
                f.licence,
            )
            for i, f in enumerate(fields)
        ],
    )


def read_fields(connection: sqlite3.Connection, layer: str) -> tuple[Field, ...]:
    """Return the declared attributes of a layer."""
    found = connection.execute(
        "SELECT name, type, unit, en, zh, source, date, accuracy_m, licence FROM cim_field "
        "WHERE layer = ? ORDER BY position, rowid",
        (layer,),
    )
    return tuple(Field(*row) for row in found)


def read_rows(rows: Sequence[tuple[Any, ...]], layer: str, fields: Sequence[Field]) -> FeatureTable:
    """Return rows in the order of `row_columns` as a table."""
    kind_name = split_layer(layer)[0]
    at, declared = _layout(kind_name)
    given = list(zip(*rows, strict=True)) or [()] * len(at)
    texts = given[at["attributes"]]
    others = [json.loads(text) if text else {} for text in texts]
    columns: dict[str, NDArray[Any]] = {}
    for field in fields:  # a source may call an attribute of its own "id" or "layer"
        if field.name in declared:
            values: Sequence[Any] = given[at[field.name]]
        else:
            values = [other.get(field.name) for other in others]
        columns[field.name] = _column(values, field)
    ids = np.empty(len(rows), dtype=object)
    ids[:] = given[at["id"]]
    return FeatureTable(
        layer=layer,
        ids=ids,
        geometry=to_shapes(given[0]),
        columns=columns,
        fields=tuple(fields),
    )


@cache
def _layout(kind_name: str) -> tuple[dict[str, int], frozenset[str]]:
    """Return where each column of a kind's table stands, and the kind's own attributes."""
    at = {name: i for i, name in enumerate(row_columns(kind_name))}
    return at, frozenset(f.name for f in columns_of(kind_name))


def _column(values: Sequence[Any], field: Field) -> NDArray[Any]:
    """Return what is stored as a column; what another program wrote may be of any type."""
    if field.type in ("real", "integer"):
        if {*map(type, values)} <= _NUMBERS:
            return np.array(values, dtype=np.float64)
    elif field.type != "boolean" and {*map(type, values)} <= _TEXTS:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return as_column(values, field.type)
