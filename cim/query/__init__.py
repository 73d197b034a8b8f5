"""Spatial questions to a twin: near, within, box, by id, and where-expressions.

``near``, ``within``, ``box`` and ``by_id`` take any `TwinView` and return a `Found`;
``select`` takes one table and a condition in CQL2 text. There is one grammar for
conditions, here, for the API, the command line and the service.
"""

from cim.query.area import area_from_geojson
from cim.query.spatial import Found, box, by_id, near, within
from cim.query.where import matches, select

__all__ = [
    "Found",
    "area_from_geojson",
    "box",
    "by_id",
    "matches",
    "near",
    "select",
    "within",
]
