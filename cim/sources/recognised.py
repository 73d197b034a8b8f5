"""Objects without a number of their own, known again by their shape when delivered anew.

Their id is a hash of all they say; one changed value would make another object of them, and
history, schemes and what points at them would be lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.ids import geometry_marks
from cim.model.table import FeatureTable
from cim.model.twin import Twin, TwinView
from cim.sources.report import Report

__all__ = ["recognised"]

Key = tuple[str, bytes]  # source, shape


def recognised(fresh: Twin, standing: TwinView, *, report: Report) -> Twin:
    """Return a delivery in which objects have the ids that the twin knows their shapes by.

    Only objects whose source gives no ids, which the twin does not know as they are, and
    whose shape (to 1 cm) stands once in the delivery and once among what the same source
    delivered before and no longer does.

    Parameters
    ----------
    fresh
        What the newer files gave, in the twin's frame.
    standing
        The twin.
    report
        Where is said how many were recognised.
    """
    known = standing.layers()
    new_id: dict[str, str] = {}
    for layer in fresh.tables:
        if layer not in known:
            continue
        table = fresh.tables[layer]
        if any(name is None for name in table.column("source_id")):
            old = standing.table(layer)
            arrived, left = set(table.ids.tolist()), set(old.ids.tolist())
            here, there = _by_shape(table, left), _by_shape(old, arrived)
            found = {here[key]: there[key] for key in here.keys() & there.keys()}
            if found:
                new_id |= found
                values = {"count": len(found)}
                report.note("source.recognised", file=fresh.name, layer=layer, values=values)
    return _renamed(fresh, new_id) if new_id else fresh


def _by_shape(table: FeatureTable, without: set[str]) -> dict[Key, str]:
    """Return the ids of objects without own number by what is unique: source and shape."""
    own, sources = table.column("source_id"), table.texts("source")
    rows = [
        row for row, id_ in enumerate(table.ids)
        if own[row] is None and id_ not in without and table.geometry[row] is not None
    ]  # fmt: skip
    if not rows:
        return {}
    keys = [
        (sources[r], m) for r, m in zip(rows, geometry_marks(table.geometry[rows]), strict=True)
    ]
    times = Counter(keys)
    ids = table.ids[rows].tolist()
    return {key: id_ for key, id_ in zip(keys, ids, strict=True) if times[key] == 1}


def _renamed(twin: Twin, new_id: dict[str, str]) -> Twin:
    """Return a twin with other ids for some objects, also where others point at them."""

    def texts(values: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(len(values), dtype=object)
        out[:] = [new_id.get(v, v) if isinstance(v, str) else v for v in values]
        return out

    tables = {}
    for layer, table in twin.tables.items():
        columns = {
            name: texts(values) if values.dtype == object else values
            for name, values in table.columns.items()
        }
        tables[layer] = replace(table, ids=texts(table.ids), columns=columns)
    instances = tuple(
        replace(one, object_id=new_id.get(one.object_id, one.object_id))
        for one in twin.pool.instances
    )
    bodies = tuple(
        replace(one, object_id=new_id.get(one.object_id, one.object_id))
        for one in twin.body_pool.bodies
    )
    records = {new_id.get(name, name): record for name, record in twin.body_pool.records.items()}
    return replace(
        twin,
        tables=tables,
        pool=replace(twin.pool, instances=instances),
        body_pool=replace(twin.body_pool, bodies=bodies, records=records),
    )
