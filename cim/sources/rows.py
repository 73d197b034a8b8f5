"""The raw rows of one vector file, read once: bytes of geometry, columns, coordinate system.

Nothing is judged here but whether the file can be read at all.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.model.kinds import FieldType
from cim.sources.encoding import check_texts, json_text, shapefile_encoding
from cim.sources.opening import Format, gdal_reason
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["Column", "Rows", "parts_of", "read_rows"]

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


def parts_of(path: Path, found: Format) -> list[tuple[str, str | None]]:
    """Return the layers of a file with their geometry types (None: a table without geometry).

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    import pyogrio

    if found.driver != "GPKG":
        return [("", "")]
    try:
        listed = pyogrio.list_layers(path.absolute())
    except (pyogrio.errors.DataSourceError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    return [(str(name), None if type_ is None else str(type_)) for name, type_ in listed]


def read_rows(spec: LayerSpec, found: Format, report: Report, layer: str) -> Rows:
    """Return the rows of a vector file.

    Raises
    ------
    SourceError
        Unreadable, truncated, wrongly encoded, or without the part asked for.
    """
    import pyarrow
    import pyogrio

    path, encoding = spec.file, None
    source: Any = path.absolute()
    stated = True
    if found.driver == "GeoJSON":
        source = json_text(path, spec.encoding)
        stated = _states_crs(source)
    elif found.driver == "ESRI Shapefile":
        encoding = shapefile_encoding(path, spec.encoding, report, layer)
    elif spec.part and spec.part not in [name for name, _ in parts_of(path, found)]:
        known = ", ".join(name for name, _ in parts_of(path, found))
        raise SourceError(
            "source.no_part", given=spec.part, values={"file": path.name, "known": known}
        )
    refusals = (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        RuntimeError,
        ValueError,
        pyarrow.ArrowException,  # text that is not in the encoding it claims
        UnboundLocalError,  # pyogrio's own, where a .prj is not text
    )
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            meta, table = pyogrio.raw.read_arrow(
                source, layer=spec.part or None, encoding=encoding, datetime_as_string=True
            )
            rows = _split(meta, table)
    except refusals as error:
        raise _unreadable(path, error) from error
    for why in list(dict.fromkeys(str(one.message) for one in told))[:5]:
        report.note("source.gdal_warned", file=path.name, layer=layer, values={"why": why})
    rows.crs, rows.stated = meta["crs"], stated and meta["crs"] is not None
    if found.driver == "GeoJSON" and _crs_is_null(source):
        rows.crs, rows.stated = None, False
    check_texts((c.values for c in rows.columns.values() if c.type == "text"), path.name)
    return rows


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError("source.unreadable", given=path.name, values={"why": gdal_reason(error)})


def _states_crs(raw: bytes) -> bool:
    return re.search(rb'"crs"\s*:\s*\{', raw[:200_000] + raw[-20_000:]) is not None


def _crs_is_null(raw: bytes) -> bool:
    head = raw[:200_000].split(b'"features"')[0]
    return re.search(rb'"crs"\s*:\s*null', head) is not None


def _split(meta: dict[str, Any], table: Any) -> Rows:
    import pyarrow as pa

    geometry = meta["geometry_name"] or "wkb_geometry"
    wkb = np.full(len(table), None, dtype=object)
    columns: dict[str, Column] = {}
    dropped = []
    for name in table.column_names:
        data = table.column(name).combine_chunks()
        if name == geometry or (pa.types.is_binary(data.type) and name == "wkb_geometry"):
            wkb[:] = data.to_numpy(zero_copy_only=False)
            continue
        if name == meta["fid_column"] or (not meta["fid_column"] and name == "OGC_FID"):
            continue
        column = _column(data, table.schema.field(name).metadata or {})
        if column is None:
            dropped.append(name)
        else:
            columns[name] = column
    return Rows(
        wkb=wkb,
        columns=columns,
        crs=None,
        stated=False,
        geometry_type=str(meta["geometry_type"]),
        dropped=dropped,
    )


def _column(data: Any, metadata: dict[bytes, bytes]) -> Column | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = data.type
    if isinstance(type_, pa.ExtensionType) or type(type_).__name__ == "JsonType":
        data, type_ = data.storage, data.storage.type
    if pa.types.is_boolean(type_):
        return Column("boolean", data.to_numpy(zero_copy_only=False).astype(object))
    if pa.types.is_integer(type_):
        exact = pc.max(pc.abs(data.cast(pa.float64(), safe=False))).as_py() or 0.0
        if exact > LARGEST_EXACT:
            return Column("text", _objects(data.cast(pa.string())))
        return Column("integer", _floats(data))
    if pa.types.is_floating(type_):
        numbers = _floats(data)
        there = data.is_valid().to_numpy(zero_copy_only=False)
        bad = there & ~np.isfinite(numbers)
        numbers[bad] = np.nan
        return Column("real", numbers, bad if bad.any() else None)
    if pa.types.is_date(type_):
        return Column("text", _objects(data.cast(pa.string())))
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
    values = np.array(data.to_numpy(zero_copy_only=False), dtype=object)
    values[values == ""] = None
    return values
