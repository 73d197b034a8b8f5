"""cim sun: what lies in shadow at a moment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._ask import BoundsOption, PictureOption, SchemeOption, TwinArgument, ask
from cim.model.twin import fitting_cell_m

__all__ = ["verb"]


def verb(
    twin: TwinArgument,
    date: Annotated[str, typer.Option("--date", help=messages.text("cli.sun.date"))],
    time: Annotated[str, typer.Option("--time", help=messages.text("cli.sun.time"))] = "noon",
    cell_m: Annotated[
        float | None, typer.Option("--cell-m", help=messages.text("cli.sun.cell"))
    ] = None,
    bounds: BoundsOption = None,
    scheme: SchemeOption = None,
    picture: PictureOption = None,
) -> dict[str, Any]:
    """Cast shadows."""
    from cim.planning import sun

    return ask(
        twin,
        scheme,
        lambda view, job: sun(
            view,
            date=date,
            time=time,
            cell_m=fitting_cell_m(view, cell_m, least_m=1.0),
            job=job,
        ),
        bounds=bounds,
        picture=picture,
    )
