"""How a table of a model is read: every field known, every missing one named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from bim_import.authoring.table import (
    Balcony,
    Chimney,
    Dormer,
    Facts,
    Hole,
    House,
    Looks,
    Model,
    Partition,
    Portico,
    Repeat,
    RingPlan,
    RoofSpec,
    RoomSpec,
    Stair,
    StoreySpec,
)
from cim.authoring.frame import StreetFrame, street_frame
from cim.authoring.tables import read_rows, read_toml
from cim.crs import transform
from cim.errors import SourceError

__all__ = ["read_model"]


def read_model(path: Path) -> Model:
    """Read ``tables/models/NAME.toml``; facts it leaves open come from the tables beside.

    Raises
    ------
    SourceError
        A table is missing; it lacks a field, has one that is not known, or a wrong value.
    """
    table, where = read_toml(path), path.name
    plans = {"house": House, "ring": RingPlan}
    found = [name for name in plans if name in table]
    if len(found) != 1:
        raise SourceError("bim.table_missing", given=where, values={"fields": "house / ring"})
    plan = _read(plans[found[0]], table.pop(found[0]), where)
    facts = _facts(table, path.parent.parent, where)
    return Model(path.stem, facts, plan)


def _facts(table: Mapping[str, Any], tables: Path, where: str) -> Facts:
    area, district = read_toml(tables / "area.toml"), read_toml(tables.parent / "district.toml")
    frame = street_frame(area["frame"], district.get("twin", {}))
    values = {"city": area["text"]["city"], **table}
    if "lon" not in values and "source_id" in values:
        values = {**_landmark(tables, frame, str(values["source_id"]), where), **values}
    elif {"lon", "lat"} <= values.keys():
        at = [[values["lon"], values["lat"]]]
        east, north = transform(at, source=frame.lonlat, target=frame.crs)[0]
        values |= {"east_m": round(float(east), 3), "north_m": round(float(north), 3)}
    values |= {"crs": frame.crs, "height_datum": frame.height_datum}
    known: Facts = _read(Facts, values, where)
    return known


def _landmark(tables: Path, frame: StreetFrame, source_id: str, where: str) -> dict[str, Any]:
    """Return the facts of a row of ``landmarks.csv``."""
    rows = [r for r in read_rows(tables / "landmarks.csv") if r.text("source_id") == source_id]
    if not rows:
        raise _wrong(where, f"source_id {source_id}: landmarks.csv")
    row = rows[0]
    place = frame.to_xy([[row.real("u_m"), row.real("v_m")]])
    lon, lat = transform(place, source=frame.crs, target=frame.lonlat)[0]
    number = row.text("number")
    return {
        "name": row.text("name"), "year": row.whole_or_none("year"),
        "address": f"{row.text('road')}{number}号" if number else row.text("road"),
        "lon": round(float(lon), 8), "lat": round(float(lat), 8),
        "east_m": float(place[0, 0]), "north_m": float(place[0, 1]),
        "bearing_deg": (frame.bearing_deg + row.real("turn_deg")) % 360.0,
        "length_m": row.real("length_m"), "width_m": row.real("width_m"),
        "storeys": row.whole("storeys"), "use": row.text("use"), "style": row.text("style"),
        "protection": row.text("protection"), "floor_area_m2": row.real_or_none("floor_area_m2"),
    }  # fmt: skip


def _read(kind: Any, table: Any, where: str) -> Any:
    """Return a dataclass from a table, its parts too; every key must be known."""
    if not isinstance(table, Mapping):
        raise _wrong(where, f"{kind.__name__}: {table!r}")
    known = {one.name: one for one in dataclasses.fields(kind)}
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise _wrong(where, f"{kind.__name__}: {', '.join(unknown)}")
    missing = [
        name for name, one in known.items()
        if name not in table and one.default is MISSING and one.default_factory is MISSING
        and "None" not in str(one.type)
    ]  # fmt: skip
    if missing:
        raise SourceError("bim.table_missing", given=where, values={"fields": ", ".join(missing)})
    optional = {n: None for n, o in known.items() if n not in table and o.default is MISSING
                and o.default_factory is MISSING}  # fmt: skip
    values = {name: _value(str(known[name].type), v, where, name) for name, v in table.items()}
    return kind(**optional, **values)


def _value(declared: str, value: Any, where: str, name: str) -> Any:
    """Return a value of the declared type."""
    inner = declared.removeprefix("list[").removeprefix("dict[str, ").split("]")[0].split(" |")[0]
    part = _PARTS.get(inner)
    plain = {"float": (int, float), "int": (int,), "str": (str,), "bool": (bool,)}.get(inner)
    if part is not None and declared.startswith("list["):
        return [_read(part, one, where) for one in value]
    if part is not None and declared.startswith("dict["):
        return {key: _read(part, one, where) for key, one in value.items()}
    if part is not None:
        return _read(part, value, where)
    nested = declared.startswith(("list[", "dict["))
    if plain and not nested and value is not None:
        if not isinstance(value, plain) or (isinstance(value, bool) and inner != "bool"):
            raise _wrong(where, f"{name} = {value!r}")
        return float(value) if inner == "float" else value
    return value


_PARTS = {
    one.__name__: one
    for one in (Balcony, Chimney, Dormer, Hole, Looks, Partition, Portico, Repeat, RoofSpec,
                RoomSpec, Stair, StoreySpec)
}  # fmt: skip


def _wrong(where: str, reason: str) -> SourceError:
    return SourceError("bim.table_wrong", given=where, values={"reason": reason})
