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

from cim.model.kinds import kind

__all__ = ["content_ids", "own_ids"]


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
    kind_name: str, geometry: Sequence[Any], records: Sequence[Mapping[str, object]]
) -> list[str]:
    """Return ids from geometry rounded to 1 cm and attributes, in their order.

    Parameters
    ----------
    kind_name
        Kind of the objects.
    geometry
        Shapely geometries in metres, or None.
    records
        Attributes of each object; missing values do not count.
    """
    import shapely

    prefix = kind(kind_name).prefix
    ids = []
    for shape, record in zip(geometry, records, strict=True):
        wkb = b"" if shape is None else shapely.to_wkb(_rounded(shape), byte_order=1)
        kept = {k: v for k, v in sorted(record.items()) if v is not None and v == v}
        text = json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str)
        ids.append(f"{prefix}-{_digest(wkb + text.encode())}")
    return ids


def _rounded(shape: Any) -> Any:
    import shapely

    moved = shapely.transform(shape, lambda xy: np.round(xy, 2) + 0.0, include_z=True)
    return moved.normalize()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
