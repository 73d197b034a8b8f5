"""GeoParquet (1.0, 1.1) and plain Parquet with coordinate columns, read with pyarrow.

A GeoParquet without ``crs`` is longitude and latitude by its own definition (OGC:CRS84),
one with ``crs: null`` says that it does not know, and then it must be said.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import SourceError
from cim.sources.columns import Rows, split_table
from cim.sources.coordinates import placed
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["parquet_rows"]


def parquet_rows(spec: LayerSpec, report: Report, layer: str) -> Rows:
    """Return the rows of a Parquet file.

    Raises
    ------
    SourceError
        Unreadable, geometry in an unknown encoding, or no geometry and no coordinates.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = spec.file.name
    try:
        table = pq.read_table(spec.file, partitioning=None, use_threads=False)
        geo = _geo(table.schema.metadata or {})
    except (pa.ArrowException, OSError, ValueError, MemoryError, TypeError) as error:
        why = " ".join(str(error).split()).replace(str(spec.file), name)[:200]
        raise SourceError("source.unreadable", given=name, values={"why": why}) from error
    if geo is None:
        rows = split_table(table, geometry="", fid="", geometry_type="")
        found = placed(rows.columns, spec, report, layer)
        found.dropped = rows.dropped
        return found
    main = geo.get("primary_column")
    columns = geo.get("columns")
    facts = columns.get(main) if isinstance(columns, dict) else None
    if not isinstance(facts, dict) or main not in table.column_names:
        values = {"why": f"geo metadata without its primary column ({main})"}
        raise SourceError("source.unreadable", given=name, values=values)
    table = _flat(table, geo, str(main), spec.file)
    rows = split_table(table, geometry=str(main), fid="", geometry_type="")
    if facts.get("edges") == "spherical":
        report.note("source.spherical_edges", file=name, layer=layer)
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


def _flat(table: Any, geo: dict[str, Any], main: str, file: Path) -> Any:
    """Return the table with its geometry as well-known binary and without box columns."""
    import pyarrow as pa

    name = file.name
    box = geo["columns"][main].get("covering", {})
    covering = box.get("bbox", {}).get("xmin", [None])[0] if isinstance(box, dict) else None
    if covering in table.column_names:
        table = table.drop_columns([covering])
    encoding = str(geo["columns"][main].get("encoding", "WKB"))
    at = table.schema.get_field_index(main)
    if encoding == "WKB":
        if not (pa.types.is_binary(table.schema.types[at])
                or pa.types.is_large_binary(table.schema.types[at])):  # fmt: skip
            values = {"why": f"{main} is no well-known binary"}
            raise SourceError("source.unreadable", given=name, values=values)
        return table
    import geopandas  # decodes the native encodings of 1.1
    import shapely

    try:
        shapes = geopandas.read_parquet(file, columns=[main])[main].array
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        values = {"why": f"geometry encoded as {encoding}"}
        raise SourceError("source.unreadable", given=name, values=values) from error
    wkb = shapely.to_wkb(np.asarray(shapes, dtype=object))
    return table.set_column(at, main, pa.array(list(wkb), pa.binary()))
