"""Equal shapes become one mesh: the same content, whatever the file shares or repeats.

Authoring tools share shapes by mapped items or not at all; a hash of the content
(vertices from their own corner, rounded to 0.1 mm) finds the equal ones either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bim_import.meshing import Meshed, Shape
from bim_import.semantics import Product
from cim.model.mesh import Material, Mesh, Surface, mesh_id

__all__ = ["Placed", "Pool", "place_products", "surface_of"]

Matrix = NDArray[np.float64]

_INTERIOR = {"FLOOR", "LANDING", "PARTITIONING"}
_BY_CLASS = {
    "IfcWindow": Surface.WINDOW,
    "IfcDoor": Surface.DOOR,
    "IfcRoof": Surface.ROOF,
    "IfcSpace": Surface.INTERIOR,
    "IfcStair": Surface.INTERIOR,
    "IfcStairFlight": Surface.INTERIOR,
    "IfcFooting": Surface.GROUND,
    "IfcSite": Surface.GROUND,
}


@dataclass(frozen=True)
class Placed:
    """A product's mesh and where it stands.

    Attributes
    ----------
    mesh_id
        In the pool.
    matrix
        (4, 4) float64: mesh coordinates to model metres.
    """

    mesh_id: str
    matrix: Matrix


@dataclass
class Pool:
    """Unique meshes, their materials, and one placement per product (by GlobalId)."""

    meshes: dict[str, Mesh] = field(default_factory=dict)
    materials: list[Material] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)

    def vertices(self, guid: str) -> NDArray[np.float64]:
        """Return a product's vertices in model metres, (n, 3) float64."""
        one = self.placed[guid]
        local = self.meshes[one.mesh_id].vertices.astype(np.float64)
        moved: NDArray[np.float64] = local @ one.matrix[:3, :3].T + one.matrix[:3, 3]
        return moved

    def triangles(self, guid: str) -> NDArray[np.int32]:
        """Return a product's triangles."""
        return self.meshes[self.placed[guid].mesh_id].triangles


def surface_of(product: Product, whole: Product | None) -> Surface:
    """Return the semantic surface that all triangles of a product are."""
    roof = product.predefined == "ROOF" or (whole is not None and whole.ifc_class == "IfcRoof")
    if roof or product.predefined == "ROOFING":
        return Surface.ROOF
    if product.ifc_class in _BY_CLASS:
        return _BY_CLASS[product.ifc_class]
    if product.outside is False or product.predefined in _INTERIOR:
        return Surface.INTERIOR
    if product.predefined == "BASESLAB":
        return Surface.GROUND
    if product.ifc_class.startswith(("IfcWall", "IfcCurtainWall")):
        return Surface.WALL
    return Surface.UNKNOWN


def place_products(meshed: Meshed, products: Mapping[str, Product]) -> Pool:
    """Return the pool of the products that were meshed.

    Parameters
    ----------
    meshed
        What was made of the file.
    products
        Products by GlobalId.
    """
    pool = Pool()
    numbers: dict[Material, int] = {}
    known: dict[tuple[str, Surface], tuple[str, NDArray[np.float64]]] = {}
    for guid, product in products.items():
        if product.step_id not in meshed.places:
            continue
        key, matrix = meshed.places[product.step_id]
        surface = surface_of(product, products.get(product.parent or ""))
        if (key, surface) not in known:
            known[key, surface] = _unique(pool, meshed.shapes[key], surface, numbers)
        id_, corner = known[key, surface]
        moved = matrix.copy()
        moved[:3, 3] += matrix[:3, :3] @ corner
        pool.placed[guid] = Placed(id_, moved)
    pool.materials = list(numbers)
    return pool


def _unique(
    pool: Pool, shape: Shape, surface: Surface, numbers: dict[Material, int]
) -> tuple[str, NDArray[np.float64]]:
    """Put a shape into the pool unless it is there; return its id and its corner."""
    corner = shape.vertices.min(axis=0)
    materials = [Material(name, rgba) for name, rgba in shape.materials]
    table = np.array([*(numbers.setdefault(m, len(numbers)) for m in materials), -1])
    mesh = Mesh(
        vertices=(shape.vertices - corner).astype(np.float32),
        triangles=shape.triangles.astype(np.int32),
        surface=np.full(len(shape.triangles), surface, dtype=np.uint8),
        material=table[shape.material].astype(np.int32),
    )
    id_ = mesh_id(mesh, list(numbers))
    pool.meshes.setdefault(id_, mesh)
    return id_, corner
