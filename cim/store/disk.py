"""Every step that changes the disk, so that a test can stop the program at each of them.

Files become visible by renaming, after their bytes and their folder are on disk.
`at_every_step` lets a test fail or kill the process before any of these steps.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cim.errors import StoreError

__all__ = [
    "at_every_step",
    "commit",
    "guarded",
    "make_folder",
    "reading",
    "remove_file",
    "remove_folder",
    "rename",
    "step",
    "sync_file",
    "sync_folder",
    "write_text",
]

_listener: list[Callable[[str], None]] = []


@contextmanager
def at_every_step(listener: Callable[[str], None]) -> Iterator[None]:
    """Call `listener` with the name of each step before it is taken."""
    _listener.append(listener)
    try:
        yield
    finally:
        _listener.remove(listener)


def step(name: str) -> None:
    """Announce a step that changes the disk."""
    for listener in _listener:
        listener(name)


_REFUSED = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn errors of the operating system and SQLite while writing into a `StoreError`."""
    with _translated(path, "store.cannot_write"):
        yield


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the operating system and SQLite while reading into a `StoreError`."""
    with _translated(path, "store.damaged"):
        yield


@contextmanager
def _translated(path: Path, refused: str) -> Iterator[None]:
    """Raise `refused` where the disk says no, ``store.damaged`` where its content is wrong."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
        key = "store.damaged"
        if code in _BUSY:
            key = "store.busy"
        elif code in _REFUSED:
            key = refused
        raise StoreError(key, given=path, values={"why": str(error)}) from error
    except StoreError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(refused, given=path, values={"why": why}) from error


def make_folder(path: Path) -> None:
    """Make one folder."""
    step(f"make {path.name}")
    path.mkdir(exist_ok=True)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    step(f"sync {path.name}")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    staged = path.with_name(path.name + ".tmp")
    try:
        step(f"write {staged.name}")
        with staged.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        rename(staged, path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def rename(source: Path, target: Path) -> None:
    """Rename within one folder, replacing a file of that name, and sync the folder."""
    step(f"rename {target.name}")
    source.replace(target)
    step(f"renamed {target.name}")
    sync_folder(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file where it is there."""
    step(f"remove {path.name}")
    path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove a folder with all it holds; what cannot be removed stays for the next writer."""
    step(f"remove {path.name}")
    shutil.rmtree(path, ignore_errors=True)


def commit(connection: sqlite3.Connection) -> None:
    """Commit a transaction."""
    step("commit")
    connection.execute("COMMIT")
    step("committed")
