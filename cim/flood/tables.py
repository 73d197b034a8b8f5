"""Tables of numbers that a flood reads: CSV with named columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cim.errors import RequestError, SourceError

__all__ = ["number", "read_rain", "read_table"]


def read_table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has these columns, and perhaps more.

    Raises
    ------
    SourceError
        The file cannot be read, lacks a column, or has no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            found = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            "source.unreadable", given=path.name, values={"why": str(error)}
        ) from error
    if not set(columns) <= set(found) or not rows:
        values = {"columns": ", ".join(columns)}
        raise SourceError("flood.table", given=path.name, values=values)
    return rows


def number(row: Mapping[str, str], column: str, path: Path) -> float:
    """Return a finite number of a row.

    Raises
    ------
    SourceError
        It is none.
    """
    try:
        value = float(row[column])
    except (TypeError, ValueError) as error:
        values = {"column": column, "value": row[column]}
        raise SourceError("flood.table_number", given=path.name, values=values) from error
    if not np.isfinite(value):
        values = {"column": column, "value": row[column]}
        raise SourceError("flood.table_number", given=path.name, values=values)
    return value


def read_rain(path: Path, *, until_s: float | None) -> tuple[list[float], list[float]]:
    """Return ends, s, and intensities, mm/h, of the blocks of a CSV ``time_s,rain_mm_h``.

    Each intensity holds from its time to the next one's, the last until `until_s`; where that is
    None the last must be 0: it ends the rain.

    Raises
    ------
    SourceError
        The file cannot be read, or lacks a number.
    RequestError
        The rain has no end, or times that do not ascend from 0 on.
    """
    rows = read_table(path, ("time_s", "rain_mm_h"))
    times = [number(row, "time_s", path) for row in rows]
    rates = [number(row, "rain_mm_h", path) for row in rows]
    for before, after in zip([-1.0, *times[:-1]], times, strict=True):
        if not after > before or after < 0.0:
            values = {"time": f"{after:g}", "before": f"{max(before, 0.0):g}"}
            raise RequestError("flood.rain_times", given=path.name, values=values)
    if times[0] > 0.0:  # dry before the first
        times, rates = [0.0, *times], [0.0, *rates]
    if until_s is None:
        if rates[-1] != 0.0 or len(times) < 2:
            raise RequestError("flood.rain_end", given=path.name)
        return times[1:], rates[:-1]
    return [*times[1:], max(until_s, float(np.nextafter(times[-1], np.inf)))], rates
