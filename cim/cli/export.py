"""cim export: a twin's layers as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.errors import RequestError

__all__ = ["verb"]

T = messages.text


def verb(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    to: Annotated[str, typer.Option("--to", help=T("cli.export.to"))],
    out: Annotated[Path, typer.Option("-o", "--out", help=T("cli.export.out"))],
    layers: Annotated[str | None, typer.Option("--layers", help=T("cli.export.layers"))] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help=T("cli.option.scheme"))] = None,
) -> dict[str, Any]:
    """Write layers out."""
    from cim.export import (
        left_out,
        to_cityjson,
        to_cityjsonseq,
        to_geojson,
        to_geotiff,
        to_gpkg,
        to_parquet,
    )
    from cim.store import open_scheme, open_twin

    flat = {"gpkg": to_gpkg, "geojson": to_geojson}
    full = {
        "cityjson": to_cityjson,
        "cityjsonseq": to_cityjsonseq,
        "parquet": to_parquet,
        "geotiff": to_geotiff,
    }
    if to not in flat and to not in full:
        known = ", ".join([*flat, *full])
        raise RequestError("cli.export.unknown", given=to, values={"known": known})
    view = open_twin(twin) if scheme is None else open_scheme(twin, scheme)
    chosen = None if layers is None else [one.strip() for one in layers.split(",")]
    with _show.progress() as job:
        if to in flat:
            done = left_out(view, flat[to](view, out, layers=chosen, job=job))
        else:
            done = full[to](view, out, layers=chosen, job=job)
    found = {"out": str(out), "layers": done.layers, "left_out": done.record()}
    return answer(view, found)
