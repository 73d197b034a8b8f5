"""From the bands of a picture to colours: red, green, blue, alpha, or a colour table.

Aerial pictures of 16 bits a band are stretched to 8, linearly and all bands alike, so that
no colour is shifted against another; between which values is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.model.colour import packed
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["check_colours", "has_colours", "read_colours"]

_BETWEEN = (2.0, 98.0)  # per cent of the values
_ASKED = 1_000_000  # values are enough for that
_STRETCHED = "source.colours_stretched"


def has_colours(data: Any) -> bool:
    """Tell whether an open raster says its bands are red, green and blue, 8 or 16 bits each."""
    named = [c.name for c in data.colorinterp[:3]]
    return named == ["red", "green", "blue"] and data.count in (3, 4) and _deep(data) is not None


def check_colours(data: Any, name: str) -> bool:
    """Return True where an open raster can be read as colours although it does not say so.

    Raises
    ------
    SourceError
        Neither three or four bands of 8 or 16 bits nor one of 8 bits with a colour table.
    """
    deep = _deep(data)
    if (deep is not None and data.count in (3, 4)) or (deep == 8 and _table(data) is not None):
        return True
    values = {"count": data.count, "type": data.dtypes[0]}
    raise SourceError("source.no_colours", given=name, values=values)


def read_colours(data: Any, spec: LayerSpec, report: Report, layer: str) -> NDArray[np.float32]:
    """Return the colours (rows, cols) of an open raster, as `cim.model.colour` packs them.

    A cell is missing where the file masks it: nodata, a mask, an alpha band at nothing.
    Sixteen bits are stretched between the option ``stretch = [low, high]``, else between the
    2nd and the 98th percentile of the three bands together; the report says so.

    Raises
    ------
    SourceError
        The option is not two numbers, the lower one first.
    """
    shown = data.dataset_mask() > 0
    table = _table(data) if data.count == 1 else None
    if table is None:
        bands = data.read((1, 2, 3))
        if _deep(data) == 16:
            bands = _stretched(bands, shown, spec, report, layer)
        return packed(bands, shown)
    number = data.read(1)
    return packed(np.moveaxis(table[:, :3][number], -1, 0), shown & (table[:, 3][number] > 0))


def _stretched(
    bands: NDArray[np.uint16], shown: NDArray[np.bool_], spec: LayerSpec, report: Report, layer: str
) -> NDArray[np.uint8]:
    """Return bands (3, rows, cols) in 8 bits, and say between which values."""
    low, high = _limits(bands, shown, spec)
    table = np.clip((np.arange(65536) - low) / (high - low), 0.0, 1.0)
    seen = bands[:, shown]
    beyond = float(((seen < low) | (seen > high)).mean()) if seen.size else 0.0
    says = {"low": f"{low:g}", "high": f"{high:g}", "beyond": f"{100 * beyond:.1f}"}
    chosen = "source.colours_stretched_as_said" if "stretch" in spec.options else _STRETCHED
    report.note(chosen, file=spec.file.name, layer=layer, values=says)
    made: NDArray[np.uint8] = (table * 255).round().astype(np.uint8)[bands]
    return made


def _limits(
    bands: NDArray[np.uint16], shown: NDArray[np.bool_], spec: LayerSpec
) -> tuple[float, float]:
    if "stretch" in spec.options:
        given = spec.options["stretch"]
        try:
            low, high = (float(v) for v in given)
        except (TypeError, ValueError):
            low = high = np.nan
        if not (np.isfinite([low, high]).all() and low < high):
            raise SourceError("source.stretch", given=given, values={"file": spec.file.name})
        return low, high
    seen = bands[:, shown].ravel()
    if not seen.size:
        return 0.0, 65535.0
    low, high = np.percentile(seen[:: 1 + seen.size // _ASKED], _BETWEEN).round().tolist()
    return low, max(high, low + 1.0)


def _deep(data: Any) -> int | None:
    """Return how many bits each band has: 8, 16, or None for anything else."""
    types = set(data.dtypes)
    return {"uint8": 8, "uint16": 16}.get(types.pop()) if len(types) == 1 else None


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
