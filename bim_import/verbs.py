"""The verbs of this package: cim ifc-report and cim import-ifc."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.jobs import cpu_clock
from cim.sources.spec import LayerSpec

__all__ = ["ifc_report", "import_ifc"]

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
    shells: Annotated[bool, typer.Option("--shells", help=T("bim.option.shells"))] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help=T("bim.option.page"))] = None,
) -> dict[str, Any]:
    """Say what an IFC file holds, what came through, and where it stands."""
    from bim_import.embedding import picture_of
    from bim_import.page import write_page
    from bim_import.reporting import ifc_report as report

    options = {} if at is None else {"at": list(at)}
    spec = LayerSpec(file=file, crs=crs, height_datum=height_datum, options=options)
    with _show.progress() as job:
        record = report(file, spec=spec, shells=shells or out is not None, job=job)
        if out is not None:
            picture = picture_of(file, spec, record, job=job)
            write_page(record, out, name=file.name, picture=picture)
            record["page"] = str(out)
        return answer(None, record)


def import_ifc(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    files: Annotated[list[Path], typer.Argument(help=T("bim.option.file"))],
    at: Annotated[
        tuple[float, float, float, float] | None, typer.Option("--at", help=T("bim.option.at"))
    ] = None,
    points: Annotated[Path | None, typer.Option("--points", help=T("bim.option.points"))] = None,
    by_footprint: Annotated[
        bool, typer.Option("--by-footprint", help=T("bim.option.by_footprint"))
    ] = False,
    height_datum: Annotated[
        str | None, typer.Option("--height-datum", help=T("cli.build.height_datum"))
    ] = None,
    why: Annotated[str, typer.Option(help=T("cli.option.why"))] = "",
) -> dict[str, Any]:
    """Bring IFC files into a twin as a changeset."""
    from bim_import.bringing import import_ifc as bring
    from cim.store import open_twin

    with cpu_clock() as cpu_s, _show.progress() as job:
        record = bring(
            twin, files, at=at, points=points, by_footprint=by_footprint,
            height_datum=height_datum, why=why, job=job,
        )  # fmt: skip
        return answer(open_twin(twin), {**record, "cpu_s": round(cpu_s(), 3)})
