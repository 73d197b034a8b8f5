"""How bodies, their look and the records of their objects are kept beside the tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cim.model.body import Body, BodyPool, pack_body, shifted, unpack_body

__all__ = ["has_bodies", "read_bodies", "retire_bodies", "write_bodies"]

Heed = Callable[[Iterable[Body]], Iterator[Body]]

_MANY = 500  # ids in one question; SQLite takes 32766


def write_bodies(
    connection: sqlite3.Connection, pool: BodyPool, version: int, *, heed: Heed = iter
) -> None:
    """Write a pool beside what is there; numbers of templates and looks are raised.

    `heed` may stop the bodies between two of them.
    """
    shift = (
        _next(connection, "cim_template", "1"),
        _next(connection, "cim_look", "what = 'material'"),
        _next(connection, "cim_look", "what = 'texture'"),
    )
    looks = (("material", pool.materials, shift[1]), ("texture", pool.textures, shift[2]))
    for what, records, first in looks:
        connection.executemany(
            "INSERT INTO cim_look VALUES (?, ?, ?)",
            [(what, first + i, _text(one)) for i, one in enumerate(records)],
        )
    connection.executemany(
        "INSERT INTO cim_template VALUES (?, ?, ?, ?, ?)",
        [
            (shift[0] + i, b.type, b.lod, b.cim_level, pack_body(shifted(b, *shift)))
            for i, b in enumerate(pool.templates)
        ],
    )
    connection.executemany(
        "INSERT INTO cim_body VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (
            (b.object_id, b.type, b.lod, b.cim_level, pack_body(shifted(b, *shift)), version)
            for b in heed(pool.bodies)
        ),
    )
    connection.executemany("INSERT OR REPLACE INTO cim_image VALUES (?, ?)", pool.images.items())
    for table, records_of in (("cim_record", pool.records), ("cim_document", pool.documents)):
        connection.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",
            ((key, _text(one)) for key, one in records_of.items()),
        )


def retire_bodies(connection: sqlite3.Connection, object_id: str, version: int) -> None:
    """End the bodies of an object that no longer tell where it stands."""
    connection.execute(
        "UPDATE cim_body SET until = ? WHERE object_id = ? AND until IS NULL", (version, object_id)
    )


def has_bodies(connection: sqlite3.Connection) -> bool:
    """Tell whether anything is kept as polygons."""
    found = connection.execute("SELECT EXISTS (SELECT 1 FROM cim_body)").fetchone()
    return bool(found[0])


def read_bodies(
    connection: sqlite3.Connection, version: int, *, ids: Sequence[str] | None = None
) -> BodyPool:
    """Return the pool as it was at a version: all of it, or what belongs to some objects."""
    bodies = [
        unpack_body(data, object_id=id_, type=type_, lod=lod, cim_level=level)
        for id_, type_, lod, level, data in _select(
            connection, "cim_body", "object_id, type, lod, cim_level, body", ids,
            "since <= :v AND (until IS NULL OR until > :v)", version, "rowid",
        )
    ]  # fmt: skip
    records = _select(
        connection, "cim_record", "object_id, record", ids, ":v = :v", version, "rowid"
    )
    looks = connection.execute("SELECT what, record FROM cim_look ORDER BY number").fetchall()
    return BodyPool(
        bodies=bodies,
        templates=tuple(_templates(connection)),
        materials=tuple(json.loads(r) for what, r in looks if what == "material"),
        textures=tuple(json.loads(r) for what, r in looks if what == "texture"),
        records={id_: json.loads(record) for id_, record in records},
        documents={
            key: json.loads(record)
            for key, record in connection.execute("SELECT source, record FROM cim_document")
        },
        images=dict(connection.execute("SELECT name, bytes FROM cim_image")),
    )


def _templates(connection: sqlite3.Connection) -> Iterator[Body]:
    for type_, lod, level, data in connection.execute(
        "SELECT type, lod, cim_level, body FROM cim_template ORDER BY number"
    ):
        yield unpack_body(data, object_id="", type=type_, lod=lod, cim_level=level)


def _select(
    connection: sqlite3.Connection,
    table: str,
    columns: str,
    ids: Sequence[str] | None,
    condition: str,
    version: int,
    order: str,
) -> Iterator[tuple[Any, ...]]:
    if ids is None:
        yield from connection.execute(
            f"SELECT {columns} FROM {table} WHERE {condition} ORDER BY {order}", {"v": version}
        )
        return
    for start in range(0, len(ids), _MANY):
        part = ids[start : start + _MANY]
        names = {f"i{n}": one for n, one in enumerate(part)}
        marks = ", ".join(f":{n}" for n in names)
        yield from connection.execute(
            f"SELECT {columns} FROM {table} WHERE object_id IN ({marks}) AND {condition} "
            f"ORDER BY {order}",
            {"v": version, **names},
        )


def _next(connection: sqlite3.Connection, table: str, condition: str) -> int:
    found = connection.execute(
        f"SELECT coalesce(max(number) + 1, 0) FROM {table} WHERE {condition}"
    ).fetchone()
    return int(found[0])


def _text(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
