"""A window in a notebook turns under a hand and answers a click, in a real browser."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cim.errors import MissingError
from scenes.compose import compose
from scenes.notebook import Shown, show
from scenes.scene import Scene
from scenes.staging import free
from tests.scenes.browser import Browser, missing, open_browser
from tests.scenes.conftest import note_undrawn
from tests.towns import town

SIZE = (640, 360)
SCENE = Scene(size=SIZE)


@pytest.fixture
def shown(screen: None) -> Iterator[Shown]:
    pytest.importorskip("trame_server")
    made = show(SCENE, town(), window=True)
    assert made.window is not None
    yield made
    made.window.close()


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    if missing():
        note_undrawn(f"{request.node.nodeid}: {missing()} not installed")
        pytest.skip(f"not installed: {missing()}")
    with open_browser(tmp_path) as one:
        yield one


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def kept(shown: Shown, folder: Path) -> str:
    """Write what a notebook displays into a page and return its address."""
    page = folder / "notebook.html"
    bundle = shown._repr_mimebundle_()
    style = "<style>body,figure{margin:0}</style>"
    text = f"<!doctype html><meta charset=utf-8>{style}{bundle['text/html']}"
    page.write_text(text, encoding="utf-8")
    return page.as_uri()


def picture(browser: Browser) -> np.ndarray:
    return np.asarray(browser.picture()[: SIZE[1], : SIZE[0]], dtype=np.float64)


def test_the_window_shows_the_still_then_turns_and_tells_what_is_clicked(
    shown: Shown, browser: Browser, tmp_path: Path
) -> None:
    window = shown.window
    assert window is not None and shown.png is not None
    first = window.scene
    assert first == SCENE
    browser.ask("POST", "/url", {"url": kept(shown, tmp_path)})
    until(lambda: float(picture(browser).std()) > 20.0, "the window stays blank")
    before = picture(browser)
    browser.drag(200, 180, 120, 10)
    until(lambda: window.scene.eye is not None, "a drag moves no eye")
    until(lambda: float(np.abs(picture(browser) - before).mean()) > 5.0, "nothing turned")
    assert browser.console() == []
    # where the roof of the tallest building in sight appears, a click names it
    scene, city = window.scene, town()
    assert scene.eye is not None
    houses = city.table("building")
    drawn = compose(scene, city)
    tops = {}
    for body in drawn.bodies:
        for row in np.flatnonzero(np.isin(body.ids.astype(str), houses.ids.astype(str))):
            corners = body.vertices[body.triangles[body.owner == row]].reshape(-1, 3)
            roof = corners[corners[:, 2] > corners[:, 2].max() - 0.01].mean(axis=0)
            tops[str(body.ids[row])] = np.maximum(tops.get(str(body.ids[row]), -np.inf), roof)
    camera = free(scene.eye, drawn.origin)
    seen = {one: camera.project(top[None], SIZE)[0] for one, top in tops.items()}
    inside = {k: v for k, v in seen.items() if (v > 20).all() and (v < np.array(SIZE) - 20).all()}
    wanted = max(inside, key=lambda one: float(tops[one][2]))
    x, y = inside[wanted].tolist()
    browser.click(x, y)
    until(lambda: window.scene.selection == (wanted,), f"{window.scene.selection}, not {wanted}")
    told = "return document.querySelector('object').contentDocument"
    assert browser.run(f"{told} === null")  # of another origin: nothing to read from here


def test_a_window_that_ended_leaves_the_still(
    shown: Shown, browser: Browser, tmp_path: Path
) -> None:
    page = kept(shown, tmp_path)
    browser.ask("POST", "/url", {"url": page})
    until(lambda: float(picture(browser).std()) > 20.0, "the window stays blank")
    assert shown.window is not None
    shown.window.close()
    shown.window.close()
    browser.ask("POST", "/url", {"url": page})
    until(lambda: float(picture(browser).std()) > 20.0, "the still stays blank")
    assert browser.run("return document.querySelector('img').offsetWidth") == SIZE[0]
    import io

    from PIL import Image

    assert shown.png is not None
    still = np.asarray(Image.open(io.BytesIO(shown.png)).convert("RGB"), dtype=np.float64)
    assert float(np.abs(picture(browser) - still).mean()) < 2.0


def test_nobody_without_the_secret_is_shown_anything(shown: Shown, browser: Browser) -> None:
    assert shown.window is not None
    url = shown.window.url
    assert url.startswith("http://127.0.0.1:")
    browser.ask("POST", "/url", {"url": url[: url.index("&secret=")] + "&secret=wslink-secret"})
    time.sleep(1.5)
    assert browser.run("return document.querySelectorAll('img[src^=data]').length") == 0
    browser.ask("POST", "/url", {"url": url})
    shows = "return document.querySelectorAll('img[src^=data]').length"
    until(lambda: browser.run(shows) == 1, "the right secret shows nothing")


def test_without_trame_a_notebook_shows_the_still(
    screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trame_server", None)
    monkeypatch.setattr("scenes.notebook._kernel", lambda: True)
    made = show(SCENE, town())
    assert made.window is None and made.png is not None
    assert "<object" not in made._repr_mimebundle_()["text/html"]
    with pytest.raises(MissingError) as caught:
        show(SCENE, town(), window=True)
    assert caught.value.key == "scenes.no_trame" and "cim-twin[notebook]" in str(caught.value)


def test_a_server_that_does_not_start_is_named_in_the_caption(
    screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = pytest.importorskip("trame_server")

    async def refuse(*_: object, **__: object) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(server.Server, "start", refuse)
    monkeypatch.setattr("scenes.notebook._kernel", lambda: True)
    made = show(SCENE, town())
    assert made.window is None and made.png is not None and "no port is free" in made.caption
    with pytest.raises(MissingError) as caught:
        show(SCENE, town(), window=True)
    assert caught.value.key == "scenes.no_server"


def test_a_notebooks_kernel_opens_a_window_by_itself(screen: None) -> None:
    """In a real kernel; the kept notebook holds the still inside."""
    pytest.importorskip("trame_server")
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    from tests.conftest import ROOT

    code = (
        "from tests.towns import town\n"
        "from scenes.scene import Scene\n"
        "Scene(size=(320, 180)).show(town())"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = book.cells[0].outputs
    assert [one.output_type for one in outputs] == ["execute_result"]  # and nothing printed
    told = outputs[0]["data"]["text/html"]
    assert "<object" in told and "http://127.0.0.1:" in told and 'src="data:image/png' in told
