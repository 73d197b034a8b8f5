"""How rows that another program changed become part of the twin's own account."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cim import messages
from cim.model.kinds import kinds
from cim.model.table import empty_table
from cim.store import disk, rows
from cim.store.edits import Changeset, Writer, who_am_i
from cim.store.folder import connect, generation
from cim.store.lock import one_writer
from cim.store.schema import index_of, quoted
from cim.store.stored import open_twin

__all__ = ["reindex"]


def reindex(path: Path | str, *, who: str | None = None) -> Changeset:
    """Take in what another program changed: index, counts and bounds agree again.

    Until then such rows are found, but by way of a list that grows. Their state before
    the change is not known, so older versions show them as they are now.

    Parameters
    ----------
    path
        The twin.
    who
        For the history; the user of this machine where None.

    Raises
    ------
    StoreError
        Another writer is at work, or the disk refuses.
    """
    target = Path(path)
    generation(target)
    with (
        one_writer(target),
        disk.guarded(target),
        closing(connect(generation(target) / "city.gpkg", write=True)) as connection,
    ):
        twin = open_twin(target)
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = connection.execute("SELECT DISTINCT kind, row FROM cim_foreign").fetchall()
            if not found:
                connection.execute("ROLLBACK")
                return Changeset(None, 0, 0, 0)
            writer = Writer(connection, twin)
            for kind_name in sorted({k for k, _ in found if k in kinds()}):
                changed = [row for k, row in found if k == kind_name]
                _count_ops(writer, kind_name, changed)
                _rebuild(connection, kind_name, twin.frame.origin)
            connection.execute("DELETE FROM cim_foreign")
            counts = writer.finish(
                messages.text("store.reindexed"), who_am_i() if who is None else who
            )
            disk.commit(connection)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return counts


def _count_ops(writer: Writer, kind_name: str, changed: Sequence[int]) -> None:
    indexed = f"SELECT 1 FROM {index_of(kind_name)} WHERE fid = ?"
    for fid in changed:
        row = writer.connection.execute(
            f"SELECT layer, id FROM {quoted(kind_name)} WHERE fid = ?", (fid,)
        ).fetchone()
        before = writer.connection.execute(indexed, (fid,)).fetchone()
        if row is not None:
            writer.ops[row[0], row[1]] = "changed" if before else "added"
        elif before:
            writer.ops[kind_name, f"row {fid}"] = "removed"


def _rebuild(connection: sqlite3.Connection, kind_name: str, origin: tuple[float, float]) -> None:
    """Write the index, the counts and the bounds of a kind anew from its table."""
    connection.execute(f"DELETE FROM {index_of(kind_name)}")
    connection.execute("UPDATE cim_layer SET count = 0 WHERE kind = ?", (kind_name,))
    names = ", ".join(map(quoted, rows.row_columns(kind_name)))
    layers = connection.execute(f"SELECT DISTINCT layer FROM {quoted(kind_name)}").fetchall()
    boxes = []
    for (layer,) in layers:
        found = connection.execute(
            f"SELECT {names}, fid FROM {quoted(kind_name)} WHERE layer = ?", (layer,)
        ).fetchall()
        fields = rows.read_fields(connection, layer)
        if not fields:
            fields = empty_table(layer).fields
            rows.write_fields(connection, layer, fields)
        table = rows.read_rows(found, layer, fields)
        rows.write_index(connection, table, [row[-1] for row in found], origin=origin)
        connection.execute(
            "INSERT INTO cim_layer VALUES (?1, ?2, ?3, ?4) ON CONFLICT (layer) DO UPDATE SET "
            "count = ?3, illustrative = max(illustrative, ?4)",
            (layer, kind_name, len(table), table.illustrative),
        )
        box = table.bounds()
        if box is not None:
            boxes.append(box)
    if boxes:
        low, high = np.min(boxes, axis=0).tolist(), np.max(boxes, axis=0).tolist()
        connection.execute(
            "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ? "
            "WHERE table_name = ?",
            (*low[:2], *high[2:], kind_name),
        )
