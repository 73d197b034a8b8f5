"""Which moment of a run a scene shows: chosen by seconds since its start, or by an instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from cim.errors import RequestError
from cim.model.result import Result
from scenes.scene import Scene

__all__ = ["at_moment", "step_of"]


def at_moment(scene: Scene, result: Result, when: float | datetime) -> Scene:
    """Return the scene at the kept moment of a run that is nearest; see `step_of`."""
    step = step_of(result, when)
    assert result.times_s is not None
    return replace(scene, time_s=float(result.times_s[step]))


def step_of(result: Result, when: float | datetime) -> int:
    """Return the kept step of a run nearest to a moment; of two as near, the earlier.

    Parameters
    ----------
    result
        A run over time.
    when
        Seconds since the run's start, or an instant with its offset.

    Raises
    ------
    RequestError
        Time plays no part in the run, the moment lies outside it, an instant has no offset,
        or the run does not say when it starts.
    """
    times = result.times_s
    if times is None or not len(times):
        raise RequestError("scenes.no_times", given=result.question)
    seconds = _since_start(result, when) if isinstance(when, datetime) else float(when)
    if not times[0] <= seconds <= times[-1]:
        raise RequestError(
            "scenes.no_time",
            given=when if isinstance(when, datetime) else seconds,
            values={"first": times[0], "last": times[-1]},
        )
    return int(np.argmin(np.abs(times - seconds)))


def _since_start(result: Result, instant: datetime) -> float:
    if instant.tzinfo is None:
        raise RequestError("scenes.no_offset", given=instant.isoformat())
    if result.start is None:
        raise RequestError("scenes.no_start", given=result.question)
    return (instant - result.start).total_seconds()
