"""What a click and the time slider of a page need: attributes, outlines, colours by moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cim import messages
from cim.jobs import Job
from cim.model.kinds import kind
from cim.model.result import Result
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes.city import lies_below
from scenes.compose import Picture
from scenes.drawers import Drawing, draw
from scenes.moments import chosen_field, clock, lies_flat, links_overlay, moments
from scenes.page_blob import Blob, encoded
from scenes.parts import Catalogue, ground_box, parts
from scenes.scene import Scene

__all__ = ["answers", "frames"]

_MOST_FRAMES = 48
_MOST_LYING = 600_000  # corners of what can be picked on the ground
_LINKS_PX = 2048
_SPOT_M = 1.5


def answers(blob: Blob, picture: Picture, objects: Catalogue) -> dict[str, Any]:
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


def _lying(blob: Blob, picture: Picture, table: FeatureTable, first: int) -> list[dict[str, Any]]:
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


def frames(
    blob: Blob,
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
            overlays.append(blob.add(encoded(drawing.cells, lossless=True)))
        for layer in drawing.objects:
            if lies_flat(layer):
                image = links_overlay(
                    view, drawing, layer, box, pixels=_LINKS_PX, underground=scene.underground
                )
                if image is not None:
                    overlays.append(blob.add(encoded(image, lossless=True)))
        if drawing.objects:
            colours.append(_colours(drawing, objects, underground=scene.underground))
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


def _colours(drawing: Drawing, objects: Catalogue, *, underground: bool) -> NDArray[np.uint8]:
    """Return (n, 4) colours of what stands, and of pipes where they are shown as tubes."""
    rgba = np.zeros((len(objects), 4), dtype=np.uint8)
    for layer, by_id in drawing.objects.items():
        if lies_flat(layer) and not (underground and lies_below(layer)):
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
