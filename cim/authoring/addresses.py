"""House numbers: odd left, even right of a road's course, rising from its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cim.authoring.buildings import Building, first_number
from cim.authoring.layers import Feature
from cim.authoring.tables import Row

__all__ = ["Address", "address_features", "number_houses", "places_of_numbers"]

_DEFAULT_START = 1
_DEFAULT_STEP_M = 8.0


@dataclass(frozen=True)
class Address:
    """The address of one building: road, number, both as the full text, the number's tag."""

    source_id: str
    building: str
    road: str
    number: str
    text: str
    at_m: float
    number_tag: str


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
        City, district and, where a border runs along a road, the district on the side of its
        odd numbers (``far_side``, ``far_side_road``).
    """
    scale = _scales(numbering)
    sides: dict[tuple[str, bool], list[Building]] = {}
    for one in buildings:
        sides.setdefault((one.road, one.even), []).append(one)
    numbers: dict[str, str] = {}
    for (road, even), houses in sides.items():
        start = scale.get(road, (_DEFAULT_START, _DEFAULT_STEP_M))
        numbers |= _number_side(sorted(houses, key=_place), even, *start)
    return [_address(one, numbers[one.source_id], text) for one in buildings]


def places_of_numbers(
    rows: Sequence[Row], buildings: Sequence[Building], numbering: Sequence[Row]
) -> dict[str, float]:
    """Return how far along its road each row's number falls, between the numbers known."""
    places = {}
    for row in rows:
        number, road = first_number(row.text("number")), row.text("road")
        start, step_m = _scales(numbering).get(road, (_DEFAULT_START, _DEFAULT_STEP_M))
        known = sorted(
            (first_number(one.number), one.at_m)
            for one in buildings
            if one.number and (one.road, one.even) == (road, number % 2 == 0)
        )
        known = [(start - 1, 0.0), *known]
        last, at_m = known[-1]
        known.append((last + 1000, at_m + 1000 * step_m))
        for (low, near), (high, far) in pairwise(known):
            if low <= number <= high:
                share = (number - low) / max(high - low, 1)
                places[row.text("source_id")] = near + (far - near) * share
    return places


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
                "number_tag": one.number_tag,
            },
        )
        for one in addresses
    ]


def _scales(numbering: Sequence[Row]) -> dict[str, tuple[int, float]]:
    return {
        row.text("road"): (row.whole("start_number"), row.real("m_per_number")) for row in numbering
    }


def _address(one: Building, number: str, text: Mapping[str, str]) -> Address:
    beyond = one.road == text.get("far_side_road") and not one.even
    district = text["far_side"] if beyond else text["district"]
    written = f"{text['city']}{district}{one.road}{number}号"
    return Address(
        f"adr-{one.source_id}", one.source_id, one.road, number, written, one.at_m, one.number_tag
    )


def _place(one: Building) -> tuple[float, str]:
    return one.at_m, one.source_id


def _last(number: str) -> int:
    return int(number.rsplit("-", maxsplit=1)[-1].split("增", maxsplit=1)[0])


def _number_side(
    houses: Sequence[Building], even: bool, start: int, step_m: float
) -> dict[str, str]:
    anchors = [(0.0, start - 1.0)]
    anchors += [(h.at_m, float(first_number(h.number))) for h in houses if h.number]
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
        limit = min((first_number(h.number) for h in houses[index:] if h.number), default=10**6)
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
