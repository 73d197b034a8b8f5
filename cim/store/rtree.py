"""An R*Tree filled at once: packed by place, written as the nodes SQLite itself would read.

Entry by entry SQLite spends ten microseconds each on splitting nodes, two fifths of
writing a twin. Packed nodes (sort-tile-recursive: Leutenegger, Lopez and Edgington 1997)
are written in a tenth of that and overlap less, so boxes are found faster. The format is
the one of SQLite's R*Tree module: a node is its depth (of the root), its number of cells,
and cells of a number and float32 coordinates, all big-endian; `rtreecheck` of SQLite
judges the result in the suite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cim.store.schema import index_of

__all__ = ["fill_index", "outward"]

_CELL = np.dtype([("number", ">i8"), ("box", ">f4", 6)])
_HEAD = 4
_AT_ONCE = 50_000  # entries
_NODES_AT_ONCE = 2_000
_FULL = 0.8  # of a node: room for edits without a split

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def fill_index(
    connection: sqlite3.Connection, kind_name: str, numbers: Ints, boxes: NDArray[np.float32]
) -> None:
    """Fill the empty R*Tree of a kind.

    Parameters
    ----------
    connection
        Open in a transaction.
    kind_name
        The kind.
    numbers
        (n,) row numbers (fid).
    boxes
        (n, 6) minx, maxx, miny, maxy, minz, maxz, metres from the frame's origin, as
        `outward` gives them; they are put in another order.
    """
    if not len(numbers):
        return
    tree = index_of(kind_name).strip('"')
    ask = f'SELECT length(data) FROM "{tree}_node" WHERE nodeno = 1'
    size = int(connection.execute(ask).fetchone()[0])
    room = (size - _HEAD) // _CELL.itemsize
    order = _packed(boxes, max(2, int(room * _FULL)))
    numbers, tight = numbers[order], boxes
    for side in range(6):  # in place: of many millions there is no room for two
        tight[:, side] = boxes[order, side]
    first, depth, leaves = 2, 0, True
    while len(numbers) > room:
        starts = _even(len(numbers), max(2, int(room * _FULL)))
        count = len(starts) - 1
        nodes = np.arange(first, first + count)
        owner = np.repeat(nodes, np.diff(starts))
        _write(connection, tree, nodes, numbers, tight, starts, size)
        table = f"{tree}_rowid" if leaves else f"{tree}_parent"
        connection.executemany(f'INSERT INTO "{table}" VALUES (?, ?)', _pairs(numbers, owner))
        low = np.minimum.reduceat(tight[:, ::2], starts[:-1])
        high = np.maximum.reduceat(tight[:, 1::2], starts[:-1])
        tight = np.stack([low, high], axis=2).reshape(count, 6)
        numbers, first, depth, leaves = nodes, first + count, depth + 1, False
    root = _encoded(numbers, tight, np.array([0, len(numbers)]), size, depth)
    connection.execute(f'UPDATE "{tree}_node" SET data = ? WHERE nodeno = 1', (root[0],))
    table = f"{tree}_rowid" if leaves else f"{tree}_parent"
    connection.executemany(f'INSERT INTO "{table}" VALUES (?, 1)', zip(numbers.tolist()))


def outward(boxes: Floats) -> NDArray[np.float32]:
    """Return boxes in float32, no side further in than it was."""
    out = boxes.astype(np.float32)
    low, high = out[:, ::2], out[:, 1::2]
    low[low > boxes[:, ::2]] = np.nextafter(low, np.float32(-np.inf))[low > boxes[:, ::2]]
    high[high < boxes[:, 1::2]] = np.nextafter(high, np.float32(np.inf))[high < boxes[:, 1::2]]
    return out


def _pairs(numbers: Ints, owner: Ints) -> Iterator[tuple[int, int]]:
    for start in range(0, len(numbers), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        yield from zip(numbers[part].tolist(), owner[part].tolist(), strict=True)


def _packed(boxes: NDArray[np.float32], fill: int) -> Ints:
    """Return the order in which neighbours on the map stand together, strip by strip."""
    x, y = boxes[:, 0] + boxes[:, 1], boxes[:, 2] + boxes[:, 3]
    strips = max(1, int(np.ceil(np.sqrt(len(boxes) / fill))))
    by_x = np.argsort(x, kind="stable")
    strip = np.empty(len(boxes), dtype=np.int64)
    strip[by_x] = np.arange(len(boxes)) * strips // len(boxes)
    return np.lexsort((y, strip))


def _even(count: int, fill: int) -> Ints:
    """Return starts of groups of nearly `fill`, none of them nearly empty."""
    groups = -(-count // fill)
    return np.arange(groups + 1) * count // groups


def _encoded(
    numbers: Ints, boxes: NDArray[np.float32], starts: Ints, size: int, depth: int
) -> list[bytes]:
    part = slice(int(starts[0]), int(starts[-1]))
    cells = np.empty(part.stop - part.start, dtype=_CELL)
    cells["number"], cells["box"] = numbers[part], boxes[part]
    data, width = cells.tobytes(), _CELL.itemsize
    out = []
    starts = starts - starts[0]
    for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        head = depth.to_bytes(2, "big") + (b - a).to_bytes(2, "big")
        out.append((head + data[a * width : b * width]).ljust(size, b"\0"))
    return out


def _write(
    connection: sqlite3.Connection,
    tree: str,
    nodes: Ints,
    numbers: Ints,
    boxes: NDArray[np.float32],
    starts: Ints,
    size: int,
) -> None:
    for first in range(0, len(nodes), _NODES_AT_ONCE):
        some = nodes[first : first + _NODES_AT_ONCE]
        data = _encoded(numbers, boxes, starts[first : first + len(some) + 1], size, 0)
        pairs = zip(some.tolist(), data, strict=True)
        connection.executemany(f'INSERT INTO "{tree}_node" VALUES (?, ?)', pairs)
