"""A whole new generation of a twin, made beside the old one and put in its place by one rename."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import StoreError
from cim.jobs import QUIET, Job
from cim.model.kinds import kind
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import Twin
from cim.store import disk, rows
from cim.store.bodies import write_bodies
from cim.store.folder import connect, current_number, generations, has_history, read_meta
from cim.store.lock import one_writer
from cim.store.raster import write_grid
from cim.store.schema import SCHEMA_VERSION, add_kind, create_side_tables, watch
from cim.store.stored import StoredTwin, open_twin

__all__ = ["check_target", "create", "tidy", "write_meshes"]

_AT_ONCE = 10_000  # rows between two looks at a cancel: a quarter of a second
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
        if not has_history(path):
            raise StoreError("store.not_ours", given=path)
        if not replace:
            raise StoreError("store.lost_pointer", given=path)
    if not path.parent.is_dir():
        raise StoreError("store.no_folder", given=path.parent)


def _leftover(path: Path) -> bool:
    """Tell whether a folder holds only what a stopped first build leaves behind."""
    if not path.is_dir():
        return False
    return {child.name for child in path.iterdir()} <= {"lock", "g0001", "current.tmp"}


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
        A twin is there already, another writer is at work, two features have one
        id, or the disk refuses.
    CancelledError
        The job was cancelled; nothing is left behind.
    """
    target = Path(path)
    check_target(target, replace=replace)
    _check_ids(twin)
    fresh = not target.exists()
    with disk.guarded(target):
        disk.make_folder(target)
        disk.sync_folder(target.parent)
        try:
            with one_writer(target):
                check_target(target, replace=replace)  # another may have built meanwhile
                folder = _next_generation(target)
                try:
                    _write(twin, target, folder, report, sources, observations, why, job)
                    disk.write_text(target / "current", folder.name + "\n")
                except BaseException:
                    _abandon(target, folder, fresh=fresh)
                    raise
                tidy(target)
        except BaseException:
            if fresh:
                with suppress(OSError):  # refused where anybody has put something into it
                    target.rmdir()
            raise
    return open_twin(target)


def _abandon(target: Path, folder: Path, *, fresh: bool) -> None:
    """Remove what a failing build has written, unless it is already what others see."""
    if current_number(target) == int(folder.name[1:]):
        return
    disk.remove_folder(folder)
    if fresh:
        with suppress(OSError):
            (target / "lock").unlink()


def _check_ids(twin: Twin) -> None:
    seen: dict[str, str] = {}
    for layer, table in twin.tables.items():
        for id_ in table.ids:
            if id_ in seen:
                raise StoreError(
                    "store.twice", given=id_, values={"layers": f"{seen[id_]}, {layer}"}
                )
            seen[id_] = layer


def _next_generation(target: Path) -> Path:
    """Return the folder to build in, after removing what stopped builds left behind."""
    current, known = current_number(target), generations(target)
    if current is not None:
        left = [number for number in known if number > current]
    else:  # without a pointer to trust, nothing of a twin that once was is removed
        left = [] if (target / "current").exists() or has_history(target) else known
    for number in left:
        disk.remove_folder(target / f"g{number:04d}")
    return target / f"g{max({*known} - {*left}, default=0) + 1:04d}"


def tidy(target: Path) -> None:
    """Remove generations older than the last one but one, and what stopped writers left."""
    current = current_number(target)
    if current is None:
        return
    for number in generations(target):
        if not current - 1 <= number <= current:
            disk.remove_folder(target / f"g{number:04d}")
    if (target / "current.tmp").exists():
        disk.remove_file(target / "current.tmp")
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
    crs = twin.frame.crs
    database = folder / "city.gpkg"
    total = len(twin.tables) + len(twin.rasters) + 1
    disk.step("write city.gpkg")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        create_side_tables(connection, srs=(srs_id, crs, _wkt(crs)))
        connection.execute("BEGIN")
        for done, (layer, table) in enumerate(twin.tables.items()):
            add_kind(connection, kind(table.kind), srs_id=srs_id)
            rows.write_fields(connection, layer, table.fields)
            for start in range(0, max(len(table), 1), _AT_ONCE):
                job.step(done + start / max(len(table), 1), total, what="store.writing")
                part = table.take(np.arange(start, min(start + _AT_ONCE, len(table))))
                rows.write_rows(
                    connection, part, srs_id=srs_id, origin=twin.frame.origin, version=version
                )
            _note_layer(connection, layer, table)
        for done, (layer, grid) in enumerate(twin.rasters.items(), len(twin.tables)):
            job.step(done, total, what="store.writing")
            name = write_grid(grid, folder / "grids", version, crs=crs)
            connection.execute(
                "INSERT INTO cim_grid VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (layer, name, grid.unit, grid.illustrative, grid.source, version),
            )
        write_meshes(connection, twin.pool, version)
        write_bodies(connection, twin.body_pool, version)
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


def _note_layer(connection: sqlite3.Connection, layer: str, table: FeatureTable) -> None:
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
    current = current_number(target)
    known = sorted(generations(target), key=lambda n: (n == current, n), reverse=True)
    for number in known:  # the one others see, else the newest that can be read
        try:
            return _taken_over(target, target / f"g{number:04d}" / "city.gpkg")
        except StoreError as error:
            if error.key != "store.damaged":
                raise
    return {"version": 0, "tables": {}}


def _taken_over(target: Path, database: Path) -> dict[str, Any]:
    with disk.reading(target), closing(connect(database)) as connection:
        meta = read_meta(connection)
        if int(meta["schema"]) > SCHEMA_VERSION:
            raise StoreError("store.newer", given=target, values={"found": meta["schema"]})
        tables = {}
        for name in _CARRIED:
            found = connection.execute(f"SELECT * FROM {name} ORDER BY rowid")
            tables[name] = ([column[0] for column in found.description], found.fetchall())
    return {"version": int(meta["version"]), "tables": tables}


def _carry_over(connection: sqlite3.Connection, before: Mapping[str, Any]) -> None:
    for name, (columns, found) in before["tables"].items():
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", found)


def _meta(connection: sqlite3.Connection, twin: Twin, version: int) -> None:
    facts = {
        "schema": SCHEMA_VERSION,
        "name": twin.name,
        "crs": twin.frame.crs,
        "height_datum": twin.frame.height_datum,
        "origin_x": repr(float(twin.frame.origin[0])),
        "origin_y": repr(float(twin.frame.origin[1])),
        "zone": twin.zone,
        "titles": json.dumps(dict(twin.titles), ensure_ascii=False),
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
