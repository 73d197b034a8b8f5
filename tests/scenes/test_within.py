"""A camera inside a body is told so; one in the open, in a court or above it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from cim.model import Twin
from scenes.compose import compose
from scenes.film import through, write_film
from scenes.render import render_scene
from scenes.scene import Eye, Scene
from scenes.web import write_html
from scenes.within import within
from tests.benchmarks.metropolis import metropolis
from tests.towns import EAST, NORTH, layer, town


def _court() -> Twin:
    """One house 40 × 40 m around a court of 20 × 20 m, a pitched one, and a garden wall."""
    ring = shapely.box(EAST, NORTH, EAST + 40, NORTH + 40).difference(
        shapely.box(EAST + 10, NORTH + 10, EAST + 30, NORTH + 30)
    )
    roofed = shapely.box(EAST + 60, NORTH, EAST + 74, NORTH + 10)
    line = shapely.LineString([(EAST + 60, NORTH + 30), (EAST + 80, NORTH + 30)])
    base = town()
    houses = layer(
        "building", [ring, roofed], height_m=[12.0, 9.0], storeys_above=[4, 2],
        roof_type=["flat", "gabled"], base_m=[3.0, 3.0],
    )  # fmt: skip
    wall = layer("wall", [line], height_m=[3.0], thickness_m=[0.6])
    return replace(base, tables={"building": houses, "wall": wall})


@pytest.mark.parametrize(
    ("east", "north", "high", "inside"),
    [
        (5.0, 20.0, 6.0, {"ring"}),
        (20.0, 20.0, 6.0, set()),
        (5.0, 20.0, 30.0, set()),
        (-5.0, 20.0, 6.0, set()),
        (67.0, 5.0, 5.0, {"roofed"}),
        (70.0, 30.0, 4.5, {"wall"}),
        (70.0, 31.0, 4.5, set()),
    ],
)
def test_the_bodies_around_an_eye_are_named(
    east: float, north: float, high: float, inside: set[str]
) -> None:
    view = _court()
    names = {str(view.table("building").ids[0]): "ring", str(view.table("wall").ids[0]): "wall"}
    names[str(view.table("building").ids[1])] = "roofed"
    made = compose(Scene(), view)
    o = made.origin
    place = np.array([EAST + east - o.x, NORTH + north - o.y, high - o.z])
    assert {names[i] for i in within(made, place)} == inside


def test_in_a_city_of_tiles_the_same_houses_are_named_as_by_their_outlines() -> None:
    view = metropolis(16_000)
    made = compose(Scene(), view)
    (blocks,) = made.blocks
    rng = np.random.default_rng(3)
    table = view.table("building")
    low, high = np.asarray(table.bounds()).reshape(2, 2)
    some = table.geometry[rng.integers(len(table), size=50)]
    inner = shapely.get_coordinates(shapely.point_on_surface(some))
    spots = np.concatenate([rng.uniform(low, high, (100, 2)), inner])
    tree = shapely.STRtree(table.geometry)
    o = made.origin
    met = 0
    for spot in spots:
        place = np.array([*(spot - (o.x, o.y)), 1.5 + float(np.median(blocks.low))])
        rows = tree.query(shapely.Point(spot), predicate="within")
        rows = rows[[bool((blocks.high[blocks.owner == r] > place[2]).any()) for r in rows]]
        assert set(within(made, place)) == set(table.ids[rows].astype(str))
        met += len(rows)
    assert met > 10


@pytest.mark.usefixtures("screen")
def test_the_report_of_a_picture_names_the_house_its_camera_is_in(tmp_path: Path) -> None:
    view = _court()
    eye = Eye((EAST + 5.0, NORTH + 20.0, 6.0), (EAST + 20.0, NORTH + 20.0, 6.0))
    scene = Scene(size=(96, 64), eye=eye)
    report = render_scene(scene, view, path=tmp_path / "in.png")
    assert report.inside == (str(view.table("building").ids[0]),)
    assert render_scene(Scene(size=(96, 64)), view, path=tmp_path / "out.png").inside == ()


def _from_within(view: Twin) -> Scene:
    eye = Eye((EAST + 5.0, NORTH + 20.0, 6.0), (EAST + 60.0, NORTH + 20.0, 5.0))
    return Scene(size=(160, 90), eye=eye, lang="en")


def test_a_page_names_the_wall_its_first_view_stands_in(tmp_path: Path) -> None:
    view = _court()
    report = write_html(_from_within(view), view, path=tmp_path / "x.html")
    assert report.inside == (str(view.table("building").ids[0]),)
    assert write_html(Scene(size=(160, 90)), view, path=tmp_path / "y.html").inside == ()


def test_a_notebook_says_so_below_the_picture(screen: None) -> None:
    view = _court()
    ring = str(view.table("building").ids[0])
    for live in (False, True):
        shown = _from_within(view).show(view, live=live)
        assert shown.inside == (ring,) and f"inside {ring}" in shown.caption
    assert "inside" not in Scene(size=(160, 90), lang="en").show(view).caption


def test_a_film_names_every_wall_on_its_way(tmp_path: Path, screen: None) -> None:
    view = _court()
    ring, roofed = map(str, view.table("building").ids)
    aim = (EAST + 200.0, NORTH + 5.0, 5.0)
    way = through([((EAST - 20.0, NORTH + 5.0, 5.0), aim), ((EAST + 90.0, NORTH + 5.0, 5.0), aim)])
    film = write_film(Scene(size=(64, 64)), view, path=tmp_path / "x.mp4", way=way, seconds=1.0)
    assert set(film.inside) == {ring, roofed}
