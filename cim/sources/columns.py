"""Rows and columns of a file as they stand there, and Arrow tables as such rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import FieldType

__all__ = ["LARGEST_EXACT", "Column", "Rows", "split_table"]

LARGEST_EXACT = 2.0**53  # beyond it a float64 column would round whole numbers


@dataclass(frozen=True)
class Column:
    """One column of a file: float64 with NaN for missing, or objects with None.

    ``not_finite`` marks numbers that the file gives as NaN or infinite, as against none.
    """

    type: FieldType
    values: NDArray[Any]
    not_finite: NDArray[np.bool_] | None = None


@dataclass
class Rows:
    """All rows of one layer of a file, as they stand there.

    Attributes
    ----------
    wkb
        (n,) geometry as well-known binary, or None.
    columns
        Name -> column.
    crs
        What the file says of itself, or None.
    stated
        Whether the file itself states it: a GeoJSON without ``crs`` does not, it is
        longitude and latitude by RFC 7946.
    geometry_type
        What the file declares.
    dropped
        Columns of a type that no table holds.
    """

    wkb: NDArray[Any]
    columns: dict[str, Column]
    crs: str | None
    stated: bool
    geometry_type: str
    dropped: list[str] = field(default_factory=list)

    def take(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`."""
        columns = {
            name: Column(c.type, c.values[start:stop],
                         None if c.not_finite is None else c.not_finite[start:stop])
            for name, c in self.columns.items()
        }  # fmt: skip
        return replace(self, wkb=self.wkb[start:stop], columns=columns)


def split_table(
    table: Any,
    *,
    geometry: str,
    fid: str,
    geometry_type: str,
    texts: frozenset[str] = frozenset(),
) -> Rows:
    """Return an Arrow table as rows.

    Parameters
    ----------
    table
        A pyarrow table.
    geometry, fid
        Its columns of geometry (well-known binary) and of row numbers; "" for none.
    geometry_type
        What the file declares.
    texts
        Columns of whole numbers that are kept as texts: elsewhere in their file they are
        too large for a float64.
    """
    import pyarrow as pa

    geometry = geometry or "wkb_geometry"
    wkb = np.full(len(table), None, dtype=object)
    columns: dict[str, Column] = {}
    dropped = []
    for name in table.column_names:
        data = table.column(name).combine_chunks()
        if name == geometry or (pa.types.is_binary(data.type) and name == "wkb_geometry"):
            wkb[:] = data.to_numpy(zero_copy_only=False)
            continue
        if name == fid or (not fid and name == "OGC_FID"):
            continue
        column = _column(data, table.schema.field(name).metadata or {}, text=name in texts)
        if column is None:
            dropped.append(name)
        else:
            columns[name] = column
    return Rows(
        wkb=wkb,
        columns=columns,
        crs=None,
        stated=False,
        geometry_type=geometry_type,
        dropped=dropped,
    )


def _column(data: Any, metadata: dict[bytes, bytes], *, text: bool) -> Column | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = data.type
    if isinstance(type_, pa.ExtensionType) or type(type_).__name__ == "JsonType":
        data, type_ = data.storage, data.storage.type
    if pa.types.is_dictionary(type_):
        data, type_ = data.dictionary_decode(), type_.value_type
    if pa.types.is_boolean(type_):
        return Column("boolean", data.to_numpy(zero_copy_only=False).astype(object))
    if pa.types.is_integer(type_):
        exact = pc.max(pc.abs(data.cast(pa.float64(), safe=False))).as_py() or 0.0
        if text or exact > LARGEST_EXACT:
            return Column("text", _objects(data.cast(pa.string())))
        return Column("integer", _floats(data))
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        numbers = _floats(data)
        there = data.is_valid().to_numpy(zero_copy_only=False)
        bad = there & ~np.isfinite(numbers)
        numbers[bad] = np.nan
        return Column("real", numbers, bad if bad.any() else None)
    if pa.types.is_timestamp(type_):
        return Column("instant", _objects(_iso(data)))
    if pa.types.is_date(type_):
        return Column("text", _objects(data.cast(pa.string())))
    if pa.types.is_string_view(type_):
        data, type_ = data.cast(pa.string()), pa.string()
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        kind: FieldType = "instant" if metadata.get(b"GDAL:OGR:type") == b"DateTime" else "text"
        return Column(kind, _objects(data))
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return None
    if pa.types.is_list(type_) or pa.types.is_time(type_):
        values = [None if v is None else str(v) for v in data.to_pylist()]
        return Column("text", np.array([*values, None], dtype=object)[:-1])
    return None


def _floats(data: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    whole = data.cast(pa.float64(), safe=False)
    return np.array(whole.to_numpy(zero_copy_only=False), dtype=np.float64)


def _objects(data: Any) -> NDArray[Any]:
    import pyarrow as pa

    try:
        values = np.array(data.to_numpy(zero_copy_only=False), dtype=object)
    except (pa.ArrowException, UnicodeDecodeError):  # bytes that are no UTF-8 stand as U+FFFD
        texts = data.cast(pa.binary(), safe=False).to_pylist()
        values = np.array(
            [None if t is None else t.decode("utf-8", errors="replace") for t in texts] + [None],
            dtype=object,
        )[:-1]
    values[values == ""] = None
    return values


def _iso(data: Any) -> Any:
    """Return instants as ISO 8601 texts, with their offset where they have one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = data.type.tz
    text = pc.strftime(data.cast(pa.timestamp("s", zone), safe=False), format="%Y-%m-%dT%H:%M:%S%z")
    return text
