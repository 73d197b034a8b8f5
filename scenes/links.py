"""How a result on streets or pipes is painted: colour by value, width by flow, arrows one way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cim.model.table import FeatureTable
from scenes import palette
from scenes.ground import Painter

__all__ = ["paint"]

_LEAST_PX = 4.0  # of the painted ground, so that a street shows in a picture of a city
_ARROW = (252, 252, 250)
_ARROW_EVERY_M = 90.0


def paint(
    painter: Painter,
    table: FeatureTable,
    colours: palette.Colours,
    share: Mapping[str, float] | None,
) -> None:
    """Paint the links of a layer.

    Parameters
    ----------
    painter
        The ground.
    table
        Roads or pipes.
    colours
        By id; a link without one is grey and thin.
    share
        0..1 by id: how much of the full width a link takes; None paints its own width.
    """
    has = np.array([str(i) in colours for i in table.ids], dtype=bool)
    rgb = palette.flat_colour(table.ids, palette.NO_VALUE, False, colours)
    wide = np.maximum(palette.known(table.numbers("carriageway_m"), 7.0), 6.0)
    if share is not None:
        part = np.array([share.get(str(i), 0.0) for i in table.ids])
        wide = np.where(has, wide * (0.5 + 1.1 * part), wide * 0.5)
    wide = np.maximum(wide, _LEAST_PX * painter.pixel_m)
    first = np.argsort(wide, kind="stable")  # broad streets over narrow ones
    painter.lines(table.geometry[first], rgb[first], wide[first])
    painter.arrows(_one_way(table, wide), _ARROW)


def _one_way(table: FeatureTable, wide: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return arrows along one-way links, (n, 5): x, y, direction, length."""
    import shapely

    told = np.array(table.texts("oneway"), dtype=object)
    places = []
    for i in np.flatnonzero(np.isin(told, ("yes", "reverse"))):
        line = table.geometry[i]
        if line is None or line.length < 0.3 * _ARROW_EVERY_M:
            continue
        count = max(1, round(line.length / _ARROW_EVERY_M))
        at = (np.arange(count) + 0.5) / count * line.length
        here = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
        there = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 0.5))
        way = there - here
        length = np.hypot(*way.T)[:, None]
        way = np.divide(way, length, out=np.zeros_like(way), where=length > 0)
        sign = 1.0 if told[i] == "yes" else -1.0
        places.append(np.c_[here, sign * way, np.full(count, 1.6 * wide[i])])
    return np.concatenate(places) if places else np.empty((0, 5))
