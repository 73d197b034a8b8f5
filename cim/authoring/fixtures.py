"""House doors, lamp posts and cameras along the streets, bus stops, grid units (单元网格)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cim.authoring.buildings import Building
from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.streets import Network
from cim.authoring.tables import Row
from cim.authoring.things import beside

__all__ = ["bus_stops", "camera_features", "door_features", "grid_units", "pole_features"]

_POLE_KERB_M = 0.45


def door_features(
    buildings: Sequence[Building], floors: Mapping[str, float], gates: Mapping[str, Any]
) -> list[Feature]:
    """Return one door a building: the point of its outline nearest to its gate on the street."""
    import shapely

    doors = []
    for one in buildings:
        near = shapely.get_point(shapely.shortest_line(one.footprint, gates[one.source_id]), 0)
        point = shapely.Point(round(near.x, 3), round(near.y, 3))
        doors.append(Feature(f"door-{one.source_id}", point, {
            "level_m": floors[one.source_id], "building": one.source_id, "road": one.road,
        }))  # fmt: skip
    return doors


def pole_features(network: Network, spacing_m: float) -> list[Feature]:
    """Return lamp posts behind the left kerb of every link."""
    made = []
    for link in network.links:
        offset = network.roads[link.road].carriageway_m / 2.0 + _POLE_KERB_M
        for i in range(int((link.line.length - 24.0) // spacing_m) + 1):
            at_m = 12.0 + i * spacing_m
            name = f"pole-{link.road}-{link.order:02d}-{i:02d}"
            made.append(
                Feature(
                    name, beside(link.line, at_m, offset), {"type": "lamp_post", "height_m": 8.0}
                )
            )
    return made


def camera_features(network: Network, roads: Sequence[str]) -> list[Feature]:
    """Return one camera at every crossing of the roads named."""
    import shapely

    made = []
    for name, place in sorted(network.nodes.items()):
        if "×" in name and any(road in name.split("×") for road in roads):
            point = shapely.Point(place[0] + 6.0, place[1] + 6.0)
            made.append(Feature(f"camera-{name}", point, {"type": "camera", "height_m": 6.5}))
    return made


def bus_stops(rows: Sequence[Row], network: Network) -> list[Feature]:
    """Return a pair of stops, one a side, at each place of ``bus_stops.csv``."""
    made = []
    for row in rows:
        road = network.roads[row.text("road")]
        at_m = network.along(road.name, row.text("near_road")) + row.real("beyond_m")
        offset = road.carriageway_m / 2.0 + 0.9
        sides = (("L", offset), ("R", -offset)) if row.text("both") == "yes" else (("R", -offset),)
        for mark, side in sides:
            made.append(
                Feature(
                    f"{row.text('source_id')}-{mark}",
                    beside(road.line, at_m, side),
                    {"name": row.text("name"), "type": "bus"},
                )
            )
    return made


def grid_units(communities: Sequence[Feature], frame: StreetFrame, size_m: float) -> list[Feature]:
    """Return grid units: communities cut into cells of about `size_m` a side.

    The code is the community's twelve digits and a serial of two, counted from west to east
    and from north to south, as CJ/T 349-2010 has it.
    """
    import shapely

    made = []
    for one in communities:
        low, high = _uv_box(one.geometry, frame)
        cells = []
        across = [max(1, round((high[i] - low[i]) / size_m)) for i in (0, 1)]
        steps = [(high[i] - low[i]) / across[i] for i in (0, 1)]
        for i in range(across[0]):
            for j in range(across[1]):
                u, v = low[0] + i * steps[0], low[1] + j * steps[1]
                corners = [(u, v), (u + steps[0], v), (u + steps[0], v + steps[1]),
                           (u, v + steps[1])]  # fmt: skip
                cell = shapely.Polygon(frame.to_xy(corners)).intersection(one.geometry)
                cells += [p for p in shapely.get_parts(cell) if p.area > 200.0]
        cells.sort(key=lambda p: (-round(p.centroid.y / size_m), p.centroid.x))
        for serial, cell in enumerate(cells, start=1):
            code = f"{one.properties['admin_code']}{serial:02d}"
            snapped = shapely.transform(cell, lambda points: points.round(3))
            made.append(Feature(code, snapped, {"name": f"网格{code}", "code": code}))
    return made


def _uv_box(shape: Any, frame: StreetFrame) -> tuple[Any, Any]:
    import shapely

    uv = frame.to_uv(shapely.get_coordinates(shape))
    return uv.min(axis=0), uv.max(axis=0)
