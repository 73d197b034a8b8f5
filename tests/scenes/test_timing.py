"""A moment of a run is found by seconds and by instants, whatever their offset."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from cim.errors import RequestError
from cim.model.result import Result
from scenes.scene import Scene
from scenes.timing import at_moment, step_of

CHINA = timezone(timedelta(hours=8))
START = datetime(2026, 7, 21, 14, 0, tzinfo=CHINA)
RUN = Result(
    "flood", {}, (), {}, {}, 1, "test", True, times_s=np.array([0.0, 600.0, 1800.0]), start=START
)


@pytest.mark.parametrize(("time_s", "step"), [(0, 0), (299, 0), (301, 1), (1201, 2), (1800, 2)])
def test_seconds_and_the_instant_of_the_same_moment_give_the_same_step(
    time_s: float, step: int
) -> None:
    assert step_of(RUN, time_s) == step
    assert step_of(RUN, START + timedelta(seconds=time_s)) == step
    assert step_of(RUN, (START + timedelta(seconds=time_s)).astimezone(UTC)) == step


def test_a_scene_moves_to_the_kept_moment() -> None:
    assert at_moment(Scene(), RUN, START + timedelta(minutes=11)).time_s == 600.0


@pytest.mark.parametrize(
    ("run", "when", "key"),
    [
        (RUN, 1801.0, "scenes.no_time"),
        (RUN, float("nan"), "scenes.no_time"),
        (RUN, START - timedelta(seconds=1), "scenes.no_time"),
        (RUN, datetime(2026, 7, 21, 14, 10), "scenes.no_offset"),
        (replace(RUN, start=None), START, "scenes.no_start"),
        (replace(RUN, times_s=None), 0.0, "scenes.no_times"),
    ],
)
def test_a_moment_that_is_not_there_gets_an_answer(
    run: Result, when: float | datetime, key: str
) -> None:
    with pytest.raises(RequestError) as told:
        step_of(run, when)
    assert told.value.key == key
