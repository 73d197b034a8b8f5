"""A twin made before a kind got an attribute gets its column, and keeps what a source called so."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import shapely

from cim.errors import StoreError
from cim.model import Twin
from cim.model.kinds import kinds
from cim.store import as_of, create, edit, open_twin, upgrade
from cim.store.folder import generation
from cim.store.schema import SCHEMA_VERSION, columns_of
from tests.towns import FRAME, layer, town

COLUMNS = {5: "18965bfdcd6d9ab4"}


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


def test_a_twin_of_schema_4_without_the_capacity_of_places_is_named_and_upgraded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "town.cim"
    spots = [shapely.Point(FRAME.origin), shapely.Point(FRAME.origin[0] + 5.0, FRAME.origin[1])]
    create(Twin("town", FRAME, {"place": layer("place", spots)}), path)
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as old:
        old.execute("ALTER TABLE place DROP COLUMN capacity_persons")
        old.execute("DELETE FROM cim_field WHERE layer = 'place' AND name = 'capacity_persons'")
        old.execute("""UPDATE place SET attributes = '{"capacity_persons": 300}' WHERE fid = 1""")
        old.execute("UPDATE cim_meta SET value = '4' WHERE key = 'schema'")
        old.commit()
    with pytest.raises(StoreError, match="cim upgrade") as told:
        open_twin(path)
    assert told.value.key == "store.older"
    table = upgrade(path).table("place")
    assert table.numbers("capacity_persons", default=-1.0).tolist() == [300.0, -1.0]
    assert {f.name: (f.type, f.unit) for f in table.fields}["capacity_persons"] == ("integer", "1")


def test_the_columns_of_kinds_are_those_of_the_schema() -> None:
    columns = "\n".join(
        f"{name}.{field.name} {field.type}"
        for name in sorted(kinds())
        for field in columns_of(name)
    )
    found = hashlib.sha256(columns.encode()).hexdigest()[:16]
    assert COLUMNS.get(SCHEMA_VERSION) == found, (
        "The columns of kinds.toml are not those of this SCHEMA_VERSION: raise it in "
        "cim/store/schema.py, give the version before it the step _add_columns in "
        f"cim/store/upgrade.py, and add {SCHEMA_VERSION + 1}: {found!r} to COLUMNS here."
    )


def test_what_a_source_called_so_and_is_no_such_value_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / "town.cim"
    spots = [shapely.Point(FRAME.origin), shapely.Point(FRAME.origin[0] + 5.0, FRAME.origin[1])]
    create(Twin("town", FRAME, {"place": layer("place", spots)}), path)
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as old:
        old.execute("ALTER TABLE place DROP COLUMN capacity_persons")
        old.execute("DELETE FROM cim_field WHERE layer = 'place' AND name = 'capacity_persons'")
        old.execute(
            """UPDATE place SET attributes = '{"capacity_persons": "ca. 300"}' WHERE fid = 1"""
        )
        old.execute("""UPDATE place SET attributes = '{"capacity_persons": 40}' WHERE fid = 2""")
        old.execute("UPDATE cim_meta SET value = '4' WHERE key = 'schema'")
        old.commit()
    table = upgrade(path).table("place")
    assert table.numbers("capacity_persons", default=-1.0).tolist() == [-1.0, 40.0]
    assert table.column("capacity_persons_before").tolist()[0] == "ca. 300"


def test_an_older_version_keeps_the_value_that_an_upgrade_moved(tmp_path: Path) -> None:
    path = tmp_path / "town.cim"
    spots = [shapely.Point(FRAME.origin), shapely.Point(FRAME.origin[0] + 5.0, FRAME.origin[1])]
    create(Twin("town", FRAME, {"place": layer("place", spots)}), path)
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as old:
        old.execute("""UPDATE place SET attributes = '{"capacity_persons": 120}'""")
        old.commit()
    first = str(open_twin(path).table("place").ids[0])
    with edit(path, why="moved") as changes:
        changes.move(first, dx_m=1.0, dy_m=0.0)
    with closing(sqlite3.connect(generation(path) / "city.gpkg")) as old:
        old.execute("ALTER TABLE place DROP COLUMN capacity_persons")
        old.execute("DELETE FROM cim_field WHERE layer = 'place' AND name = 'capacity_persons'")
        held = """'{"capacity_persons":120}'"""
        old.execute(
            "UPDATE cim_history SET before = "
            f"json_remove(json_set(before, '$.attributes', {held}), '$.capacity_persons')"
        )
        old.execute("UPDATE cim_meta SET value = '4' WHERE key = 'schema'")
        old.commit()
    upgrade(path)
    before = as_of(path, 1).table("place")
    assert before.numbers("capacity_persons", default=-1.0).tolist() == [120.0, 120.0]
