"""A packed R*Tree is sound in SQLite's own judgement, finds what a scan finds, takes edits."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from cim.model.kinds import kind
from cim.store.rtree import fill_index, outward
from cim.store.schema import add_kind, create_side_tables, index_of


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_side_tables(connection, srs=(4548, "EPSG:4548", ""))
    add_kind(connection, kind("building"), srs_id=4548)
    return connection


def boxes_of(count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = np.column_stack([rng.uniform(-3e4, 3e4, (count, 2)), rng.uniform(-5, 90, count)])
    high = low + rng.uniform(0.0, 40.0, (count, 3))
    return np.stack([low, high], axis=2).reshape(count, 6)


def sound(connection: sqlite3.Connection) -> str:
    name = index_of("building").strip('"')
    return str(connection.execute("SELECT rtreecheck('main', ?)", (name,)).fetchone()[0])


def found(connection: sqlite3.Connection, x: float, y: float, side: float) -> set[int]:
    ask = (
        f"SELECT fid FROM {index_of('building')} WHERE maxx >= ? AND minx <= ? "
        "AND maxy >= ? AND miny <= ?"
    )
    return {f for (f,) in connection.execute(ask, (x, x + side, y, y + side))}


@pytest.mark.parametrize("count", [0, 1, 50, 51, 52, 103, 2_101, 30_000])
def test_a_filled_tree_is_sound_and_finds_what_a_scan_finds(count: int) -> None:
    boxes = boxes_of(count)
    numbers = np.arange(1, count + 1) * 3
    rng = np.random.default_rng(2)
    with closing(database()) as connection:
        connection.execute("BEGIN")
        fill_index(connection, "building", numbers, outward(boxes))
        connection.execute("COMMIT")
        assert sound(connection) == "ok"
        total = connection.execute(f"SELECT count(*) FROM {index_of('building')}").fetchone()[0]
        assert total == count
        for _ in range(20):
            x, y = rng.uniform(-3e4, 3e4, 2)
            side = float(rng.uniform(10.0, 8e3))
            hit = (boxes[:, 1] >= x) & (boxes[:, 0] <= x + side)
            hit &= (boxes[:, 3] >= y) & (boxes[:, 2] <= y + side)
            want = set(numbers[hit].tolist())
            got = found(connection, float(x), float(y), side)
            assert got >= want and len(got) <= len(want) + 5  # float32 only ever finds too much


def test_a_filled_tree_takes_edits_and_stays_sound() -> None:
    boxes = boxes_of(5_000)
    with closing(database()) as connection:
        fill_index(connection, "building", np.arange(1, 5_001), outward(boxes))
        tree = index_of("building")
        more = boxes_of(4_000, seed=9)
        connection.executemany(
            f"INSERT OR REPLACE INTO {tree} VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(4_001 + i, *row) for i, row in enumerate(more.tolist())],
        )
        connection.execute(f"DELETE FROM {tree} WHERE fid <= 3000")
        assert sound(connection) == "ok"
        total = connection.execute(f"SELECT count(*) FROM {tree}").fetchone()[0]
        assert total == 5_000


def test_the_check_sees_a_broken_tree() -> None:
    with closing(database()) as connection:
        fill_index(connection, "building", np.arange(1, 500), outward(boxes_of(499)))
        name = index_of("building").strip('"')
        connection.execute(f'DELETE FROM "{name}_rowid" WHERE rowid = 7')
        assert sound(connection) != "ok"
