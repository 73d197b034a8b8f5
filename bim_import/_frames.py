"""Messages between the mesher and its worker: a JSON head and raw blocks, nothing executable."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

__all__ = ["receive", "send"]

_LENGTH = struct.Struct("<I")
_LARGEST = 2**31


def send(
    stream: IO[bytes], head: list[Any], blocks: tuple[bytes, ...] = (), *, flush: bool = False
) -> None:
    """Write one message: a list of plain values, and blocks of bytes."""
    text = json.dumps([head, [len(block) for block in blocks]]).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for block in blocks:
        stream.write(block)
    if flush:
        stream.flush()


def receive(stream: IO[bytes]) -> tuple[list[Any], list[bytes]] | None:
    """Read one message; None at the end of the stream, also in the middle of a message."""
    start = stream.read(_LENGTH.size)
    if len(start) < _LENGTH.size:
        return None
    text = stream.read(_LENGTH.unpack(start)[0])
    try:
        head, sizes = json.loads(text)
    except ValueError:
        return None
    blocks = []
    for size in sizes:
        if not 0 <= size < _LARGEST:
            return None
        block = stream.read(size)
        if len(block) < size:
            return None
        blocks.append(block)
    return head, blocks
