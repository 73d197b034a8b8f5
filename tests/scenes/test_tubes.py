"""Pipes lie underground at their own level with their own diameter; what stands steps back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.jobs import QUIET
from cim.model import Twin
from cim.model.result import Result, ResultField
from scenes import palette
from scenes.compose import Picture, compose
from scenes.drawables import Surface
from scenes.drawers import draw
from scenes.moments import blank
from scenes.page_answers import frames
from scenes.page_blob import Blob
from scenes.parts import objects_of
from scenes.pick import Picker
from scenes.scene import Scene
from scenes.tubes import PIPES
from scenes.web import write_html
from tests.scenes.browser import missing, open_browser
from tests.scenes.conftest import note_undrawn
from tests.towns import EAST, NORTH, layer, town

SMALL = Scene(size=(320, 180), underground=True, bounds=(EAST, NORTH, EAST + 40, NORTH + 40))


def piped(**columns: list[float | None]) -> Twin:
    """The town with a storm sewer that bends and falls, a gas line and a manhole."""
    base = town()
    bent = shapely.LineString(
        [(EAST + 5, NORTH + 20), (EAST + 25, NORTH + 20), (EAST + 25, NORTH + 30)]
    )
    gas = shapely.LineString([(EAST + 10, NORTH + 5), (EAST + 10, NORTH + 35)])
    levels = {"invert_from_m": [1.0, 1.5], "invert_to_m": [0.4, 1.5], **columns}
    pipes = layer("pipe", [bent, gas], system=["storm", "gas"], diameter_m=[1.2, 0.4], **levels)
    node = layer("pipe_node", [shapely.Point(EAST + 25, NORTH + 20)], type=["manhole"],
                 ground_m=[3.2], invert_m=[0.6])  # fmt: skip
    return replace(base, tables={**base.tables, "pipe": pipes, "pipe_node": node})


def body(picture: Picture, id_: str) -> Surface:
    """Return the surface an object is part of, its own triangles alone."""
    for one in picture.bodies:
        mine = np.flatnonzero(one.ids.astype(str) == id_)
        if len(mine):
            return replace(one, triangles=one.triangles[one.owner == mine[0]])
    raise AssertionError(f"{id_} is not drawn")


def points(surface: Surface, picture: Picture) -> np.ndarray:
    """Return the corners in use, in metres of the twin from the town's corner."""
    o = picture.origin
    used = surface.vertices[np.unique(surface.triangles)].astype(np.float64)
    return used + (o.x - EAST, o.y - NORTH, o.z)


def test_a_tube_has_its_pipes_diameter_and_its_bottom_runs_from_invert_to_invert() -> None:
    view = piped()
    picture = compose(SMALL, view)
    storm, gas = view.table("pipe").ids
    seen = points(body(picture, storm), picture)
    first = seen[np.abs(seen[:, 0] - 5) < 0.05]
    assert first[:, 2].min() == pytest.approx(1.0, abs=0.04)  # a decagon in the circle
    assert first[:, 2].max() == pytest.approx(2.2, abs=0.04)
    corner = seen[(np.abs(seen[:, 0] - 25) < 0.05) & (np.abs(seen[:, 1] - 20) < 0.61)]
    assert corner[:, 2].min() == pytest.approx(1.0 - 0.6 * 20 / 30, abs=0.06)
    assert seen[:, 2].min() == pytest.approx(0.4, abs=0.04)
    across = points(body(picture, gas), picture)
    assert np.ptp(across[:, 0]) == pytest.approx(0.4, abs=0.03)
    line = body(picture, gas)
    assert tuple(line.rgb[line.triangles[0, 0]]) == PIPES["gas"]


def test_a_shaft_reaches_from_the_invert_to_the_ground() -> None:
    view = piped()
    picture = compose(SMALL, view)
    seen = points(body(picture, view.table("pipe_node").ids[0]), picture)
    assert (seen[:, 2].min(), seen[:, 2].max()) == (pytest.approx(0.6), pytest.approx(3.2))


def test_the_ground_is_seen_through_and_what_stands_steps_back_only_underground() -> None:
    view = piped()
    deep, plain = compose(SMALL, view), compose(replace(SMALL, underground=False), view)
    assert deep.ground.opacity < 1.0 == plain.ground.opacity
    house = view.table("building").ids[0]
    assert body(deep, house).opacity < 0.5 and body(plain, house).opacity == 1.0
    assert body(deep, view.table("pipe").ids[0]).opacity == 1.0


def test_a_pipe_without_levels_is_painted_and_counted_not_invented() -> None:
    view = piped(invert_to_m=[0.4, None])
    picture = compose(SMALL, view)
    gas = view.table("pipe").ids[1]
    assert all(gas not in set(one.ids) for one in picture.bodies)
    levelled = compose(SMALL, piped())
    assert picture.ground.objects == levelled.ground.objects + 1
    assert (picture.ground.image != levelled.ground.image).any()
    assert picture.objects == levelled.objects


def test_in_a_whole_city_tubes_are_at_least_a_pixel_wide() -> None:
    view = piped()
    wide = (EAST - 5e3, NORTH - 5e3, EAST + 5e3, NORTH + 5e3)
    picture = compose(replace(SMALL, bounds=wide), view)
    across = points(body(picture, view.table("pipe").ids[1]), picture)
    assert np.ptp(across[:, 0]) > 1e4 / 320  # metres a pixel


def test_one_points_at_pipes_through_the_ground() -> None:
    view = piped()
    picture = compose(SMALL, view)
    down = np.array([0.0, 0.0, -1.0])
    above = np.array([EAST + 10 - picture.origin.x, NORTH + 10 - picture.origin.y, 50.0])
    hit = Picker(picture).ray(above, down)
    assert hit is not None and hit.id == view.table("pipe").ids[1]
    plain = Picker(compose(replace(SMALL, underground=False), view)).ray(above, down)
    assert plain is not None and plain.id is None


def test_a_result_on_pipes_colours_the_tubes_and_a_selection_goes_before() -> None:
    view = piped()
    ids = view.table("pipe").ids
    field = ResultField("fill", "1", "links", np.array([0.1, 0.9]), {"en": "fill"}, "pipe", ids)
    result = Result("drains", {"en": "drains"}, (field,), {}, {}, 1, "test", True)
    picture = compose(SMALL, view, result)
    colours = [tuple(body(picture, i).rgb[body(picture, i).triangles[0, 0]]) for i in ids]
    assert picture.drawing is not None
    assert colours == [tuple(picture.drawing.objects["pipe"][i]) for i in ids]
    chosen = compose(replace(SMALL, selection=(ids[1],)), view)
    gas = body(chosen, ids[1])
    assert tuple(gas.rgb[gas.triangles[0, 0]]) == palette.PICKED


def filling(view: Twin) -> Result:
    """Two pipes that fill over time."""
    ids = view.table("pipe").ids
    values = np.array([[0.1, 0.9], [0.9, 0.1]])
    fill = ResultField("fill", "1", "links", values, {"en": "fill"}, "pipe", ids, over_time=True)
    times = np.array([0.0, 60.0])
    return Result("drains", {"en": "d"}, (fill,), {}, {}, 1, "test", True, times_s=times)


def page_frames(view: Twin, scene: Scene) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return a page's frames, and its colours (times, objects, 4)."""
    result, blob = filling(view), Blob()
    picture = compose(scene, view, blank(result, result.fields[0]))
    objects = objects_of(scene, view, picture)
    made = frames(blob, scene, view, result, picture, objects, QUIET)
    if made["colours"] is None:
        return made, None
    _, first, count = made["colours"]
    data = np.frombuffer(b"".join(blob.pieces), np.uint8)[first : first + count]
    return made, data.reshape(2, len(objects), 4)


def test_a_page_colours_the_tubes_at_each_moment_and_paints_nothing_over_them() -> None:
    view = piped()
    made, colours = page_frames(view, SMALL)
    assert made["overlays"] is None and colours is not None
    ids = view.table("pipe").ids
    objects = objects_of(SMALL, view, compose(SMALL, view))
    for step, time_s in enumerate((0.0, 60.0)):
        wanted = draw(filling(view), time_s=time_s).objects["pipe"]
        for one in ids:
            assert tuple(colours[step, objects.number[one]]) == (*wanted[one], 255)
    assert (colours[..., 3] > 0).sum() == 4  # two pipes, two moments, nothing else


def test_a_page_paints_the_pipes_that_do_not_say_their_level() -> None:
    made, colours = page_frames(piped(invert_from_m=[None, 1.5]), SMALL)
    assert colours is not None and len(made["overlays"]) == 2
    above, _ = page_frames(piped(), replace(SMALL, underground=False))
    assert len(above["overlays"]) == 2


def test_the_tubes_of_a_page_change_with_its_slider(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if missing():
        note_undrawn(f"{request.node.nodeid}: {missing()} not installed")
        pytest.skip(f"not installed: {missing()}")
    view, page = piped(), tmp_path / "pipes.html"
    write_html(replace(SMALL, size=(640, 360)), view, filling(view), path=page)
    with open_browser(tmp_path) as browser:
        browser.open(page)
        seen = []
        for step in (0, 1):
            browser.run("return window.cim.show(arguments[0])", step)
            seen.append(browser.picture().astype(int))
        apart = np.abs(seen[0] - seen[1]).max(axis=2)[100:600, 40:900]
        assert (apart > 60).sum() > 150  # yellow to violet and back
        assert browser.console() == []
