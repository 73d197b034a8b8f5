"""How deep in the shade is each cell of a height raster?

The raster is swept once along the sun's rays. Neighbouring rays are the same line
shifted by a cell, so every cell belongs to exactly one ray and the work is one visit
a cell whatever the sun's height: along its ray the edge of the shade falls by the
tangent of the altitude with distance and is lifted by each cell that stands above it.

A ray runs from cell to cell along the axis it is steepest against, and on the other
axis takes the nearest cell. The cells it looks at lie less than one cell beside the true
ray, and exactly at their distance: the shade is that of an obstacle moved sideways by
less than one cell, never spread out or worn down with distance.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kernels._jit import kernel, prange

__all__ = ["shadow_height"]

Heights = npt.NDArray[np.float32]

_BLOCK = 64  # rays carried side by side, so that neighbours share memory and arithmetic
_STRIP = 16  # float32 cells in a line of the cache


def shadow_height(
    height: Heights,
    *,
    cell_m: float,
    altitude_deg: float,
    azimuth_deg: float,
    out: Heights | None = None,
) -> Heights:
    """Return how far the shade reaches above each cell, in metres; 0 where the sun shines.

    Parameters
    ----------
    height
        Shape (rows, columns), float32, metres: row 0 in the north, column 0 in the west,
        square cells. NaN casts no shade.
    cell_m
        Edge of a cell.
    altitude_deg, azimuth_deg
        Where the sun stands; azimuth clockwise from the raster's north. With the sun at
        or below the horizon all is shade: inf.
    out
        Shape and type of `height`; made when None.

    Returns
    -------
    array
        `out`: metres of shade above the cell's own height, NaN where the height is. Rounding
        adds under 1 mm for each 100 m of height and 1000 cells of shadow.

    Examples
    --------
    >>> flat = np.zeros((1, 6), np.float32)
    >>> flat[0, 3] = 2.0  # a post two metres high; the sun in the east, at 45 degrees
    >>> shadow_height(flat, cell_m=1.0, altitude_deg=45.0, azimuth_deg=90.0).round(3).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    shade = np.empty_like(height) if out is None else out
    if altitude_deg <= 0.0:
        shade[...] = np.where(np.isnan(height), np.float32(np.nan), np.float32(np.inf))
        return shade
    azimuth = math.radians(azimuth_deg)
    to_column, to_row = math.sin(azimuth), -math.cos(azimuth)
    fall = math.tan(math.radians(altitude_deg)) * cell_m
    if abs(to_row) >= abs(to_column):
        _sweep_rows(height, to_row < 0.0, -to_column / abs(to_row), fall / abs(to_row), shade)
    else:
        _sweep_columns(
            height, to_column < 0.0, -to_row / abs(to_column), fall / abs(to_column), shade
        )
    return shade


@kernel(inline=True)
def _shade(ground: float, above: float) -> float:
    """Return the shade above one cell: 0 in the sun, NaN where the height is."""
    depth = above - ground
    return depth if depth > 0 else ground - ground


@kernel(parallel=True, relaxed=True)
def _sweep_rows(height: Heights, down: bool, shift: float, fall: float, shade: Heights) -> None:
    """Carry the edge of the shade from row to row, away from the sun.

    `down`: rows are passed upwards in number. A ray moves by `shift` columns (at most 1
    either way) and the edge falls by `fall` metres with every row.
    """
    rows, columns = height.shape
    far = math.floor(shift * (rows - 1) + 0.5)
    leftmost = -max(far, 0)
    rays = columns - min(far, 0) - leftmost
    drop = np.float32(fall)
    for block in prange((rays + _BLOCK - 1) // _BLOCK):
        edge = np.full(_BLOCK, np.float32(-np.inf), np.float32)
        for step in range(rows):
            row = step if down else rows - 1 - step
            column = leftmost + block * _BLOCK + math.floor(shift * step + 0.5)
            for ray in range(max(0, -column), min(_BLOCK, columns - column)):
                ground = height[row, column + ray]
                above = edge[ray] - drop
                shade[row, column + ray] = _shade(ground, above)
                edge[ray] = ground if ground > above else above


@kernel(parallel=True, relaxed=True)
def _sweep_columns(height: Heights, right: bool, shift: float, fall: float, shade: Heights) -> None:
    """Do the same from column to column; a ray is followed `_STRIP` cells before the next.

    So that each stretch of a row is read once, whole: taken one column at a time, rows
    lie so far apart in memory that they push each other out (measured: four times slower).
    """
    rows, columns = height.shape
    far = math.floor(shift * (columns - 1) + 0.5)
    topmost = -max(far, 0)
    rays = rows - min(far, 0) - topmost
    drop = np.float32(fall)
    for block in prange((rays + _BLOCK - 1) // _BLOCK):
        edge = np.full(_BLOCK, np.float32(-np.inf), np.float32)
        moved = np.empty(_STRIP, np.int64)
        for strip in range(0, columns, _STRIP):
            steps = min(_STRIP, columns - strip)
            for i in range(steps):
                moved[i] = topmost + block * _BLOCK + math.floor(shift * (strip + i) + 0.5)
            for ray in range(_BLOCK):
                above = edge[ray]
                for i in range(steps):
                    row = moved[i] + ray
                    if row < 0 or row >= rows:
                        continue
                    column = strip + i if right else columns - 1 - strip - i
                    ground = height[row, column]
                    above -= drop
                    shade[row, column] = _shade(ground, above)
                    above = ground if ground > above else above
                edge[ray] = above
