"""cim flood: where water stands after a storm."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from cim import messages
from cim.cli._ask import BoundsOption, PictureOption, SchemeOption, TwinArgument, ask
from cim.model.twin import fitting_cell_m

__all__ = ["verb"]

T = messages.text


def verb(
    twin: TwinArgument,
    return_period_a: Annotated[
        float, typer.Option("--return-period-a", help=T("cli.flood.return_period"))
    ] = 50.0,
    storm_min: Annotated[float, typer.Option("--storm-min", help=T("cli.flood.storm"))] = 60.0,
    after_min: Annotated[float, typer.Option("--after-min", help=T("cli.flood.after"))] = 60.0,
    cell_m: Annotated[float | None, typer.Option("--cell-m", help=T("cli.flood.cell"))] = None,
    drain_mm_h: Annotated[
        float | None, typer.Option("--drain-mm-h", help=T("cli.flood.drain"))
    ] = None,
    drains: Annotated[str, typer.Option("--drains", help=T("cli.flood.drains"))] = "auto",
    infiltration: Annotated[
        str, typer.Option("--infiltration", help=T("cli.flood.infiltration"))
    ] = "none",
    bounds: BoundsOption = None,
    scheme: SchemeOption = None,
    picture: PictureOption = None,
) -> dict[str, Any]:
    """Rain on a twin."""
    from cim.flood import design_storm, flood
    from cim.flood.setting import DrainMode, Law

    storm = design_storm(return_period_a=return_period_a, duration_min=storm_min)
    return ask(
        twin,
        scheme,
        lambda view, job: flood(
            view,
            storm=storm,
            duration_s=(storm_min + after_min) * 60.0,
            cell_m=fitting_cell_m(view, cell_m, least_m=2.0),
            drain_mm_h=drain_mm_h,
            drains=cast(DrainMode, drains),
            infiltration=cast(Law, infiltration),
            job=job,
        ),
        bounds=bounds,
        picture=picture,
    )
