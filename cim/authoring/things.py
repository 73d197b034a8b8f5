"""Trees in rows, parks, catchments, admin units, places, stops and sensors, from tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cim.authoring.dice import roll, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.shapes import place, plan
from cim.authoring.streets import Network
from cim.authoring.tables import Row
from cim.registry import standard

__all__ = [
    "area_features", "beside", "green_features", "point_features", "tree_features", "zone_polygons",
]  # fmt: skip

_KERB_TO_TREE_M = 0.9
_CLEAR_OF_CROSSING_M = 14.0


def tree_features(rows: Sequence[Row], network: Network) -> list[Feature]:
    """Return street trees behind both kerbs, clear of the crossings."""
    import shapely

    trees: list[Feature] = []
    crossings = shapely.MultiPoint(list(network.nodes.values()))
    for row in rows:
        road = network.roads[row.text("road")]
        ends = [network.along(road.name, row.text(n)) for n in ("from_road", "to_road")]
        step, offset = row.real("spacing_m"), road.carriageway_m / 2.0 + _KERB_TO_TREE_M
        for side in (-1.0, 1.0):
            at_m = min(ends) + step
            while at_m < max(ends):
                name = f"tree-{road.name}-{'L' if side > 0 else 'R'}{round(at_m):04d}"
                point = beside(road.line, at_m + roll(name, 11) / 10.0, side * offset)
                if crossings.distance(point) > _CLEAR_OF_CROSSING_M:
                    trees.append(Feature(name, point, _tree(name, row)))
                at_m += step
    return trees


def green_features(rows: Sequence[Row], frame: StreetFrame) -> list[Feature]:
    """Return parks and lawns."""
    made = []
    for row in rows:
        turn = math.radians(frame.bearing_deg + row.real("turn_deg"))
        centre = frame.to_xy([[row.real("u_m"), row.real("v_m")]])[0]
        figure = plan(row.text("shape"), row.real("length_m"), row.real("width_m"), where=row.where)
        shape = place(figure, centre, (math.sin(turn), math.cos(turn)))
        made.append(Feature(row.text("source_id"), shape, {"name": row.text("name")}))
    return made


def area_features(rows: Sequence[Row], kind: str, frame: StreetFrame) -> list[Feature]:
    """Return the polygons of one kind of ``areas.csv``."""
    made = []
    for row in rows:
        if row.text("kind") != kind:
            continue
        properties: dict[str, Any] = {"name": row.text("name")}
        if kind == "catchment":
            properties["drain_mm_h"] = row.real("drain_mm_h")
        elif kind == "control_zone":
            properties |= {
                "zone_type": row.text("level"),
                "height_cap_source": row.text("code"),
            }
        elif kind in ("admin_unit", "community"):
            properties |= {"admin_code": row.text("code"), "level": row.text("level")}
        shape = _outline(row, frame)
        made.append(Feature(row.text("source_id"), shape, properties))
    return made


def zone_polygons(rows: Sequence[Row], frame: StreetFrame) -> dict[str, Any]:
    """Return every polygon of ``areas.csv`` by its ``source_id``."""
    return {row.text("source_id"): _outline(row, frame) for row in rows}


def _outline(row: Row, frame: StreetFrame) -> Any:
    import shapely

    corners = [
        [float(part) for part in corner.split()] for corner in row.text("outline_uv_m").split(";")
    ]
    return shapely.Polygon(frame.to_xy(corners))


def point_features(rows: Sequence[Row], kind: str, frame: StreetFrame) -> list[Feature]:
    """Return the points of one kind of ``points.csv``."""
    import shapely

    made = []
    for row in rows:
        if row.text("kind") != kind:
            continue
        point = shapely.Point(frame.to_xy([[row.real("u_m"), row.real("v_m")]])[0])
        properties: dict[str, Any] = {"name": row.text("name"), "type": row.text("type")}
        if kind == "sensor":
            properties |= {
                "unit": row.text("unit"),
                "height_m": row.real("height_m"),
                "thing": row.text("thing"),
            }
        elif row.real_or_none("open_m2"):
            properties |= _room(row)
        made.append(Feature(row.text("source_id"), point, properties))
    return made


def _room(row: Row) -> dict[str, Any]:
    """Return how many a shelter holds: its open ground by what the standard gives each."""
    each = standard("evacuation.shelter_area_m2").number()
    return {
        "open_m2": row.real("open_m2"),
        "capacity_persons": math.floor(row.real("open_m2") / each),
        "capacity_basis": f"示意：可用场地 / {each} m² 每人 (evacuation.shelter_area_m2)",
    }


def _tree(name: str, row: Row) -> dict[str, Any]:
    crown = row.real("crown_m")
    return {
        "species": row.text("species"),
        "height_m": spread(name + "/h", row.real("height_min_m"), row.real("height_max_m")),
        "crown_m": spread(name + "/c", round(0.8 * crown, 1), round(1.2 * crown, 1)),
    }


def beside(line: Any, at_m: float, offset_m: float) -> Any:
    """Return the point `offset_m` left of a line's course, `at_m` along it."""
    import shapely

    at_m = min(at_m, float(line.length))
    here, ahead = line.interpolate(at_m), line.interpolate(at_m + 0.5)
    east, north = ahead.x - here.x, ahead.y - here.y
    if math.hypot(east, north) < 0.1:  # at the line's end
        before = line.interpolate(at_m - 0.5)
        east, north = here.x - before.x, here.y - before.y
    run = math.hypot(east, north)
    xy = np.array([here.x - offset_m * north / run, here.y + offset_m * east / run])
    return shapely.Point(xy.round(3))
