"""A run of an older city than the one drawn says so: in the picture, the page, the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cim.model import Twin
from cim.model.result import Result
from scenes.film import write_film
from scenes.glb import write_glb
from scenes.paper import Sheet, write_map
from scenes.remarks import remarks, stale
from scenes.render import render_scene
from scenes.scene import Scene
from scenes.web import write_html
from tests.scenes.test_web import rising
from tests.towns import town

SCENE = Scene(size=(480, 270), lang="en")


def edited() -> Twin:
    return replace(town(), version=3)


def test_a_run_of_the_city_drawn_says_nothing() -> None:
    assert not stale(town(), rising()) and remarks(town(), rising(), "en") == ()
    assert not stale(edited(), None) and remarks(edited(), None, "zh") == ()


@pytest.mark.parametrize(
    ("lang", "text"), [("en", "edits since are not in the result"), ("zh", "其后的修改未计入结果")]
)
def test_an_older_run_names_both_versions_in_the_language_of_the_scene(
    lang: str, text: str
) -> None:
    (told,) = remarks(edited(), rising(), lang)
    assert text in told and "1" in told and "3" in told


def test_a_city_drawn_as_it_was_before_the_run_is_told_apart() -> None:
    (told,) = remarks(town(), replace(rising(), twin_version=2), "en")
    assert "as it was at version 1" in told


def test_the_note_stands_in_the_picture_and_in_its_report(screen: None, tmp_path: Path) -> None:
    def drawn(view: Twin, result: Result) -> tuple[Any, bool]:
        path = tmp_path / "x.png"
        report = render_scene(SCENE, view, result, path=path)
        return np.asarray(Image.open(path).convert("RGB")).astype(int), report.stale

    fresh, told = drawn(town(), rising())
    assert not told
    older, told = drawn(edited(), rising())
    assert told
    apart = np.flatnonzero(np.abs(fresh - older).max(axis=(1, 2)) > 60)
    assert len(apart) > 8 and apart.min() > 0.8 * 270  # a line at the lower edge, nothing else


def test_pages_films_models_and_maps_tell_it_too(screen: None, tmp_path: Path) -> None:
    view, run = edited(), rising()
    page = write_html(SCENE, view, run, path=tmp_path / "x.html")
    glb = write_glb(SCENE, view, run, path=tmp_path / "x.glb")
    film = write_film(SCENE, view, run, path=tmp_path / "x.mp4", seconds=0.2)
    sheet = write_map(Sheet(), view, run, path=tmp_path / "x.pdf")
    assert page.stale and glb.stale and film.stale and sheet.stale
    assert "edits since" in SCENE.show(view, run).caption
    assert not write_map(Sheet(), town(), run, path=tmp_path / "y.pdf").stale


def test_the_page_has_the_note_in_both_languages(tmp_path: Path) -> None:
    from scenes.compose import compose
    from scenes.page_header import header

    view = edited()
    told = header(SCENE, view, rising(), compose(SCENE, view, rising()))["remarks"]
    assert json.dumps(told)
    assert "edits since" in told["en"] and "其后的修改" in told["zh"]
