"""How bare terrain is shown: as a field of heights, drawn like any other answer on a grid."""

from __future__ import annotations

import numpy as np

from cim._version import VERSION
from cim.errors import RequestError
from cim.model.kinds import kind
from cim.model.result import Result, ResultField
from cim.model.twin import Bounds, TwinView

__all__ = ["relief"]

_MOST_CELLS = 2000  # along one side: more than a picture has pixels


def relief(view: TwinView, bounds: Bounds) -> Result | None:
    """Return the heights of the terrain in a box; None where there is none."""
    if "terrain" not in view.grids():
        return None
    try:
        grid = view.grid("terrain", bounds=bounds)
    except RequestError:  # the box lies beside it
        return None
    grid = grid.coarsened(max(1, int(np.ceil(max(grid.frame.shape) / _MOST_CELLS))))
    titles = kind("terrain").titles
    return Result(
        question="terrain",
        titles=titles,
        fields=(ResultField("height_m", "m", "grid", grid.values, titles),),
        summary={},
        parameters={},
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=VERSION,
        illustrative=grid.illustrative,
        grid=grid.frame,
    )
