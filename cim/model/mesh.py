"""Solids of the twin: unique meshes, the materials they wear, and where each stands.

A mesh is stored once, in float32 around an origin of its own; an instance places
it for an object with a 4×4 matrix in float64, so a thousand equal windows are one
mesh and nothing loses precision at map coordinates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cim.errors import ShapeError

__all__ = ["Instance", "Material", "Mesh", "MeshPool", "Surface", "mesh_id"]


class Surface(IntEnum):
    """Semantic surface of a triangle, after CityJSON."""

    UNKNOWN = 0
    GROUND = 1
    WALL = 2
    ROOF = 3
    OUTER_FLOOR = 4
    OUTER_CEILING = 5
    WINDOW = 6
    DOOR = 7
    INTERIOR = 8


@dataclass(frozen=True)
class Material:
    """How a surface looks: colour (r, g, b, a in 0..1) and, where it has one, an image file."""

    name: str
    rgba: tuple[float, float, float, float]
    image: str | None = None


@dataclass(frozen=True)
class Mesh:
    """Triangles around an own origin.

    Attributes
    ----------
    vertices
        (n, 3) float32, metres.
    triangles
        (m, 3) int32, counter-clockwise from outside.
    surface
        (m,) uint8 of `Surface`.
    material
        (m,) int32 into the pool's materials; -1 for none.
    uv
        (n, 2) float32 texture coordinates, or None.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    surface: NDArray[np.uint8]
    material: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1:] != (3,):
            raise ShapeError("mesh.vertices", given=self.vertices.shape)
        if self.triangles.ndim != 2 or self.triangles.shape[1:] != (3,):
            raise ShapeError("mesh.triangles", given=self.triangles.shape)
        m = len(self.triangles)
        if len(self.surface) != m or len(self.material) != m:
            raise ShapeError("mesh.triangles", given=(m, len(self.surface), len(self.material)))
        if m and (self.triangles.min() < 0 or self.triangles.max() >= len(self.vertices)):
            raise ShapeError("mesh.index", given=int(self.triangles.max()))


@dataclass(frozen=True)
class Instance:
    """One object's use of a mesh.

    Attributes
    ----------
    object_id
        The object it represents.
    mesh_id
        The mesh in the pool.
    matrix
        (4, 4) float64: mesh coordinates to projected metres and absolute height.
    lod
        ``"0"`` to ``"4"``.
    cim_level
        CIM level 1–7 of this representation.
    """

    object_id: str
    mesh_id: str
    matrix: NDArray[np.float64]
    lod: str
    cim_level: int


@dataclass(frozen=True)
class MeshPool:
    """Unique meshes, materials and instances."""

    meshes: Mapping[str, Mesh] = field(default_factory=dict)
    materials: Sequence[Material] = ()
    instances: Sequence[Instance] = ()

    def __len__(self) -> int:
        return len(self.instances)

    def placed(self, instance: Instance) -> NDArray[np.float64]:
        """Return the vertices of an instance in projected metres, (n, 3) float64."""
        vertices = self.meshes[instance.mesh_id].vertices.astype(np.float64)
        moved: NDArray[np.float64] = vertices @ instance.matrix[:3, :3].T + instance.matrix[:3, 3]
        return moved

    def merged(self, other: MeshPool) -> MeshPool:
        """Return both pools as one; the other's material numbers are shifted."""
        shift = len(self.materials)
        moved = {
            key: Mesh(
                vertices=mesh.vertices,
                triangles=mesh.triangles,
                surface=mesh.surface,
                material=np.where(mesh.material >= 0, mesh.material + shift, -1).astype(np.int32),
                uv=mesh.uv,
            )
            for key, mesh in other.meshes.items()
            if key not in self.meshes
        }
        return MeshPool(
            meshes={**self.meshes, **moved},
            materials=(*self.materials, *other.materials),
            instances=(*self.instances, *other.instances),
        )


def mesh_id(mesh: Mesh, materials: Sequence[Material]) -> str:
    """Return the content hash of a mesh with its appearance: equal content, equal id."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(np.ascontiguousarray(np.round(mesh.vertices * 1e4).astype(np.int64)).tobytes())
    for array in (mesh.triangles.astype(np.int32), mesh.surface.astype(np.uint8)):
        digest.update(np.ascontiguousarray(array).tobytes())
    names = [repr(materials[i]) if i >= 0 else "" for i in np.unique(mesh.material)]
    _, local = np.unique(mesh.material, return_inverse=True)
    digest.update(repr(names).encode())
    digest.update(local.astype(np.int32).tobytes())
    if mesh.uv is not None:
        digest.update(np.ascontiguousarray(mesh.uv).tobytes())
    return "msh-" + digest.hexdigest()
