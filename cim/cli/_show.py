"""How an answer looks to a person: words on the terminal, progress and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cim import messages
from cim.errors import CimError
from cim.jobs import Job, Progress

__all__ = ["error", "progress", "record"]


def error(problem: CimError) -> None:
    """Print what is wrong and what to do on standard error."""
    print(f"{messages.text('cli.error')}: {problem.message()}", file=sys.stderr)
    if problem.remedy():
        print(f"  {problem.remedy()}", file=sys.stderr)
    sys.stderr.flush()


def record(verb: str, answer: Mapping[str, Any]) -> None:
    """Print an answer for a reader."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    hidden = ("schema", "twin_version", "illustrative")
    empty: tuple[Any, ...] = (None, "", [], {})
    shown = {k: v for k, v in answer.items() if k not in hidden and v not in empty}
    for key, value in shown.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            console.print(_table(key, value))
        elif isinstance(value, Mapping):
            console.print(f"[bold]{key}[/bold]")
            for name, one in value.items():
                console.print(f"  {name}: {_short(one)}", markup=False)
        else:
            console.print(f"{key}: {_short(value)}", markup=False)
    if answer.get("illustrative"):
        console.print(messages.text("cli.illustrative"), style="yellow")


def _table(title: str, rows: list[Mapping[str, Any]]) -> Any:
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    first = [n for n in ("id", "distance_m", "name") if n in names]
    dull = ("kind", "layer", "source", "source_id", "illustrative", "lonlat")
    rest = [n for n in names if n not in first and (n not in dull or title != "items")]
    names = [*first, *rest][:8]
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for name in names:  # an id is there to be copied: never folded
        table.add_column(name, overflow="ellipsis", no_wrap=name == "id", ratio=None)
    for row in rows:
        table.add_row(*[_short(row.get(name, "")) for name in names])
    return table


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_short(v) for v in value)
    return str(value)


@contextmanager
def progress() -> Iterator[Job]:
    """Yield a job whose progress shows on standard error while the block runs."""
    if not sys.stderr.isatty():
        yield Job(listen=_every_tenth())
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def listen(step: Progress) -> None:
            if step.what not in tasks:
                tasks[step.what] = bar.add_task(messages.text(step.what), total=1.0)
            bar.update(tasks[step.what], completed=step.share)

        yield Job(listen=listen)


def _every_tenth() -> Any:
    told: dict[str, int] = {}

    def listen(step: Progress) -> None:
        tenth = int(step.share * 10)
        if tenth > told.get(step.what, -1):  # parts of a whole may start over; a line goes on
            told[step.what] = tenth
            print(f"{messages.text(step.what)} {tenth * 10} %", file=sys.stderr, flush=True)

    return listen
