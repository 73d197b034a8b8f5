"""A raster of the twin: square cells, north up, in projected metres.

Row 0 is the northernmost row, column 0 the westernmost, and ``west``/``north``
are the outer edges of cell (0, 0), as in GeoTIFF. Missing cells are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, ShapeError
from cim.model.colour import RGB

__all__ = ["Grid", "GridFrame"]


@dataclass(frozen=True)
class GridFrame:
    """Where the cells of a grid lie: west and north edge, cell size (metres), rows, columns."""

    west: float
    north: float
    cell_m: float
    rows: int
    cols: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) in projected metres."""
        return (
            self.west,
            self.north - self.rows * self.cell_m,
            self.west + self.cols * self.cell_m,
            self.north,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, columns)."""
        return (self.rows, self.cols)

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """Return the six numbers of an affine transform in rasterio's order."""
        return (self.cell_m, 0.0, self.west, 0.0, -self.cell_m, self.north)

    def cell_of(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return row, column and inside-or-not of points; outside points get row and column 0."""
        col = np.floor((np.asarray(x) - self.west) / self.cell_m)
        row = np.floor((self.north - np.asarray(y)) / self.cell_m)
        inside = (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
        return (
            np.where(inside, row, 0).astype(np.int64),
            np.where(inside, col, 0).astype(np.int64),
            inside,
        )

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x of the columns (cols,) and y of the rows (rows,)."""
        x = self.west + (np.arange(self.cols, dtype=np.float64) + 0.5) * self.cell_m
        y = self.north - (np.arange(self.rows, dtype=np.float64) + 0.5) * self.cell_m
        return x.astype(np.float64), y.astype(np.float64)


@dataclass(frozen=True)
class Grid:
    """Values on a `GridFrame`.

    Attributes
    ----------
    layer
        ``terrain``, ``land_cover/2024``…
    values
        (rows, cols) float32, NaN where missing. Terrain is metres in the twin's height datum.
    unit
        Unit of the values.
    """

    layer: str
    frame: GridFrame
    values: NDArray[np.float32]
    unit: str
    illustrative: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.values.shape != self.frame.shape:
            raise ShapeError(
                "grid.shape",
                given=self.layer,
                values={"got": self.values.shape, "want": self.frame.shape},
            )

    @property
    def measured(self) -> bool:
        """Whether its numbers are measures, which have a mean: not classes, not colours."""
        return self.unit not in ("class", RGB)

    def sample(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values at points (n, 2) in projected metres, bilinear; NaN outside or missing.

        Within half a cell of the edge, beside a missing cell, and where cells are classes
        or colours, the value of the cell the point lies in counts.
        """
        xy = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        row, col, inside = self.frame.cell_of(xy[:, 0], xy[:, 1])
        nearest = np.where(inside, self.values[row, col], np.nan).astype(np.float64)
        if not self.measured:
            return nearest
        fx = (xy[:, 0] - self.frame.west) / self.frame.cell_m - 0.5
        fy = (self.frame.north - xy[:, 1]) / self.frame.cell_m - 0.5
        c0 = np.clip(np.floor(fx), 0, max(self.frame.cols - 2, 0)).astype(np.int64)
        r0 = np.clip(np.floor(fy), 0, max(self.frame.rows - 2, 0)).astype(np.int64)
        c1 = np.minimum(c0 + 1, self.frame.cols - 1)
        r1 = np.minimum(r0 + 1, self.frame.rows - 1)
        u, v = np.clip(fx - c0, 0, 1), np.clip(fy - r0, 0, 1)
        z = self.values
        smooth = (
            z[r0, c0] * (1 - u) * (1 - v)
            + z[r0, c1] * u * (1 - v)
            + z[r1, c0] * (1 - u) * v
            + z[r1, c1] * u * v
        )
        return np.where(inside & np.isfinite(smooth), smooth, nearest)

    def window(self, bounds: tuple[float, float, float, float]) -> Grid:
        """Return the cells that touch `bounds` (xmin, ymin, xmax, ymax).

        Raises
        ------
        RequestError
            `bounds` lies outside the grid.
        """
        xmin, ymin, xmax, ymax = bounds
        cell = self.frame.cell_m
        c0 = max(0, int(np.floor((xmin - self.frame.west) / cell)))
        c1 = min(self.frame.cols, int(np.ceil((xmax - self.frame.west) / cell)))
        r0 = max(0, int(np.floor((self.frame.north - ymax) / cell)))
        r1 = min(self.frame.rows, int(np.ceil((self.frame.north - ymin) / cell)))
        if c0 >= c1 or r0 >= r1:
            raise RequestError("grid.outside", given=bounds, values={"bounds": self.frame.bounds})
        frame = GridFrame(
            west=self.frame.west + c0 * cell,
            north=self.frame.north - r0 * cell,
            cell_m=cell,
            rows=r1 - r0,
            cols=c1 - c0,
        )
        return replace(self, frame=frame, values=self.values[r0:r1, c0:c1])

    def coarsened(self, factor: int) -> Grid:
        """Return the grid with cells `factor` times as wide: means of the valid cells in each.

        Rows and columns that do not fill a whole new cell at the south and east
        edge are left out.

        Raises
        ------
        ShapeError
            Not so many cells, or cells that are classes or colours: they have no mean.
        """
        if factor == 1:
            return self
        if not self.measured:
            raise ShapeError("grid.no_mean", given=self.layer, values={"unit": self.unit})
        rows, cols = self.frame.rows // factor, self.frame.cols // factor
        if factor < 1 or rows == 0 or cols == 0:
            raise ShapeError("grid.coarsen", given=factor, values={"shape": self.frame.shape})
        blocks: NDArray[Any] = self.values[: rows * factor, : cols * factor].reshape(
            rows, factor, cols, factor
        )
        valid = np.isfinite(blocks)
        count = valid.sum(axis=(1, 3))
        total = np.where(valid, blocks, 0.0).sum(axis=(1, 3), dtype=np.float64)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
        frame = GridFrame(
            west=self.frame.west,
            north=self.frame.north,
            cell_m=self.frame.cell_m * factor,
            rows=rows,
            cols=cols,
        )
        return replace(self, frame=frame, values=mean)
