"""Orthophotos and base maps lie on the ground in their own colours; measures with a ramp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cim.errors import ShapeError
from cim.model import Grid, GridFrame, Twin
from cim.model.colour import packed, unpacked
from scenes.compose import Picture, compose
from scenes.scene import Scene, Style
from tests.towns import EAST, NORTH, town

SMALL = (320, 180)
RED, BLUE = (200, 30, 40), (20, 60, 210)


def picture_of(**colours: tuple[int, int, int]) -> Twin:
    """Return the town with pictures over its south-western quarter, one an argument."""
    base = town()
    rasters = dict(base.rasters)
    frame = GridFrame(EAST, NORTH + 100, 0.5, 200, 200)
    for name, rgb in colours.items():
        image = np.broadcast_to(np.array(rgb, np.uint8)[:, None, None], (3, *frame.shape))
        shown = np.ones(frame.shape, bool)
        shown[:20] = False  # ten metres at the northern edge have no picture
        layer = f"image/{name}"
        rasters[layer] = Grid(layer, frame, packed(image, shown), "rgb", False, f"photo {name}")
    return replace(base, rasters=rasters)


def painted(picture: Picture, x: float, y: float) -> tuple[int, ...]:
    """Return the painted ground's colour at metres from the town's corner."""
    points, image = picture.ground.points, picture.ground.image
    west, north = points[0, 0, :2] + (picture.origin.x, picture.origin.y)
    east, south = points[-1, -1, :2] + (picture.origin.x, picture.origin.y)
    h, w, _ = image.shape
    row = int((north - (NORTH + y)) / (north - south) * h)
    col = int((EAST + x - west) / (east - west) * w)
    return tuple(int(v) for v in image[row, col])


def test_a_picture_covers_the_painted_map_only_where_it_has_pixels() -> None:
    bare = compose(Scene(size=SMALL), town())
    laid = compose(Scene(size=SMALL), picture_of(old=RED))
    assert painted(laid, 50, 50) == RED  # a street and shade lie below it
    assert painted(laid, 50, 95) == painted(bare, 50, 95)
    assert painted(laid, 150, 150) == painted(bare, 150, 150)
    assert "photo old" in laid.sources


def test_the_picture_named_last_lies_on_top_and_others_stay_away() -> None:
    twin = picture_of(old=RED, new=BLUE)
    both = Scene(size=SMALL, layers=("building", "image/new", "image/old"))
    assert painted(compose(both, twin), 30, 10) == RED
    one = Scene(size=SMALL, layers=("building", "image/new"))
    assert painted(compose(one, twin), 30, 10) == BLUE
    none = Scene(size=SMALL, layers=("building",))
    assert painted(compose(none, twin), 30, 10) not in (RED, BLUE)


def test_a_pictures_opacity_lets_the_map_show_through() -> None:
    twin = picture_of(old=RED)
    whole = np.array(painted(compose(Scene(size=SMALL), town()), 30, 10))
    half = Scene(size=SMALL, styles=(Style("image/old", opacity=0.5),))
    seen = np.array(painted(compose(half, twin), 30, 10))
    np.testing.assert_allclose(seen, (whole + RED) / 2, atol=1.5)
    hidden = Scene(size=SMALL, styles=(Style("image/old", visible=False),))
    assert painted(compose(hidden, twin), 30, 10) == tuple(whole)


def test_fine_pixels_are_averaged_as_colours_not_as_numbers() -> None:
    base = town()
    frame = GridFrame(EAST, NORTH + 200, 0.05, 4000, 4000)
    checks = (np.indices(frame.shape).sum(axis=0) % 2).astype(bool)
    image = np.where(checks, 255, 0).astype(np.uint8) * np.array([1, 0, 1], np.uint8)[:, None, None]
    grid = Grid("image", frame, packed(image, np.ones(frame.shape)), "rgb")
    twin = replace(base, rasters={**base.rasters, "image": grid})
    seen = painted(compose(Scene(size=SMALL), twin), 100.3, 100.3)
    assert abs(seen[0] - 127) <= 7 and seen[1] == 0 and seen[2] == seen[0]  # 13 of 25


def test_a_twin_of_a_picture_alone_is_drawn() -> None:
    twin = replace(picture_of(old=RED), tables={})
    picture = compose(Scene(size=SMALL), twin)
    assert picture.drawing is None and painted(picture, 30, 10) == RED


def test_a_grid_of_measures_is_draped_with_its_ramp_where_the_scene_names_it() -> None:
    base = town()
    frame = GridFrame(EAST, NORTH + 200, 2.0, 100, 100)
    values = np.full(frame.shape, 30.0, np.float32)
    values[:, 50:] = np.nan
    twin = replace(base, rasters={**base.rasters, "surface": Grid("surface", frame, values, "m")})
    scene = Scene(size=SMALL, layers=("building", "surface"), lang="en")
    picture = compose(scene, twin)
    assert picture.drawing is not None
    legend = picture.drawing.legend
    assert (legend.title, legend.unit) == ("surface with buildings", "m")
    assert picture.objects == 12  # the houses stand on it all the same
    plain = compose(replace(scene, layers=("building",)), twin)
    assert plain.drawing is None
    muted = painted(compose(replace(scene, layers=("building", "terrain")), twin), 190, 60)
    assert muted != painted(picture, 190, 60)  # no value there: the ground shows


def test_colours_have_no_mean() -> None:
    grid = picture_of(old=RED).grid("image/old")
    with pytest.raises(ShapeError, match="mean"):
        grid.coarsened(2)
    at = np.array([(EAST + 30.26, NORTH + 10.24)])
    assert unpacked(grid.sample(at)[None])[0, 0].tolist() == [*RED, 255]
