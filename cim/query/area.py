"""An area from a GeoJSON file, as a polygon in the frame of a twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cim.crs import Frame, is_geographic, looks_like_lonlat, parse_crs, transform
from cim.errors import SourceError

__all__ = ["area_from_geojson"]

_LARGEST_BYTES = 20_000_000
_STEP_DEG = 0.01  # an edge in degrees is bent on the map; so short it is straight to a millimetre
_CONTAINERS = {"FeatureCollection": "features", "GeometryCollection": "geometries"}


def area_from_geojson(frame: Frame, path: str | Path) -> Any:
    """Return the union of the polygons in a GeoJSON file, in projected metres.

    Positions are longitude and latitude (CGCS2000 = WGS 84), as RFC 7946 wants it; a
    ``crs`` member of the older GeoJSON is heeded.

    Parameters
    ----------
    frame
        Frame of the twin.
    path
        Geometry, Feature or FeatureCollection.

    Raises
    ------
    SourceError
        No such file, too large, not GeoJSON, no polygon, or a polygon that crosses itself.
    FrameError
        An unknown ``crs`` member, or positions without a place in the frame.
    """
    import shapely

    name, document = Path(path).name, _read(Path(path))
    source = _crs_of(document)
    shapes = np.array(list(_polygons(document, name)), dtype=object)
    if len(shapes) == 0:
        raise SourceError("query.area_no_polygon", given=name)
    if not shapely.is_valid(shapes).all():
        why = shapely.is_valid_reason(shapes[~shapely.is_valid(shapes)][0])
        raise SourceError("query.area_invalid", given=name, values={"why": why})
    if is_geographic(source):
        if not looks_like_lonlat(shapely.get_coordinates(shapes)):
            raise SourceError("query.area_not_degrees", given=name)
        shapes = shapely.segmentize(shapes, _STEP_DEG)
    return shapely.union_all(transform(shapes, source=source, target=frame.crs))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise SourceError("query.area_too_large", given=path.name)
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError("query.area_no_file", given=path) from error
    except (ValueError, RecursionError) as error:
        raise SourceError("query.area_not_geojson", given=path.name) from error
    if not isinstance(document, dict) or "type" not in document:
        raise SourceError("query.area_not_geojson", given=path.name)
    return document


def _crs_of(document: Mapping[str, Any]) -> str:
    member = document.get("crs")
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return "EPSG:4326" if name is None else parse_crs(str(name))


def _polygons(document: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Yield every polygon of the document; points and lines span no area."""
    import shapely
    from shapely.geometry import shape

    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        kind = node.get("type")
        if kind in _CONTAINERS:
            parts = node.get(_CONTAINERS[kind])
            waiting += parts if isinstance(parts, list) else []
        elif kind == "Feature":
            waiting.append(node.get("geometry"))
        elif kind in ("Polygon", "MultiPolygon"):
            try:
                made = shapely.force_2d(shape(node))
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                raise SourceError("query.area_not_geojson", given=name) from error
            except shapely.errors.ShapelyError as error:
                raise SourceError("query.area_not_geojson", given=name) from error
            if not made.is_empty:
                if not np.isfinite(shapely.get_coordinates(made)).all():
                    raise SourceError("query.area_not_geojson", given=name)
                yield made
