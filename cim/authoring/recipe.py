"""The recipe: tables of a district in, all its made layers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from cim.authoring.lanes import infill_plots
from cim.authoring.layers import Feature, write_csv, write_geojson, write_terrain
from cim.authoring.lines import make_lines
from cim.authoring.plots import Plot
from cim.authoring.readings import make_readings
from cim.authoring.sewers import make_sewers
from cim.authoring.streets import Network, make_network, road_features
from cim.authoring.tables import Tables, read_toml
from cim.authoring.taken import Taken

__all__ = ["author"]


def author(folder: Path, *, into: Path | None = None) -> list[Path]:
    """Make every layer of a district from its ``tables/`` and return the files written.

    A layer of which the tables say nothing is not written; the order of their rows means nothing.

    Parameters
    ----------
    folder
        The district: holds ``district.toml``, whose ``[twin]`` says frame and height datum, and
        ``tables/`` with ``area.toml``, ``roads.csv``, ``courses.csv`` at least.
    into
        Where the layers go; the district itself when None.

    Raises
    ------
    SourceError
        A table is missing, wrong or unknown, two houses overlap, a house stands in a street.
    """
    tables = Tables(folder / "tables")
    area, twin = tables.toml("area"), read_toml(folder / "district.toml").get("twin", {})
    site = _site(tables, area, street_frame(area["frame"], twin))
    layers: dict[str, Sequence[Feature]] = {
        **_house_layers(site),
        **_buried_layers(site),
        **_street_layers(site),
        **_area_layers(site),
    }
    return _write(into or folder, {n: f for n, f in layers.items() if f}, site)


@dataclass(frozen=True)
class _Site:
    """A district laid out: what its layers are drawn from."""

    tables: Tables
    area: Mapping[str, Any]
    frame: StreetFrame
    network: Network
    greens: Sequence[Feature]
    plots: Sequence[Plot]
    built: Sequence[Building]
    ground: Ground
    zones: Mapping[str, Any]


def _site(tables: Tables, area: Mapping[str, Any], frame: StreetFrame) -> _Site:
    network = make_network(tables.needed("roads"), tables.needed("courses"), frame)
    greens = things.green_features(tables.rows("greens"), frame)
    plots = _plots(tables, network, frame, greens)
    models, rules = _models(tables, area), area["buildings"]
    named = houses.named_buildings(tables.rows("landmarks"), plots, models, rules, frame)
    rest = [plot for plot in plots if "fabric" in plot.fabric.values]
    known_by_number = tables.rows("named")
    built = houses.name_houses(
        [*named, *houses.street_buildings(rest, rules)],
        known_by_number,
        places_of_numbers(known_by_number, named, tables.rows("numbering")),
        rules,
    )
    houses.check_clear(built, ground_plan.corridors(network))
    ground = make_ground(area["terrain"], frame, network, plots, tables.rows("bowls"))
    zones = things.zone_polygons(tables.rows("areas"), frame)
    return _Site(tables, area, frame, network, greens, plots, built, ground, zones)


def _house_layers(site: _Site) -> dict[str, Sequence[Feature]]:
    addresses = number_houses(site.built, site.tables.rows("numbering"), site.area["text"])
    known = {one.building: one.text for one in addresses}
    levels = _levels(site.built, site.ground)
    made = houses.building_features(site.built, levels, known, site.area["buildings"])
    floors = {one.source_id: one.properties["floor_level_m"] for one in made}
    gates = _gates(site.built, site.network)
    entrances = things.point_features(site.tables.rows("points"), "entrance", site.frame)
    return {
        "buildings": made,
        "parcels": ground_plan.parcel_features(site.plots, site.area["text"]["no_height_cap"]),
        "walls": ground_plan.wall_features(site.plots),
        "addresses": address_features(addresses, gates),
        "entrances": [*door_features(site.built, floors, gates), *entrances],
    }


def _buried_layers(site: _Site) -> dict[str, Sequence[Feature]]:
    outfalls = site.tables.rows("outfalls")
    pipes: list[Feature] = []
    nodes: list[Feature] = []
    if outfalls:
        laid = (outfalls, site.network, site.ground, site.zones)
        pipes, nodes = make_drains(site.area["drains"], *laid)
        if "sewers" in site.area:
            sewers, manholes = make_sewers(site.area["sewers"], *laid, pipes)
            pipes, nodes = [*pipes, *sewers], [*nodes, *manholes]
    rows = (site.tables.rows("lines"), site.tables.rows("conflicts"))
    lines, joints = make_lines(*rows, site.network, site.ground)
    return {"pipes": [*pipes, *lines], "pipe_nodes": [*nodes, *joints]}


def _street_layers(site: _Site) -> dict[str, Sequence[Feature]]:
    street, points = site.area["street"], site.tables.rows("points")
    return {
        "roads": road_features(site.network, street["speed_kmh"]),
        "trees": things.tree_features(site.tables.rows("trees"), site.network),
        "furniture": [
            *pole_features(site.network, street["pole_spacing_m"]),
            *camera_features(site.network, street["camera_roads"]),
        ],
        "stops": [
            *things.point_features(points, "transit_stop", site.frame),
            *bus_stops(site.tables.rows("bus_stops"), site.network),
        ],
        "sensors": things.point_features(points, "sensor", site.frame),
        "places": things.point_features(points, "place", site.frame),
    }


def _area_layers(site: _Site) -> dict[str, Sequence[Feature]]:
    rows, frame = site.tables.rows("areas"), site.frame
    units, communities, waters, zones, catchments = (
        things.area_features(rows, kind, frame)
        for kind in ("admin_unit", "community", "water", "control_zone", "catchment")
    )
    return {
        "greens": site.greens,
        "water": waters,
        "control_zones": zones,
        "catchments": catchments,
        "admin_units": [*units, *communities],
        "grid_units": grid_units(communities, frame, site.area["street"]["grid_unit_m"]),
    }


def _models(tables: Tables, area: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the tables of the IFC models whose plan is a footprint, by building."""
    made = [tables.toml(name.removesuffix(".toml")) for name in area.get("models", ())]
    return {one["source_id"]: one for one in made}


def _plots(
    tables: Tables, network: Network, frame: StreetFrame, greens: Sequence[Feature]
) -> list[Plot]:
    import shapely

    named = ground_plan.named_plots(tables.rows("landmarks"), network, frame)
    streets = shapely.unary_union(list(ground_plan.corridors(network).values()))
    taken = [streets, *(one.geometry for one in greens), *(plot.polygon for plot in named)]
    ground, fabrics = Taken(taken), tables.rows("fabrics")
    zones = things.zone_polygons(tables.rows("areas"), frame)
    laid = ground_plan.street_plots(tables.rows("frontages"), fabrics, network, ground, zones)
    lanes = infill_plots(tables.rows("infill"), fabrics, network, frame, ground, zones)
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


def _write(target: Path, layers: Mapping[str, Sequence[Feature]], site: _Site) -> list[Path]:
    frame, ground, written = site.frame, site.ground, []
    about = (
        f"示意数据，非测绘成果。Illustrative, not surveyed. Degrees of {frame.lonlat}; "
        f"levels above {frame.height_datum}."
    )
    for name, features in layers.items():
        written.append(target / f"{name}.geojson")
        write_geojson(written[-1], features, frame=frame, about=about)
    written.append(target / "terrain.tif")
    write_terrain(
        written[-1], ground.level_m, west=ground.west, north=ground.north, frame=site.frame
    )
    if layers.get("sensors"):
        written.append(target / "readings.csv")
        rows = make_readings(site.tables.toml("day"), layers, site.zones, ground)
        write_csv(written[-1], ("sensor", "time", "value"), rows)
    return written
