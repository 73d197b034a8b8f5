"""When water runs down into an entrance, a ramp or an underpass, and how much (地下空间进水).

Over a sill runs a broad-crested weir. The water is not taken from the street, so a small pond
gives more here than it holds: the volume is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.flood.laws import weir_m3_s

__all__ = ["Overtopping", "overtopping"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Overtopping:
    """What happens at each sill, (k,).

    Attributes
    ----------
    first_s
        When the water first stands above the sill, NaN never.
    volume_m3, peak_m3_s
        What runs in until the end, and the largest flow.
    deepest_m
        Most water above the sill, 0 dry.
    """

    first_s: Floats
    volume_m3: Floats
    peak_m3_s: Floats
    deepest_m: Floats


def overtopping(
    times_s: Floats, level_m: Floats, *, sill_m: Floats, width_m: Floats, coefficient: float
) -> Overtopping:
    """Follow the water at every sill; between two times its level runs straight.

    Parameters
    ----------
    times_s
        (t,) ascending.
    level_m
        (t, k) water level outside, NaN dry.
    sill_m, width_m
        (k,) level and width of the sill.
    coefficient
        Of a broad crest, m^½/s.
    """
    over = np.nan_to_num(level_m - sill_m, nan=0.0)
    over = np.where(np.isnan(level_m), np.minimum(over, 0.0), over)
    steps = max(1, int(np.ceil(np.max(np.diff(times_s), initial=1.0) / 10.0)))
    fine_s = np.unique(np.concatenate([np.linspace(a, b, steps + 1) for a, b in
                                       zip(times_s[:-1], times_s[1:], strict=True)]
                                      or [times_s]))  # fmt: skip
    head = (
        np.stack([np.interp(fine_s, times_s, one) for one in over.T], axis=1)
        if over.shape[1]
        else np.zeros((len(fine_s), 0))
    )
    flow = weir_m3_s(
        np.maximum(head, 0.0), np.full_like(head, -1.0),
        crest_m=np.zeros_like(head), width_m=np.broadcast_to(width_m, head.shape),
        coefficient=coefficient,
    )  # fmt: skip
    volume = np.sum(0.5 * (flow[1:] + flow[:-1]) * np.diff(fine_s)[:, None], axis=0)
    first = np.array([_first(times_s, one) for one in over.T])
    return Overtopping(
        first_s=first.reshape(over.shape[1]),
        volume_m3=volume,
        peak_m3_s=flow.max(axis=0, initial=0.0),
        deepest_m=np.maximum(over, 0.0).max(axis=0, initial=0.0),
    )


def _first(times_s: Floats, over_m: Floats) -> float:
    above = np.flatnonzero(over_m > 0)
    if not len(above):
        return float("nan")
    at = int(above[0])
    if at == 0:
        return float(times_s[0])
    before, after = over_m[at - 1], over_m[at]
    share = -before / (after - before)
    return float(times_s[at - 1] + share * (times_s[at] - times_s[at - 1]))
