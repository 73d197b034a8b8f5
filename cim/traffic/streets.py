"""The road layer as a network with speeds and capacities, and what of it was assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Network, network
from cim.model.table import FeatureTable
from cim.registry import standard

__all__ = ["Streets", "streets_of"]

Floats = NDArray[np.float64]
_CLASS = "residential"  # where a road's class is not known; counted as assumed


@dataclass(frozen=True)
class Streets:
    """Directed links with what driving on them takes.

    Attributes
    ----------
    table
        The road layer.
    net
        Nodes and directed links; closed roads are not in it.
    free_s
        (m,) travel time without traffic.
    capacity_vps
        (m,) vehicles a second.
    whole, whole_free_s, whole_capacity_vps
        The same with every road open, on the same nodes: what people planned their day on.
    assumed
        Roads whose class, speed, lanes or capacity came from the registry.
    """

    table: FeatureTable
    net: Network
    free_s: Floats
    capacity_vps: Floats
    whole: Network
    whole_free_s: Floats
    whole_capacity_vps: Floats
    assumed: dict[str, int]


def streets_of(table: FeatureTable) -> Streets:
    """Return the network of a road layer.

    Where a road does not say its speed, lanes or capacity, its class's value in the
    registry counts, and it is counted as assumed.

    Raises
    ------
    RequestError
        A road is not a single line, or none is open.
    """
    net = network(table)
    whole = network(_all_open(table))
    speeds, lanes = standard("traffic.speed_km_h"), standard("traffic.lanes")
    lane = standard("traffic.lane_capacity_pcu_h")
    green = standard("traffic.green_ratio").number()
    known = set(speeds.value) & set(lanes.value) & set(lane.value)
    given = table.texts("class")
    classes = [c if c in known else _CLASS for c in given]
    speed_mps = table.numbers("speed_mps")
    count = table.numbers("lanes")
    capacity = table.numbers("capacity_vps")
    assumed = {
        "class": sum(c not in known for c in given),
        "speed_mps": int((~(speed_mps > 0)).sum()),
        "lanes": int((~(count > 0)).sum()),
        "capacity_vps": int((~(capacity > 0)).sum()),
    }
    by_class = np.array([speeds.by_class(c) / 3.6 for c in classes])
    speed_mps = np.where(speed_mps > 0, speed_mps, by_class)
    count = np.where(count > 0, count, [lanes.by_class(c) for c in classes])
    from_lanes = count * np.array([lane.by_class(c) for c in classes]) * green / 3600.0
    capacity = np.where(capacity > 0, capacity, from_lanes)
    return Streets(
        table=table,
        net=net,
        free_s=net.length_m / speed_mps[net.feature],
        capacity_vps=capacity[net.feature],
        whole=whole,
        whole_free_s=whole.length_m / speed_mps[whole.feature],
        whole_capacity_vps=capacity[whole.feature],
        assumed=assumed,
    )


def _all_open(table: FeatureTable) -> FeatureTable:
    if "closed" not in table:
        return table
    nowhere = np.full(len(table), None, dtype=object)
    return replace(table, columns={**table.columns, "closed": nowhere})
