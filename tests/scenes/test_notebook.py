"""A notebook shows a still or the page, each with a caption that says what it is."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import cim
from scenes import probe
from scenes.notebook import show
from scenes.scene import Scene
from tests.scenes.browser import missing, open_browser
from tests.scenes.conftest import note_undrawn
from tests.scenes.test_paper import slab
from tests.scenes.test_web import rising
from tests.towns import town

SMALL = Scene(size=(320, 180))


def test_a_still_comes_with_its_caption_in_the_scenes_language(screen: None) -> None:
    bundle = SMALL.show(town(), rising())._repr_mimebundle_()
    image = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert image.size == (320, 180) and bundle["image/png"] in bundle["text/html"]
    assert "flood · town · illustrative data" in bundle["text/plain"]
    chinese = show(replace(SMALL, lang="zh"), town())
    assert "示意数据" in chinese.caption and "示意数据" in chinese._repr_mimebundle_()["text/html"]
    assert "示意数据" not in show(SMALL, slab(20.0, 10.0)).caption


def test_a_city_is_shown_as_its_view_is(screen: None, sketch: Path) -> None:
    shown = SMALL.show(cim.open(sketch))
    assert shown.png is not None and shown.failed == {}


def test_the_live_page_turns_in_the_frame_of_a_notebook(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It draws in the browser: no OpenGL is needed here, and none is asked for."""
    if missing():
        note_undrawn(f"{request.node.nodeid}: {missing()} not installed")
        pytest.skip(f"not installed: {missing()}")
    monkeypatch.setattr(probe, "opengl", lambda: probe.Probe(False, "", "none"))
    bundle = SMALL.show(town(), live=True)._repr_mimebundle_()
    notebook = tmp_path / "notebook.html"
    # a frame in a sandbox tells nothing: it posts that it is ready
    text = bundle["text/html"].replace(
        "&lt;/body&gt;",
        "&lt;script&gt;setInterval(() =&gt; window.cim &amp;&amp; parent.postMessage("
        "{ready: cim.ready, objects: cim.objects}, &#x27;*&#x27;), 100)"
        "&lt;/script&gt;&lt;/body&gt;",
    )
    listen = "<script>onmessage = (e) => { window.cim = e.data; };</script>"
    notebook.write_text(f"<!doctype html><meta charset=utf-8>{listen}{text}", encoding="utf-8")
    with open_browser(tmp_path) as browser:
        browser.open(notebook)
        assert browser.run("return window.cim") == {"ready": True, "objects": 46}
        assert browser.console() == []
