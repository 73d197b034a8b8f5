"""Plots: named ones from their table, others laid side by side along the streets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cim.authoring.dice import roll, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.shapes import place
from cim.authoring.streets import Network, Road
from cim.authoring.tables import Row
from cim.authoring.taken import Taken
from cim.errors import SourceError

__all__ = [
    "Plot", "corridors", "facing", "frontage", "named_plots", "parcel_features", "rectangle",
    "street_plots", "wall_features",
]  # fmt: skip

_CLEAR_M = 0.05  # between a wall and the street's edge, so that rounding cannot make them touch
_SHIFTS = (0.0, 1.0, 2.5, 4.0)  # steps back from the street where it bends
_GATE_M = 3.6
_WALL_INSET_M = 0.15


@dataclass(frozen=True)
class Plot:
    """A plot: its polygon, the street it fronts, its own axes and its row of facts.

    Attributes
    ----------
    at_m
        How far along the street its front lies.
    even
        True on the side of even numbers: the right-hand side when numbers rise.
    along
        Unit vector of the front, the house's x; y points away from the street.
    centre, length_m, depth_m
        Middle of the plot and its size along and across the front.
    fabric
        The row of ``fabrics.csv`` or ``landmarks.csv`` that says what stands on it.
    fronts
        Whether it lies on its street, not in a lane behind.
    """

    source_id: str
    polygon: Any
    road: str
    at_m: float
    even: bool
    along: tuple[float, float]
    centre: tuple[float, float]
    length_m: float
    depth_m: float
    fabric: Row
    fronts: bool = True


def corridors(network: Network) -> dict[str, Any]:
    """Return the ground of every street between its walls, by road."""
    return {
        name: road.line.buffer(road.width_m / 2.0, cap_style="flat")
        for name, road in network.roads.items()
    }


def named_plots(rows: Sequence[Row], network: Network, frame: StreetFrame) -> list[Plot]:
    """Return the plots of ``landmarks.csv``: rectangles whose place is in the table."""
    plots = []
    for row in rows:
        if not row.text("plot_u_m"):
            continue
        turn = math.radians(frame.bearing_deg + row.real("plot_turn_deg"))
        along = (math.sin(turn), math.cos(turn))
        size = (row.real("plot_length_m"), row.real("plot_width_m"))
        middle = frame.to_xy([[row.real("plot_u_m"), row.real("plot_v_m")]])[0]
        road = network.roads[row.text("road")]
        at_m, even = facing(road, (float(middle[0]), float(middle[1])))
        plots.append(
            Plot(
                row.text("source_id"),
                place(rectangle(*size), middle, along),
                road.name,
                at_m,
                even,
                along,
                (float(middle[0]), float(middle[1])),
                *size,
                row,
            )
        )
    return plots


def street_plots(
    rows: Sequence[Row],
    fabrics: Sequence[Row],
    network: Network,
    ground: Taken,
    zones: Mapping[str, Any],
) -> list[Plot]:
    """Return plots laid along the stretches of ``frontages.csv``, clear of all that is taken.

    Parameters
    ----------
    rows
        Stretches, served in the order of ``rank``: road (``*``: every one), side (odd, even,
        both), from and to which crossing, fabric, depth, how far behind the street, zone.
    fabrics
        What the fabrics are: frontage, share of plots built on.
    ground
        What no plot may touch: streets, parks, named plots; the new plots are added.
    zones
        Polygons by name for the column ``within``.
    """
    kinds = {row.text("fabric"): row for row in fabrics}
    plots: list[Plot] = []
    for row in rows:
        fabric = kinds[row.text("fabric")]
        zone = zones[row.text("within")] if row.text("within") else None
        every = row.text("road") == "*"
        for name in network.roads if every else [row.text("road")]:
            if zone is not None and not zone.intersects(network.roads[name].line):
                continue
            for side in ("odd", "even") if row.text("side") == "both" else (row.text("side"),):
                block = f"{row.text('block')}-{name}-{side}" if every else row.text("block")
                plots += _stretch(block, row, network, name, side == "even", fabric, ground, zone)
    return plots


def frontage(name: str, fabric: Row) -> float:
    """Return how wide a plot is, drawn from its name."""
    least, most = fabric.real("frontage_min_m"), fabric.real("frontage_max_m")
    return spread(name + "/front", least, most)


def _stretch(
    block: str,
    row: Row,
    network: Network,
    road_name: str,
    even: bool,
    fabric: Row,
    ground: Taken,
    zone: Any,
) -> list[Plot]:
    road = network.roads[road_name]
    ends = [_end(network, road, row.text(name)) for name in ("from_road", "to_road")]
    at_m, stop_m = min(ends), max(ends)
    plots: list[Plot] = []
    front = 0.0
    count, chosen = 0, ""
    while at_m < stop_m:
        name = f"{block}-{count:02d}"
        if name != chosen:
            chosen, front = name, frontage(name, fabric)
        plot = _fit(name, road, at_m, front, even, row, fabric, ground, zone)
        if plot is None:
            at_m += 2.0
            continue
        count += 1
        at_m += front + 0.3
        if roll(name + "/built", 100) < row.whole("built_percent"):
            plots.append(plot)
            ground.add(plot.polygon)
    return plots


def parcel_features(plots: Sequence[Plot], cap_source: str) -> list[Feature]:
    """Return the plots as parcels (地块) without a height cap, and why: `cap_source`."""
    return [
        Feature(
            f"parcel-{plot.source_id}",
            plot.polygon,
            {
                "use": plot.fabric.text("use"),
                "floor_area_ratio": _ratio(plot),
                "green_ratio": 0.35 if plot.fabric.text("use") == "residential" else 0.3,
                "height_cap_source": cap_source,
            },
        )
        for plot in plots
    ]


def wall_features(plots: Sequence[Plot]) -> list[Feature]:
    """Return courtyard walls (院墙) of the walled plots, open at a gate."""
    walled = [p for p in plots if p.fabric.real_or_none("wall_m")]
    return [
        Feature(f"wall-{p.source_id}", _wall(p), {"height_m": p.fabric.real("wall_m")})
        for p in walled
    ]


def _wall(plot: Plot) -> Any:
    import shapely

    x, y = plot.length_m / 2 - _WALL_INSET_M, plot.depth_m / 2 - _WALL_INSET_M
    slack = 2 * x - 4.0 - _GATE_M
    gate = round(-x + 2.0 + roll(plot.source_id + "/gate", 30) * slack / 30, 2)
    path = [(gate + _GATE_M, -y), (x, -y), (x, y), (-x, y), (-x, -y), (gate, -y)]
    return place(shapely.LineString(path), np.asarray(plot.centre), plot.along)


def _ratio(plot: Plot) -> float | None:
    return plot.fabric.real_or_none("far_cap") if "far_cap" in plot.fabric.values else None


def _end(network: Network, road: Road, other: str) -> float:
    if other in ("起", "终"):
        return 0.0 if other == "起" else float(road.line.length)
    return network.along(road.name, other)


def _fit(
    name: str,
    road: Road,
    at_m: float,
    front_m: float,
    even: bool,
    row: Row,
    fabric: Row,
    ground: Taken,
    zone: Any,
) -> Plot | None:
    """Return a plot whose front begins at `at_m`, or None where there is no room."""
    import shapely

    start, end = (road.line.interpolate(at_m + step) for step in (0.0, front_m))
    run = math.hypot(end.x - start.x, end.y - start.y)
    if run < 0.98 * front_m:
        return None
    east, north = (end.x - start.x) / run, (end.y - start.y) / run
    # y points away from the street; odd numbers lie left of the course, even ones right
    along = (east, north) if not even else (-east, -north)
    away = (-along[1], along[0])
    depths = _depths(row, fabric)
    behind = road.width_m / 2.0 + row.real("behind_m")
    x, y = (start.x + end.x) / 2, (start.y + end.y) / 2
    deepest = behind + depths[-1] - ground.inner_m
    for reach in (behind + _SHIFTS[-1] + ground.inner_m, deepest):
        if ground.blocked_at(x + reach * away[0], y + reach * away[1]):
            return None
    reach = behind + depths[-1] / 2.0
    if zone is not None and not shapely.contains_xy(zone, x + reach * away[0], y + reach * away[1]):
        return None
    for depth_m in depths:
        for shift in _SHIFTS:
            reach = behind + _CLEAR_M + shift + depth_m / 2.0
            centre = np.array([x + reach * away[0], y + reach * away[1]])
            polygon = place(rectangle(front_m, depth_m), centre, along)
            if ground.free(polygon):
                middle = (float(centre[0]), float(centre[1]))
                at = at_m + front_m / 2
                return Plot(
                    name, polygon, road.name, at, even, along, middle, front_m, depth_m, fabric
                )
    return None


def _depths(row: Row, fabric: Row) -> list[float]:
    """Return the depth wanted, then shallower ones down to the least of the fabric."""
    wanted, least = row.real("depth_m"), fabric.real_or_none("shallowest_m")
    if least is None or least >= wanted:
        return [wanted]
    return [wanted, round((wanted + least) / 2, 1), least]


def rectangle(length_m: float, depth_m: float) -> Any:
    """Return a plot about its own middle."""
    import shapely

    return shapely.box(-length_m / 2, -depth_m / 2, length_m / 2, depth_m / 2)


def facing(road: Road, place_xy: tuple[float, float]) -> tuple[float, bool]:
    """Return how far along a road a place lies, and whether on the side of even numbers."""
    import shapely

    at_m = float(road.line.project(shapely.Point(place_xy)))
    before, after = (road.line.interpolate(max(at_m + step, 0.0)) for step in (-1.0, 1.0))
    turn = (after.x - before.x) * (place_xy[1] - before.y) - (after.y - before.y) * (
        place_xy[0] - before.x
    )
    if turn == 0.0:
        raise SourceError("authoring.overlap", given=str(place_xy), values={"other": road.name})
    return at_m, turn < 0.0
