"""From the bands of a picture to colours: red, green, blue, alpha, or a colour table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.model.colour import packed

__all__ = ["check_colours", "has_colours", "read_colours"]


def has_colours(data: Any) -> bool:
    """Tell whether an open raster says that its bands are red, green and blue, 8 bits each."""
    named = [c.name for c in data.colorinterp[:3]]
    return named == ["red", "green", "blue"] and data.count in (3, 4) and _bytes(data)


def check_colours(data: Any, name: str) -> bool:
    """Return True where an open raster can be read as colours although it does not say so.

    Raises
    ------
    SourceError
        Neither three or four bands of 8 bits nor one band with a colour table.
    """
    if _bytes(data) and (data.count in (3, 4) or _table(data) is not None):
        return True
    values = {"count": data.count, "type": data.dtypes[0]}
    raise SourceError("source.no_colours", given=name, values=values)


def read_colours(data: Any) -> NDArray[np.float32]:
    """Return the colours (rows, cols) of an open raster, as `cim.model.colour` packs them.

    A cell is missing where the file masks it: nodata, a mask, an alpha band at nothing.
    """
    shown = data.dataset_mask() > 0
    table = _table(data) if data.count == 1 else None
    if table is None:
        return packed(data.read((1, 2, 3)), shown)
    number = data.read(1)
    return packed(np.moveaxis(table[:, :3][number], -1, 0), shown & (table[:, 3][number] > 0))


def _bytes(data: Any) -> bool:
    return all(type_ == "uint8" for type_ in data.dtypes)


def _table(data: Any) -> NDArray[np.uint8] | None:
    """Return the colour table (256, 4) of the first band, None where it has none."""
    try:
        given = data.colormap(1)
    except ValueError:
        return None
    table = np.zeros((256, 4), np.uint8)
    for number, rgba in given.items():
        table[number] = rgba
    return table
