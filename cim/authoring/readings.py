"""One day of sensor readings that fit each other, the drains and the ground.

Rain runs off a catchment into its drains; the pumps take what they can; what they cannot
stands as still water, first in the pipes, then in the lowest of the ground. Its one level
gives the reading in a manhole and the depth on the street; depth slows traffic, rain cleans
the air.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.authoring.dice import roll
from cim.authoring.ground import Ground
from cim.authoring.layers import Feature

__all__ = ["Storage", "make_readings", "storage_of"]

_STEPS = 96
_STEP_MIN = 15


@dataclass(frozen=True)
class Storage:
    """What a catchment holds below a level: in the pipes that drain to its outfall, on its ground.

    Attributes
    ----------
    pipes
        (invert at the middle, diameter, volume m³) of each pipe; filled in proportion to depth.
    ground_mm
        Levels of the ground's cells of 1 m², whole millimetres, sorted.
    area_m2
        Area of the catchment.
    """

    pipes: Sequence[tuple[float, float, float]]
    ground_mm: NDArray[np.int64]
    area_m2: float

    def volume_m3(self, level_m: float) -> float:
        """Return how much stands below a level; exact sums, so the same on every machine."""
        below = round(level_m * 1000)
        count = int(np.searchsorted(self.ground_mm, below))
        ponded = count * below - int(self.ground_mm[:count].sum())
        held = [v * min(max((level_m - low) / d, 0.0), 1.0) for low, d, v in self.pipes]
        return math.fsum(held) + ponded / 1000.0

    def level_m(self, volume_m3: float) -> float:
        """Return the level, to 1 mm, below which a volume stands."""
        low = round(min(invert for invert, _, _ in self.pipes) * 1000)
        high = int(self.ground_mm[-1]) + 1000
        while high - low > 1:
            middle = (low + high) // 2
            if self.volume_m3(middle / 1000.0) <= volume_m3:
                low = middle
            else:
                high = middle
        return low / 1000.0


def storage_of(outfall: str, pipes: Sequence[Feature], catchment: Any, ground: Ground) -> Storage:
    """Return what the catchment of an outfall holds.

    Parameters
    ----------
    outfall
        Node that the pipes counted drain to.
    catchment
        Its polygon, projected metres.
    """
    import shapely

    storm = [one for one in pipes if one.properties["system"] == "storm"]
    after = {one.properties["from_node"]: one.properties["to_node"] for one in storm}
    held = []
    for one in storm:
        node = one.properties["to_node"]
        while node in after:
            node = after[node]
        if node == outfall:
            size = one.properties["diameter_m"]
            middle = (one.properties["invert_from_m"] + one.properties["invert_to_m"]) / 2.0
            section = math.pi * size * size / 4.0
            held.append((middle, size, section * float(one.geometry.length)))
    west, south, east, north = (math.floor(value) for value in catchment.bounds)
    cols, rows = np.arange(west, east + 1) + 0.5, np.arange(south, north + 1) + 0.5
    x, y = (axis.ravel() for axis in np.meshgrid(cols, rows))
    inside = shapely.contains_xy(catchment, x, y)
    at = (ground.north - y[inside]).astype(np.int64), (x[inside] - ground.west).astype(np.int64)
    cells = np.rint(ground.level_m[at] * 1000.0).astype(np.int64)
    return Storage(held, np.sort(cells), float(catchment.area))


def make_readings(
    day: Mapping[str, Any],
    layers: Mapping[str, Sequence[Feature]],
    zones: Mapping[str, Any],
    ground: Ground,
) -> list[tuple[str, str, str]]:
    """Return (sensor, time, value) rows of ``day.toml``, every 15 minutes, sensor by sensor.

    A level sensor on a storm manhole (its ``thing``) reads the water's level, any other the depth
    of water over the ground under it.

    Parameters
    ----------
    layers
        ``sensors``, ``pipes``, ``pipe_nodes``, ``catchments``.
    zones
        Polygons by name.
    """
    rain = _rain(day["rain"])
    water: list[float] = []
    if "water" in day:
        name = day["water"]["catchment"]
        pumps = next(one for one in layers["catchments"] if one.source_id == name)
        held = storage_of(day["water"]["outfall"], layers["pipes"], zones[name], ground)
        water = _levels(rain, day["water"], held, float(pumps.properties["drain_mm_h"]))
    nodes = {one.source_id: one.properties["invert_m"] for one in layers.get("pipe_nodes", ())}
    series: dict[str, list[str]] = {}
    depths: dict[str, list[float]] = {}
    for one in layers["sensors"]:
        if one.properties["type"] == "rain":
            series[one.source_id] = [f"{mm * 60 / _STEP_MIN:.1f}" for mm in rain]
        elif one.properties["type"] == "level":
            invert = nodes.get(one.properties["thing"])
            floor = round(ground.at(one.geometry.x, one.geometry.y), 3)
            if invert is None:
                values = depths[one.source_id] = [max(0.0, z - floor) for z in water]
            else:
                values = [max(invert + day["water"]["dry_m"], z) for z in water]
            series[one.source_id] = [f"{value:.3f}" for value in values]
        elif one.properties["type"] == "air":
            series[one.source_id] = _air(one.source_id, rain, day["air"])
    for name, busiest in day.get("traffic", {}).get("busiest_veh_h", {}).items():
        depth = depths.get(day["traffic"]["slowed_by"].get(name, ""), [0.0] * _STEPS)
        series[name] = [
            str(_traffic(name, step, busiest, rain[step], depth[step], day["traffic"]))
            for step in range(_STEPS)
        ]
    return [
        (sensor, _time(step, day), value)
        for sensor in sorted(series)
        for step, value in enumerate(series[sensor])
    ]


def _rain(table: Mapping[str, Any]) -> list[float]:
    hour, minute = (int(part) for part in table["start"].split(":"))
    first = (hour * 60 + minute) // _STEP_MIN
    amounts = [0.0] * _STEPS
    amounts[first : first + len(table["mm"])] = [float(mm) for mm in table["mm"]]
    return amounts


def _levels(
    rain: Sequence[float], table: Mapping[str, Any], held: Storage, drain_mm_h: float
) -> list[float]:
    """Return the level of standing water at every step; a share of the runoff comes a step late."""
    late, content, levels = 0.0, 0.0, []
    for amount in rain:
        runoff = table["runoff"] * amount
        arrives, late = late + (1.0 - table["late_share"]) * runoff, table["late_share"] * runoff
        content = max(0.0, content + arrives - drain_mm_h * _STEP_MIN / 60.0)
        levels.append(held.level_m(content / 1000.0 * held.area_m2))
    return levels


def _traffic(
    name: str, step: int, busiest: int, rain_mm: float, depth_m: float, table: Mapping[str, Any]
) -> int:
    hour, quarter = divmod(step, 4)
    share, following = table["share"][hour], table["share"][(hour + 1) % 24]
    flow = float(busiest * (share + (following - share) * quarter / 4))
    if rain_mm > 0.0:
        flow *= table["wet_factor"]
    if depth_m > table["slow_from_m"]:
        flow *= table["flooded_factor"]
    return round(flow * (95 + roll(f"{name}/{step}", 11)) / 100)


def _air(name: str, rain: Sequence[float], table: Mapping[str, Any]) -> list[str]:
    washed, values = 0.0, []
    for step, amount in enumerate(rain):
        washed = min(0.8, washed * table["recovery"] + table["wash_per_mm"] * amount)
        noise = (97 + roll(f"{name}/{step}", 7)) / 100
        values.append(f"{table['pm25'][step // 4] * (1.0 - washed) * noise:.1f}")
    return values


def _time(step: int, day: Mapping[str, Any]) -> str:
    hour, minute = divmod(step * _STEP_MIN, 60)
    return f"{day['date']}T{hour:02d}:{minute:02d}:00{day['offset']}"
