"""The database, grids and report of one generation, written so that a kill tears nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import StoreError
from cim.jobs import Job
from cim.model.kinds import kind, split_layer
from cim.model.table import FeatureTable
from cim.model.twin import Twin
from cim.store import disk, rows
from cim.store.bodies import write_bodies
from cim.store.folder import connect, current_number, generations, read_meta
from cim.store.meshes import write_meshes
from cim.store.raster import write_grid
from cim.store.rtree import fill_index, outward
from cim.store.schema import SCHEMA_VERSION, add_kind, create_side_tables, quoted, watch

__all__ = ["begun", "write_generation"]

_AT_ONCE = 10_000  # rows between two looks at a cancel: a quarter of a second
_COMMITTED = 100_000  # rows between two commits of a build that can be gone on with: two seconds
_CACHE_KB = 65_536
Boxes = NDArray[np.float32]
_CARRIED = ("cim_changeset", "cim_run", "cim_scheme")


def begun(folder: Path) -> tuple[str, int]:
    """Return the name of the build that a generation was left by, and its rows."""
    try:
        with closing(sqlite3.connect(folder / "city.gpkg")) as connection:
            found = connection.execute("SELECT value FROM cim_meta WHERE key = 'building'")
            name = next((str(value) for (value,) in found), "")
            return name, sum(_rows_there(connection).values())
    except sqlite3.Error:  # no database yet, or one that was torn
        return "", 0


def _rows_there(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each layer has."""
    tables = connection.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")
    counts: dict[str, int] = {}
    for (table,) in tables.fetchall():
        counts |= dict(
            connection.execute(f"SELECT layer, count(*) FROM {quoted(table)} GROUP BY layer")
        )
    return counts


def write_generation(
    twin: Twin,
    target: Path,
    folder: Path,
    report: Mapping[str, Any] | None,
    sources: Sequence[Mapping[str, Any]],
    observations: Sequence[tuple[str, float, float]],
    why: str,
    name: str,
    job: Job,
) -> None:
    """Write a generation into `folder`, going on from what a build of this name left there."""
    disk.make_folder(folder)
    disk.make_folder(folder / "grids")
    before = _carried(target)
    version = before["version"] + 1
    crs = twin.frame.crs
    database = folder / "city.gpkg"
    total = len(twin.layers()) + len(twin.rasters) + 1
    disk.step("write city.gpkg")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        _begin(connection, twin, name)
        _write_tables(connection, twin, version, total, job)
        for done, (layer, grid) in enumerate(twin.rasters.items(), len(twin.layers())):
            job.step(done, total, what="store.writing")
            file = write_grid(grid, folder / "grids", version, crs=crs)
            connection.execute(
                "INSERT INTO cim_grid VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (layer, file, grid.unit, grid.illustrative, grid.source, version),
            )
        write_meshes(connection, twin.pool, version)
        write_bodies(connection, twin.body_pool, version, heed=_heeding(job, total))
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
        watch(connection, sorted({split_layer(name)[0] for name in twin.layers()}))
        connection.execute("DELETE FROM cim_meta WHERE key = 'building'")
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.sync_file(database)
    disk.write_text(
        folder / "report.json", json.dumps(dict(report or {}), ensure_ascii=False, indent=1)
    )
    disk.sync_folder(folder / "grids")
    disk.sync_folder(folder)
    job.step(total, total, what="store.writing")


def _heeding(job: Job, total: int) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def heed(items: Iterable[Any]) -> Iterator[Any]:
        for done, one in enumerate(items):
            if done % 1000 == 0:
                job.step(total - 1, total, what="store.writing")
            yield one

    return heed


def _begin(connection: sqlite3.Connection, twin: Twin, name: str) -> None:
    """Make the empty tables where they are not there, and begin a transaction.

    The log keeps what was committed through a kill and a power cut; without a sync at each
    commit the last of them may be missing, never torn.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = {-_CACHE_KB}")
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'cim_meta'").fetchone()
    if not there:
        crs = twin.frame.crs
        create_side_tables(connection, srs=(_srs_id(crs), crs, _wkt(crs)))
    connection.execute("BEGIN")
    if not there:
        connection.execute("INSERT INTO cim_meta VALUES ('building', ?)", (name,))


def _write_tables(
    connection: sqlite3.Connection, twin: Twin, version: int, total: int, job: Job
) -> None:
    """Write all layers, beginning after the rows that are there; commit now and then."""
    there, new, before = _rows_there(connection), 0, 0
    layers = twin.layers()
    every = sum(layers.values())
    indexes = _room(layers)
    filled = dict.fromkeys(indexes, 0)
    for done, (layer, count) in enumerate(layers.items()):
        kind_name = split_layer(layer)[0]
        add_kind(connection, kind(kind_name), srs_id=_srs_id(twin.frame.crs))
        account = _Account(layer)
        for part in _slices(twin, layer):
            job.step(done + account.count / max(count, 1), total, what="store.writing",
                     count=(before + account.count, every))  # fmt: skip
            if not account.count:
                rows.write_fields(connection, layer, part.fields)
            skipped = min(max(there.get(layer, 0) - account.count, 0), len(part))
            account.add(part)
            at = filled[kind_name]
            boxes = rows.index_boxes(part, twin.frame.origin)
            indexes[kind_name][at : at + len(part)] = outward(boxes)
            filled[kind_name] += len(part)
            rows.write_rows(
                connection,
                part.take(np.arange(skipped, len(part))) if skipped else part,
                srs_id=_srs_id(twin.frame.crs),
                origin=twin.frame.origin,
                version=version,
                indexed=False,
            )
            new += len(part) - skipped
            if new >= _COMMITTED:
                disk.commit(connection)
                connection.execute("BEGIN")
                new = 0
        before += count
        account.note(connection)
    job.step(len(layers), total, what="store.writing")
    for kind_name, whole in indexes.items():  # the layers of a kind stand one after another
        placed = ~np.isnan(whole[:, 0])
        numbers = np.flatnonzero(placed) + 1
        fill_index(connection, kind_name, numbers, whole if placed.all() else whole[placed])


def _room(layers: Mapping[str, int]) -> dict[str, Boxes]:
    """Return room for the boxes of all features of each kind."""
    counts: dict[str, int] = {}
    for layer, count in layers.items():
        kind_name = split_layer(layer)[0]
        counts[kind_name] = counts.get(kind_name, 0) + count
    return {name: np.empty((count, 6), dtype=np.float32) for name, count in counts.items()}


def _slices(twin: Twin, layer: str) -> Iterator[FeatureTable]:
    """Yield a layer in slices short enough for a cancel; one without features as it is."""
    for table in twin.pieces(layer):
        for start in range(0, max(len(table), 1), _AT_ONCE):
            yield table.take(np.arange(start, min(start + _AT_ONCE, len(table))))


class _Account:
    """What is said of a layer, gathered while it is written."""

    def __init__(self, layer: str) -> None:
        self.layer, self.count, self.illustrative = layer, 0, False
        self._bounds: list[tuple[float, float, float, float]] = []

    def add(self, table: FeatureTable) -> None:
        self.count += len(table)
        self.illustrative |= table.illustrative
        box = table.bounds()
        self._bounds += [] if box is None else [box]

    def note(self, connection: sqlite3.Connection) -> None:
        kind_name = split_layer(self.layer)[0]
        connection.execute(
            "INSERT OR REPLACE INTO cim_layer VALUES (?, ?, ?, ?)",
            (self.layer, kind_name, self.count, self.illustrative),
        )
        if self._bounds:
            low, high = np.min(self._bounds, axis=0), np.max(self._bounds, axis=0)
            connection.execute(
                "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), "
                "min_y = min(coalesce(min_y, ?2), ?2), max_x = max(coalesce(max_x, ?3), ?3), "
                "max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = ?5",
                (*low[:2].tolist(), *high[2:].tolist(), kind_name),
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
        if "schema" not in meta:  # a stopped build: its facts come with its last commit
            raise StoreError("store.damaged", given=database, values={"why": "unfinished"})
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
