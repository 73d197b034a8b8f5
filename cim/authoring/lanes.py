"""Plots in lanes (里弄): rows behind the streets, in clumps of one fabric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cim.authoring.dice import choose, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.plots import Plot, facing, frontage, rectangle
from cim.authoring.shapes import place
from cim.authoring.streets import Network
from cim.authoring.tables import Row
from cim.authoring.taken import Taken

__all__ = ["infill_plots"]


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
    tries = [(wanted, frontage(site.name, wanted))]
    tries += [(one, one.real("frontage_min_m")) for one in (wanted, *narrower)]
    for fabric, front_m in tries:
        u, v = site.corner_uv
        centre = frame.to_xy([[u + front_m / 2, v + site.depth_m / 2]])[0]
        polygon = place(rectangle(front_m, site.depth_m), centre, frame.axis)
        room = place(rectangle(front_m, site.depth_m + 2 * site.lane_m), centre, frame.axis)
        if shapely.contains_properly(zone, room) and ground.free(room):
            middle = (float(centre[0]), float(centre[1]))
            road = network.roads[names[int(tree.nearest(shapely.Point(middle)))]]
            at_m, even = facing(road, middle)
            near = road.line.interpolate(at_m)
            east, north = frame.axis
            to_road = (near.x - middle[0]) * north - (near.y - middle[1]) * east
            along = (east, north) if to_road > 0 else (-east, -north)
            return Plot(site.name, polygon, road.name, at_m, even, along, middle,
                        front_m, site.depth_m, fabric, False)  # fmt: skip
    return None
