"""The twin on disk as a view at one version: what is asked of it is read when it is asked.

Every read opens the database, reads in one transaction and closes it. Where the
twin has moved on since the view was opened, the history gives back the older state,
so a long run sees one world from beginning to end.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame
from cim.errors import RequestError, StoreError
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.kinds import kinds, split_layer
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable, concat
from cim.model.twin import Bounds, layer_names
from cim.store import disk, rows
from cim.store.bodies import read_bodies
from cim.store.folder import connect, generation, read_meta
from cim.store.kept import Kept
from cim.store.lookup import Lookup
from cim.store.meshes import read_meshes
from cim.store.raster import read_grid
from cim.store.schema import SCHEMA_VERSION, index_of, quoted

__all__ = ["StoredTwin", "grid_file", "open_twin"]


def open_twin(path: Path | str, *, version: int | None = None) -> StoredTwin:
    """Open a twin as it is now, or as it was known at an older version.

    Parameters
    ----------
    path
        The folder ``NAME.cim``.
    version
        An older version of the same generation.

    Raises
    ------
    StoreError
        No twin, a damaged or newer one, or no such version.
    """
    folder = Path(path)
    current = generation(folder)
    with closing(connect(current / "city.gpkg")) as connection, disk.reading(folder):
        meta = read_meta(connection)
    schema = int(meta.get("schema", "0"))
    if schema > SCHEMA_VERSION:
        raise StoreError("store.newer", given=folder, values={"found": schema})
    if schema < SCHEMA_VERSION:
        raise StoreError("store.older", given=folder, values={"found": schema})
    first, last = int(meta["first_version"]), int(meta["version"])
    chosen = last if version is None else version
    if not first <= chosen <= last:
        raise StoreError("store.no_version", given=chosen, values={"first": first, "last": last})
    return StoredTwin(
        path=folder,
        folder=current,
        name=meta["name"],
        frame=Frame(
            crs=meta["crs"],
            height_datum=meta["height_datum"],
            origin=(float(meta["origin_x"]), float(meta["origin_y"])),
        ),
        zone=meta["zone"],
        titles=json.loads(meta.get("titles", "{}")),
        version=chosen,
        illustrative=meta["illustrative"] == "1",
    )


@dataclass(frozen=True)
class StoredTwin:
    """A `TwinView` of a twin on disk at one version."""

    path: Path
    folder: Path
    name: str
    frame: Frame
    zone: str
    titles: Mapping[str, str]
    version: int
    illustrative: bool
    scheme: str | None = None
    _kept: Kept = dataclass_field(default_factory=Kept, init=False, repr=False, compare=False)

    @cached_property
    def _database(self) -> Path:
        return self.folder / "city.gpkg"

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.version)

    @property
    def report_path(self) -> Path:
        """Path of the report of the build."""
        return self.folder / "report.json"

    @property
    def srs_id(self) -> int:
        """EPSG code of the frame."""
        return int(self.frame.crs.rpartition(":")[2])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one read transaction."""
        with disk.reading(self.path), self._kept.reading(self._database) as connection:
            yield connection

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features each has."""
        with self.reading() as connection:
            counts = dict(connection.execute("SELECT layer, count FROM cim_layer ORDER BY rowid"))
            for kind_name in _foreign_kinds(connection):
                counts |= dict.fromkeys((n for n in counts if split_layer(n)[0] == kind_name), 0)
                counts |= dict(
                    connection.execute(
                        f"SELECT layer, count(*) FROM {quoted(kind_name)} GROUP BY layer"
                    )
                )
            moved = [
                layer
                for (layer,) in connection.execute(
                    "SELECT DISTINCT layer FROM cim_history WHERE changeset > ?", (self.version,)
                )
            ]
        for layer in moved:
            if layer in counts or layer:
                counts[layer] = len(self.table(layer))
        return {layer: count for layer, count in counts.items() if count or layer not in moved}

    def sources(self, layer: str) -> set[str]:
        """Return which sources the features of a layer come from, as it is now."""
        with self.reading() as connection:
            found = connection.execute(
                f"SELECT DISTINCT source FROM {quoted(split_layer(layer)[0])} WHERE layer = ?",
                (layer,),
            ).fetchall()
        return {source or "" for (source,) in found}

    def grids(self) -> list[str]:
        """Return the names of the grids."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT DISTINCT layer FROM cim_grid WHERE since <= ?", (self.version,)
            ).fetchall()
        return [layer for (layer,) in found]

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features, those whose box touches `bounds` where given.

        Raises
        ------
        RequestError
            No such layer.
        """
        kind_name = split_layer(layer)[0]
        with self.reading() as connection:
            if not _has_layer(connection, layer):
                raise RequestError(
                    "twin.no_layer", given=layer, values={"known": layer_names(self)}
                )
            fields = rows.read_fields(connection, layer)
            names = ", ".join(f"t.{quoted(n)}" for n in rows.row_columns(kind_name))
            condition, values = self._where(connection, kind_name, layer, bounds)
            found = connection.execute(
                f"SELECT {names}, t.fid FROM {quoted(kind_name)} AS t WHERE {condition} "
                "ORDER BY t.fid",
                values,
            ).fetchall()
            table = self._as_known(connection, rows.read_rows(found, layer, fields), found)
        return table if bounds is None else table.take(_touching(table, bounds))

    def _where(
        self, connection: sqlite3.Connection, kind_name: str, layer: str, bounds: Bounds | None
    ) -> tuple[str, list[Any]]:
        """Return the SQL condition of a layer and a box; the R*Tree only ever finds too much."""
        if bounds is None:
            return "t.layer = ?", [layer]
        x, y = self.frame.origin
        xmin, ymin, xmax, ymax = bounds
        tree = index_of(kind_name)
        near = (
            f"t.fid IN (SELECT fid FROM {tree} WHERE maxx >= ? AND minx <= ? "
            "AND maxy >= ? AND miny <= ?)"
        )
        # rows another program moved are not where the index says
        if kind_name in _foreign_kinds(connection):
            near = f"({near} OR t.fid IN (SELECT row FROM cim_foreign WHERE kind = '{kind_name}'))"
        return f"t.layer = ? AND {near}", [layer, xmin - x, xmax - x, ymin - y, ymax - y]

    def _as_known(
        self,
        connection: sqlite3.Connection,
        table: FeatureTable,
        found: Sequence[tuple[Any, ...]],
        *,
        only: str | None = None,
    ) -> FeatureTable:
        """Return a table as it was at this view's version, in the same order as then.

        Parameters
        ----------
        connection
            In the transaction that read the table.
        table
            The features as they are now.
        found
            Its rows; the last column of each is its number (fid).
        only
            The one id that was asked for.
        """
        later = connection.execute(
            "SELECT id, op, before, geom FROM cim_history WHERE layer = ?1 AND changeset > ?2 "
            "AND (?3 IS NULL OR id = ?3) ORDER BY changeset, rowid",
            (table.layer, self.version, only),
        ).fetchall()
        if not later:
            return table
        first: dict[str, tuple[str, str | None, bytes | None]] = {}
        for id_, op, before, geom in later:
            first.setdefault(id_, (op, before, geom))
        same = np.array([i not in first for i in table.ids], dtype=bool)
        kept = table.take(same)
        old = [(g, json.loads(b)) for op, b, g in first.values() if op != "added" and b is not None]
        if not old:
            return kept
        restored = rows.read_rows(
            [_history_row(table.kind, record, geom) for geom, record in old],
            table.layer,
            table.fields,
        )
        numbers = [row[-1] for row, stays in zip(found, same, strict=True) if stays]
        numbers += [record.get("fid", np.inf) for _, record in old]
        return concat([kept, restored]).take(np.argsort(numbers, kind="stable"))

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return a grid, or the part of it that touches `bounds`.

        Raises
        ------
        RequestError
            No such grid, or `bounds` outside it.
        StoreError
            Its file is gone or damaged.
        """
        with self.reading() as connection:
            found = grid_file(connection, layer, self.version)
        if found is None:
            raise RequestError("twin.no_layer", given=layer, values={"known": layer_names(self)})
        name, unit, illustrative, source = found
        frame, values = read_grid(self.folder / "grids" / name, bounds)
        return Grid(
            layer=layer,
            frame=frame,
            values=values,
            unit=unit,
            illustrative=bool(illustrative),
            source=source or "",
        )

    def meshes(self) -> MeshPool:
        """Return meshes, materials and instances."""
        with self.reading() as connection:
            return read_meshes(connection, self.version)

    def bodies(self, *, ids: Sequence[str] | None = None) -> BodyPool:
        """Return objects as polygons with meaning and look: all, or those with `ids`."""
        with self.reading() as connection:
            return read_bodies(connection, self.version, ids=ids)

    def find_ids(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the layer of each id.

        Raises
        ------
        RequestError
            An id is not there.
        """
        found: dict[str, str] = {}
        with self.reading() as connection:
            tables = _kind_tables(connection)
            for one in ids:
                layer = self._layer_of(connection, one, tables)
                if layer is None:
                    raise RequestError("store.no_id", given=one, values={"twin": self.name})
                found[one] = layer
        return found

    def _layer_of(
        self, connection: sqlite3.Connection, id: str, tables: Sequence[str]
    ) -> str | None:
        """Return the layer an id was in at this view's version."""
        later = connection.execute(
            "SELECT op, layer FROM cim_history WHERE id = ? AND changeset > ? "
            "ORDER BY changeset, rowid LIMIT 1",
            (id, self.version),
        ).fetchone()
        if later:
            return None if later[0] == "added" else str(later[1])
        for kind_name in sorted(tables, key=lambda k: not _fits(id, k)):
            row = connection.execute(
                f"SELECT layer FROM {quoted(kind_name)} WHERE id = ?", (id,)
            ).fetchone()
            if row:
                return str(row[0])
        return None

    def one(self, id: str) -> FeatureTable:
        """Return the feature with an id as a table of one row.

        Raises
        ------
        RequestError
            It is not there.
        """
        with suppress(sqlite3.Error, StoreError):  # the long way below says what is wrong
            near = self._lookup.find(self._kept.connection(self._database), id)
            if near is not None:
                return near
        with self.reading() as connection:
            layer = self._layer_of(connection, id, _kind_tables(connection))
            if layer is None:
                raise RequestError("store.no_id", given=id, values={"twin": self.name})
            names = ", ".join(map(quoted, rows.row_columns(split_layer(layer)[0])))
            found = connection.execute(
                f"SELECT {names}, fid FROM {quoted(split_layer(layer)[0])} "
                "WHERE id = ? AND layer = ?",
                (id, layer),
            ).fetchall()
            table = rows.read_rows(found, layer, rows.read_fields(connection, layer))
            return self._as_known(connection, table, found, only=id)

    def observations(
        self, sensor: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return times (seconds since 1970 UTC) and values of a sensor, oldest first.

        Parameters
        ----------
        sensor
            Its id.
        start, end
            Instants with their offset; `start` is part of the answer, `end` is not.

        Raises
        ------
        RequestError
            An instant has no offset from UTC.
        """
        naive = [t for t in (start, end) if t is not None and t.tzinfo is None]
        if naive:
            raise RequestError("store.naive_time", given=naive[0].isoformat())
        with self.reading() as connection:
            found = connection.execute(
                "SELECT time_s, value FROM cim_observation WHERE sensor = ? "
                "AND time_s >= ? AND time_s < ? ORDER BY time_s",
                (
                    sensor,
                    -np.inf if start is None else start.timestamp(),
                    np.inf if end is None else end.timestamp(),
                ),
            ).fetchall()
        series = np.array(found, dtype=np.float64).reshape(-1, 2)
        return series[:, 0], series[:, 1]

    def info(self) -> dict[str, Any]:
        """Return what the twin holds as plain data; see `cim.store.describe.info`."""
        from cim.store.describe import info

        return info(self)

    def about(self, id: str) -> dict[str, Any]:
        """Return everything known of one object; see `cim.store.describe.about`."""
        from cim.store.describe import about

        return about(self, id)

    def runs(self) -> list[dict[str, Any]]:
        """Return the kept runs, oldest first."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT id, question, at, version, scheme, titles, illustrative FROM cim_run "
                "ORDER BY rowid"
            ).fetchall()
        return [
            {
                "run": run,
                "question": question,
                "at": at,
                "twin_version": version,
                "scheme": scheme,
                "titles": json.loads(titles),
                "illustrative": bool(illustrative),
                "stale": version != self.version,
            }
            for run, question, at, version, scheme, titles, illustrative in found
        ]

    def versions(self) -> list[dict[str, Any]]:
        """Return the changesets, oldest first."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT id, at, who, why, added, changed, removed FROM cim_changeset "
                "WHERE id <= ? ORDER BY id",
                (self.version,),
            ).fetchall()
        names = ("version", "at", "who", "why", "added", "changed", "removed")
        return [dict(zip(names, row, strict=True)) for row in found]


def grid_file(
    connection: sqlite3.Connection, layer: str, version: int
) -> tuple[str, str, int, str | None] | None:
    """Return file, unit, illustrative and source of a grid at a version, or None."""
    found: tuple[str, str, int, str | None] | None = connection.execute(
        "SELECT file, unit, illustrative, source FROM cim_grid "
        "WHERE layer = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2)",
        (layer, version),
    ).fetchone()
    return found


def _has_layer(connection: sqlite3.Connection, layer: str) -> bool:
    row = connection.execute("SELECT 1 FROM cim_layer WHERE layer = ?", (layer,)).fetchone()
    return row is not None


def _foreign_kinds(connection: sqlite3.Connection) -> list[str]:
    """Return the kinds whose rows another program has changed."""
    found = connection.execute("SELECT DISTINCT kind FROM cim_foreign").fetchall()
    return [name for (name,) in found if name in kinds()]


def _kind_tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")
    return [name for (name,) in found if name in kinds()]


def _fits(id_: str, kind_name: str) -> bool:
    return id_.startswith(kinds()[kind_name].prefix + "-")


def _history_row(kind_name: str, record: dict[str, Any], geom: bytes | None) -> tuple[Any, ...]:
    return tuple(
        geom if name == "geom" else record.get(name) for name in rows.row_columns(kind_name)
    )


def _touching(table: FeatureTable, bounds: Bounds) -> Any:
    import shapely

    box = shapely.bounds(table.geometry)
    xmin, ymin, xmax, ymax = bounds
    with np.errstate(invalid="ignore"):
        return (box[:, 0] <= xmax) & (box[:, 2] >= xmin) & (box[:, 1] <= ymax) & (box[:, 3] >= ymin)
