"""Which layers go out as GeoPackage and GeoJSON, and how their columns are written.

The live database of a twin is never handed to GDAL: layers are read through the
view and written into new files, which appear under their name only when whole.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cim.crs import lonlat
from cim.errors import RequestError, StoreError
from cim.jobs import QUIET, Job
from cim.model.table import FeatureTable
from cim.model.twin import TwinView

__all__ = ["to_geojson", "to_gpkg"]


def to_gpkg(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> dict[str, int]:
    """Write feature layers into one new GeoPackage, with GDAL's spatial index.

    Parameters
    ----------
    view
        The twin.
    out
        File to make; it must not exist.
    layers
        Which layers; all where None.
    job
        Progress and cancel.

    Returns
    -------
    dict of str to int
        Features written, by layer.

    Raises
    ------
    RequestError
        `out` exists, or no such layer.
    StoreError
        The file cannot be written.
    """
    names = chosen(view, layers)
    must_be_new(out)
    written: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=parent_of(out), prefix=".cim-export-") as folder:
        staged = Path(folder, "out.gpkg")
        for done, name in enumerate(names):
            job.step(done, len(names), what="export.writing")
            table = view.table(name)
            _write_layer(table, staged, name.replace("/", "__"), view.frame.crs)
            written[name] = len(table)
        if not names:
            raise RequestError("export.nothing", given=view.name)
        staged.replace(out)
    return written


def to_geojson(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> dict[str, int]:
    """Write each feature layer as a GeoJSON file (RFC 7946: degrees, 1e-8) into a folder.

    Parameters
    ----------
    view
        The twin.
    out
        Folder; made where it is not there. Files in it must not exist yet.
    layers
        Which layers; all where None.
    job
        Progress and cancel.

    Returns
    -------
    dict of str to int
        Features written, by layer.

    Raises
    ------
    RequestError
        A file exists, or no such layer.
    StoreError
        A file cannot be written.
    """
    names = chosen(view, layers)
    targets = {name: out / f"{name.replace('/', '__')}.geojson" for name in names}
    for target in targets.values():
        must_be_new(target)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "export.cannot_write", given=out, values={"why": error.strerror}
        ) from error
    written: dict[str, int] = {}
    for done, (name, target) in enumerate(targets.items()):
        job.step(done, len(targets), what="export.writing")
        table = view.table(name)
        collection = {
            "type": "FeatureCollection",
            "features": [_feature(view, table, i) for i in range(len(table))],
        }
        staged = target.with_suffix(".tmp")
        staged.write_text(json.dumps(collection, ensure_ascii=False), encoding="utf-8")
        staged.replace(target)
        written[name] = len(table)
    return written


def chosen(view: TwinView, layers: Sequence[str] | None) -> list[str]:
    known = view.layers()
    for name in layers or ():
        if name not in known:
            raise RequestError("twin.no_layer", given=name, values={"known": ", ".join(known)})
    return list(layers or known)


def must_be_new(path: Path) -> None:
    if path.exists():
        raise RequestError("export.exists", given=path)


def parent_of(path: Path) -> Path:
    if not path.parent.is_dir():
        raise RequestError("export.no_folder", given=path.parent)
    return path.parent


def _feature(view: TwinView, table: FeatureTable, i: int) -> dict[str, Any]:
    import shapely

    shape = table.geometry[i]
    if shape is not None:
        flat = shapely.transform(shape, lambda xy: np.round(lonlat(view.frame, xy), 8))
        shape = json.loads(shapely.to_geojson(flat))
    record = table.row(i)
    return {"type": "Feature", "id": record["id"], "properties": record, "geometry": shape}


def _write_layer(table: FeatureTable, path: Path, layer: str, crs: str) -> None:
    import pyogrio
    import shapely

    types = set(shapely.get_type_id(table.geometry)) - {-1}
    columns: list[Any] = [table.ids]
    for field in table.fields:
        column = table.columns[field.name]
        columns.append(column if column.dtype != object else _texts(column))
    try:
        pyogrio.raw.write(
            str(path),
            geometry=shapely.to_wkb(table.geometry),
            field_data=columns,
            fields=["id", *(field.name for field in table.fields)],
            layer=layer,
            driver="GPKG",
            geometry_type="Unknown" if len(types) != 1 else _TYPE_NAMES[int(types.pop())],
            crs=crs,
            append=path.exists(),
        )
    except (OSError, RuntimeError) as error:
        raise StoreError("export.cannot_write", given=path.name, values={"why": error}) from error


_TYPE_NAMES = {
    0: "Point",
    1: "LineString",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}


def _texts(column: Any) -> Any:
    out = np.empty(len(column), dtype=object)
    for i, value in enumerate(column):
        out[i] = None if value is None else str(value)
    return out
