"""House numbers: odd left, even right of a road's course, rising from its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cim.authoring.buildings import Building
from cim.authoring.layers import Feature
from cim.authoring.tables import Row

__all__ = ["Address", "address_features", "number_houses"]

_DEFAULT_START = 1
_DEFAULT_STEP_M = 8.0


@dataclass(frozen=True)
class Address:
    """The address of one building: road, number, and both as the full text."""

    source_id: str
    building: str
    road: str
    number: str
    text: str
    at_m: float


def number_houses(
    buildings: Sequence[Building], numbering: Sequence[Row], text: Mapping[str, str]
) -> list[Address]:
    """Return an address for every building, in the order of `buildings`.

    Numbers of the table stand; the others follow from the place along the road between
    them. Where no number is left between two neighbours the house is "增1", as in Tianjin.

    Parameters
    ----------
    numbering
        Start number and metres a number of each road.
    text
        City, district, and the district beyond one road (``far_side``, ``far_side_road``).
    """
    scale = {
        row.text("road"): (row.whole("start_number"), row.real("m_per_number")) for row in numbering
    }
    sides: dict[tuple[str, bool], list[Building]] = {}
    for one in buildings:
        sides.setdefault((one.road, one.even), []).append(one)
    numbers: dict[str, str] = {}
    for (road, even), houses in sides.items():
        start = scale.get(road, (_DEFAULT_START, _DEFAULT_STEP_M))
        numbers |= _number_side(sorted(houses, key=_place), even, *start)
    return [_address(one, numbers[one.source_id], text) for one in buildings]


def address_features(addresses: Sequence[Address], gates: Mapping[str, Any]) -> list[Feature]:
    """Return addresses as points at the gates."""
    return [
        Feature(
            one.source_id,
            gates[one.building],
            {
                "text": one.text,
                "road": one.road,
                "number": one.number,
                "building": one.building,
            },
        )
        for one in addresses
    ]


def _address(one: Building, number: str, text: Mapping[str, str]) -> Address:
    beyond = one.road == text["far_side_road"] and not one.even
    district = text["far_side"] if beyond else text["district"]
    written = f"{text['city']}{district}{one.road}{number}号"
    return Address(f"adr-{one.source_id}", one.source_id, one.road, number, written, one.at_m)


def _place(one: Building) -> tuple[float, str]:
    return one.at_m, one.source_id


def _first(number: str) -> int:
    return int(number.split("-", maxsplit=1)[0].split("增", maxsplit=1)[0])


def _last(number: str) -> int:
    return int(number.rsplit("-", maxsplit=1)[-1].split("增", maxsplit=1)[0])


def _number_side(
    houses: Sequence[Building], even: bool, start: int, step_m: float
) -> dict[str, str]:
    anchors = [(0.0, start - 1.0)]
    anchors += [(h.at_m, float(_first(h.number))) for h in houses if h.number]
    end_m = max(house.at_m for house in houses) + 500.0
    anchors.append((end_m, anchors[-1][1] + (end_m - anchors[-1][0]) / step_m))
    used, extra = start - 1 - (start - 1 - (0 if even else 1)) % 2, 0
    numbers: dict[str, str] = {}
    for index, house in enumerate(houses):
        if house.number:
            numbers[house.source_id] = house.number
            used, extra = max(used, _last(house.number)), 0
            continue
        wanted = round(_between(house.at_m, anchors))
        wanted += (wanted - (0 if even else 1)) % 2
        limit = min((_first(h.number) for h in houses[index:] if h.number), default=10**6)
        number = max(wanted, used + 2)
        if number < limit:
            numbers[house.source_id], used, extra = str(number), number, 0
        else:
            extra += 1
            numbers[house.source_id] = f"{used}增{extra}"
    return numbers


def _between(at_m: float, anchors: Sequence[tuple[float, float]]) -> float:
    for (start, low), (stop, high) in pairwise(anchors):
        if at_m <= stop:
            return low + (high - low) * (at_m - start) / max(stop - start, 1e-9)
    return anchors[-1][1]
