"""Changesets: how a twin moves from one version to the next."""

from __future__ import annotations

import getpass
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import RequestError
from cim.model.body import Body, BodyPool
from cim.model.edit import Edit, apply_to_grid, apply_to_table
from cim.model.grid import Grid
from cim.model.kinds import kind, split_layer
from cim.model.mesh import Instance, MeshPool
from cim.model.table import FeatureTable, empty_table
from cim.model.twin import Twin
from cim.store import disk, rows
from cim.store.bodies import retire_bodies, write_bodies
from cim.store.compare import changed_rows
from cim.store.create import tidy
from cim.store.folder import connect, generation, read_meta
from cim.store.lock import one_writer
from cim.store.meshes import write_meshes
from cim.store.raster import grid_name, write_grid
from cim.store.schema import add_kind, index_of, quoted, watch
from cim.store.stored import StoredTwin, open_twin

__all__ = [
    "Changeset",
    "Edits",
    "Writer",
    "commit",
    "edit",
    "update",
    "who_am_i",
]


@dataclass(frozen=True)
class Changeset:
    """One step of a twin's history: its number is the version it made."""

    id: int | None
    added: int
    changed: int
    removed: int


def commit(
    path: Path | str,
    edits: Sequence[Edit],
    *,
    why: str,
    who: str | None = None,
    meshes: MeshPool | None = None,
    bodies: BodyPool | None = None,
    grids: Sequence[Grid] = (),
) -> Changeset:
    """Make edits permanent: all of them, or none.

    Parameters
    ----------
    path
        The twin.
    edits
        In order.
    why, who
        For the history; `who` is the user of this machine where None.
    meshes
        Meshes and instances of the objects edited; they replace what those had.
    bodies
        Their polygons, which do the same.
    grids
        Whole grids that replace those of their name.

    Returns
    -------
    Changeset
        Its number is the new version; None where there was nothing to do.

    Raises
    ------
    RequestError
        An edit names what is not there, or adds what is.
    StoreError
        Another writer is at work, or the disk refuses.
    """
    target = Path(path)
    if not edits and not grids and not (meshes and len(meshes)) and not bodies:
        return Changeset(None, 0, 0, 0)
    generation(target)
    made: list[Path] = []
    with (
        one_writer(target),
        disk.guarded(target),
        closing(connect(generation(target) / "city.gpkg", write=True)) as connection,
    ):
        twin = open_twin(target)
        tidy(target)
        _sweep(connection, twin.folder / "grids")
        connection.execute("BEGIN IMMEDIATE")
        try:
            writer = Writer(connection, twin)
            for one in edits:
                if one.op != "terrain":
                    writer.apply(one)
            given = {grid.layer: grid for grid in grids}
            for layer in sorted({*given, *(e.layer for e in edits if e.op == "terrain")}):
                grid = given[layer] if layer in given else twin.grid(layer)
                writer.put_grid(apply_to_grid(grid, edits), made)
            if meshes is not None:
                writer.put_meshes(meshes)
            if bodies is not None:
                writer.put_bodies(bodies)
            counts = writer.finish(why, who_am_i() if who is None else who)
            disk.commit(connection)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
                for path_made in made:
                    path_made.unlink(missing_ok=True)
            raise
    return counts


def _sweep(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove the grid files of stopped writers: those that no row names."""
    named = {name for (name,) in connection.execute("SELECT file FROM cim_grid")}
    for path in sorted(folder.iterdir()):
        if path.name not in named:
            disk.remove_file(path)


_TOGETHER = {
    ("added", "changed"): "added",
    ("added", "removed"): "nothing",
    ("removed", "added"): "changed",
    ("nothing", "added"): "added",
}
"""What two operations on one object in one changeset come to, where it is not the second."""


class Writer:
    """Applies edits inside one transaction, keeping the state before each in the history."""

    def __init__(self, connection: sqlite3.Connection, twin: StoredTwin) -> None:
        meta = read_meta(connection)
        self.connection, self.twin = connection, twin
        self.version = int(meta["version"]) + 1
        self.ops: dict[tuple[str, str], str] = {}
        self.grids = 0
        connection.execute("INSERT OR REPLACE INTO cim_meta VALUES ('writer', '1')")

    def apply(self, one: Edit) -> None:
        """Make one edit of a feature."""
        kind_name = split_layer(one.layer)[0]
        add_kind(self.connection, kind(kind_name), srs_id=self.twin.srs_id)
        names = ", ".join(map(quoted, rows.row_columns(kind_name)))
        found = self.connection.execute(
            f"SELECT fid, {names} FROM {quoted(kind_name)} WHERE id = ?", (one.id,)
        ).fetchall()
        if found and found[0][3] != one.layer:
            raise RequestError("edit.already_there", given=one.id, values={"layer": found[0][3]})
        fields = rows.read_fields(self.connection, one.layer) or empty_table(one.layer).fields
        before = rows.read_rows([row[1:] for row in found], one.layer, fields)
        after = apply_to_table(before, [one])
        self._remember(one, found[0] if found else None, kind_name)
        fids = [row[0] for row in found]
        for fid in fids:
            self.connection.execute(f"DELETE FROM {quoted(kind_name)} WHERE fid = ?", (fid,))
            tree = index_of(kind_name)
            self.connection.execute(f"DELETE FROM {tree} WHERE fid = ?", (fid,))
        rows.write_fields(self.connection, one.layer, after.fields)
        rows.write_rows(
            self.connection,
            after,
            srs_id=self.twin.srs_id,
            origin=self.twin.frame.origin,
            version=self.version,
            rows=fids if fids and len(after) else None,
        )
        self._count(one.layer, kind_name, len(after) - len(before), after.illustrative)
        if one.op in ("remove", "move") or (one.op == "change" and one.geometry is not None):
            self._retire(one.id)

    def _remember(self, one: Edit, row: tuple[Any, ...] | None, kind_name: str) -> None:
        op = {"add": "added", "remove": "removed"}.get(one.op, "changed")
        before, geom = None, None
        if row is not None:
            names = rows.row_columns(kind_name)
            record = dict(zip(names, row[1:], strict=True))
            geom = record.pop("geom")
            record["fid"] = row[0]  # an older view gives features in the order of their numbers
            before = json.dumps(record, ensure_ascii=False)
        self.connection.execute(
            "INSERT INTO cim_history VALUES (?, ?, ?, ?, ?, ?)",
            (self.version, one.layer, one.id, op, before, geom),
        )
        key = (one.layer, one.id)
        self.ops[key] = _TOGETHER.get((self.ops.get(key, ""), op), op)

    def _count(self, layer: str, kind_name: str, change: int, illustrative: bool) -> None:
        self.connection.execute(
            "INSERT INTO cim_layer VALUES (?1, ?2, ?3, ?4) ON CONFLICT (layer) DO UPDATE SET "
            "count = count + ?3, illustrative = max(illustrative, ?4)",
            (layer, kind_name, change, illustrative),
        )
        if illustrative:
            self.connection.execute("UPDATE cim_meta SET value = '1' WHERE key = 'illustrative'")

    def _retire(self, object_id: str) -> None:
        """End the instances of an object whose mesh no longer tells where it stands."""
        self.connection.execute(
            "UPDATE cim_instance SET until = ? WHERE object_id = ? AND until IS NULL",
            (self.version, object_id),
        )
        retire_bodies(self.connection, object_id, self.version)

    def put_grid(self, grid: Grid, made: list[Path]) -> None:
        """Write a grid that replaces the one of its name; note its file in `made`."""
        folder = self.twin.folder / "grids"
        made.append(folder / grid_name(grid.layer, self.version))
        name = write_grid(grid, folder, self.version, crs=self.twin.frame.crs)
        disk.sync_folder(folder)
        self.connection.execute(
            "UPDATE cim_grid SET until = ? WHERE layer = ? AND until IS NULL",
            (self.version, grid.layer),
        )
        self.connection.execute(
            "INSERT INTO cim_grid VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (grid.layer, name, grid.unit, grid.illustrative, grid.source, self.version),
        )
        self.grids += 1

    def put_meshes(self, pool: MeshPool) -> None:
        """Write meshes that replace those of their objects."""
        for object_id in {i.object_id for i in pool.instances}:
            self._retire(object_id)
        write_meshes(self.connection, pool, self.version)

    def put_bodies(self, pool: BodyPool) -> None:
        """Write bodies that replace those of their objects, after any meshes of theirs."""
        for object_id in {b.object_id for b in pool.bodies}:
            retire_bodies(self.connection, object_id, self.version)
        write_bodies(self.connection, pool, self.version)

    def finish(self, why: str, who: str) -> Changeset:
        """Write the changeset and the new version; the caller commits."""
        ops = list(self.ops.values())
        counts = Changeset(
            self.version,
            ops.count("added"),
            ops.count("changed") + self.grids,
            ops.count("removed"),
        )
        self.connection.execute(
            "INSERT INTO cim_changeset VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self.version,
                datetime.now(UTC).isoformat(),
                who,
                why,
                counts.added,
                counts.changed,
                counts.removed,
            ),
        )
        self.connection.execute(
            "UPDATE cim_meta SET value = ? WHERE key = 'version'", (str(self.version),)
        )
        watch(self.connection, {split_layer(layer)[0] for layer, _ in self.ops})
        self.connection.execute("DELETE FROM cim_meta WHERE key = 'writer'")
        return counts


def who_am_i() -> str:
    """Return the user of this machine; nothing where it does not tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@dataclass
class Edits:
    """Edits being collected for one changeset."""

    twin: StoredTwin
    collected: list[Edit] = field(default_factory=list)

    def add(self, layer: str, id: str, values: Mapping[str, Any], *, geometry: Any) -> None:
        """Add a feature."""
        self.collected.append(Edit("add", layer, id, values, geometry))

    def remove(self, id: str) -> None:
        """Remove a feature."""
        self.collected.append(Edit("remove", self.twin.find_ids([id])[id], id))

    def change(self, id: str, values: Mapping[str, Any]) -> None:
        """Change attributes of a feature; None clears one."""
        self.collected.append(Edit("change", self.twin.find_ids([id])[id], id, values))

    def move(self, id: str, *, dx_m: float, dy_m: float) -> None:
        """Move a feature."""
        shift = {"dx_m": dx_m, "dy_m": dy_m}
        self.collected.append(Edit("move", self.twin.find_ids([id])[id], id, shift))

    def terrain(self, polygon: Any, *, delta_m: float, layer: str = "terrain") -> None:
        """Raise or lower the ground inside a polygon."""
        self.collected.append(Edit("terrain", layer, "", {"delta_m": delta_m}, polygon))


@contextmanager
def edit(path: Path | str, *, why: str, who: str | None = None) -> Iterator[Edits]:
    """Collect edits during the block and commit them at its end; none where it fails."""
    edits = Edits(open_twin(path))
    yield edits
    commit(path, edits.collected, why=why, who=who)


def update(path: Path | str, twin: Twin, *, why: str, who: str | None = None) -> Changeset:
    """Bring layers made of newer files into a twin: only what differs is touched.

    A stored feature is removed when its source delivered again without it; features
    of other sources stay.

    Parameters
    ----------
    path
        The twin.
    twin
        The newer layers, in the same frame.
    why, who
        For the history.

    Raises
    ------
    RequestError
        The frames differ.
    StoreError
        As for `commit`.
    """
    stored = open_twin(path)
    if (twin.frame.crs, twin.frame.height_datum) != (stored.frame.crs, stored.frame.height_datum):
        raise RequestError(
            "store.other_frame",
            given=f"{twin.frame.crs} + {twin.frame.height_datum}",
            values={"frame": f"{stored.frame.crs} + {stored.frame.height_datum}"},
        )
    edits: list[Edit] = []
    known = stored.layers()
    for layer, fresh in twin.tables.items():
        old = stored.table(layer) if layer in known else empty_table(layer)
        edits += _edits_between(old, fresh)
    grids = [g for g in twin.rasters.values() if not _same_grid(stored, g)]
    edited = {e.id for e in edits} | _reshaped(stored, twin)
    shown = edited | _remodelled(stored, twin, edited)
    instances = tuple(i for i in twin.pool.instances if i.object_id in shown)
    meshes = MeshPool(twin.pool.meshes, twin.pool.materials, instances) if instances else None
    bodies = None
    if twin.body_pool and (edited or twin.body_pool.documents):
        bodies = twin.bodies(ids=sorted(edited))
    return commit(path, edits, why=why, who=who, meshes=meshes, bodies=bodies, grids=grids)


def _remodelled(stored: StoredTwin, twin: Twin, edited: set[str]) -> set[str]:
    """Return objects whose row stays and whose meshes differ: a house that gets its model."""
    fresh = _instances([i for i in twin.pool.instances if i.object_id not in edited])
    if not fresh:
        return set()
    old = _instances(stored.meshes().instances)
    return {id_ for id_, parts in fresh.items() if old.get(id_) != parts}


def _instances(instances: Sequence[Instance]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in instances:
        parts = (one.lod, one.cim_level, one.mesh_id, one.matrix.tobytes())
        found.setdefault(one.object_id, []).append(parts)
    return {id_: sorted(parts) for id_, parts in found.items()}


def _reshaped(stored: StoredTwin, twin: Twin) -> set[str]:
    """Return the objects whose polygons differ from those kept, look left aside."""
    ids = sorted({b.object_id for b in twin.body_pool.bodies})
    old, new = (_shapes(pool.bodies) for pool in (stored.bodies(ids=ids), twin.body_pool))
    return {id_ for id_ in ids if old.get(id_) != new.get(id_)}


def _shapes(bodies: Sequence[Body]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for b in bodies:
        parts = (b.vertices, b.index, b.rings, b.faces, b.shells, b.solids, b.semantic)
        shape = (b.type, b.lod, [part.tobytes() for part in parts], list(b.surfaces or ()))
        found.setdefault(b.object_id, []).append(shape)
    return found


def _edits_between(old: FeatureTable, fresh: FeatureTable) -> list[Edit]:
    before, after = old.position(), fresh.position()
    sources = set(fresh.texts("source"))
    edits = [
        Edit("remove", old.layer, str(id_))
        for id_, source in zip(old.ids, old.texts("source"), strict=True)
        if id_ not in after and source in sources
    ]
    edits += [
        Edit("add", fresh.layer, id_, _values(fresh, i), fresh.geometry[i])
        for id_, i in after.items()
        if id_ not in before
    ]
    common = [id_ for id_ in after if id_ in before]
    i = np.array([before[id_] for id_ in common], dtype=np.intp)
    j = np.array([after[id_] for id_ in common], dtype=np.intp)
    columns, moved = changed_rows(old, i, fresh, j)
    for row in np.flatnonzero(np.logical_or.reduce([moved, *columns.values()])):
        record = _values(fresh, int(j[row]))
        values = {name: record.get(name) for name, odd in columns.items() if odd[row]}
        shape = fresh.geometry[j[row]] if moved[row] else None
        edits.append(Edit("change", fresh.layer, common[row], values, shape))
    return edits


def _values(table: FeatureTable, i: int) -> dict[str, Any]:
    record = table.row(i)
    return {k: v for k, v in record.items() if k not in ("id", "kind", "layer")}


def _same_grid(stored: StoredTwin, grid: Grid) -> bool:
    if grid.layer not in stored.grids():
        return False
    old = stored.grid(grid.layer)
    return old.frame == grid.frame and np.array_equal(old.values, grid.values, equal_nan=True)
