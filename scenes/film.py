"""A scene becomes an MP4: through the times of a run, along a path of the camera, or both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import MissingError, RequestError
from cim.jobs import QUIET, Job
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes import overlay
from scenes.camera import Camera
from scenes.compose import Picture, compose
from scenes.drawables import Origin
from scenes.drawers import draw
from scenes.files import whole
from scenes.moments import blank, chosen_field, moments
from scenes.probe import require_opengl
from scenes.remarks import stale
from scenes.scene import Scene
from scenes.within import within

__all__ = ["RATE", "FilmReport", "Path3", "orbit", "read_path", "through", "write_film"]

RATE = 25  # pictures a second
_MOST_SECONDS = 600.0
_MOMENT_S = 0.4  # how long a moment of a run stays where no length is asked for
_PATH_S = 8.0
_CODEC = "libx264"

Path3 = Callable[[Picture, float], Camera]
"""From a picture and a share of the film, 0 to 1, to a camera."""


@dataclass(frozen=True)
class FilmReport:
    """What the film shows.

    Attributes
    ----------
    mp4
        The file written.
    seconds, pictures
        How long it is, and how many pictures of it differ.
    moments, moments_of_run
        How many times of the run are shown, and how many it has.
    size
        (width, height); an odd side of the scene loses a pixel, as the code wants.
    objects, triangles
        How many are drawn.
    failed
        Layers that could not be drawn, and why.
    missing_images
        Textures that could not be had; what should wear them is plaster grey.
    inside
        Ids of the bodies the camera stands in somewhere along its way, such as a wall.
    stale
        Whether the run answers another version of the city than the one drawn.
    hidden
        Blocks of the map left out since a house drawn from its elements stands there, and which.
    """

    mp4: str
    seconds: float
    pictures: int
    moments: int
    moments_of_run: int
    size: tuple[int, int]
    objects: int
    triangles: int
    failed: dict[str, str]
    missing_images: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    stale: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


def write_film(
    scene: Scene,
    view: TwinView,
    result: Result | None = None,
    *,
    path: Path,
    way: Path3 | None = None,
    seconds: float | None = None,
    job: Job = QUIET,
) -> FilmReport:
    """Write a scene as an MP4 (H.264, 25 pictures a second, BT.709).

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`. Where the field shown has times the film runs
        through them evenly; ``scene.time_s`` holds one of them.
    path
        The file; it is there whole or not at all.
    way
        Path of the camera, such as `orbit` or `through`; it stands still where None.
    seconds
        Length; 0.4 s a moment, or 8 s along a path, where None.
    job
        Who listens; a cancel is felt within a picture.

    Raises
    ------
    MissingError
        This machine cannot draw, or the encoder is missing.
    RequestError
        Nothing moves: no times and no path; or the length is no length.
    StoreError
        The file cannot be written.
    CancelledError
        The job was cancelled; no file is left.
    """
    times = _times(scene, result)
    if not times and way is None:
        given = scene.run or (view.name if result is None else result.question)
        raise RequestError("scenes.still", given=given)
    long = seconds
    if long is None:
        long = max(_PATH_S if way is not None else 0.0, _MOMENT_S * len(times))
    if not (isfinite(long) and 0.0 < long <= _MOST_SECONDS):
        raise RequestError("scenes.seconds", given=f"{long:g}", values={"most": _MOST_SECONDS})
    require_opengl()
    _encoder()
    scene = replace(scene, size=(scene.size[0] // 2 * 2, scene.size[1] // 2 * 2))
    count = max(2, round(long * RATE))
    if len(times) > count:
        times = tuple(times[i] for i in np.linspace(0, len(times) - 1, count).round().astype(int))
    drawn, time_s = 0, None
    inside: set[str] = set()
    with (
        whole(path) as partial,
        _encoding(partial, scene.size) as write,
        _Reel(scene, view, result) as reel,
    ):
        pixels = None
        for number in range(count):
            job.step(number, count, what="scenes.film")
            share = number / (count - 1)
            if times:
                here = times[min(int(share * len(times)), len(times) - 1)]
                if here != time_s:
                    time_s, pixels = here, None
                    reel.turn_to(here)
            if pixels is None or way is not None:
                camera = reel.picture.camera if way is None else way(reel.picture, share)
                if way is not None or not drawn:
                    inside.update(within(reel.picture, camera.position))
                pixels = reel.pixels(camera)
                drawn += 1
            write(pixels)
        job.step(count, count, what="scenes.film")
    return FilmReport(
        mp4=str(path),
        seconds=count / RATE,
        pictures=drawn,
        moments=len(times),
        moments_of_run=0 if result is None or result.times_s is None else len(result.times_s),
        size=scene.size,
        objects=reel.picture.objects,
        triangles=reel.picture.triangles,
        failed=reel.picture.failed,
        missing_images=reel.picture.missing_images,
        inside=tuple(sorted(inside)),
        stale=stale(view, result),
        hidden=reel.picture.hidden,
    )


def _times(scene: Scene, result: Result | None) -> tuple[float, ...]:
    if result is None or scene.time_s is not None:
        return ()
    chosen = chosen_field(result, scene.field)
    return moments(result, chosen, most=round(_MOST_SECONDS * RATE))


class _Reel:
    """A scene composed once, drawn from any camera and at any moment of its run.

    A grid changes only the texture over the ground; other results colour bodies and
    streets, so that each of their moments is composed anew.
    """

    def __init__(self, scene: Scene, view: TwinView, result: Result | None) -> None:
        self._view, self._result = view, result
        self._field = None if result is None else chosen_field(result, scene.field)
        self._scene = scene if self._field is None else replace(scene, field=self._field.name)
        self._grid = (
            result.grid.bounds
            if result is not None and result.grid is not None and self._field is not None
            and self._field.carrier == "grid" and self._field.over_time
            else None
        )  # fmt: skip
        self._canvas: Any = None
        self._compose()

    def __enter__(self) -> _Reel:
        return self

    def __exit__(self, *_: object) -> None:
        self._canvas.close()

    def _compose(self) -> None:
        from scenes.backend import Canvas

        if self._canvas is not None:
            self._canvas.close()
        shown = self._result
        if self._grid is not None and shown is not None and self._field is not None:
            shown = blank(shown, self._field)
        bare = self._scene if self._grid is None else replace(self._scene, time_s=None)
        self.picture = compose(bare, self._view, shown)
        self._canvas = Canvas(self.picture, self._scene.size)
        if self._grid is not None:
            self._lay()

    def _lay(self) -> None:
        """Lay the grid of the moment over the ground."""
        assert self._result is not None
        s = self._scene
        drawing = draw(self._result, name=s.field, time_s=s.time_s, lang=s.lang)
        assert drawing.cells is not None
        self.picture = replace(self.picture, drawing=drawing)
        self._canvas.cells(drawing.cells, self._grid)

    def turn_to(self, time_s: float) -> None:
        """Show another moment of the run."""
        self._scene = replace(self._scene, time_s=time_s)
        if self._grid is not None:
            self._lay()
        else:
            self._compose()

    def pixels(self, camera: Camera) -> NDArray[np.uint8]:
        """Return the finished picture from a camera."""
        shown = replace(self.picture, camera=camera)
        bare = self._canvas.frame(shown.camera)
        return np.asarray(overlay.lay_over(bare, self._scene, self._view, self._result, shown))


def _encoder() -> Any:
    """Return PyAV, once it is sure that it can encode.

    Raises
    ------
    MissingError
        It is not installed, or was built without H.264.
    """
    try:
        import av
    except ImportError as error:
        raise MissingError("scenes.no_viewer", given="av") from error
    if _CODEC not in av.codecs_available:
        raise MissingError("scenes.no_codec", given=_CODEC)
    return av


@contextmanager
def _encoding(path: Path, size: tuple[int, int]) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield what takes pictures (h, w, 3) one after another into an MP4."""
    av = _encoder()
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        options = {"crf": "19", "preset": "veryfast", "x264-params": "keyint=50"}
        stream = container.add_stream(_CODEC, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        code = stream.codec_context
        code.time_base = Fraction(1, RATE)
        code.colorspace, code.color_primaries, code.color_trc = 1, 1, 1  # BT.709
        code.color_range = 1
        number = 0

        def write(pixels: NDArray[np.uint8]) -> None:
            nonlocal number
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1)
            frame.pts, number = number, number + 1
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))


def orbit(*, turn_deg: float = 360.0) -> Path3:
    """Return a path around what the picture looks at, at even speed, eastwards for plus."""

    def camera(picture: Picture, share: float) -> Camera:
        start = picture.camera
        angle = np.radians(turn_deg * share)
        c, s = float(np.cos(angle)), float(np.sin(angle))
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        away = turn @ (start.position - start.focus)
        bearing = (start.turn_deg + np.degrees(angle) + 180.0) % 360.0 - 180.0
        return replace(start, position=start.focus + away, up=turn @ start.up, turn_deg=bearing)

    return camera


def through(stations: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Path3:
    """Return a smooth path through places of the camera.

    Parameters
    ----------
    stations
        At least two of (position, focus): each (x, y, z), projected metres and height.

    Raises
    ------
    RequestError
        Fewer than two stations, a broken number, or a camera that looks at itself.
    """
    places = np.array([[*p, *f] for p, f in stations], dtype=np.float64).reshape(-1, 6)
    apart = np.linalg.norm(places[:, :3] - places[:, 3:], axis=1)
    if len(places) < 2 or not np.isfinite(places).all() or (apart < 1e-3).any():
        raise RequestError("scenes.path", given=f"{len(places)}")

    def camera(picture: Picture, share: float) -> Camera:
        o: Origin = picture.origin
        at = _smooth(places, share) - (o.x, o.y, o.z, o.x, o.y, o.z)
        position, focus = at[:3], at[3:]
        ahead = focus - position
        flat = float(np.hypot(ahead[0], ahead[1]))
        turn = float(np.degrees(np.arctan2(-ahead[0], ahead[1]))) if flat > 1e-9 else 0.0
        up = np.array([0.0, 0.0, 1.0]) if flat > 1e-3 * np.linalg.norm(ahead) else None
        straight_down = np.array([0.0, 1.0, 0.0])
        up = straight_down if up is None else up
        return replace(picture.camera, position=position, focus=focus, up=up, turn_deg=turn)

    return camera


def _smooth(places: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return a Catmull-Rom curve through rows at a share 0..1 of their number."""
    at = share * (len(places) - 1)
    i = min(int(at), len(places) - 2)
    t = at - i
    a, b, c, d = (places[min(max(k, 0), len(places) - 1)] for k in range(i - 1, i + 3))
    curve: NDArray[np.float64] = b + 0.5 * t * (
        c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))
    )
    return curve


def read_path(text: str, scene: Scene) -> Path3:
    """Return the path an option names.

    Parameters
    ----------
    text
        ``orbit``, ``orbit:180``, ``bookmarks`` for the eyes of the scene's bookmarks in their
        order, or a JSON file of stations.
    scene
        Whose bookmarks.

    Raises
    ------
    RequestError
        It names no path; the message says what one looks like.
    """
    head, _, degrees = text.partition(":")
    try:
        if head == "orbit":
            turn = float(degrees) if degrees else 360.0
            if not isfinite(turn) or turn == 0.0:
                raise ValueError(text)
            return orbit(turn_deg=turn)
        if text == "bookmarks":
            eyes = [b.eye for b in scene.bookmarks if b.eye is not None]
            return through([(eye.position, eye.focus) for eye in eyes])
        stations = json.loads(Path(text).read_text(encoding="utf-8"))
        return through([(s["position"], s["focus"]) for s in stations])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError("scenes.path", given=text) from error
