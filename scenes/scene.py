"""A scene as data: what is shown, from where, of which run; JSON with a schema version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, get_args

from cim.errors import RequestError
from cim.messages import LANGUAGES
from cim.model.twin import Bounds

__all__ = ["CAMERAS", "SCHEMA", "SIZES", "Camera", "Scene", "scene_from_json"]

SCHEMA = 1
SIZES = (64, 8192)  # least and most pixels of a side

Camera = Literal["oblique", "top", "street"]
CAMERAS: tuple[str, ...] = get_args(Camera)


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

    def to_json(self) -> str:
        """Return the scene as JSON text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False)


def scene_from_json(text: str) -> Scene:
    """Return the scene a JSON text describes.

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
        for name in ("layers", "bounds", "size"):
            if record.get(name) is not None:
                if not isinstance(record[name], list):
                    raise TypeError(f"{name} = {record[name]!r}")
                record[name] = tuple(record[name])
        scene = Scene(**record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("scenes.no_scene", given=str(error)) from error
    wrong = _wrong(scene)
    if wrong is not None:
        raise RequestError("scenes.no_scene", given=f"{wrong} = {getattr(scene, wrong)!r}")
    return scene


def _wrong(scene: Scene) -> str | None:
    """Return the first part of a scene that no picture can be made of, or None."""
    size, box = scene.size, scene.bounds
    fits = {
        "layers": scene.layers is None or all(isinstance(n, str) for n in scene.layers),
        "bounds": box is None or (_numbers(box, 4) and box[0] < box[2] and box[1] < box[3]),
        "camera": scene.camera in CAMERAS,
        "run": scene.run is None or isinstance(scene.run, str),
        "field": scene.field is None or isinstance(scene.field, str),
        "time_s": scene.time_s is None or _numbers((scene.time_s,), 1),
        "scheme": scene.scheme is None or isinstance(scene.scheme, str),
        "size": _numbers(size, 2)
        and all(isinstance(n, int) and SIZES[0] <= n <= SIZES[1] for n in size),
        "lang": scene.lang is None or scene.lang in LANGUAGES,
        "title": scene.title is None or isinstance(scene.title, str),
        "underground": isinstance(scene.underground, bool),
    }
    return next((name for name, fit in fits.items() if not fit), None)


def _numbers(values: tuple[Any, ...], count: int) -> bool:
    return len(values) == count and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and isfinite(v) for v in values
    )
