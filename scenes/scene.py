"""A scene as data: what is shown, how, from where, of which run; JSON with a schema version.

A scene holds no geometry and no window. Everything one does to a picture - look from
elsewhere, colour by an attribute, cut, pick out, move in time - makes a new scene, so
that it can be kept, sent, undone, and tested without drawing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, get_args

from cim.errors import RequestError
from cim.messages import LANGUAGES
from cim.model.twin import Bounds

if TYPE_CHECKING:
    from cim.model.result import Result
    from scenes.notebook import Shown

__all__ = ["CAMERAS", "SCHEMA", "SIZES", "Annotation", "Bookmark", "Camera", "Eye", "Plane"]
__all__ += ["Scene", "Style", "check_scene", "scene_from_json"]

SCHEMA = 2
SIZES = (64, 8192)  # least and most pixels of a side
NAMED_RAMPS = ("viridis", "blues", "heat", "heat_down")

Camera = Literal["oblique", "top", "street"]
CAMERAS: tuple[str, ...] = get_args(Camera)
Point = tuple[float, float, float]  # projected metres and height in the twin's datum


@dataclass(frozen=True)
class Style:
    """How one layer looks.

    Attributes
    ----------
    layer
        Its name.
    visible
        Whether it is drawn.
    opacity
        0 (clear) to 1 (solid), of what stands as of what is painted on the ground.
    rgb
        One colour for all, 0..255; the layer's own colours where None. Under a result it
        steps back as all the city does.
    by
        Attribute whose value or class gives the colour; goes before `rgb`.
    ramp
        Colours of numbers: ``viridis``, ``blues``, ``heat``, ``heat_down``.
    limits
        Ends of the ramp; from the values where None.
    label
        Attribute written beside each object; none where None.
    """

    layer: str
    visible: bool = True
    opacity: float = 1.0
    rgb: tuple[int, int, int] | None = None
    by: str | None = None
    ramp: str = "viridis"
    limits: tuple[float, float] | None = None
    label: str | None = None


@dataclass(frozen=True)
class Eye:
    """A camera put where one likes: place and aim, projected metres and absolute height."""

    position: Point
    focus: Point
    view_angle_deg: float = 28.0


@dataclass(frozen=True)
class Bookmark:
    """A view kept under a name: a camera or an eye, a box, and a time of the run."""

    name: str
    camera: Camera = "oblique"
    eye: Eye | None = None
    bounds: Bounds | None = None
    time_s: float | None = None


@dataclass(frozen=True)
class Plane:
    """A cut: what lies on the side of `at` that `normal` points to stays."""

    at: Point
    normal: Point


@dataclass(frozen=True)
class Annotation:
    """A text pinned to a place."""

    text: str
    at: Point


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes
    ----------
    layers
        Layers to draw; all where None.
    bounds
        (xmin, ymin, xmax, ymax) in projected metres; the whole twin where None.
    camera
        ``oblique`` from the south, ``top`` straight down, ``street`` low and near.
    run, field, time_s
        A kept run to show, which of its fields, and when.
    scheme
        Scheme laid over the twin.
    size
        (width, height) in pixels.
    lang
        ``en`` or ``zh``; the language in force where None.
    title
        Heading; the twin's or result's own where None.
    underground
        Whether pipes are painted.
    styles
        How layers look, those that do not look as usual.
    legend
        Whether the legend is shown.
    eye
        A free camera; goes before `camera`.
    bookmarks
        Views kept by name.
    clip
        Cuts; what lies on the right side of all of them is drawn.
    sun
        Instant (ISO 8601 with its offset) whose sun lights the picture; over the
        viewer's shoulder where None.
    selection
        Ids of the objects picked out.
    annotations
        Texts pinned to places.
    """

    layers: tuple[str, ...] | None = None
    bounds: Bounds | None = None
    camera: Camera = "oblique"
    run: str | None = None
    field: str | None = None
    time_s: float | None = None
    scheme: str | None = None
    size: tuple[int, int] = (1280, 720)
    lang: str | None = None
    title: str | None = None
    underground: bool = False
    styles: tuple[Style, ...] = ()
    legend: bool = True
    eye: Eye | None = None
    bookmarks: tuple[Bookmark, ...] = ()
    clip: tuple[Plane, ...] = ()
    sun: str | None = None
    selection: tuple[str, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    def to_json(self) -> str:
        """Return the scene as JSON text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False)

    def show(
        self,
        city: Any,
        result: Result | None = None,
        *,
        live: bool = False,
        window: bool | None = None,
    ) -> Shown:
        """Return the scene for a notebook to display; see `scenes.notebook.show`."""
        from scenes.notebook import show

        return show(self, city, result, live=live, window=window)

    def style(self, layer: str) -> Style:
        """Return how a layer looks, the usual way where nothing is said."""
        return next((s for s in self.styles if s.layer == layer), Style(layer))


def scene_from_json(text: str) -> Scene:
    """Return the scene a JSON text describes; texts of older schemas are read as well.

    Raises
    ------
    RequestError
        The text is no scene, or one of a newer program.
    """
    try:
        record: dict[str, Any] = json.loads(text)
        version = int(record.pop("schema"))
        if version > SCHEMA:
            raise RequestError("scenes.newer_scene", given=version)
        scene: Scene = _made(Scene, record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("scenes.no_scene", given=str(error)) from error
    wrong = _wrong(scene)
    if wrong is not None:
        raise RequestError("scenes.no_scene", given=f"{wrong} = {getattr(scene, wrong)!r}")
    return scene


def check_scene(scene: Scene) -> None:
    """Fail where a scene has a part that no picture can be made of, such as a colour of NaN.

    Raises
    ------
    RequestError
        The first such part, and what it is.
    """
    wrong = _wrong(replace(scene, bounds=None))  # of a box compose says more
    if wrong is not None:
        values = {"value": f"{getattr(scene, wrong)!r}"}
        raise RequestError("scenes.wrong_part", given=wrong, values=values)


_PARTS: Mapping[str, type] = {"styles": Style, "bookmarks": Bookmark, "clip": Plane}
_PARTS = {**_PARTS, "annotations": Annotation, "eye": Eye}
_LISTS: tuple[str, ...] = (
    "layers",
    "bounds",
    "size",
    "styles",
    "bookmarks",
    "clip",
    "selection",
    "annotations",
)
_LISTS = (*_LISTS, "position", "focus", "at", "normal", "rgb", "limits")


def _made(kind: type, record: Mapping[str, Any]) -> Any:
    """Return one of the classes above from its record; lists become tuples."""
    if not isinstance(record, dict):
        raise TypeError(f"{kind.__name__} = {record!r}")
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(record) - known)
    if unknown:
        raise TypeError(f"{kind.__name__}: {', '.join(unknown)}")
    given: dict[str, Any] = {}
    for name, value in record.items():
        if value is not None and name in _LISTS and not isinstance(value, list):
            raise TypeError(f"{name} = {value!r}")
        part = _PARTS.get(name)
        if part is not None and isinstance(value, list):
            given[name] = tuple(_made(part, one) for one in value)
        elif part is not None and value is not None:
            given[name] = _made(part, value)
        else:
            given[name] = tuple(value) if isinstance(value, list) else value
    return kind(**given)


def _wrong(scene: Scene) -> str | None:
    """Return the first part of a scene that no picture can be made of, or None."""
    size = scene.size
    fits = {
        "layers": scene.layers is None or _texts(scene.layers),
        "bounds": _box(scene.bounds),
        "camera": scene.camera in CAMERAS,
        "run": _text(scene.run),
        "field": _text(scene.field),
        "time_s": scene.time_s is None or _numbers((scene.time_s,), 1),
        "scheme": _text(scene.scheme),
        "size": _numbers(size, 2)
        and all(isinstance(n, int) and SIZES[0] <= n <= SIZES[1] for n in size),
        "lang": scene.lang is None or scene.lang in LANGUAGES,
        "title": _text(scene.title),
        "underground": isinstance(scene.underground, bool),
        "styles": _several(scene.styles) and all(map(_styled, scene.styles)),
        "legend": isinstance(scene.legend, bool),
        "eye": _eye(scene.eye),
        "bookmarks": _several(scene.bookmarks) and all(map(_kept, scene.bookmarks)),
        "clip": _several(scene.clip)
        and all(_numbers(p.at, 3) and _numbers(p.normal, 3) and any(p.normal) for p in scene.clip),
        "sun": scene.sun is None or _instant(scene.sun),
        "selection": _texts(scene.selection),
        "annotations": _several(scene.annotations)
        and all(isinstance(a.text, str) and _numbers(a.at, 3) for a in scene.annotations),
    }
    return next((name for name, fit in fits.items() if not fit), None)


def _styled(style: Style) -> bool:
    return (
        isinstance(style.layer, str)
        and isinstance(style.visible, bool)
        and _numbers((style.opacity,), 1)
        and 0.0 <= style.opacity <= 1.0
        and (style.rgb is None or _colour(style.rgb))
        and _text(style.by)
        and style.ramp in NAMED_RAMPS
        and (
            style.limits is None
            or (_numbers(style.limits, 2) and style.limits[0] < style.limits[1])
        )
        and _text(style.label)
    )


def _kept(view: Bookmark) -> bool:
    return (
        isinstance(view.name, str)
        and view.camera in CAMERAS
        and _eye(view.eye)
        and _box(view.bounds)
        and (view.time_s is None or _numbers((view.time_s,), 1))
    )


def _eye(eye: Eye | None) -> bool:
    return eye is None or (
        _numbers(eye.position, 3)
        and _numbers(eye.focus, 3)
        and tuple(eye.position) != tuple(eye.focus)
        and _numbers((eye.view_angle_deg,), 1)
        and 1.0 <= eye.view_angle_deg <= 120.0
    )


def _box(box: Bounds | None) -> bool:
    return box is None or (_numbers(box, 4) and box[0] < box[2] and box[1] < box[3])


def _colour(rgb: tuple[int, int, int]) -> bool:
    return _numbers(rgb, 3) and all(isinstance(c, Integral) and 0 <= c <= 255 for c in rgb)


def _instant(text: Any) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _texts(values: Any) -> bool:
    return _several(values) and all(isinstance(v, str) for v in values)


def _several(values: Any) -> bool:
    return isinstance(values, (tuple, list))


def _numbers(values: Any, count: int) -> bool:
    return (
        _several(values)
        and len(values) == count
        and all(isinstance(v, Real) and not isinstance(v, bool) and isfinite(v) for v in values)
    )
