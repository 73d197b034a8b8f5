"""Whether an ASCII grid holds the numbers its head declares.

GDAL reads a word among the numbers as 0 and leaves unread what stands behind the last
declared row: heights would be wrong, or lie elsewhere, in silence.
"""

from __future__ import annotations

import re
from pathlib import Path

from cim.errors import SourceError

__all__ = ["check_ascii_grid"]

_HEAD = re.compile(rb"\s*[A-Za-z_]\w*[ \t]+\S+[^\r\n]*")
_NUMBER = re.compile(
    rb"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?(?:1\.#)?inf\w*|1\.#\w+",
    re.IGNORECASE,
)
_USUAL = b"0123456789+-.eE"
_AT_ONCE = 1 << 24


def check_ascii_grid(path: Path, cells: int) -> None:
    """Refuse an ASCII grid with a word among its numbers, or too many or too few of them.

    Parameters
    ----------
    path
        The file.
    cells
        How many numbers its head declares: rows × columns.

    Raises
    ------
    SourceError
        What was found, and how many numbers there are.
    """
    count, rest, in_head = 0, b"", True
    with path.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            chunk = rest + chunk
            cut = max(chunk.rfind(c) for c in (b" ", b"\n", b"\t", b"\r")) + 1
            chunk, rest = chunk[:cut], chunk[cut:]
            if in_head:
                chunk, in_head = _without_head(chunk), False
            count += _counted(chunk, path)
    count += _counted(rest, path)
    if count != cells:
        values = {"count": count, "declared": cells}
        raise SourceError("source.ascii_grid_count", given=path.name, values=values)


def _without_head(chunk: bytes) -> bytes:
    """Return what follows the lines that begin with a name."""
    at = len(b"\xef\xbb\xbf") if chunk.startswith(b"\xef\xbb\xbf") else 0
    while (line := _HEAD.match(chunk, at)) and not _NUMBER.fullmatch(line[0].split()[0]):
        at = line.end()
    return chunk[at:]


def _counted(chunk: bytes, path: Path) -> int:
    words = chunk.split()
    if chunk.translate(None, _USUAL + b" \t\r\n"):  # something else than plain numbers
        wrong = next((w for w in words if not _NUMBER.fullmatch(w)), None)
        if wrong is not None:
            values = {"word": wrong[:40].decode("latin-1")}
            raise SourceError("source.ascii_grid_word", given=path.name, values=values)
    return len(words)
