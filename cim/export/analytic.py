"""Layers as GeoParquet, and grids as GeoTIFF."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cim.crs import proj_crs
from cim.errors import RequestError, StoreError
from cim.export.outcome import Exported, left_out
from cim.export.vector import chosen, must_be_new, parent_of
from cim.jobs import QUIET, Job
from cim.model.grid import Grid
from cim.model.twin import TwinView

__all__ = ["to_geotiff", "to_parquet"]


def to_parquet(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> Exported:
    """Write each feature layer as a GeoParquet 1.1 file into a folder, in the twin's system.

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

    Raises
    ------
    RequestError
        A file exists, no such layer, or nothing to write.
    StoreError
        A file cannot be written.
    """
    import geopandas

    names = chosen(view, layers)
    if not names:
        raise RequestError("export.nothing", given=view.name)
    targets = {name: out / f"{name.replace('/', '__')}.parquet" for name in names}
    _ready(out, list(targets.values()))
    done: dict[str, int] = {}
    for number, (name, target) in enumerate(targets.items()):
        job.step(number, len(targets), what="export.writing")
        table = view.table(name)
        frame = geopandas.GeoDataFrame(
            {"id": table.ids, **{f.name: table.columns[f.name] for f in table.fields}},
            geometry=table.geometry,
            crs=proj_crs(view.frame.crs),
        )
        staged = target.with_suffix(".tmp")
        try:
            frame.to_parquet(staged, schema_version="1.1.0", write_covering_bbox=True)
            staged.replace(target)
        except OSError as error:
            staged.unlink(missing_ok=True)
            why = error.strerror or str(error)
            raise StoreError("export.cannot_write", given=target, values={"why": why}) from error
        done[name] = len(table)
    outcome = left_out(view, done)
    outcome.leave("export.left.height_datum", 1, {"name": view.frame.height_datum})
    return outcome


def to_geotiff(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> Exported:
    """Write each grid as a Cloud Optimized GeoTIFF into a folder, in the twin's system.

    Parameters as `to_parquet`; `layers` names grids.

    Raises
    ------
    RequestError
        A file exists, no such grid, or no grid at all.
    StoreError
        A file cannot be written.
    """
    known = view.grids()
    for name in layers or ():
        if name not in known:
            values = {"known": ", ".join(known) or "-"}
            raise RequestError("twin.no_layer", given=name, values=values)
    names = list(layers or known)
    if not names:
        raise RequestError("export.no_grid", given=view.name)
    targets = {name: out / f"{name.replace('/', '__')}.tif" for name in names}
    _ready(out, list(targets.values()))
    for number, (name, target) in enumerate(targets.items()):
        job.step(number, len(targets), what="export.writing")
        _write_grid(view.grid(name), target, view.frame.crs)
    outcome = left_out(view, dict.fromkeys(names, 1), grids=True)
    outcome.leave("export.left.height_datum", 1, {"name": view.frame.height_datum})
    return outcome


def _ready(out: Path, targets: Sequence[Path]) -> None:
    parent_of(out)
    for target in targets:
        must_be_new(target)
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError("export.cannot_write", given=out, values={"why": why}) from error


def _write_grid(grid: Grid, target: Path, crs: str) -> None:
    from cim.store.raster import write_grid

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".cim-export-") as folder:
        name = write_grid(grid, Path(folder), 0, crs=crs)
        Path(folder, name).replace(target)
