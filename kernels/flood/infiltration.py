"""How much water soaks into the ground within a time step, by four laws, cell by cell.

Each kernel takes what lies on a cell (rain of the step included) and what has soaked in so
far, and writes what soaks in now: never more than lies there, never less than nothing. All
arrays are float64, (cells,), depths in m.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["constant", "curve_number", "green_ampt", "horton", "warm"]

Sums = NDArray[np.float64]

_TURNS = 60  # of a bracketed Newton search; it settles in about five


@kernel
def green_ampt(
    lying_m: Sums,
    soaked_m: Sums,
    conductivity_mps: Sums,
    storage_m: Sums,
    dt_s: float,
    out: Sums,
) -> None:
    """Green & Ampt (1911), exact over the step: ``F₂ - F₁ - S ln((F₂+S)/(F₁+S)) = K Δt``.

    Parameters
    ----------
    lying_m, soaked_m
        Water on the cell, and soaked in so far (F₁).
    conductivity_mps, storage_m
        K, and S = suction head × moisture deficit; K = 0 lets nothing in.
    dt_s
        Length of the step.
    out
        What soaks in. Ponding begins inside a step are found by cutting the rain short: where
        less lies there than the ground could take, all of it goes in.

    References
    ----------
    Chow, Maidment & Mays (1988), Applied Hydrology, 4.3 and 4.4.
    """
    for i in range(lying_m.size):
        out[i] = 0.0
        conductivity, storage, before = conductivity_mps[i], storage_m[i], soaked_m[i]
        if lying_m[i] <= 0.0 or conductivity <= 0.0:
            continue
        steady = conductivity * dt_s
        if storage <= 1e-12:
            out[i] = min(lying_m[i], steady)
            continue
        # The residual of the gain rises and is convex; Newton from an upper bound comes down to it.
        gain = steady + math.sqrt(steady * (steady + 2.0 * storage))
        for _ in range(_TURNS):
            value = gain - storage * math.log1p(gain / (before + storage)) - steady
            move = value * (before + gain + storage) / (before + gain)
            gain -= move
            if abs(move) <= 1e-13 * gain:
                break
        gain = max(gain, 0.0)
        out[i] = min(lying_m[i], gain)


@kernel
def horton(
    lying_m: Sums,
    soaked_m: Sums,
    first_mps: Sums,
    last_mps: Sums,
    decay_1_s: Sums,
    dt_s: float,
    out: Sums,
) -> None:
    """Horton (1940) by volume: the ground tires by what it took, not by the clock.

    The curve ``F(t) = f_c t + (f_0 - f_c)/k (1 - e^(-kt))`` is entered where it has let in
    what has soaked in so far, and followed for `dt_s`; where less lies there, all goes in.

    Parameters
    ----------
    lying_m, soaked_m
        Water on the cell, and soaked in so far.
    first_mps, last_mps, decay_1_s
        f_0, f_c and k; f_0 is at least f_c.
    dt_s
        Length of the step.
    out
        What soaks in.

    References
    ----------
    Rossman & Huber (2016), SWMM Reference Manual I, EPA/600/R-15/162A, 4.2.3.
    """
    for i in range(lying_m.size):
        out[i] = 0.0
        f0, fc, k, before = first_mps[i], last_mps[i], decay_1_s[i], soaked_m[i]
        if lying_m[i] <= 0.0 or f0 <= 0.0:
            continue
        if k <= 0.0 or f0 <= fc:
            out[i] = min(lying_m[i], f0 * dt_s)
            continue
        reach = (f0 - fc) / k
        # Newton on the time at which the curve has let in `before`: concave, from the left.
        t = before / f0
        for _ in range(_TURNS):
            fallen = math.exp(-k * t)
            slope = fc + (f0 - fc) * fallen
            if slope <= 1e-12 * f0:  # the ground is full
                break
            move = (before - fc * t - reach * (1.0 - fallen)) / slope
            t += move
            if abs(move) <= 1e-9 + 1e-12 * t:
                break
        can = fc * dt_s + reach * math.exp(-k * t) * (1.0 - math.exp(-k * dt_s))
        out[i] = min(lying_m[i], can)


@kernel
def curve_number(
    lying_m: Sums,
    fallen_before_m: Sums,
    fallen_m: Sums,
    retention_m: Sums,
    out: Sums,
) -> None:
    """SCS curve number: what rain does not run off, ``Q = (P - 0.2 S)² / (P + 0.8 S)``.

    Parameters
    ----------
    lying_m
        Water on the cell; no more than this soaks in.
    fallen_before_m, fallen_m
        Rain since the start, before and after the step.
    retention_m
        S = 25.4 (1000/CN - 10) mm, in m.
    out
        Rain of the step less its growth of Q.

    References
    ----------
    USDA (1986), Urban Hydrology for Small Watersheds, TR-55, eq. 2-3 and 2-4.
    """
    for i in range(lying_m.size):
        s = retention_m[i]
        ran = np.zeros(2)
        for end in range(2):
            p = fallen_before_m[i] if end == 0 else fallen_m[i]
            if p > 0.2 * s:
                ran[end] = (p - 0.2 * s) ** 2 / (p + 0.8 * s)
        kept = (fallen_m[i] - fallen_before_m[i]) - (ran[1] - ran[0])
        out[i] = min(max(lying_m[i], 0.0), max(kept, 0.0))


@kernel
def constant(lying_m: Sums, capacity_mps: Sums, dt_s: float, out: Sums) -> None:
    """Take `capacity_mps` for `dt_s`, or what lies there: drains or ground that never tire."""
    for i in range(lying_m.size):
        out[i] = min(max(lying_m[i], 0.0), max(capacity_mps[i], 0.0) * dt_s)


def warm() -> None:
    """Compile the kernels for the types they are used with."""
    one = np.ones(1)
    out = np.zeros(1)
    green_ampt(one, one, one, one, 1.0, out)
    horton(one, one, one, one, one, 1.0, out)
    curve_number(one, one, one, one, out)
    constant(one, one, 1.0, out)
