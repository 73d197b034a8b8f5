"""Whether an ASCII grid holds the numbers its head declares.

GDAL reads a word among the numbers as 0 and leaves unread what stands behind the last
declared row: heights would be wrong, or lie elsewhere, in silence. A few words cost their
cells, many the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError

__all__ = ["leave_out", "words_among"]

_HEAD = re.compile(rb"\s*[A-Za-z_]\w*[ \t]+\S+[^\r\n]*")
_NUMBER = re.compile(
    rb"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?(?:1\.#)?inf\w*|1\.#\w+",
    re.IGNORECASE,
)
_USUAL = b"0123456789+-.eE"
_AT_ONCE = 1 << 24
_SHARE = 0.01  # of the cells; more words than this, and it is no grid of numbers


Word = tuple[int, bytes]


def words_among(path: Path, cells: int) -> list[Word]:
    """Return the few words of an ASCII grid that stand where a number should.

    Parameters
    ----------
    path
        The file.
    cells
        How many numbers its head declares: rows × columns.

    Returns
    -------
    list of (int, bytes)
        Number of the cell, row by row from the top, and what stands there.

    Raises
    ------
    SourceError
        Too many or too few numbers; words in more than one of a hundred cells.
    """
    words = _words(path, cells)
    ended = any(b"\0" in word for _, word in words)  # where a reader ends a word, not we
    if ended or len(words) > max(1.0, _SHARE * cells):
        raise SourceError("source.ascii_grid_word", given=path.name, values=_first(words))
    return words


def leave_out(words: Sequence[Word], values: NDArray[np.float64]) -> dict[str, int | str]:
    """Make the cells of `words` missing (NaN); return what the note ``ascii_grid_words`` says."""
    values.flat[[at for at, _ in words]] = np.nan
    row, col = divmod(words[0][0], values.shape[1])
    return {"count": len(words), "row": row + 1, "col": col + 1, **_first(words)}


def _first(words: Sequence[Word]) -> dict[str, str]:
    return {"word": ascii(words[0][1][:40].decode("latin-1"))}


def _words(path: Path, cells: int) -> list[Word]:
    """Return what is no number, by the cell it stands for; there must be as many as cells."""
    found: list[Word] = []
    count, rest, in_head = 0, b"", True
    with path.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            chunk = rest + chunk
            cut = max(chunk.rfind(c) for c in (b" ", b"\n", b"\t", b"\r")) + 1
            chunk, rest = chunk[:cut], chunk[cut:]
            if in_head:
                chunk, in_head = _without_head(chunk), False
            count += _counted(chunk, count, found)
    count += _counted(rest, count, found)
    if found and count != cells:
        raise SourceError("source.ascii_grid_word", given=path.name, values=_first(found))
    if count != cells:
        values = {"count": count, "declared": cells}
        raise SourceError("source.ascii_grid_count", given=path.name, values=values)
    return found


def _without_head(chunk: bytes) -> bytes:
    """Return what follows the lines that begin with a name."""
    at = len(b"\xef\xbb\xbf") if chunk.startswith(b"\xef\xbb\xbf") else 0
    while (line := _HEAD.match(chunk, at)) and not _NUMBER.fullmatch(line[0].split()[0]):
        at = line.end()
    return chunk[at:]


def _counted(chunk: bytes, before: int, found: list[Word]) -> int:
    """Return how many words there are, those that are no numbers added to `found`."""
    words = chunk.split()
    if chunk.translate(None, _USUAL + b" \t\r\n"):  # something else than plain numbers
        found += [(before + i, w) for i, w in enumerate(words) if not _NUMBER.fullmatch(w)]
    return len(words)
