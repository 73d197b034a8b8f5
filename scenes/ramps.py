"""Colours: ramps that order well for the colour-blind and in grey, and the palette of a city."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLUES", "HEAT", "LIGHT", "MISSING", "SHADE", "Ramp", "colours"]

Ramp = tuple[tuple[int, int, int], ...]

BLUES: Ramp = ((198, 226, 240), (107, 174, 214), (49, 130, 189), (8, 81, 156), (8, 29, 88))
HEAT: Ramp = ((59, 130, 189), (146, 197, 222), (253, 219, 145), (239, 138, 76), (165, 15, 21))
LIGHT: Ramp = ((68, 1, 84), (59, 82, 139), (33, 144, 140), (93, 200, 99), (253, 231, 37))
SHADE: Ramp = ((70, 78, 110), (28, 34, 66))
MISSING = (150, 150, 150)


def colours(values: NDArray[np.float64], ramp: Ramp, low: float, high: float) -> NDArray[np.uint8]:
    """Return (…, 3) uint8 colours of values between `low` and `high`; NaN is grey."""
    stops = np.asarray(ramp, dtype=np.float64)
    span = high - low
    share = np.clip((values - low) / span, 0.0, 1.0) if span > 0 else np.zeros(values.shape)
    at = np.nan_to_num(share) * (len(stops) - 1)
    positions = np.arange(len(stops))
    rgb = np.stack([np.interp(at, positions, stops[:, c]) for c in range(3)], axis=-1)
    rgb[~np.isfinite(values)] = MISSING
    return rgb.round().astype(np.uint8)
