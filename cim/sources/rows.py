"""The raw rows of one vector file, in pieces: bytes of geometry, columns, coordinate system.

Nothing is judged here but whether the file can be read at all.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cim.errors import SourceError
from cim.sources.arrow import BATCH, GEOMETRY, cut
from cim.sources.columns import Rows, split_table
from cim.sources.coordinates import look_at_csv, placed, with_place
from cim.sources.encoding import MOST_TEXTS, check_texts, json_source, shapefile_encoding
from cim.sources.geojson_crs import stated_system
from cim.sources.opening import Format, gdal_reason
from cim.sources.parquet import parquet_pieces
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["Piece", "Texts", "parts_of", "row_pieces"]

Piece = Callable[[], Rows]
_SLOWLY = "OGR_FLATGEOBUF_STREAM_BASE_IMPL"


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


def row_pieces(
    spec: LayerSpec,
    found: Format,
    report: Report,
    layer: str,
    *,
    at_once: int,
    texts: frozenset[str] = frozenset(),
    plan: dict[str, Any] | None = None,
) -> Iterator[Piece]:
    """Yield the rows of a vector file piece by piece, each as a function that decodes it.

    Parameters
    ----------
    spec, found
        The file.
    report, layer
        Where the file's oddities are said when all pieces were asked for.
    at_once
        Rows of a piece; large geometries make smaller ones. A piece of a file is always
        the same rows.
    texts
        Columns of whole numbers to be taken as texts.
    plan
        Keeps what a first pass has found for the next one.

    Raises
    ------
    SourceError
        Unreadable, truncated, wrongly encoded, or without the part asked for.
    """
    if "arrow" in spec.options:
        yield from _cut_pieces(Path(spec.options["arrow"]), at_once, texts)
    elif found.driver == "Parquet":
        yield from parquet_pieces(spec, report, layer, at_once=at_once, texts=texts)
    elif found.driver == "CSV":
        yield from _csv_pieces(spec, report, layer, at_once, {} if plan is None else plan)
    elif found.driver == "XLSX":
        rows = _sheet(spec, report, layer)
        for start in range(0, len(rows.wkb), at_once):
            yield lambda start=start: rows.take(start, start + at_once)  # type: ignore[misc]
    else:
        yield from _gdal_pieces(spec, found, report, layer, at_once, texts)


def _gdal_pieces(
    spec: LayerSpec, found: Format, report: Report, layer: str, at_once: int, texts: frozenset[str]
) -> Iterator[Piece]:
    import pyarrow
    import pyogrio

    path, encoding = spec.file, None
    source: Any = path.absolute()
    states = True
    if found.driver == "GeoJSON":
        source = json_source(path, spec.encoding)
        states = _states_crs(source)
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
    told: dict[str, None] = {}
    opened = ExitStack()
    if found.driver == "FlatGeobuf":  # GDAL's quick way loses its place at a missing geometry
        pyogrio.set_gdal_config_options({_SLOWLY: "YES"})
        opened.callback(pyogrio.set_gdal_config_options, {_SLOWLY: None})
    try:
        with _listening(told):
            meta, reader = opened.enter_context(
                pyogrio.raw.open_arrow(
                    source, layer=spec.part or None, encoding=encoding, use_pyarrow=True,
                    batch_size=min(at_once, BATCH), datetime_as_string=True,
                )
            )  # fmt: skip
        facts: dict[str, Any] = {
            "geometry": meta["geometry_name"] or "",
            "fid": meta["fid_column"] or "",
            "geometry_type": str(meta["geometry_type"]),
            "texts": texts,
        }
        stated = states and meta["crs"] is not None
        placed = (meta["crs"], stated)
        if found.driver == "GeoJSON" and _crs_is_null(source):
            placed = None, False
        elif found.driver == "GeoJSON" and stated:
            head, tail = _ends(source)
            head = head.split(b'"features"')[0]
            other = stated_system(head, meta["crs"]) or stated_system(tail, meta["crs"])
            placed = other or meta["crs"], stated
        tables = cut(reader, at_once)
        while True:
            with _listening(told):
                table = next(tables, None)
            if table is None:
                break
            yield lambda table=table: _split(table, facts, placed, path)  # type: ignore[misc]
    except refusals as error:
        raise _unreadable(path, error) from error
    finally:
        opened.close()
    for why in list(told)[:5]:
        report.note("source.gdal_warned", file=path.name, layer=layer, values={"why": why})


def _split(table: Any, facts: dict[str, Any], placed: tuple[str | None, bool], path: Path) -> Rows:
    import pyarrow

    try:
        rows = split_table(table, **facts)
    except (pyarrow.ArrowException, ValueError) as error:
        raise _unreadable(path, error) from error
    rows.crs, rows.stated = placed
    return rows


@contextmanager
def _listening(told: dict[str, None]) -> Iterator[None]:
    """Put what GDAL warns of to `told`, each text once."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    told.update((str(one.message), None) for one in heard)


class Texts:
    """The texts of a file, as many as are needed to tell whether they were decoded rightly."""

    def __init__(self) -> None:
        self._some: dict[str, list[str]] = {}
        self._lost: dict[str, tuple[int, str]] = {}

    def gather(self, rows: Rows) -> None:
        """Look at one piece."""
        for name, column in rows.columns.items():
            if column.type != "text":
                continue
            some = self._some.setdefault(name, [])
            odd = [v for v in column.values if isinstance(v, str) and not v.isascii()]
            some += odd[: MOST_TEXTS - len(some)]
            lost = [v for v in odd if "\ufffd" in v]
            if lost:
                count, example = self._lost.get(name, (0, lost[0]))
                self._lost[name] = (count + len(lost), example)

    def judge(self, names: Sequence[str], spec: LayerSpec, report: Report, layer: str) -> None:
        """Refuse texts decoded wrongly; say of single ones that hold bytes of no encoding."""
        check_texts([self._some[n] for n in names if n in self._some], spec.file.name)
        lost = [self._lost[n] for n in names if n in self._lost]
        if lost:
            values = {"count": sum(count for count, _ in lost), "example": lost[0][1][:40]}
            report.note("source.bytes_replaced", file=spec.file.name, layer=layer, values=values)


def _csv_pieces(
    spec: LayerSpec, report: Report, layer: str, at_once: int, plan: dict[str, Any]
) -> Iterator[Piece]:
    if "table" not in plan:
        plan["table"] = look_at_csv(spec.file, spec.encoding, report, layer)
    for columns in plan["table"].pieces(at_once):
        if "where" not in plan:
            plan["where"] = with_place(columns, spec, report, layer)
        yield lambda columns=columns: placed(columns, plan["where"])  # type: ignore[misc]


def _sheet(spec: LayerSpec, report: Report, layer: str) -> Rows:
    """Return the rows of a sheet that say in columns where they are; the first is the heading."""
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
    sheet = split_table(table, geometry="", fid="", geometry_type="")
    rows = placed(sheet.columns, with_place(sheet.columns, spec, report, layer))
    rows.dropped = sheet.dropped
    return rows


def _refuse_half_numbers(path: Path, told: Sequence[warnings.WarningMessage]) -> None:
    """Refuse a sheet in which GDAL took the beginning of a damaged number for the number."""
    half = [str(one.message) for one in told if "incompletely" in str(one.message)]
    if half:
        raise SourceError("source.unreadable", given=path.name, values={"why": half[0]})


def _cut_pieces(file: Path, at_once: int, texts: frozenset[str]) -> Iterator[Piece]:
    """Yield the rows of a layer that was cut out of a file with many; degrees of WGS 84."""
    import pyarrow as pa

    facts: dict[str, Any] = {"geometry": GEOMETRY, "fid": "", "geometry_type": "", "texts": texts}
    with pa.OSFile(str(file)) as source:
        opened = pa.ipc.open_file(source)
        batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
        for table in cut(batches, at_once):
            yield lambda table=table: _split(table, facts, ("EPSG:4326", True), file)  # type: ignore[misc]


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError("source.unreadable", given=path.name, values={"why": gdal_reason(error)})


def _states_crs(source: bytes | Path) -> bool:
    head, tail = _ends(source)
    return re.search(rb'"crs"\s*:\s*\{', head + tail) is not None


def _crs_is_null(source: bytes | Path) -> bool:
    head = _ends(source)[0].split(b'"features"')[0]
    return re.search(rb'"crs"\s*:\s*null', head) is not None


def _ends(source: bytes | Path) -> tuple[bytes, bytes]:
    """Return the beginning and the end of a text."""
    if isinstance(source, bytes):
        return source[:200_000], source[-20_000:]
    with source.open("rb") as file:
        head = file.read(200_000)
        file.seek(max(0, source.stat().st_size - 20_000))
        return head, file.read()
