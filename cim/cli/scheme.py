"""cim scheme: a named plan (方案) of edits laid over a twin, and the list of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer
from cim.errors import RequestError
from cim.model.edit import Edit, Scheme

if TYPE_CHECKING:
    from cim.model.twin import TwinView

__all__ = ["verb"]

T = messages.text
_TOUCH_M2 = 0.5  # what neighbours share by rounding


def verb(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    name: Annotated[str | None, typer.Argument(help=T("cli.scheme.name"))] = None,
    close: Annotated[list[str] | None, typer.Option(help=T("cli.scheme.close"))] = None,
    remove: Annotated[list[str] | None, typer.Option(help=T("cli.scheme.remove"))] = None,
    add_building: Annotated[
        str | None, typer.Option("--add-building", help=T("cli.scheme.add_building"))
    ] = None,
    height_m: Annotated[
        float | None, typer.Option("--height-m", help=T("cli.scheme.height_m"))
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help=T("cli.scheme.replace"))] = False,
    why: Annotated[str, typer.Option(help=T("cli.option.why"))] = "",
) -> dict[str, Any]:
    """Make or list schemes."""
    from cim.store import open_scheme, open_twin, save_scheme, schemes

    stored = open_twin(twin)
    if name is None:
        return answer(stored, {"schemes": schemes(twin)})
    if not replace and name in {one["scheme"] for one in schemes(twin)}:
        raise RequestError("cli.scheme.exists", given=name)
    layer_of = stored.find_ids([*(close or []), *(remove or [])])
    edits = [Edit("change", layer_of[i], i, {"closed": True}) for i in close or []]
    edits += [Edit("remove", layer_of[i], i) for i in remove or []]
    if add_building is not None:
        edits.append(_building(stored.frame, name, add_building, height_m))
    if not edits:
        raise RequestError("cli.scheme.nothing", given=name)
    save_scheme(twin, Scheme(name, stored.version, tuple(edits), why, stored.illustrative))
    made = open_scheme(twin, name)
    record = {
        "scheme": name,
        "edits": [{"op": e.op, "layer": e.layer, "id": e.id} for e in edits],
        "layers": made.layers(),
        "notes": [note for edit in edits if edit.op == "add" for note in _overlapped(made, edit)],
    }
    return answer(stored, record)


def _building(frame: Any, scheme: str, ring: str, height_m: float | None) -> Edit:
    """Return the edit that adds a building from ``lon,lat lon,lat …`` in degrees."""
    import numpy as np
    import shapely

    from cim.crs import from_lonlat
    from cim.model.ids import own_ids

    if height_m is None or not height_m > 0:
        raise RequestError("cli.scheme.no_height", given=height_m)
    try:
        corners = np.array([[float(v) for v in pair.split(",")] for pair in ring.split()])
        polygon = shapely.Polygon(from_lonlat(frame, corners.reshape(-1, 2)))
    except ValueError as error:
        raise RequestError("cli.scheme.bad_ring", given=ring) from error
    if not polygon.is_valid or polygon.area <= 0:
        raise RequestError("cli.scheme.bad_ring", given=ring)
    id_ = own_ids("building", f"scheme:{scheme}", [ring])[0]
    return Edit("add", "building", id_, {"height_m": height_m, "name": scheme}, polygon)


def _overlapped(view: TwinView, edit: Edit) -> list[str]:
    """Return what a reader must know of buildings that stand where a new one does."""
    import shapely

    ids = []
    for layer in view.layers():
        if layer.partition("/")[0] == "building":
            table = view.table(layer, bounds=edit.geometry.bounds)
            shared = shapely.area(shapely.intersection(table.geometry, edit.geometry))
            for id_, area in zip(table.ids, shared, strict=True):
                if id_ != edit.id and area > _TOUCH_M2:
                    ids.append(str(id_))
    if not ids:
        return []
    return [T("cli.scheme.overlaps", {"count": len(ids), "ids": " ".join(sorted(ids))})]
