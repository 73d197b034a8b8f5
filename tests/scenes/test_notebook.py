"""A notebook shows a still or the page, each with a caption that says what it is."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

import cim
from cim.errors import RequestError
from cim.model.result import GridFrame, Result
from scenes import probe
from scenes.notebook import show
from scenes.scene import Scene
from tests.scenes.browser import missing, open_browser
from tests.scenes.conftest import note_undrawn
from tests.scenes.test_paper import slab
from tests.scenes.test_web import rising
from tests.towns import town

SMALL = Scene(size=(320, 180))


def over(city: cim.City, *, scheme: str) -> Result:
    """A metre of water over the middle of a city."""
    xmin, ymin, xmax, ymax = shapely.total_bounds(city.view.table("building").geometry)
    west, north = (xmin + xmax) / 2 - 200.0, (ymin + ymax) / 2 + 200.0
    frame = GridFrame(west=west, north=north, cell_m=20.0, rows=20, cols=20)
    made = replace(rising(), grid=frame, scheme=scheme, twin_version=city.view.version)
    deep = replace(made.fields[0], values=np.full((3, 20, 20), 1.0, np.float32))
    return replace(made, fields=(deep,))


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


def test_the_run_that_a_scene_names_is_shown_under_its_scheme(screen: None, sketch: Path) -> None:
    city = cim.open(sketch)
    city.scheme("pumps", [])
    run = city.save(over(city, scheme="pumps"))
    named, plain = replace(SMALL, run=run), SMALL.show(city)
    shown = named.show(city)
    assert shown.png != plain.png
    for part in ("flood", "scheme pumps"):
        assert part in shown.caption.lower() and part not in plain.caption.lower()
    given = SMALL.show(city.scheme("pumps"), city.run(run))
    for where in (city.view, city.scheme("pumps"), city.scheme("pumps").view):
        again = named.show(where)
        assert (
            (again.png, again.caption) == (given.png, given.caption) == (shown.png, given.caption)
        )
    own = named.show(city, replace(city.run(run), titles={"en": "mine", "zh": "我的"}))
    assert "mine" in own.caption


@pytest.mark.parametrize("live", [False, True])
def test_a_run_or_scheme_that_is_not_kept_is_an_error(sketch: Path, live: bool) -> None:
    for city in (cim.open(sketch), town()):
        for scene, key in (
            (replace(SMALL, run="flood-0000"), "store.no_run"),
            (replace(SMALL, scheme="none"), "store.no_scheme"),
        ):
            with pytest.raises(RequestError) as caught:
                scene.show(city, live=live)
            assert caught.value.key == key


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
