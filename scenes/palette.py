"""Which colour a thing of the city has: by what it is, by its id, or by a result."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.table import FeatureTable
from scenes.roofs import PITCHED

__all__ = [
    "GARDEN_WALL",
    "NO_HEIGHT",
    "NO_VALUE",
    "PICKED",
    "Colours",
    "Rgb3",
    "buildings",
    "flat_colour",
    "known",
    "leaves",
    "mesh",
    "muted",
    "trunk",
]

Rgb3 = tuple[int, int, int]
Colours = Mapping[str, Rgb3]
Rgb = NDArray[np.uint8]

NO_HEIGHT = (214, 92, 160)
NO_VALUE = (206, 204, 200)
PICKED = (255, 176, 32)
GARDEN_WALL = (212, 204, 188)

_WALLS = ((226, 214, 194), (216, 199, 176), (205, 184, 158), (232, 225, 212), (200, 168, 142))
_FLAT = ((196, 194, 190), (184, 186, 188), (206, 202, 194))
_TILES = ((150, 92, 76), (142, 84, 70), (158, 104, 86), (134, 88, 78))
_LEAVES = ((104, 146, 84), (122, 158, 90), (90, 132, 86), (136, 160, 92))
_PALE = np.array((238, 236, 232), dtype=np.float64)
_PALE_SHARE = 0.72


def known(values: NDArray[np.float64], default: float) -> NDArray[np.float64]:
    """Return lengths with missing or impossible ones replaced."""
    return np.where(np.isfinite(values) & (values > 0), values, default)


def muted(rgb: NDArray[Any]) -> Rgb:
    """Return colours stepped back towards white."""
    mixed = rgb + (_PALE - rgb) * _PALE_SHARE
    return np.asarray(mixed.round().astype(np.uint8))


def buildings(
    table: FeatureTable,
    missing: NDArray[np.bool_],
    *,
    muted: bool = False,
    recolour: Colours | None = None,
) -> tuple[Rgb, Rgb]:
    """Return wall and roof colours (n, 3): by id, so that a house keeps its colour for good.

    Parameters
    ----------
    table
        Buildings.
    missing
        (n,) which have no height: they get `NO_HEIGHT`.
    muted
        Whether colours step back.
    recolour
        Colours of a result by id; the others get `NO_VALUE`.
    """
    if recolour is not None:
        roof = flat_colour(table.ids, NO_VALUE, False, recolour)
        return (roof * 0.92).astype(np.uint8), roof
    pick = np.array([zlib.crc32(str(i).encode()) for i in table.ids], dtype=np.int64)
    pitched = np.isin(table.texts("roof_type"), PITCHED)[:, None]
    wall = np.array(_WALLS)[pick % len(_WALLS)]
    tiles, level = np.array(_TILES), np.array(_FLAT)
    roof = np.where(pitched, tiles[pick // 7 % len(_TILES)], level[pick // 7 % len(_FLAT)])
    if muted:
        wall, roof = _step_back(wall), _step_back(roof)
    wall[missing], roof[missing] = NO_HEIGHT, NO_HEIGHT
    return wall.astype(np.uint8), roof.astype(np.uint8)


_step_back = muted


def flat_colour(
    ids: NDArray[Any], rgb: tuple[int, int, int], pale: bool, recolour: Colours | None
) -> Rgb:
    """Return one colour for each id, or a result's, (n, 3)."""
    if recolour is not None:
        return np.array([recolour.get(str(i), NO_VALUE) for i in ids], np.uint8).reshape(-1, 3)
    one = muted(np.array(rgb)) if pale else np.array(rgb)
    return np.tile(one, (len(ids), 1)).astype(np.uint8)


def leaves(table: FeatureTable, *, muted: bool = False, recolour: Colours | None = None) -> Rgb:
    """Return the colour of crowns, (n, 3), one a species."""
    if recolour is not None:
        return flat_colour(table.ids, NO_VALUE, False, recolour)
    species = np.array([zlib.crc32(s.encode()) for s in table.texts("species")], dtype=np.int64)
    rgb = np.array(_LEAVES)[species % len(_LEAVES)]
    return _step_back(rgb) if muted else rgb.astype(np.uint8)


def trunk(pale: bool) -> tuple[int, int, int]:
    """Return the colour of trunks."""
    return (206, 200, 194) if pale else (112, 92, 72)


def mesh(rgba: NDArray[Any], material: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the colour (m, 3) 0..255 of triangles by material; a plaster grey without one."""
    table = np.vstack([rgba.reshape(-1, 4)[:, :3] * 255, [(205, 198, 188)]])
    chosen: NDArray[np.float64] = table[np.where(material >= 0, material, len(table) - 1)]
    return chosen
