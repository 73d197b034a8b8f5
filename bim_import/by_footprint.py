"""Where a model stands by the footprint of its building: laid over the city's until one fits.

The last of the three ways to place a model that does not say where it stands. The two
outlines are laid on each other by their centroids, turned so that their rectangles agree,
and judged by what they have in common. A rectangle fits as well turned by 180 degrees:
then nothing is chosen, and the places to choose from are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bim_import.placement import turn_and_move
from cim.errors import FrameError
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable

__all__ = ["Fit", "fit_footprint"]

_ENOUGH = 0.85
"""Least common area over the area of both together."""
_CLEARLY = 0.02
"""What the best must be ahead of the second."""
_AREA_RATIO = 1.3
_NAMED = 4


@dataclass(frozen=True)
class Fit:
    """A model's outline laid over a building.

    Attributes
    ----------
    id, source_id
        The building.
    at
        East, north, height of the model's zero, and its turn in degrees counter-clockwise.
    overlap
        Common area over the area of both together.
    """

    id: str
    source_id: str
    at: tuple[float, float, float, float]
    overlap: float


def fit_footprint(
    outline: Any, floor_m: float, buildings: Mapping[str, FeatureTable], *, name: str
) -> Fit:
    """Return where a model stands.

    Parameters
    ----------
    outline
        Footprint of the model, shapely, model metres.
    floor_m
        Height of its ground floor in the model.
    buildings
        Layers of the city; those of buildings are looked through.
    name
        Name of the file, for messages.

    Raises
    ------
    FrameError
        No footprint is like it, several are, or it fits in more than one direction; or the
        height of the ground floor is not known there.
    """
    fits = sorted(_fits(outline, buildings), key=lambda f: -f.overlap)
    good = [f for f in fits if f.overlap >= _ENOUGH]
    if not good:
        best = f"{100 * fits[0].overlap:.0f}" if fits else "0"
        raise FrameError("bim.footprint_none", given=name, values={"best": best})
    rivals = [f for f in good if f.overlap > good[0].overlap - _CLEARLY]
    if len(rivals) > 1:
        listed = "; ".join(f"{f.source_id}: {_written(f.at)}" for f in rivals[:_NAMED])
        raise FrameError("bim.footprint_several", given=name, values={"places": listed})
    found = good[0]
    if not np.isfinite(found.at[2]):
        values = {"building": found.source_id}
        raise FrameError("bim.footprint_height", given=name, values=values)
    at = (found.at[0], found.at[1], found.at[2] - floor_m, found.at[3])
    return Fit(found.id, found.source_id, at, found.overlap)


def _written(at: tuple[float, ...]) -> str:
    """Return a place as the option --at takes it, with ? for the height nobody knows."""
    return " ".join(f"{v:.3f}" if np.isfinite(v) else "?" for v in at)


def _fits(outline: Any, buildings: Mapping[str, FeatureTable]) -> list[Fit]:
    import shapely
    from shapely import affinity

    own, centre = _direction(outline), outline.centroid
    found = []
    for layer, table in buildings.items():
        if split_layer(layer)[0] != "building":
            continue
        floors = table.numbers("floor_level_m")
        sources = table.texts("source_id")
        for i, shape in enumerate(table.geometry):
            if shape is None or shape.geom_type not in ("Polygon", "MultiPolygon"):
                continue
            if not 1 / _AREA_RATIO < shape.area / outline.area < _AREA_RATIO:
                continue
            to = shape.centroid
            for quarter in range(4):
                turn = (_direction(shape) - own + 90.0 * quarter + 180.0) % 360.0 - 180.0
                laid = affinity.rotate(outline, turn, origin=centre)
                laid = affinity.translate(laid, to.x - centre.x, to.y - centre.y)
                common = shapely.intersection(laid, shape).area
                overlap = common / (laid.area + shape.area - common)
                moved = turn_and_move(float(np.deg2rad(turn)), (0.0, 0.0, 0.0))
                x, y = (moved @ np.array([centre.x, centre.y, 0.0, 1.0]))[:2]
                at = (to.x - float(x), to.y - float(y), float(floors[i]), turn)
                found.append(Fit(str(table.ids[i]), str(sources[i] or table.ids[i]), at, overlap))
    return found


def _direction(shape: Any) -> float:
    """Return the direction of a shape's least rectangle, degrees."""
    box = shape.minimum_rotated_rectangle
    (x0, y0), (x1, y1), (x2, y2) = box.exterior.coords[:3]
    if np.hypot(x1 - x0, y1 - y0) >= np.hypot(x2 - x1, y2 - y1):
        return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))
    return float(np.degrees(np.arctan2(y2 - y1, x2 - x1)))
