"""How a twin of an older schema becomes one of today's: on a copy, put in place by one rename."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cim.errors import StoreError
from cim.store import disk
from cim.store.create import tidy
from cim.store.folder import connect, generation, read_meta
from cim.store.lock import one_writer
from cim.store.schema import (
    COLUMN_TYPES,
    SCHEMA_VERSION,
    SIDE_TABLES,
    columns_of,
    quoted,
    watch,
)
from cim.store.stored import StoredTwin, open_twin

__all__ = ["upgrade"]


def _to_2(connection: sqlite3.Connection) -> None:
    """Schema 1 had neither observations nor a watch for other programs' edits."""
    _add_tables(connection, "cim_observation", "cim_foreign")
    present = connection.execute("SELECT DISTINCT kind FROM cim_layer").fetchall()
    watch(connection, sorted(kind for (kind,) in present))


def _to_3(connection: sqlite3.Connection) -> None:
    """Schema 2 had no bodies."""
    names = ("cim_body", "cim_template", "cim_look", "cim_image", "cim_record", "cim_document")
    _add_tables(connection, *names)
    connection.execute("CREATE INDEX IF NOT EXISTS cim_body_object ON cim_body (object_id)")


def _add_columns(connection: sqlite3.Connection) -> None:
    """Schemas 3 and 4 lack columns that kinds got since; what sources called so moves there."""
    for (name,) in connection.execute("SELECT DISTINCT kind FROM cim_layer").fetchall():
        table = quoted(name)
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for field in columns_of(name):
            if field.name in present:
                continue
            column, path = quoted(field.name), f'$."{field.name}"'
            connection.execute(
                f"ALTER TABLE {table} ADD COLUMN {column} {COLUMN_TYPES[field.type]}"
            )
            connection.execute(
                f"UPDATE {table} SET {column} = json_extract(attributes, ?1), "
                "attributes = json_remove(attributes, ?1) "
                "WHERE attributes IS NOT NULL "
                f"AND json_type(attributes, ?1) IN ({_JSON[field.type]})",
                (path,),
            )
            held = "json_extract(before, '$.attributes')"
            connection.execute(  # older versions are read from the history; || drops the subtype
                f"UPDATE cim_history SET before = json_set(before, ?1, json_extract({held}, ?1), "
                f"'$.attributes', json_remove({held}, ?1) || '') WHERE before IS NOT NULL "
                "AND layer IN (SELECT layer FROM cim_layer WHERE kind = ?2) "
                f"AND json_type({held}, ?1) IN ({_JSON[field.type]})",
                (path, name),
            )
            _set_aside(connection, table, field.name)
            connection.execute(
                "INSERT INTO cim_field (layer, position, name, type, unit, en, zh, source, date, "
                "licence) "
                "SELECT l.layer, (SELECT COALESCE(MAX(position) + 1, 0) FROM cim_field f "
                "WHERE f.layer = l.layer), ?2, ?3, ?4, ?5, ?6, '', '', '' "
                "FROM cim_layer l WHERE l.kind = ?1 "
                "ON CONFLICT (layer, name) DO UPDATE SET type = excluded.type, "
                "unit = excluded.unit, en = excluded.en, zh = excluded.zh",
                (name, field.name, field.type, field.unit, field.en, field.zh),
            )


_JSON = {
    "text": "'text'",
    "real": "'integer', 'real'",
    "integer": "'integer'",
    "boolean": "'true', 'false'",
    "instant": "'text'",
}


def _set_aside(connection: sqlite3.Connection, table: str, name: str) -> None:
    """What a source called so and is no such value keeps its text, as ``NAME_before``."""
    path, other = f'$."{name}"', f"{name}_before"
    is_there = "attributes IS NOT NULL AND json_type(attributes, ?1) IS NOT NULL"
    connection.execute(
        "INSERT OR IGNORE INTO cim_field (layer, position, name, type, unit, en, zh, source, "
        "date, licence) "
        "SELECT DISTINCT t.layer, (SELECT COALESCE(MAX(position) + 1, 0) FROM cim_field f "
        "WHERE f.layer = t.layer), ?2, 'text', '', ?2, ?2, '', '', '' "
        f"FROM {table} t WHERE {is_there}",
        (path, other),
    )
    connection.execute(
        f"UPDATE {table} SET attributes = json_set(json_remove(attributes, ?1), ?2, "
        f"CAST(json_extract(attributes, ?1) AS TEXT)) WHERE {is_there}",
        (path, f'$."{other}"'),
    )


def _add_tables(connection: sqlite3.Connection, *names: str) -> None:
    for name in names:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({SIDE_TABLES[name]})")
        connection.execute(
            "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier) "
            "VALUES (?, 'attributes', ?)",
            (name, name),
        )


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _to_2,
    2: _to_3,
    3: _add_columns,
    4: _add_columns,  # place.capacity_persons
}


def upgrade(path: Path | str) -> StoredTwin:
    """Bring a twin to today's schema; the old generation stays until the new one is whole.

    Raises
    ------
    StoreError
        No twin, an unknown schema, another writer at work, or the disk refuses.
    """
    target = Path(path)
    generation(target)
    with one_writer(target), disk.guarded(target):
        old = generation(target)  # under the lock: another writer may just have replaced it
        if _schema(old) == SCHEMA_VERSION:
            return open_twin(target)
        new = target / f"g{int(old.name[1:]) + 1:04d}"
        if new.exists():
            disk.remove_folder(new)
        try:
            _copy(old, new)
            _migrate(new / "city.gpkg", target)
            disk.sync_file(new / "city.gpkg")
            disk.sync_folder(new)
            disk.write_text(target / "current", new.name + "\n")
        except BaseException:
            if generation(target) != new:
                disk.remove_folder(new)
            raise
        tidy(target)
    return open_twin(target)


def _schema(folder: Path) -> int:
    with closing(connect(folder / "city.gpkg")) as connection:
        return int(read_meta(connection).get("schema", "0"))


def _copy(old: Path, new: Path) -> None:
    disk.make_folder(new)
    disk.step("copy")
    shutil.copytree(old / "grids", new / "grids")
    if (old / "report.json").exists():
        shutil.copy2(old / "report.json", new / "report.json")
        disk.sync_file(new / "report.json")
    with (
        closing(connect(old / "city.gpkg")) as source,
        closing(sqlite3.connect(new / "city.gpkg")) as copy,
    ):
        source.backup(copy)
    for file in sorted((new / "grids").iterdir()):
        disk.sync_file(file)
    disk.sync_folder(new / "grids")


def _migrate(database: Path, target: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        found = connection.execute("SELECT value FROM cim_meta WHERE key = 'schema'").fetchone()
        schema = int(found[0]) if found else 0
        if schema > SCHEMA_VERSION or (schema < SCHEMA_VERSION and schema not in _STEPS):
            raise StoreError("store.unknown_schema", given=target, values={"found": schema})
        connection.execute("BEGIN IMMEDIATE")
        for number in range(schema, SCHEMA_VERSION):
            disk.step(f"migrate {number}")
            _STEPS[number](connection)
        connection.execute(
            "UPDATE cim_meta SET value = ? WHERE key = 'schema'", (str(SCHEMA_VERSION),)
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
