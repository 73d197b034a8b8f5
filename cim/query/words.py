"""Which objects go by a name: words looked for in names, addresses and numbers."""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

from cim.errors import RequestError
from cim.model.naming import is_naming
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from cim.query.spatial import Found, ask

__all__ = ["named"]


def named(
    view: TwinView,
    text: str,
    *,
    layer: str | None = None,
    where: str | None = None,
    limit: int | None = None,
) -> Found:
    """Return what goes by a name, an address or a number.

    Every word of the text must stand in one and the same of an object's id, name, former
    name, address, code, the number its source gave it, or a column of its source that is
    called name or address (名, 地址). Capitals and full-width letters do not matter.

    Parameters
    ----------
    view
        Any twin.
    text
        One word or several, such as ``睦南道50``.
    layer
        Layer or kind to look in; all where None.
    where
        Condition in CQL2 text that must hold too.
    limit
        At most so many objects.

    Returns
    -------
    Found
        The one with the shortest such text first, a whole match before all; equals by id.

    Raises
    ------
    RequestError
        No text; an unknown layer; a condition that cannot be understood; a bad limit.
    """
    words = _folded(str(text)).split()
    if not words:
        raise RequestError("query.no_words", given=repr(text))

    def test(table: FeatureTable) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        length = np.array([_length(table, row, words) for row in range(len(table))], dtype=float)
        return np.isfinite(length), length

    found = ask(view, None, test, layer=layer, where=where, limit=limit)
    return Found(found.frame, found.tables, found.order)


def _length(table: FeatureTable, row: int, words: list[str]) -> float:
    """Return the length of the shortest text that holds all the words, NaN where none does."""
    texts = [
        str(table.ids[row]),
        *(table.columns[name][row] for name in table.columns if is_naming(name)),
    ]
    folded = ("".join(_folded(text).split()) for text in texts if isinstance(text, str))
    held = [len(text) for text in folded if all(word in text for word in words)]
    return min(held, default=np.nan)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
