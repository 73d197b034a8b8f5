"""Connections that an open twin keeps between questions, one a thread, never in a transaction.

Opening a database costs half a millisecond, an id look-up a twentieth of that. A kept
connection holds no lock between questions. It is let go when the database is another
file than the one it was opened on, and after a fork.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cim.store.folder import connect

__all__ = ["Kept"]

_Stamp = tuple[int, int, int]


class Kept:
    """The reading connections of one open twin."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[_Stamp, sqlite3.Connection]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        return Kept()

    def __del__(self) -> None:
        for (_, _, process), connection in self._open.values():
            if process == os.getpid():
                with suppress(sqlite3.Error):
                    connection.close()

    @contextmanager
    def reading(self, database: Path) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one read transaction."""
        connection = self.connection(database)
        if connection.in_transaction:  # a question inside a question
            connection = connect(database)
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
            return
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            self._let_go(connection)
            raise

    def connection(self, database: Path) -> sqlite3.Connection:
        """Return this thread's connection, opened where there is none to this very file."""
        thread = threading.get_ident()
        kept = self._open.get(thread)
        if kept is not None:
            with suppress(OSError):
                seen = os.stat(database)  # noqa: PTH116  a third of the time of Path.stat
                if kept[0] == (seen.st_dev, seen.st_ino, os.getpid()):
                    return kept[1]
            del self._open[thread]
            if kept[0][2] == os.getpid():
                kept[1].close()
        connection = connect(database)
        seen = database.stat()
        self._open[thread] = ((seen.st_dev, seen.st_ino, os.getpid()), connection)
        return connection

    def _let_go(self, connection: sqlite3.Connection) -> None:
        """Close a connection whose question failed: the next one begins anew."""
        self._open = {k: v for k, v in self._open.items() if v[1] is not connection}
        with suppress(sqlite3.Error):
            connection.close()
