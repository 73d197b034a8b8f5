"""Which wet cells hang together: connected components by their sides, numbered row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["label", "warm"]


@kernel
def _root(parent: NDArray[np.int64], at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@kernel
def _label(wet: NDArray[np.bool_], number: NDArray[np.int64], parent: NDArray[np.int64]) -> int:
    rows, cols = wet.shape
    made = 0
    for r in range(rows):
        for c in range(cols):
            if not wet[r, c]:
                continue
            above = number[r - 1, c] if r > 0 else 0
            left = number[r, c - 1] if c > 0 else 0
            if above == 0 and left == 0:
                made += 1
                parent[made] = made
                number[r, c] = made
            elif above == 0 or left == 0:
                number[r, c] = max(above, left)
            else:
                a, b = _root(parent, above), _root(parent, left)
                parent[max(a, b)] = min(a, b)
                number[r, c] = min(a, b)
    kept = 0
    for i in range(1, made + 1):
        if parent[i] == i:
            kept += 1
            parent[i] = -kept
    for r in range(rows):
        for c in range(cols):
            at = number[r, c]
            if at:
                while parent[at] > 0:
                    at = parent[at]
                number[r, c] = -parent[at]
    return kept


def label(wet: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """Return (rows, cols) numbers from 1, 0 where dry, and how many components there are."""
    number = np.zeros(wet.shape, np.int64)
    count = _label(np.ascontiguousarray(wet), number, np.zeros(wet.size // 2 + 2, np.int64))
    return number, int(count)


def warm() -> None:
    """Compile the kernel."""
    label(np.ones((2, 2), np.bool_))
