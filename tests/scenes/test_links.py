"""Results on streets: colour by value, width by share, arrows only where traffic goes one way."""

from __future__ import annotations

import numpy as np
import shapely

from cim.model import FeatureTable
from scenes import links
from scenes.ground import Painter
from scenes.palette import NO_VALUE
from tests.towns import EAST, NORTH, layer

BOUNDS = (EAST, NORTH, EAST + 200.0, NORTH + 200.0)
RED, BLUE = (200, 30, 30), (30, 60, 200)


def streets(*ways: str) -> FeatureTable:
    """Return parallel streets 160 m long, one for each of `ways`."""
    lines = [
        shapely.LineString([(EAST + 20, NORTH + 40 + 50 * i), (EAST + 180, NORTH + 40 + 50 * i)])
        for i in range(len(ways))
    ]
    return layer("road", lines, oneway=list(ways), carriageway_m=[10.0] * len(ways))


def painted(image: np.ndarray, rgb: tuple[int, int, int]) -> int:
    """Return how many pixels have a colour."""
    return int((image == rgb).all(axis=2).sum())


def test_a_street_with_all_the_flow_is_more_than_three_times_as_wide_as_one_with_none() -> None:
    table = streets("no", "no")
    painter = Painter(BOUNDS, 800)
    by_id = {str(table.ids[0]): RED, str(table.ids[1]): BLUE}
    share = {str(table.ids[0]): 1.0, str(table.ids[1]): 0.0}
    links.paint(painter, table, by_id, share)
    wide, narrow = painted(painter.image(), RED), painted(painter.image(), BLUE)
    # 16 m and 5 m wide with round ends: 160 w + pi w^2 / 4, at 16 pixels a square metre
    for pixels, width in ((wide, 16.0), (narrow, 5.0)):
        area = 160.0 * width + np.pi * width**2 / 4
        assert abs(pixels / 16.0 / area - 1.0) < 0.06
    assert wide > 3 * narrow


def test_a_street_without_a_value_is_grey() -> None:
    table = streets("no", "no")
    painter = Painter(BOUNDS, 400)
    links.paint(painter, table, {str(table.ids[0]): RED}, None)
    assert painted(painter.image(), RED) > 0 and painted(painter.image(), NO_VALUE) > 0


def arrow_pixels(way: str) -> np.ndarray:
    painter = Painter(BOUNDS, 800)
    table = streets(way)
    links.paint(painter, table, {str(table.ids[0]): BLUE}, None)
    return np.argwhere((painter.image() == (252, 252, 250)).all(axis=2))


def test_only_one_way_streets_carry_arrows_and_they_point_the_way_one_drives() -> None:
    assert not len(arrow_pixels("no"))
    east, west = arrow_pixels("yes"), arrow_pixels("reverse")
    assert len(east) > 50 and len(west) > 50
    # a head is broad at its back: of one arrow, the columns with most pixels lie behind its middle
    for pixels, ahead in ((east, 1.0), (west, -1.0)):
        first = pixels[pixels[:, 1] < 400]
        columns = np.bincount(first[:, 1])
        filled = np.flatnonzero(columns)
        middle = (filled[0] + filled[-1]) / 2
        assert (middle - np.argmax(columns)) * ahead > 0
