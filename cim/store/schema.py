"""The tables of ``city.gpkg``: a GeoPackage that other programs open, plus side tables.

One table a kind, with the kind's attributes as columns and all others in the
JSON column ``attributes``. No spatial index of GDAL's: it would hold map
coordinates in float32 (half a metre at a northing of 4.3 million). Ours is
``cim_rtree_<kind>_box``, relative to the frame's origin.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from cim.model.kinds import COMMON, Field, Kind, kind

__all__ = [
    "COLUMN_TYPES",
    "SCHEMA_VERSION",
    "SIDE_TABLES",
    "add_kind",
    "columns_of",
    "create_side_tables",
    "index_of",
    "quoted",
    "watch",
]

SCHEMA_VERSION = 5

COLUMN_TYPES = {
    "text": "TEXT",
    "real": "REAL",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "instant": "TEXT",
}

SIDE_TABLES = {
    "cim_meta": "key TEXT PRIMARY KEY, value TEXT",
    "cim_layer": "layer TEXT PRIMARY KEY, kind TEXT NOT NULL, count INTEGER NOT NULL, "
    "illustrative INTEGER NOT NULL",
    "cim_field": "layer TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, "
    "type TEXT NOT NULL, unit TEXT, en TEXT, zh TEXT, source TEXT, date TEXT, accuracy_m REAL, "
    "licence TEXT, PRIMARY KEY (layer, name)",
    "cim_grid": "layer TEXT NOT NULL, file TEXT NOT NULL, unit TEXT, illustrative INTEGER, "
    "source TEXT, since INTEGER NOT NULL, until INTEGER, PRIMARY KEY (layer, since)",
    "cim_mesh": "id TEXT PRIMARY KEY, vertices BLOB NOT NULL, triangles BLOB NOT NULL, "
    "surface BLOB NOT NULL, material BLOB NOT NULL, uv BLOB",
    "cim_material": "number INTEGER PRIMARY KEY, name TEXT, red REAL, green REAL, blue REAL, "
    "alpha REAL, image TEXT",
    "cim_instance": "object_id TEXT NOT NULL, mesh_id TEXT NOT NULL, matrix BLOB NOT NULL, "
    "lod TEXT, cim_level INTEGER, since INTEGER NOT NULL, until INTEGER",
    "cim_body": "object_id TEXT NOT NULL, type TEXT NOT NULL, lod TEXT, cim_level INTEGER, "
    "body BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER",
    "cim_template": "number INTEGER PRIMARY KEY, type TEXT NOT NULL, lod TEXT, "
    "cim_level INTEGER, body BLOB NOT NULL",
    "cim_look": "what TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, "
    "PRIMARY KEY (what, number)",
    "cim_image": "name TEXT PRIMARY KEY, bytes BLOB NOT NULL",
    "cim_record": "object_id TEXT PRIMARY KEY, record TEXT NOT NULL",
    "cim_document": "source TEXT PRIMARY KEY, record TEXT NOT NULL",
    "cim_observation": "sensor TEXT NOT NULL, time_s REAL NOT NULL, value REAL, "
    "PRIMARY KEY (sensor, time_s)",
    "cim_source": "key TEXT, file TEXT, layer TEXT, record TEXT",
    "cim_changeset": "id INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT, why TEXT, "
    "added INTEGER NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL",
    "cim_history": "changeset INTEGER NOT NULL, layer TEXT NOT NULL, id TEXT NOT NULL, "
    "op TEXT NOT NULL, before TEXT, geom BLOB",
    "cim_scheme": "name TEXT PRIMARY KEY, base_version INTEGER NOT NULL, at TEXT, who TEXT, "
    "why TEXT, illustrative INTEGER, edits TEXT NOT NULL",
    "cim_run": "id TEXT PRIMARY KEY, question TEXT NOT NULL, at TEXT NOT NULL, "
    "version INTEGER NOT NULL, scheme TEXT, titles TEXT, illustrative INTEGER, digest TEXT",
    "cim_foreign": "kind TEXT NOT NULL, row INTEGER NOT NULL",
}

_GPKG = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL,
  m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined cartesian', -1, 'NONE', -1, 'undefined', NULL),
  ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL);
"""


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def index_of(kind_name: str) -> str:
    """Return the quoted name of a kind's R*Tree.

    SQLite keeps a tree in tables called ``<tree>_node``, ``_parent``, ``_rowid``: the
    ending keeps that of ``pipe`` apart from the tree of ``pipe_node``.
    """
    return quoted(f"cim_rtree_{kind_name}_box")


def columns_of(kind_name: str) -> tuple[Field, ...]:
    """Return the attributes of a kind that are columns of its table."""
    return (*COMMON, *kind(kind_name).fields)


def create_side_tables(connection: sqlite3.Connection, *, srs: tuple[int, str, str]) -> None:
    """Make an empty GeoPackage with our side tables.

    Parameters
    ----------
    connection
        A new, empty database.
    srs
        EPSG code of the frame, its name, its definition as WKT.
    """
    connection.executescript(_GPKG)
    code, name, wkt = srs
    connection.execute(
        "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, 'EPSG', ?, ?, NULL)",
        (name, code, code, wkt),
    )
    if code != 4326:
        connection.execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES ('WGS 84', 4326, 'EPSG', 4326, ?, NULL)",
            (_WGS84,),
        )
    for table, columns in SIDE_TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
            "VALUES (?, 'attributes', ?)",
            (table, table),
        )
    connection.execute("CREATE INDEX cim_history_id ON cim_history (layer, id)")
    connection.execute("CREATE INDEX cim_instance_object ON cim_instance (object_id)")
    connection.execute("CREATE INDEX cim_body_object ON cim_body (object_id)")
    connection.execute("PRAGMA application_id = 1196444487")
    connection.execute("PRAGMA user_version = 10300")


def add_kind(connection: sqlite3.Connection, one: Kind, *, srs_id: int) -> None:
    """Make the table of a kind, with its index, where it is not there."""
    done = connection.execute(
        "SELECT 1 FROM gpkg_contents WHERE table_name = ?", (one.name,)
    ).fetchone()
    if done:
        return
    columns = ", ".join(f"{quoted(f.name)} {COLUMN_TYPES[f.type]}" for f in columns_of(one.name))
    connection.execute(
        f"CREATE TABLE {quoted(one.name)} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
        f"geom GEOMETRY, id TEXT NOT NULL UNIQUE, layer TEXT NOT NULL, {columns}, "
        "attributes TEXT, changed_in INTEGER)"
    )
    connection.execute(
        f"CREATE VIRTUAL TABLE {index_of(one.name)} USING rtree"
        "(fid, minx, maxx, miny, maxy, minz, maxz)"
    )
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) "
        "VALUES (?, 'features', ?, ?, ?)",
        (one.name, one.name, one.zh, srs_id),
    )
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', ?, 2, 0)",
        (one.name, srs_id),
    )


def watch(connection: sqlite3.Connection, kinds: Iterable[str]) -> None:
    """Make triggers that note rows changed by another program than ours.

    Our own writer sets the key ``writer`` inside its transaction and clears it
    before the commit; whoever does not know that is noticed.
    """
    for name in kinds:
        for op, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            connection.execute(
                f"CREATE TRIGGER IF NOT EXISTS {quoted(f'cim_watch_{op.lower()}_{name}')} "
                f"AFTER {op} ON {quoted(name)} "
                "WHEN NOT EXISTS (SELECT 1 FROM cim_meta WHERE key = 'writer') BEGIN "
                f"INSERT INTO cim_foreign VALUES ('{name}', {row}.fid); END"
            )


_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)
