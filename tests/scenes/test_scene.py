"""A scene is data: it goes through JSON unchanged, and strange texts get an answer."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from cim.errors import RequestError
from scenes.scene import SCHEMA, Scene, scene_from_json

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
    ],
)
def test_a_text_that_is_no_scene_gets_an_answer(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        scene_from_json(text)
    assert caught.value.key == "scenes.no_scene"
    assert caught.value.remedy("zh")
