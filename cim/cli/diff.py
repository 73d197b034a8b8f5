"""cim diff: what differs between two twins, versions or schemes, by id."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli._app import answer
from cim.errors import RequestError

__all__ = ["verb"]

T = messages.text


def verb(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    other: Annotated[Path | None, typer.Argument(help=T("cli.diff.other"))] = None,
    since: Annotated[int | None, typer.Option("--since", help=T("cli.diff.since"))] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help=T("cli.option.scheme"))] = None,
) -> dict[str, Any]:
    """Compare by id."""
    from cim.store import as_of, diff, open_scheme, open_twin

    now = open_twin(twin)
    if (other is not None) + (since is not None) + (scheme is not None) != 1:
        raise RequestError("cli.diff.one_of", given=twin)
    if other is not None:
        found = diff(now, open_twin(other))
    elif since is not None:
        found = diff(as_of(twin, since), now)
    else:
        found = diff(now, open_scheme(twin, str(scheme)))
    return answer(now, {"layers": found})
