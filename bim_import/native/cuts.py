"""Openings, clipped ends and other cuts of solids, by the library Manifold.

A wall is most often a straight extrusion minus straight openings minus half spaces.
Manifold (Lalish, Apache-2.0) cuts closed meshes with a guarantee of closed results;
what is not closed is left to the kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from manifold3d import Error, Manifold, Mesh64, OpType
from numpy.typing import NDArray

from bim_import.native.bulk import Unsupported
from bim_import.native.solids import Solid, Solids
from bim_import.step import Ref, StepFile

__all__ = ["BOOLEANS", "Cuts"]

Floats = NDArray[np.float64]

BOOLEANS = ("IFCBOOLEANCLIPPINGRESULT", "IFCBOOLEANRESULT")
_HALF_SPACES = ("IFCHALFSPACESOLID", "IFCBOXEDHALFSPACE")
_LEAST_M3 = 1e-12
_PARALLEL = 1e-6
_SAME_M = 1e-4
_PUSH_M = 2e-4


class Cuts:
    """Cuts of the solids of one file."""

    def __init__(self, step: StepFile, solids: Solids) -> None:
        self.step, self.solids = step, solids

    def boolean(self, number: int) -> Solid:
        """Return the result of an IfcBooleanResult.

        Raises
        ------
        Unsupported
            An operand is of another sort or not closed; nothing would be left.
        """
        return _solid(self._result(number, 32))

    def minus(self, body: Solid, tools: list[Solid]) -> Solid:
        """Return a body without its openings."""
        whole = _closed(body)
        box = _box(body)
        near = [t for t in tools if _touch(box, _box(t))]
        if not near:
            return body
        pushed = [_closed(_pushed(t, body)) for t in near]
        cut = whole - Manifold.batch_boolean(pushed, OpType.Add)
        return _solid(cut)

    def _result(self, number: Any, depth: int) -> Manifold:
        name = self.step.name(number) if isinstance(number, Ref) else ""
        if name not in BOOLEANS:
            return _closed(self.solids.item(int(number or -1)))
        if depth == 0:
            raise Unsupported("nested too deep")
        operator, first, second = self.step.args(number)[:3]
        body = self._result(first, depth - 1)
        kind = self.step.name(second) if isinstance(second, Ref) else ""
        if kind in _HALF_SPACES or kind == "IFCPOLYGONALBOUNDEDHALFSPACE":
            return self._half(body, str(operator), kind, self.step.args(second))
        tool = self._result(second, depth - 1)
        if operator == "DIFFERENCE":
            return body - _closed(_pushed(_mesh(tool), _mesh(body)))
        if operator == "UNION":
            return body + tool
        if operator == "INTERSECTION":
            return body ^ tool
        raise Unsupported(str(operator))

    def _half(self, body: Manifold, operator: str, kind: str, args: list[Any]) -> Manifold:
        """Cut by a half space: the side its surface's normal leaves, where the flag is true."""
        surface = args[0] if isinstance(args[0], Ref) else -1
        if self.step.name(surface) != "IFCPLANE" or operator not in ("DIFFERENCE", "INTERSECTION"):
            raise Unsupported("half space")
        place = self.solids.places.axes(self.step.args(surface)[0])
        normal = place[:3, 2] * (1.0 if args[1] != "F" else -1.0)
        if kind in _HALF_SPACES:
            keep = normal if operator == "DIFFERENCE" else -normal
            return body.trim_by_plane(tuple(keep), float(keep @ place[:3, 3]))
        low, high = np.array(body.bounding_box()).reshape(2, 3)
        frame = self.solids.places.axes(args[2])
        reach = float(np.linalg.norm(high - low)) + float(
            np.linalg.norm((low + high) / 2 - frame[:3, 3])
        ) + 1.0  # fmt: skip
        column = self.solids.column(args[3], frame, reach)
        tool = _closed(_pushed(column, _mesh(body)) if operator == "DIFFERENCE" else column)
        tool = tool.trim_by_plane(tuple(-normal), float(-normal @ place[:3, 3]))
        return body - tool if operator == "DIFFERENCE" else body ^ tool


def _closed(solid: Solid) -> Manifold:
    """Return a closed solid, turned right side out."""
    if np.abs(solid.vertices).max() > 1e6:
        raise Unsupported("far from its origin")
    mesh = Mesh64(
        np.ascontiguousarray(solid.vertices), np.ascontiguousarray(solid.triangles, dtype=np.uint64)
    )
    made = Manifold(mesh)
    if made.status() != Error.NoError:
        mesh.merge()
        made = Manifold(mesh)
    if made.status() != Error.NoError or made.is_empty():
        raise Unsupported("not closed")
    if made.volume() < 0:
        mesh = Mesh64(
            np.ascontiguousarray(solid.vertices),
            np.ascontiguousarray(solid.triangles[:, ::-1], dtype=np.uint64),
        )
        mesh.merge()
        made = Manifold(mesh)
        if made.status() != Error.NoError:
            raise Unsupported("not closed")
    return made


def _solid(made: Manifold) -> Solid:
    if made.status() != Error.NoError or made.is_empty() or made.volume() < _LEAST_M3:
        raise Unsupported("nothing left")
    return _mesh(made)


def _mesh(made: Manifold) -> Solid:
    mesh = made.to_mesh64()
    vertices = np.array(mesh.vert_properties[:, :3], dtype=np.float64)
    return Solid(vertices, np.array(mesh.tri_verts, dtype=np.int64))


def _pushed(tool: Solid, body: Solid) -> Solid:
    """Return a tool whose faces that lie in a face of the body stand out of it a little.

    An opening as deep as its wall ends in the wall's own face, give or take the last
    digit: cut as written, a skin of no thickness would be left over the hole.
    """
    normal, offset = _planes(body)
    own, _ = _planes(tool)
    corners = tool.vertices[tool.triangles]
    along = own @ normal.T > 1.0 - _PARALLEL
    moves: list[Floats] = []
    moved = tool.vertices.copy()
    for i in np.flatnonzero(along.any(axis=1)).tolist():
        near = np.abs(corners[i] @ normal[along[i]].T - offset[along[i]]).max(axis=0)
        if near.min() > _SAME_M or any(m @ own[i] > 1.0 - _PARALLEL for m in moves):
            continue
        moves.append(own[i])
        on = np.abs((tool.vertices - corners[i, 0]) @ own[i]) < _SAME_M
        moved[on] += own[i] * _PUSH_M
    return Solid(moved, tool.triangles) if moves else tool


def _planes(solid: Solid) -> tuple[Floats, Floats]:
    """Return unit normals and distances of the planes of a solid's faces."""
    a, b, c = (solid.vertices[solid.triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal, axis=1)
    fine = size > 1e-12
    normal[fine] /= size[fine, None]
    normal[~fine] = 0.0
    return normal, np.einsum("ij,ij->i", normal, a)


def _box(solid: Solid) -> tuple[Floats, Floats]:
    return solid.vertices.min(axis=0), solid.vertices.max(axis=0)


def _touch(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> bool:
    return bool((a[0] <= b[1]).all() and (b[0] <= a[1]).all())
