"""Questions to a twin: near, within, box, by id, by name, and where-expressions.

``near``, ``within``, ``box``, ``by_id`` and ``named`` take any `TwinView` and return a `Found`;
``select`` takes one table and a condition in CQL2 text. There is one grammar for
conditions, here, for the API, the command line and the service.
"""

from cim.query.area import area_from_geojson
from cim.query.spatial import Found, box, by_id, near, within
from cim.query.where import matches, select
from cim.query.words import named

__all__ = [
    "Found",
    "area_from_geojson",
    "box",
    "by_id",
    "matches",
    "named",
    "near",
    "select",
    "within",
]
