"""Stable ids: the same sources give the same ids, in any order, on any machine.

An id is the kind's prefix and a hash of (source key, the source's own id). Where
the source has no ids of its own, the hash is of the geometry rounded to 1 cm and
the attributes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import kind

__all__ = ["content_ids", "geometry_marks", "own_ids", "record_texts"]


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
    prefix = kind(kind_name).prefix
    texts = record_texts(columns, len(geometry))
    return [
        f"{prefix}-{_digest(wkb + text.encode())}"
        for wkb, text in zip(geometry_marks(geometry), texts, strict=True)
    ]


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
    parts: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(columns):
        key = json.dumps(name, ensure_ascii=False) + ": "
        known: dict[tuple[type, Any], str] = {}
        column = columns[name]
        values = column.tolist() if isinstance(column, np.ndarray) else column
        for part, value in zip(parts, values, strict=True):
            if value is None or value != value:
                continue
            one = value + 0.0 if type(value) is float else value  # -0.0 is 0.0
            mark = (type(one), one)
            text = known.get(mark)
            if text is None:
                text = known[mark] = key + json.dumps(one, ensure_ascii=False, default=str)
            part.append(text)
    return ["{" + ", ".join(part) + "}" for part in parts]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
