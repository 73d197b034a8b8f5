"""GeoParquet (1.0, 1.1) and plain Parquet with coordinate columns, read with pyarrow.

A GeoParquet without ``crs`` is longitude and latitude by its own definition (OGC:CRS84),
one with ``crs: null`` says that it does not know, and then it must be said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import CimError, SourceError
from cim.sources.arrow import BATCH, cut
from cim.sources.columns import Rows, split_table
from cim.sources.coordinates import placed, with_place
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["parquet_pieces"]


def parquet_pieces(
    spec: LayerSpec, report: Report, layer: str, *, at_once: int, texts: frozenset[str]
) -> Iterator[Callable[[], Rows]]:
    """Yield the rows of a Parquet file, `at_once` at most in a piece; see `rows.row_pieces`.

    Raises
    ------
    SourceError
        Unreadable, geometry in an unknown encoding, or no geometry and no coordinates.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = spec.file.name
    refusals = (pa.ArrowException, OSError, ValueError, MemoryError, TypeError)
    try:
        with pq.ParquetFile(spec.file) as file:
            geo = _geo(file.schema_arrow.metadata or {})
            main, facts = (None, {}) if geo is None else _facts(geo, file.schema_arrow, name)
            shapes = None if geo is None else _native(geo, str(main), spec.file, file.schema_arrow)
            if facts.get("edges") == "spherical":
                report.note("source.spherical_edges", file=name, layer=layer)
            start, where = 0, spec
            batches = file.iter_batches(batch_size=min(at_once, BATCH), use_threads=False)
            for table in cut(batches, at_once):
                if geo is None:
                    split = split_table(table, geometry="", fid="", geometry_type="", texts=texts)
                    if not start:
                        where = with_place(split.columns, spec, report, layer)
                    yield lambda split=split, where=where: _placed(split, where)  # type: ignore[misc]
                else:
                    part = None if shapes is None else shapes[start : start + len(table)]
                    yield lambda table=table, part=part: _rows(  # type: ignore[misc]
                        table, geo, str(main), facts, part, texts
                    )
                start += len(table)
    except CimError:
        raise
    except refusals as error:
        why = " ".join(str(error).split()).replace(str(spec.file), name)[:200]
        raise SourceError("source.unreadable", given=name, values={"why": why}) from error


def _placed(split: Rows, spec: LayerSpec) -> Rows:
    found = placed(split.columns, spec)
    found.dropped = split.dropped
    return found


def _facts(geo: dict[str, Any], schema: Any, name: str) -> tuple[str, dict[str, Any]]:
    """Return the column of geometry and what is said of it."""
    main = geo.get("primary_column")
    columns = geo.get("columns")
    facts = columns.get(main) if isinstance(columns, dict) else None
    if not isinstance(facts, dict) or main not in schema.names:
        values = {"why": f"geo metadata without its primary column ({main})"}
        raise SourceError("source.unreadable", given=name, values=values)
    return str(main), facts


def _rows(
    table: Any,
    geo: dict[str, Any],
    main: str,
    facts: dict[str, Any],
    shapes: NDArray[Any] | None,
    texts: frozenset[str],
) -> Rows:
    import pyarrow as pa

    box = facts.get("covering", {})
    covering = box.get("bbox", {}).get("xmin", [None])[0] if isinstance(box, dict) else None
    if covering in table.column_names:
        table = table.drop_columns([covering])
    if shapes is not None:
        at = table.schema.get_field_index(main)
        table = table.set_column(at, main, pa.array(list(shapes), pa.binary()))
    rows = split_table(table, geometry=main, fid="", geometry_type="", texts=texts)
    if "crs" not in facts:
        rows.crs, rows.stated = "EPSG:4326", False
    elif facts["crs"] is not None:
        given = facts["crs"]  # PROJJSON; before version 1.0, and by mistake, a text
        rows.crs = given if isinstance(given, str) else json.dumps(given)
        rows.stated = True
    return rows


def _geo(metadata: dict[bytes, bytes]) -> dict[str, Any] | None:
    raw = metadata.get(b"geo")
    found = json.loads(raw) if raw is not None else None
    return found if isinstance(found, dict) else None


def _native(geo: dict[str, Any], main: str, file: Path, schema: Any) -> NDArray[Any] | None:
    """Return all geometry of a file with a native encoding of 1.1 as well-known binary."""
    import pyarrow as pa

    encoding = str(geo["columns"][main].get("encoding", "WKB"))
    if encoding == "WKB":
        type_ = schema.field(main).type
        if not (pa.types.is_binary(type_) or pa.types.is_large_binary(type_)):
            values = {"why": f"{main} is no well-known binary"}
            raise SourceError("source.unreadable", given=file.name, values=values)
        return None
    import geopandas
    import shapely

    try:
        shapes = geopandas.read_parquet(file, columns=[main])[main].array
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        values = {"why": f"geometry encoded as {encoding}"}
        raise SourceError("source.unreadable", given=file.name, values=values) from error
    return np.asarray(shapely.to_wkb(np.asarray(shapes, dtype=object)))
