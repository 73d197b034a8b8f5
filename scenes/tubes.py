"""What lies underground: pipes as tubes of their diameter at their level, shafts down to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.table import FeatureTable
from scenes import palette
from scenes.drawables import Surface
from scenes.ground import levels
from scenes.palette import Rgb3
from scenes.stamps import beam, stamp
from scenes.standing import Site, Standing

__all__ = ["PIPES", "levelled", "nodes", "pipes"]

Floats = NDArray[np.float64]

PIPES: dict[str, Rgb3] = {
    "storm": (60, 120, 190),
    "sewage": (130, 96, 60),
    "water": (40, 170, 210),
    "gas": (230, 180, 40),
    "power": (200, 60, 50),
    "telecom": (90, 150, 90),
}
_OTHER: Rgb3 = (104, 108, 114)
_SHAFT: Rgb3 = (150, 154, 160)
_USUAL_M = 0.3  # diameter of a pipe that does not say its own
_SIDES, _FEW_SIDES, _MANY = 10, 5, 40_000
_RADIUS_M = {"manhole": 0.35, "inlet": 0.20, "outfall": 0.35}
_JOINT_M = 0.12
_THIN_PX = 0.8  # a tube is drawn with no smaller radius than this, so that it shows in a city


def levelled(table: FeatureTable) -> NDArray[np.bool_]:
    """Tell which pipes or nodes say how deep they lie."""
    names = ("invert_from_m", "invert_to_m") if table.kind == "pipe" else ("invert_m",)
    known = np.ones(len(table), dtype=bool)
    for name in names:
        known &= np.isfinite(table.numbers(name))
    return known


def pipes(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add the pipes that say their inverts, as tubes between them.

    A tube has the diameter of its pipe, or that of a pixel and a half where this is more; its
    bottom runs evenly along its length from one invert to the other.
    """
    import shapely

    table = table.take(levelled(table))
    parts, owner = shapely.get_parts(table.geometry, return_index=True)
    lines = (shapely.get_type_id(parts) == 1) & ~shapely.is_empty(parts)
    xy, of = shapely.get_coordinates(parts[lines], return_index=True)
    if not len(xy):
        return
    of = owner[lines][of]
    step = np.r_[0.0, np.hypot(*np.diff(xy, axis=0).T)] * np.r_[False, of[1:] == of[:-1]]
    first = np.searchsorted(of, of)
    run = np.cumsum(step)
    run -= run[first]
    length = np.zeros(len(table))
    np.maximum.at(length, of, run)
    share = run / np.maximum(length[of], 1e-9)
    low, high = table.numbers("invert_from_m"), table.numbers("invert_to_m")
    wide = palette.known(table.numbers("diameter_m"), _USUAL_M)
    z = low[of] + (high - low)[of] * share + wide[of] / 2 - site.origin.z
    points = np.c_[xy - (site.origin.x, site.origin.y), z]
    begins = np.flatnonzero((of[1:] == of[:-1]) & (step[1:] > 1e-6))
    who = of[begins]
    radius = np.maximum(wide[who] / 2, _THIN_PX * site.pixel_m)
    rgb = _colours(table, site)
    made.surfaces.append(
        _tubes(points[begins], points[begins + 1], radius, rgb[who], who, table.ids)
    )


def nodes(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add a shaft from the ground to the invert of each node that says it."""
    import shapely

    placed = ~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry)
    table = table.take(placed & levelled(table))
    if not len(table):
        return
    xy = shapely.get_coordinates(shapely.centroid(table.geometry))
    ground = table.numbers("ground_m")
    ground = np.where(np.isfinite(ground), ground, levels(site.terrain, xy, site.origin.z))
    foot = table.numbers("invert_m")
    deep = np.maximum(ground - foot, 0.05)
    radius = np.array([_RADIUS_M.get(t, _JOINT_M) for t in table.texts("type")])
    radius = np.maximum(radius, _THIN_PX * site.pixel_m)
    place = np.c_[xy - (site.origin.x, site.origin.y), foot - site.origin.z]
    shape = beam((0, 0, 0), (0, 0, 1), 1.0, sides=8 if len(table) < _MANY else 4)
    made.surfaces.append(
        stamp(
            shape,
            table.ids,
            foot=place,
            scale=np.c_[radius, radius, deep],
            rgb=_colours(table, site, shaft=True),
            turn=np.zeros(len(table)),
        )
    )


def _colours(table: FeatureTable, site: Site, *, shaft: bool = False) -> NDArray[np.uint8]:
    if site.recolour is not None:
        rgb = palette.flat_colour(table.ids, _OTHER, False, site.recolour)
    elif shaft:
        rgb = np.tile(np.array(_SHAFT, np.uint8), (len(table), 1))
    else:
        own = [PIPES.get(s, _OTHER) for s in table.texts("system")]
        rgb = np.array(own, np.uint8).reshape(-1, 3)
    chosen = np.isin(table.ids.astype(str), list(site.picked))
    return np.where(chosen[:, None], palette.PICKED, rgb).astype(np.uint8)


def _tubes(
    a: Floats,
    b: Floats,
    radius: Floats,
    rgb: NDArray[np.uint8],
    owner: NDArray[np.int64],
    ids: NDArray[Any],
) -> Surface:
    """Return bars with closed ends from points a to points b (m, 3), one surface."""
    sides = _SIDES if len(a) <= _MANY else _FEW_SIDES
    ahead = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
    steep = (np.abs(ahead[:, 2]) > 0.99)[:, None]
    aside = np.cross(ahead, np.where(steep, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    over = np.cross(ahead, aside)
    turn = np.arange(sides) * 2 * np.pi / sides
    ring = np.cos(turn)[:, None] * aside[:, None] + np.sin(turn)[:, None] * over[:, None]
    ring *= radius[:, None, None]
    corners = np.concatenate([a[:, None] + ring, b[:, None] + ring, a[:, None], b[:, None]], axis=1)
    i = np.arange(sides)
    j = (i + 1) % sides
    start, end = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    one = np.concatenate([np.c_[i, j, sides + j], np.c_[i, sides + j, sides + i],
                          np.c_[j, i, start], np.c_[sides + i, sides + j, end]])  # fmt: skip
    points = corners.shape[1]
    faces = one[None] + (np.arange(len(a)) * points)[:, None, None]
    return Surface(
        vertices=corners.reshape(-1, 3).astype(np.float32),
        triangles=faces.reshape(-1, 3).astype(np.int32),
        rgb=np.repeat(rgb, points, axis=0),
        owner=np.repeat(owner, len(one)).astype(np.int32),
        ids=ids,
        closed=True,
    )
