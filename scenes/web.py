"""A scene becomes one HTML file that needs no network: our own viewer, its data inside.

The data are one gzip stream in base64: a JSON header, then plain arrays that go to the
graphics card as they are. The page forbids itself every connection.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.kinds import kind, split_layer
from cim.model.result import Result
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes import city, palette
from scenes.compose import Picture, compose
from scenes.drawables import Label, Legend
from scenes.drawers import Drawing, draw
from scenes.files import whole
from scenes.moments import blank, chosen_field, clock, lies_flat, links_overlay, moments
from scenes.parts import Catalogue, catalogue, ground_box, parts
from scenes.scene import Bookmark, Scene
from scenes.typeface import cut_font
from scenes.within import within

__all__ = ["PageReport", "write_html"]

_VIEWER = Path(__file__).parent / "viewer"
_MOST_FRAMES = 48
_MOST_LYING = 600_000  # corners of what can be picked on the ground
_SMALL_PX = 64  # a drawn pattern is no larger
_LINKS_PX = 2048
_TEXTS = ("illustrative", "home", "top", "find", "play", "pause", "yes", "no")
_SPOT_M = 1.5
_MOST_CUTS, _MOST_NAMES = 6, 300

Reference = tuple[str, int, int]


@dataclass(frozen=True)
class PageReport:
    """What the page holds.

    Attributes
    ----------
    html
        The file written.
    size_mb
        Its size.
    objects, triangles
        How many are drawn.
    moments, moments_of_run
        How many times of the run can be shown, and how many it has.
    not_pickable
        Layers on the ground with too many corners to answer a click.
    labels_left_out
        Names beyond the 300 a page shows.
    failed
        Layers that could not be drawn, and why.
    missing_images
        Textures that could not be had; what should wear them is plaster grey.
    inside
        Ids of the bodies the first view stands in, such as a wall.
    """

    html: str
    size_mb: float
    objects: int
    triangles: int
    moments: int
    moments_of_run: int
    not_pickable: tuple[str, ...]
    labels_left_out: int
    failed: dict[str, str]
    missing_images: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


@dataclass
class _Blob:
    """Arrays one after another, each at a multiple of four bytes."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, values: NDArray[Any] | bytes) -> Reference:
        array = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values
        name = {"f": "f4", "i": "u4", "u": "u4"}[array.dtype.kind]
        name = "u1" if array.dtype == np.uint8 else name
        data = np.ascontiguousarray(array, dtype="<" + name).tobytes()
        reference = (name, self.size, array.size)
        padded = data + b"\0" * (-len(data) % 4)
        self.pieces.append(padded)
        self.size += len(padded)
        return reference


def write_html(
    scene: Scene, view: TwinView, result: Result | None = None, *, path: Path, job: Job = QUIET
) -> PageReport:
    """Write a scene as one HTML file for any browser with WebGL 2; no network, no server.

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`. A run's times get a slider, at most 48 of them.
    path
        The file; it is there whole or not at all.
    job
        Who listens.

    Raises
    ------
    RequestError
        The twin is empty, or the scene has more than six cuts.
    StoreError
        The file cannot be written.
    CancelledError
        The job was cancelled; no file is left.
    """
    if len(scene.clip) > _MOST_CUTS:
        values = {"most": _MOST_CUTS}
        raise RequestError("scenes.page_cuts", given=len(scene.clip), values=values)
    with whole(path) as partial:
        job.step(0, 4, what="scenes.page")
        shown = None if result is None else blank(result, chosen_field(result, scene.field))
        picture = compose(scene, view, shown)
        job.step(1, 4, what="scenes.page")
        blob = _Blob()
        layers = [n for n in view.layers() if scene.layers is None or n in scene.layers]
        objects = catalogue(view, sorted(layers, key=city.order), ground_box(picture))
        header = _header(scene, view, result, picture, layers)
        header |= _bodies(blob, picture, objects)
        header |= _answers(blob, picture, objects)
        frames = None
        if result is not None:
            frames = _frames(blob, scene, view, result, picture, objects, job)
            header |= {"frames": frames, "legend": _legends(scene, result)}
            _moments_of(header["bookmarks"], frames["times_s"])
        header["legend"] = header["legend"] if scene.legend else None
        header["layers"] = _layers(picture, objects, result is not None)
        job.step(3, 4, what="scenes.page")
        partial.write_text(_page(header, blob, scene), encoding="utf-8")
        job.step(4, 4, what="scenes.page")
    times = None if result is None else result.times_s
    over_time = frames is not None and bool(frames["labels"])
    return PageReport(
        html=str(path),
        size_mb=round(path.stat().st_size / 1e6, 2),
        objects=picture.objects,
        triangles=picture.triangles,
        moments=len(frames["labels"]) if frames is not None else 0,
        moments_of_run=len(times) if over_time and times is not None else 0,
        not_pickable=header["not_pickable"],
        labels_left_out=len(picture.labels) - len(header["labels"]),
        failed=picture.failed,
        missing_images=picture.missing_images,
        inside=within(picture, picture.camera.position),
    )


def _header(
    scene: Scene, view: TwinView, result: Result | None, picture: Picture, layers: list[str]
) -> dict[str, Any]:
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
    keyed = {lang: _city_legend(scene, view, picture, layers, lang) for lang in messages.LANGUAGES}
    return {
        "title": title,
        "under": under,
        "sources": sources,
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
        "legend": keyed if any(one["keys"] for one in keyed.values()) else None,
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


def _bodies(blob: _Blob, picture: Picture, objects: Catalogue) -> dict[str, Any]:
    ground = picture.ground
    rows, cols, _ = ground.points.shape
    made: dict[str, Any] = {
        "ground": {
            "rows": rows,
            "cols": cols,
            "points": blob.add(ground.points.ravel()),
            "image": blob.add(_encoded(ground.image)),
            "opacity": ground.opacity,
        },
        "parts": [],
        "edges": [
            {
                "at": blob.add(e.points.ravel()),
                "rgb": list(e.rgb),
                "layer": "building",
                "opacity": e.opacity,
            }
            for e in picture.edges
            if len(e.points)
        ],
    }
    for part in parts(picture, objects):
        surface = part.surface
        pattern = surface.pattern is not None and surface.uv is not None
        made["parts"].append(
            {
                "layer": part.layer,
                "at": blob.add(surface.vertices.ravel()),
                "rgb": blob.add(surface.rgb.ravel()),
                "who": blob.add((part.owner + 1).astype(np.uint32)),
                "faces": blob.add(surface.triangles.ravel()),
                "uv": blob.add(_upright(surface.uv)) if pattern else None,
                "pattern": blob.add(_encoded(surface.pattern, lossless=_drawn(surface.pattern)))
                if pattern
                else None,
                "closed": surface.closed,
                "opacity": surface.opacity,
            }
        )
    return made


def _upright(uv: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return texture coordinates that count from the top of the picture, as WebGL loads it."""
    assert uv is not None
    return np.column_stack([uv[:, 0], 1.0 - uv[:, 1]]).astype(np.float32).ravel()


def _drawn(image: NDArray[np.uint8] | None) -> bool:
    """Tell a small drawn pattern, kept to the pixel, from a photograph."""
    return image is not None and max(image.shape) <= _SMALL_PX


def _encoded(image: NDArray[np.uint8] | None, *, lossless: bool = False) -> bytes:
    from PIL import Image

    assert image is not None
    out = io.BytesIO()
    if lossless:
        Image.fromarray(image).save(out, "PNG", optimize=True)
    else:
        Image.fromarray(image).save(out, "WEBP", quality=86, method=3)
    return out.getvalue()


def _answers(blob: _Blob, picture: Picture, objects: Catalogue) -> dict[str, Any]:
    """Return what a click needs: attributes by layer, and what lies on the ground."""
    standing = {p.layer for p in parts(picture, objects)}
    tables, lying, left_out, room = [], [], [], _MOST_LYING
    for first, table in zip(objects.first, objects.tables, strict=True):
        names = kind(table.kind)
        columns = [_column(table, i) for i in range(len(table.fields))]
        tables.append(
            {
                "layer": table.layer,
                **{lang: messages.title(names.titles, lang=lang) for lang in messages.LANGUAGES},
                "first": first,
                "ids": [str(i) for i in table.ids],
                "columns": [c for c in columns if any(v is not None for v in c["values"])],
            }
        )
        if table.layer in standing:
            continue
        corners = int(shapely.get_num_coordinates(table.geometry).sum())
        if corners > room:
            left_out.append(table.layer)
            continue
        room -= corners
        lying += _lying(blob, picture, table, first)
    return {
        "tables": tables,
        "count": len(objects),
        "lying": lying,
        "not_pickable": tuple(left_out),
    }


def _column(table: FeatureTable, i: int) -> dict[str, Any]:
    one = table.fields[i]
    values = [_plain(v, one.type == "integer") for v in table.columns[one.name]]
    titles = {lang: messages.title(one.titles, lang=lang) for lang in messages.LANGUAGES}
    return {"name": one.name, "unit": one.unit, **titles, "values": values}


def _plain(value: Any, whole_number: bool) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    number = float(value)
    if not np.isfinite(number):
        return None
    return round(number) if whole_number else number


def _lying(blob: _Blob, picture: Picture, table: FeatureTable, first: int) -> list[dict[str, Any]]:
    """Return outlines of features on the ground: areas, lines, spots, in scene metres."""
    pieces, owner = shapely.get_parts(table.geometry, return_index=True)
    type_of = shapely.get_type_id(pieces)
    carriageway = np.nan_to_num(table.numbers("carriageway_m"), nan=3.0)
    half = np.where(table.kind == "road", carriageway / 2, _SPOT_M)
    made = []
    for shape, code in (("spot", 0), ("line", 1), ("area", 3)):
        mine = (type_of == code) & ~shapely.is_empty(pieces)
        if not mine.any():
            continue
        outline = shapely.get_exterior_ring(pieces[mine]) if code == 3 else pieces[mine]
        xy, of = shapely.get_coordinates(outline, return_index=True)
        local = (xy - (picture.origin.x, picture.origin.y)).astype(np.float32)
        made.append(
            {
                "layer": "#ground",
                "shape": shape,
                "who": blob.add((owner[mine] + first).astype(np.uint32)),
                "start": blob.add(np.searchsorted(of, np.arange(len(outline) + 1))),
                "xy": blob.add(local.ravel()),
                "half": blob.add(half[owner[mine]].astype(np.float32)),
            }
        )
    return made


def _frames(
    blob: _Blob,
    scene: Scene,
    view: TwinView,
    result: Result,
    picture: Picture,
    objects: Catalogue,
    job: Job,
) -> dict[str, Any]:
    """Return the run's colours at each of its moments."""
    chosen = chosen_field(result, scene.field)
    times = moments(result, chosen, most=_MOST_FRAMES)
    overlays, colours, values = [], [], []
    box = ground_box(picture)
    for done, time_s in enumerate(times or (None,)):
        job.step(1 + 2 * done / max(len(times), 1), 4, what="scenes.page")
        drawing = draw(result, name=chosen.name, time_s=time_s, lang=scene.lang)
        if drawing.cells is not None:
            overlays.append(blob.add(_encoded(drawing.cells, lossless=True)))
        for layer in drawing.objects:
            if lies_flat(layer):
                image = links_overlay(view, drawing, layer, box, pixels=_LINKS_PX)
                overlays.append(blob.add(_encoded(image, lossless=True)))
        if drawing.objects:
            colours.append(_colours(drawing, objects))
            at = 0 if time_s is None or result.times_s is None else result.times_s == time_s
            step = int(np.argmax(at))
            values.append(_values(chosen.at(step), chosen.ids, objects))
    rect = box
    if chosen.carrier == "grid" and result.grid is not None:
        rect = result.grid.bounds
    o = picture.origin
    return {
        "labels": [clock(t) for t in times],
        "times_s": list(times),
        "rect": [rect[0] - o.x, rect[1] - o.y, rect[2] - o.x, rect[3] - o.y],
        "overlays": overlays or None,
        "cells": chosen.carrier == "grid",
        "colours": blob.add(np.concatenate(colours).ravel()) if colours else None,
        "values": blob.add(np.concatenate(values)) if values else None,
        "field": {"unit": chosen.unit}
        | {lang: messages.title(chosen.titles, lang=lang) for lang in messages.LANGUAGES},
    }


def _moments_of(bookmarks: list[dict[str, Any]], times_s: list[float]) -> None:
    """Give each bookmark with a time the nearest moment of the run."""
    for one in bookmarks:
        if one["time_s"] is not None and times_s:
            one["moment"] = int(np.argmin(np.abs(np.array(times_s) - one["time_s"])))


def _colours(drawing: Drawing, objects: Catalogue) -> NDArray[np.uint8]:
    rgba = np.zeros((len(objects), 4), dtype=np.uint8)
    for layer, by_id in drawing.objects.items():
        if lies_flat(layer):
            continue
        for id_, rgb in by_id.items():
            number = objects.number.get(id_)
            if number is not None:
                rgba[number] = (*rgb, 255)
    return rgba


def _values(
    values: NDArray[Any], ids: NDArray[Any] | None, objects: Catalogue
) -> NDArray[np.float32]:
    told = np.full(len(objects), np.nan, dtype=np.float32)
    for id_, value in zip(() if ids is None else ids, values, strict=False):
        number = objects.number.get(str(id_))
        if number is not None:
            told[number] = value
    return told


def _legends(scene: Scene, result: Result) -> dict[str, Any]:
    chosen = chosen_field(result, scene.field)
    made = {}
    for lang in messages.LANGUAGES:
        legend = draw(result, name=chosen.name, lang=lang).legend
        made[lang] = _plain_legend(legend)
    return made


def _city_legend(
    scene: Scene, view: TwinView, picture: Picture, layers: list[str], lang: str
) -> dict[str, Any]:
    keys = list(city.pipe_keys(view, layers, lang)) if scene.underground else []
    if picture.without_height:
        values = {"count": picture.without_height}
        text = messages.text("scenes.without_height", values, lang=lang)
        keys.append((palette.NO_HEIGHT, text))
    return _plain_legend(Legend("", "", np.empty((0, 3), np.uint8), (), keys))


def _plain_legend(legend: Legend) -> dict[str, Any]:
    return {
        "title": legend.title,
        "unit": legend.unit,
        "rgb": legend.rgb[:: max(1, len(legend.rgb) // 32)].tolist()
        + legend.rgb[-1:].tolist() * (len(legend.rgb) > 1),
        "marks": [[float(share), text] for share, text in legend.marks],
        "keys": [[[int(v) for v in rgb], text] for rgb, text in legend.keys],
    }


def _layers(picture: Picture, objects: Catalogue, with_result: bool) -> list[dict[str, Any]]:
    bodies = {p.layer for p in parts(picture, objects)}
    made: list[dict[str, Any]] = [
        {"name": t.layer, **_layer_titles(t.layer), "count": len(t)}
        for t in objects.tables
        if t.layer in bodies
    ]
    keys = [("#ground", "scenes.web.ground")]
    keys += [("#result", "scenes.web.result")] if with_result else []
    for name, key in keys:
        titles = {lang: messages.text(key, lang=lang) for lang in messages.LANGUAGES}
        made.append({"name": name, **titles, "count": None})
    return made


def _layer_titles(layer: str) -> dict[str, str]:
    head, own = split_layer(layer)
    titles = kind(head).titles
    more = f" ({own})" if own else ""
    return {lang: messages.title(titles, lang=lang) + more for lang in messages.LANGUAGES}


def _page(header: Mapping[str, Any], blob: _Blob, scene: Scene) -> str:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    head = text.encode()
    data = len(head).to_bytes(4, "little") + head
    data += b"\0" * (-len(data) % 4) + b"".join(blob.pieces)
    script = (_VIEWER / "viewer.js").read_text(encoding="utf-8")
    lang = header["lang"]
    filled = (_VIEWER / "page.html").read_text(encoding="utf-8")
    for mark, value in {
        "@LANG@": lang,
        "@TITLE@": html.escape(header["title"][lang]),
        "@FONT@": base64.b64encode(cut_font(text + script)).decode(),
        "@CSS@": (_VIEWER / "viewer.css").read_text(encoding="utf-8"),
        "@JS@": script,
        "@DATA@": base64.b64encode(gzip.compress(data, 6, mtime=0)).decode(),
    }.items():
        filled = filled.replace(mark, value, 1)
    return filled
