"""cim reindex: take in what another program changed in a twin's database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer

__all__ = ["verb"]


def verb(
    twin: Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))],
) -> dict[str, Any]:
    """Take in other programs' edits."""
    from cim.store import open_twin, reindex

    changeset = asdict(reindex(twin))
    return answer(open_twin(twin), {"changeset": changeset.pop("id"), **changeset})
