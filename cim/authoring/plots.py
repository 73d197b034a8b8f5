"""Plots: named ones from their table, others laid side by side along the streets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cim.authoring.dice import choose, roll, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.shapes import place
from cim.authoring.streets import Network, Road
from cim.authoring.tables import Row
from cim.authoring.taken import Taken
from cim.errors import SourceError

__all__ = [
    "Plot", "corridors", "infill_plots", "named_plots", "parcel_features", "street_plots",
    "wall_features",
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
        at_m, even = _front(road, (float(middle[0]), float(middle[1])))
        plots.append(
            Plot(
                row.text("source_id"),
                place(_box(*size), middle, along),
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


def infill_plots(
    rows: Sequence[Row],
    fabrics: Sequence[Row],
    network: Network,
    frame: StreetFrame,
    ground: Taken,
    zones: Mapping[str, Any],
) -> list[Plot]:
    """Return plots in lanes (里弄) on the ground that the plots on the streets left free.

    Rows run along u, turned by ``turn_deg``, through each zone of ``infill.csv``. Ground is
    built in clumps of ``clump_m``, as developers did: one fabric and one depth of plot each.
    A plot belongs to its nearest road.
    """
    import shapely

    kinds = {row.text("fabric"): row for row in fabrics}
    names = sorted(network.roads)
    tree = shapely.STRtree([network.roads[name].line for name in names])
    plots: list[Plot] = []
    for row in rows:
        zone, mixed = zones[row.text("within")], [kinds[name] for name in row.words("fabrics")]
        turned = replace(frame, bearing_deg=frame.bearing_deg + row.real("turn_deg"))
        corners = turned.to_uv(shapely.get_coordinates(zone))
        (u0, v0), (u1, v1) = corners.min(axis=0), corners.max(axis=0)
        depths = (row.real("depth_min_m"), row.real("depth_max_m"))
        least = min(one.real("frontage_min_m") for one in mixed)
        lane_m, clump_m, block = row.real("lane_m"), row.real("clump_m"), row.text("block")
        for v in np.arange(math.floor(v0), v1, 2.0):
            u = np.arange(math.floor(u0), u1, 2.0)
            likely = _likely(u, float(v), (least, depths[0]), lane_m, turned, ground, zone)
            skip_to = -math.inf
            for start in u[likely]:
                if start < skip_to:
                    continue
                clump = f"{block}-{start // clump_m:.0f}-{v // clump_m:.0f}"
                site = _Site(f"{block}-{start:.0f}-{v:.0f}", (float(start), float(v)),
                             spread(clump + "/depth", *depths, step=0.5), lane_m)  # fmt: skip
                wanted = choose(clump + "/fabric", mixed)
                plot = _lane_plot(site, wanted, mixed, network, turned, ground, zone, names, tree)
                if plot is not None:
                    plots.append(plot)
                    ground.add(plot.polygon)
                    skip_to = start + plot.length_m + 0.1
    return plots


@dataclass(frozen=True)
class _Site:
    """A corner in a row of lanes where a plot may begin."""

    name: str
    corner_uv: tuple[float, float]
    depth_m: float
    lane_m: float


def _likely(
    u: Any,
    v: float,
    size: tuple[float, float],
    lane_m: float,
    frame: StreetFrame,
    ground: Taken,
    zone: Any,
) -> Any:
    """Return where along a row a plot of the least size meets no taken cell."""
    import shapely

    low = ground.inner_m
    across = np.linspace(low, size[0] - low, 6)
    deep = np.linspace(low - lane_m, size[1] + lane_m - low, 8)
    a, b = np.meshgrid(across, deep)
    spots = np.stack(
        [u[:, None] + a.ravel()[None, :], np.full((u.size, 1), v) + b.ravel()[None, :]], axis=-1
    )
    xy = frame.to_xy(spots.reshape(-1, 2)).reshape(spots.shape)
    clear = np.asarray(~ground.blocked(xy).any(axis=1))
    inside = xy[clear]
    clear[clear] = shapely.contains_xy(zone, inside[..., 0], inside[..., 1]).all(axis=1)
    return clear


def _lane_plot(
    site: _Site,
    wanted: Row,
    mixed: Sequence[Row],
    network: Network,
    frame: StreetFrame,
    ground: Taken,
    zone: Any,
    names: Sequence[str],
    tree: Any,
) -> Plot | None:
    """Return a plot of the fabric wanted, of a narrower one where it has no room, or None."""
    import shapely

    smaller = sorted(mixed, key=lambda one: -one.real("frontage_min_m"))
    least = wanted.real("frontage_min_m")
    narrower = [one for one in smaller if one.real("frontage_min_m") < least]
    tries = [(wanted, _frontage(site.name, wanted))]
    tries += [(one, one.real("frontage_min_m")) for one in (wanted, *narrower)]
    for fabric, front_m in tries:
        u, v = site.corner_uv
        centre = frame.to_xy([[u + front_m / 2, v + site.depth_m / 2]])[0]
        polygon = place(_box(front_m, site.depth_m), centre, frame.axis)
        room = place(_box(front_m, site.depth_m + 2 * site.lane_m), centre, frame.axis)
        if shapely.contains_properly(zone, room) and ground.free(room):
            middle = (float(centre[0]), float(centre[1]))
            road = network.roads[names[int(tree.nearest(shapely.Point(middle)))]]
            at_m, even = _front(road, middle)
            near = road.line.interpolate(at_m)
            east, north = frame.axis
            to_road = (near.x - middle[0]) * north - (near.y - middle[1]) * east
            along = (east, north) if to_road > 0 else (-east, -north)
            return Plot(site.name, polygon, road.name, at_m, even, along, middle,
                        front_m, site.depth_m, fabric, False)  # fmt: skip
    return None


def _frontage(name: str, fabric: Row) -> float:
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
            chosen, front = name, _frontage(name, fabric)
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
            polygon = place(_box(front_m, depth_m), centre, along)
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


def _box(length_m: float, depth_m: float) -> Any:
    import shapely

    return shapely.box(-length_m / 2, -depth_m / 2, length_m / 2, depth_m / 2)


def _front(road: Road, place_xy: tuple[float, float]) -> tuple[float, bool]:
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
