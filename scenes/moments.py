"""The moments of a run that a film or a page shows, and the run's colours at each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import split_layer
from cim.model.result import Result, ResultField
from cim.model.twin import Bounds, TwinView
from scenes import links
from scenes.city import lies_below
from scenes.drawers import Drawing
from scenes.ground import Painter
from scenes.tubes import levelled

__all__ = ["blank", "chosen_field", "clock", "lies_flat", "links_overlay", "moments"]


def chosen_field(result: Result, name: str | None) -> ResultField:
    """Return the field shown: the one asked for, else the first that has times, else the first."""
    if name is not None:
        return result.field(name)
    return next((f for f in result.fields if f.over_time), result.fields[0])


def moments(result: Result, field: ResultField, *, most: int) -> tuple[float, ...]:
    """Return at most `most` times of a field, seconds, evenly chosen, first and last among them.

    Empty where time plays no part.
    """
    if not field.over_time or result.times_s is None:
        return ()
    count = len(result.times_s)
    at = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    return tuple(float(t) for t in result.times_s[at])


def lies_flat(layer: str) -> bool:
    """Tell whether a layer is painted on the ground rather than standing on it."""
    return split_layer(layer)[0] in ("road", "pipe")


def clock(time_s: float) -> str:
    """Return a duration as hours, minutes, seconds."""
    return str(timedelta(seconds=round(time_s)))


def blank(result: Result, field: ResultField) -> Result:
    """Return a result that colours nothing but lets the city step back as the real one does."""
    none: dict[str, Any]
    if field.carrier == "grid":
        values = np.full(field.values.shape[-2:], np.nan, dtype=np.float32)
        return replace(
            result, fields=(replace(field, values=values, over_time=False),), times_s=None
        )
    none = {"values": np.empty(0), "ids": np.empty(0, dtype=object), "over_time": False}
    empty = replace(field, layer="", carrier="objects", **none)
    return replace(result, question="blank", fields=(empty,), times_s=None, grid=None)


def links_overlay(
    view: TwinView,
    drawing: Drawing,
    layer: str,
    bounds: Bounds,
    *,
    pixels: int,
    underground: bool = False,
) -> NDArray[np.uint8] | None:
    """Return a result on links as an image (h, w, 4) over a box, clear where no link is.

    It is painted on black and on white: what differs was not painted. Underground, pipes that
    say their levels are tubes and not painted; None where nothing is left to paint.
    """
    table = view.table(layer, bounds=bounds)
    if underground and lies_below(layer):
        table = table.take(~levelled(table))
        if not len(table):
            return None
    painted = []
    for land in ((0, 0, 0), (255, 255, 255)):
        painter = Painter(bounds, pixels, land)
        links.paint(painter, table, drawing.objects[layer], drawing.widths.get(layer))
        painted.append(painter.image())
    on_black, on_white = painted
    alpha = np.where((on_black == on_white).all(axis=-1), 255, 0).astype(np.uint8)
    return np.dstack([on_black, alpha])
