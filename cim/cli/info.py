"""cim info: what a twin holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer

__all__ = ["verb"]


def verb(
    twin: Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))],
) -> dict[str, Any]:
    """Tell what a twin holds."""
    from cim.store import open_twin

    stored = open_twin(twin)
    return answer(stored, stored.info())
