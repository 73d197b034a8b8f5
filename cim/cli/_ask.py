"""What the verbs that ask an engine share: open, ask, keep the run, answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.errors import MissingError, RequestError
from cim.jobs import Job, cpu_clock
from cim.model.result import Result
from cim.model.twin import Bounds, TwinView, WindowView

__all__ = ["BoundsOption", "PictureOption", "SchemeOption", "TwinArgument", "ask"]

TwinArgument = Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))]
SchemeOption = Annotated[
    str | None, typer.Option("--scheme", help=messages.text("cli.option.scheme"))
]


BoundsOption = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option("--bounds", help=messages.text("cli.query.bounds")),
]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", help=messages.text("cli.option.picture"))
]


def ask(
    twin: Path,
    scheme: str | None,
    question: Callable[[TwinView, Job], Result],
    *,
    bounds: Bounds | None = None,
    picture: Path | None = None,
) -> dict[str, Any]:
    """Open a twin, ask, keep the run, draw it where asked, and return the answer of the verb.

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
    picture
        File to draw the answer into; the run is kept also where this machine cannot draw.
    """
    draw = None if picture is None else _drawer(picture)
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
        record = {**answer(view, record), "illustrative": result.illustrative}
    if draw is not None:
        record |= _drawn(draw, twin, run, picture, bounds)
    return record


def _drawer(picture: Path) -> Callable[..., dict[str, Any]]:
    """Return what draws runs, before anything long begins.

    Raises
    ------
    MissingError
        The viewer is not installed.
    RequestError
        The folder of the picture is not there.
    """
    if not picture.parent.is_dir():
        raise RequestError("export.no_folder", given=picture.parent)
    for point in entry_points(group="cim.verbs", name="render"):
        try:
            found: Callable[..., dict[str, Any]] = point.load()
            return found
        except ImportError as error:
            raise MissingError("cli.demo.no_drawer", given=error) from error
    raise MissingError("cli.demo.no_drawer")


def _drawn(
    draw: Callable[..., dict[str, Any]],
    twin: Path,
    run: str,
    picture: Path | None,
    bounds: Bounds | None,
) -> dict[str, Any]:
    """Draw a kept run; where it cannot be drawn say so, for the run itself is there."""
    try:
        report = draw(twin=twin, out=picture, run=run, bounds=bounds)
    except MissingError as missing:
        _show.error(missing)
        return {"picture": None, "missing": missing.remedy(), "exit_code": missing.exit_code}
    return {"picture": str(picture), "not_drawn": report.get("failed", {})}
