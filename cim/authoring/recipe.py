"""The recipe: tables of a district in, all its made layers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cim.authoring import buildings as houses
from cim.authoring import plots as ground_plan
from cim.authoring import things
from cim.authoring.addresses import address_features, number_houses, places_of_numbers
from cim.authoring.buildings import Building
from cim.authoring.drains import make_drains
from cim.authoring.fixtures import (
    bus_stops,
    camera_features,
    door_features,
    grid_units,
    pole_features,
)
from cim.authoring.frame import StreetFrame, street_frame
from cim.authoring.ground import Ground, make_ground
from cim.authoring.layers import Feature, write_csv, write_geojson, write_terrain
from cim.authoring.lines import make_lines
from cim.authoring.plots import Plot
from cim.authoring.readings import make_readings
from cim.authoring.streets import Network, make_network, road_features
from cim.authoring.tables import Row, read_rows, read_toml
from cim.authoring.taken import Taken

__all__ = ["author"]

_ABOUT = "示意数据，非测绘成果。Illustrative, not surveyed. CGCS2000 degrees; levels cgvd1985."


def author(folder: Path, *, into: Path | None = None) -> list[Path]:
    """Make every layer of a district from its ``tables/`` and return the files written.

    Parameters
    ----------
    folder
        The district: holds ``tables/``.
    into
        Where the layers go; the district itself when None.

    Raises
    ------
    SourceError
        A table is missing or wrong, two houses overlap, a house stands in a street.
    """
    tables, target = folder / "tables", into or folder
    area = read_toml(tables / "area.toml")
    frame = street_frame(area["frame"])
    network = make_network(_rows(tables, "roads"), _rows(tables, "courses"), frame)
    greens = things.green_features(_rows(tables, "greens"), frame)
    plots = _plots(tables, network, frame, greens)
    villa = read_toml(tables / "villa.toml")
    named = houses.named_buildings(_rows(tables, "landmarks"), plots, villa, frame)
    rest = [plot for plot in plots if "fabric" in plot.fabric.values]
    known_by_number = _rows(tables, "named")
    numbering = _rows(tables, "numbering")
    built = houses.name_houses(
        [*named, *houses.street_buildings(rest)],
        known_by_number,
        places_of_numbers(known_by_number, named, numbering),
    )
    houses.check_clear(built, ground_plan.corridors(network))
    ground = make_ground(area["terrain"], frame, network, plots, _rows(tables, "bowls"))
    addresses = number_houses(built, numbering, area["text"])
    known = {one.building: one.text for one in addresses}
    areas, points = _rows(tables, "areas"), _rows(tables, "points")
    zones = things.zone_polygons(areas, frame)
    drains, nodes = make_drains(area["drains"], _rows(tables, "outfalls"), network, ground, zones)
    lines, joints = make_lines(_rows(tables, "lines"), _rows(tables, "conflicts"), network, ground)
    gates = _gates(built, network)
    houses_made = houses.building_features(built, _levels(built, ground), known)
    floors = {one.source_id: one.properties["floor_level_m"] for one in houses_made}
    communities = things.area_features(areas, "community", frame)
    street = area["street"]
    layers: dict[str, Sequence[Feature]] = {
        "roads": road_features(network),
        "buildings": houses_made,
        "parcels": ground_plan.parcel_features(plots),
        "walls": ground_plan.wall_features(plots),
        "trees": things.tree_features(_rows(tables, "trees"), network),
        "greens": greens,
        "water": things.area_features(areas, "water", frame),
        "control_zones": things.area_features(areas, "control_zone", frame),
        "pipes": [*drains, *lines],
        "pipe_nodes": [*nodes, *joints],
        "catchments": things.area_features(areas, "catchment", frame),
        "admin_units": [*things.area_features(areas, "admin_unit", frame), *communities],
        "grid_units": grid_units(communities, frame, street["grid_unit_m"]),
        "addresses": address_features(addresses, gates),
        "entrances": [
            *door_features(built, floors, gates),
            *things.point_features(points, "entrance", frame),
        ],
        "furniture": [
            *pole_features(network, street["pole_spacing_m"]),
            *camera_features(network, street["camera_roads"]),
        ],
        "places": things.point_features(points, "place", frame),
        "stops": [
            *things.point_features(points, "transit_stop", frame),
            *bus_stops(_rows(tables, "bus_stops"), network),
        ],
        "sensors": things.point_features(points, "sensor", frame),
    }
    return _write(target, layers, ground, tables)


def _rows(tables: Path, name: str) -> list[Row]:
    return read_rows(tables / f"{name}.csv")


def _plots(
    tables: Path, network: Network, frame: StreetFrame, greens: Sequence[Feature]
) -> list[Plot]:
    import shapely

    named = ground_plan.named_plots(_rows(tables, "landmarks"), network, frame)
    streets = shapely.unary_union(list(ground_plan.corridors(network).values()))
    taken = [streets, *(one.geometry for one in greens), *(plot.polygon for plot in named)]
    ground, fabrics = Taken(taken), _rows(tables, "fabrics")
    zones = things.zone_polygons(_rows(tables, "areas"), frame)
    laid = ground_plan.street_plots(_rows(tables, "frontages"), fabrics, network, ground, zones)
    lanes = ground_plan.infill_plots(
        _rows(tables, "infill"), fabrics, network, frame, ground, zones
    )
    return [*named, *laid, *lanes]


def _levels(built: Sequence[Building], ground: Ground) -> list[float]:
    inside = [one.footprint.representative_point() for one in built]
    return [ground.at(point.x, point.y) for point in inside]


def _gates(built: Sequence[Building], network: Network) -> dict[str, Any]:
    """Return where the address of each building stands: on the street's edge before it."""
    gates = {}
    for one in built:
        road = network.roads[one.road]
        side = (-1.0 if one.even else 1.0) * (road.width_m / 2.0 + 0.3)
        gates[one.source_id] = things.beside(road.line, one.at_m, side)
    return gates


def _write(
    target: Path, layers: dict[str, Sequence[Feature]], ground: Ground, tables: Path
) -> list[Path]:
    written = []
    for name, features in layers.items():
        written.append(target / f"{name}.geojson")
        write_geojson(written[-1], features, about=_ABOUT)
    written.append(target / "terrain.tif")
    write_terrain(written[-1], ground.level_m, west=ground.west, north=ground.north)
    written.append(target / "readings.csv")
    rows = make_readings(read_toml(tables / "day.toml"))
    write_csv(written[-1], ("sensor", "time", "value"), rows)
    return written
