"""A scene shown in a notebook: a window that turns live, a still, or the page to keep."""

from __future__ import annotations

import base64
import html
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cim import messages
from cim.errors import MissingError, RequestError
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes.compose import compose
from scenes.probe import require_opengl
from scenes.remarks import remarks
from scenes.render import render_scene
from scenes.scene import Scene
from scenes.web import write_html
from scenes.within import within

if TYPE_CHECKING:
    from scenes.window import Window

__all__ = ["Shown", "show"]


@dataclass(frozen=True)
class Shown:
    """What a notebook displays: a picture, a page or a window, and what it is called.

    Attributes
    ----------
    caption
        Title, whether the data are illustrative, where they come from.
    png, page
        The still, or the page; one of them is None. Of a window the first frame.
    size
        (width, height), pixels.
    failed
        Layers that could not be drawn, and why.
    inside
        Ids of the bodies the camera stands in, such as a wall.
    window
        What serves the live picture; its `scene` tells where one has turned to. None for
        a still and a page.
    """

    caption: str
    size: tuple[int, int]
    failed: dict[str, str]
    inside: tuple[str, ...] = ()
    png: bytes | None = None
    page: str | None = None
    window: Window | None = None

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return what Jupyter shows, richest first."""
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>"
        wide, high = self.size
        if self.page is not None:
            frame = (
                f'<iframe sandbox="allow-scripts" width="{wide}" height="{high}"'
                f' style="border:0" srcdoc="{html.escape(self.page)}"></iframe>'
            )
            return {"text/html": f"<figure>{frame}{caption}</figure>", "text/plain": self.caption}
        assert self.png is not None
        data = base64.b64encode(self.png).decode()
        alt = html.escape(self.caption)
        image = f'<img alt="{alt}" width="{wide}" src="data:image/png;base64,{data}">'
        if self.window is not None:  # where nobody answers, as in a kept notebook, the still
            image = (
                f'<object type="text/html" width="{wide}" height="{high}"'
                f' data="{html.escape(self.window.url)}">{image}</object>'
            )
        return {
            "text/html": f"<figure>{image}{caption}</figure>",
            "image/png": data,
            "text/plain": self.caption,
        }


def show(
    scene: Scene,
    city: Any,
    result: Result | None = None,
    *,
    live: bool = False,
    window: bool | None = None,
) -> Shown:
    """Return a scene for a notebook to display.

    Parameters
    ----------
    scene
        What to show.
    city
        A `cim.City` or a view of a twin.
    result
        A result to show over it; goes before the scene's `run`, a kept one of the city.
    live
        The page of `cim render -o x.html` in a frame, to turn, click and run through time,
        instead of a still. It needs neither a server nor OpenGL on this machine, and is kept
        in the saved notebook.
    window
        A picture that turns under the hand and answers clicks, drawn by this machine and
        served to a browser on it; where none answers the notebook shows the still. None for
        one in a notebook where the extra ``notebook`` (trame) is installed, else a still.

    Raises
    ------
    MissingError
        A still or a window is asked for and this machine cannot draw, or a window without
        trame.
    RequestError
        The twin is empty, or it keeps no such run or scheme.
    """
    view, result = _asked(scene, city, result)
    if live:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scene.html"
            written = write_html(scene, view, result, path=path)
            told = (written.failed, written.inside)
            page = path.read_text(encoding="utf-8")
        return Shown(_caption(scene, view, result, *told), scene.size, *told, page=page)
    from scenes.window import available

    why = ""
    if window or (window is None and _kernel() and available()):
        try:
            return _opened(scene, view, result)
        except MissingError as error:
            if window or error.key != "scenes.no_server":
                raise
            why = messages.text("scenes.window.none", {"given": error}, lang=scene.lang)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.png"
        drawn = render_scene(scene, view, result, path=path)
        told = (drawn.failed, drawn.inside)
        caption = _caption(scene, view, result, *told, why)
        return Shown(caption, scene.size, *told, png=path.read_bytes())


def _kernel() -> bool:
    """Tell whether Jupyter displays what is returned."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _opened(scene: Scene, view: TwinView, result: Result | None) -> Shown:
    """Return a window on a scene."""
    from scenes.window import Window

    require_opengl()
    picture = compose(scene, view, result)
    window = Window(scene, view, result, picture)
    told = (picture.failed, within(picture, picture.camera.position))
    caption = _caption(scene, view, result, *told)
    return Shown(caption, scene.size, *told, png=window.png, window=window)


def _asked(scene: Scene, city: Any, result: Result | None) -> tuple[TwinView, Result | None]:
    """Return the twin under the scene's or its run's scheme, and the run, as `cim render` does."""
    from cim.store import open_run, open_scheme

    view: TwinView = getattr(city, "view", city)
    stored = getattr(view, "base", view)  # under a scheme lies the twin that keeps the runs
    path: Path | None = getattr(stored, "path", None)
    laid = scene.scheme
    if result is None and scene.run is not None:
        if path is None:  # a twin in memory keeps nothing
            raise RequestError("store.no_run", given=scene.run, values={"known": "-"})
        result = open_run(path, scene.run)
        laid = result.scheme if laid is None else laid
    if laid is not None and laid != view.scheme:
        if path is None:
            raise RequestError("store.no_scheme", given=laid, values={"known": "-"})
        view = open_scheme(path, laid)
    return view, result


def _caption(
    scene: Scene,
    view: TwinView,
    result: Result | None,
    failed: Mapping[str, str],
    inside: tuple[str, ...],
    why: str = "",
) -> str:
    """Return title, scheme, mark, and what went wrong: nobody reads the fields of a picture."""
    name = messages.title(view.titles, lang=scene.lang) or view.name
    parts = [scene.title or name]
    if result is not None:
        parts = [scene.title or messages.title(result.titles, lang=scene.lang), name]
    if view.scheme:
        parts.append(messages.text("scenes.scheme", {"name": view.scheme}, lang=scene.lang))
    if view.illustrative or (result is not None and result.illustrative):
        parts.append(messages.text("scenes.illustrative", lang=scene.lang))
    if failed:
        values = {"names": ", ".join(failed)}
        parts.append(messages.text("scenes.not_drawn", values, lang=scene.lang))
    if inside:
        values = {"names": ", ".join(inside)}
        parts.append(messages.text("scenes.stands_in", values, lang=scene.lang))
    parts += remarks(view, result, scene.lang)
    if why:
        parts.append(why)
    return " · ".join(parts)
