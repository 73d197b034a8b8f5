"""Made layers on disk: GeoJSON in degrees, CSV, GeoTIFF; the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.authoring.frame import StreetFrame
from cim.crs import transform

__all__ = ["Feature", "write_csv", "write_geojson", "write_terrain"]


@dataclass(frozen=True)
class Feature:
    """A made object: its own id, a shapely geometry in projected metres, its properties."""

    source_id: str
    geometry: Any
    properties: Mapping[str, Any] = field(default_factory=dict)


def write_geojson(
    path: Path, features: Sequence[Feature], *, frame: StreetFrame, about: str
) -> None:
    """Write features as GeoJSON (RFC 7946): degrees to 1e-8, about 1 mm, one feature a line.

    Parameters
    ----------
    about
        What the layer is and that it is illustrative; stands in the file as ``description``.
    """
    import shapely

    moved = transform(
        np.array([one.geometry for one in features], dtype=object),
        source=frame.crs,
        target=frame.lonlat,
    )
    lines = []
    for one, geometry in zip(features, moved, strict=True):
        record = {
            "type": "Feature",
            "properties": {
                "source_id": one.source_id,
                **{name: value for name, value in one.properties.items() if value is not None},
            },
            "geometry": _rounded(json.loads(shapely.to_geojson(_wound(geometry)))),
        }
        lines.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    head = json.dumps(
        {"type": "FeatureCollection", "name": path.stem, "description": about},
        ensure_ascii=False,
    )[:-1]
    body = ",\n".join(lines)
    path.write_bytes(f'{head}, "features": [\n{body}\n]}}\n'.encode())


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table in UTF-8 with line feeds."""
    lines = [",".join(columns), *(",".join(str(value) for value in row) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def write_terrain(
    path: Path, level_m: NDArray[np.float64], *, west: float, north: float, frame: StreetFrame
) -> None:
    """Write levels as GeoTIFF of whole millimetres (int16, scale 0.001, unit metre), 1 m cells.

    Parameters
    ----------
    level_m
        (rows, cols), north row first.
    west, north
        Outer edge of the first cell, projected metres.
    """
    import rasterio

    profile = {
        "driver": "GTiff",
        "width": level_m.shape[1],
        "height": level_m.shape[0],
        "count": 1,
        "dtype": "int16",
        "crs": frame.crs,
        "transform": rasterio.Affine(1.0, 0.0, west, 0.0, -1.0, north),
        "compress": "deflate",
        "zlevel": 6,
        "predictor": 2,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.rint(level_m * 1000.0).astype(np.int16), 1)
        file.scales, file.offsets, file.units = (0.001,), (0.0,), ("metre",)
        about = f"level above {frame.height_datum}, illustrative 示意数据"
        file.set_band_description(1, about)


def _wound(geometry: Any) -> Any:
    import shapely

    return shapely.orient_polygons(geometry) if "Polygon" in geometry.geom_type else geometry


def _rounded(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _rounded(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_rounded(value) for value in node]
    return round(node, 8) if isinstance(node, float) else node
