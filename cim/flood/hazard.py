"""How dangerous moving water is: the hazard rating and what it carries away (洪水危险性).

``HR = d (v + 0.5) + DF`` where there is water (Defra FD2321), in four classes; besides, whether
people keep their footing and cars their hold, by depth times speed. Limits are registry data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.registry import standard

__all__ = ["hazard_class", "hazard_rating", "hold_limits", "stability"]

Array = NDArray[Any]


def hazard_rating(depth_m: Array, speed_mps: Array, *, debris_m2_s: float, wet_m: float) -> Array:
    """Return d (v + 0.5) + DF, m²/s; 0 where the water is no deeper than `wet_m`, NaN kept."""
    rating = depth_m * (speed_mps + 0.5) + debris_m2_s
    return np.where(np.isnan(depth_m), np.nan, np.where(depth_m > wet_m, rating, 0.0))


def hazard_class(rating_m2_s: Array) -> NDArray[np.int8]:
    """Return 0 low, 1 danger for some, 2 for most, 3 for all, by ``flood.hazard_classes``.

    A rating on a limit belongs to the higher class; NaN is 0.
    """
    limits = np.asarray(standard("flood.hazard_classes").value)
    return np.searchsorted(limits, np.nan_to_num(rating_m2_s), side="right").astype(np.int8)


def hold_limits() -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Return who may lose hold, and the depth times speed (m²/s) and depth (m) where they do.

    Children and adults lose their footing by depth times speed (``flood.person_dv_m2_s``), small
    and large cars also by floating in still water (``flood.vehicle_still_m``).
    """
    people, still = standard("flood.person_dv_m2_s"), standard("flood.vehicle_still_m")
    moving = (
        people.by_class("children"),
        people.by_class("adults"),
        standard("flood.vehicle_dv_small_m2_s").number(),
        standard("flood.vehicle_dv_large_m2_s").number(),
    )
    deep = (np.inf, np.inf, still.by_class("small"), still.by_class("large"))
    return ("children", "adults", "small_car", "large_car"), np.array(moving), np.array(deep)


def stability(depth_m: Array, speed_mps: Array) -> dict[str, NDArray[np.bool_]]:
    """Tell where each of `hold_limits` loses hold."""
    dv, depth = np.nan_to_num(depth_m * speed_mps), np.nan_to_num(depth_m)
    who, moving, deep = hold_limits()
    return {name: (dv > v) | (depth > d) for name, v, d in zip(who, moving, deep, strict=True)}
