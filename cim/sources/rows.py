"""The raw rows of one vector file, read once: bytes of geometry, columns, coordinate system.

Nothing is judged here but whether the file can be read at all.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cim.errors import SourceError
from cim.sources.arrow import GEOMETRY
from cim.sources.columns import Rows, split_table
from cim.sources.encoding import check_texts, json_text, shapefile_encoding
from cim.sources.geojson_crs import stated_system
from cim.sources.opening import Format, gdal_reason
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["parts_of", "read_rows"]


def parts_of(path: Path, found: Format) -> list[tuple[str, str | None]]:
    """Return the layers of a file with their geometry types (None: a table without geometry).

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    import pyogrio

    if found.driver not in ("GPKG", "XLSX"):
        return [("", "")]
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            listed = pyogrio.list_layers(path.absolute())
        _refuse_half_numbers(path, told)
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

    if "arrow" in spec.options:
        rows = _cut_rows(Path(spec.options["arrow"]))
        _check_texts(rows, spec, report, layer)
        return rows
    if found.driver in ("CSV", "XLSX", "Parquet"):
        rows = _table_rows(spec, found, report, layer)
        _check_texts(rows, spec, report, layer)
        return rows
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
        OSError,  # pyarrow's, where GDAL stops in the middle
        IndexError,  # pyogrio's own, where there is no layer
    )
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            meta, table = pyogrio.raw.read_arrow(
                source, layer=spec.part or None, encoding=encoding, datetime_as_string=True
            )
            rows = split_table(
                table,
                geometry=meta["geometry_name"] or "",
                fid=meta["fid_column"] or "",
                geometry_type=str(meta["geometry_type"]),
            )
    except refusals as error:
        raise _unreadable(path, error) from error
    for why in list(dict.fromkeys(str(one.message) for one in told))[:5]:
        report.note("source.gdal_warned", file=path.name, layer=layer, values={"why": why})
    rows.crs, rows.stated = meta["crs"], stated and meta["crs"] is not None
    if found.driver == "GeoJSON" and _crs_is_null(source):
        rows.crs, rows.stated = None, False
    elif found.driver == "GeoJSON" and stated:
        head = source[:200_000].split(b'"features"')[0]
        other = stated_system(head, rows.crs) or stated_system(source[-20_000:], rows.crs)
        rows.crs = other or rows.crs
    _check_texts(rows, spec, report, layer)
    return rows


def _check_texts(rows: Rows, spec: LayerSpec, report: Report, layer: str) -> None:
    """Refuse texts decoded wrongly; say of single ones that hold bytes of no encoding."""
    texts = [c.values for c in rows.columns.values() if c.type == "text"]
    check_texts(texts, spec.file.name)
    lost = [v for column in texts for v in column if isinstance(v, str) and "\ufffd" in v]
    if lost:
        values = {"count": len(lost), "example": lost[0][:40]}
        report.note("source.bytes_replaced", file=spec.file.name, layer=layer, values=values)


def _table_rows(spec: LayerSpec, found: Format, report: Report, layer: str) -> Rows:
    """Return the rows of a table that says in columns where they are."""
    from cim.sources.coordinates import csv_columns, placed
    from cim.sources.parquet import parquet_rows

    if found.driver == "Parquet":
        return parquet_rows(spec, report, layer)
    if found.driver == "CSV":
        return placed(csv_columns(spec.file, spec.encoding, report, layer), spec, report, layer)
    sheet = _sheet(spec)
    rows = placed(sheet.columns, spec, report, layer)
    rows.dropped = sheet.dropped
    return rows


def _sheet(spec: LayerSpec) -> Rows:
    """Return one sheet of an Excel file; its first row is the heading."""
    import pyarrow
    import pyogrio

    try:
        pyogrio.set_gdal_config_options({"OGR_XLSX_HEADERS": "FORCE"})
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            _, table = pyogrio.raw.read_arrow(
                spec.file.absolute(), layer=spec.part or None, datetime_as_string=True
            )
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        RuntimeError,
        ValueError,
        IndexError,  # pyogrio's own, where there is no sheet
        OSError,
        pyarrow.ArrowException,
    ) as error:
        raise _unreadable(spec.file, error) from error
    finally:
        pyogrio.set_gdal_config_options({"OGR_XLSX_HEADERS": None})
    _refuse_half_numbers(spec.file, told)
    return split_table(table, geometry="", fid="", geometry_type="")


def _refuse_half_numbers(path: Path, told: Sequence[warnings.WarningMessage]) -> None:
    """Refuse a sheet in which GDAL took the beginning of a damaged number for the number."""
    half = [str(one.message) for one in told if "incompletely" in str(one.message)]
    if half:
        raise SourceError("source.unreadable", given=path.name, values={"why": half[0]})


def _cut_rows(file: Path) -> Rows:
    """Return the rows of a layer that was cut out of a file with many; degrees of WGS 84."""
    import pyarrow as pa

    with pa.OSFile(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
    rows = split_table(table, geometry=GEOMETRY, fid="", geometry_type="")
    rows.crs, rows.stated = "EPSG:4326", True
    return rows


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError("source.unreadable", given=path.name, values={"why": gdal_reason(error)})


def _states_crs(raw: bytes) -> bool:
    return re.search(rb'"crs"\s*:\s*\{', raw[:200_000] + raw[-20_000:]) is not None


def _crs_is_null(raw: bytes) -> bool:
    head = raw[:200_000].split(b'"features"')[0]
    return re.search(rb'"crs"\s*:\s*null', head) is not None
