"""Schemes (方案) kept beside the base: named edits that are not committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import RequestError
from cim.model.edit import Edit, Scheme
from cim.model.twin import SchemedView
from cim.store import disk
from cim.store.edits import Changeset, commit, who_am_i
from cim.store.folder import connect, generation
from cim.store.lock import one_writer
from cim.store.stored import open_twin

__all__ = ["merge_scheme", "open_scheme", "save_scheme", "schemes"]


def save_scheme(path: Path | str, scheme: Scheme, *, who: str | None = None) -> None:
    """Keep a scheme beside the base under its name; one of that name is replaced.

    Raises
    ------
    RequestError
        An edit does not fit the base.
    StoreError
        Another writer is at work, or the disk refuses.
    """
    target = Path(path)
    twin = open_twin(target)
    view = SchemedView(twin, scheme)
    for layer in scheme.layers():  # an edit that does not fit fails now, not when it is read
        if layer in twin.grids():
            view.grid(layer)
        else:
            view.table(layer)
    with (
        one_writer(target),
        disk.guarded(target),
        closing(connect(generation(target) / "city.gpkg", write=True)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT OR REPLACE INTO cim_scheme VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                scheme.name,
                scheme.base_version,
                datetime.now(UTC).isoformat(),
                who_am_i() if who is None else who,
                scheme.why,
                scheme.illustrative,
                json.dumps([_edit_record(e) for e in scheme.edits], ensure_ascii=False),
            ),
        )
        disk.commit(connection)


def schemes(path: Path | str) -> list[dict[str, Any]]:
    """Return the schemes kept beside a twin."""
    with open_twin(path).reading() as connection:
        found = connection.execute(
            "SELECT name, base_version, at, who, why, edits FROM cim_scheme ORDER BY rowid"
        ).fetchall()
    return [
        {
            "scheme": name,
            "base_version": version,
            "at": at,
            "who": who,
            "why": why,
            "edits": len(json.loads(edits)),
        }
        for name, version, at, who, why, edits in found
    ]


def open_scheme(path: Path | str, name: str) -> SchemedView:
    """Return the twin as it is now with a kept scheme laid over it.

    Raises
    ------
    RequestError
        No such scheme.
    """
    twin = open_twin(path)
    with twin.reading() as connection:
        row = connection.execute(
            "SELECT base_version, why, illustrative, edits FROM cim_scheme WHERE name = ?", (name,)
        ).fetchone()
    if row is None:
        known = ", ".join(s["scheme"] for s in schemes(path)) or "-"
        raise RequestError("store.no_scheme", given=name, values={"known": known})
    version, why, illustrative, text = row
    edits = tuple(_edit_from(record) for record in json.loads(text))
    return SchemedView(twin, Scheme(name, version, edits, why or "", bool(illustrative)))


def merge_scheme(path: Path | str, name: str, *, why: str | None = None) -> Changeset:
    """Commit a scheme's edits to the base."""
    scheme = open_scheme(path, name).edits
    return commit(path, scheme.edits, why=why or scheme.why or name)


def _edit_record(one: Edit) -> dict[str, Any]:
    import shapely

    shape = None if one.geometry is None else shapely.to_wkb(one.geometry, hex=True)
    values = {k: v.item() if isinstance(v, np.generic) else v for k, v in one.values.items()}
    return {"op": one.op, "layer": one.layer, "id": one.id, "values": values, "geometry": shape}


def _edit_from(record: Mapping[str, Any]) -> Edit:
    import shapely

    shape = record["geometry"]
    return Edit(
        op=record["op"],
        layer=record["layer"],
        id=record["id"],
        values=record["values"],
        geometry=None if shape is None else shapely.from_wkb(shape),
    )
