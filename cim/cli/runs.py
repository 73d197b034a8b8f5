"""cim runs: the answers a twin has kept."""

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
    """List the kept runs."""
    from cim.store import open_twin

    stored = open_twin(twin)
    return answer(stored, {"runs": stored.runs()})
