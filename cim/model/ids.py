"""Stable ids: the same sources give the same ids, in any order, on any machine.

An id is the kind's prefix and a hash of (source key, the source's own id). Where
the source has no ids of its own, the hash is of the geometry rounded to 1 cm and
the attributes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import kind

__all__ = ["content_ids", "geometry_marks", "marked_ids", "own_ids", "record_texts"]


def own_ids(kind_name: str, source_key: str, own: Sequence[object]) -> list[str]:
    """Return ids from the source's own ids, in their order.

    Parameters
    ----------
    kind_name
        Kind of the objects.
    source_key
        Name of the source that stays the same from delivery to delivery.
    own
        The source's own ids; equal own ids give equal ids.
    """
    prefix = kind(kind_name).prefix
    return [f"{prefix}-{_digest((source_key + chr(31) + str(one)).encode())}" for one in own]


def content_ids(
    kind_name: str,
    geometry: Sequence[Any] | NDArray[Any],
    columns: Mapping[str, Sequence[Any] | NDArray[Any]],
) -> list[str]:
    """Return ids from geometry rounded to 1 cm and attributes, in their order.

    Parameters
    ----------
    kind_name
        Kind of the objects.
    geometry
        Shapely geometries in metres, or None.
    columns
        Attribute -> its value for each object; missing values do not count.
    """
    texts = record_texts(columns, len(geometry))
    return marked_ids(kind_name, geometry_marks(geometry), texts)


def marked_ids(kind_name: str, marks: Sequence[bytes], texts: Sequence[str]) -> list[str]:
    """Return ids from what `geometry_marks` and `record_texts` tell, in their order."""
    head = kind(kind_name).prefix + "-"
    return [head + _digest(m + t.encode()) for m, t in zip(marks, texts, strict=True)]


def geometry_marks(geometry: Sequence[Any] | NDArray[Any]) -> list[bytes]:
    """Return well-known binary of geometries rounded to 1 cm, whichever vertex they begin at."""
    import shapely

    shapes = np.empty(len(geometry), dtype=object)
    shapes[:] = geometry
    there = ~shapely.is_missing(shapes)
    marks = np.full(len(shapes), b"", dtype=object)
    for deep in (False, True):  # a flat geometry stays flat
        part = there & (shapely.has_z(shapes) == deep)
        moved = shapely.transform(shapes[part], lambda xy: np.round(xy, 2) + 0.0, include_z=deep)
        marks[part] = shapely.to_wkb(shapely.normalize(moved), byte_order=1)
    return list(marks)


def record_texts(columns: Mapping[str, Sequence[Any] | NDArray[Any]], count: int) -> list[str]:
    """Return what each object's attributes say as JSON with sorted keys, missing ones left out.

    Parameters
    ----------
    columns
        Attribute -> its value for each object: None and NaN are missing.
    count
        Number of objects.
    """
    parts = [_said(name, columns[name]) for name in sorted(columns)]
    told = [part for part in parts if part is not None]
    if not told:
        return ["{}"] * count
    rows = zip(*told, strict=True)
    return ["{" + ", ".join([one for one in row if one]) + "}" for row in rows]


def _said(name: str, column: Sequence[Any] | NDArray[Any]) -> list[str] | None:
    """Return ``"name": value`` as JSON for each object, "" where missing; None for no value."""
    key = json.dumps(name, ensure_ascii=False) + ": "
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        there = ~np.isnan(column)
        if not there.any():
            return None
        unique, number = np.unique(column[there] + 0.0, return_inverse=True)  # -0.0 is 0.0
        texts = np.array([key + json.dumps(value) for value in unique.tolist()], dtype=object)
        out = np.full(len(column), "", dtype=object)
        out[there] = texts[number]
        return list(out)
    values = column.tolist() if isinstance(column, np.ndarray) else column
    if all(value is None for value in values):
        return None
    known: dict[tuple[type, Any], str] = {(type(None), None): ""}
    said = []
    for value in values:
        text = known.get((type(value), value))
        if text is None:
            if type(value) is str:
                text = key + encode_basestring(value)
            else:
                one = value + 0.0 if type(value) is float else value
                told = json.dumps(one, ensure_ascii=False, default=str)
                text = "" if value != value else key + told
            known[type(value), value] = text
        said.append(text)
    return said


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
