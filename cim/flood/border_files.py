"""What the edges do, from a file: one row for each side or part of a side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cim.crs import parse_height_datum
from cim.errors import FrameError, SourceError
from cim.flood.borders import Border
from cim.flood.tables import number, read_table
from cim.model.grid import GridFrame

__all__ = ["read_borders"]

Floats = NDArray[np.float64]

_SERIES = {"stage": ("time_s", "level_m"), "discharge": ("time_s", "flow_m3s"),
           "normal": ("time_s", "slope"), "rating": ("level_m", "flow_m3s")}  # fmt: skip
_COLUMNS = ("side", "kind", "value", "series", "from", "to", "name", "datum")
_NO_LEVEL = (None, "unknown", "relative")


def read_borders(path: Path, frame: GridFrame, *, height_datum: str | None) -> list[Border]:
    """Read borders from a CSV file.

    Parameters
    ----------
    path
        Columns ``side`` (north, south, west, east, all) and ``kind`` (wall, free, discharge, stage,
        normal, rating), and where wanted: ``value`` (m³/s, level m, slope) or ``series``, a CSV
        beside it (``time_s,level_m`` for a tide, ``time_s,flow_m3s``, ``level_m,flow_m3s`` for a
        rating curve); ``from`` and ``to``, map coordinates along the side; ``name``; ``datum``, the
        height datum of levels. Later rows go over earlier ones; what none names is a wall.
    frame
        Where the cells lie.
    height_datum
        Of the terrain, None where it is not known.

    Raises
    ------
    SourceError
        A file that cannot be read, or lacks a number.
    FrameError
        Levels in another height datum than the terrain's, or the terrain's is not known.
    RequestError
        A border that cannot be.
    """
    borders = []
    table = read_table(path, ("side", "kind"))
    odd = sorted({str(name) for name in table[0] if name} - set(_COLUMNS))
    if odd:  # a misnamed datum would else be no datum
        told = {"columns": ", ".join(odd), "known": ", ".join(_COLUMNS)}
        raise SourceError("flood.border_columns", given=path.name, values=told)
    for row in table:
        kind, side = (str(row[c] or "").strip().lower() for c in ("kind", "side"))
        if _said(row, "datum") and kind in {"stage", "rating"}:
            _same_datum(_said(row, "datum"), height_datum, path)
        start, stop = _part(row, side, frame, path)
        times, values = _values(row, kind, path)
        borders.append(
            Border(cast(Any, kind), cast(Any, side), start, stop, times, values, _said(row, "name"))
        )
    return borders


def _said(row: Mapping[str, str], column: str) -> str:
    return str(row.get(column) or "").strip()


def _same_datum(levels: str, terrain: str | None, path: Path) -> None:
    given = parse_height_datum(levels)
    if terrain in _NO_LEVEL:
        raise FrameError("flood.datum_unknown", given=path.name, values={"levels": given})
    if given != parse_height_datum(str(terrain)):
        values = {"levels": given, "terrain": terrain}
        raise FrameError("flood.datum_mismatch", given=path.name, values=values)


def _values(row: Mapping[str, str], kind: str, path: Path) -> tuple[Floats, Floats]:
    nothing = np.empty(0)
    if kind not in _SERIES:
        return nothing, nothing
    if not _said(row, "series"):
        return nothing, np.array([number(row, "value", path)] if "value" in row else [])
    file = path.parent / _said(row, "series")
    columns = _SERIES[kind]
    table = [[number(r, c, file) for c in columns] for r in read_table(file, columns)]
    first, second = np.array(table, np.float64).T
    return first, second


def _part(
    row: Mapping[str, str], side: str, frame: GridFrame, path: Path
) -> tuple[int | None, int | None]:
    """Cells of a side whose middles lie between two map coordinates."""
    if not (_said(row, "from") or _said(row, "to")):
        return None, None
    low, high = sorted(
        number(row, c, path) if _said(row, c) else end
        for c, end in (("from", -np.inf), ("to", np.inf))
    )
    x, y = frame.centres()
    along = x if side in {"north", "south"} else y
    inside = np.flatnonzero((along >= low) & (along <= high))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)
