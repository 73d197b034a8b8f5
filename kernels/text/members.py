"""Where the members of a JSON object stand in its bytes, so that each can be parsed alone.

RFC 8259. One pass, no recursion, nothing decoded: a file of any size is cut into members,
and one that is damaged inside costs only itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["DEEPEST", "members"]

DEEPEST = 256
"""How deep brackets may nest."""


@kernel
def _skip_space(data: NDArray[np.uint8], at: int) -> int:
    while at < len(data) and (data[at] == 32 or 9 <= data[at] <= 13):
        at += 1
    return at


@kernel
def _skip_text(data: NDArray[np.uint8], at: int) -> int:
    """Return the place after a string that begins at `at`; len + 1 where it does not end."""
    at += 1
    while at < len(data):
        if data[at] == 92:
            at += 2
        elif data[at] == 34:
            return at + 1
        else:
            at += 1
    return len(data) + 1


@kernel
def _skip_value(data: NDArray[np.uint8], at: int, stack: NDArray[np.uint8]) -> int:
    """Return the place after a value; minus (place + 1) where its brackets do not match."""
    depth = 0
    while at < len(data):
        c = data[at]
        if c == 34:
            after = _skip_text(data, at)
            if after > len(data):
                return -at - 1
            at = after
            if depth == 0:
                return at
            continue
        if c in (123, 91):
            if depth == DEEPEST:
                return -at - 1
            stack[depth] = c
            depth += 1
        elif c in (125, 93):
            if depth == 0:
                return at
            if stack[depth - 1] != c - 2:
                return -at - 1
            depth -= 1
            if depth == 0:
                return at + 1
        elif depth == 0 and (c in (44, 32) or 9 <= c <= 13):
            return at
        at += 1
    return -at - 1


@kernel
def members(data: NDArray[np.uint8], at: int, spans: NDArray[np.int64]) -> tuple[int, int, int]:
    """Find the members of the object that begins at a byte.

    Parameters
    ----------
    data
        The bytes of the text, UTF-8.
    at
        Where the object's brace stands, space before it allowed.
    spans
        (n, 4) int64, written as far as it reaches: start and end of each key with its quotes,
        start and end of its value.

    Returns
    -------
    tuple of int
        How many members there are (call again with room for all); the place after the object;
        -1, or the place of what is no JSON, after which nothing was read.
    """
    stack = np.empty(DEEPEST, dtype=np.uint8)
    count = 0
    at = _skip_space(data, at)
    if at >= len(data) or data[at] != 123:
        return count, at, at
    at = _skip_space(data, at + 1)
    if at < len(data) and data[at] == 125:
        return count, at + 1, -1
    while True:
        if at >= len(data) or data[at] != 34:
            return count, at, at
        k0 = at
        at = _skip_text(data, at)
        if at > len(data):
            return count, k0, k0
        k1 = at
        at = _skip_space(data, at)
        if at >= len(data) or data[at] != 58:
            return count, at, at
        v0 = _skip_space(data, at + 1)
        v1 = _skip_value(data, v0, stack)
        if v1 < 0:
            return count, v0, -v1 - 1
        if v1 == v0:
            return count, v0, v0
        if count < len(spans):
            spans[count, 0], spans[count, 1] = k0, k1
            spans[count, 2], spans[count, 3] = v0, v1
        count += 1
        at = _skip_space(data, v1)
        if at >= len(data):
            return count, at, at
        if data[at] == 125:
            return count, at + 1, -1
        if data[at] != 44:
            return count, at, at
        at = _skip_space(data, at + 1)
