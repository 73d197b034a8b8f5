"""What a scene says of looks is seen: styles, selection, labels, eye, cuts, sun, search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.errors import RequestError
from cim.model import Twin
from kernels.spatial.tint import lay_over, tint
from scenes import palette
from scenes.backend import shoot
from scenes.compose import Picture, compose
from scenes.scene import Annotation, Eye, Plane, Scene, Style
from scenes.theme import CLASSES, found, themed
from tests.towns import EAST, NORTH, town

SIZE = (320, 180)
SCENE = Scene(size=SIZE)


def colours(picture: Picture, id_: str) -> set[tuple[int, ...]]:
    made: set[tuple[int, ...]] = set()
    for surface in picture.surfaces:
        for who in np.flatnonzero(surface.ids == id_):
            corners = np.unique(surface.triangles[surface.owner == who])
            made |= {tuple(int(v) for v in c) for c in surface.rgb[corners]}
    return made


def changed(before: Picture, after: Picture) -> float:
    a, b = (shoot(p, SIZE).pixels.astype(int) for p in (before, after))
    return float((np.abs(a - b).max(axis=-1) > 24).mean())


def test_a_layer_is_coloured_by_the_numbers_of_an_attribute() -> None:
    view = town()
    made = themed(replace(SCENE, styles=(Style("building", by="height_m"),)), view, ["building"])
    assert made is not None and made.legend.unit == "m"
    table = view.table("building")
    by_height: dict[float, set[Any]] = {}
    for id_, height in zip(table.ids, table.numbers("height_m"), strict=True):
        by_height.setdefault(height, set()).add(made.objects["building"][id_])
    assert all(len(one) == 1 for one in by_height.values()) and len(by_height) == 4
    assert len({next(iter(one)) for one in by_height.values()}) == 4


def test_the_unit_of_an_attribute_is_written_as_it_is_printed() -> None:
    view = town()
    table = view.table("building")
    areas = {**table.columns, "floor_area_m2": np.arange(len(table), dtype=np.float64)}
    view = replace(view, tables={**view.tables, "building": replace(table, columns=areas)})
    style = Style("building", by="floor_area_m2")
    made = themed(replace(SCENE, styles=(style,)), view, ["building"])
    assert made is not None and made.legend.unit == "m²"


def test_no_value_has_its_own_colour_and_a_word_for_it() -> None:
    view = town()
    table = view.table("building")
    heights = table.numbers("height_m")
    heights[3] = np.nan
    holed = replace(table, columns={**table.columns, "height_m": heights})
    view = replace(view, tables={**view.tables, "building": holed})
    made = themed(replace(SCENE, styles=(Style("building", by="height_m"),)), view, ["building"])
    assert made is not None
    assert made.objects["building"][table.ids[3]] == palette.NO_VALUE
    assert [colour for colour, _ in made.legend.keys] == [palette.NO_VALUE]


def test_one_tower_does_not_paint_a_whole_town_in_one_colour() -> None:
    view = town(houses=100, size_m=900)
    table = view.table("building")
    tall = {**table.columns, "height_m": np.r_[np.linspace(4.0, 24.0, 99), 300.0]}
    view = replace(view, tables={**view.tables, "building": replace(table, columns=tall)})
    made = themed(replace(SCENE, styles=(Style("building", by="height_m"),)), view, ["building"])
    assert made is not None
    assert made.legend.marks[-1] == (1.0, "≥ 25")
    own = themed(
        replace(SCENE, styles=(Style("building", by="height_m", limits=(10.0, 20.0)),)),
        view,
        ["building"],
    )
    assert own is not None
    assert (own.legend.marks[0][1], own.legend.marks[-1][1]) == ("≤ 10", "≥ 20")


def test_classes_have_colours_of_their_own() -> None:
    view = town()
    made = themed(replace(SCENE, styles=(Style("road", by="name"),)), view, ["road"])
    assert made is not None
    assert [text for _, text in made.legend.keys] == ["东路", "南路"]
    assert set(made.objects["road"].values()) == set(CLASSES[:2])


def test_an_attribute_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(RequestError) as caught:
        compose(replace(SCENE, styles=(Style("building", by="wings"),)), town())
    assert "wings" in str(caught.value) and "height_m" in str(caught.value)


def test_a_layer_may_have_one_colour_or_be_left_out() -> None:
    view = town()
    red = compose(replace(SCENE, styles=(Style("building", rgb=(200, 10, 10)),)), view)
    assert (200, 10, 10) in colours(red, view.table("building").ids[0])
    none = compose(replace(SCENE, styles=(Style("building", visible=False),)), view)
    assert none.objects == 4 + 30


def test_what_is_picked_out_stands_out_and_nothing_else_changes() -> None:
    view = town()
    first, second = view.table("building").ids[:2]
    plain, picked = compose(SCENE, view), compose(replace(SCENE, selection=(first,)), view)
    assert palette.PICKED in colours(picked, first)
    assert colours(picked, second) == colours(plain, second)


def test_a_street_picked_out_is_painted(screen: None) -> None:
    view = town()
    scene = replace(SCENE, selection=(view.table("road").ids[0],))
    assert changed(compose(SCENE, view), compose(scene, view)) > 0.001


def test_a_cut_takes_half_the_town_away(screen: None) -> None:
    view = town()
    plane = Plane((EAST + 100.0, NORTH + 100.0, 0.0), (1.0, 0.0, 0.0))
    plain = compose(SCENE, view)
    assert (
        changed(plain, replace(plain, clip=compose(replace(SCENE, clip=(plane,)), view).clip)) > 0.1
    )


def test_an_eye_looks_from_where_it_is_put_to_its_focus() -> None:
    eye = Eye((EAST + 100.0, NORTH - 150.0, 120.0), (EAST + 100.0, NORTH + 100.0, 3.0), 40.0)
    picture = compose(replace(SCENE, eye=eye), town())
    o = picture.origin
    np.testing.assert_allclose(picture.camera.position + (o.x, o.y, o.z), eye.position)
    middle = picture.camera.project(picture.camera.focus[None], SIZE)[0]
    np.testing.assert_allclose(middle, (SIZE[0] / 2, SIZE[1] / 2), atol=1e-6)
    assert picture.camera.turn_deg == pytest.approx(0.0)


@pytest.mark.parametrize("height_m", [120.0, -500.0])
def test_straight_down_and_from_below_are_views_too(screen: None, height_m: float) -> None:
    eye = Eye((EAST + 100.0, NORTH + 100.0, height_m), (EAST + 100.0, NORTH + 100.0, 3.0))
    assert shoot(compose(replace(SCENE, eye=eye), town()), SIZE).pixels.shape == (180, 320, 3)


def test_an_eye_within_a_house_gets_a_picture(screen: None) -> None:
    x, y = town().table("building").geometry[5].centroid.coords[0]
    eye = Eye((x, y, 5.0), (x + 50.0, y, 5.0))
    picture = compose(replace(SCENE, eye=eye), town())
    assert len(np.unique(shoot(picture, SIZE).pixels.reshape(-1, 3), axis=0)) > 3


def test_the_sun_of_an_instant_lights_the_scene() -> None:
    """In Tianjin at true noon it stands in the south; on 22 June about 74 degrees high."""
    light = compose(replace(SCENE, sun="2026-06-22T12:13:00+08:00"), town()).light
    assert np.degrees(np.arcsin(light[2])) == pytest.approx(74.3, abs=0.3)
    assert light[1] < 0 and abs(light[0]) < 0.02


def test_at_night_the_scene_says_so() -> None:
    with pytest.raises(RequestError) as caught:
        compose(replace(SCENE, sun="2026-06-22T00:10:00+08:00"), town())
    assert caught.value.key == "scenes.night"


def test_texts_are_pinned_where_they_belong(screen: None) -> None:
    at = (EAST + 100.0, NORTH + 100.0, 3.0)
    scene = replace(
        SCENE, annotations=(Annotation("此处积水", at),), styles=(Style("building", label="name"),)
    )
    picture = compose(scene, town())
    pinned, *others = picture.labels
    o = picture.origin
    assert pinned.pinned and pinned.at == (at[0] - o.x, at[1] - o.y, at[2] - o.z)
    assert {one.text for one in others} == {f"房屋{i + 1}" for i in range(12)}


@pytest.mark.parametrize(
    ("text", "layers"),
    [("房屋3", ["building"]), ("东路", ["road", "road"]), ("  ", []), ("xyz", [])],
)
def test_objects_are_found_by_name(text: str, layers: list[str]) -> None:
    assert [layer for layer, _, _ in found(town(), text)] == layers


def test_objects_are_found_by_id_and_no_more_than_asked() -> None:
    view: Twin = town()
    id_ = str(view.table("tree").ids[7])
    assert found(view, id_.upper()) == [("tree", id_, id_)]
    assert len(found(view, "房屋", most=5)) == 5


@settings(deadline=None)
@given(st.lists(st.floats(-2, 3, width=32), min_size=1, max_size=30))
def test_cells_are_tinted_as_by_a_plain_lookup(values: list[float]) -> None:
    table = np.arange(40, dtype=np.uint8).reshape(10, 4)
    grid = np.array([[np.nan, *values]], dtype=np.float32)
    out = np.empty((*grid.shape, 4), np.uint8)
    tint(grid, table, 0.0, 2.0, 0.25, out)
    for value, rgba in zip(grid[0], out[0], strict=True):
        if not value > 0.25:
            assert rgba.tolist() == [0, 0, 0, 0]
        else:
            at = float(value) / 2.0 * 9
            near = {int(np.clip(np.floor(at + 0.5 + e), 0, 9)) for e in (-1e-4, 1e-4)}
            assert rgba.tolist() in [table[k].tolist() for k in near]


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_cells_lie_over_an_image_as_glass_does(finer: int, seed: int) -> None:
    """Beside numpy: share of the cell plus the rest of what is below, to half a step."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (3, 4, 4)).astype(np.uint8)
    base = rng.integers(0, 256, (3 * finer, 4 * finer, 4)).astype(np.uint8)
    base[..., 3] = 255
    out = np.zeros((3 * finer + 2, 4 * finer + 2, 4), np.uint8)
    lay_over(cells, base, out)
    large = cells.repeat(finer, axis=0).repeat(finer, axis=1).astype(float)
    share = large[..., 3:] / 255
    expected = large[..., :3] * share + base[..., :3] * (1 - share)
    assert np.abs(out[1:-1, 1:-1, :3] - expected).max() <= 0.51
    assert (out[1:-1, 1:-1, 3] == 255).all() and not out[0].any() and not out[:, -1].any()
