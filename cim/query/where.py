"""Which features of a table meet a where-expression.

Columns are compared as whole arrays. A missing value makes a comparison neither true
nor false, as in SQL, and only what is true is selected: ``height_m > 50`` and
``NOT height_m > 50`` both leave out a building of unknown height.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cim.errors import RequestError
from cim.model.table import FeatureTable
from cim.query.grammar import parse, properties

__all__ = ["matches", "select"]

Mask = npt.NDArray[np.bool_]
Sort = Literal["number", "text", "boolean", "instant", "missing"]

_OWN = ("id", "kind", "layer")
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "t_after": np.greater,
    "t_before": np.less,
    "t_equals": np.equal,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "div": lambda a, b: np.trunc(np.divide(a, b)),
    "^": np.power,
}
_TEXT_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "casei": str.casefold,
    "lower": str.lower,
    "upper": str.upper,
}


def select(table: FeatureTable, where: str) -> FeatureTable:
    """Return the features of `table` that meet `where`.

    Parameters
    ----------
    table
        One layer.
    where
        CQL2 text over its columns and over ``id``, ``kind``, ``layer``: comparisons,
        ``AND OR NOT``, ``BETWEEN``, ``IN``, ``LIKE``, ``IS NULL``, arithmetic,
        ``CASEI()``, ``DATE('…')`` and ``TIMESTAMP('…')``.

    Raises
    ------
    RequestError
        Not CQL2, beyond the limits, an unknown column (the message names those that
        exist), or values that cannot be compared.
    """
    return table.take(matches(table, where))


def matches(
    table: FeatureTable, where: str, *, absent: Sequence[str] = ()
) -> npt.NDArray[np.bool_]:
    """Return the mask of features that meet `where`.

    Parameters
    ----------
    table
        One layer.
    where
        CQL2 text, see `select`.
    absent
        Columns that count as missing everywhere instead of as unknown: a question over
        several layers may name what only some of them have.
    """
    tree = parse(where)
    known = [*_OWN, *table.columns]
    for name in properties(tree):
        if name not in known and name not in absent:
            values = {"layer": table.layer, "known": ", ".join(known)}
            raise RequestError("query.no_column", given=name, values=values)
    return _Reader(table).truth(tree).yes


@dataclass(frozen=True)
class _Truth:
    """Where a condition is true and where it is false; elsewhere it is unknown."""

    yes: Mask
    no: Mask


@dataclass(frozen=True)
class _Values:
    """One operand: what sort it is, an array (or one value for all), what it is called."""

    sort: Sort
    array: npt.NDArray[Any]
    name: str

    @property
    def missing(self) -> Mask:
        if self.sort in ("number", "instant"):
            return np.asarray(np.isnan(self.array))
        return np.array([value is None for value in self.array], dtype=bool)


class _Reader:
    """Evaluates a CQL2 tree over one table."""

    def __init__(self, table: FeatureTable) -> None:
        self._table = table
        self._types = {field.name: field.type for field in table.fields}

    def truth(self, node: Any) -> _Truth:
        """Return where the condition `node` holds."""
        if isinstance(node, bool):
            every = np.full(len(self._table), node)
            return _Truth(every, ~every)
        operator = node.get("op") if isinstance(node, dict) else None
        arguments = node.get("args", []) if isinstance(node, dict) else []
        if operator in ("and", "or"):
            return self._joined(operator, [self.truth(part) for part in arguments])
        if operator == "not":
            inner = self.truth(arguments[0])
            return _Truth(inner.no, inner.yes)
        if operator == "isNull":
            missing = self.values(arguments[0]).missing
            return _Truth(missing, ~missing)
        if operator in _COMPARISONS:
            return self._compared(operator, *(self.values(part) for part in arguments))
        if operator == "between":
            value, low, high = (self.values(part) for part in arguments)
            above, below = self._compared(">=", value, low), self._compared("<=", value, high)
            return self._joined("and", [above, below])
        if operator == "in":
            value = self.values(arguments[0])
            choices = [self._compared("=", value, self.values(part)) for part in arguments[1]]
            return self._joined("or", choices)
        if operator == "like":
            return self._like(arguments)
        return self._flag(node)

    def values(self, node: Any) -> _Values:
        """Return the operand `node`."""
        count = len(self._table)
        if isinstance(node, bool):
            return _Values("boolean", _fill(node, count), str(node).lower())
        if isinstance(node, int | float):
            return _Values("number", np.full(count, float(node)), f"{node:g}")
        if isinstance(node, str):
            return _Values("text", _fill(node, count), f"'{node[:40]}'")
        if node is None:
            raise RequestError("query.where_null", given="NULL")
        if isinstance(node, dict) and isinstance(node.get("property"), str):
            return self._column(node["property"])
        if isinstance(node, dict) and ("date" in node or "timestamp" in node):
            return self._instant(str(node.get("date") or node["timestamp"]))
        if isinstance(node, dict) and node.get("op") in _ARITHMETIC:
            return self._sum(node["op"], *(self.values(part) for part in node["args"]))
        if isinstance(node, dict) and node.get("op") in _TEXT_FUNCTIONS:
            return self._text_function(node["op"], node["args"])
        raise self._unsupported(node)

    def _column(self, name: str) -> _Values:
        count = len(self._table)
        if name == "id":
            return _Values("text", self._table.ids, name)
        if name in _OWN:
            own = self._table.layer if name == "layer" else self._table.kind
            return _Values("text", _fill(own, count), name)
        if name not in self._table.columns:
            return _Values("missing", _fill(None, count), name)
        column, type_ = self._table.columns[name], self._types.get(name, "text")
        if type_ in ("real", "integer"):
            return _Values("number", np.asarray(column, dtype=np.float64), name)
        if type_ == "instant":
            seconds = [np.nan if text is None else _seconds(str(text)) for text in column]
            return _Values("instant", np.array(seconds, dtype=np.float64), name)
        return _Values("boolean" if type_ == "boolean" else "text", column, name)

    def _instant(self, text: str) -> _Values:
        seconds = _seconds(text)
        if np.isnan(seconds):
            raise RequestError("query.where_instant", given=text)
        return _Values("instant", np.full(len(self._table), seconds), text)

    def _sum(self, operator: str, left: _Values, right: _Values) -> _Values:
        for side in (left, right):
            if side.sort not in ("number", "missing"):
                values = {"sort": side.sort, "operator": operator}
                raise RequestError("query.where_not_numbers", given=side.name, values=values)
        a, b = (np.asarray(side.array, dtype=np.float64) for side in (left, right))
        with np.errstate(all="ignore"):
            result = _ARITHMETIC[operator](a, b)
        # a division by zero has no value, and what has none is never selected
        result = np.where(np.isfinite(result), result, np.nan)
        return _Values("number", result, f"{left.name} {operator} {right.name}")

    def _text_function(self, operator: str, arguments: Sequence[Any]) -> _Values:
        inner = self.values(arguments[0])
        if len(arguments) != 1 or inner.sort not in ("text", "missing"):
            values = {"sort": inner.sort, "operator": operator}
            raise RequestError("query.where_not_text", given=inner.name, values=values)
        change = _TEXT_FUNCTIONS[operator]
        changed = _fill(None, len(inner.array))
        changed[:] = [None if value is None else change(value) for value in inner.array]
        return _Values(inner.sort, changed, f"{operator}({inner.name})")

    def _compared(self, operator: str, left: _Values, right: _Values) -> _Truth:
        left, right = self._same_sort(left, right, operator)
        known = ~(left.missing | right.missing)
        yes = np.zeros(len(known), dtype=bool)
        if known.any():
            with np.errstate(invalid="ignore"):
                compared = _COMPARISONS[operator](left.array[known], right.array[known])
            yes[known] = np.asarray(compared, dtype=bool)
        return _Truth(yes, known & ~yes)

    def _same_sort(self, left: _Values, right: _Values, operator: str) -> tuple[_Values, _Values]:
        sorts = {left.sort, right.sort}
        if "missing" in sorts:
            nothing = _Values("missing", _fill(None, len(self._table)), "")
            return nothing, nothing
        if sorts == {"instant", "text"}:  # valid_from >= '2020-01-01'
            left, right = (self._read_instant(s) if s.sort == "text" else s for s in (left, right))
        elif len(sorts) > 1 or (left.sort == "boolean" and operator not in ("=", "<>")):
            values = {"left": left.sort, "other": right.name, "right": right.sort}
            raise RequestError("query.where_sorts", given=left.name, values=values)
        return left, right

    def _read_instant(self, side: _Values) -> _Values:
        seconds = [np.nan if text is None else _seconds(text) for text in side.array]
        array = np.array(seconds, dtype=np.float64)
        if len(array) and side.name.startswith("'") and np.isnan(array).all():
            raise RequestError("query.where_instant", given=side.name)
        return _Values("instant", array, side.name)

    def _like(self, arguments: Sequence[Any]) -> _Truth:
        value, pattern = self.values(arguments[0]), _pattern(arguments[1])
        if pattern is None or value.sort not in ("text", "missing"):
            values = {"sort": value.sort, "operator": "LIKE"}
            raise RequestError("query.where_not_text", given=value.name, values=values)
        known = ~value.missing
        yes = np.array([v is not None and pattern.match(v) is not None for v in value.array], bool)
        return _Truth(yes, known & ~yes)

    def _flag(self, node: Any) -> _Truth:
        """A lone boolean column is a condition of its own: ``closed``."""
        if isinstance(node, dict) and "property" in node:
            column = self._column(node["property"])
            if column.sort in ("boolean", "missing"):
                yes = np.array([value is True for value in column.array], dtype=bool)
                return _Truth(yes, ~yes & ~column.missing)
            raise RequestError("query.where_no_condition", given=column.name)
        raise self._unsupported(node)

    def _joined(self, operator: str, parts: Sequence[_Truth]) -> _Truth:
        if operator == "and":
            flipped = self._joined("or", [_Truth(part.no, part.yes) for part in parts])
            return _Truth(flipped.no, flipped.yes)
        yes = np.zeros(len(self._table), dtype=bool)
        no = np.ones(len(self._table), dtype=bool)
        for part in parts:
            yes, no = yes | part.yes, no & part.no
        return _Truth(yes, no)

    @staticmethod
    def _unsupported(node: Any) -> RequestError:
        name = node.get("op") or node.get("type") if isinstance(node, dict) else node
        known = ", ".join([*_TEXT_FUNCTIONS, "date", "timestamp", "t_after", "t_before"])
        return RequestError(
            "query.where_unsupported", given=str(name)[:60], values={"known": known}
        )


def _fill(value: Any, count: int) -> npt.NDArray[Any]:
    array = np.empty(count, dtype=object)
    array[:] = value
    return array


def _seconds(text: str) -> float:
    """Return seconds since 1970 UTC; a date alone is its midnight UTC, nonsense is NaN."""
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        return float("nan")
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _pattern(node: Any) -> re.Pattern[str] | None:
    r"""Return the matcher of a LIKE pattern: ``%`` any text, ``_`` one sign, ``\`` quotes.

    Every stretch between two ``%`` is found at its first place and never tried again
    (atomic groups), so no pattern takes more than length times length.
    """
    fold = ""
    while isinstance(node, dict) and node.get("op") in _TEXT_FUNCTIONS:
        fold, node = node["op"], node["args"][0]
    if not isinstance(node, str):
        return None
    node = _TEXT_FUNCTIONS[fold](node) if fold else node
    parts: list[str] = [""]
    signs = iter(node)
    for sign in signs:
        if sign == "%":
            parts.append("")
        elif sign == "_":
            parts[-1] += "."
        else:
            parts[-1] += re.escape(next(signs, sign) if sign == "\\" else sign)
    first, *rest = parts
    if not rest:
        return re.compile(f"{first}\\Z", re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile(f"{first}{middle}.*{rest[-1]}\\Z", re.DOTALL)
