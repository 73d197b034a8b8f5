"""The forms of a building from coarse to fine: footprint and roof outline, prism, closed shell.

LoD0 is two things: the footprint at the ground floor and the roof outline, eaves and all, at
the top of the walls. LoD1 is the footprint from the ground floor to the top of the storeys'
walls, the height its row tells. LoD2 is the shell of `bim_import.shell`, kept only where
nothing speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import._shell_faces import Region, faces_of
from bim_import.plugs import Part
from bim_import.schema import product_classes
from bim_import.semantics import Product
from bim_import.shell import Shell, build_shell
from cim.jobs import Job
from cim.model.mesh import Instance, Mesh, Surface, mesh_id

__all__ = ["Body", "body_of", "coarse_forms", "encloses"]

_BUILT = ("IfcBuildingElement", "IfcBuiltElement")
_BESIDE = ("IfcBuildingElementProxy", "IfcPile", "IfcRailing")
_MOST_TRIANGLES = 3_000_000
_WHOLE = 0.8
"""A shell over less of the walls' outline than this is only a part of the building."""
_SURPLUS = 0.1
"""Walls whose outline lacks more of the shell's plan than this do not enclose it."""
_UNSOUND = frozenset({"open", "off", "part", "apart"})
_STEP_M = 0.01


@dataclass(frozen=True)
class Body:
    """What became of a building's shell.

    Attributes
    ----------
    shell
        The closed shell; None where nothing encloses anything or it was not looked for.
    flags
        Those of `Shell`, and ``part``: the shell stands on less than 80 % of the walls'
        outline; ``none``: nothing is enclosed; ``large``: too many triangles to look.
    footprint
        Outline of the walls, or the plan of the shell where the walls do not go round it.
    by_shell
        Whether the footprint is the shell's.
    """

    shell: Shell | None
    flags: tuple[str, ...]
    footprint: Any
    by_shell: bool = False

    @property
    def sound(self) -> bool:
        """Whether the shell may stand for the building."""
        return self.shell is not None and not _UNSOUND & set(self.flags)


def encloses(product: Product) -> bool:
    """Tell whether a product may be part of a building's skin.

    Every built element may, whatever its ``IsExternal`` says: programs leave it false on
    outer walls and roofs, and an inner wall changes no shell. Furniture, equipment,
    terrain, plants, railings, piles and proxies stay out.
    """
    kind = product_classes().get(product.ifc_class.upper())
    return kind is not None and any(map(kind.is_a, _BUILT)) and not any(map(kind.is_a, _BESIDE))


def body_of(
    parts: Callable[[], tuple[Sequence[Part], Sequence[Part], Sequence[Part]]],
    size: int,
    walls: Any,
    *,
    job: Job,
) -> Body:
    """Return a building's shell, judged against the outline of its walls.

    Parameters
    ----------
    parts
        Gives vertices in metres and triangles of every element that may enclose, of what
        fills their openings, and of the elements beside, which are only looked at.
    size
        How many triangles those are.
    walls
        Outline of the walls, or None.
    job
        Progress and cancel.
    """
    if size > _MOST_TRIANGLES:
        return Body(None, ("large",), walls)
    enclosing, plugs, beside = parts()
    shell = build_shell(enclosing, plugs=plugs, beside=beside, job=job)
    if shell is None:
        return Body(None, ("none",), walls)
    plan = shell.footprint
    part = walls is not None and plan.area < _WHOLE * walls.area
    flags = (*shell.flags, *(["part"] if part else []))
    if _UNSOUND & set(flags):
        return Body(shell, flags, walls)
    by_shell = walls is None or plan.difference(walls).area > _SURPLUS * plan.area
    return Body(shell, flags, plan if by_shell else walls, by_shell)


def coarse_forms(
    owner: str,
    body: Body,
    roof_outline: Any,
    *,
    floor_m: float,
    eaves_m: float,
    meshes: dict[str, Mesh],
) -> list[Instance]:
    """Return a building's LoD0, LoD1 and LoD2; their meshes go into `meshes`.

    Parameters
    ----------
    owner
        Id of the building.
    body, roof_outline
        Its shell and footprint; outline of everything built, or None.
    floor_m, eaves_m
        Absolute heights of the ground floor and of the top of the storeys' walls; where
        either is NaN, what needs it is left out.
    """
    found: list[Instance] = []

    def keep(made: _Faces | None, lod: str) -> None:
        if made is not None and len(made[1]):
            found.append(_instance(owner, made, lod, meshes))

    keep(_flat(body.footprint, floor_m, Surface.GROUND), "0")
    keep(_flat(roof_outline, eaves_m, Surface.ROOF), "0")
    keep(_prism(body.footprint, floor_m, eaves_m), "1")
    if body.shell is not None and body.sound:
        keep((body.shell.vertices, body.shell.triangles, body.shell.surface), "2")
    return found


_Faces = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8]]
_LEVEL: Mapping[str, int] = {"0": 1, "1": 2, "2": 3}


def _prism(shape: Any, low: float, high: float) -> _Faces | None:
    import shapely

    if shape is None or not high > low:
        return None
    near = shape.centroid
    parts = shapely.get_parts(shapely.transform(shape, lambda xy: xy - [near.x, near.y]))
    regions = [Region(part, (0.0, 0.0, high), low) for part in parts if part.area > 0.0]
    vertices, triangles, surface = faces_of(regions, step=_STEP_M)
    return vertices + [near.x, near.y, 0.0], triangles, surface


def _flat(shape: Any, z: float, surface: Surface) -> _Faces | None:
    """Return a plan as faces at one height; a ground looks down."""
    made = None if np.isnan(z) else _prism(shape, z, z + 1.0)
    if made is None:
        return None
    vertices, triangles, faces = made
    kept = triangles[faces == surface]
    used, index = np.unique(kept, return_inverse=True)
    corners = vertices[used]
    corners[:, 2] = z
    return corners, index.reshape(-1, 3).astype(np.int32), np.full(len(kept), surface, np.uint8)


def _instance(owner: str, made: _Faces, lod: str, meshes: dict[str, Mesh]) -> Instance:
    vertices, triangles, surface = made
    matrix = np.eye(4)
    matrix[:3, 3] = vertices.min(axis=0)
    mesh = Mesh(
        vertices=(vertices - matrix[:3, 3]).astype(np.float32), triangles=triangles,
        surface=surface, material=np.full(len(triangles), -1, np.int32),
    )  # fmt: skip
    id_ = mesh_id(mesh, [])
    meshes.setdefault(id_, mesh)
    return Instance(owner, id_, matrix, lod, _LEVEL[lod])
