"""A scene as data: what is shown, from where, of which run; JSON with a schema version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cim.errors import RequestError
from cim.model.twin import Bounds

__all__ = ["SCHEMA", "Scene", "scene_from_json"]

SCHEMA = 1


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
    camera: Literal["oblique", "top", "street"] = "oblique"
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
                record[name] = tuple(record[name])
        return Scene(**record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("scenes.no_scene", given=str(error)) from error
