"""A whole new generation of a twin, made beside the old one and put in its place by one rename."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import StoreError
from cim.jobs import QUIET, Job
from cim.model.grid import Grid
from cim.model.kinds import kind
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import Twin
from cim.store import disk, rows
from cim.store.lock import one_writer
from cim.store.schema import SCHEMA_VERSION, add_kind, create_side_tables, watch
from cim.store.stored import StoredTwin, connect, generation, open_twin

__all__ = ["check_target", "create", "tidy", "write_grid", "write_meshes"]

_CARRIED = ("cim_changeset", "cim_run", "cim_scheme")


def check_target(path: Path, *, replace: bool = False) -> None:
    """Refuse a target before any work is done.

    Raises
    ------
    StoreError
        A twin is there and `replace` is false; something else is there; or its
        folder cannot be written.
    """
    if path.suffix != ".cim":
        raise StoreError("store.name", given=path)
    if (path / "current").exists():
        if not replace:
            raise StoreError("store.exists", given=path)
        return
    if path.exists() and not _leftover(path):
        raise StoreError("store.not_ours", given=path)
    if not path.parent.is_dir():
        raise StoreError("store.no_folder", given=path.parent)


def _leftover(path: Path) -> bool:
    """Tell whether a folder holds only what a stopped build leaves behind."""
    if not path.is_dir():
        return False
    names = {child.name for child in path.iterdir()}
    return all(n in ("lock", "runs", "current.tmp") or _generation_name(n) for n in names)


def _generation_name(name: str) -> bool:
    return name.startswith("g") and name[1:].isdigit()


def create(
    twin: Twin,
    path: Path | str,
    *,
    replace: bool = False,
    report: Mapping[str, Any] | None = None,
    sources: Sequence[Mapping[str, Any]] = (),
    observations: Sequence[tuple[str, float, float]] = (),
    why: str = "build",
    job: Job = QUIET,
) -> StoredTwin:
    """Write a twin to disk: a new one, or a new generation of one that is there.

    Until the last step the old twin is what others see; a process killed at any
    moment leaves the old one, or the new one, whole.

    Parameters
    ----------
    twin
        What to keep.
    path
        The folder ``NAME.cim``.
    replace
        Whether a twin that is there may be replaced. Its runs and schemes stay, its
        version number goes on.
    report
        The report of the import, kept as ``report.json``.
    sources
        Records of the files it was made of.
    observations
        (sensor id, seconds since 1970 UTC, value).
    why
        For the history.
    job
        Progress and cancel.

    Raises
    ------
    StoreError
        A twin is there already, another writer is at work, or the disk refuses.
    CancelledError
        The job was cancelled; nothing is left behind.
    """
    target = Path(path)
    check_target(target, replace=replace)
    fresh = not target.exists()
    with disk.guarded(target):
        disk.make_folder(target)
        try:
            with one_writer(target):
                folder = _next_generation(target)
                try:
                    _write(twin, target, folder, report, sources, observations, why, job)
                    disk.write_text(target / "current", folder.name + "\n")
                except BaseException:
                    if _current(target) != folder.name:
                        disk.remove_folder(folder)
                    raise
                tidy(target)
        except BaseException:
            if fresh and _current(target) is None:
                disk.remove_folder(target)
            raise
    return open_twin(target)


def _current(target: Path) -> str | None:
    pointer = target / "current"
    return pointer.read_text(encoding="utf-8").strip() if pointer.exists() else None


def _next_generation(target: Path) -> Path:
    numbers = [int(p.name[1:]) for p in target.iterdir() if _generation_name(p.name)]
    current = _current(target)
    for number in numbers:
        name = f"g{number:04d}"
        if current is None or (name > current):  # left behind by a build that was stopped
            disk.remove_folder(target / name)
    return target / f"g{(int(current[1:]) if current else 0) + 1:04d}"


def tidy(target: Path) -> None:
    """Remove generations older than the last one but one, and what stopped writers left."""
    current = _current(target)
    if current is None:
        return
    number = int(current[1:])
    for child in sorted(target.iterdir()):
        if _generation_name(child.name) and not number - 1 <= int(child.name[1:]) <= number:
            disk.remove_folder(child)
    runs = target / "runs"
    if runs.is_dir():
        for child in runs.iterdir():
            if child.suffix == ".tmp":
                disk.remove_folder(child)


def _write(
    twin: Twin,
    target: Path,
    folder: Path,
    report: Mapping[str, Any] | None,
    sources: Sequence[Mapping[str, Any]],
    observations: Sequence[tuple[str, float, float]],
    why: str,
    job: Job,
) -> None:
    disk.make_folder(folder)
    disk.make_folder(folder / "grids")
    before = _carried(target)
    version = before["version"] + 1
    srs_id = _srs_id(twin.frame.crs)
    database = folder / "city.gpkg"
    total = len(twin.tables) + len(twin.rasters) + 1
    disk.step("write city.gpkg")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        create_side_tables(connection, srs=(srs_id, twin.frame.crs, _wkt(twin.frame.crs)))
        connection.execute("BEGIN")
        for done, (layer, table) in enumerate(twin.tables.items()):
            job.step(done, total, what="store.writing")
            _write_layer(connection, layer, table, srs_id, twin.frame.origin, version)
        for done, (layer, grid) in enumerate(twin.rasters.items(), len(twin.tables)):
            job.step(done, total, what="store.writing")
            name = write_grid(grid, folder / "grids", version)
            connection.execute(
                "INSERT INTO cim_grid VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (layer, name, grid.unit, grid.illustrative, grid.source, version),
            )
        write_meshes(connection, twin.pool, version)
        connection.executemany(
            "INSERT OR IGNORE INTO cim_observation VALUES (?, ?, ?)", observations
        )
        connection.executemany(
            "INSERT INTO cim_source VALUES (?, ?, ?, ?)",
            [
                (
                    s.get("key"),
                    s.get("file"),
                    s.get("layer"),
                    json.dumps(s, ensure_ascii=False, default=str),
                )
                for s in sources
            ],
        )
        _carry_over(connection, before)
        _meta(connection, twin, version)
        _changeset(connection, twin, version, why)
        watch(connection, sorted({t.kind for t in twin.tables.values()}))
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = WAL")
    disk.sync_file(database)
    disk.write_text(
        folder / "report.json", json.dumps(dict(report or {}), ensure_ascii=False, indent=1)
    )
    disk.sync_folder(folder / "grids")
    disk.sync_folder(folder)
    job.step(total, total, what="store.writing")


def _write_layer(
    connection: sqlite3.Connection,
    layer: str,
    table: FeatureTable,
    srs_id: int,
    origin: tuple[float, float],
    version: int,
) -> None:
    add_kind(connection, kind(table.kind), srs_id=srs_id)
    rows.write_fields(connection, layer, table.fields)
    rows.write_rows(connection, table, srs_id=srs_id, origin=origin, version=version)
    connection.execute(
        "INSERT INTO cim_layer VALUES (?, ?, ?, ?)",
        (layer, table.kind, len(table), table.illustrative),
    )
    box = table.bounds()
    if box is not None:
        connection.execute(
            "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), "
            "min_y = min(coalesce(min_y, ?2), ?2), max_x = max(coalesce(max_x, ?3), ?3), "
            "max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = ?5",
            (*box, table.kind),
        )


def write_grid(grid: Grid, folder: Path, version: int) -> str:
    """Write a grid as a Cloud Optimized GeoTIFF, on disk when this returns; return its name."""
    import rasterio
    from rasterio.transform import Affine

    name = f"{grid.layer.replace('/', '__')}.v{version}.tif"
    path = folder / name
    disk.step(f"write {name}")
    frame = grid.frame
    try:
        with rasterio.open(
            path,
            "w",
            driver="COG",
            height=frame.rows,
            width=frame.cols,
            count=1,
            dtype=str(grid.values.dtype),
            crs=None,
            transform=Affine(*frame.geotransform),
            nodata=np.nan if grid.values.dtype.kind == "f" else None,
            compress="DEFLATE",
            level=1,
            predictor="YES",
            overviews="AUTO",
        ) as file:
            file.write(grid.values, 1)
            file.set_band_unit(1, grid.unit)
    except (rasterio.errors.RasterioError, OSError) as error:
        raise StoreError("store.cannot_write", given=path, values={"why": str(error)}) from error
    disk.sync_file(path)
    return name


def write_meshes(connection: sqlite3.Connection, pool: MeshPool, version: int) -> None:
    """Write meshes, materials and instances; a mesh that is there already stays as it is."""
    first = connection.execute("SELECT coalesce(max(number) + 1, 0) FROM cim_material").fetchone()[
        0
    ]
    connection.executemany(
        "INSERT INTO cim_material VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(first + i, m.name, *m.rgba, m.image) for i, m in enumerate(pool.materials)],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO cim_mesh VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                key,
                np.ascontiguousarray(mesh.vertices, dtype=np.float32).tobytes(),
                np.ascontiguousarray(mesh.triangles, dtype=np.int32).tobytes(),
                np.ascontiguousarray(mesh.surface, dtype=np.uint8).tobytes(),
                np.where(mesh.material >= 0, mesh.material + first, -1).astype(np.int32).tobytes(),
                None if mesh.uv is None else np.ascontiguousarray(mesh.uv, np.float32).tobytes(),
            )
            for key, mesh in pool.meshes.items()
        ],
    )
    connection.executemany(
        "INSERT INTO cim_instance VALUES (?, ?, ?, ?, ?, ?, NULL)",
        [
            (
                i.object_id,
                i.mesh_id,
                np.ascontiguousarray(i.matrix, dtype=np.float64).tobytes(),
                i.lod,
                i.cim_level,
                version,
            )
            for i in pool.instances
        ],
    )


def _carried(target: Path) -> dict[str, Any]:
    """Return what a new generation takes over from the old one: version, runs, schemes."""
    if _current(target) is None:
        return {"version": 0, "tables": {}}
    with closing(connect(generation(target) / "city.gpkg")) as connection:
        version = connection.execute("SELECT value FROM cim_meta WHERE key = 'version'").fetchone()
        tables = {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
            for name in _CARRIED
        }
    return {"version": int(version[0]), "tables": tables}


def _carry_over(connection: sqlite3.Connection, before: Mapping[str, Any]) -> None:
    for name, found in before["tables"].items():
        if found:
            marks = ", ".join("?" * len(found[0]))
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", found)


def _meta(connection: sqlite3.Connection, twin: Twin, version: int) -> None:
    facts = {
        "schema": SCHEMA_VERSION,
        "name": twin.name,
        "crs": twin.frame.crs,
        "height_datum": twin.frame.height_datum,
        "origin_x": repr(float(twin.frame.origin[0])),
        "origin_y": repr(float(twin.frame.origin[1])),
        "zone": twin.zone,
        "first_version": version,
        "version": version,
        "illustrative": int(twin.illustrative),
    }
    connection.executemany(
        "INSERT INTO cim_meta VALUES (?, ?)", [(k, str(v)) for k, v in facts.items()]
    )


def _changeset(connection: sqlite3.Connection, twin: Twin, version: int, why: str) -> None:
    connection.execute(
        "INSERT INTO cim_changeset VALUES (?, ?, ?, ?, ?, 0, 0)",
        (version, datetime.now(UTC).isoformat(), "", why, sum(twin.layers().values())),
    )


def _srs_id(crs: str) -> int:
    number = crs.rpartition(":")[2]
    if not number.isdigit():
        raise StoreError("store.no_code", given=crs)
    return int(number)


def _wkt(crs: str) -> str:
    from cim.crs import proj_crs

    return str(proj_crs(crs).to_wkt("WKT1_GDAL"))
