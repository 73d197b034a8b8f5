"""Gaps in grids of heights: which are holes inside, and what fills them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_gaps", "holes"]

_FARTHEST = 200  # cells a gap is filled from its rim
_MOST_ROUNDS = 4  # of smoothing what was filled


def holes(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the missing cells that do not touch the edge of the grid, nor those that do."""
    from rasterio.features import shapes

    missing = ~np.isfinite(values)
    if not missing.any():
        return np.asarray(missing)
    outside = np.zeros_like(missing)
    rows, cols = values.shape
    for polygon, _ in shapes(missing.astype(np.uint8), mask=missing, connectivity=8):
        ring = np.array(polygon["coordinates"][0])
        low, high = ring.min(axis=0), ring.max(axis=0)
        if low[0] <= 0 or low[1] <= 0 or high[0] >= cols or high[1] >= rows:
            outside |= _inside(polygon, (rows, cols))
    return np.asarray(missing & ~outside)


def _inside(polygon: object, shape: tuple[int, int]) -> NDArray[np.bool_]:
    from rasterio.features import rasterize

    return np.asarray(rasterize([(polygon, 1)], out_shape=shape, dtype=np.uint8), dtype=bool)


def fill_gaps(
    values: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return heights with their holes filled from the rim, and which cells were filled.

    Inverse distance over eight directions, as GDAL's fillnodata does it; what lies
    beyond the edge of the data stays missing.
    """
    from rasterio.fill import fillnodata

    out = np.asarray(values, dtype=np.float64).copy()
    gaps = holes(out)
    if not gaps.any():
        return out, gaps
    known = np.isfinite(out)
    base = float(np.nanmean(out))  # float32 keeps millimetres of what is left
    flat = np.where(known, out - base, 0.0).astype(np.float32)
    filled = fillnodata(flat, mask=known.astype(np.uint8), max_search_distance=float(_FARTHEST),
                        smoothing_iterations=_MOST_ROUNDS)  # fmt: skip
    reached = gaps & np.isfinite(filled)
    out[reached] = filled[reached] + base
    return out, reached
