"""A twin made before a kind got an attribute gets its column, and keeps what a source called so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from cim.store import create, open_twin, upgrade
from cim.store.folder import generation
from tests.towns import town


def test_a_missing_column_is_added_and_filled_from_the_sources_own_attribute(
    tmp_path: Path,
) -> None:
    path = tmp_path / "town.cim"
    create(town(), path)
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as old:
        old.execute("ALTER TABLE building DROP COLUMN jobs")
        old.execute(
            """UPDATE building SET attributes = '{"jobs": 7.5, "own": "x"}' WHERE fid = 1"""
        )
        old.execute("UPDATE cim_meta SET value = '3' WHERE key = 'schema'")
        old.commit()
    upgrade(path)
    table = open_twin(path).table("building")
    assert table.numbers("jobs", default=-1.0).tolist() == [7.5] + [-1.0] * 11
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as new:
        kept = new.execute("SELECT attributes FROM building WHERE fid = 1").fetchone()[0]
    assert kept == '{"own":"x"}'
