"""What a GeoJSON says of its coordinate system, where GDAL reads another.

GDAL takes a ``crs`` whose name it does not know for WGS 84 without a word.
"""

from __future__ import annotations

import json
import re
from typing import Any

from cim.crs import is_projected, split_crs
from cim.errors import FrameError

__all__ = ["stated_system"]

_MEMBER = re.compile(rb'"crs"\s*:\s*(?=\{)')
_LOOKED_AT = 20_000


def stated_system(text: bytes, read: str | None) -> str | None:
    """Return the name of the system stated in `text` where it is not the one read, else None.

    Parameters
    ----------
    text
        The beginning of the file, or its end: the member stands before or behind the
        features.
    read
        What GDAL took it for.
    """
    for found in _MEMBER.finditer(text):
        start = text[found.end() : found.end() + _LOOKED_AT].decode("utf-8", errors="replace")
        try:
            stated, _ = json.JSONDecoder().raw_decode(start)
        except ValueError:
            continue
        if "type" not in stated:  # an attribute that is called so
            continue
        name = _name(stated)
        try:
            ours, _ = split_crs(name)
        except FrameError:
            return name
        return name if is_projected(ours) and read == "EPSG:4326" else None
    return None


def _name(stated: dict[str, Any]) -> str:
    properties = stated.get("properties")
    inner = properties if isinstance(properties, dict) else {}
    if stated["type"] == "name" and isinstance(inner.get("name"), str):
        return str(inner["name"])
    if stated["type"] == "EPSG" and isinstance(inner.get("code"), int | str):
        return f"EPSG:{inner['code']}"
    return json.dumps(stated, ensure_ascii=False)[:80]
