"""Whether two pictures look the same: two drivers round differently, a change of look does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["MOST_FAR", "MOST_MEAN", "alike", "difference"]

MOST_MEAN = 2.0  # of 255, over all pixels and colours
MOST_FAR, _FAR = 0.005, 24  # share of pixels that differ by more than 24 in some colour


def difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the mean difference of two pictures (h, w, 3), and the share of far pixels."""
    if one.shape != other.shape:
        return 255.0, 1.0
    apart = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return float(apart.mean()), float((apart.max(axis=-1) > _FAR).mean())


def alike(one: Path, other: Path) -> bool:
    """Tell whether two files hold pictures that look the same."""
    from PIL import Image

    mean, far = difference(*(np.asarray(Image.open(p).convert("RGB")) for p in (one, other)))
    return mean < MOST_MEAN and far < MOST_FAR
