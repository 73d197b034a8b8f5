"""Which ground is taken: an exact answer per polygon, a quick one per square metre before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Taken"]

Array = NDArray[np.float64]
_SQUARE_M = 64.0


class Taken:
    """Polygons on the ground.

    Attributes
    ----------
    inner_m
        A point this far inside a figure lies in a cell whose centre is in the figure too: so
        `blocked` never refuses a figure that `free` would let through.
    """

    inner_m = 0.8

    def __init__(self, polygons: Sequence[Any]) -> None:
        import shapely

        parts = [part for one in polygons for part in shapely.get_parts(one)]
        west, south, east, north = shapely.total_bounds(parts)
        self._west, self._north = math.floor(west) - 400, math.ceil(north) + 400
        shape = (self._north - math.floor(south) + 400, math.ceil(east) + 400 - self._west)
        self._cells = np.zeros(shape, dtype=bool)
        self._squares: dict[tuple[int, int], list[Any]] = {}
        for part in parts:
            self.add(part)

    def add(self, polygon: Any) -> None:
        """Take the ground of a polygon."""
        import shapely

        shapely.prepare(polygon)
        for square in _squares(polygon.bounds):
            self._squares.setdefault(square, []).append(polygon)
        west, south, east, north = polygon.bounds
        cols = np.arange(int(west - self._west), int(east - self._west) + 1)
        rows = np.arange(int(self._north - north), int(self._north - south) + 1)
        x, y = np.meshgrid(self._west + cols + 0.5, self._north - rows - 0.5)
        inside = shapely.contains_xy(polygon, x, y)
        self._cells[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] |= inside

    def blocked(self, xy: Array) -> NDArray[np.bool_]:
        """Return which of (n, 2) points, at least `inner_m` inside a figure, meet taken ground."""
        cols = np.clip((xy[..., 0] - self._west).astype(np.int64), 0, self._cells.shape[1] - 1)
        rows = np.clip((self._north - xy[..., 1]).astype(np.int64), 0, self._cells.shape[0] - 1)
        return np.asarray(self._cells[rows, cols])

    def blocked_at(self, x: float, y: float) -> bool:
        """Return whether one such point meets taken ground."""
        col, row = int(x - self._west), int(self._north - y)
        rows, cols = self._cells.shape
        return bool(self._cells[min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)])

    def free(self, polygon: Any) -> bool:
        """Return whether a polygon touches nothing taken."""
        import shapely

        return not any(
            shapely.intersects(other, polygon)
            for square in _squares(polygon.bounds)
            for other in self._squares.get(square, ())
        )


def _squares(bounds: tuple[float, float, float, float]) -> list[tuple[int, int]]:
    west, south, east, north = (math.floor(value / _SQUARE_M) for value in bounds)
    return [(i, j) for i in range(west, east + 1) for j in range(south, north + 1)]
