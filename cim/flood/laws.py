"""How much flows through a structure: weirs, culverts, pumps.

Formulas on plain arrays: levels in one datum, metres, cubic metres a second. Flow is positive
from the first side to the second, upstream to downstream. Coefficients are
data of the registry; the caller hands them in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["culvert_m3_s", "pump_m3_s", "weir_m3_s"]

Floats = NDArray[np.float64]
Coefficients = Mapping[str, float]

GRAVITY = 9.81


def weir_m3_s(
    upstream_m: Floats,
    downstream_m: Floats,
    *,
    crest_m: Floats,
    width_m: Floats,
    coefficient: float,
) -> Floats:
    """Flow over a broad crest, ``C b h^1.5``, held back by high water behind it.

    Parameters
    ----------
    upstream_m, downstream_m
        Levels of the two sides; the higher one drives.
    crest_m, width_m
        Level and width of the crest.
    coefficient
        C, m^½/s: 1.705 for a broad crest.

    References
    ----------
    Villemonte (1947): Q / Q₁ = (1 - (h₂/h₁)^1.5)^0.385.
    """
    high = np.maximum(np.maximum(upstream_m, downstream_m) - crest_m, 0.0)
    low = np.maximum(np.minimum(upstream_m, downstream_m) - crest_m, 0.0)
    ratio = np.divide(low, high, out=np.zeros_like(high), where=high > 0)
    flow = coefficient * width_m * high**1.5 * (1.0 - ratio**1.5) ** 0.385
    return np.asarray(np.where(upstream_m >= downstream_m, flow, -flow))


def culvert_m3_s(
    upstream_m: Floats,
    downstream_m: Floats,
    *,
    invert_up_m: Floats,
    invert_down_m: Floats,
    height_m: Floats,
    width_m: Floats,
    length_m: Floats,
    manning: float,
    coefficients: Coefficients,
) -> Floats:
    """Flow through a box culvert: the lesser of what its inlet and its barrel let through.

    Inlet: a broad crest at the invert until it is drowned, then an orifice against half its
    height. Barrel: full flow with entrance, friction and exit losses, or to its own crown where
    the water behind stands lower; at depth where it is not full.

    Parameters
    ----------
    upstream_m, downstream_m
        Levels of the two sides; the higher one drives, with its own invert as the crest.
    invert_up_m, invert_down_m, height_m, width_m, length_m
        Of the barrel.
    manning
        Of the barrel.
    coefficients
        ``weir`` (m^½/s), ``orifice``, ``entrance_loss``, ``exit_loss`` (1).

    References
    ----------
    FHWA Hydraulic Design Series 5, chapter 3: inlet and outlet control, outlet eq. 3.6b.
    """
    forward = upstream_m >= downstream_m
    high, low = np.maximum(upstream_m, downstream_m), np.minimum(upstream_m, downstream_m)
    crest = np.maximum(invert_up_m, invert_down_m)
    head = np.maximum(high - crest, 0.0)
    depth = np.minimum(head, height_m)
    area, wetted = width_m * depth, width_m + 2.0 * depth + np.where(head > height_m, width_m, 0.0)
    radius = np.divide(area, wetted, out=np.zeros_like(area), where=wetted > 0)
    weir = coefficients["weir"] * width_m * head**1.5
    above = np.maximum(head - height_m / 2.0, 0.0)
    orifice = coefficients["orifice"] * width_m * height_m * np.sqrt(2.0 * GRAVITY * above)
    inlet = np.where(head > 1.2 * height_m, np.minimum(weir, orifice), weir)
    friction = 2.0 * GRAVITY * manning**2 * length_m / np.maximum(radius, 1e-9) ** (4.0 / 3.0)
    losses = coefficients["entrance_loss"] + coefficients["exit_loss"] + friction
    lower = np.where(forward, invert_down_m, invert_up_m)
    behind = np.maximum(low, np.where(head > height_m, lower + height_m, lower + depth / 2.0))
    drop = np.maximum(high - behind, 0.0)
    barrel = area * np.sqrt(2.0 * GRAVITY * drop / losses)
    flow = np.minimum(inlet, barrel)
    return np.asarray(np.where(forward, flow, -flow))


def pump_m3_s(
    depth_m: Floats,
    running: NDArray[np.bool_],
    *,
    capacity_m3_s: Floats,
    on_m: Floats,
    off_m: Floats,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Flow of pumps that start at a depth and stop at a lower one, and which run now.

    Parameters
    ----------
    depth_m
        Water where they suck.
    running
        Which ran before.
    capacity_m3_s, on_m, off_m
        What a pump moves while it runs; depths at which it starts and stops.
    """
    runs = np.where(running, depth_m > off_m, depth_m >= on_m) & (depth_m > 0)
    return np.asarray(np.where(runs, capacity_m3_s, 0.0)), np.asarray(runs)
