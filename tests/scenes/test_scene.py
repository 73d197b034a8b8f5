"""A scene is data: it goes through JSON unchanged, and strange texts get an answer."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cim.errors import RequestError
from scenes.compose import compose
from scenes.history import History, command
from scenes.scene import SCHEMA, Annotation, Bookmark, Eye, Plane, Scene, Style, scene_from_json
from tests.towns import EAST, NORTH, town

FULL = Scene(
    layers=("building", "road"),
    bounds=(517000.0, 4330600.0, 517200.5, 4330800.25),
    camera="street",
    run="run-1",
    field="depth_m",
    time_s=1800.0,
    scheme="新楼",
    size=(640, 360),
    lang="zh",
    title="五大道",
    underground=True,
    styles=(
        Style("building", opacity=0.5, by="height_m", ramp="heat", limits=(0.0, 60.0)),
        Style("tree", visible=False, rgb=(90, 120, 80), label="species"),
    ),
    legend=False,
    eye=Eye((517100.0, 4330500.0, 80.0), (517100.0, 4330700.0, 3.0), 40.0),
    bookmarks=(
        Bookmark("民园", eye=Eye((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), time_s=60.0),
        Bookmark("plan", camera="top", bounds=(0.0, 0.0, 9.0, 9.0)),
    ),
    clip=(Plane((517100.0, 4330700.0, 3.0), (0.0, 1.0, 0.0)),),
    sun="2026-12-22T12:00:00+08:00",
    selection=("bld-1", "bld-2"),
    annotations=(Annotation("此处积水", (517100.0, 4330700.0, 3.0)),),
)


@pytest.mark.parametrize("scene", [Scene(), FULL], ids=["plain", "full"])
def test_a_scene_goes_through_json_unchanged(scene: Scene) -> None:
    assert scene_from_json(scene.to_json()) == scene


def test_the_full_scene_of_these_tests_leaves_nothing_at_its_default() -> None:
    plain = Scene()
    assert [f.name for f in fields(Scene) if getattr(FULL, f.name) == getattr(plain, f.name)] == []


def test_the_text_names_its_schema_and_keeps_chinese_readable() -> None:
    text = FULL.to_json()
    assert json.loads(text)["schema"] == SCHEMA
    assert "五大道" in text


def test_a_scene_of_a_newer_program_is_refused_by_number() -> None:
    newer = json.dumps({**json.loads(Scene().to_json()), "schema": SCHEMA + 1})
    with pytest.raises(RequestError) as caught:
        scene_from_json(newer)
    assert caught.value.key == "scenes.newer_scene"
    assert str(SCHEMA + 1) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "17",
        "{}",
        '{"schema": "one"}',
        '{"schema": 1, "wings": 2}',
        '{"schema": 1, "size": 4}',
        '{"schema": 1, "size": [1280]}',
        '{"schema": 1, "size": ["wide", "high"]}',
        '{"schema": 1, "camera": "from the moon"}',
        '{"schema": 1, "bounds": [1, 2, 3]}',
        '{"schema": 1, "bounds": [0, 0, "a", "b"]}',
        '{"schema": 1, "bounds": [10, 10, 0, 0]}',
        '{"schema": 1, "layers": "building"}',
        '{"schema": 1, "lang": "fr"}',
        '{"schema": 1, "time_s": "noon"}',
        '{"schema": 2, "styles": [{"layer": "road", "opacity": 1.5}]}',
        '{"schema": 2, "styles": [{"opacity": 1}]}',
        '{"schema": 2, "styles": [{"layer": "road", "rgb": [1, 2, 300]}]}',
        '{"schema": 2, "styles": [{"layer": "road", "limits": [3, 3]}]}',
        '{"schema": 2, "styles": [{"layer": "road", "ramp": "jet"}]}',
        '{"schema": 2, "styles": {"layer": "road"}}',
        '{"schema": 2, "styles": ["road"]}',
        '{"schema": 2, "eye": {"position": [0, 0, 0], "focus": [0, 0, 0]}}',
        '{"schema": 2, "eye": {"position": [0, 0], "focus": [1, 0, 0]}}',
        '{"schema": 2, "eye": [0, 0, 0]}',
        '{"schema": 2, "clip": [{"at": [0, 0, 0], "normal": [0, 0, 0]}]}',
        '{"schema": 2, "sun": "2026-12-22T12:00:00"}',
        '{"schema": 2, "sun": "noon"}',
        '{"schema": 2, "selection": "bld-1"}',
        '{"schema": 2, "annotations": [{"text": 5, "at": [0, 0, 0]}]}',
        '{"schema": 2, "bookmarks": [{"name": "x", "camera": "moon"}]}',
        '{"schema": 2, "legend": 1}',
    ],
)
def test_a_text_that_is_no_scene_gets_an_answer(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        scene_from_json(text)
    assert caught.value.key == "scenes.no_scene"
    assert caught.value.remedy("zh")


def test_a_scene_of_the_first_schema_is_still_read() -> None:
    old = {"schema": 1, "layers": ["road"], "camera": "top", "size": [640, 360], "time_s": 5.0}
    expected = Scene(layers=("road",), camera="top", size=(640, 360), time_s=5.0)
    assert scene_from_json(json.dumps(old)) == expected


def test_steps_are_undone_and_redone_in_order() -> None:
    history = History(Scene())
    first = history.do("camera", replace(history.scene, camera="top"))
    second = history.do("select", replace(history.scene, selection=("bld-1",)))
    assert [history.undo(), history.undo(), history.undo()] == [first, Scene(), Scene()]
    assert [history.redo(), history.redo(), history.redo()] == [first, second, second]
    history.undo()
    other = history.do("street", replace(history.scene, camera="street"))
    assert history.redo() == other and [step.name for step in history.done] == ["camera", "street"]


def test_a_step_that_changes_nothing_is_none() -> None:
    history = History(FULL)
    history.do("nothing", replace(FULL))
    assert history.done == []


def test_a_step_changes_only_its_own_parts_of_another_scene() -> None:
    step = command("look", Scene(), replace(Scene(), camera="top", time_s=3.0))
    assert set(step.changes) == {"camera", "time_s"}
    there = step.apply(FULL)
    assert there == replace(FULL, camera="top", time_s=3.0)
    assert step.inverse().apply(there) == replace(FULL, camera="oblique", time_s=None)


@given(st.lists(st.sampled_from(["do", "undo", "redo"]), max_size=40))
def test_any_walk_through_history_ends_where_its_steps_lead(moves: list[str]) -> None:
    """Beside a plain list of scenes with a finger on one of them."""
    history, scenes, at = History(Scene()), [Scene()], 0
    for number, move in enumerate(moves):
        if move == "do":
            scenes = [*scenes[: at + 1], replace(scenes[at], time_s=float(number))]
            at += 1
            history.do(move, scenes[at])
        elif move == "undo":
            at = max(0, at - 1)
            history.undo()
        else:
            at = min(len(scenes) - 1, at + 1)
            history.redo()
        assert history.scene == scenes[at]


NAN = float("nan")
WRONG = {
    "a colour of NaN": ("styles", (Style("building", rgb=(NAN, 1, 2)),)),  # type: ignore[arg-type]
    "an opacity of NaN": ("styles", (Style("building", opacity=NAN),)),
    "limits of NaN": ("styles", (Style("building", by="height_m", limits=(NAN, 1.0)),)),
    "an unknown ramp": ("styles", (Style("building", by="height_m", ramp="rainbow"),)),
    "an eye nowhere": ("eye", Eye((NAN, 0.0, 0.0), (1.0, 1.0, 1.0))),
    "an eye that looks at itself": ("eye", Eye((1.0, 0.0, 0.0), (1.0, 0.0, 0.0))),
    "a sun of no instant": ("sun", "yesterday"),
    "a picture of ten pixels": ("size", (10, 10)),
    "an unknown camera": ("camera", "bird"),
    "a cut that faces nowhere": ("clip", (Plane((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),)),
    "a note nowhere": ("annotations", (Annotation("x", (NAN, 0.0, 0.0)),)),
}


@pytest.mark.parametrize("why", WRONG)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_scene_made_in_python_is_judged_before_it_is_drawn(why: str, lang: str) -> None:
    part, value = WRONG[why]
    with pytest.raises(RequestError) as caught:
        compose(replace(Scene(), **{part: value}), town())
    assert caught.value.key == "scenes.wrong_part"
    assert part in caught.value.message(lang) and caught.value.remedy(lang)


def test_numbers_of_arrays_and_lists_are_as_good_as_any() -> None:
    box = np.array([EAST, NORTH, EAST + 90.0, NORTH + 90.0])
    scene = Scene(layers=["building"], bounds=tuple(box), size=(160, 90))  # type: ignore[arg-type]
    assert compose(scene, town()).objects > 3
