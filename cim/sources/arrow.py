"""Rows on their way through disk: written in batches as Arrow, read back as one layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cim.model.kinds import FieldType

__all__ = ["BATCH", "GEOMETRY", "Batches", "cut"]

GEOMETRY = "geometry"
BATCH = 20_000
"""Rows of a record batch."""

_MOST_BYTES = 64 << 20


def cut(batches: Iterable[Any], at_once: int) -> Iterator[Any]:
    """Yield record batches as tables of so many rows; of fewer where they are large.

    Parameters
    ----------
    batches
        Record batches of one schema.
    at_once
        Rows of a table; a batch of more bytes than is good for memory ends one before.
    """
    import pyarrow as pa

    held: list[Any] = []
    rows = size = 0
    for batch in batches:
        done = 0
        while done < len(batch):
            part = batch.slice(done, at_once - rows)
            done += len(part)
            held.append(part)
            rows, size = rows + len(part), size + part.nbytes
            if rows >= at_once or size >= _MOST_BYTES:
                yield pa.Table.from_batches(held)
                held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


class Batches:
    """A file of rows with one geometry column, filled row by row in bounded memory.

    Parameters
    ----------
    file
        Where to write.
    columns
        Column -> type; texts stay texts, all else is float64.
    """

    def __init__(self, file: Path, columns: Mapping[str, FieldType]) -> None:
        self.file, self.count = file, 0
        self._types = dict(columns)
        self._shapes: list[Any] = []
        self._values: dict[str, list[Any]] = {name: [] for name in columns}
        self._writer: Any = None

    def add(self, shape: Any, values: Mapping[str, Any]) -> None:
        """Add one row; columns that `values` lacks are missing."""
        self._shapes.append(shape)
        for name, column in self._values.items():
            column.append(values.get(name))
        self.count += 1
        if len(self._shapes) >= BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left; no file where there was no row."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def read(self) -> Any:
        """Return all rows as a pyarrow table."""
        import pyarrow as pa

        with pa.OSFile(str(self.file)) as source:
            return pa.ipc.open_file(source).read_all()

    def rewrite(self, name: str, values: list[Any]) -> None:
        """Replace one column of the closed file."""
        import pyarrow as pa

        table = self.read()
        at = table.schema.get_field_index(name)
        table = table.set_column(
            at, table.schema.field(at), pa.array(values, table.schema.types[at])
        )
        with pa.OSFile(str(self.file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    def _flush(self) -> None:
        if not self._shapes:
            return
        import numpy as np
        import pyarrow as pa
        import shapely

        shapes = np.empty(len(self._shapes), dtype=object)
        shapes[:] = self._shapes
        schema = pa.schema(
            [(GEOMETRY, pa.binary())]
            + [(n, pa.string() if t == "text" else pa.float64()) for n, t in self._types.items()]
        )
        arrays = [pa.array(shapely.to_wkb(shapes), pa.binary())]
        arrays += [pa.array(self._values[n], schema.field(n).type) for n in self._types]
        if self._writer is None:
            self._writer = pa.ipc.new_file(pa.OSFile(str(self.file), "wb"), schema)
        self._writer.write_batch(pa.record_batch(arrays, schema=schema))
        self._shapes = []
        self._values = {name: [] for name in self._types}
