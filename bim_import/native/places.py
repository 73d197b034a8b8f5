"""Placements: where a thing stands in the next larger one, as 4x4 matrices in metres."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Bulk, Hopeless, Unsupported
from bim_import.step import Ref, StepFile

__all__ = ["Places"]

Matrix = NDArray[np.float64]
Vector = tuple[float, float, float]
Axes = tuple[Vector, Vector, Vector]


class Places:
    """Placements of one file, each worked out once."""

    def __init__(self, step: StepFile, bulk: Bulk) -> None:
        self.step, self.bulk = step, bulk
        self._known: dict[int, Matrix] = {}
        self._axes: dict[int, Matrix] = {}
        self._directions: dict[int, Vector] = {}

    def product(self, number: Any) -> Matrix:
        """Return the matrix of an object placement to model metres.

        Raises
        ------
        Unsupported
            A grid or linear placement, a circle of placements, or a spoilt one.
        """
        chain: list[Ref] = []
        at = number
        while isinstance(at, Ref) and at not in self._known:
            if at in chain:
                raise Hopeless("cyclic placement")
            chain.append(at)
            at = self._relative(at)[0]
        if at is not None and not isinstance(at, Ref):
            raise Unsupported("placement")
        matrix: Matrix = self._known[at] if at is not None else np.eye(4)
        for one in reversed(chain):
            matrix = np.matmul(matrix, self._relative(one)[1])
            self._known[one] = matrix
        return matrix

    def _relative(self, number: Ref) -> tuple[Any, Matrix]:
        name, args = self.step.name(number), self.step.args(number)
        if name == "IFCLOCALPLACEMENT" and len(args) > 1:
            return args[0], self.axes(args[1])
        if name == "IFCLINEARPLACEMENT" and len(args) > 2 and isinstance(args[2], Ref):
            return args[0], self.axes(args[2])  # its CartesianPosition, where written
        raise Unsupported(name or "placement")

    def axes(self, number: Any) -> Matrix:
        """Return the matrix of an IfcAxis2Placement3D or 2D; None is the zero."""
        if number is None:
            return np.eye(4)
        if not isinstance(number, Ref):
            raise Unsupported("axes")
        if number not in self._axes:
            self._axes[number] = self._read_axes(number)
        return self._axes[number]

    def _read_axes(self, number: Any) -> Matrix:
        name = self.step.name(number) if isinstance(number, Ref) else ""
        args = self.step.args(number) if name else []
        second = args[1] if len(args) > 1 else None
        if name == "IFCAXIS2PLACEMENT2D":
            x = self.direction(second) or (1.0, 0.0, 0.0)
            columns: Axes = (x, (-x[1], x[0], 0.0), (0.0, 0.0, 1.0))
        elif name == "IFCAXIS2PLACEMENT3D":
            third = args[2] if len(args) > 2 else None
            columns = orthonormal(self.direction(second), self.direction(third))
        else:
            raise Unsupported(name or "axes")
        return _matrix(columns, self.bulk.point(args[0] if isinstance(args[0], Ref) else -1))

    def direction(self, number: Any) -> Vector | None:
        """Return a unit vector, or None where there is none."""
        if not isinstance(number, Ref):
            return None
        if number not in self._directions:
            self._directions[number] = self._read_direction(number)
        return self._directions[number]

    def _read_direction(self, number: Ref) -> Vector:
        args = self.step.args(number)
        ratios = args[0] if args and isinstance(args[0], list) else []
        if not all(isinstance(r, (int, float)) for r in ratios) or len(ratios) not in (2, 3):
            raise Unsupported("direction")
        return _unit((float(ratios[0]), float(ratios[1]), float(ratios[2]) if ratios[2:] else 0.0))

    def operator(self, number: Any) -> Matrix:
        """Return the matrix of an IfcCartesianTransformationOperator3D."""
        name = self.step.name(number) if isinstance(number, Ref) else ""
        args = self.step.args(number) if name else []
        if not name.startswith("IFCCARTESIANTRANSFORMATIONOPERATOR3D") or len(args) < 5:
            raise Unsupported(name or "operator")
        axis1, axis2, origin, scale, axis3 = args[:5]
        x, y, z = (self.direction(a) for a in (axis1, axis2, axis3))
        own = list(orthonormal(z, x))
        if y is not None and _dot(own[1], y) < 0:
            own[1] = (-own[1][0], -own[1][1], -own[1][2])  # a mirror
        first = float(scale) if isinstance(scale, (int, float)) else 1.0
        factors = [first, first, first]
        for k in (1, 2):
            if len(args) > 4 + k and isinstance(args[4 + k], (int, float)):
                factors[k] = float(args[4 + k])
        columns = tuple((a * f, b * f, c * f) for (a, b, c), f in zip(own, factors, strict=True))
        if not all(math.isfinite(f) and abs(f) > 1e-9 for f in factors):
            raise Unsupported("operator")
        to = self.bulk.point(origin) if isinstance(origin, Ref) else (0.0, 0.0, 0.0)
        return _matrix(columns, to)  # type: ignore[arg-type]


def orthonormal(z: Vector | None, x: Vector | None) -> Axes:
    """Return three axes: z as given, x as near to the one given as can be."""
    up = z or (0.0, 0.0, 1.0)
    ahead = x
    if ahead is None:
        ahead = (1.0, 0.0, 0.0) if abs(up[0]) < 1 - 1e-9 else (0.0, 1.0, 0.0)
    along = _dot(ahead, up)
    ahead = (ahead[0] - up[0] * along, ahead[1] - up[1] * along, ahead[2] - up[2] * along)
    ahead = _unit(ahead, 1e-9)
    side = (up[1] * ahead[2] - up[2] * ahead[1], up[2] * ahead[0] - up[0] * ahead[2],
            up[0] * ahead[1] - up[1] * ahead[0])  # fmt: skip
    return ahead, side, up


def _unit(v: Vector, least: float = 1e-12) -> Vector:
    size = math.sqrt(_dot(v, v))
    if not math.isfinite(size) or size < least:
        raise Unsupported("direction")
    return v[0] / size, v[1] / size, v[2] / size


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _matrix(axes: Axes, to: Any) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = axes
    return np.array([[a, d, g, to[0]], [b, e, h, to[1]], [c, f, i, to[2]], [0.0, 0.0, 0.0, 1.0]])
