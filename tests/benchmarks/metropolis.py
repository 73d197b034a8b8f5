"""A large seeded city to measure with: clustered, turned, partly concave buildings, 示意数据.

Heights follow what a published file of 3,076 buildings of Suzhou shows: 3 m a storey,
mean 8.9 m, three in four at most 12 m, one in a hundred above 30 m, the highest 84 m.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from cim.model import FeatureTable, Twin
from tests.towns import EAST, FRAME, NORTH, layer

__all__ = ["BUILDINGS", "SIDE_M", "metropolis", "outlines", "side_m", "storeys"]

BUILDINGS = 100_000
SIDE_M = 20_000.0
_CLUSTERS = 400
_STEP_M = 34.0
_CONCAVE = 0.4
_LOW = np.array([0.193, 0.289, 0.177, 0.206, 0.096, 0.021])  # 1 to 6 storeys
_HIGHEST = 28
# An L in a unit square, and the square itself with the inner corner on its edge.
_L = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 0.45), (0.5, 0.45), (0.5, 1.0), (0.0, 1.0)])
_BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0), (0.0, 1.0)])
Floats = npt.NDArray[np.float64]


def side_m(count: int) -> float:
    """Return the side of a city of so many buildings: 250 a square kilometre."""
    return float(SIDE_M * np.sqrt(count / BUILDINGS))


def storeys(rng: np.random.Generator, count: int) -> Floats:
    """Return storeys by the law of Suzhou: few above six, those spread evenly in the logarithm."""
    low = rng.choice(len(_LOW), count, p=_LOW / _LOW.sum()) + 1.0
    high = np.round(np.exp(rng.uniform(np.log(7), np.log(_HIGHEST), count)))
    return np.where(rng.random(count) < _LOW.sum(), low, high)


def outlines(count: int = BUILDINGS, *, seed: int = 20261124) -> tuple[Floats, Floats]:
    """Return (count, 6, 2) corners in projected metres, counter-clockwise, and heights in metres.

    Quarters of very different size, each with its own heading; two buildings in five
    are L-shaped.
    """
    rng = np.random.default_rng(seed)
    clusters = max(1, round(_CLUSTERS * count / BUILDINGS))
    weight = rng.lognormal(0.0, 0.8, clusters)
    cluster = np.sort(rng.choice(clusters, count, p=weight / weight.sum()))
    place = np.arange(count) - np.searchsorted(cluster, cluster)  # number within its quarter
    row = np.floor(np.sqrt(place))  # quarters grow as squares from one corner
    rest = place - row**2
    spot = np.where((rest <= row)[:, None], np.column_stack([row, rest]),
                    np.column_stack([2 * row - rest, row])) * _STEP_M  # fmt: skip
    corner = rng.uniform(0.0, side_m(count), (clusters, 2))[cluster]
    heading = rng.uniform(0.0, np.pi / 2, clusters)[cluster]
    size = np.column_stack([rng.uniform(9, 28, count), rng.uniform(8, 20, count)])
    shape = np.where((rng.random(count) < _CONCAVE)[:, None, None], _L, _BOX)
    local = spot[:, None, :] + shape * size[:, None, :]
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x = corner[:, 0, None] + cos * local[..., 0] - sin * local[..., 1] + EAST
    y = corner[:, 1, None] + sin * local[..., 0] + cos * local[..., 1] + NORTH
    return np.stack([x, y], axis=-1), 3.0 * storeys(rng, count)


def buildings(count: int = BUILDINGS) -> FeatureTable:
    """Return the city as a layer."""
    corners, height_m = outlines(count)
    shapes: Any = shapely.polygons(corners)
    return layer(
        "building",
        list(shapes),
        name=[f"房屋{i}" for i in range(count)],
        height_m=height_m.tolist(),
        storeys_above=np.maximum(1, height_m // 3).tolist(),
    )


def metropolis(count: int = BUILDINGS) -> Twin:
    """Return the city as a twin in memory."""
    return Twin(name="metropolis", frame=FRAME, tables={"building": buildings(count)})
