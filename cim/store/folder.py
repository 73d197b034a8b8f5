"""Where the files of a twin lie, and how its live database is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cim.errors import StoreError
from cim.store import disk

__all__ = ["connect", "current_number", "generation", "generations", "has_history", "read_meta"]


def generations(path: Path) -> list[int]:
    """Return the numbers of the generations whose folders are there, oldest first."""
    found = [_number(child.name) for child in path.iterdir() if child.is_dir()]
    return sorted(number for number in found if number is not None)


def _number(name: str) -> int | None:
    return int(name[1:]) if name[:1] == "g" and name[1:].isdecimal() else None


def _pointer(path: Path) -> str | None:
    pointer = path / "current"
    if not pointer.is_file():
        return None
    with disk.reading(path):
        return pointer.read_text(encoding="utf-8", errors="replace").strip()


def current_number(path: Path) -> int | None:
    """Return the number of the generation that ``current`` names; None where it names none."""
    name = _pointer(path)
    number = _number(name) if name else None
    there = number is not None and name is not None and (path / name / "city.gpkg").is_file()
    return number if there else None


def has_history(path: Path) -> bool:
    """Tell whether a folder without ``current`` was once more than a first build stopped."""
    if not path.is_dir():
        return False
    return (path / "runs").is_dir() or bool({*generations(path)} - {1})


def generation(path: Path) -> Path:
    """Return the folder of the current generation.

    Raises
    ------
    StoreError
        There is no twin, or its pointer cannot be trusted.
    """
    name = _pointer(path)
    if name is None:
        if has_history(path):
            raise StoreError("store.lost_pointer", given=path)
        key = "store.unfinished" if (path / "lock").exists() else "store.no_twin"
        raise StoreError(key, given=path)
    if current_number(path) is None:
        raise StoreError("store.bad_pointer", given=path, values={"pointer": name[:40]})
    return path / name


def connect(database: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open a live database with the standard library's SQLite, the only one that may.

    Raises
    ------
    StoreError
        It is damaged, the disk refuses, or its last changes cannot be read where it lies.
    """
    with disk.guarded(database) if write else disk.reading(database):
        connection = _writer(database) if write else _reader(database)
        connection.isolation_level = None
    return connection


def _writer(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database.resolve().as_uri() + "?mode=rw", uri=True, timeout=30.0)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _reader(database: Path) -> sqlite3.Connection:
    uri = database.resolve().as_uri()
    connection = sqlite3.connect(uri + "?mode=ro", uri=True, timeout=30.0, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM cim_meta").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        code = getattr(error, "sqlite_errorcode", 0)
        if code not in _NO_ROOM and code & 0xFF not in _NO_LEAVE:
            raise
        return _reader_of_read_only(database, uri)
    return connection


_NO_LEAVE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_NO_ROOM = {sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}


def _reader_of_read_only(database: Path, uri: str) -> sqlite3.Connection:
    """Open a database whose folder is read-only or full: no shared memory file can be made.

    `immutable` leaves the write-ahead log unread: where a killed writer left one, the
    changes in it were acknowledged, and without them the answer would be an old one.
    """
    log = database.with_name(database.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError("store.read_only", given=database)
    connection = sqlite3.connect(uri + "?immutable=1", uri=True, check_same_thread=False)
    connection.execute("SELECT 1 FROM cim_meta").fetchone()
    return connection


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the twin's own facts: name, frame, version, schema."""
    return dict(connection.execute("SELECT key, value FROM cim_meta").fetchall())
