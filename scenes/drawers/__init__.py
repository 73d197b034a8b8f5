"""How a result becomes colours: any result by its carrier, some with ramps of their own.

A drawer takes a result and returns a `Drawing`. Other packages bring theirs through
the entry point group ``cim.drawers`` (name = question); all others are drawn by
`generic`, so a new engine has a picture from its first day.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points

from cim.model.result import Result, ResultField
from scenes.drawers import flood, sun, traffic
from scenes.drawers.drawing import Asked, Drawer, Drawing
from scenes.drawers.generic import generic
from scenes.timing import step_of

__all__ = ["Asked", "Drawer", "Drawing", "draw", "generic"]

_OWN: dict[str, Drawer] = {"flood": flood.draw, "sun": sun.draw, "traffic": traffic.draw}


def draw(
    result: Result,
    *,
    name: str | None = None,
    time_s: float | None = None,
    lang: str | None = None,
) -> Drawing:
    """Return a result as colours.

    Parameters
    ----------
    result
        The result.
    name
        Which field; the first where None.
    time_s
        Which time, seconds since the start; the last where None.
    lang
        Language of the legend; the one in force where None.

    Raises
    ------
    RequestError
        No such field, or a time outside the run.
    """
    chosen = result.fields[0] if name is None else result.field(name)
    step = _step(result, chosen, time_s)
    drawing = _drawer(result.question)(Asked(result, chosen, step, lang))
    if step is None or result.times_s is None:
        return drawing
    return replace(drawing, time_s=float(result.times_s[step]))


def _drawer(question: str) -> Drawer:
    for point in entry_points(group="cim.drawers"):
        if point.name == question:
            found: Drawer = point.load()
            return found
    return _OWN.get(question, generic)


def _step(result: Result, chosen: ResultField, time_s: float | None) -> int | None:
    if not chosen.over_time or result.times_s is None:
        return None
    return len(result.times_s) - 1 if time_s is None else step_of(result, time_s)
