"""Where water still stands, pond by pond, the largest first (积水点)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.model.grid import GridFrame

__all__ = ["Pond", "find_ponds"]


@dataclass(frozen=True)
class Pond:
    """Connected cells under water.

    Attributes
    ----------
    x_m, y_m
        Its deepest cell, projected metres.
    area_m2, volume_m3, deepest_m
        Its size.
    """

    x_m: float
    y_m: float
    area_m2: float
    volume_m3: float
    deepest_m: float


def find_ponds(depth_m: NDArray[np.floating], frame: GridFrame, *, above_m: float) -> list[Pond]:
    """Return the ponds deeper than `above_m`, by volume, largest first.

    Parameters
    ----------
    depth_m
        (rows, cols), NaN where no water can be. Cells that share a side belong together.
    frame
        Where the cells lie.
    above_m
        Shallower water is no pond.
    """
    from kernels.flood.ponds import label

    wet = np.nan_to_num(np.asarray(depth_m, np.float64), nan=0.0)
    wet[wet <= above_m] = 0.0
    number, count = label(wet > 0)
    if not count:
        return []
    cells = np.flatnonzero(number.ravel())
    own = number.ravel()[cells] - 1
    depth = wet.ravel()[cells]
    order = np.lexsort((depth, own))  # the deepest of each pond comes last
    last = order[np.append(np.flatnonzero(np.diff(own[order])), len(order) - 1)]
    size = np.bincount(own, minlength=count) * frame.cell_m**2
    volume = np.bincount(own, weights=depth, minlength=count) * frame.cell_m**2
    x, y = frame.centres()
    found = [
        Pond(
            x_m=float(x[cells[at] % frame.cols]),
            y_m=float(y[cells[at] // frame.cols]),
            area_m2=float(size[own[at]]),
            volume_m3=float(volume[own[at]]),
            deepest_m=float(depth[at]),
        )
        for at in last
    ]
    return sorted(found, key=lambda pond: (-pond.volume_m3, pond.x_m, pond.y_m))
