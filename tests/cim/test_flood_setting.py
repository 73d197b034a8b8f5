"""What a flood meets besides ground and rain, put together: walls beside porous buildings."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import shapely

from cim.flood import even_storm
from cim.flood.ground import lay_out
from cim.flood.setting import set_up
from cim.model import Grid, GridFrame, Twin
from tests.towns import EAST, FRAME, NORTH, box, layer

CELL_M = 8.0


def test_a_wall_beside_a_porous_building_leaves_the_narrower_of_both_ways() -> None:
    line = shapely.LineString([(EAST + 24.5, NORTH + 1), (EAST + 24.5, NORTH + 23)])
    wall = layer("wall", [line],
                 type=["院墙"], height_m=[2.0])  # fmt: skip
    house = layer("building", [box(18, 18, 12, 12)], height_m=[5.0])
    z = np.full((6, 6), 3.0, np.float32)
    grid = Grid("terrain", GridFrame(EAST, NORTH + 48.0, CELL_M, 6, 6), z, "m")
    town = Twin(name="t", frame=FRAME, tables={"building": house, "wall": wall},
                rasters={"terrain": grid})  # fmt: skip
    site = lay_out(town, cell_m=CELL_M, buildings="porous")
    with ExitStack() as stack:
        setting = set_up(town, site, storm=even_storm(depth_mm=10, duration_min=1),
                         duration_s=60.0, drains="sinks", infiltration="none", zones=None,
                         stack=stack)  # fmt: skip
    found = setting.crossings.found
    assert site.gaps.found[(0, 3, 3)] == (np.inf, pytest.approx(0.25))
    assert found[(0, 3, 3)] == (np.inf, 0.0)  # the wall closes what the house leaves open
    assert found[(0, 4, 3)] == (pytest.approx(5.0), 0.0)  # the wall alone
    assert found[(0, 2, 3)] == (np.inf, pytest.approx(0.25))  # the house alone
