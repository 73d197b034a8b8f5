"""What a twin holds, and everything it knows of one object, as plain data."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import numpy as np

from cim import messages
from cim.model.kinds import kinds, split_layer
from cim.model.result import Result, ResultField
from cim.store import rows
from cim.store.schema import columns_of, quoted
from cim.store.stored import StoredTwin

__all__ = ["about", "info"]


def info(twin: StoredTwin) -> dict[str, Any]:
    """Return name, frame, bounds, layers with fields and how many are filled, versions, runs."""
    layers: dict[str, Any] = {}
    with twin.reading() as connection:
        for layer, kind_name, count, illustrative in connection.execute(
            "SELECT layer, kind, count, illustrative FROM cim_layer ORDER BY rowid"
        ).fetchall():
            layers[layer] = {
                "kind": kind_name,
                "count": count,
                "fields": {f.name: f.unit for f in rows.read_fields(connection, layer)},
                "filled": _filled(connection, layer),
                "illustrative": bool(illustrative),
            }
        for layer, unit, illustrative in connection.execute(
            "SELECT layer, unit, illustrative FROM cim_grid WHERE until IS NULL"
        ).fetchall():
            layers[layer] = {
                "kind": split_layer(layer)[0],
                "count": 1,
                "fields": {"value": unit},
                "illustrative": bool(illustrative),
            }
        box = connection.execute(
            "SELECT min(min_x), min(min_y), max(max_x), max(max_y) FROM gpkg_contents "
            "WHERE data_type = 'features'"
        ).fetchone()
        foreign = connection.execute(
            "SELECT kind, count(DISTINCT row) FROM cim_foreign GROUP BY kind"
        ).fetchall()
    notes = [
        messages.text("store.foreign", {"kind": kind_name, "count": count})
        for kind_name, count in foreign
    ]
    return {
        "name": twin.name,
        "crs": twin.frame.crs,
        "height_datum": twin.frame.height_datum,
        "origin": list(twin.frame.origin),
        "bounds": None if box[0] is None else list(box),
        "zone": twin.zone,
        "layers": layers,
        "versions": twin.versions(),
        "runs": twin.runs(),
        "notes": notes,
    }


def _filled(connection: sqlite3.Connection, layer: str) -> dict[str, int]:
    """Return how many objects of a layer have a value, by attribute; those without any left out."""
    kind_name = split_layer(layer)[0]
    columns = {f.name for f in columns_of(kind_name)}
    names = [f.name for f in rows.read_fields(connection, layer) if '"' not in f.name]
    own = [name for name in names if name not in columns]
    if not names:
        return {}
    counts = connection.execute(
        "SELECT "
        + ", ".join(
            "count(json_extract(attributes, ?))" if name in own else f"count({quoted(name)})"
            for name in names
        )
        + f" FROM {quoted(kind_name)} WHERE layer = ?",
        (*(f'$."{name}"' for name in own), layer),
    ).fetchone()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def about(twin: StoredTwin, id: str) -> dict[str, Any]:
    """Return an object's record, parents, children, representations, history and run values.

    Raises
    ------
    RequestError
        No such object.
    """
    table = twin.one(id)
    record = table.row(0) if len(table) else {"id": id}
    chain = _parents(twin, record)
    return {
        **record,
        "parents": chain,
        "children": _children(twin, id),
        "representations": _representations(twin, id),
        "history": _history(twin, id),
        "runs": _run_values(twin, record, table.geometry[0] if len(table) else None),
    }


def _representations(twin: StoredTwin, id: str) -> list[dict[str, Any]]:
    """Return the levels of detail an object has: how many meshes and triangles each."""
    pool = twin.meshes()
    levels: dict[tuple[Any, Any], list[int]] = {}
    for one in pool.instances:
        if one.object_id == id:
            triangles = len(pool.meshes[one.mesh_id].triangles)
            levels.setdefault((one.lod, one.cim_level), []).append(triangles)
    return [
        {"lod": lod, "cim_level": level, "meshes": len(counts), "triangles": sum(counts)}
        for (lod, level), counts in levels.items()
    ]


def _parents(twin: StoredTwin, record: dict[str, Any]) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    seen = {record["id"]}
    while record.get("parent") and record["parent"] not in seen:
        seen.add(record["parent"])
        above = twin.one(record["parent"])
        if not len(above):
            break
        record = above.row(0)
        chain.append({key: record[key] for key in ("id", "kind", "name") if key in record})
    return chain


def _children(twin: StoredTwin, id: str) -> dict[str, int]:
    found: dict[str, int] = {}
    with twin.reading() as connection:
        present = connection.execute("SELECT DISTINCT kind FROM cim_layer").fetchall()
        for (kind_name,) in present:
            if kind_name in kinds():
                count = connection.execute(
                    f"SELECT count(*) FROM {quoted(kind_name)} WHERE parent = ?", (id,)
                ).fetchone()[0]
                if count:
                    found[kind_name] = count
    return found


def _history(twin: StoredTwin, id: str) -> list[dict[str, Any]]:
    with twin.reading() as connection:
        found = connection.execute(
            "SELECT c.id, c.at, c.who, c.why, h.op, h.before FROM cim_history h "
            "JOIN cim_changeset c ON c.id = h.changeset WHERE h.id = ? AND c.id <= ? ORDER BY c.id",
            (id, twin.version),
        ).fetchall()
    return [
        {
            "version": version,
            "at": at,
            "who": who,
            "why": why,
            "op": op,
            "before": {
                k: v
                for k, v in json.loads(before or "{}").items()
                if v is not None and k not in ("id", "fid")
            },
        }
        for version, at, who, why, op, before in found
    ]


def _run_values(twin: StoredTwin, record: dict[str, Any], shape: Any) -> list[dict[str, Any]]:
    from cim.store.runs import open_run

    told = []
    for run in twin.runs():
        result = open_run(twin.path, run["run"])
        values = {}
        for one in result.fields:
            value = _value(result, one, record["id"], shape)
            if value is not None:
                values[one.name] = value
        if values:
            told.append(
                {
                    "run": run["run"],
                    "scheme": run["scheme"],
                    "stale": run["stale"],
                    "values": values,
                }
            )
    return told


def _value(result: Result, one: ResultField, id: str, shape: Any) -> float | None:
    """Return a field's value for an object: its own, or the largest on the cells it stands in.

    Of a field over time the value at its end, as pictures show it. A building's cells may
    be holes; the cells around its outline count too.
    """
    last = one.values[-1] if one.over_time else one.values
    if one.ids is not None:
        where = np.flatnonzero(one.ids == id)
        if not len(where):
            return None
        values = np.asarray(last[where[0]], dtype=float)
    else:
        import shapely

        if shape is None or result.grid is None:
            return None
        cell_m = result.grid.cell_m
        around = shapely.segmentize(shape.buffer(cell_m), cell_m / 2)
        xy = shapely.get_coordinates(around)
        row, col, inside = result.grid.cell_of(xy[:, 0], xy[:, 1])
        if not inside.any():
            return None
        values = np.asarray(last[row[inside], col[inside]], dtype=float)
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else None
