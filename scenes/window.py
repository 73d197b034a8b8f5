"""A window in a notebook that turns live: frames of our own canvas, sent through trame.

The kernel draws and a thread of its own serves, so that a window answers while a cell
runs. One frame is on its way at a time: a hand faster than the drawing skips frames
instead of queueing them. While a hand moves, frames are coarse; at rest they are full.
"""

from __future__ import annotations

import asyncio
import base64
import io
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from cim import messages
from cim.errors import MissingError
from cim.model.kinds import kind
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes import handling, overlay
from scenes.backend import Canvas
from scenes.camera import Camera
from scenes.compose import Picture
from scenes.drawables import Label
from scenes.parts import Catalogue, objects_of
from scenes.pick import Hit, Picker
from scenes.scene import Scene

__all__ = ["Window", "available"]

_PACKAGES = ("trame_server", "trame_client", "aiohttp")
_REST_S = 0.25  # after the last move: the full picture
_UNSEEN_S = 1.5  # a frame nobody says to have seen is waited for no longer than this
_ALONE_S = 900  # without anyone looking: the window ends and lets its memory go
_STARTS_S = 60.0
_QUALITY = {True: 70, False: 88}  # of a JPEG, dragging or not
_WHEEL = 0.0012  # of the page in a browser
_CLICK_PX = 4.0
_STARTING = threading.Lock()  # trame keeps what it starts with in its classes


def available() -> bool:
    """Tell whether windows can be served: the extra ``notebook`` is installed."""
    return all(find_spec(name) is not None for name in _PACKAGES)


class Window:
    """A picture one can turn, push, come nearer to and click, at an address of this machine.

    Drag to turn, drag with Shift or another button to push, roll to come nearer, click for
    what stands there. It ends a quarter of an hour after the last one looked.

    Parameters
    ----------
    scene, view, result, picture
        What is shown.

    Attributes
    ----------
    url
        Where it answers, with its secret; only on this machine.
    png
        Its first frame, with all texts.

    Raises
    ------
    MissingError
        The extra ``notebook`` is not installed, or the server does not start.
    """

    def __init__(
        self, scene: Scene, view: TwinView, result: Result | None, picture: Picture
    ) -> None:
        if not available():
            raise MissingError("scenes.no_trame")
        self._scene, self._view, self._result = scene, view, result
        self._picture = picture
        self._camera = picture.camera
        self._secret = secrets.token_urlsafe(24)
        self._picker: Picker | None = None
        self._objects: Catalogue | None = None
        self._busy = False  # a frame is on its way
        self._wanted: bool | None = None  # the next: coarse, full, none
        self._timer: asyncio.TimerHandle | None = None
        self._hit: Hit | None = None
        self._rows: list[list[str]] = []
        self._selection: tuple[str, ...] = ()
        self._held: tuple[float, float] | None = None
        self._moved = 0.0
        self._count = 0
        ready: Future[tuple[int, bytes]] = Future()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        with _STARTING:
            self._thread.start()
            try:
                port, self.png = ready.result(_STARTS_S)
            except (OSError, TimeoutError) as error:
                raise MissingError("scenes.no_server", given=str(error)) from error
        socket = f"ws://127.0.0.1:{port}/ws"
        self.url = f"http://127.0.0.1:{port}/index.html?sessionURL={socket}&secret={self._secret}"

    @property
    def scene(self) -> Scene:
        """The scene as it is seen now: where the eye stands, what is picked out."""
        scene = self._scene
        if self._selection:
            scene = replace(scene, selection=self._selection)
        if self._camera is self._picture.camera:
            return scene
        return replace(scene, eye=handling.eye_of(self._camera, self._picture.origin))

    def close(self) -> None:
        """End the window; closing twice is no error."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop)
            self._thread.join(_STARTS_S)

    def _serve(self, ready: Future[tuple[int, bytes]]) -> None:
        """Draw and answer until the end; OpenGL wants both in one thread."""
        try:
            with Canvas(self._picture, self._scene.size) as self._canvas:
                asyncio.run(self._answer(ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _answer(self, ready: Future[tuple[int, bytes]]) -> None:
        from trame_server import Server

        self._loop = asyncio.get_running_loop()
        png = _encoded(self._frame(coarse=False), "PNG")
        self._server = server = Server(name=self._secret)
        server.client_type = "vue3"
        server.cli.set_defaults(authKey=self._secret)
        server.state.update({"frame": "", "count": 0})
        for name, action in self._actions().items():
            server.trigger(name)(action)
        _layout(server, self._scene.size)
        server.controller.on_server_ready.add(lambda **_: ready.set_result((server.port, png)))
        server.controller.on_server_bind.add(_unkept)
        self._show(coarse=False)
        await server.start(
            port=0,
            host="127.0.0.1",
            thread=True,
            open_browser=False,
            show_connection_info=False,
            disable_logging=True,
            backend="aiohttp",
            exec_mode="coroutine",
            timeout=_ALONE_S,
        )

    def _actions(self) -> dict[str, Callable[..., None]]:
        return {
            "down": self._down,
            "move": self._move,
            "up": self._up,
            "wheel": self._roll,
            "seen": self._seen,
        }

    # what a hand does; places are shares of the picture, from the left and the top

    def _down(self, x: float, y: float) -> None:
        self._held, self._moved = (x, y), 0.0

    def _move(self, x: float, y: float, push: bool) -> None:
        if self._held is None:
            return
        wide, high = self._scene.size
        dx, dy = (x - self._held[0]) * wide, (y - self._held[1]) * high
        self._held, self._moved = (x, y), self._moved + abs(dx) + abs(dy)
        if push:
            self._to(handling.pushed(self._camera, dx, dy, high))
        else:
            self._to(handling.turned(self._camera, dx, dy))

    def _up(self, x: float, y: float) -> None:
        clicked, self._held = self._held is not None and self._moved < _CLICK_PX, None
        if clicked:
            self._pick(self._under(x, y))

    def _roll(self, x: float, y: float, delta: float) -> None:
        hit = self._under(x, y)
        o = self._picture.origin
        place = None if hit is None else np.array(hit.at) - (o.x, o.y, o.z)
        factor = float(np.exp(np.clip(delta * _WHEEL, -1.0, 1.0)))
        rows = self._picture.ground.points
        furthest = 6.0 * float(np.linalg.norm(np.ptp(rows.reshape(-1, 3), axis=0)))
        self._to(handling.zoomed(self._camera, factor, place, furthest))

    def _to(self, camera: Camera) -> None:
        self._camera = camera
        self._show(coarse=True)

    def _under(self, x: float, y: float) -> Hit | None:
        if self._picker is None:
            self._picker = Picker(self._picture, self._scene.clip)
        size = self._scene.size
        return self._picker.pixel(self._camera, size, x * size[0], y * size[1])

    def _pick(self, hit: Hit | None) -> None:
        """Say what was clicked, on the picture and beside it; clicking the sky says nothing."""
        self._hit, self._selection = hit, ()
        rows: list[list[str]] = []
        if hit is not None:
            place = " ".join(f"{v:.2f}" for v in hit.at)
            rows = [[messages.text("scenes.window.place", lang=self._scene.lang), place]]
            if hit.id is not None:
                self._selection = (hit.id,)
                rows = [*self._attributes(hit.id), *rows]
        self._rows = rows
        self._show(coarse=False)

    def _attributes(self, id_: str) -> list[list[str]]:
        if self._objects is None:
            self._objects = objects_of(self._scene, self._view, self._picture)
        number = self._objects.number.get(id_)
        if number is None:
            return [["id", id_]]
        at = int(np.searchsorted(self._objects.first, number, side="right")) - 1
        table = self._objects.tables[at]
        lang = self._scene.lang
        rows = [[messages.title(kind(table.kind).titles, lang=lang), id_]]
        for field in table.fields:
            text = _written(table.columns[field.name][number - self._objects.first[at]])
            if text:
                unit = "" if field.unit in ("", "1", "a") else f" {field.unit}"
                rows.append([messages.title(field.titles, lang=lang) or field.name, text + unit])
        return rows

    # frames

    def _show(self, *, coarse: bool) -> None:
        """Have a frame made, now or when the one on its way was seen."""
        self._wanted = coarse
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_REST_S, self._rest) if coarse else None
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._send)

    def _rest(self) -> None:
        self._timer = None
        self._show(coarse=False)

    def _send(self) -> None:
        coarse, self._wanted = bool(self._wanted), None
        data = base64.b64encode(_encoded(self._frame(coarse=coarse), "JPEG", _QUALITY[coarse]))
        self._count += 1
        with self._server.state as state:
            state.update({"frame": f"data:image/jpeg;base64,{data.decode()}", "count": self._count})
        self._loop.call_later(_UNSEEN_S, self._seen, self._count)

    def _seen(self, count: int) -> None:
        """Send what is wanted since the frame `count`, which a browser shows now."""
        if count != self._count or not self._busy:
            return
        if self._wanted is None:
            self._busy = False
        else:
            self._send()

    def _frame(self, *, coarse: bool) -> Any:
        """Return what is seen now as an image, with its texts."""
        pixels = self._canvas.frame(self._camera, dragging=coarse)
        o = self._picture.origin
        labels = self._picture.labels
        if self._hit is not None:
            x, y, z = self._hit.at
            text = self._hit.id or f"{z:.2f} m"
            labels = (*labels, Label(text, (x - o.x, y - o.y, z - o.z), pinned=True))
        picture = replace(self._picture, camera=self._camera, labels=labels)
        moved = self._camera is not self._picture.camera
        scene = replace(self._scene, camera="oblique") if moved else self._scene
        image = overlay.lay_over(pixels, scene, self._view, self._result, picture)
        _card(image, self._rows)
        return image


def _card(image: Any, rows: list[list[str]]) -> None:
    """Write what was clicked on the left, in the font of pictures: a browser may lack ours."""
    from PIL import ImageDraw

    if not rows:
        return
    wide, high = image.size
    unit = max(9, round(high / 48))
    text = overlay.font(unit)
    pen = ImageDraw.Draw(image)
    most = int((0.52 * high) // (1.5 * unit))
    rows = [*rows[: most - 1], ["…", ""]] if len(rows) > most else rows
    left = max(pen.textlength(name, font=text) for name, _ in rows) + unit
    right = max(pen.textlength(told, font=text) for _, told in rows)
    across = min(left + right + 1.6 * unit, 0.6 * wide)
    x, y = high / 42, 0.15 * high  # below the title
    box = (x, y, x + across, y + len(rows) * 1.5 * unit + unit)
    pen.rounded_rectangle(box, 0.3 * unit, fill=(255, 255, 255))
    for number, (name, told) in enumerate(rows):
        at = y + 0.4 * unit + 1.5 * unit * number
        fits = told
        while fits and left + pen.textlength(fits, font=text) > across - 1.4 * unit:
            fits = fits[:-2].rstrip("…") + "…" if len(fits) > 2 else ""
        pen.text((x + 0.8 * unit, at), name, font=text, fill=(86, 92, 100))
        pen.text((x + 0.8 * unit + left, at), fits, font=text, fill=(34, 38, 44))


def _encoded(image: Any, form: str, quality: int = 0) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **({"quality": quality} if form == "JPEG" else {}))
    return out.getvalue()


def _written(value: Any) -> str:
    """Return a value as a person reads it; nothing where it is missing."""
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _unkept(answering: Any) -> None:
    """Let no browser keep the page: a window that ended must not seem to be there."""

    async def forget(_: Any, response: Any) -> None:
        response.headers["Cache-Control"] = "no-store"

    answering.app.on_response_prepare.append(forget)


def _layout(server: Any, size: tuple[int, int]) -> None:
    """Lay the page out: the picture, and what a hand on it says."""
    from trame_client.ui.html import DivLayout
    from trame_client.widgets import html

    at = "$event.offsetX / $event.target.clientWidth, $event.offsetY / $event.target.clientHeight"
    push = "!!($event.shiftKey || ($event.buttons & 6))"
    names = ["pointerdown", "pointermove", "pointerup", "wheel", "contextmenu", "load"]
    with DivLayout(server, style="position:fixed;left:0;top:0;line-height:0"):
        html.Img(
            src=("frame",),
            draggable="false",
            style=f"width:min(100vw,{100 * size[0] / size[1]:.4f}vh);"
            f"aspect-ratio:{size[0]}/{size[1]};touch-action:none;cursor:grab",
            __events=names,
            pointerdown="$event.target.setPointerCapture($event.pointerId); "
            f"trigger('down', [{at}])",
            pointermove=f"$event.buttons && trigger('move', [{at}, {push}])",
            pointerup=f"trigger('up', [{at}])",
            wheel=f"$event.preventDefault(); trigger('wheel', [{at}, $event.deltaY])",
            contextmenu="$event.preventDefault()",
            load="trigger('seen', [count])",
        )
