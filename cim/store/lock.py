"""Who may write: one writer at a time, told by a lock that dies with its process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cim.errors import StoreError

__all__ = ["one_writer"]


@contextmanager
def one_writer(twin: Path) -> Iterator[None]:
    """Hold the writer's lock of a twin during the block.

    Raises
    ------
    StoreError
        Another process or thread holds it; the message names it.
    """
    path = twin / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError("store.cannot_write", given=twin, values={"why": why}) from error
    try:
        if not _try_lock(handle) or not _still_there(handle, path):
            holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "?"
            raise StoreError("store.second_writer", given=twin, values={"holder": holder})
        with suppress(OSError):  # the name is a courtesy: a full disk must not forbid the write
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
        with suppress(OSError):
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _still_there(handle: int, path: Path) -> bool:
    """Tell whether the locked file is the one at `path`: a build that failed removes its own."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _try_lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
