"""Products as shapes: their items put together, shared where the file repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Unsupported
from bim_import.native.cuts import BOOLEANS, Cuts
from bim_import.native.looks import Look, Looks
from bim_import.native.solids import Solid, Solids
from bim_import.representations import Bodies
from bim_import.step import Ref, StepFile
from bim_import.units import Units

__all__ = ["Builder", "Built", "Void"]

Matrix = NDArray[np.float64]
Parts = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], tuple[Look, ...]]


@dataclass(frozen=True)
class Built:
    """A product's shape.

    Attributes
    ----------
    key
        Equal for products that share it.
    matrix
        (4, 4) float64: the shape to model metres.
    vertices, triangles, material
        (n, 3) float64 metres, (m, 3) int64, (m,) index into `looks`, -1 for none.
    looks
        What it wears.
    outcome
        ``exact``; ``fallback`` where its cuts are left out; ``box``.
    """

    key: str
    matrix: Matrix
    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    material: NDArray[np.int64]
    looks: tuple[Look, ...]
    outcome: str = "exact"


@dataclass(frozen=True)
class Void:
    """What an opening takes out of a product, as the file draws it.

    Attributes
    ----------
    opening, host
        Their numbers.
    solid
        In model metres.
    width_m
        The second largest of its three extents along the host's axes.
    """

    opening: int
    host: int
    solid: Solid
    width_m: float


class Builder:
    """Builds the shapes of one file's products."""

    def __init__(self, step: StepFile, units: Units, bodies: Bodies) -> None:
        self.step, self.bodies = step, bodies
        self.solids = Solids(step, units)
        self.cuts = Cuts(step, self.solids)
        self.looks = Looks(step)
        self._cut: dict[int, Solid] = {}
        self._built: dict[str, Parts] = {}
        self.voids: list[Void] = []

    def exact(self, number: int, args: list[Any], openings: Sequence[int] = ()) -> Built:
        """Return a product's shape, its openings cut out.

        Raises
        ------
        Unsupported
            An item or the placement is left to the kernels, or spoilt.
        """
        matrix = self.solids.places.product(args[5])
        reps = self.bodies.chosen(args)
        items = [i for rep in reps for i in self.bodies.items(rep) if self.bodies.solid(i)]
        own = self.looks.product(number)
        if openings:
            return self._opened(number, matrix, items, own, openings)
        inner = self._single(items)
        if inner is not None:
            mapped, move = inner
            key = f"map:{mapped}:{own}"
            matrix = matrix @ move
            return self._shape(key, self.bodies.mapped(mapped), matrix, own)
        key = f"{sorted(map(int, reps))}:{own}"
        return self._shape(key, items, matrix, own)

    def rough(self, number: int, args: list[Any]) -> Built:
        """Return what can be shown of a product the kernels failed on: uncut, or a box.

        Raises
        ------
        Unsupported
            There is nothing at all to show.
        """
        matrix = self.solids.places.product(args[5])
        parts: list[tuple[Solid, Look | None]] = []
        grade = "fallback"
        for rep in self.bodies.chosen(args):
            for item in self.bodies.items(rep):
                if self.bodies.solid(item):
                    found, graded = self._rough_item(int(item), np.eye(4), 8)
                    parts += found
                    grade = "box" if graded == "box" else grade
        if not parts:
            raise Unsupported("nothing to show")
        built = _merge(parts, self.looks.product(number))
        return Built(f"rough:{number}", matrix, *built, outcome=grade)

    def _opened(
        self, number: int, matrix: Matrix, items: list[Ref], own: Look | None,
        openings: Sequence[int],
    ) -> Built:  # fmt: skip
        back = np.linalg.inv(matrix)
        tools: list[Solid] = []
        for opening in openings:
            args = self.step.args(opening)
            move = back @ self.solids.places.product(args[5])
            first = len(tools)
            for rep in self.bodies.chosen(args):
                for item in self.bodies.items(rep):
                    tools += [solid for solid, _ in self._item(int(item), move, 8)]
            self._void(number, opening, matrix, tools[first:])
        parts = [
            (self.cuts.minus(solid, tools), look)
            for item in items
            for solid, look in self._item(int(item), np.eye(4), 8)
        ]
        return Built(f"cut:{number}", matrix, *_merge(parts, own))

    def _void(self, host: int, opening: int, matrix: Matrix, solids: list[Solid]) -> None:
        for solid in solids:
            width = float(np.sort(np.ptp(solid.vertices, axis=0))[1])
            self.voids.append(Void(opening, host, _moved(solid, matrix), width))

    def _single(self, items: list[Ref]) -> tuple[Ref, Matrix] | None:
        """Return (mapped item, its matrix) of a body that only repeats another, unmirrored."""
        if len(items) != 1 or self.step.name(items[0]) != "IFCMAPPEDITEM":
            return None
        move = self._move(items[0])
        return (items[0], move) if np.linalg.det(move[:3, :3]) > 0 else None

    def _move(self, item: int) -> Matrix:
        args = self.step.args(item)
        source = self.step.args(args[0]) if args and isinstance(args[0], Ref) else []
        if not source or len(args) < 2:
            raise Unsupported("mapped item")
        origin = self.solids.places.axes(source[0])
        if np.abs(origin - np.eye(4)).max() > 1e-9:
            raise Unsupported("mapping origin")
        return self.solids.places.operator(args[1])

    def _shape(self, key: str, items: list[Any], matrix: Matrix, own: Look | None) -> Built:
        if key.startswith("map:"):
            source = self.step.args(int(key.split(":")[1]))[0]
            key = f"map:{int(source)}:{own}"
        if key not in self._built:
            parts = [one for item in items if self.bodies.solid(item)
                     for one in self._item(int(item), np.eye(4), 8)]  # fmt: skip
            if not parts:
                raise Unsupported("no item")
            self._built[key] = _merge(parts, own)
        return Built(key, matrix, *self._built[key])

    def _item(self, item: int, move: Matrix, depth: int) -> list[tuple[Solid, Look | None]]:
        if self.step.name(item) != "IFCMAPPEDITEM":
            return [(_moved(self._solid(item), move), self._look(item))]
        if depth == 0:
            raise Unsupported("nested too deep")
        inner = move @ self._move(item)
        over = self.looks.item(item)
        found = []
        for one in self.bodies.mapped(Ref(item)):
            if self.bodies.solid(Ref(one)):
                found += [(s, look or over) for s, look in self._item(int(one), inner, depth - 1)]
        return found

    def _solid(self, item: int) -> Solid:
        if self.step.name(item) not in BOOLEANS:
            return self.solids.item(item)
        if item not in self._cut:
            self._cut[item] = self.cuts.boolean(Ref(item))
        return self._cut[item]

    def _look(self, item: int) -> Look | None:
        """Return the look of an item; a cut one may wear that of its first operand."""
        for _ in range(32):
            look = self.looks.item(item)
            if look is not None or self.step.name(item) not in BOOLEANS:
                return look
            item = int(self.step.args(item)[1] or -1)
        return None

    def _rough_item(
        self, item: int, move: Matrix, depth: int
    ) -> tuple[list[tuple[Solid, Look | None]], str]:
        name = self.step.name(item)
        look = self.looks.item(item)
        try:
            if name == "IFCMAPPEDITEM" and depth:
                inner = move @ self._move(item)
                found, grade = [], "fallback"
                for one in self.bodies.mapped(Ref(item)):
                    part, graded = self._rough_item(int(one), inner, depth - 1)
                    found += part
                    grade = "box" if graded == "box" else grade
                return found, grade
            if name in BOOLEANS and depth:
                return self._rough_item(int(self.step.args(item)[1]), move, depth - 1)
            return [(_moved(self.solids.item(item), move), look)], "fallback"
        except (Unsupported, IndexError, TypeError, ValueError):
            box = self._box(item)
            return ([(_moved(box, move), look)] if box is not None else []), "box"

    def _box(self, item: int) -> Solid | None:
        """Return the box of all points an item refers to."""
        numbers = np.array(sorted(self.step.closure([item])), dtype=np.int64)
        rows = self.solids.bulk.point_rows(numbers)
        xyz = self.solids.bulk.xyz[rows[rows >= 0]]
        lists = [n for n in numbers.tolist() if self.step.name(n) == "IFCCARTESIANPOINTLIST3D"]
        for one in lists:
            try:
                xyz = np.concatenate([xyz, self.solids.curves.list_points(Ref(one))])
            except Unsupported:
                continue
        xyz = xyz[np.isfinite(xyz).all(axis=1) & (np.abs(xyz) < 1e9).all(axis=1)]
        if len(xyz) < 2:
            return None
        low, high = xyz.min(axis=0), xyz.max(axis=0)
        high = np.maximum(high, low + 0.001)
        corner = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])
        quads = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3],
                          [0, 4, 6, 2], [1, 3, 7, 5]])  # fmt: skip
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        return Solid(low + corner * (high - low), triangles)


def _moved(solid: Solid, move: Matrix) -> Solid:
    if (move == np.eye(4)).all():
        return solid
    triangles = solid.triangles
    if np.linalg.det(move[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    return Solid(solid.vertices @ move[:3, :3].T + move[:3, 3], triangles)


def _merge(parts: list[tuple[Solid, Look | None]], own: Look | None) -> Parts:
    looks: dict[Look, int] = {}
    material, triangles, first = [], [], 0
    for solid, look in parts:
        worn = look or own
        number = -1 if worn is None else looks.setdefault(worn, len(looks))
        material.append(np.full(len(solid.triangles), number, dtype=np.int64))
        triangles.append(solid.triangles + first)
        first += len(solid.vertices)
    vertices = np.concatenate([solid.vertices for solid, _ in parts])
    return vertices, np.concatenate(triangles), np.concatenate(material), tuple(looks)
