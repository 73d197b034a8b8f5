"""A twin of bare terrain shows its heights instead of an empty sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenes.compose import compose
from scenes.ground import levels
from scenes.measures import measured
from scenes.scene import Scene
from tests.towns import EAST, NORTH, town

SMALL = (160, 90)


def test_bare_terrain_gets_a_ramp_of_heights_with_its_unit() -> None:
    bare = replace(town(), tables={})
    picture = compose(Scene(size=SMALL, lang="zh"), bare)
    assert picture.drawing is not None and picture.drawing.cells is not None
    assert (picture.drawing.legend.title, picture.drawing.legend.unit) == ("地形", "m")
    assert picture.objects == 0 and picture.triangles > 0


def test_features_are_shown_as_themselves_without_heights_over_them() -> None:
    assert compose(Scene(size=SMALL), town()).drawing is None


def test_a_box_beside_the_terrain_has_no_relief() -> None:
    beside = (EAST + 5e3, NORTH, EAST + 6e3, NORTH + 1e3)
    assert measured(Scene(), town(), beside, otherwise_heights=True) is None
    bare, inside = replace(town(), rasters={}), (EAST, NORTH, EAST + 9, NORTH + 9)
    assert measured(Scene(), bare, inside, otherwise_heights=True) is None


def test_ground_goes_on_beyond_its_edge_and_a_hole_is_level_with_the_rest() -> None:
    grid = town().grid("terrain")
    values = grid.values.copy()
    values[50:60, 50:60] = np.nan
    holed = replace(grid, values=values)
    x0, y0, x1, y1 = holed.frame.bounds
    middle = (y0 + y1) / 2
    outside = np.array([(x0 - 500.0, middle), (x1 + 500.0, middle)])
    inside = np.array([(x0 + 0.5, middle), (x1 - 0.5, middle)])
    np.testing.assert_allclose(levels(holed, outside, 7.0), holed.sample(inside), atol=0.02)
    beside = np.array([(x0 - 0.1, middle), (x1 + 0.1, middle)])
    np.testing.assert_allclose(levels(holed, beside, 7.0), holed.sample(inside), atol=1e-3)
    hole = np.array([(x0 + 55.0, y1 - 55.0)])
    assert levels(holed, hole, 7.0)[0] == 7.0
    together = np.concatenate([inside, inside[:1], hole])
    assert levels(holed, together, 7.0)[3] == levels(holed, inside, 7.0)[0]


def test_pipes_are_named_in_the_legend_only_underground() -> None:
    import shapely

    from tests.towns import layer

    line = shapely.LineString([(EAST, NORTH), (EAST + 50, NORTH + 50)])
    pipes = layer("pipe", [line], system=["gas"], diameter_m=[0.2])
    twin = replace(town(), tables={**town().tables, "pipe": pipes})
    shown = compose(Scene(size=SMALL, underground=True, lang="zh"), twin)
    assert [text for _, text in shown.keys] == ["燃气管"]
    assert compose(Scene(size=SMALL), twin).keys == ()
