"""Does water get into a building (建筑进水): the level at its doors against sill and floor.

Where a door's sill is known, water enters over the sill; else over the floor. The door that is
most under water counts, with equal water the lowest: a house on a slope may stand dry at its
lowest door and be entered by the other. Where no door is known the wall with the highest water
is taken for one. Where no floor level is known it is assumed: the lowest ground at the walls
and a plinth; such buildings are counted as assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloorVerdict", "judge_floors"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class FloorVerdict:
    """What water does to each building, (n,).

    Attributes
    ----------
    floor_m, water_m
        Level of the ground floor; level of the water at the judged door, NaN dry.
    inside_m
        Depth on the ground floor: 0 dry, NaN where there is nothing to judge by.
    entered
        Whether water gets in.
    floor_assumed, door_assumed
        Whether the floor's level and the door's place are assumed.
    """

    floor_m: Floats
    water_m: Floats
    inside_m: Floats
    entered: Flags
    floor_assumed: Flags
    door_assumed: Flags


def judge_floors(
    *,
    floor_m: Floats,
    lowest_wall_m: Floats,
    wall_water_m: Floats,
    door_building: NDArray[np.int64],
    door_sill_m: Floats,
    door_water_m: Floats,
    plinth_m: float,
    allowed_m: float,
) -> FloorVerdict:
    """Judge every building.

    Parameters
    ----------
    floor_m
        (n,) level of the ground floor, NaN unknown.
    lowest_wall_m
        (n,) lowest ground at the walls, NaN where no wall stands in the open.
    wall_water_m
        (n,) highest water level at the walls, NaN dry.
    door_building, door_sill_m, door_water_m
        (k,) building of each door, level of its sill (NaN unknown), water level there (NaN dry).
    plinth_m
        Floor above the lowest ground where no floor is known.
    allowed_m
        Water above the floor that still counts as dry.
    """
    n = len(floor_m)
    assumed = np.isnan(floor_m)
    floor = np.where(assumed, lowest_wall_m + plinth_m, floor_m)
    entry, water = floor.copy(), wall_water_m.astype(np.float64).copy()
    own = np.flatnonzero((door_building >= 0) & (door_building < n))
    sill = (
        np.where(np.isnan(door_sill_m), floor[np.clip(door_building, 0, n - 1)], door_sill_m)
        if n
        else np.empty(0)
    )
    door_assumed = np.ones(n, bool)
    over = np.nan_to_num(door_water_m - sill, nan=-np.inf)  # -inf: a dry door
    for door in own[np.lexsort((-sill[own], over[own]))] if n else own:  # the worst comes last
        at = door_building[door]
        entry[at], water[at], door_assumed[at] = sill[door], door_water_m[door], False
    known = np.isfinite(floor)
    entered = known & (np.nan_to_num(water, nan=-np.inf) > np.fmax(entry, -1e9) + allowed_m)
    inside = np.where(entered, np.maximum(water - floor, 0.0), 0.0)
    return FloorVerdict(
        floor_m=floor,
        water_m=water,
        inside_m=np.where(known, inside, np.nan),
        entered=entered,
        floor_assumed=assumed & known,
        door_assumed=door_assumed,
    )
