"""A small town in memory for tests: houses, trees, streets and ground, all 示意数据."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from cim.crs import Frame
from cim.model import FeatureTable, Grid, GridFrame, Twin, as_column, own_ids
from cim.model.kinds import COMMON, kind, split_layer

FRAME = Frame(crs="EPSG:4548", height_datum="cgvd1985", origin=(517000.0, 4330600.0))
EAST, NORTH = FRAME.origin


def layer(name: str, geometry: list[Any], /, **columns: list[Any]) -> FeatureTable:
    """Return an illustrative layer with ids from row numbers."""
    fields = (*COMMON, *kind(split_layer(name)[0]).fields)
    n = len(geometry)
    given: dict[str, list[Any]] = {
        "illustrative": [True] * n,
        "source": ["town"] * n,
        "source_id": [str(i) for i in range(n)],
        **columns,
    }
    shapes = np.empty(n, dtype=object)
    shapes[:] = geometry
    ids = np.empty(n, dtype=object)
    ids[:] = own_ids(split_layer(name)[0], "town", given["source_id"])
    return FeatureTable(
        layer=name,
        ids=ids,
        geometry=shapes,
        columns={f.name: as_column(given.get(f.name, [None] * n), f.type) for f in fields},
        fields=fields,
    )


def box(x: float, y: float, width_m: float, depth_m: float) -> shapely.Polygon:
    """Return a rectangle whose south-west corner lies (x, y) from the town's origin."""
    return shapely.box(EAST + x, NORTH + y, EAST + x + width_m, NORTH + y + depth_m)


def town(*, houses: int = 12, size_m: int = 200) -> Twin:
    """Return a town: rows of houses, two crossing streets, trees, gently sloping ground."""
    rng = np.random.default_rng(20261124)
    per_row = max(1, int(np.ceil(np.sqrt(houses))))
    step = size_m / (per_row + 1)
    spots = [(20 + step * (i % per_row), 20 + step * (i // per_row)) for i in range(houses)]
    building = layer(
        "building",
        [box(x, y, 14.0, 10.0) for x, y in spots],
        name=[f"房屋{i + 1}" for i in range(houses)],
        height_m=[6.0 + 3.0 * (i % 4) for i in range(houses)],
        storeys_above=[2 + i % 4 for i in range(houses)],
        population=[8.0] * houses,
        jobs=[3.0] * houses,
    )
    middle = size_m / 2 + 5.0
    corners = [(0.0, middle), (middle, middle), (size_m, middle), (middle, 0.0), (middle, size_m)]
    pairs = [(0, 1), (1, 2), (3, 1), (1, 4)]
    road = layer(
        "road",
        [
            shapely.LineString([(EAST + x, NORTH + y) for x, y in (corners[a], corners[b])])
            for a, b in pairs
        ],
        name=["东路", "东路", "南路", "南路"],
        **{"class": ["residential"] * 4},
        carriageway_m=[8.0] * 4,
        lanes=[1] * 4,
        oneway=["no"] * 4,
    )
    trees = rng.uniform(5, size_m - 5, (30, 2))
    tree = layer(
        "tree",
        [shapely.Point(EAST + x, NORTH + y) for x, y in trees],
        species=["国槐"] * 30,
        height_m=[7.0] * 30,
        crown_m=[5.0] * 30,
    )
    frame = GridFrame(west=EAST, north=NORTH + size_m, cell_m=1.0, rows=size_m, cols=size_m)
    row, col = np.mgrid[0:size_m, 0:size_m]
    values = (3.0 + 0.002 * row - 0.001 * col).astype(np.float32)
    terrain = Grid("terrain", frame, values, "m", illustrative=True, source="town")
    return Twin(
        name="town",
        frame=FRAME,
        tables={"building": building, "road": road, "tree": tree},
        rasters={"terrain": terrain},
    )
