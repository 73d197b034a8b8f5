"""cim upgrade: a twin of an older program becomes one of today's."""

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
    """Bring a twin up to date."""
    from cim.store import upgrade

    stored = upgrade(twin)
    return answer(stored, {"twin": str(stored.path), "layers": stored.layers()})
