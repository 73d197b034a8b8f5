"""What a reader of city models hands on of each object, and which layer it goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cim.model.body import Body
from cim.model.kinds import kinds

__all__ = ["ATTRIBUTES", "RawModel", "RawObject", "layer_of"]

Fault = tuple[str, dict[str, Any]]

_OWN = {
    "BuildingInstallation": "building_element/installation",
    "BuildingFurniture": "building_element/furniture",
    "BridgePart": "bridge/part",
    "BridgeInstallation": "bridge/installation",
    "BridgeConstructiveElement": "bridge/element",
    "BridgeRoom": "bridge/room",
    "BridgeFurniture": "bridge/furniture",
    "TunnelPart": "tunnel/part",
    "TunnelInstallation": "tunnel/installation",
    "TunnelConstructiveElement": "tunnel/element",
    "TunnelHollowSpace": "tunnel/hollow_space",
    "TunnelFurniture": "tunnel/furniture",
    "Road": "generic/road",
    "Railway": "generic/railway",
    "TransportSquare": "generic/square",
    "Waterway": "generic/waterway",
    "TINRelief": "generic/relief",
    "CityObjectGroup": "generic/group",
    "OtherConstruction": "generic/construction",
}
"""CityJSON types that are no kind of their own. A road of CityJSON is an area, the kind
``road`` a line of the network: it must not become one."""

ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "measuredHeight": ("height_m", "m"),
    "storeysAboveGround": ("storeys_above", "1"),
    "storeysBelowGround": ("storeys_below", "1"),
    "roofType": ("roof_type", ""),
    "function": ("use", ""),
}
"""CityJSON attribute -> what the kind calls it, where the kind has it."""


@dataclass
class RawObject:
    """One object as its file has it, its bodies already in the twin's frame.

    Attributes
    ----------
    name
        The file's own id.
    type
        CityJSON type.
    parents
        Own ids of what it belongs to.
    attributes
        As parsed.
    members
        Members that are neither attributes nor geometry.
    bodies
        Its representations.
    faults
        What was left out of it; the object is kept.
    """

    name: str
    type: str
    parents: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass
class RawModel:
    """A whole file: its objects, what they wear and point at, and what was refused.

    Attributes
    ----------
    objects
        Kept.
    rejected
        Own id, layer, message key, values.
    templates, materials, textures
        As in `cim.model.BodyPool`.
    document
        Members of the file.
    theme
        The theme that is drawn: (of materials, of textures); empty for the first.
    """

    objects: list[RawObject] = field(default_factory=list)
    rejected: list[tuple[str, str, str, dict[str, Any]]] = field(default_factory=list)
    templates: list[Body] = field(default_factory=list)
    materials: list[Mapping[str, Any]] = field(default_factory=list)
    textures: list[Mapping[str, Any]] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    theme: tuple[str, str] = ("", "")


@cache
def _by_type() -> dict[str, str]:
    # several kinds may name one type: the first in the table is meant
    found: dict[str, str] = {}
    for name, one in kinds().items():
        found.setdefault(one.cityjson, name)
    for taken in ("Road", "TINRelief"):
        found.pop(taken, None)
    return found


def layer_of(type_: str) -> str:
    """Return the layer that objects of a CityJSON type go to.

    Examples
    --------
    >>> layer_of("Building"), layer_of("BridgePart"), layer_of("+NoiseBarrier")
    ('building', 'bridge/part', 'generic/noisebarrier')
    """
    found = _by_type().get(type_) or _OWN.get(type_)
    if found is not None:
        return found
    own = "".join(c for c in type_.removeprefix("+").lower() if c.isalnum() or c in "_-")
    return f"generic/{own[:40]}" if own else "generic"
