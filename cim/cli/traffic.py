"""cim traffic: which streets fill when everyone takes their quickest way."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._ask import BoundsOption, PictureOption, SchemeOption, TwinArgument, ask

__all__ = ["verb"]


def verb(
    twin: TwinArgument,
    gap: Annotated[float, typer.Option("--gap", help=messages.text("cli.traffic.gap"))] = 1e-6,
    bounds: BoundsOption = None,
    scheme: SchemeOption = None,
    picture: PictureOption = None,
) -> dict[str, Any]:
    """Assign demand to the streets."""
    from cim.traffic import traffic

    return ask(
        twin,
        scheme,
        lambda view, job: traffic(view, gap=gap, job=job),
        bounds=bounds,
        picture=picture,
    )
