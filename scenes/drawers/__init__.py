"""How a result becomes colours: any result by its carrier, some with ramps of their own.

A drawer takes a result and returns a `Drawing`. Other packages bring theirs through
the entry point group ``cim.drawers`` (name = question); all others are drawn by
`generic`, so a new engine has a picture from its first day.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points

from cim.errors import RequestError
from cim.model.result import Result, ResultField
from scenes.drawers import flood, sun, traffic
from scenes.drawers.drawing import Asked, Drawer, Drawing
from scenes.drawers.generic import generic
from scenes.timing import step_of

__all__ = ["Asked", "Drawer", "Drawing", "draw", "generic"]

_TELLS_MOST = {"flood": flood.PEAK}
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
        Which field; where None the one that tells most: the greatest depth of a flood, the
        first that changes where a time is asked for, else the first.
    time_s
        Which time, seconds since the start; the last where None.
    lang
        Language of the legend; the one in force where None.

    Raises
    ------
    RequestError
        No such field, a time outside the run, or a time of a field that has none.
    """
    chosen = _chosen(result, name, time_s)
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


def _chosen(result: Result, name: str | None, time_s: float | None) -> ResultField:
    if name is not None:
        return result.field(name)
    if time_s is not None:
        return next((f for f in result.fields if f.over_time), result.fields[0])
    told = _TELLS_MOST.get(result.question)
    return next((f for f in result.fields if f.name == told), result.fields[0])


def _step(result: Result, chosen: ResultField, time_s: float | None) -> int | None:
    if not chosen.over_time or result.times_s is None:
        if time_s is not None:
            raise RequestError("scenes.no_moment", given=chosen.name)
        return None
    return len(result.times_s) - 1 if time_s is None else step_of(result, time_s)
