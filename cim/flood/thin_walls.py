"""Walls thinner than a cell (院墙): which faces between cells they cross, how high, where open.

A wall closes a face where it crosses the line between the middles of two cells; so a wall that
goes round closes every way through it, whatever the size of the cells. A gate narrower than a
cell leaves its own width open: the ends of a wall that nearly meet are a gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cim.flood.area import Ways
from cim.model.grid import GridFrame
from cim.registry import standard

if TYPE_CHECKING:
    from kernels.flood.faces import Faces

__all__ = ["Crossings", "crossings"]

Floats = NDArray[np.float64]
Faces2 = dict[tuple[int, int, int], tuple[float, float]]  # (axis, row, col) -> crest, open share

_OPEN = -np.inf


@dataclass
class Crossings:
    """Faces that let less through than open ground.

    `found` maps (axis, row, col) to the crest, m, and the open share: axis 0 is the face between
    the cells (row, col - 1) and (row, col), axis 1 that between (row - 1, col) and (row, col).
    `ways` are the faces at which the area ends; a wall without a gate there holds back too.
    """

    found: Faces2 = field(default_factory=dict)
    ways: Ways | None = None

    def add(self, face: tuple[int, int, int], crest_m: float, share: float) -> None:
        """Add a wall to a face: of two the higher crest and the smaller opening count."""
        crest, open_ = self.found.get(face, (_OPEN, 1.0))
        self.found[face] = (max(crest, crest_m), min(open_, share))

    def faces(self, shape: tuple[int, ...], *, zero_m: float) -> Faces:
        """Return them for the solvers; crests above the ground's zero."""
        from kernels.flood.faces import LEAVES_DOWN, LEAVES_UP, new_faces

        found, sinks = dict(self.found), np.empty((2, 0), np.int64)
        if self.ways is not None:
            ways, sinks = self.ways, self.ways.sinks
            faces = zip(ways.axis.tolist(), ways.row.tolist(), ways.col.tolist(), strict=True)
            for face, beyond, up in zip(faces, ways.beyond_m.tolist(), ways.up, strict=True):
                crest, share = self.found.get(face, (_OPEN, 1.0))
                out = LEAVES_UP if up else LEAVES_DOWN
                found[face] = (max(beyond, crest) if share == 0.0 else beyond, out)
        pair: list[list[Floats]] = []
        for axis in (0, 1):
            rows = [(r, c, *one) for (a, r, c), one in found.items() if a == axis]
            table = np.array(rows, np.float64).reshape(-1, 4)
            pair.append([table[:, 0], table[:, 1], table[:, 2] - zero_m, table[:, 3]])
        return new_faces(
            (shape[0], shape[1]), x=pair[0], y=pair[1],
            weir=standard("flood.broad_crest").number(),
            least_slope=standard("flood.edge_slope").number(), sinks=(sinks[0], sinks[1]),
        )  # fmt: skip


def crossings(
    shapes: Sequence[Any],
    height_m: Floats,
    frame: GridFrame,
    bed_m: Floats,
    *,
    into: Crossings | None = None,
) -> Crossings:
    """Find the faces that walls cross.

    Parameters
    ----------
    shapes
        Lines, or polygons for their outlines, in projected metres.
    height_m
        (n,) height of each above the higher ground of the two cells of a face.
    frame, bed_m
        The grid, and its ground (rows, cols); faces beside closed cells need no wall.
    into
        Crossings to add to.
    """
    import shapely

    out = Crossings() if into is None else into
    gate_m = standard("flood.gate_m").number()
    for shape, height in zip(shapes, height_m, strict=True):
        if shape is None or shapely.is_empty(shape):
            continue
        lines = [np.asarray(line.coords)[:, :2] for line in _lines(shape)]
        closed = {face for line in lines for face in _crossed(line, frame)}
        share: dict[tuple[int, int, int], float] = {}
        for gate in _gates(lines, gate_m):
            width = float(np.hypot(*(gate[1] - gate[0])))
            through = [face for face in _crossed(gate, frame) if face not in closed]
            if not through:  # the wall closes all faces here: the nearest one is the gate
                through = _nearest(closed, gate.mean(axis=0), frame)
            for face in through:
                share[face] = min(1.0, width / (len(through) * frame.cell_m))
        for face in closed | {face for face, part in share.items() if part < 1.0}:
            ground = _ground(face, bed_m)
            if np.isfinite(ground):
                out.add(face, ground + float(height), share.get(face, 0.0))
    return out


def _lines(shape: Any) -> list[Any]:
    import shapely

    if shapely.get_dimensions(shape) == 2:
        shape = shapely.boundary(shape)
    return [p for p in shapely.get_parts(shape) if shapely.get_dimensions(p) == 1]


def _gates(lines: list[Floats], most_m: float) -> list[Floats]:
    """Gaps between the ends of a wall's lines, the near ones: (2, 2) points each."""
    ends = [(n, p) for n, line in enumerate(lines) for p in (line[0], line[-1])]
    out: list[Floats] = []
    free = set(range(len(ends)))
    pairs = [
        (float(np.hypot(*(ends[a][1] - ends[b][1]))), a, b)
        for a in range(len(ends))
        for b in range(a + 1, len(ends))
    ]
    for gap, a, b in sorted(pairs):
        if a in free and b in free and gap <= most_m and gap < _length(lines, ends[a][0]) / 2:
            free -= {a, b}
            if gap > 1e-6:
                out.append(np.stack([ends[a][1], ends[b][1]]))
    return out


def _length(lines: list[Floats], n: int) -> float:
    return float(np.hypot(*np.diff(lines[n], axis=0).T).sum())


def _crossed(line: Floats, frame: GridFrame) -> set[tuple[int, int, int]]:
    """Faces whose two cells' middles lie on different sides of a line."""
    col = (line[:, 0] - frame.west) / frame.cell_m - 0.5
    row = (frame.north - line[:, 1]) / frame.cell_m - 0.5
    faces: set[tuple[int, int, int]] = set()
    for k in range(len(line) - 1):
        for axis, across, along, most, far in (
            (0, row[k : k + 2], col[k : k + 2], frame.rows, frame.cols),
            (1, col[k : k + 2], row[k : k + 2], frame.cols, frame.rows),
        ):
            low, high = across.min(), across.max()
            # Half open, so that a corner on a middle line counts once.
            at = np.arange(max(int(np.ceil(low)), 0), min(int(np.ceil(high)), most))
            if not len(at):
                continue
            share = (at - across[0]) / (across[1] - across[0])
            met = np.ceil(along[0] + share * (along[1] - along[0])).astype(int)
            for a, m in zip(at.tolist(), met.tolist(), strict=True):
                if 0 < m < far:
                    faces.add((axis, a, m) if axis == 0 else (axis, m, a))
    return faces


def _nearest(
    faces: set[tuple[int, int, int]], point: Floats, frame: GridFrame
) -> list[tuple[int, int, int]]:
    def away(face: tuple[int, int, int]) -> float:
        axis, row, col = face
        x = frame.west + (col + 0.5 * axis) * frame.cell_m
        y = frame.north - (row + 0.5 * (1 - axis)) * frame.cell_m
        return float((x - point[0]) ** 2 + (y - point[1]) ** 2)

    return [min(sorted(faces), key=away)] if faces else []


def _ground(face: tuple[int, int, int], bed_m: Floats) -> float:
    axis, row, col = face
    other = bed_m[row, col - 1] if axis == 0 else bed_m[row - 1, col]
    return float(np.maximum(bed_m[row, col], other))  # NaN where one is closed
