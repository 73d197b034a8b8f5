"""How much water goes through inlets and manholes between street and pipe within a time step.

Three openings, each a law of the two levels; positive is down, levels are in one datum, metres,
flows m³/s. A full pipe answers within a second to what enters it, so a law asked with the levels
of before the step moves too much, and back again in the next. `settle` asks it with the levels
that the exchange itself brings about.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["GRATE", "LID", "SHAFT", "grate_m3_s", "lid_m3_s", "settle", "shaft_m3_s", "warm"]

Sums = NDArray[np.float64]
Kinds = NDArray[np.int8]

GRATE, SHAFT, LID = 0, 1, 2
"""Kinds of openings: a grate, a manhole that takes water like an open shaft, one with its lid."""

_TWO_G = 2.0 * 9.81
_TURNS = 30  # of a bisection: 1e-9 of the flow


@kernel
def grate_m3_s(
    level_m: float,
    head_m: float,
    crest_m: float,
    perimeter_m: float,
    area_m2: float,
    weir: float,
    orifice: float,
) -> float:
    """Flow through a grate (雨水口): a weir over its rim or an orifice through its bars.

    The lesser of the two; where the pipe's head stands above the rim, the orifice feels the
    difference of the levels, and drives water up where the head is the higher one.

    Parameters
    ----------
    level_m, head_m, crest_m
        Water level of the street, head in the pipe, level of the grate, m.
    perimeter_m, area_m2
        Rim without the side at the kerb, m; clear opening, m².
    weir, orifice
        Coefficients, m^½/s and 1.

    References
    ----------
    FHWA Hydraulic Engineering Circular 22, eq. 4-26 and 4-27 (SI: 1.66 and 0.67).
    """
    over = max(level_m - crest_m, 0.0)
    if head_m > max(level_m, crest_m):
        return -orifice * area_m2 * math.sqrt(_TWO_G * (head_m - max(level_m, crest_m)))
    drop = level_m - head_m if head_m > crest_m else over
    through = orifice * area_m2 * math.sqrt(_TWO_G * max(drop, 0.0))
    return min(weir * perimeter_m * over * math.sqrt(over), through)


@kernel
def shaft_m3_s(
    level_m: float,
    head_m: float,
    crest_m: float,
    perimeter_m: float,
    area_m2: float,
    free: float,
    drowned: float,
    orifice: float,
) -> float:
    """Flow through a manhole (检查井) without its lid.

    Free weir while the head stands below the rim; above it a drowned weir for shallow water and
    an orifice for deep; an orifice upwards where the head is the higher one.

    Parameters
    ----------
    level_m, head_m, crest_m, perimeter_m, area_m2
        As for a grate.
    free, drowned, orifice
        Coefficients, 1.

    References
    ----------
    Rubinato, Martins, Kesserwani, Leandro, Djordjević & Shucksmith (2017), J. Hydrol. 552, 421.
    """
    over = max(level_m - crest_m, 0.0)
    if head_m > max(level_m, crest_m):
        return -orifice * area_m2 * math.sqrt(_TWO_G * (head_m - max(level_m, crest_m)))
    if head_m <= crest_m:
        return free * 2.0 / 3.0 * perimeter_m * math.sqrt(_TWO_G * over) * over
    root = math.sqrt(_TWO_G * max(level_m - head_m, 0.0))
    if over < area_m2 / perimeter_m:
        return drowned * perimeter_m * over * root
    return orifice * area_m2 * root


@kernel
def lid_m3_s(
    level_m: float,
    head_m: float,
    crest_m: float,
    perimeter_m: float,
    area_m2: float,
    holes_m2: float,
    weir: float,
    through: float,
    orifice: float,
) -> float:
    """Flow through a manhole under its lid: down by the pick holes, up as soon as it lifts.

    A lid of 60 kg over 0.385 m² lifts at 16 mm of head; that little is left out.

    Parameters
    ----------
    level_m, head_m, crest_m, perimeter_m, area_m2
        As for a grate, of the whole opening.
    holes_m2
        Clear area of the lid's holes, m².
    weir, through
        Coefficients of the holes, as of a grate.
    orifice
        Coefficient of the opening without its lid, 1.
    """
    if head_m > max(level_m, crest_m):
        return -orifice * area_m2 * math.sqrt(_TWO_G * (head_m - max(level_m, crest_m)))
    return grate_m3_s(level_m, head_m, crest_m, perimeter_m, holes_m2, weir, through)


@kernel
def _law(
    kind: int,
    level_m: float,
    head_m: float,
    crest_m: float,
    perimeter_m: float,
    area_m2: float,
    holes_m2: float,
    inlet: Sums,
    manhole: Sums,
) -> float:
    if kind == GRATE:
        return grate_m3_s(level_m, head_m, crest_m, perimeter_m, area_m2, inlet[0], inlet[1])
    if kind == SHAFT:
        return shaft_m3_s(
            level_m, head_m, crest_m, perimeter_m, area_m2, manhole[0], manhole[1], manhole[2]
        )
    return lid_m3_s(
        level_m, head_m, crest_m, perimeter_m, area_m2, holes_m2, inlet[0], inlet[1], manhole[2]
    )


@kernel
def settle(
    kind: Kinds,
    level_m: Sums,
    most_m3: Sums,
    street_m2: Sums,
    head_m: Sums,
    away_m3_s: Sums,
    node_m2: float,
    crest_m: Sums,
    perimeter_m: Sums,
    area_m2: Sums,
    holes_m2: Sums,
    inlet: Sums,
    manhole: Sums,
    dt_s: float,
    out: Sums,
) -> None:
    """Find the flow that agrees with the levels it leads to: ``q = law(level(q), head(q))``.

    The pipe is a vessel of `node_m2` that fills by ``q - away``: it is asked at the end of the
    step, without which a full pipe and the street would throw the same water to and fro. The
    street falls by ``q``: under a free fall it is asked in the middle of the step (as exact as
    a straight line), against a full pipe at its end too, so that neither passes the level at
    which both stand equal. Where nothing changes, both are the law itself. The law falls with
    ``q``, so there is one answer, also where the law jumps.

    Parameters
    ----------
    kind
        (n,) `GRATE`, `SHAFT` or `LID`.
    level_m, most_m3, street_m2
        (n,) water level, what may be taken, and the water's surface, of the street's share.
    head_m, away_m3_s
        (n,) head in the pipe now; what the pipe carries away from the node.
    node_m2
        Water surface of a full node; less where its pipes swing with it. How fast a new balance
        is found hangs on it, not which.
    crest_m, perimeter_m, area_m2, holes_m2
        (n,) of the opening: level, rim, clear area, holes of its lid.
    inlet
        (weir, orifice) of grates.
    manhole
        (free weir, drowned weir, orifice) of manholes.
    dt_s
        Length of the step.
    out
        (n,) m³ down, negative up.
    """
    lean = dt_s / node_m2
    for i in range(level_m.size):
        fall, crest, rest = dt_s / street_m2[i], crest_m[i], head_m[i] - lean * away_m3_s[i]
        low, high = 0.0, 0.0
        for turn in range(_TURNS + 1):
            q = 0.5 * (low + high)
            head = rest + lean * q
            share = 1.0 if head > crest else 0.5
            f = _law(
                kind[i], level_m[i] - share * fall * q, head, crest,
                perimeter_m[i], area_m2[i], holes_m2[i], inlet, manhole,
            )  # fmt: skip
            if turn == 0:
                if f == 0.0:
                    break
                low, high = min(f, 0.0), max(f, 0.0)
            elif f > q:
                low = q
            else:
                high = q
        out[i] = min(0.5 * (low + high) * dt_s, max(most_m3[i], 0.0))


def warm() -> None:
    """Compile the kernels for the types they are used with."""
    one = np.ones(1)
    settle(
        np.zeros(1, np.int8), one, one, one, one, one, 1.0, one, one, one, one,
        np.ones(2), np.ones(3), 1.0, np.zeros(1),
    )  # fmt: skip
