"""The faces of a building's elements that look outside (LoD3), and what surface each is.

``IsExternal`` is what a program says; what the outside reaches is what a building shows. A
window or a door is kept whole where any of it looks outside; of everything else the faces
that do. Walls, columns and beams are wall; what looks up on a slab is roof where the
building is below and outer floor where air is; what looks down is ground at the foot and
outer ceiling above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bim_import.instancing import surface_of
from bim_import.semantics import Product
from bim_import.shell import Seen
from cim.model.mesh import Mesh, Surface

__all__ = ["facade_mesh", "shows"]

_LEAST_M2 = 0.05
_LEAST_SHARE = 0.05
_FACE = 0.02
_FOOT_M = 0.3
_UPRIGHT = 0.5
_WALLS = ("IfcWall", "IfcCurtainWall", "IfcColumn", "IfcBeam", "IfcPlate", "IfcMember",
          "IfcChimney", "IfcBuildingElementPart")  # fmt: skip
_PLATES = ("IfcSlab", "IfcRoof", "IfcCovering")


def shows(corners: NDArray[np.float64], seen: Seen) -> bool:
    """Tell whether enough of an element looks outside.

    Parameters
    ----------
    corners
        (m, 3, 3) its triangles, metres.
    seen
        What of each looks outside.
    """
    area = 0.5 * np.linalg.norm(_cross(corners), axis=1)
    outer = float((area * seen[0]).sum())
    return outer > min(_LEAST_M2, _LEAST_SHARE * float(area.sum()))


def facade_mesh(
    product: Product, whole: Product | None, mesh: Mesh, corners: NDArray[np.float64],
    seen: Seen, *, foot_m: float,
) -> Mesh:  # fmt: skip
    """Return what of an element's mesh looks outside, each triangle with its surface.

    Parameters
    ----------
    product, whole
        The element, and what it is part of.
    mesh, corners
        Its mesh; the same triangles where they stand, (m, 3, 3) metres.
    seen
        What of each triangle looks outside.
    foot_m
        Height of the ground floor: what looks down no higher is ground.
    """
    own = surface_of(product, whole)
    if own in (Surface.WINDOW, Surface.DOOR):
        return mesh
    outer, plate = seen
    kept = outer > _FACE
    surface = _surfaces(product.ifc_class, own, corners[kept], (outer[kept], plate[kept]), foot_m)
    used, index = np.unique(mesh.triangles[kept], return_inverse=True)
    return Mesh(
        vertices=mesh.vertices[used], triangles=index.reshape(-1, 3).astype(np.int32),
        surface=surface, material=mesh.material[kept],
        uv=None if mesh.uv is None else mesh.uv[used],
    )  # fmt: skip


def _surfaces(
    kind: str, own: Surface, corners: NDArray[np.float64], seen: Seen, foot_m: float
) -> NDArray[np.uint8]:
    cross = _cross(corners)
    size = np.linalg.norm(cross, axis=1)
    slope = np.divide(cross[:, 2], size, out=np.zeros(len(cross)), where=size > 0.0)
    up, down = slope > _UPRIGHT, slope < -_UPRIGHT
    foot = corners[:, :, 2].mean(axis=1) <= foot_m + _FOOT_M
    found = np.full(len(corners), Surface.WALL, dtype=np.uint8)
    if own == Surface.GROUND:
        found[:] = Surface.GROUND
    elif own == Surface.ROOF:
        found[:] = Surface.ROOF
        found[down] = Surface.OUTER_CEILING
    elif kind.startswith(_PLATES):
        over_air = seen[1] > 0.5 * seen[0]
        found[up] = np.where(over_air[up], Surface.OUTER_FLOOR, Surface.ROOF)
        found[down] = np.where(foot[down], Surface.GROUND, Surface.OUTER_CEILING)
    elif kind.startswith(_WALLS):
        found[down & foot] = Surface.GROUND
    else:
        found[:] = Surface.UNKNOWN
    return found


def _cross(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.cross(
        corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    )
    return found
