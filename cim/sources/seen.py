"""What was kept so far, to know a duplicate when it comes again: eight bytes a feature.

Ids are hashes of eight bytes already; contents are hashed to as many. They lie in sorted
arrays, so that ten million features take a few hundred megabytes, not ten gigabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import kind

__all__ = ["Seen", "content_keys"]

Keys = NDArray[np.uint64]
_DIGITS = 16  # of an id after its prefix


def content_keys(marks: Sequence[bytes], texts: Sequence[str]) -> Keys:
    """Return a hash of the geometry and attributes of each feature."""
    digests = (
        hashlib.blake2b(mark + text.encode(), digest_size=8).digest()
        for mark, text in zip(marks, texts, strict=True)
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


class _Sorted:
    """Numbers, with a number each or without, sorted in runs each twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[Keys, Keys | None]] = []

    def add(self, keys: Keys, values: Keys | None = None) -> None:
        self._runs.append(_in_order(keys, values))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (c, d), (a, b) = self._runs.pop(), self._runs.pop()
            both = None if b is None or d is None else np.concatenate([b, d])
            self._runs.append(_in_order(np.concatenate([a, c]), both))

    def find(self, keys: Keys) -> tuple[NDArray[np.bool_], Keys]:
        """Return which of the keys are there, and the values of those that have one."""
        there = np.zeros(len(keys), dtype=bool)
        values = np.zeros(len(keys), dtype=np.uint64)
        for known, theirs in self._runs:
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hit = known[at] == keys
            there |= hit
            if theirs is not None:
                values[hit] = theirs[at[hit]]
        return there, values


def _in_order(keys: Keys, values: Keys | None) -> tuple[Keys, Keys | None]:
    if values is None:
        return np.sort(keys, kind="stable"), None
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


@dataclass
class _Kind:
    ids: _Sorted = field(default_factory=_Sorted)
    contents: _Sorted = field(default_factory=_Sorted)
    others: set[str] = field(default_factory=set)  # ids that are no prefix and sixteen digits


class Seen:
    """What was kept so far, by kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def add(self, kind_name: str, ids: Sequence[str], contents: Keys | None = None) -> None:
        """Remember features that are kept; with what they are where that counts."""
        mine = self._kinds.setdefault(kind_name, _Kind())
        numbers, odd = _numbers(kind_name, ids)
        mine.others.update(ids[i] for i in np.flatnonzero(odd).tolist())
        if len(numbers) > odd.sum():
            mine.ids.add(numbers[~odd])
            if contents is not None:
                mine.contents.add(contents[~odd], numbers[~odd])

    def known(self, kind_name: str, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of the ids were kept before."""
        mine = self._kinds.setdefault(kind_name, _Kind())
        numbers, odd = _numbers(kind_name, ids)
        found, _ = mine.ids.find(numbers)
        found[odd] = [ids[i] in mine.others for i in np.flatnonzero(odd).tolist()]
        return found

    def originals(self, kind_name: str, contents: Keys) -> list[str | None]:
        """Return the id of what was kept before with the same content; None for none."""
        mine = self._kinds.setdefault(kind_name, _Kind())
        found, numbers = mine.contents.find(contents)
        head = kind(kind_name).prefix
        out: list[str | None] = [None] * len(contents)
        for i in np.flatnonzero(found):
            out[i] = f"{head}-{int(numbers[i]):0{_DIGITS}x}"
        return out


def _numbers(kind_name: str, ids: Sequence[str]) -> tuple[Keys, NDArray[np.bool_]]:
    """Return the numbers in ids of the usual form, and which have another one."""
    head = kind(kind_name).prefix + "-"
    long = len(head) + _DIGITS
    odd = np.array([len(i) != long or not i.startswith(head) for i in ids], dtype=bool)
    tails = [("0" * _DIGITS if o else i[-_DIGITS:]) for i, o in zip(ids, odd.tolist(), strict=True)]
    try:
        raw = bytes.fromhex("".join(tails))
    except ValueError:  # a reader of another package makes its own
        odd |= np.array([not _is_hex(tail) for tail in tails], dtype=bool)
        raw = bytes.fromhex("".join("0" * _DIGITS if o else t
                                    for t, o in zip(tails, odd.tolist(), strict=True)))  # fmt: skip
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64), odd


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")
