"""One object by its id, as fast as SQLite and numpy allow: one statement, two arrays.

The statement reads the version beside the row, so both are of one moment without a
transaction. Where somebody has committed since the view was opened, where the id's prefix
tells no kind, or where another program wrote values of other types, there is no answer
here, and the view asks the long way.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cim.model.kinds import Field, kinds, split_layer
from cim.model.table import FeatureTable, as_column
from cim.store import rows
from cim.store.schema import columns_of, quoted

__all__ = ["Lookup"]

_NUMBERS, _TEXTS = frozenset([float, int, type(None)]), frozenset([str, type(None)])
_VERSION = "(SELECT value FROM cim_meta WHERE key = 'version')"


@dataclass(frozen=True)
class _Plan:
    """Where the columns of a layer's table stand in a row of its statement."""

    fields: tuple[Field, ...]
    numbers: tuple[tuple[str, int], ...]
    texts: tuple[tuple[str, int], ...]
    truths: tuple[tuple[str, int], ...]
    others: tuple[Field, ...]  # those that stand in the JSON of the row's last but one column


class Lookup:
    """Answers for one view; shared by its threads."""

    def __init__(self, version: int) -> None:
        self._version = str(version)
        self._asks: dict[str, str] = {}
        self._plans: dict[str, _Plan] = {}

    def find(self, connection: sqlite3.Connection, id: str) -> FeatureTable | None:
        """Return the object as a table of one row; None where the long way must be gone."""
        prefix = id.partition("-")[0]
        ask = self._asks.get(prefix)
        if ask is None:
            ask = self._asks[prefix] = _ask(connection, prefix)
        if not ask:
            return None
        row = connection.execute(ask, (id,)).fetchone()
        if row is None or row[0] != self._version:
            return None
        layer = row[3]
        plan = self._plans.get(layer)
        if plan is None:
            plan = self._plans[layer] = _plan(layer, rows.read_fields(connection, layer))
        return _table(row, layer, plan)


def _ask(connection: sqlite3.Connection, prefix: str) -> str:
    """Return the statement for ids of a prefix; "" where it tells no kind that has a table."""
    names = [name for name, one in kinds().items() if one.prefix == prefix]
    if len(names) != 1:
        return ""
    there = connection.execute(
        "SELECT 1 FROM gpkg_contents WHERE data_type = 'features' AND table_name = ?", names
    ).fetchone()
    columns = ", ".join(map(quoted, rows.row_columns(names[0])))
    return f"SELECT {_VERSION}, {columns} FROM {quoted(names[0])} WHERE id = ?" if there else ""


def _plan(layer: str, fields: Sequence[Field]) -> _Plan:
    kind_name = split_layer(layer)[0]
    at = {name: i for i, name in enumerate(rows.row_columns(kind_name), 1)}
    declared = {f.name for f in columns_of(kind_name)}  # an own attribute may be called "id"
    known = [(f.name, at[f.name], f.type) for f in fields if f.name in declared]
    return _Plan(
        fields=tuple(fields),
        numbers=tuple((n, i) for n, i, type_ in known if type_ in ("real", "integer")),
        texts=tuple((n, i) for n, i, type_ in known if type_ in ("text", "instant")),
        truths=tuple((n, i) for n, i, type_ in known if type_ == "boolean"),
        others=tuple(f for f in fields if f.name not in declared),
    )


def _table(row: tuple[Any, ...], layer: str, plan: _Plan) -> FeatureTable | None:
    numbers, texts = [row[i] for _, i in plan.numbers], [row[i] for _, i in plan.texts]
    if not (set(map(type, numbers)) <= _NUMBERS and set(map(type, texts)) <= _TEXTS):
        return None
    columns: dict[str, Any] = dict.fromkeys(f.name for f in plan.fields)
    values = np.array(numbers, dtype=np.float64)
    for k, (name, _) in enumerate(plan.numbers):
        columns[name] = values[k : k + 1]
    objects = np.empty(len(texts) + 1, dtype=object)
    objects[:] = [row[2], *texts]
    for k, (name, _) in enumerate(plan.texts, 1):
        columns[name] = objects[k : k + 1]
    for name, i in plan.truths:
        columns[name] = as_column((row[i],), "boolean")
    if plan.others:
        kept = json.loads(row[-2]) if row[-2] else {}
        for field in plan.others:
            columns[field.name] = as_column((kept.get(field.name),), field.type)
    return FeatureTable(layer, objects[:1], rows.to_shapes((row[1],)), columns, plan.fields)
