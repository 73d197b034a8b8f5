"""Colours for numbers: ramps that order well for the colour-blind and in grey, round limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLUES", "HEAT", "HEAT_DOWN", "SHADE", "VIRIDIS", "Ramp", "colours", "round_limits"]
__all__ += ["usual_top"]

Ramp = tuple[tuple[int, int, int], ...]

BLUES: Ramp = ((190, 222, 240), (107, 174, 214), (49, 130, 189), (8, 81, 156), (8, 29, 88))
HEAT: Ramp = ((69, 117, 180), (145, 191, 219), (254, 224, 144), (244, 130, 72), (178, 16, 32))
HEAT_DOWN: Ramp = HEAT[::-1]
VIRIDIS: Ramp = ((68, 1, 84), (59, 82, 139), (33, 144, 140), (93, 200, 99), (253, 231, 37))
SHADE = (44, 52, 88)
_MISSING = (150, 150, 150)


def colours(values: NDArray[np.float64], ramp: Ramp, low: float, high: float) -> NDArray[np.uint8]:
    """Return (…, 3) uint8 colours of values between `low` and `high`; NaN is grey."""
    stops = np.asarray(ramp, dtype=np.float64)
    span = high - low
    share = np.clip((values - low) / span, 0.0, 1.0) if span > 0 else np.zeros(values.shape)
    at = np.nan_to_num(share) * (len(stops) - 1)
    positions = np.arange(len(stops))
    rgb = np.stack([np.interp(at, positions, stops[:, c]) for c in range(3)], axis=-1)
    rgb[~np.isfinite(values)] = _MISSING
    return rgb.round().astype(np.uint8)


def round_limits(
    low: float, high: float, *, keep_low: bool = False, keep_high: bool = False
) -> tuple[float, float, NDArray[np.float64]]:
    """Return ends of a scale at round numbers around `low` and `high`, and 4 to 7 round marks.

    Parameters
    ----------
    low, high
        Smallest and largest value.
    keep_low, keep_high
        Whether an end stays as it is.
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / 5.0
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(f * power for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= rough * 0.999))
    first = low if keep_low else float(np.floor(low / step + 1e-9) * step)
    last = high if keep_high else float(np.ceil(high / step - 1e-9) * step)
    marks = np.arange(np.ceil(first / step - 1e-9), np.floor(last / step + 1e-9) + 1) * step + 0.0
    return first, last, marks


def usual_top(values: NDArray[np.float64]) -> float | None:
    """Return where the ramp ends when few values lie far above the others, else None.

    One tower must not paint a whole town in one colour; the legend then says ≥.
    """
    known = values[np.isfinite(values)]
    usual, most = float(np.percentile(known, 98)), float(known.max())
    least = float(known.min())
    if most - least <= 2.0 * (usual - least) or usual <= least:
        return None
    return round_limits(least, usual)[1]
