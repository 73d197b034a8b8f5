"""What may stand in a where-expression: CQL2 text, read once and kept within limits.

The grammar is OGC CQL2 (``height_m > 50 AND name LIKE '%道%'``), read by the cql2
library. Expressions come from users and from the network, and a deep one would overrun
the stack of the reader: its length and depth are checked before it is read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cim.errors import RequestError

__all__ = ["LONGEST_BYTES", "MOST_LEVELS", "parse", "properties"]

LONGEST_BYTES = 10_000
MOST_LEVELS = 64

_OPERATORS = frozenset("+-*/%^=<>")
_BREAKS = frozenset(["AND", "OR"])


def parse(where: str) -> Any:
    """Return the CQL2 JSON of an expression.

    Raises
    ------
    RequestError
        Not text, empty, longer than 10 kB, deeper than 64 levels, or not CQL2.
    """
    if not isinstance(where, str) or not where.strip():
        raise RequestError("query.where_empty", given=repr(where)[:60])
    if len(where.encode("utf-8", "replace")) > LONGEST_BYTES:
        values = {"most": LONGEST_BYTES}
        raise RequestError("query.where_too_long", given=_short(where), values=values)
    if _depth_of_text(where) > MOST_LEVELS:
        raise _too_deep(where)
    return _parse(where)


@lru_cache(maxsize=64)
def _parse(where: str) -> Any:
    import cql2

    try:
        tree = cql2.parse_text(where).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError, UnicodeError) as error:
        values = {"why": _why(str(error))}
        raise RequestError("query.where_not_cql2", given=_short(where), values=values) from error
    if _depth_of_tree(tree) > MOST_LEVELS:
        raise _too_deep(where)
    return tree


def properties(tree: Any) -> list[str]:
    """Return the names of all columns an expression mentions, in order, each once."""
    found: dict[str, None] = {}
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("property"), str):
                found[node["property"]] = None
            waiting += reversed(list(node.get("args", ())))
        elif isinstance(node, list):
            waiting += reversed(node)
    return list(found)


def _too_deep(where: str) -> RequestError:
    return RequestError("query.where_too_deep", given=_short(where), values={"most": MOST_LEVELS})


def _depth_of_text(where: str) -> int:
    """Return an upper bound of the depth: brackets, and operators in a row at each level.

    Quoted parts are skipped. A row of operators ends at AND, OR and a comma, which the
    reader keeps flat.
    """
    deepest, rows = 0, [0]
    word, quote = "", ""
    for sign in where + " ":
        if quote:
            quote = "" if sign == quote else quote
            continue
        if sign.isalnum() or sign == "_":
            word += sign
            continue
        if word.upper() == "NOT":
            rows[-1] += 1
        elif word.upper() in _BREAKS:
            rows[-1] = 0
        word = ""
        if sign in "'\"":
            quote = sign
        elif sign in "([":
            rows.append(0)
        elif sign in ")]" and len(rows) > 1:
            rows.pop()
        elif sign == ",":
            rows[-1] = 0
        elif sign in _OPERATORS:
            rows[-1] += 1
        deepest = max(deepest, len(rows) - 1 + max(rows))
    return deepest


def _depth_of_tree(tree: Any) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(node, dict):
            waiting += [(part, level + 1) for part in node.get("args", ())]
        elif isinstance(node, list):
            waiting += [(part, level) for part in node]
    return deepest


def _why(text: str) -> str:
    """Return where the reader stumbled: its caret line says the column."""
    head = text.strip().splitlines()
    place = head[0].replace("-->", "").strip() if head else ""
    return place if place[:1].isdigit() else (head[0][:120] if head else "")


def _short(where: str) -> str:
    text = " ".join(where.split())
    return text if len(text) <= 100 else f"{text[:99]}…"
