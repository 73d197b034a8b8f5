"""The part of a city that a flood is asked of: a district's outline, a catchment, any polygon.

Only cells whose middle lies inside are flooded. Water leaves over the outline as over a free edge
(over the ground that lies beyond, where that is higher), and nothing comes in. Drains are kept
whole: pipes beyond the outline carry what comes to them through pipes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.grid import Grid
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, OverBase, TwinView

__all__ = ["Area", "AreaView", "Ways", "find_area", "ways_out"]

Floats = NDArray[np.float64]

_WHOLE = ("pipe", "pipe_node")
_AREA_KINDS = ("admin_unit", "control_zone", "catchment", "grid_unit", "parcel", "land_use")
_MOST_NAMES = 12


@dataclass(frozen=True)
class Area:
    """A polygon in projected metres, and how it is called."""

    polygon: Any
    name: str
    id: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what is needed to ask the same again."""
        import shapely

        return {"name": self.name, "id": self.id, "wkt": shapely.to_wkt(self.polygon, 3)}


def find_area(view: TwinView, within: Any) -> Area:
    """Return the area that is meant: a polygon, or the id or name of one of the twin's.

    Parameters
    ----------
    view
        The twin.
    within
        A shapely polygon in projected metres, or an id or a name of an object with an outline: an
        administrative unit (行政区划), control zone, catchment, grid unit, parcel, land use.

    Raises
    ------
    RequestError
        No such object, several of the name, or no polygon.
    """
    import shapely

    if isinstance(within, Area):
        return within
    if not isinstance(within, str):
        shape = within
        areal = isinstance(shape, shapely.Geometry) and shapely.get_dimensions(shape) == 2
        if not areal or shapely.is_empty(shape) or not shapely.is_valid(shape):
            why = shapely.is_valid_reason(shape) if areal else type(shape).__name__
            raise RequestError("flood.within_shape", given=why)
        return Area(shape, "polygon")
    found: dict[str, tuple[Any, str]] = {}
    names: list[str] = []
    for table in _tables(view):
        flat = shapely.get_dimensions(table.geometry) == 2
        called = table.texts("name")
        known = called if table.kind != "parcel" else []
        names += [name for name in known if name and name not in names]
        for i in np.flatnonzero(flat):
            if within in (str(table.ids[i]), called[i]):
                found[str(table.ids[i])] = (table.geometry[i], called[i] or str(table.ids[i]))
    if len(found) != 1:
        told = ", ".join(names[:_MOST_NAMES]) or "-"
        key = "flood.within_many" if found else "flood.within_none"
        values = {"ids": ", ".join(list(found)[:_MOST_NAMES]), "names": told}
        raise RequestError(key, given=within, values=values)
    ((id_, (polygon, name)),) = found.items()
    if not shapely.is_valid(polygon):
        raise RequestError("flood.within_shape", given=shapely.is_valid_reason(polygon))
    return Area(polygon, name, id_)


def _tables(view: TwinView) -> list[FeatureTable]:
    names = [name for name in view.layers() if split_layer(name)[0] in _AREA_KINDS]
    return [view.table(name) for name in names]


@dataclass(frozen=True)
class AreaView(OverBase):
    """A twin as a flood of one area sees it: its terrain's part, what touches it, all its pipes.

    Cells stay where they are in a flood of the whole twin.
    """

    base: TwinView
    area: Area
    cell_m: float
    _cut: dict[str, Grid] = field(default_factory=dict)

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features each has in the whole twin."""
        return self.base.layers()

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features that touch the area; pipes and their nodes all."""
        import shapely

        if split_layer(layer)[0] in _WHOLE:
            return self.base.table(layer, bounds=bounds)
        found = self.base.table(layer, bounds=self.area.polygon.bounds)
        return found.take(shapely.intersects(found.geometry, self.area.polygon))

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return the part of a grid around the area; of terrain whole cells of the flood."""
        if split_layer(layer)[0] != "terrain":
            return self.base.grid(layer, bounds=bounds)
        if layer not in self._cut:
            self._cut[layer] = _around(self.base.grid(layer), self.area, self.cell_m)
        return self._cut[layer]


def _around(terrain: Grid, area: Area, cell_m: float) -> Grid:
    """Cut the terrain to whole cells of the flood, one more than the area touches."""
    frame = terrain.frame
    xmin, ymin, xmax, ymax = area.polygon.bounds
    far = (int(frame.cols * frame.cell_m / cell_m), int(frame.rows * frame.cell_m / cell_m))
    first = np.floor(np.array([xmin - frame.west, frame.north - ymax]) / cell_m) - 1
    last = np.ceil(np.array([xmax - frame.west, frame.north - ymin]) / cell_m) + 1
    (c0, r0), (c1, r1) = np.maximum(first, 0), np.minimum(last, far)
    if c0 >= c1 or r0 >= r1:
        raise RequestError("flood.within_outside", given=area.name,
                           values={"bounds": frame.bounds})  # fmt: skip
    inner = 0.25 * frame.cell_m  # so that no rounding takes a cell more
    return terrain.window(
        (
            frame.west + c0 * cell_m + inner,
            frame.north - r1 * cell_m + inner,
            frame.west + c1 * cell_m - inner,
            frame.north - r0 * cell_m - inner,
        )
    )


@dataclass(frozen=True)
class Ways:
    """Faces at which the area ends in the open, (k,), and the cells beyond them.

    `axis` 0: between (row, col - 1) and (row, col); 1: between (row - 1, col) and (row, col).
    `beyond_m` ground beyond; `up` whether that is at the higher index. `sinks` (2, n) rows and
    columns beyond. `name` how the ledger calls it.
    """

    axis: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    beyond_m: Floats
    up: NDArray[np.bool_]
    sinks: NDArray[np.int64]
    name: str


def ways_out(
    inside: NDArray[np.bool_], beyond: NDArray[np.bool_], ground_m: Floats, *, name: str
) -> Ways:
    """Find where water may leave: faces between open cells inside and open cells beyond.

    Parameters
    ----------
    inside, beyond
        (rows, cols) open cells inside, and open cells outside.
    ground_m
        (rows, cols) their ground.
    name
        Of the area.
    """
    parts = []
    for axis in (0, 1):
        low, high = (np.s_[:, :-1], np.s_[:, 1:]) if axis == 0 else (np.s_[:-1, :], np.s_[1:, :])
        for up, mine, other in ((True, low, high), (False, high, low)):
            at = np.argwhere(inside[mine] & beyond[other]) + (
                np.array([0, 1], np.int64) if axis == 0 else [1, 0]
            )
            over = at if up else at - ([0, 1] if axis == 0 else [1, 0])
            parts.append(np.column_stack([np.full(len(at), axis), at, over, np.full(len(at), up)]))
    rows = np.concatenate(parts).astype(np.int64)
    over = rows[:, 3:5]
    sinks = np.unique(over, axis=0).T
    return Ways(
        rows[:, 0], rows[:, 1], rows[:, 2],
        np.asarray(ground_m[over[:, 0], over[:, 1]], np.float64), rows[:, 5] > 0, sinks, name,
    )  # fmt: skip
