"""Land cover lies on the ground where it belongs, each class with a key of its colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cim.model import Grid, GridFrame, Twin
from scenes.compose import Picture, compose
from scenes.scene import Scene, Style
from tests.towns import EAST, NORTH, town

BOX = (EAST, NORTH, EAST + 200.0, NORTH + 200.0)


def covered(name: str = "land_cover/2026", classes: tuple[float, ...] = (5.0, 2.0, 7.0)) -> Twin:
    """The bare town's ground: strips of classes from west to east, the last cells unknown."""
    base = town()
    frame = GridFrame(west=EAST, north=NORTH + 200, cell_m=10.0, rows=20, cols=20)
    values = np.full(frame.shape, np.nan, np.float32)
    for i, one in enumerate(classes):
        values[:, 16 * i // len(classes) : 16 * (i + 1) // len(classes)] = one
    grid = Grid(name, frame, values, "class", source="survey of cover")
    tables = {"building": base.table("building")}
    return replace(base, tables=tables, rasters={**base.rasters, name: grid})


def ground_at(made: Picture, east: float, north: float) -> tuple[int, ...]:
    """Colour of the painted ground at a place of the town."""
    x, y = EAST + east - made.origin.x, NORTH + north - made.origin.y
    points, image = made.ground.points, made.ground.image
    (x0, y0), (x1, y1) = points[0, 0, :2], points[-1, -1, :2]
    col = int((x - x0) / (x1 - x0) * image.shape[1])
    row = int((y0 - y) / (y0 - y1) * image.shape[0])
    return tuple(int(v) for v in image[row, col])


def test_each_class_lies_in_its_place_in_the_colour_of_its_key() -> None:
    made = compose(Scene(bounds=BOX, lang="en"), covered())
    keys = {text: rgb for rgb, text in made.keys}
    assert list(keys) == ["land cover 2", "land cover 5", "land cover 7"]
    assert len(set(keys.values())) == 3
    for text, east in (("land cover 5", 5.0), ("land cover 2", 78.0), ("land cover 7", 152.0)):
        assert ground_at(made, east, 195.0) == keys[text]
    assert ground_at(made, 185.0, 195.0) not in keys.values()  # unknown stays bare
    assert "survey of cover" in made.sources


def test_the_key_of_a_clear_cover_is_what_one_sees() -> None:
    made = compose(
        Scene(bounds=BOX, styles=(Style("land_cover/2026", opacity=0.5),), lang="en"), covered()
    )
    (rgb,) = (rgb for rgb, text in made.keys if text == "land cover 5")
    assert np.abs(np.array(ground_at(made, 5.0, 195.0)) - rgb).max() <= 1


@pytest.mark.parametrize(
    "scene",
    [
        Scene(bounds=BOX, layers=("building",)),
        Scene(bounds=BOX, styles=(Style("land_cover/2026", visible=False),)),
        Scene(bounds=BOX, styles=(Style("land_cover/2026", opacity=0.0),)),
    ],
)
def test_cover_that_is_not_asked_for_is_not_laid(scene: Scene) -> None:
    made = compose(scene, covered())
    assert made.keys == ()
    assert ground_at(made, 5.0, 195.0) == ground_at(made, 185.0, 195.0)


def test_other_grids_of_classes_are_laid_where_named() -> None:
    view = covered("terrain_source")
    assert compose(Scene(bounds=BOX), view).keys == ()
    assert len(compose(Scene(bounds=BOX, layers=("terrain_source",)), view).keys) == 3


def test_more_classes_than_colours_share_one_and_are_counted() -> None:
    made = compose(
        Scene(bounds=BOX, lang="en"), covered(classes=tuple(float(n) for n in range(1, 17)))
    )
    assert len(made.keys) == 9
    assert made.keys[-1][1] == "8 others (160)"
