"""A STEP file as an index: which instance is what, and its arguments when they are asked for.

IFC comes as text of ISO 10303-21: ``#12=IFCWALL('…',#5,…);``. The text is cut at the
semicolons outside of strings and each instance gets a number, a class and a place in
the text; nothing else is read until somebody asks. A spoilt instance costs that
instance, not the file. No schema is needed, so release candidates read like the rest.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ref", "StepFile", "Word"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_COMMENT = re.compile(rb"'(?:[^']|'')*'|/\*.*?\*/", re.DOTALL)
_DATA = re.compile(rb"\bDATA\s*(?:\([^;]*\))?\s*;", re.IGNORECASE)
_TOKEN = re.compile(rb"'(?:[^']|'')*'|\"[^\"]*\"|[()]|[^(),'\"\s]+")
_STATEMENT = re.compile(rb";\s*(?=#\d+\s*=|ENDSEC)")
_REFERENCE = re.compile(rb"#(\d+)")
_NUMBER = re.compile(rb"[^\s,()]+")
_ESCAPE = re.compile(
    r"\\X2\\((?:[0-9A-Fa-f]{4})*)\\X0\\|\\X4\\((?:[0-9A-Fa-f]{8})*)\\X0\\"
    r"|\\X\\([0-9A-Fa-f]{2})|\\S\\(.)|\\P[A-I]\\|\\(\\)"
)
_LONGEST_NAME = 64
_SHORT = 6
_MOST_KNOWN = 200_000
_SPACE = b" \t\r\n"


class Ref(int):
    """A reference to another instance, by its number."""


class Word(str):
    """An enumeration item, its dots left out: ``ELEMENT``, ``T``."""

    __slots__ = ()


class StepFile:
    """The instances of one file.

    Parameters
    ----------
    data
        The whole text.

    Attributes
    ----------
    ids
        (n,) int64, ascending: the numbers of the instances.
    damaged
        Statements that are no instances, or repeat a number.
    """

    def __init__(self, data: bytes) -> None:
        if b"/*" in data:
            data = _COMMENT.sub(lambda m: m[0] if m[0][:1] == b"'" else b"", data)
        self.data = data
        begin = _DATA.search(data)
        first = begin.end() if begin else 0
        self.header = data[:first]
        self.encoding = _encoding(data)
        self._known: dict[bytes, Any] = dict(_MARKS)
        self._index(first)

    def _index(self, first: int) -> None:
        text = np.frombuffer(self.data, dtype=np.uint8)
        ends = _semicolons(self.data, text, first)
        starts = np.concatenate([[first], ends[:-1] + 1]) if len(ends) else ends
        number = _next(text, ord("#"), starts)
        equals = _next(text, ord("="), number)
        opens = _next(text, ord("("), equals)
        closes = _before(text, ord(")"), ends)
        whole = (number < ends) & (equals < ends) & (opens < ends) & (closes > opens)
        stated = int((number < ends).sum())
        number, equals, opens, closes = (a[whole] for a in (number, equals, opens, closes))
        ids, good = _digits(text, number + 1, equals)
        ids, equals, opens, closes = (a[good] for a in (ids, equals, opens, closes))
        order = np.argsort(ids, kind="stable")
        keep = np.ones(len(order), dtype=bool)
        keep[1:] = ids[order][1:] != ids[order][:-1]
        order = order[keep]
        self.damaged = stated - len(order)
        self.ids = ids[order]
        self._from, self._to = opens[order] + 1, closes[order]
        self._kind, self.names = _kinds(self.data, text, equals[order] + 1, opens[order])
        self._codes = {name: code for code, name in enumerate(self.names)}
        self._rows: dict[str, Ints] = {}
        self._starts, self._ends = _view(self._from), _view(self._to)
        self._codes_of = _view(self._kind)
        self._last = int(self.ids[-1]) if len(self.ids) else -1
        self._dense: Any = None
        if self._last < 16 * len(self.ids) + 1_000_000:
            dense = np.full(self._last + 2, -1, dtype=np.int32)
            dense[self.ids] = np.arange(len(self.ids), dtype=np.int32)
            self._dense = _view(dense)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, *names: str) -> Ints:
        """Return the rows of all instances of these classes (upper case), by number."""
        found = []
        for name in names:
            if name not in self._rows:
                code = self._codes.get(name)
                none = np.zeros(0, dtype=np.int64)
                self._rows[name] = none if code is None else np.flatnonzero(self._kind == code)
            found.append(self._rows[name])
        return found[0] if len(found) == 1 else np.sort(np.concatenate(found))

    def of(self, *names: str) -> list[int]:
        """Return the numbers of all instances of these classes."""
        numbers: list[int] = self.ids[self.rows(*names)].tolist()
        return numbers

    def row(self, number: int) -> int:
        """Return the row of an instance, or -1."""
        if not 0 <= number <= self._last:
            return -1
        if self._dense is not None:
            found: int = self._dense[number]
            return found
        at = int(np.searchsorted(self.ids, number))
        return at if self.ids[at] == number else -1

    def name(self, number: int) -> str:
        """Return the class of an instance in upper case, or ""."""
        at = self.row(number)
        return self.names[self._codes_of[at]] if at >= 0 else ""

    def text(self, number: int) -> bytes:
        """Return the text between the brackets of an instance; b"" where there is none."""
        at = self.row(number)
        return self.data[self._starts[at] : self._ends[at]] if at >= 0 else b""

    def args(self, number: int) -> list[Any]:
        """Return the arguments of an instance; an empty list where there is none.

        None for ``$`` and ``*``, `Ref`, `Word`, int, float, str, list, and a pair
        (class, value) for a typed value.
        """
        return _parse(self.text(number), self.encoding, self._words())

    def each(self, *names: str) -> Iterator[tuple[int, list[Any]]]:
        """Yield (number, arguments) of every instance of these classes."""
        rows, known = self.rows(*names), self._words()
        for number, start, end in zip(
            self.ids[rows].tolist(), self._from[rows].tolist(), self._to[rows].tolist(), strict=True
        ):
            yield number, _parse(self.data[start:end], self.encoding, known)

    def _words(self) -> dict[bytes, Any]:
        if len(self._known) > _MOST_KNOWN:
            self._known = dict(_MARKS)
        return self._known

    def references(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return all references of `rows` in one array, and (n + 1,) where each row's begin."""
        texts = self._texts(rows)
        counts = np.array([t.count(b"#") for t in texts], dtype=np.int64)
        joined = b",".join(texts).translate(None, b"#() \t\r\n")
        flat = _read(joined, np.int64, int(counts.sum()))
        if flat is None:
            found = [_REFERENCE.findall(t) for t in texts]
            counts = np.array([len(f) for f in found], dtype=np.int64)
            flat = np.array([int(x) for f in found for x in f], dtype=np.int64)
        return flat, np.concatenate([[0], np.cumsum(counts)])

    def numbers(self, rows: Ints) -> tuple[Floats, Ints]:
        """Return all numbers of `rows` in one array, and (n + 1,) where each row's begin.

        What is no number becomes NaN.
        """
        texts = self._texts(rows)
        counts = np.array([t.count(b",") + 1 for t in texts], dtype=np.int64)
        joined = b",".join(texts).translate(None, b"() \t\r\n")
        flat = _read(joined, np.float64, int(counts.sum()))
        if flat is None:
            found = [_NUMBER.findall(t) for t in texts]
            counts = np.array([len(f) for f in found], dtype=np.int64)
            flat = np.array([_number(x) for f in found for x in f], dtype=np.float64)
        return flat, np.concatenate([[0], np.cumsum(counts)])

    def flags(self, rows: Ints, mark: bytes) -> NDArray[np.bool_]:
        """Tell which of `rows` hold the enumeration item `mark`, such as ``.F.``."""
        return np.array([mark in text for text in self._texts(rows)], dtype=bool)

    def list_of(self, number: int, place: int, dtype: Any) -> Any:
        """Return the numbers of one argument that is a list of lists, flat; None where spoilt."""
        text = self.text(number)
        marks = np.frombuffer(text, dtype=np.uint8)
        depth = np.cumsum((marks == ord("(")).astype(np.int32) - (marks == ord(")")))
        commas = np.flatnonzero((marks == ord(",")) & (depth == 0))
        ends = [-1, *commas.tolist(), len(text)]
        if place + 1 >= len(ends):
            return None
        one = text[ends[place] + 1 : ends[place + 1]]
        bare = one.translate(None, b"() \t\r\n")
        return _read(bare, dtype, bare.count(b",") + 1 if bare else 0)

    def _texts(self, rows: Ints) -> list[bytes]:
        data = self.data
        return [
            data[a:b]
            for a, b in zip(self._from[rows].tolist(), self._to[rows].tolist(), strict=True)
        ]

    def closure(self, numbers: Iterable[int], known: set[int] | None = None) -> set[int]:
        """Return `numbers` and everything they refer to, `known` left out."""
        seen = known if known is not None else set()
        found: set[int] = set()
        wave = [n for n in numbers if n not in seen]
        while wave:
            wave = [n for n in dict.fromkeys(wave) if n not in seen and self.row(n) >= 0]
            seen.update(wave)
            found.update(wave)
            wave = [int(x) for n in wave for x in _REFERENCE.findall(self.text(n))]
        return found


def _semicolons(data: bytes, text: NDArray[np.uint8], first: int) -> Ints:
    """Return where statements end: at semicolons outside of strings."""
    ends = np.flatnonzero(text[first:] == ord(";")) + first
    quotes = np.flatnonzero(text[first:] == ord("'")) + first
    before = np.searchsorted(quotes, ends)
    if len(quotes) % 2 == 0:
        outside: Ints = ends[before % 2 == 0]
        # An odd statement pair (a lost quote here, another there) would swallow what is between.
        if len(outside) > 0.9 * data.count(b";\n", first) or not len(ends):
            return outside
    return np.array([m.start() for m in _STATEMENT.finditer(data, first)], dtype=np.int64)


def _next(text: NDArray[np.uint8], char: int, after: Ints) -> Ints:
    """Return the first place of `char` at or behind each of `after`; the end where none is."""
    places = np.flatnonzero(text == char)
    at = np.searchsorted(places, after)
    found: Ints = np.append(places, len(text))[at]
    return found


def _before(text: NDArray[np.uint8], char: int, until: Ints) -> Ints:
    places = np.flatnonzero(text == char)
    at: Ints = np.searchsorted(places, until) - 1
    found: Ints = np.where(at >= 0, np.append(places, -1)[at], -1)
    return found


def _digits(text: NDArray[np.uint8], start: Ints, end: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the whole numbers written in text[start:end], and which of them are any."""
    value, good, seen = np.zeros(len(start), np.int64), (end - start) <= 20, np.zeros(len(start))
    for k in range(20):
        at = np.flatnonzero(good & (start + k < end))
        if not len(at):
            break
        char = text[start[at] + k]
        digit = (char >= 48) & (char <= 57)
        blank = (char == 32) | (char == 9) | (char == 10) | (char == 13)
        value[at[digit]] = value[at[digit]] * 10 + (char[digit] - 48)
        seen[at[digit]] = 1
        good[at[~digit & ~blank]] = False
    return value, good & (seen > 0) & (value >= 0)


def _kinds(
    data: bytes, text: NDArray[np.uint8], start: Ints, end: Ints
) -> tuple[NDArray[np.int64], list[str]]:
    """Return a code per instance and the class name of each code."""
    mixed = np.full(len(start), 1469598103934665603, dtype=np.uint64)
    prime, active = np.uint64(1099511628211), np.arange(len(start))
    for k in range(_LONGEST_NAME):
        active = active[start[active] + k < end[active]]
        if not len(active):
            break
        char = text[start[active] + k].astype(np.uint64)
        mixed[active] = (mixed[active] ^ char) * prime
    _, one, code = np.unique(mixed, return_index=True, return_inverse=True)
    raw = [data[start[i] : end[i]].strip(_SPACE).upper().decode("latin-1") for i in one]
    names = list(dict.fromkeys(raw))
    same = np.array([names.index(name) for name in raw], dtype=np.int64)
    return (same[code] if len(same) else code.astype(np.int64)), names


def _read(text: bytes, dtype: Any, count: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            flat = np.fromstring(text, dtype=dtype, sep=",") if text else np.zeros(0, dtype)
        except (DeprecationWarning, ValueError):
            return None
    return flat if len(flat) == count else None


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _parse(text: bytes, encoding: str, known: dict[bytes, Any]) -> list[Any]:
    """Return arguments; `known` remembers what words, strings and short numbers mean."""
    top: list[Any] = []
    stack: list[list[Any]] = []
    for token in _TOKEN.findall(text):
        value = known.get(token, _NEW)
        if value is _NEW:
            if token[0] == 35:  # '#'
                value = Ref(token[1:]) if token[1:].isdigit() else None
            else:
                value = _value(token, encoding)
                if len(token) < _SHORT or token[0] > 57 or token[0] == 46 or token[0] == 39:
                    known[token] = value
            top.append(value)
        elif value is _OPEN:
            stack.append(top)
            top = []
        elif value is _CLOSE:
            if stack:
                done, top = top, stack.pop()
                if top and isinstance(top[-1], _Type):
                    top[-1] = (str(top[-1]), done[0] if done else None)
                else:
                    top.append(done)
        else:
            top.append(value)
    while stack:
        done, top = top, stack.pop()
        top.append(done)
    return top


def _view(array: NDArray[Any]) -> Any:
    """Return an array whose items come out as plain numbers, faster than numpy's own."""
    return memoryview(array)  # type: ignore[arg-type]


class _Type(str):
    __slots__ = ()


_NEW, _OPEN, _CLOSE = object(), object(), object()
_MARKS = {b"$": None, b"*": None, b"(": _OPEN, b")": _CLOSE}


def _value(token: bytes, encoding: str) -> Any:
    first = token[0]
    if first == 39:  # quote
        return _string(token[1:-1], encoding)
    if first == 46 and token[-1] == 46 and len(token) > 2:  # '.'
        return Word(token[1:-1].decode("latin-1"))
    if first == 34:
        return token[1:-1].decode("latin-1")
    if 65 <= (first & 0xDF) <= 90:
        return _Type(token.decode("latin-1").upper())
    try:
        return int(token)
    except ValueError:
        pass
    try:
        return float(token)
    except ValueError:
        return None


def _string(raw: bytes, encoding: str) -> str:
    text = raw.decode(encoding, "replace").replace("''", "'")
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    two, four, one, shifted, back = match.groups()
    if two is not None:
        return bytes.fromhex(two).decode("utf-16-be", "replace")
    if four is not None:
        return bytes.fromhex(four).decode("utf-32-be", "replace")
    if one is not None:
        return bytes.fromhex(one).decode("latin-1")
    if shifted is not None:
        return chr(min(ord(shifted) + 128, 0x10FFFF))
    return back or ""


def _encoding(data: bytes) -> str:
    """Return the encoding of bytes beyond ASCII: UTF-8, or GB 18030 as Chinese programs write."""
    if data.isascii():
        return "ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        beyond = bytes(b for b in re.sub(rb"[\x00-\x7f]+", b" ", data))
        try:
            beyond.decode("gb18030")
        except UnicodeDecodeError:
            bad = beyond.decode("utf-8", "replace").count("\ufffd")
            chinese = beyond.decode("gb18030", "replace").count("\ufffd")
            return "utf-8" if bad <= chinese else "gb18030"
        return "gb18030"
    return "utf-8"
