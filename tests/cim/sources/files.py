"""Small GIS files for tests: a good one of each sort, and ways to spoil it. All 示意数据."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine

from cim.sources import Built, build_twin, district_from_files

EAST, NORTH = 517_000.0, 4_330_000.0  # EPSG:4548, in Tianjin
LON, LAT = 117.2, 39.11


def houses(count: int = 12, *, step: float = 30.0, side: float = 12.0) -> list[Any]:
    """Return rows of square houses in EPSG:4548 metres."""
    return [
        shapely.box(x, y, x + side, y + side)
        for x, y in ((EAST + step * (i % 6), NORTH + 1.3 * step * (i // 6)) for i in range(count))
    ]


def degrees(count: int = 12) -> list[Any]:
    """Return rows of houses in longitude and latitude."""
    return [
        shapely.box(LON + 4e-4 * (i % 6), LAT + 5e-4 * (i // 6), LON + 4e-4 * (i % 6) + 1e-4,
                    LAT + 5e-4 * (i // 6) + 1e-4)
        for i in range(count)
    ]  # fmt: skip


def geojson(path: Path, shapes: list[Any], crs: str | None = None, **columns: list[Any]) -> Path:
    """Write a GeoJSON; `crs` as a member the way GDAL writes it."""
    features = [
        {
            "type": "Feature",
            "properties": {name: values[i] for name, values in columns.items()},
            "geometry": None if shape is None else shapely.geometry.mapping(shape),
        }
        for i, shape in enumerate(shapes)
    ]
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        name = f"urn:ogc:def:crs:EPSG::{crs.partition(':')[2]}"
        document["crs"] = {"type": "name", "properties": {"name": name}}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def write(
    path: Path,
    shapes: list[Any],
    crs: str | None = "EPSG:4548",
    *,
    layer: str | None = None,
    encoding: str | None = None,
    append: bool = False,
    **columns: list[Any],
) -> Path:
    """Write a GeoPackage or Shapefile through GDAL."""
    wkb = np.empty(len(shapes), dtype=object)
    wkb[:] = [None if s is None else shapely.to_wkb(s) for s in shapes]
    kinds = {s.geom_type for s in shapes if s is not None}
    pyogrio.raw.write(
        path,
        geometry=wkb,
        field_data=[np.array(v, dtype=object if isinstance(v[0], str | None) else None)
                    for v in columns.values()],
        fields=list(columns),
        geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
        crs=crs or "",
        layer=layer,
        encoding=encoding,
        append=append,
    )  # fmt: skip
    return path


def tif(
    path: Path,
    values: Any,
    *,
    crs: str | None = "EPSG:4548",
    cell: float = 5.0,
    transform: Any = None,
    nodata: float | None = None,
    scale: float | None = None,
    unit: str | None = None,
) -> Path:
    """Write a GeoTIFF."""
    array = np.asarray(values)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=array.shape[1],
        height=array.shape[0],
        count=1,
        dtype=array.dtype,
        crs=crs,
        transform=transform or Affine(cell, 0.0, EAST, 0.0, -cell, NORTH + 200.0),
        nodata=nodata,
    ) as out:
        out.write(array, 1)
        if scale is not None:
            out.scales = (scale,)
        if unit is not None:
            out.units = (unit,)
    return path


def ground(rows: int = 40, cols: int = 50) -> np.ndarray[Any, Any]:
    """Return a gentle slope, metres."""
    y, x = np.mgrid[0:rows, 0:cols]
    return (3.0 + 0.01 * x + 0.02 * y).astype(np.float32)


def build(*files: Path, **options: Any) -> Built:
    """Build a twin of plain files as the command line does."""
    named = {key: options.pop(key) for key in ("crs", "height_datum", "kind") if key in options}
    return build_twin(district_from_files(files, **named), **options)


def bomb(path: Path, side: int = 200_000) -> Path:
    """Write a TIFF of a few hundred bytes that declares `side` × `side` float32 cells."""
    tags = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 4), (339, 3, 1, 3),
    ]  # fmt: skip
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body
                     + struct.pack("<I", 0))  # fmt: skip
    return path
