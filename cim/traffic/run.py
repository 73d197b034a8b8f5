"""User equilibrium on the streets of a twin: flows, speeds, delays, and who could not drive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim._version import VERSION
from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.result import Result, ResultField
from cim.model.twin import TwinView, layer_names
from cim.registry import cite, standard
from cim.traffic.demand import Trips, trips_between
from cim.traffic.streets import Streets, streets_of

__all__ = ["traffic"]

Floats = NDArray[np.float64]
_MAX_ITERATIONS = 400
_RULES = (
    "traffic.bpr_alpha",
    "traffic.bpr_beta",
    "traffic.lane_capacity_pcu_h",
    "traffic.green_ratio",
    "traffic.trips_per_person_h",
    "traffic.through_share",
    "traffic.deterrence_s",
)


def traffic(
    view: TwinView,
    *,
    demand: Trips | None = None,
    gap: float = 1e-6,
    through_share: float | None = None,
    layer: str = "road",
    job: Job = QUIET,
) -> Result:
    """Assign a peak hour to the streets so that nobody gains by changing the way (Wardrop 1952).

    Parameters
    ----------
    view
        A twin with streets, and people and jobs in its buildings.
    demand
        Trips between nodes; modelled from people and jobs where None.
    gap
        Relative gap at which to stop.
    through_share
        Traffic entering at the edge, as a share of capacity; the registry's where None.
    layer
        The road layer.
    job
        Progress and cancel.

    Returns
    -------
    Result
        On links: ``volume_capacity`` (the fuller direction), flows of both
        directions, speed, delay.

    Raises
    ------
    RequestError
        No streets, nobody who drives, or a gap that is not between 0 and 1.
    CancelledError
        The job was cancelled.
    """
    if not 0.0 < gap < 1.0:
        raise RequestError("traffic.gap", given=gap)
    if layer not in view.layers():
        raise RequestError("twin.no_layer", given=layer, values={"known": layer_names(view)})
    roads = view.table(layer)
    buildings = view.table("building") if "building" in view.layers() else None
    streets = streets_of(roads)
    trips = demand or trips_between(streets, buildings, through_share=through_share)
    found, net = _solve(streets, trips, gap, job)
    fields = _fields(streets, found, layer)
    return Result(
        question="traffic",
        titles={"en": "Traffic in the peak hour", "zh": "高峰小时交通"},
        fields=fields,
        summary=_summary(streets, trips, found, fields, gap),
        parameters={
            "gap": gap,
            "through_share": through_share,
            "layer": layer,
            "demand": "given" if demand is not None else "modelled",
        },
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=VERSION,
        illustrative=roads.illustrative or (buildings is not None and buildings.illustrative),
        balance=_balance(streets, trips, found, net),
        notes=_notes(streets, trips, modelled=demand is None),
    )


def _solve(streets: Streets, trips: Trips, gap: float, job: Job) -> tuple[Any, Any]:
    from kernels.traffic.assignment import (
        LinkCost,
        demand_of,
        network_of,
        result_of,
        slices,
        start,
    )

    net = streets.net
    m = len(net.tail)
    law = LinkCost(
        streets.free_s,
        np.full(m, standard("traffic.bpr_alpha").number()),
        streets.capacity_vps,
        np.full(m, standard("traffic.bpr_beta").number()),
        np.zeros(m),
    )
    n = len(net.node_xy)
    demand = demand_of(trips.origin, trips.destination, trips.trips_vps)
    state = start(network_of(n, net.tail, net.head), law, demand)
    far, shown = -math.log10(gap), 0.0  # digits of the gap: wanted, and told so far
    while state.iteration < _MAX_ITERATIONS:
        reached = min(max(-math.log10(max(state.relative_gap, 1e-16)), 0.0), far)
        for share in slices(state):
            shown = max(shown, reached + 0.5 * share * (far - reached) / far)
            job.step(shown, far, what="traffic.assigning")
        if state.relative_gap <= gap:
            break
    job.step(far, far, what="traffic.assigning")
    return result_of(state), net


def _fields(streets: Streets, found: Any, layer: str) -> tuple[ResultField, ...]:
    net, n = streets.net, len(streets.table)
    ratio = found.flow / streets.capacity_vps
    speed = np.divide(
        net.length_m, found.cost, out=np.full(len(ratio), np.nan), where=found.cost > 0
    )
    along, against = net.forward, ~net.forward

    def both(values: Floats, how: Any, empty: float) -> Floats:
        out = np.full(n, empty)
        how.at(out, net.feature, values)
        return out

    def one(values: Floats, which: NDArray[np.bool_]) -> Floats:
        out = np.zeros(n)
        out[net.feature[which]] = values[which]
        return out

    open_ = np.zeros(n, dtype=bool)
    open_[net.feature] = True

    def field(name: str, unit: str, values: Floats, en: str, zh: str) -> ResultField:
        shown = np.where(open_, values, np.nan)
        titles = {"en": en, "zh": zh}
        return ResultField(name, unit, "links", shown, titles, layer, streets.table.ids)

    delay = found.cost - streets.free_s
    return (
        field(
            "volume_capacity", "1", both(ratio, np.maximum, 0.0), "Volume over capacity", "饱和度"
        ),
        field("flow_vps", "1/s", both(found.flow, np.add, 0.0), "Flow, both ways", "双向流量"),
        field("flow_forward_vps", "1/s", one(found.flow, along), "Flow along the line", "正向流量"),
        field("flow_backward_vps", "1/s", one(found.flow, against), "Flow against it", "反向流量"),
        field(
            "speed_mps", "m/s", both(speed, np.minimum, np.inf), "Speed, slower way", "较慢方向车速"
        ),
        field("delay_s", "s", both(delay, np.maximum, 0.0), "Delay, worse way", "较大方向延误"),
    )


def _summary(
    streets: Streets, trips: Trips, found: Any, fields: tuple[ResultField, ...], gap: float
) -> dict[str, Any]:
    served = trips.trips_vps.sum() - found.unserved.sum()
    hour_s = 3600.0
    ratio = fields[0].values
    worst = [int(i) for i in np.argsort(-np.nan_to_num(ratio))[:5]]
    return {
        "trips_veh_h": round(float(trips.trips_vps.sum()) * hour_s, 1),
        "unserved_veh_h": round(float(found.unserved.sum()) * hour_s, 3),
        "mean_travel_time_s": round(float(found.flow @ found.cost / max(served, 1e-12)), 2),
        "vehicle_km_h": round(float(found.flow @ streets.net.length_m) * hour_s / 1000.0, 2),
        "delay_veh_h_h": round(float(found.flow @ (found.cost - streets.free_s)), 3),
        "over_capacity_roads": int((np.nan_to_num(ratio) > 1.0).sum()),
        "closed_roads": int(np.isnan(ratio).sum()),
        "worst_roads": [
            {
                "id": str(streets.table.ids[i]),
                "name": streets.table.texts("name")[i],
                "volume_capacity": round(float(ratio[i]), 3),
            }
            for i in worst
        ],
        "relative_gap": float(found.relative_gap),
        "settled": bool(found.relative_gap <= gap),
        "iterations": int(found.iterations),
        "rules": [cite(key) for key in _RULES],
    }


def _balance(streets: Streets, trips: Trips, found: Any, net: Any) -> dict[str, float]:
    """Return the ledger: what starts, arrives, finds no way; and the worst corner's error."""
    n = len(net.node_xy)
    given = np.zeros(n)
    served = trips.trips_vps - found.unserved
    np.add.at(given, trips.origin, served)
    np.subtract.at(given, trips.destination, served)
    np.subtract.at(given, net.tail, found.flow)
    np.add.at(given, net.head, found.flow)
    total = float(trips.trips_vps.sum())
    return {
        "trips_vps": total,
        "served_vps": float(served.sum()),
        "unserved_vps": float(found.unserved.sum()),
        "error_rel": float(np.abs(given).max() / max(total, 1e-12)),
    }


def _notes(streets: Streets, trips: Trips, *, modelled: bool) -> tuple[dict[str, str], ...]:
    residents, through = trips.residents_vps * 3600, trips.through_vps * 3600
    notes = []
    if modelled:
        notes.append(
            {
                "en": f"Demand is modelled, not counted: {residents:.0f} vehicles/h start at "
                f"buildings, {through:.0f} enter at {len(trips.gateways)} edge streets.",
                "zh": f"需求为模型推算，并非实测：每小时 {residents:.0f} 辆自建筑出发，"
                f"{through:.0f} 辆自 {len(trips.gateways)} 条边缘道路驶入。",
            }
        )
    told = {name: count for name, count in streets.assumed.items() if count}
    if told:
        text = ", ".join(f"{name} {count}" for name, count in told.items())
        notes.append(
            {
                "en": f"Taken from the registry by road class, for so many roads: {text}.",
                "zh": f"按道路等级取自标准库的道路数：{text}。",
            }
        )
    return tuple(notes)
