"""What stands along streets: trees by height and crown, lamp posts, cameras, signs, bus stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cim.model.table import FeatureTable
from scenes import palette
from scenes.ground import levels
from scenes.stamps import Template, beam, joined, stamp, turns
from scenes.standing import Site, Standing

__all__ = ["TYPES", "furniture", "stops", "trees"]

Floats = NDArray[np.float64]

_MOST_CROWNS = 5_000  # more trees than this get simple crowns
_MOST_FINE = 5_000  # more posts than this are three-sided bars
_STEEL, _DARK, _PLATE = (126, 132, 138), (78, 84, 92), (44, 96, 168)


def trees(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add trees: crowns of their own width and height on a trunk, coloured by species."""
    table, foot = _placed(table, site)
    if not len(table):
        return
    height = palette.known(table.numbers("height_m"), 8.0)
    half = palette.known(table.numbers("crown_m"), 5.0) / 2
    leaf = palette.leaves(table, muted=site.muted, recolour=site.recolour)
    shape = _tree(simple=len(table) > _MOST_CROWNS, trunk=palette.trunk(site.muted))
    scale = np.c_[half, half, height]
    made.surfaces.append(
        stamp(shape, table.ids, foot=foot, scale=scale, rgb=_picked(leaf, table, site))
    )


def furniture(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add street furniture, a shape for each type known; another is a plain post."""
    table, foot = _placed(table, site)
    kinds = np.array(table.texts("type"), dtype=object)
    for type_ in dict.fromkeys(kinds.tolist()):
        make, usual_m = TYPES.get(type_, _OTHER)
        mine = np.flatnonzero(kinds == type_)
        part = table.take(mine)
        height = palette.known(part.numbers("height_m"), usual_m)
        _stand(made, part, foot[mine], height, make(len(table) > _MOST_FINE), site)


def stops(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add a pole with a plate where a bus or train stops."""
    table, foot = _placed(table, site)
    _stand(made, table, foot, np.full(len(table), 2.8), _stop(simple=False), site)


def _stand(
    made: Standing, table: FeatureTable, foot: Floats, height: Floats, shape: Template, site: Site
) -> None:
    if not len(table):
        return
    rgb = palette.flat_colour(table.ids, _STEEL, site.muted, site.recolour)
    scale = np.c_[height, height, height]
    made.surfaces.append(
        stamp(shape, table.ids, foot=foot, scale=scale, rgb=_picked(rgb, table, site), closed=False)
    )


def _picked(rgb: NDArray[np.uint8], table: FeatureTable, site: Site) -> NDArray[np.uint8]:
    chosen = np.isin(table.ids.astype(str), list(site.picked))
    return np.where(chosen[:, None], palette.PICKED, rgb).astype(np.uint8)


def _placed(table: FeatureTable, site: Site) -> tuple[FeatureTable, Floats]:
    """Return what has a place, and where it stands on the ground, scene metres."""
    import shapely

    table = table.take(~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry))
    xy = shapely.get_coordinates(shapely.centroid(table.geometry))
    level = levels(site.terrain, xy, site.origin.z)
    return table, np.c_[xy - (site.origin.x, site.origin.y), level - site.origin.z]


@cache
def _lamp(simple: bool) -> Template:
    """Return a street lamp of height one: pole, arm, head."""
    pole = beam((0, 0, 0), (0, 0, 0.97), 0.011, sides=3 if simple else 6)
    if simple:
        return pole
    arm = beam((0, 0, 0.97), (0.17, 0, 1.0), 0.007)
    return joined([pole, arm, beam((0.13, 0, 0.988), (0.24, 0, 1.0), 0.017, shade=0.72)])


@cache
def _camera(simple: bool) -> Template:
    """Return a camera on a pole of height one."""
    pole = beam((0, 0, 0), (0, 0, 1.0), 0.012, sides=3 if simple else 6)
    if simple:
        return pole
    arm = beam((0, 0, 0.93), (0.16, 0, 0.93), 0.008)
    return joined([pole, arm, beam((0.08, 0, 0.90), (0.22, 0, 0.87), 0.03, shade=0.5)])


@cache
def _lights(simple: bool) -> Template:
    """Return traffic lights on a pole of height one."""
    pole = beam((0, 0, 0), (0, 0, 1.0), 0.016, sides=3 if simple else 6)
    if simple:
        return pole
    return joined([pole, beam((0.05, 0, 0.66), (0.05, 0, 0.94), 0.06, shade=0.35)])


@cache
def _sign(simple: bool) -> Template:
    """Return a sign on a pole of height one."""
    pole = beam((0, 0, 0), (0, 0, 1.0), 0.012, sides=3 if simple else 6)
    return joined([pole, beam((0, 0, 0.74), (0, 0, 0.98), 0.13, shade=1.25)])


@cache
def _stop(simple: bool) -> Template:
    """Return a bus stop: a pole of height one with a blue plate."""
    pole = beam((0, 0, 0), (0, 0, 1.0), 0.016, sides=3 if simple else 6)
    return joined([pole, beam((0, 0, 0.72), (0, 0, 0.99), 0.16, rgb=_PLATE)])


@cache
def _bench(simple: bool) -> Template:
    """Return a bench of height one."""
    seat = beam((-1.8, 0, 0.5), (1.8, 0, 0.5), 0.32)
    legs = [beam((x, 0, 0), (x, 0, 0.5), 0.14) for x in (-1.3, 1.3)]
    return joined([seat, *legs])


@cache
def _post(simple: bool) -> Template:
    """Return a post of height one."""
    return beam((0, 0, 0), (0, 0, 1.0), 0.08, sides=3 if simple else 6)


@cache
def _pole(simple: bool) -> Template:
    """Return a slender pole of height one."""
    return beam((0, 0, 0), (0, 0, 1.0), 0.014, sides=3 if simple else 6)


_Make = Callable[[bool], Template]
TYPES: Mapping[str, tuple[_Make, float]] = {
    "lamp_post": (_lamp, 8.0),
    "street_lamp": (_lamp, 8.0),
    "camera": (_camera, 5.0),
    "traffic_signals": (_lights, 3.5),
    "sign": (_sign, 2.8),
    "bus_stop": (_stop, 2.8),
    "bench": (_bench, 0.9),
    "bollard": (_post, 0.9),
    "hydrant": (_post, 0.8),
    "waste_basket": (_post, 0.9),
    "pole": (_pole, 6.0),
    "flagpole": (_pole, 10.0),
}
"""Shape and usual height (metres) of each type of furniture that has a shape of its own."""
_OTHER = (_post, 1.0)


@cache
def _tree(*, simple: bool, trunk: tuple[int, int, int]) -> Template:
    """Return a tree of unit crown radius and height."""
    rounds: Sequence[tuple[float, float]] = (
        (0.46, 0.30), (0.88, 0.42), (1.0, 0.60), (0.80, 0.80), (0.42, 0.94),
    )  # fmt: skip
    sides = 8
    foot = 0.27
    if simple:  # ten triangles instead of ninety-six: two cones, the lower stands on the ground
        rounds, sides, foot = ((1.0, 0.55),), 5, -0.03
    points = [r * turns(sides) + (0.0, 0.0, z) for r, z in rounds]
    points += [np.array([[0.0, 0.0, 1.0], [0.0, 0.0, foot]])]
    i = np.arange(sides)
    j = (i + 1) % sides
    faces = []
    for level in range(len(rounds) - 1):
        low, high = level * sides, (level + 1) * sides
        faces += [np.c_[low + i, low + j, high + j], np.c_[low + i, high + j, high + i]]
    last, tip = (len(rounds) - 1) * sides, len(rounds) * sides
    faces += [np.c_[last + i, last + j, np.full(sides, tip)]]
    faces += [np.c_[j, i, np.full(sides, tip + 1)]]
    crown = np.concatenate(points)
    shade = np.clip(0.62 + 0.55 * (crown[:, 2] - 0.3), 0.62, 1.05)
    leaves = Template(crown, np.concatenate(faces), shade, np.full((len(crown), 3), np.nan))
    if simple:
        return leaves
    return joined([leaves, beam((0, 0, -0.03), (0, 0, 0.34), 0.09, rgb=trunk)])
