"""Pictures as grids: a cell's colour as one whole number, 0xRRGGBB.

An orthophoto or a rendered base map is a grid like any other, of unit ``rgb``: a float32
holds every whole number up to 2²⁴ exactly, so a colour of three bytes fits into a cell
and a missing one is NaN. On disk it is a GeoTIFF of red, green, blue and alpha. Colours
have no mean: a grid of them is sampled, resampled and thinned by the nearest cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RGB", "packed", "unpacked"]

RGB = "rgb"
"""Unit of a grid whose cells are colours."""


def packed(rgb: NDArray[np.uint8], shown: NDArray[Any]) -> NDArray[np.float32]:
    """Return colours as numbers.

    Parameters
    ----------
    rgb
        (3, rows, cols) uint8.
    shown
        (rows, cols); a cell that is zero or False there has no colour and becomes NaN.
    """
    number = rgb[0].astype(np.uint32) << 16
    number |= rgb[1].astype(np.uint32) << 8
    number |= rgb[2]
    return np.where(shown.astype(bool), number, np.nan).astype(np.float32)


def unpacked(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return numbers (rows, cols) as red, green, blue and alpha (rows, cols, 4); NaN is clear.

    Examples
    --------
    >>> unpacked(np.array([[0xFF8001]], dtype=np.float32)).tolist()
    [[[255, 128, 1, 255]]]
    """
    known = np.isfinite(values)
    number = np.where(known, values, 0).astype(np.uint32)
    out = np.empty((*values.shape, 4), np.uint8)
    out[..., 0], out[..., 1], out[..., 2] = number >> 16, (number >> 8) & 255, number & 255
    out[..., 3] = np.where(known, 255, 0)
    return out
