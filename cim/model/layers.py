"""The layers of a twin that is being made, in pieces: in memory, or on disk until asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import Field
from cim.model.table import FeatureTable, concat, with_fields

__all__ = ["Layers", "Load", "Standing", "id_keys", "pieces_of"]

Load = Callable[[bool], FeatureTable]
"""Brings rows back, with their geometry or without."""


def id_keys(ids: Iterable[str]) -> NDArray[np.int64]:
    """Return a number for each id; equal ids have equal ones, in this process."""
    return np.fromiter(map(hash, ids), dtype=np.int64)


@dataclass
class _Piece:
    table: FeatureTable | None
    load: Load | None
    count: int
    illustrative: bool
    keys: NDArray[np.int64]

    def get(self, shapes: bool) -> FeatureTable:
        if self.table is not None:
            return self.table
        assert self.load is not None
        return self.load(shapes)


@dataclass
class _Layer:
    pieces: list[_Piece] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)


class Layers(Mapping[str, FeatureTable]):
    """Layers by name. A layer asked for is put together; `pieces` gives it one by one."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, layer: str) -> FeatureTable:
        found = self._layers[layer]
        whole = concat(list(self.pieces(layer)))
        if all(piece.load is None for piece in found.pieces):
            found.pieces = [_piece(whole, None)]
        return whole

    @property
    def in_memory(self) -> bool:
        """Tell whether no piece is on disk."""
        return all(p.load is None for found in self._layers.values() for p in found.pieces)

    def add(self, table: FeatureTable, load: Load | None = None) -> None:
        """Put a piece to its layer; where `load` brings it back it is not held."""
        found = self._layers.setdefault(table.layer, _Layer())
        for one in table.fields:
            found.fields.setdefault(one.name, one)
        found.pieces.append(_piece(table, load))

    def join(self, other: Layers) -> None:
        """Put the pieces of others behind those that are here."""
        for name, theirs in other._layers.items():
            mine = self._layers.setdefault(name, _Layer())
            mine.pieces += theirs.pieces
            for one in theirs.fields.values():
                mine.fields.setdefault(one.name, one)

    def replace(self, layer: str, tables: Iterable[tuple[FeatureTable, Load | None]]) -> None:
        """Put other pieces in the place of those of a layer; they may be made of these."""
        fresh = Layers()
        for table, load in tables:
            fresh.add(table, load)
        self._layers[layer] = fresh._layers[layer]

    def pieces(self, layer: str, *, shapes: bool = True) -> Iterator[FeatureTable]:
        """Yield a layer's pieces in their order, all with the same fields.

        Without `shapes` those on disk come without geometry, which is half of the work.
        """
        found = self._layers[layer]
        fields = tuple(found.fields.values())
        for piece in list(found.pieces):
            yield with_fields(piece.get(shapes), fields)

    def fields(self, layer: str) -> tuple[Field, ...]:
        """Return the fields of all pieces of a layer."""
        return tuple(self._layers[layer].fields.values())

    def count(self, layer: str) -> int:
        """Return how many features a layer has."""
        return sum(piece.count for piece in self._layers[layer].pieces)

    def illustrative(self, layer: str) -> bool:
        """Tell whether any feature of a layer is illustrative (示意数据)."""
        return any(piece.illustrative for piece in self._layers[layer].pieces)

    def ids(self, layer: str) -> NDArray[np.int64]:
        """Return `id_keys` of a layer without reading it."""
        return np.concatenate([piece.keys for piece in self._layers[layer].pieces])


class Standing(Mapping[str, FeatureTable]):
    """Layers of a twin that stands, each read when it is asked for.

    Parameters
    ----------
    layers
        Their names.
    read
        Gives one of them.
    """

    def __init__(self, layers: Iterable[str], read: Callable[[str], FeatureTable]) -> None:
        self._layers, self._read = tuple(layers), read

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self._layers

    def __getitem__(self, layer: str) -> FeatureTable:
        if layer not in self._layers:
            raise KeyError(layer)
        return self._read(layer)


def pieces_of(
    tables: Mapping[str, FeatureTable], layer: str, *, shapes: bool = True
) -> Iterator[FeatureTable]:
    """Yield a layer's features, those of a long layer piece by piece; see `Layers.pieces`."""
    if isinstance(tables, Layers):
        yield from tables.pieces(layer, shapes=shapes)
    else:
        yield tables[layer]


def _piece(table: FeatureTable, load: Load | None) -> _Piece:
    held = table if load is None else None
    return _Piece(held, load, len(table), table.illustrative, id_keys(table.ids))
