"""The recipe: tables of a district in, all its made layers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cim.authoring import buildings as houses
from cim.authoring import plots as ground_plan
from cim.authoring import things
from cim.authoring.addresses import address_features, number_houses
from cim.authoring.buildings import Building
from cim.authoring.frame import StreetFrame, street_frame
from cim.authoring.ground import Ground, make_ground
from cim.authoring.layers import Feature, write_csv, write_geojson, write_terrain
from cim.authoring.pipes import make_pipes
from cim.authoring.plots import Plot
from cim.authoring.readings import make_readings
from cim.authoring.streets import Network, make_network, road_features
from cim.authoring.tables import Row, read_rows, read_toml

__all__ = ["author"]

_MOST_WALLS = 60
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
    built = [*named, *houses.street_buildings(rest)]
    houses.check_clear(built, ground_plan.corridors(network))
    ground = make_ground(area["terrain"], frame, network, plots, _rows(tables, "bowls"))
    addresses = number_houses(built, _rows(tables, "numbering"), area["text"])
    known = {one.building: one.text for one in addresses}
    pipes, nodes = make_pipes(
        _rows(tables, "pipes"), _rows(tables, "pipe_nodes"), network, frame, ground
    )
    areas, points = _rows(tables, "areas"), _rows(tables, "points")
    layers: dict[str, Sequence[Feature]] = {
        "roads": road_features(network),
        "buildings": houses.building_features(built, _levels(built, ground), known),
        "parcels": ground_plan.parcel_features(plots),
        "walls": ground_plan.wall_features(plots, most=_MOST_WALLS),
        "trees": things.tree_features(_rows(tables, "trees"), network),
        "greens": greens,
        "pipes": pipes,
        "pipe_nodes": nodes,
        "catchments": things.area_features(areas, "catchment", frame),
        "admin_units": things.area_features(areas, "admin_unit", frame),
        "addresses": address_features(addresses, _gates(built, network)),
        "places": things.point_features(points, "place", frame),
        "stops": things.point_features(points, "transit_stop", frame),
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
    shapely.prepare(streets)
    taken = [streets, *(one.geometry for one in greens), *(plot.polygon for plot in named)]
    laid = ground_plan.street_plots(
        _rows(tables, "frontages"), _rows(tables, "fabrics"), network, taken
    )
    return [*named, *laid]


def _levels(built: Sequence[Building], ground: Ground) -> list[float]:
    inside = [one.footprint.representative_point() for one in built]
    return [ground.at(point.x, point.y) for point in inside]


def _gates(built: Sequence[Building], network: Network) -> dict[str, Any]:
    """Return where the address of each building stands: on the street's edge before it."""
    import shapely

    gates = {}
    for one in built:
        road = network.roads[one.road]
        near, house = road.line.interpolate(one.at_m), one.footprint.centroid
        share = (road.width_m / 2.0 + 0.3) / near.distance(house)
        gates[one.source_id] = shapely.Point(
            round(near.x + (house.x - near.x) * share, 3),
            round(near.y + (house.y - near.y) * share, 3),
        )
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
