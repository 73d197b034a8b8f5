"""How meshes, materials and instances are kept beside the tables."""

from __future__ import annotations

import sqlite3
from typing import Any

import numpy as np

from cim.model.mesh import Instance, Material, Mesh, MeshPool

__all__ = ["read_meshes", "write_meshes"]


def write_meshes(connection: sqlite3.Connection, pool: MeshPool, version: int) -> None:
    """Write meshes, materials and instances; a mesh that is there already stays as it is."""
    first = connection.execute("SELECT coalesce(max(number) + 1, 0) FROM cim_material").fetchone()[
        0
    ]
    connection.executemany(
        "INSERT INTO cim_material VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(first + i, m.name, *m.rgba, m.image) for i, m in enumerate(pool.materials)],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO cim_mesh VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                key,
                np.ascontiguousarray(mesh.vertices, dtype=np.float32).tobytes(),
                np.ascontiguousarray(mesh.triangles, dtype=np.int32).tobytes(),
                np.ascontiguousarray(mesh.surface, dtype=np.uint8).tobytes(),
                np.where(mesh.material >= 0, mesh.material + first, -1).astype(np.int32).tobytes(),
                None if mesh.uv is None else np.ascontiguousarray(mesh.uv, np.float32).tobytes(),
            )
            for key, mesh in pool.meshes.items()
        ],
    )
    connection.executemany(
        "INSERT INTO cim_instance VALUES (?, ?, ?, ?, ?, ?, NULL)",
        [
            (
                i.object_id,
                i.mesh_id,
                np.ascontiguousarray(i.matrix, dtype=np.float64).tobytes(),
                i.lod,
                i.cim_level,
                version,
            )
            for i in pool.instances
        ],
    )


def read_meshes(connection: sqlite3.Connection, version: int) -> MeshPool:
    """Return the pool as it was at a version."""
    placed = connection.execute(
        "SELECT object_id, mesh_id, matrix, lod, cim_level FROM cim_instance "
        "WHERE since <= ?1 AND (until IS NULL OR until > ?1)",
        (version,),
    ).fetchall()
    used = {row[1] for row in placed}
    stored = connection.execute("SELECT * FROM cim_mesh").fetchall()
    materials = connection.execute(
        "SELECT name, red, green, blue, alpha, image FROM cim_material ORDER BY number"
    ).fetchall()
    return MeshPool(
        meshes={row[0]: _mesh(row) for row in stored if row[0] in used},
        materials=tuple(Material(n, (r, g, b, a), image) for n, r, g, b, a, image in materials),
        instances=tuple(
            Instance(o, m, np.frombuffer(matrix).reshape(4, 4), lod, level)
            for o, m, matrix, lod, level in placed
        ),
    )


def _mesh(row: tuple[Any, ...]) -> Mesh:
    _, vertices, triangles, surface, material, uv = row
    return Mesh(
        vertices=np.frombuffer(vertices, dtype=np.float32).reshape(-1, 3),
        triangles=np.frombuffer(triangles, dtype=np.int32).reshape(-1, 3),
        surface=np.frombuffer(surface, dtype=np.uint8),
        material=np.frombuffer(material, dtype=np.int32),
        uv=None if uv is None else np.frombuffer(uv, dtype=np.float32).reshape(-1, 2),
    )
