"""The text of CityJSON read member by member: each alone, none more often than it must be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError

__all__ = ["Text", "open_text", "parse_value", "triples"]

Bytes = NDArray[np.uint8]
_DEPTH = re.compile(rb"\[([^\[\]]*)\]")


class Text:
    """A file of JSON as bytes, mapped and not read.

    Parameters
    ----------
    data
        Its bytes.
    name
        What the file is called.
    """

    def __init__(self, data: Bytes, name: str) -> None:
        self.data, self.name = data, name

    def members(self, at: int = 0) -> list[tuple[str, int, int]]:
        """Return key, start and end of each member of the object at a byte, in their order.

        Raises
        ------
        SourceError
            What stands there is no JSON object.
        """
        from kernels.text.members import members

        spans = np.empty((64, 4), dtype=np.int64)
        count, _, wrong = members(self.data, at, spans)
        if count > len(spans):
            spans = np.empty((count, 4), dtype=np.int64)
            count, _, wrong = members(self.data, at, spans)
        if wrong >= 0:
            raise SourceError(
                "source.json_broken",
                given=self.name,
                values={"place": wrong, "text": _shown(self.data, wrong)},
            )
        out = []
        for k0, k1, v0, v1 in spans[:count].tolist():
            key = parse_value(self.data[k0:k1])
            if not isinstance(key, str):
                key = bytes(self.data[k0 + 1 : k1 - 1]).decode("utf-8", errors="replace")
            out.append((key, v0, v1))
        return out

    def value(self, start: int, end: int) -> Any:
        """Return the value between two bytes; `BAD` where it is no JSON."""
        return parse_value(self.data[start:end])


class _Bad:
    """What a value is that cannot be parsed."""

    def __repr__(self) -> str:
        return "unreadable"


BAD = _Bad()


def parse_value(data: Bytes | bytes) -> Any:
    """Return what JSON bytes say; `BAD` where they say nothing (also for NaN and 1e999)."""
    try:
        return json.loads(bytes(data), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):  # also bytes that are no UTF-8
        return BAD


def _refuse(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (np.inf, -np.inf):
        raise ValueError(text)
    return number


def open_text(path: Path) -> Text:
    """Map a file.

    Raises
    ------
    SourceError
        UTF-16 or an empty file.
    """
    if path.stat().st_size == 0:
        raise SourceError("source.empty_file", given=path.name)
    data: Bytes = np.memmap(path, dtype=np.uint8, mode="r")
    head = bytes(data[:4])
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or 0 in head:
        raise SourceError("source.json_utf16", given=path.name)
    return Text(data[3:] if head[:3] == b"\xef\xbb\xbf" else data, path.name)


def triples(data: Bytes, width: int) -> NDArray[np.float64]:
    """Return ``[[x, y, z], …]`` as (n, width) float64; a row that cannot be read is NaN.

    Parameters
    ----------
    data
        The bytes of the array.
    width
        How many numbers a row has.
    """
    raw = bytes(data)
    rows = _DEPTH.findall(raw)
    commas = width - 1
    plain = all(row.count(b",") == commas for row in rows)
    if plain and rows:
        text = b",".join(rows)
        if not text.translate(None, b"0123456789+-.eE, \t\r\n"):
            try:
                numbers = np.array(text.split(b","), dtype=np.float64)
                numbers[~np.isfinite(numbers)] = np.nan
                return numbers.reshape(-1, width)
            except ValueError:
                pass
    return np.array([_row(row, width) for row in rows], dtype=np.float64).reshape(-1, width)


def _row(row: bytes, width: int) -> list[float]:
    value = parse_value(b"[" + row + b"]")
    if (
        isinstance(value, list)
        and len(value) == width
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value)
    ):
        try:
            return [float(v) for v in value]
        except OverflowError:
            pass
    return [np.nan] * width


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number (from 1) and bytes of each line that is not empty."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            stripped = line.strip().removeprefix(b"\xef\xbb\xbf").strip(b"\x1e")
            if stripped:
                yield number, stripped


def _shown(data: Bytes, place: int) -> str:
    text = bytes(data[max(0, place - 10) : place + 20]).decode("utf-8", errors="replace")
    return "".join(c if c.isprintable() else " " for c in text) or "-"
