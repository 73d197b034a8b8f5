"""The verbs of this package: cim ifc-report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.sources.spec import LayerSpec

__all__ = ["ifc_report"]

T = messages.text


def ifc_report(
    file: Annotated[Path, typer.Argument(help=T("bim.option.file"))],
    crs: Annotated[str | None, typer.Option("--crs", help=T("cli.build.crs"))] = None,
    height_datum: Annotated[
        str | None, typer.Option("--height-datum", help=T("cli.build.height_datum"))
    ] = None,
    at: Annotated[
        tuple[float, float, float, float] | None, typer.Option("--at", help=T("bim.option.at"))
    ] = None,
) -> dict[str, Any]:
    """Say what an IFC file holds, what came through, and where it stands."""
    from bim_import.reporting import ifc_report as report

    options = {} if at is None else {"at": list(at)}
    spec = LayerSpec(file=file, crs=crs, height_datum=height_datum, options=options)
    with _show.progress() as job:
        return answer(None, report(file, spec=spec, job=job))
