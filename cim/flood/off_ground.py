"""Which buildings the terrain does not carry: outside it, or over a hole in it.

They take no part in a flood, so that its answer has to name them.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cim.flood.area import Area
from cim.model.grid import Grid
from cim.model.kinds import split_layer
from cim.model.twin import Bounds, OverBase, TwinView, WindowView

__all__ = ["off_ground"]


def off_ground(
    view: TwinView, terrain: Grid, *, standing: Collection[str], area: Area | None
) -> list[str]:
    """Return the ids of buildings whose middle lies on no cell that has a height.

    Parameters
    ----------
    view, terrain
        The twin, and its terrain on the cells of the flood.
    standing
        Ids of buildings that cover at least one cell with a height: they stand on the terrain.
    area
        Only buildings in it; None takes all.
    """
    import shapely

    out: list[str] = []
    windows = _windows(view)
    for name, count in view.layers().items():
        if split_layer(name)[0] != "building":
            continue
        table = view.table(name, bounds=terrain.frame.bounds)
        if len(table) != count:
            table = view.table(name)
        middle = shapely.point_on_surface(table.geometry)
        asked = ~(shapely.is_missing(middle) | shapely.is_empty(middle))
        if area is not None:
            asked &= shapely.contains(area.polygon, middle)
        x, y = shapely.get_x(middle), shapely.get_y(middle)
        for xmin, ymin, xmax, ymax in windows:
            asked &= (x >= xmin) & (x <= xmax) & (y >= ymin) & (y <= ymax)
        row, col, inside = terrain.frame.cell_of(x[asked], y[asked])
        bare = ~(inside & np.isfinite(terrain.values[row, col]))
        ids = [str(id_) for id_ in table.ids[np.flatnonzero(asked)[bare]]]
        out += [id_ for id_ in ids if id_ not in standing]
    return out


def _windows(view: TwinView) -> list[Bounds]:
    """Return the boxes that a view cuts out of a twin."""
    out: list[Bounds] = []
    while isinstance(view, OverBase):
        if isinstance(view, WindowView):
            out.append(view.bounds)
        view = view.base
    return out
