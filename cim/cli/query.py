"""cim query: what stands near, within, in a box, under an id, or goes by a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer
from cim.errors import RequestError

__all__ = ["verb"]

T = messages.text
KindOption = Annotated[str | None, typer.Option("--kind", help=T("cli.query.kind"))]
WhereOption = Annotated[str | None, typer.Option("--where", help=T("cli.query.where"))]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help=T("cli.query.limit"))]
SchemeOption = Annotated[str | None, typer.Option("--scheme", help=T("cli.option.scheme"))]


def near(
    twin: Path,
    radius_m: Annotated[float, typer.Option("--radius-m", help=T("cli.query.radius"))],
    lonlat: Annotated[
        tuple[float, float] | None, typer.Option("--lonlat", help=T("cli.query.lonlat"))
    ] = None,
    xy: Annotated[tuple[float, float] | None, typer.Option("--xy", help=T("cli.query.xy"))] = None,
    kind: KindOption = None,
    where: WhereOption = None,
    limit: LimitOption = None,
    scheme: SchemeOption = None,
) -> dict[str, Any]:
    """Find what stands near a point."""
    from cim.crs import from_lonlat
    from cim.query import near as ask

    view = _open(twin, scheme)
    if (lonlat is None) == (xy is None):
        raise RequestError("cli.query.one_place", given=f"--lonlat {lonlat} --xy {xy}")
    if lonlat is not None:
        import numpy as np

        if abs(lonlat[1]) > 90 and abs(lonlat[0]) <= 90:
            raise RequestError("cli.query.swapped", given=f"{lonlat[0]} {lonlat[1]}")
        east, north = from_lonlat(view.frame, np.array([lonlat], dtype=float))[0]
    else:
        assert xy is not None
        east, north = xy
    found = ask(
        view, (float(east), float(north)), radius_m=radius_m, layer=kind, where=where, limit=limit
    )
    return _answer(view, found)


def within(
    twin: Path,
    geojson: Annotated[Path, typer.Argument(help=T("cli.query.geojson"))],
    kind: KindOption = None,
    where: WhereOption = None,
    limit: LimitOption = None,
    scheme: SchemeOption = None,
) -> dict[str, Any]:
    """Find what lies within an area."""
    from cim.query import area_from_geojson
    from cim.query import within as ask

    view = _open(twin, scheme)
    area = area_from_geojson(view.frame, geojson)
    return _answer(view, ask(view, area, layer=kind, where=where, limit=limit))


def box(
    twin: Path,
    bounds: Annotated[
        tuple[float, float, float, float], typer.Option("--bounds", help=T("cli.query.bounds"))
    ],
    kind: KindOption = None,
    where: WhereOption = None,
    limit: LimitOption = None,
    scheme: SchemeOption = None,
) -> dict[str, Any]:
    """Find what touches a box."""
    from cim.query import box as ask

    view = _open(twin, scheme)
    return _answer(view, ask(view, bounds, layer=kind, where=where, limit=limit))


def by_id(
    twin: Path,
    id: Annotated[str, typer.Argument(help=T("cli.option.id"))],
    scheme: SchemeOption = None,
) -> dict[str, Any]:
    """Find one object."""
    from cim.query import by_id as ask

    view = _open(twin, scheme)
    return _answer(view, ask(view, id))


def named(
    twin: Path,
    text: Annotated[str, typer.Argument(help=T("cli.query.text"))],
    kind: KindOption = None,
    where: WhereOption = None,
    limit: LimitOption = None,
    scheme: SchemeOption = None,
) -> dict[str, Any]:
    """Find what goes by a name, an address or a number."""
    from cim.query import named as ask

    view = _open(twin, scheme)
    return _answer(view, ask(view, text, layer=kind, where=where, limit=limit))


def _open(twin: Path, scheme: str | None) -> Any:
    from cim.store import open_scheme, open_twin

    return open_twin(twin) if scheme is None else open_scheme(twin, scheme)


def _answer(view: Any, found: Any) -> dict[str, Any]:
    items = found.records()
    return answer(view, {"crs": view.frame.crs, "count": len(items), "items": items})


verb = {"near": near, "within": within, "box": box, "id": by_id, "named": named}
