"""How fast this machine moves memory: the STREAM triad in float32 on one core, GB/s.

``a = b + s*c`` over arrays far larger than the caches; 12 bytes an element, as
STREAM counts (McCalpin 1995): the line that a write fetches first is left out.
"""

from __future__ import annotations

import os
import time

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["REFERENCE_GB_S", "cores", "triad_gb_s"]

REFERENCE_GB_S = 15.6
"""The core that absolute figures are scaled to."""

_CELLS = 1 << 25  # 3 x 128 MiB
Floats = npt.NDArray[np.float32]


@numba.njit("void(f4[::1], f4[::1], f4[::1], f4)", fastmath={"contract"})
def _triad(a: Floats, b: Floats, c: Floats, s: np.float32) -> None:
    for i in range(a.size):
        a[i] = b[i] + s * c[i]


def triad_gb_s(*, repeats: int = 7) -> float:
    """Return the best of several passes: what the core can do when nothing disturbs it."""
    a, b, c = (np.full(_CELLS, value, dtype=np.float32) for value in (0.0, 1.0, 2.0))
    seconds = []
    for _ in range(repeats):
        start = time.process_time()  # what others take of the core does not count
        _triad(a, b, c, np.float32(3.0))
        seconds.append(time.process_time() - start)
    if a[0] != 7.0 or a[-1] != 7.0:
        raise AssertionError(f"the triad is wrong: {a[0]}")
    return 12 * _CELLS / min(seconds) / 1e9


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
