"""How a result becomes colours: any result by its carrier, some with ramps of their own.

A drawer takes a result and returns a `Drawing`. Other packages bring theirs through
the entry point group ``cim.drawers`` (name = question); all others are drawn by
`generic`, so a new engine has a picture from its first day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.model.result import Result, ResultField
from scenes.drawables import Legend
from scenes.ramps import BLUES, HEAT, LIGHT, SHADE, Ramp, colours

__all__ = ["Drawing", "draw", "generic"]

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Drawing:
    """A result as colours.

    Attributes
    ----------
    legend
        What the colours mean.
    objects
        ``{layer: {id: colour}}`` for features on links or objects.
    cells
        (rows, cols, 4) uint8 for a grid field, alpha 0 where there is nothing to show.
    time_s
        The time shown, or None.
    """

    legend: Legend
    objects: Mapping[str, Mapping[str, Colour]] = field(default_factory=dict)
    cells: NDArray[np.uint8] | None = None
    time_s: float | None = None


Drawer = Callable[[Result, ResultField, int | None], Drawing]


def draw(result: Result, *, name: str | None = None, time_s: float | None = None) -> Drawing:
    """Return a result as colours.

    Parameters
    ----------
    result
        The result.
    name
        Which field; the first where None.
    time_s
        Which time, seconds since the start; the last where None.

    Raises
    ------
    RequestError
        No such field, or a time outside the run.
    """
    chosen = result.fields[0] if name is None else result.field(name)
    step = _step(result, chosen, time_s)
    drawer = _drawer(result.question)
    drawing = drawer(result, chosen, step)
    if step is None or result.times_s is None:
        return drawing
    return replace(drawing, time_s=float(result.times_s[step]))


def _drawer(question: str) -> Drawer:
    for point in entry_points(group="cim.drawers"):
        if point.name == question:
            found: Drawer = point.load()
            return found
    return {"flood": _flood, "sun": _sun, "traffic": _traffic}.get(question, generic)


def _step(result: Result, chosen: ResultField, time_s: float | None) -> int | None:
    if not chosen.over_time or result.times_s is None:
        return None
    times = result.times_s
    if time_s is None:
        return len(times) - 1
    if not times[0] <= time_s <= times[-1]:
        raise RequestError(
            "scenes.no_time", given=time_s, values={"first": times[0], "last": times[-1]}
        )
    return int(np.argmin(np.abs(times - time_s)))


def generic(result: Result, chosen: ResultField, step: int | None) -> Drawing:
    """Draw any field: a ramp from its smallest to its largest value."""
    return _ramped(result, chosen, step, LIGHT)


def _flood(result: Result, chosen: ResultField, step: int | None) -> Drawing:
    if chosen.unit != "m" or chosen.carrier != "grid":
        return generic(result, chosen, step)
    return _ramped(result, chosen, step, BLUES, low=0.0, high=0.6, above=0.05)


def _traffic(result: Result, chosen: ResultField, step: int | None) -> Drawing:
    if chosen.name.startswith("volume_capacity"):
        return _ramped(result, chosen, step, HEAT, low=0.0, high=1.2)
    return _ramped(result, chosen, step, HEAT, low=0.0)


def _sun(result: Result, chosen: ResultField, step: int | None) -> Drawing:
    if chosen.carrier != "grid":
        return generic(result, chosen, step)
    values = _values(chosen, step)
    shaded = values > 0
    cells = np.zeros((*values.shape, 4), dtype=np.uint8)
    cells[shaded] = (*SHADE[1], 150)
    legend = Legend(messages.title(chosen.titles), "", np.array([SHADE[1]], dtype=np.uint8))
    return Drawing(legend=legend, cells=cells)


def _ramped(
    result: Result,
    chosen: ResultField,
    step: int | None,
    ramp: Ramp,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Drawing:
    values = _values(chosen, step)
    finite = values[np.isfinite(values)]
    least = float(finite.min()) if finite.size and low is None else (low or 0.0)
    most = float(finite.max()) if finite.size and high is None else (high or 1.0)
    if not most > least:
        most = least + 1.0
    rgb = colours(values, ramp, least, most)
    legend = _legend(chosen, ramp, least, most, over=finite.size > 0 and finite.max() > most)
    if chosen.carrier == "grid":
        shown = np.isfinite(values) & (values > above if above is not None else True)
        alpha = np.where(shown, 225, 0).astype(np.uint8)
        return Drawing(legend=legend, cells=np.dstack([rgb, alpha]))
    assert chosen.ids is not None  # Result checked it
    by_id = {
        str(i): (int(c[0]), int(c[1]), int(c[2])) for i, c in zip(chosen.ids, rgb, strict=True)
    }
    return Drawing(legend=legend, objects={chosen.layer: by_id})


def _values(chosen: ResultField, step: int | None) -> NDArray[np.float64]:
    values: NDArray[Any] = chosen.values if step is None else chosen.at(step)
    return values.astype(np.float64)


def _legend(chosen: ResultField, ramp: Ramp, low: float, high: float, *, over: bool) -> Legend:
    steps = np.linspace(low, high, 64)
    marks = [(t, f"{low + t * (high - low):.3g}") for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    if over:
        marks[-1] = (1.0, f"≥ {marks[-1][1]}")
    unit = "" if chosen.unit == "1" else chosen.unit
    return Legend(messages.title(chosen.titles), unit, colours(steps, ramp, low, high), marks)
