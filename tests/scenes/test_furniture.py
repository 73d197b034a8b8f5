"""Street furniture stands where it is, as tall as it is, each type in a shape of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from cim.model import Twin
from scenes import palette
from scenes.compose import compose
from scenes.furniture import TYPES
from scenes.scene import Scene
from scenes.stamps import beam
from tests.scenes.test_tubes import body, points
from tests.towns import EAST, NORTH, layer, town

SMALL = Scene(size=(320, 180))


def furnished(types: list[str], heights: list[float | None]) -> Twin:
    base = town()
    spots = [shapely.Point(EAST + 20 + 3 * i, NORTH + 50) for i in range(len(types))]
    table = layer("furniture", spots, type=types, height_m=heights)
    return replace(base, tables={**base.tables, "furniture": table})


def test_each_type_stands_on_the_ground_at_its_own_height() -> None:
    view = furnished(["lamp_post", "camera", "unheard_of"], [9.0, None, None])
    picture = compose(SMALL, view)
    table = view.table("furniture")
    ground = view.grid("terrain").sample(shapely.get_coordinates(table.geometry))
    for i, (id_, height) in enumerate(zip(table.ids, (9.0, 5.0, 1.0), strict=True)):
        seen = points(body(picture, id_), picture)
        assert seen[:, 2].min() == pytest.approx(ground[i], abs=0.02)
        assert seen[:, 2].max() == pytest.approx(ground[i] + height, abs=0.2)
        assert np.abs(seen[:, :2] - (20 + 3 * i, 50)).max() < 2.5
    assert picture.objects == compose(SMALL, town()).objects + 3


@pytest.mark.parametrize("type_", TYPES)
def test_a_shape_is_one_metre_tall_stands_on_its_foot_and_gets_simpler_by_the_thousand(
    type_: str,
) -> None:
    make, usual_m = TYPES[type_]
    shape = make(False)
    assert shape.points[:, 2].min() == pytest.approx(0.0, abs=0.05) and usual_m > 0
    assert shape.points[:, 2].max() == pytest.approx(1.0, abs=0.35)
    assert shape.faces.max() < len(shape.points) and len(make(True).faces) <= len(shape.faces)


def test_bars_face_outwards() -> None:
    for end in ((0.0, 0.0, 2.0), (1.0, 0.5, 0.2), (0.0, -3.0, 0.0)):
        bar = beam((0.0, 0.0, 0.0), end, 0.3, sides=6)
        corners = bar.points[bar.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        out = corners.mean(axis=1) - np.array(end) / 2
        assert ((normal * out).sum(axis=1) > 0).all()


def test_six_thousand_lamps_are_one_surface_of_three_sided_poles() -> None:
    view = furnished(["lamp_post"] * 6000, [8.0] * 6000)
    picture = compose(replace(SMALL, layers=("furniture",)), view)
    (lamps,) = [s for s in picture.bodies if len(s.ids)]
    assert len(lamps.ids) == 6000 and len(lamps.triangles) == 6000 * 9


def test_a_bus_stop_is_a_body_and_a_chosen_one_shines() -> None:
    base = town()
    stop = layer("transit_stop", [shapely.Point(EAST + 30, NORTH + 30)])
    view = replace(base, tables={**base.tables, "transit_stop": stop})
    picture = compose(replace(SMALL, selection=(str(stop.ids[0]),)), view)
    pole = body(picture, str(stop.ids[0]))
    assert tuple(pole.rgb[pole.triangles[0, 0]]) == palette.PICKED
    assert np.ptp(points(pole, picture)[:, 2]) == pytest.approx(2.8, abs=0.1)
