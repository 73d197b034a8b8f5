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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.model.kinds import FieldType
from cim.sources.arrow import BATCH
from cim.sources.columns import LARGEST_EXACT, Column, Rows
from cim.sources.encoding import table_source
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["CsvTable", "look_at_csv", "placed", "with_place"]

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
_COMMA = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:,\d+)?")
_SURE_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|\d{4,},\d+|0,\d+)")
_DELIMITERS = ",;\t|"
_MOST_COLUMNS = 5_000
_LARGEST_CELL = 64 << 20


@dataclass(frozen=True)
class CsvTable:
    """A CSV that was looked through once.

    Attributes
    ----------
    source
        The file, or its text where it is not plain UTF-8.
    names, types
        Its columns; those of numbers throughout are numbers.
    delimiter, strict
        How its rows are read.
    commas
        Which columns of numbers have a comma for the decimal point.
    """

    source: Path | str
    names: tuple[str, ...]
    types: tuple[FieldType, ...]
    delimiter: str
    strict: bool
    commas: tuple[bool, ...]

    def pieces(self, at_once: int) -> Iterator[dict[str, Column]]:
        """Yield the columns of so many rows at a time; once without rows where there is none."""
        rows = _cells(self.source, self.delimiter, strict=self.strict)
        next(rows)
        some = list(islice(rows, at_once))
        while True:
            columns = zip(*_filled(some, len(self.names)), strict=True)
            given = columns if some else ((),) * len(self.names)
            yield {
                name: _typed([c.replace(",", ".") for c in cells] if comma else cells, type_)
                for name, type_, comma, cells in zip(
                    self.names, self.types, self.commas, given, strict=True
                )
            }
            some = list(islice(rows, at_once))
            if not some:
                return


def look_at_csv(path: Path, encoding: str | None, report: Report, layer: str) -> CsvTable:
    """Return what a CSV is, after a look at all of its rows.

    Codes such as ``007`` stay texts. A row with more cells than the heading is an error.

    Raises
    ------
    SourceError
        Empty, without a heading, or wrongly encoded.
    """
    source = table_source(path, encoding, report, layer)
    csv.field_size_limit(_LARGEST_CELL)
    with _opened(source) as lines:
        first = lines.readline()
    delimiter = max(_DELIMITERS, key=first.split("\n", 1)[0].count)
    try:
        try:
            found = _look_through(path, source, delimiter, strict=True)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise csv.Error("a quotation mark is opened and never closed") from error
            found = _look_through(path, source, delimiter, strict=False)
    except csv.Error as error:
        values = {"why": str(error)}
        raise SourceError("source.unreadable", given=path.name, values=values) from error
    if any(found.commas):
        names = [name for name, comma in zip(found.names, found.commas, strict=True) if comma]
        values = {"columns": ", ".join(names)}
        report.note("source.decimal_commas", file=path.name, layer=layer, values=values)
    return found


def _look_through(path: Path, source: Path | str, delimiter: str, *, strict: bool) -> CsvTable:
    rows = _cells(source, delimiter, strict=strict)
    names = tuple(name.strip() for name in next(rows, []))
    if not names or len(set(names)) < len(names) or "" in names or len(names) > _MOST_COLUMNS:
        values = {"heading": ", ".join(names)[:120] or "-"}
        raise SourceError("source.table_heading", given=path.name, values=values)
    seen, before = [_Cells(commas=delimiter != ",") for _ in names], 1
    while some := list(islice(rows, BATCH)):
        long = next((i for i, row in enumerate(some) if len(row) > len(names)), None)
        if long is not None:
            says = {"row": before + long + 1, "cells": len(some[long]), "columns": len(names)}
            raise SourceError("source.table_ragged", given=path.name, values=says)
        for one, cells in zip(seen, zip(*_filled(some, len(names)), strict=True), strict=True):
            one.add(cells)
        before += len(some)
    types, commas = tuple(one.type for one in seen), tuple(one.with_commas for one in seen)
    return CsvTable(source, names, types, delimiter, strict, commas)


def _cells(source: Path | str, delimiter: str, *, strict: bool) -> Iterator[list[str]]:
    """Yield the rows that are not empty; a quotation mark that nobody closes is an error.

    It would swallow every row below it.
    """
    with _opened(source) as lines:
        yield from (row for row in csv.reader(lines, delimiter=delimiter, strict=strict) if row)


def _opened(source: Path | str) -> TextIO:
    if isinstance(source, str):
        return io.StringIO(source, newline="")
    return source.open(encoding="utf-8", newline="")


def _filled(rows: list[list[str]], count: int) -> Iterator[list[str]]:
    """Yield rows with as many tidy cells as there are columns."""
    for row in rows:
        yield [cell.strip() for cell in row] + [""] * (count - len(row))


@dataclass
class _Cells:
    """What has been seen of the cells of one column.

    Attributes
    ----------
    commas
        Whether all of them may be numbers with a comma for the decimal point, which no
        column of a table has whose cells commas part.
    sure
        Whether one is no number with a comma between its thousands: 12,5 but not 12,500.
    """

    commas: bool
    sure: bool = False
    there: bool = False
    text: bool = False
    whole: bool = True
    finite: bool = False
    most: float = 0.0

    def add(self, cells: Sequence[str]) -> None:
        there = [cell for cell in cells if cell]
        if not there or (self.text and not self.commas):
            return
        self.there = True
        if self.commas:
            self.commas = all(map(_COMMA.fullmatch, there))
            self.sure |= self.commas and any(map(_SURE_COMMA.fullmatch, there))
        if self.text:
            return
        self.text = any(len(c) > 1 and c[0] == "0" and c[1].isdigit() for c in there)
        try:
            numbers = np.array([float(cell) for cell in there])
        except ValueError:
            self.text = True
            return
        numbers = np.abs(numbers[np.isfinite(numbers)])
        self.whole &= all(c.lstrip("+-").isdigit() for c in there)
        self.finite |= len(numbers) > 0
        self.most = max(self.most, float(numbers.max(initial=0.0)))

    @property
    def with_commas(self) -> bool:
        """Return whether the column is one of numbers with decimal commas."""
        return self.text and self.commas and self.sure

    @property
    def type(self) -> FieldType:
        """Return what the column is."""
        if self.with_commas:
            return "real"
        inexact = self.whole and self.most > LARGEST_EXACT
        if not self.there or self.text or inexact or not self.finite:
            return "text"
        return "integer" if self.whole else "real"


def _typed(cells: Sequence[str], type_: FieldType) -> Column:
    if type_ == "text":
        texts = np.empty(len(cells), dtype=object)
        texts[:] = [cell or None for cell in cells]
        return Column("text", texts)
    numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    bad = np.array([bool(c) for c in cells], dtype=bool) & ~np.isfinite(numbers)
    numbers[bad] = np.nan
    return Column(type_, numbers, bad if bad.any() else None)


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
