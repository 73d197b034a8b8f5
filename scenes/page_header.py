"""What a page says: titles, sources, eye, bookmarks, labels, cuts, legends, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cim import messages
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes import city, overlay
from scenes.compose import Picture
from scenes.drawables import Label, Legend
from scenes.drawers import draw
from scenes.moments import chosen_field
from scenes.remarks import remarks
from scenes.scene import Bookmark, Scene
from scenes.theme import themed

__all__ = ["header", "legends", "moments_of"]

_TEXTS = ("illustrative", "home", "top", "find", "play", "pause", "yes", "no")
_MOST_NAMES = 300


def header(scene: Scene, view: TwinView, result: Result | None, picture: Picture) -> dict[str, Any]:
    """Return the header of a page, its bodies and answers left to others."""
    title, under, sources = {}, {}, {}
    for lang in messages.LANGUAGES:
        name = messages.title(view.titles, lang=lang) or view.name
        own = name if result is None else messages.title(result.titles, lang=lang)
        title[lang] = scene.title or own
        below = [] if result is None else [name]
        if view.scheme:
            below.append(messages.text("scenes.scheme", {"name": view.scheme}, lang=lang))
        under[lang] = " · ".join(below)
        names = "; ".join(picture.sources)
        sources[lang] = messages.text("scenes.source", {"names": names}, lang=lang) if names else ""
    o, camera = picture.origin, picture.camera
    keyed = {
        lang: _plain_legend(_city_legend(scene, view, picture, lang)) for lang in messages.LANGUAGES
    }
    return {
        "title": title,
        "under": under,
        "sources": sources,
        "remarks": {k: "\n".join(remarks(view, result, k)) for k in messages.LANGUAGES},
        "lang": scene.lang or messages.language(),
        "size": list(scene.size),
        "illustrative": view.illustrative or (result is not None and result.illustrative),
        "frame": {
            "crs": view.frame.crs,
            "height_datum": view.frame.height_datum,
            "origin": [o.x, o.y, o.z],
        },
        "camera": {
            "position": camera.position.tolist(),
            "focus": camera.focus.tolist(),
            "view_angle_deg": camera.view_angle_deg,
            "turn_deg": camera.turn_deg,
        },
        "light": list(picture.light),
        "bookmarks": [_bookmark(b, picture) for b in scene.bookmarks],
        "labels": [{"text": one.text, "at": list(one.at)} for one in _shown_labels(picture)],
        "clip": [[list(at), list(normal)] for at, normal in picture.clip],
        "selection": list(scene.selection),
        "legend": keyed if all(keyed.values()) else None,
        "texts": {
            lang: {key: messages.text(_text_key(key), lang=lang) for key in _TEXTS}
            for lang in messages.LANGUAGES
        },
        "frames": None,
    }


def _shown_labels(picture: Picture) -> list[Label]:
    """Return the texts a page shows: all that are pinned, and as many others as can be read."""
    pinned = [one for one in picture.labels if one.pinned]
    return [*pinned, *(one for one in picture.labels if not one.pinned)][
        : len(pinned) + _MOST_NAMES
    ]


def _local(place: Sequence[float], picture: Picture) -> list[float]:
    """Return a place in the scene's own metres."""
    o = picture.origin
    return [place[0] - o.x, place[1] - o.y, place[2] - o.z]


def _bookmark(kept: Bookmark, picture: Picture) -> dict[str, Any]:
    eye = kept.eye
    made: dict[str, Any] = {"name": kept.name, "camera": kept.camera, "eye": None, "moment": None}
    if eye is not None:
        made["eye"] = {
            "position": _local(eye.position, picture),
            "focus": _local(eye.focus, picture),
        }
    if kept.bounds is not None:
        x0, y0, x1, y1 = kept.bounds
        middle = ((x0 + x1) / 2, (y0 + y1) / 2, picture.origin.z)
        made |= {"middle": _local(middle, picture), "across": max(x1 - x0, y1 - y0)}
    return made | {"time_s": kept.time_s}


def _text_key(key: str) -> str:
    return "scenes.illustrative" if key == "illustrative" else f"scenes.web.{key}"


def moments_of(bookmarks: list[dict[str, Any]], times_s: list[float]) -> None:
    """Give each bookmark with a time the nearest moment of the run."""
    for one in bookmarks:
        if one["time_s"] is not None and times_s:
            one["moment"] = int(np.argmin(np.abs(np.array(times_s) - one["time_s"])))


def legends(scene: Scene, result: Result) -> dict[str, Any]:
    """Return the legend of the run shown, by language."""
    chosen = chosen_field(result, scene.field)
    made = {}
    for lang in messages.LANGUAGES:
        legend = draw(result, name=chosen.name, lang=lang).legend
        made[lang] = _plain_legend(legend)
    return made


def _city_legend(scene: Scene, view: TwinView, picture: Picture, lang: str) -> Legend | None:
    """Return the legend of a picture without a run, in one of the languages."""
    layers = [n for n in view.layers() if scene.layers is None or n in scene.layers]
    keys = picture.keys
    if scene.underground:
        drawn = city.pipe_keys(view, layers, scene.lang)
        keys = tuple(k for k in keys if k not in drawn) + city.pipe_keys(view, layers, lang)
    told = replace(scene, lang=lang)
    drawing = None if picture.drawing is None else themed(told, view, layers) or picture.drawing
    return overlay.whole_legend(told, replace(picture, drawing=drawing, keys=keys))


def _plain_legend(legend: Legend | None) -> dict[str, Any] | None:
    if legend is None:
        return None
    return {
        "title": legend.title,
        "unit": legend.unit,
        "rgb": legend.rgb[:: max(1, len(legend.rgb) // 32)].tolist()
        + legend.rgb[-1:].tolist() * (len(legend.rgb) > 1),
        "marks": [[float(share), text] for share, text in legend.marks],
        "keys": [[[int(v) for v in rgb], text] for rgb, text in legend.keys],
    }
