"""Tables whose rows say where they are: CSV, Excel and Parquet with coordinate columns or WKT.

Which columns hold coordinates follows from their names and is said aloud; two pairs
that could be meant are an error that names them. In which system the numbers are is
never guessed: a column called 经度 may hold WGS 84 or GCJ-02.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.sources.columns import Column, Rows
from cim.sources.encoding import table_text
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["csv_columns", "placed", "with_place"]

_PAIRS = (
    (("lon", "lng", "long", "longitude", "经度", "x_lon"),
     ("lat", "latitude", "纬度", "y_lat")),
    (("x", "easting", "east", "x_coord", "xcoord", "coord_x", "point_x", "东坐标", "横坐标"),
     ("y", "northing", "north", "y_coord", "ycoord", "coord_y", "point_y", "北坐标", "纵坐标")),
)  # fmt: skip
_WKT = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "geometry_wkt", "几何")
_LOOKS_WKT = re.compile(
    r"\s*(SRID=\d+;)?\s*(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)\b", re.IGNORECASE
)
_DMS = re.compile(
    r"([NSEW东西南北])?\s*(\d+(?:\.\d+)?)\s*°\s*(?:(\d+(?:\.\d+)?)\s*['′’]\s*)?"
    r"(?:(\d+(?:\.\d+)?)\s*(?:\"|″|”|'')\s*)?([NSEW东西南北])?"
)
_DELIMITERS = ",;\t|"
_MOST_COLUMNS = 5_000
_LARGEST_CELL = 64 << 20


def csv_columns(path: Path, encoding: str | None, report: Report, layer: str) -> dict[str, Column]:
    """Return the columns of a CSV; those of numbers throughout as numbers.

    Codes such as ``007`` stay texts. A row with more cells than the heading is an error.

    Raises
    ------
    SourceError
        Empty, without a heading, or wrongly encoded.
    """
    text = table_text(path, encoding, report, layer)
    csv.field_size_limit(_LARGEST_CELL)
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        rows = _cells(text, delimiter)
    except csv.Error as error:
        raise SourceError(
            "source.unreadable", given=path.name, values={"why": str(error)}
        ) from error
    names = [name.strip() for name in rows[0]] if rows else []
    if not names or len(set(names)) < len(names) or "" in names or len(names) > _MOST_COLUMNS:
        values = {"heading": ", ".join(names)[:120] or "-"}
        raise SourceError("source.table_heading", given=path.name, values=values)
    long = next((i for i, row in enumerate(rows) if len(row) > len(names)), None)
    if long is not None:
        says = {"row": long + 1, "cells": len(rows[long]), "columns": len(names)}
        raise SourceError("source.table_ragged", given=path.name, values=says)
    body = [[*row, *[""] * (len(names) - len(row))] for row in rows[1:]]
    return {name: _typed([row[i].strip() for row in body]) for i, name in enumerate(names)}


def _cells(text: str, delimiter: str) -> list[list[str]]:
    """Return the rows that are not empty; a quotation mark that nobody closes is an error.

    It would swallow every row below it.
    """
    try:
        found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [row for row in found if row]
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise csv.Error("a quotation mark is opened and never closed") from error
    found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [row for row in found if row]


def _typed(cells: list[str]) -> Column:
    texts = np.empty(len(cells), dtype=object)
    texts[:] = [cell or None for cell in cells]
    there = [cell for cell in cells if cell]
    code = any(len(c) > 1 and c[0] == "0" and c[1].isdigit() for c in there)
    if not there or code:
        return Column("text", texts)
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return Column("text", texts)
    whole = all(c.lstrip("+-").isdigit() for c in there)
    if (whole and np.nanmax(np.abs(numbers)) > 2.0**53) or not np.isfinite(numbers).any():
        return Column("text", texts)
    bad = np.array([bool(c) for c in cells]) & ~np.isfinite(numbers)
    numbers[bad] = np.nan
    return Column("integer" if whole else "real", numbers, bad if bad.any() else None)


def with_place(
    columns: Mapping[str, Column], spec: LayerSpec, report: Report, layer: str
) -> LayerSpec:
    """Return `spec` with options that say which columns hold the place of a row, said aloud.

    Parameters
    ----------
    columns
        The table, or its first rows.
    spec
        Options ``x`` and ``y``, or ``wkt``, name columns that are not called as usual.

    Raises
    ------
    SourceError
        No columns that hold coordinates, or several pairs that could be meant.
    """
    names = {name.strip().lower(): name for name in reversed(list(columns))}
    wkt, pair = _chosen(columns, names, spec)
    shown = wkt if wkt is not None else " + ".join(pair)
    report.note("source.table_place", file=spec.file.name, layer=layer, values={"columns": shown})
    chosen = {"wkt": wkt} if wkt is not None else {"x": pair[0], "y": pair[1]}
    return replace(spec, options={**spec.options, **chosen})


def placed(columns: Mapping[str, Column], spec: LayerSpec) -> Rows:
    """Return a table as rows with a place each, from the columns that `with_place` has chosen."""
    import shapely

    stated, crs = False, None
    if "wkt" in spec.options:
        used = [str(spec.options["wkt"])]
        shapes, crs = _from_wkt(columns[used[0]].values)
        stated = crs is not None
    else:
        used = [str(spec.options["x"]), str(spec.options["y"])]
        x, y = (_numbers(columns[name]) for name in used)
        shapes = _points(x, y)
    kept = {name: column for name, column in columns.items() if name not in used}
    return Rows(shapely.to_wkb(shapes), kept, crs, stated, "")


def _chosen(
    columns: Mapping[str, Column], names: Mapping[str, str], spec: LayerSpec
) -> tuple[str | None, tuple[str, str]]:
    asked = [spec.options[key] for key in ("x", "y", "wkt") if key in spec.options]
    for name in asked:
        if name not in columns:
            values = {"file": spec.file.name, "attribute": "x, y, wkt", "known": ", ".join(columns)}
            raise SourceError("source.no_column", given=str(name), values=values)
    if "wkt" in spec.options:
        return str(spec.options["wkt"]), ("", "")
    if "x" in spec.options and "y" in spec.options:
        return None, (str(spec.options["x"]), str(spec.options["y"]))
    found: list[tuple[str, ...]] = []
    for east, north in _PAIRS:
        xs, ys = ([names[n] for n in known if n in names] for known in (east, north))
        found += [(x, y) for x in xs for y in ys]
    texts = [names[n] for n in _WKT if n in names]
    found += [(name,) for name in texts if _is_wkt(columns[name].values)]
    if not found:
        values = {"known": ", ".join(columns)[:200]}
        raise SourceError("source.table_no_place", given=spec.file.name, values=values)
    if len(found) > 1:
        values = {"pairs": "; ".join(" + ".join(one) for one in found)}
        raise SourceError("source.table_which_place", given=spec.file.name, values=values)
    one = found[0]
    return (one[0], ("", "")) if len(one) == 1 else (None, (one[0], one[1]))


def _is_wkt(values: Sequence[Any] | NDArray[Any]) -> bool:
    some = [v for v in values[:200] if isinstance(v, str)]
    return bool(some) and sum(_LOOKS_WKT.match(v) is not None for v in some) > len(some) / 2


def _from_wkt(values: NDArray[Any]) -> tuple[NDArray[Any], str | None]:
    """Return shapes and the one system that all of them state (EWKT), else None."""
    import shapely

    texts = [v if isinstance(v, str) else None for v in values]
    codes = {m[1] for v in texts if v and (m := re.match(r"\s*SRID=(\d+);", v))}
    bare = np.empty(len(texts), dtype=object)
    bare[:] = [None if v is None else v.partition(";")[2] if "SRID=" in v[:12] else v
               for v in texts]  # fmt: skip
    shapes = np.asarray(shapely.from_wkt(bare, on_invalid="ignore"), dtype=object)
    all_say = codes and all(v is None or "SRID=" in v[:12] for v in texts)
    return shapes, f"EPSG:{codes.pop()}" if all_say and len(codes) == 1 else None


def _numbers(column: Column) -> NDArray[np.float64]:
    if column.type in ("real", "integer"):
        return np.asarray(column.values, dtype=np.float64)
    return np.array([_coordinate(v) for v in column.values], dtype=np.float64)


def _coordinate(value: Any) -> float:
    """Return a coordinate written as a number or in degrees, minutes, seconds; NaN else."""
    if value is None:
        return np.nan
    text = unicodedata.normalize("NFC", str(value)).strip()
    try:
        return float(text)
    except ValueError:
        match = _DMS.fullmatch(text)
    if match is None:
        return np.nan
    before, degrees, minutes, seconds, after = match.groups()
    size = float(degrees) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
    return -size if (before or after or "") in tuple("SW西南") else size


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[Any]:
    import shapely

    shapes = np.full(len(x), None, dtype=object)
    good = np.isfinite(x) & np.isfinite(y)
    shapes[good] = shapely.points(x[good], y[good])
    return shapes
