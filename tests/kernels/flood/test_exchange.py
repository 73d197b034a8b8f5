"""Street and pipe: the flow that agrees with the levels it leads to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.flood import exchange
from kernels.flood.exchange import GRATE, LID, SHAFT, settle

INLET, MANHOLE = np.array([1.66, 0.67]), np.array([0.54, 0.056, 0.167])
CREST, RIM, AREA, HOLES = 3.0, 1.65, 0.135, 0.004


def law(kind: int, level: float, head: float) -> float:
    if kind == GRATE:
        return exchange.grate_m3_s(level, head, CREST, RIM, AREA, *INLET)
    if kind == SHAFT:
        return exchange.shaft_m3_s(level, head, CREST, RIM, AREA, *MANHOLE)
    return exchange.lid_m3_s(level, head, CREST, RIM, AREA, HOLES, *INLET, MANHOLE[2])


def moved(kind: int, level: float, head: float, **changes: float) -> float:
    """m³ down through one opening."""
    held = {"street": 4.0, "away": 0.0, "node": 1.0, "dt": 4.0, **changes}

    def one(value: float) -> Any:
        return np.array([value])

    out = np.zeros(1)
    most = max(level - CREST, 0.0) * held["street"]
    settle(
        np.array([kind], np.int8), one(level), one(most), one(held["street"]), one(head),
        one(held["away"]), held["node"], one(CREST), one(RIM), one(AREA), one(HOLES),
        INLET, MANHOLE, held["dt"], out,
    )  # fmt: skip
    return float(out[0])


KINDS = st.sampled_from([GRATE, SHAFT, LID])
LEVELS, HEADS = st.floats(3.0, 4.0), st.floats(1.0, 5.0)


@settings(deadline=None)  # the first call compiles
@given(KINDS, LEVELS, HEADS, st.floats(-0.3, 0.3))
def test_the_flow_is_the_laws_own_with_the_levels_after_it(
    kind: int, level: float, head: float, away: float
) -> None:
    q = moved(kind, level, head, away=away) / 4.0

    def asked(q: float) -> float:
        after = head + (q - away) * 4.0
        return law(kind, level - (1.0 if after > CREST else 0.5) * q, after)  # street 4 m², 4 s

    # The law falls as q grows, and may jump: q lies where it crosses q.
    slack = 1e-7
    assert asked(q - slack) >= q - 2 * slack
    assert asked(q + slack) <= q + 2 * slack


@settings(deadline=None)  # the first call compiles
@given(KINDS, LEVELS, HEADS)
def test_neither_side_passes_the_level_at_which_both_stand_equal(
    kind: int, level: float, head: float
) -> None:
    volume = moved(kind, level, head)
    street, pipe = level - volume / 4.0, head + volume / 1.0
    assert street >= CREST - 1e-9  # never more than is there
    if volume < 0.0:
        assert head > level and pipe >= street - 1e-6
    if volume > 0.0:
        assert level > CREST and (pipe <= max(street, CREST) + 1e-6)


@pytest.mark.parametrize("kind", [GRATE, SHAFT, LID])
@pytest.mark.parametrize("head", [2.0, 3.1, 3.4])
def test_a_short_step_is_the_law_itself(kind: int, head: float) -> None:
    want = law(kind, 3.2, head)
    got = moved(kind, 3.2, head, dt=1e-6, street=1e6) / 1e-6
    assert got == pytest.approx(want, rel=1e-4)


def test_at_rest_the_surface_of_the_node_says_nothing() -> None:
    """What the law gives at these levels goes on, whatever the step and the chamber."""
    steady = law(GRATE, 3.3, 3.2)
    for node, dt in ((0.1, 8.0), (1.0, 4.0), (10.0, 1.0)):
        got = moved(GRATE, 3.3, 3.2, away=steady, node=node, dt=dt, street=1e9) / dt
        assert got == pytest.approx(steady, rel=1e-6)


def test_the_module_compiles_ahead() -> None:
    exchange.warm()
    assert moved(GRATE, 3.0, 2.0) == 0.0
