"""Networks of a file in the twin: drains as pipes and nodes, alignments as lines, the rest by name.

Pipe segments and chambers outside of any building become ``pipe`` and ``pipe_node``, as a
survey of drains has them; what lies in a building stays an element. Elements that ports
connect name each other, and every element names its system.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bim_import.semantics import Product

if TYPE_CHECKING:
    from bim_import.features import Model

__all__ = ["Networks", "network_row", "networks_of", "with_networks"]

_SYSTEMS = {
    "storm": ("STORMWATER", "RAINWATER"),
    "sewage": ("SEWAGE", "WASTEWATER", "DRAINAGE", "VENT"),
    "water": ("WATERSUPPLY", "DOMESTICCOLDWATER", "DOMESTICHOTWATER", "FIREPROTECTION",
              "CHILLEDWATER", "HEATING", "CONDENSERWATER"),
    "gas": ("GAS", "FUEL", "OIL"),
    "power": ("ELECTRICAL", "POWERGENERATION", "LIGHTING", "EARTHING", "LIGHTNINGPROTECTION"),
    "telecom": ("TELEPHONE", "DATA", "COMMUNICATION", "SIGNAL", "TV", "FIXEDTRANSMISSIONNETWORK"),
}  # fmt: skip
_KIND = {name: own for own, names in _SYSTEMS.items() for name in names}
_NODES = {"MANHOLE": "manhole", "INSPECTIONCHAMBER": "manhole", "INSPECTIONPIT": "manhole",
          "SUMP": "inlet"}  # fmt: skip


@dataclass(frozen=True)
class Networks:
    """What a file says of its networks, by GlobalId.

    Attributes
    ----------
    lines
        (n, 3) float64 corners in model metres of pipes and alignments.
    points
        (3,) float64 in model metres of chambers.
    bore_m
        Inner diameters of pipes.
    system
        (name, kind of the twin or None) of the system an element belongs to.
    connected
        The elements a port connects an element to.
    ends
        The elements at start and end of a pipe, None where no port tells.
    ports, links
        How many ports, and connections of two.
    untold
        Why a line is missing.
    """

    lines: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    points: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    bore_m: Mapping[str, float] = field(default_factory=dict)
    system: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    connected: Mapping[str, list[str]] = field(default_factory=dict)
    ends: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    ports: int = 0
    links: int = 0
    untold: Mapping[str, str] = field(default_factory=dict)


def networks_of(said: Mapping[str, Any], products: Mapping[str, Product]) -> Networks:
    """Return the networks of what a file says (see `meshing.Meshed.said`)."""
    drawn, columns = said["networks"], said["columns"]
    guid = {str(p.step_id): g for g, p in products.items()}
    lines = {guid[n]: np.array(line) for n, line in drawn["lines"].items() if n in guid}
    points = {n: np.array(at) for n, at in drawn["points"].items()}
    owner = {n: guid.get(str(own)) for n, own in
             {**columns["whole"], **columns["port_of"]}.items()}  # fmt: skip
    connected: dict[str, list[str]] = {}
    ends: dict[str, tuple[str | None, str | None]] = {}
    for one, two in columns["ports"]:
        for port, other in ((str(one), str(two)), (str(two), str(one))):
            here, there = owner.get(port), owner.get(other)
            if here is None or there is None or here == there:
                continue
            if there not in connected.setdefault(here, []):
                connected[here].append(there)
            if here in lines and port in points:
                ends[here] = _at_end(ends.get(here, (None, None)), lines[here], points[port], there)
    system: dict[str, tuple[str, str | None]] = {}
    for kind, own, name, members, sort in columns["systems"]:
        told = (str(name or own or kind), _KIND.get(sort or ""))
        system |= {guid[str(n)]: told for n in members if str(n) in guid}
    return Networks(
        lines, {guid[n]: at for n, at in points.items() if n in guid},
        {guid[n]: bore for n, bore in drawn["bore_m"].items() if n in guid}, system, connected,
        ends, ports=sum(p.ifc_class == "IfcDistributionPort" for p in products.values()),
        links=len(columns["ports"]),
        untold={guid[n]: why for n, why in drawn["untold"].items() if n in guid},
    )  # fmt: skip


def with_networks(products: Mapping[str, Product], nets: Networks) -> dict[str, Product]:
    """Return the products, pipes and chambers outside of buildings as such."""
    found = dict(products)
    for guid, product in products.items():
        chamber = product.ifc_class == "IfcDistributionChamberElement" and guid in nets.points
        pipe = product.ifc_class in ("IfcPipeSegment", "IfcFlowSegment") and guid in nets.lines
        if (chamber or pipe) and not _in_building(guid, products):
            found[guid] = replace(product, kind="pipe" if pipe else "pipe_node")
    return found


def network_row(model: Model, product: Product) -> dict[str, Any]:
    """Return what networks add to a product's row."""
    nets, guid = model.networks, product.guid
    name, kind = nets.system.get(guid, (None, None))
    row: dict[str, Any] = {
        "network": name,
        "connected": json.dumps(nets.connected[guid]) if guid in nets.connected else None,
    }
    if product.kind == "pipe":
        row |= _pipe_row(model, guid) | {"system": kind}
    elif product.kind == "pipe_node":
        row |= _node_row(model, product) | {"system": kind}
    elif guid in nets.lines:
        row["geometry"] = _line(model, guid)[1]
        row["length_m"] = float(np.linalg.norm(np.diff(nets.lines[guid], axis=0), axis=1).sum())
    return row


def _pipe_row(model: Model, guid: str) -> dict[str, Any]:
    nets, bore = model.networks, model.networks.bore_m.get(guid)
    corners, line = _line(model, guid)
    first, last = nets.ends.get(guid, (None, None))
    row: dict[str, Any] = {"geometry": line, "from_node": first, "to_node": last}
    if bore is not None:
        # The axis of a pipe runs in the middle of its bore.
        row |= {"diameter_m": bore, "invert_from_m": float(corners[0, 2] - bore / 2),
                "invert_to_m": float(corners[-1, 2] - bore / 2)}  # fmt: skip
    return row


def _node_row(model: Model, product: Product) -> dict[str, Any]:
    import shapely

    at = model.matrix[:3, :3] @ model.networks.points[product.guid] + model.matrix[:3, 3]
    row: dict[str, Any] = {
        "geometry": shapely.Point(at[0], at[1]),
        "type": _NODES.get(product.predefined or "", "junction"),
    }
    z = None
    if product.guid in model.pool.placed:
        z = model.world(product.guid)[:, 2]
    for name, said, end in (
        ("invert_m", "InvertElevation", min),
        ("ground_m", "RimElevation", max),
    ):
        value = product.property(said)
        if isinstance(value, (int, float)):
            row[name] = model.level(float(value))
        elif z is not None:
            row[name] = float(end(z))
    return row


def _line(model: Model, guid: str) -> tuple[NDArray[np.float64], Any]:
    """Return a line's corners in the frame, and its plan."""
    import shapely

    corners = model.networks.lines[guid] @ model.matrix[:3, :3].T + model.matrix[:3, 3]
    return corners, shapely.LineString(corners[:, :2])


def _at_end(
    known: tuple[str | None, str | None], line: NDArray[np.float64], port: NDArray[np.float64],
    there: str,
) -> tuple[str | None, str | None]:  # fmt: skip
    """Return the ends of a pipe with what a port near one of them leads to."""
    near_start = np.linalg.norm(port - line[0]) <= np.linalg.norm(port - line[-1])
    return (there, known[1]) if near_start else (known[0], there)


def _in_building(guid: str, products: Mapping[str, Product]) -> bool:
    seen: set[str] = set()
    at: str | None = guid
    while at is not None and at in products and at not in seen:
        if products[at].kind == "building":
            return True
        seen.add(at)
        at = products[at].parent
    return False
