"""What the tags of an OpenStreetMap object make of it: which layer, which attributes.

Tags are free text written by people. Values stand here as they were written; numbers
in them are read later, by the same rules as every other file's. What no layer takes
is counted under its main tag, never dropped in silence.
Meanings follow the OpenStreetMap wiki (Map Features, Simple 3D Buildings, Key:lanes,
Key:oneway, Relation:restriction).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cim.model.kinds import Field, FieldType
from cim.sources.values import parse_number

__all__ = ["PARTS", "Part", "address_of", "attributes_of", "layers_of", "main_tag"]

Tags = Mapping[str, str]
Values = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A layer that comes out of an OpenStreetMap file.

    Attributes
    ----------
    kind, name
        The layer's kind and own name.
    carrier
        ``area``, ``line``, ``point`` or ``any``.
    columns
        Column -> type, in reading order.
    feeds
        Attribute of the kind -> column, where the names differ.
    units
        Attribute -> unit of a number without one.
    """

    kind: str
    carrier: str
    columns: Mapping[str, FieldType]
    name: str = ""
    feeds: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


_ROAD: dict[str, FieldType] = {
    "name": "text", "class": "text", "highway": "text", "oneway": "text", "lanes": "text",
    "lanes_forward": "text", "lanes_backward": "text", "maxspeed": "text", "width": "text",
    "closed": "text", "access": "text", "bridge": "text", "tunnel": "text", "level": "real",
    "from_node": "text", "to_node": "text", "way": "text", "tags": "text",
}  # fmt: skip
_ROAD_FEEDS = {"speed_mps": "maxspeed", "carriageway_m": "width", "lanes": "lanes"}

PARTS: dict[str, Part] = {
    "building": Part("building", "area", {
        "name": "text", "height": "text", "levels": "text", "levels_below": "text",
        "min_height_m": "real", "use": "text", "roof_shape": "text", "start_date": "text",
        "address": "text", "tags": "text",
    }, feeds={"height_m": "height", "storeys_above": "levels", "storeys_below": "levels_below",
              "roof_type": "roof_shape", "year": "start_date"}),
    "building_part": Part("building_part", "area", {
        "name": "text", "parent": "text", "height": "text", "levels": "text",
        "min_height_m": "real", "min_level": "real", "roof_shape": "text", "tags": "text",
    }, feeds={"height_m": "height", "storeys_above": "levels"}),
    "road": Part("road", "line", _ROAD, feeds=_ROAD_FEEDS, units={"speed_mps": "km/h"}),
    "path": Part("road", "line", _ROAD, name="path", feeds=_ROAD_FEEDS,
                 units={"speed_mps": "km/h"}),
    "water": Part("water", "any", {
        "name": "text", "type": "text", "width": "text", "tunnel": "text", "tags": "text"}),
    "green": Part("green", "area", {"name": "text", "type": "text", "tags": "text"}),
    "land_use": Part("land_use", "area", {"name": "text", "use": "text", "tags": "text"}),
    "wall": Part("wall", "line", {"name": "text", "type": "text", "height": "text",
                                  "tags": "text"}, feeds={"height_m": "height"}),
    "tree": Part("tree", "point", {
        "name": "text", "species": "text", "height": "text", "crown": "text", "tags": "text",
    }, feeds={"height_m": "height", "crown_m": "crown"}),
    "address": Part("address", "point", {
        "text": "text", "road": "text", "number": "text", "building": "text"}),
    "transit_stop": Part("transit_stop", "point", {"name": "text", "type": "text",
                                                   "tags": "text"}),
    "turn_restriction": Part("turn_restriction", "point", {
        "type": "text", "from_road": "text", "to_road": "text", "via_node": "text",
        "except": "text", "conditional": "text"}),
}  # fmt: skip

_ROADS = frozenset(
    ("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
     "living_street", "service", "road")
)  # fmt: skip
_PATHS = frozenset(
    ("footway", "cycleway", "path", "pedestrian", "steps", "track", "bridleway", "corridor",
     "busway", "bus_guideway")
)  # fmt: skip
_NEAREST = {
    "motorway": "trunk", "unclassified": "residential", "living_street": "service",
    "road": "residential",
}  # fmt: skip
_GREEN = {
    "leisure": ("park", "garden", "nature_reserve", "dog_park", "golf_course", "common"),
    "landuse": ("grass", "forest", "meadow", "recreation_ground", "village_green", "orchard",
                "vineyard", "allotments", "cemetery", "flowerbed", "greenfield"),
    "natural": ("wood", "scrub", "grassland", "heath", "shrubbery"),
}  # fmt: skip
_WATER_AREAS = {
    "natural": ("water",), "waterway": ("riverbank", "dock"),
    "landuse": ("reservoir", "basin"), "leisure": ("swimming_pool",),
}  # fmt: skip
_WATER_LINES = ("river", "stream", "canal", "drain", "ditch", "tidal_channel")
_LAND_USE = frozenset(
    ("residential", "commercial", "industrial", "retail", "construction", "brownfield", "farmland",
     "farmyard", "military", "railway", "religious", "education", "institutional", "garages")
)  # fmt: skip
_WALLS = ("wall", "fence", "retaining_wall", "city_wall", "hedge")
_STOPS = {
    "highway": ("bus_stop",), "railway": ("station", "halt", "tram_stop", "subway_entrance"),
}  # fmt: skip
_MAIN = ("highway", "building", "building:part", "railway", "waterway", "natural", "landuse",
         "leisure", "amenity", "barrier", "power", "man_made", "shop", "tourism", "historic",
         "public_transport", "boundary", "place", "route", "type", "area:highway")  # fmt: skip
_NOT = ("no", "none", "")
_YEAR = re.compile(r"\d{4}(?=$|-)")


def layers_of(tags: Tags, shape: str) -> list[str]:
    """Return the parts that take an object.

    Parameters
    ----------
    tags
        Its tags.
    shape
        ``node``, ``line`` (an open way), ``ring`` (a closed one) or ``area`` (a
        multipolygon).
    """
    if shape == "node":
        return _of_node(tags)
    found = _of_area(tags) if shape in ("ring", "area") else []
    return found or (_of_line(tags, ring=shape == "ring") if shape != "area" else [])


def _of_node(tags: Tags) -> list[str]:
    found = []
    if tags.get("natural") == "tree":
        found.append("tree")
    if any(tags.get(key) in values for key, values in _STOPS.items()):
        found.append("transit_stop")
    if tags.get("addr:housenumber"):
        found.append("address")
    return found


def _of_area(tags: Tags) -> list[str]:
    if tags.get("building:part", "no") not in _NOT:
        return ["building_part"]
    if tags.get("building", "no") not in _NOT:
        return ["building"]
    for name, table in (("water", _WATER_AREAS), ("green", _GREEN)):
        if any(tags.get(key) in values for key, values in table.items()):
            return [name]
    return ["land_use"] if tags.get("landuse") in _LAND_USE else []


def _of_line(tags: Tags, *, ring: bool) -> list[str]:
    highway = tags.get("highway", "").removesuffix("_link")
    if highway and not (ring and tags.get("area") == "yes"):
        if highway in _ROADS:
            return ["road"]
        if highway in _PATHS:
            return ["path"]
    if tags.get("waterway") in _WATER_LINES:
        return ["water"]
    return ["wall"] if tags.get("barrier") in _WALLS else []


def main_tag(tags: Tags) -> str:
    """Return the tag by which an object that nothing takes is counted."""
    for key in _MAIN:
        if key in tags:
            return f"{key}={tags[key]}" if key not in ("place", "boundary") else key
    return next(iter(sorted(tags)), "-")


def address_of(tags: Tags) -> Values:
    """Return the columns of an address."""
    road, number = tags.get("addr:street") or tags.get("addr:place"), tags["addr:housenumber"]
    full = tags.get("addr:full") or " ".join(part for part in (road, number) if part)
    return {"text": full, "road": road, "number": number}


def attributes_of(part: str, tags: Tags, classes: frozenset[str]) -> Values:
    """Return the columns of one object of a part, tags not used as JSON in ``tags``.

    Parameters
    ----------
    part
        A key of `PARTS`.
    tags
        The object's tags.
    classes
        Road classes that the registry knows.
    """
    used: Values = {"name": tags.get("name")}
    keys = {"name", "created_by", "source"}
    if part in ("building", "building_part"):
        used |= _building(part, tags)
        keys |= {"building", "building:part", "height", "building:levels", "min_height",
                 "building:levels:underground", "roof:shape"}  # fmt: skip
    elif part in ("road", "path"):
        used |= _road(tags, classes)
        keys |= {"highway", "oneway", "junction", "lanes", "lanes:forward", "lanes:backward",
                 "maxspeed", "width", "access", "bridge", "tunnel", "layer"}  # fmt: skip
    elif part == "water":
        used |= {"type": tags.get("water") or tags.get("waterway") or tags.get("natural"),
                 "width": tags.get("width"), "tunnel": tags.get("tunnel")}  # fmt: skip
        keys |= {"water", "waterway", "width", "tunnel"}
    elif part == "green":
        used["type"] = tags.get("leisure") or tags.get("landuse") or tags.get("natural")
    elif part == "land_use":
        used["use"] = tags["landuse"]
        keys |= {"landuse"}
    elif part == "wall":
        used |= {"type": tags["barrier"], "height": tags.get("height")}
        keys |= {"barrier", "height"}
    elif part == "tree":
        used |= {"species": tags.get("species") or tags.get("genus"),
                 "height": tags.get("height"), "crown": tags.get("diameter_crown")}  # fmt: skip
        keys |= {"natural", "species", "height", "diameter_crown"}
    elif part == "transit_stop":
        stop = tags.get("railway")
        used["type"] = "bus" if stop is None else "metro" if stop == "subway_entrance" else stop
    rest = {key: value for key, value in tags.items() if key not in keys}
    used["tags"] = json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else None
    return used


def _building(part: str, tags: Tags) -> Values:
    found: Values = {
        "height": tags.get("height") or tags.get("building:height"),
        "levels": tags.get("building:levels"),
        "min_height_m": _number(tags.get("min_height"), "m"),
        "roof_shape": tags.get("roof:shape"),
    }
    if part == "building_part":
        return {**found, "min_level": _number(tags.get("building:min_level"))}
    use = tags["building"]
    year = _YEAR.match(tags.get("start_date", ""))
    return {
        **found,
        "levels_below": tags.get("building:levels:underground"),
        "use": use if use != "yes" else tags.get("amenity") or tags.get("shop"),
        "start_date": year[0] if year else None,
        "address": str(address_of(tags)["text"]) if tags.get("addr:housenumber") else None,
    }


def _road(tags: Tags, classes: frozenset[str]) -> Values:
    highway = tags["highway"]
    base = highway.removesuffix("_link")
    oneway = _oneway(tags, base)
    shut = "no" in (tags.get("motor_vehicle"), tags.get("vehicle"), tags.get("access"))
    open_ = tags.get("motor_vehicle", tags.get("vehicle")) not in (None, "no")
    return {
        "class": base if base in classes else _NEAREST.get(base, base),
        "highway": highway,
        "oneway": oneway,
        "lanes": _lanes(tags, both_ways=oneway == "no"),
        "lanes_forward": tags.get("lanes:forward"),
        "lanes_backward": tags.get("lanes:backward"),
        "maxspeed": tags.get("maxspeed"),
        "width": tags.get("width"),
        "closed": "yes" if shut and not open_ else None,
        "access": tags.get("motor_vehicle") or tags.get("access"),
        "bridge": tags.get("bridge"),
        "tunnel": tags.get("tunnel"),
        "level": _number(tags.get("layer")),
    }


def _number(text: str | None, unit: str = "1") -> float | None:
    return None if text is None else parse_number(text, Field("", "real", unit))


def _oneway(tags: Tags, base: str) -> str:
    """Return yes, no or reverse; motorways and roundabouts run one way unless they say no."""
    given = tags.get("oneway")
    if given in ("yes", "true", "1"):
        return "yes"
    if given in ("-1", "reverse"):
        return "reverse"
    implied = base == "motorway" or tags.get("junction") in ("roundabout", "circular")
    return "yes" if given is None and implied else "no"


def _lanes(tags: Tags, *, both_ways: bool) -> str | None:
    """Return lanes per direction; OpenStreetMap's ``lanes`` counts both directions together.

    Of directions that differ the smaller counts; an odd number of lanes is rounded down,
    one lane for both directions stays one.
    """
    given = [tags[k] for k in ("lanes:forward", "lanes:backward") if tags.get(k, "").isdigit()]
    if both_ways and len(given) == 2:
        return str(min(int(one) for one in given))
    total = tags.get("lanes")
    if total is None or not both_ways or not total.isdigit():
        return total
    return str(max(1, int(total) // 2))
