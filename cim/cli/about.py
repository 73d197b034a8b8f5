"""cim about: everything the twin and its runs say of one object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer

__all__ = ["verb"]


def verb(
    twin: Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))],
    id: Annotated[str, typer.Argument(help=messages.text("cli.option.id"))],
) -> dict[str, Any]:
    """Tell everything about one object."""
    from cim.city import open as open_city

    city = open_city(twin)
    return answer(city.view, city.about(id))
