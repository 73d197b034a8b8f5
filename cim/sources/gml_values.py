"""Properties of a CityGML object that are values: attributes, measures, heights."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from cim.sources.gml_geometry import numbers
from cim.sources.gml_xml import attribute, local, text_of

__all__ = ["take_property", "text_below"]

_GENERIC = re.compile(r"(string|int|double|date|uri|measure)Attribute", re.IGNORECASE)
_NUMBERS = frozenset(
    ["measuredHeight", "storeysAboveGround", "storeysBelowGround", "yearOfConstruction",
     "height", "trunkDiameter", "crownDiameter", "averageHeight"]
)  # fmt: skip
_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "9001": 1.0, "cm": 0.01, "mm": 0.001,
           "km": 1000.0, "ft": 0.3048}  # fmt: skip


def text_below(element: Any, name: str) -> str:
    """Return the text of the first child of a name; "" where there is none."""
    return next((text_of(c) for c in element if local(c) == name), "")


def take_property(child: Any, attributes: dict[str, Any], dropped: Counter[str]) -> None:
    """Take a property as an attribute; count what is too nested to be one."""
    name = local(child)
    if _GENERIC.fullmatch(name):
        key = attribute(child, "name") or text_below(child, "name") or name
        attributes[key] = _typed(name, text_below(child, "value"))
        return
    if name in ("genericAttribute", "genericAttributeSet"):
        inner: dict[str, Any] = {}
        for one in child:
            if _GENERIC.fullmatch(local(one)) or local(one) in ("genericAttribute",):
                take_property(one, inner, dropped)
        title = attribute(child, "name")
        attributes.update({title: inner} if title else inner)
        return
    if not len(child):
        value = text_of(child)
        if not value:
            if attribute(child, "href"):
                dropped[name] += 1
            return
        if name in _NUMBERS:
            unit = attribute(child, "uom")
            number = _measure(value, unit)
            attributes[name] = number if number is not None else f"{value} {unit or ''}".strip()
            return
        if name in attributes:
            before = attributes[name]
            attributes[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            attributes[name] = value
        return
    if name == "height" and local(child[0]) == "Height":
        _height(child[0], attributes)
        return
    if name in ("address", "externalReference"):
        leaves: dict[str, Any] = {}
        for one in child.iter():
            if not len(one) and text_of(one):
                leaves[local(one)] = text_of(one)
        attributes.setdefault(name, []).append(leaves)
        return
    dropped[name] += 1


def _typed(name: str, value: str) -> Any:
    word = name.lower()
    if word.startswith(("int", "double", "measure")):
        flat = numbers(value)
        if len(flat) == 1 and np.isfinite(flat[0]):
            return int(flat[0]) if word.startswith("int") and flat[0] == int(flat[0]) else flat[0]
    return value


def _measure(value: str, unit: str | None) -> float | int | None:
    """Return a number in metres; None where it is none, or its unit is not known."""
    flat = numbers(value)
    if len(flat) != 1 or not np.isfinite(flat[0]):
        return None
    number = float(flat[0])
    if unit:
        word = re.split(r"[#:/]", unit)[-1].lower()
        times = _METRES.get(word)
        return None if times is None else number * times
    return int(number) if number == int(number) and "." not in value else number


def _height(element: Any, attributes: dict[str, Any]) -> None:
    """Take a height of CityGML 3, which says from where to where it is and how it is known.

    The measured one counts, of several the largest: what CityGML 1 and 2 call measuredHeight.
    """
    record: dict[str, Any] = {local(one): text_of(one) for one in element if text_of(one)}
    unit = next((attribute(one, "uom") for one in element if local(one) == "value"), None)
    number = _measure(str(record.get("value", "")), unit)
    if number is not None:
        record["value"] = number
    all_heights = [*attributes.get("height", []), record]
    attributes["height"] = all_heights
    known = [h for h in all_heights if isinstance(h.get("value"), int | float)]
    sure = [h for h in known if h.get("status") == "measured"] or known
    if sure:
        attributes["measuredHeight"] = max(h["value"] for h in sure)
