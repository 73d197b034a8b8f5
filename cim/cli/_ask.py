"""What the verbs that ask an engine share: open, ask, keep the run, answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.jobs import Job, cpu_clock
from cim.model.result import Result
from cim.model.twin import Bounds, TwinView, WindowView

__all__ = ["BoundsOption", "SchemeOption", "TwinArgument", "ask"]

TwinArgument = Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))]
SchemeOption = Annotated[
    str | None, typer.Option("--scheme", help=messages.text("cli.option.scheme"))
]


BoundsOption = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option("--bounds", help=messages.text("cli.query.bounds")),
]


def ask(
    twin: Path,
    scheme: str | None,
    question: Callable[[TwinView, Job], Result],
    *,
    bounds: Bounds | None = None,
) -> dict[str, Any]:
    """Open a twin, ask, keep the run, and return the answer of the verb.

    Parameters
    ----------
    twin
        Folder of the twin.
    scheme
        Scheme to lay over it, or None.
    question
        Called with the twin's view and the job that shows progress.
    bounds
        Only this part of the twin; the whole where None.
    """
    from cim.store import open_scheme, open_twin, save_run

    with cpu_clock() as cpu_s, _show.progress() as job:
        view: TwinView = open_twin(twin) if scheme is None else open_scheme(twin, scheme)
        if bounds is not None:
            view = WindowView(view, bounds)
        result = question(view, job)
        if bounds is not None:
            asked = {**result.parameters, "bounds": list(bounds)}
            result = replace(result, parameters=asked)
        run = save_run(twin, result)
        record = {
            "run": run,
            "scheme": scheme,
            "summary": dict(result.summary),
            "balance": dict(result.balance),
            "fields": {f.name: f.unit for f in result.fields},
            "notes": [messages.title(note) for note in result.notes],
            "cpu_s": round(cpu_s(), 3),
        }
        return {**answer(view, record), "illustrative": result.illustrative}
