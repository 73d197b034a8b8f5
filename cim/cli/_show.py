"""How an answer looks to a person: words on the terminal, progress and errors on stderr."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cim import messages
from cim.errors import CimError
from cim.jobs import Job, Progress

__all__ = ["error", "foretold", "progress", "record"]

_MOST_SHOWN = 20  # of a list in a line; --json has them all
_FILE_WIDTH = 160
_LINE_WIDTH = 100  # longer ones are broken between two words, or two values of a group
_NOTES_SHOWN = 12  # cautions come first
_ASIDE = ("rules",)  # groups that only name the standards behind others
_SECONDS_A_LINE = 3.0


def error(problem: CimError) -> None:
    """Print what is wrong and what to do on standard error."""
    print(f"{messages.text('cli.error')}: {problem.message()}", file=sys.stderr)
    if problem.remedy():
        print(f"  {problem.remedy()}", file=sys.stderr)
    sys.stderr.flush()


def foretold(key: str, cost: Mapping[str, float]) -> None:
    """Print what a run will take on standard error."""
    values = {"minutes": f"{cost['minutes']:g}", "steps": f"{cost['steps']:.0f}",
              "given": f"{cost['cells']:.0f}", "memory": f"{cost['memory_mb']:.0f}"}  # fmt: skip
    print(messages.text(key, values), file=sys.stderr, flush=True)


def record(verb: str, answer: Mapping[str, Any]) -> None:
    """Print an answer for a reader."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _FILE_WIDTH
    console = Console(highlight=False, soft_wrap=True, width=width)
    hidden = ("schema", "twin_version", "illustrative")
    shown = {k: v for k, v in answer.items() if k not in hidden and not _says_nothing(v)}
    for key, value in shown.items():
        if key == "entries":  # what a report says is sentences
            for entry in value:
                console.print(f"  {_sentence(entry)}", markup=False)
        elif key == "notes" and isinstance(value, list):
            console.print("[bold]notes[/bold]")
            for line in _noted(value):
                console.print(line, markup=False)
        elif isinstance(value, list) and isinstance(value[0], Mapping):
            console.print(_table(key, value))
        elif isinstance(value, Mapping):
            console.print(f"[bold]{key}[/bold]")
            for name, one in value.items():
                if not _empty_group(one):
                    console.print(_broken(f"  {name}: {_inside(name, one)}"), markup=False)
        else:
            console.print(f"{key}: {_short(value)}", markup=False)
    if answer.get("illustrative"):
        console.print(messages.text("cli.illustrative"), style="yellow")


def _says_nothing(value: Any) -> bool:
    """Say whether a value is empty, or a record of empty lists and zeros."""
    if isinstance(value, Mapping) and any(isinstance(v, list | tuple) for v in value.values()):
        return not any(value.values())
    return value in (None, "", [], {}, ())


def _empty_group(value: Any) -> bool:
    """Say whether a value inside a record is empty, or a group of zeros: there is no such layer."""
    if isinstance(value, Mapping):
        return not any(isinstance(v, bool) or v for v in value.values())
    return isinstance(value, str | list | tuple) and not value


def _inside(name: str, value: Any) -> str:
    """Return a value inside a record; lists of records and names of rules by their number."""
    listed = isinstance(value, list) and any(isinstance(v, Mapping) for v in value)
    if listed or (name in _ASIDE and isinstance(value, Mapping)):
        return messages.text("cli.more").format(count=len(value))
    return _short(value)


def _broken(line: str, indent: str = "      ") -> str:
    """Return a line in pieces of readable width, broken after a comma where it is a list."""
    if len(line) <= _LINE_WIDTH:
        return line
    out = [""]
    for word in line.split(", "):
        if out[-1].strip() and len(out[-1]) + len(word) > _LINE_WIDTH:
            out.append(indent)
        out[-1] += word + ", "
    return "\n".join(one.rstrip() for one in out).removesuffix(",")


def _noted(notes: list[Any]) -> Iterator[str]:
    """Yield the first notes, each a paragraph, and how many more there are."""
    for note in notes[:_NOTES_SHOWN]:
        yield textwrap.fill(
            str(note), _LINE_WIDTH, initial_indent="  - ", subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    if len(notes) > _NOTES_SHOWN:
        yield "  … " + messages.text("cli.more").format(count=len(notes) - _NOTES_SHOWN)


def _table(title: str, rows: list[Mapping[str, Any]]) -> Any:
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    first = [n for n in ("id", "distance_m", "name", "address", "text") if n in names]
    dull = ("kind", "layer", "source", "source_id", "illustrative", "lonlat")
    rest = [n for n in names if n not in first and (n not in dull or title != "items")]
    names = [*first, *rest][:8]
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for name in names:  # an id is there to be copied: never folded
        table.add_column(name, overflow="ellipsis", no_wrap=name == "id", ratio=None)
    for row in rows:
        table.add_row(*[_short(row.get(name, "")) for name in names])
    return table


def _sentence(entry: Mapping[str, Any]) -> str:
    place = " ".join(str(entry[k]) for k in ("file", "layer", "object") if entry.get(k))
    said = " ".join(str(entry[k]) for k in ("reason", "remedy") if entry.get(k))
    return f"{entry.get('action', '')} {place}: {said}".strip()


def _short(value: Any, *, inner: bool = False) -> str:
    """Return a value in one line; lists inside it by their length, places to the millimetre."""
    if isinstance(value, float):  # an easting has seven places before the point
        return f"{value:.6g}" if abs(value) < 1e5 else f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        if set(value) == set(messages.LANGUAGES):
            return str(value[messages.language()])
        dull = "fields" if "filled" in value else None  # of a layer's columns, those in use
        pairs = ((k, v) for k, v in value.items() if k != dull and v not in (None, [], {}))
        return ", ".join(f"{k} {_short(v, inner=True)}".strip() for k, v in pairs)
    if isinstance(value, list | tuple):
        if len(value) > _MOST_SHOWN or (inner and any(isinstance(v, Mapping) for v in value)):
            return messages.text("cli.more").format(count=len(value))
        return ", ".join(_short(v, inner=inner) for v in value)
    return str(value)


@contextmanager
def progress() -> Iterator[Job]:
    """Yield a job whose progress shows on standard error while the block runs."""
    if not sys.stderr.isatty():
        yield Job(listen=_now_and_then())
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
            bar.update(tasks[step.what], completed=step.share, description=_doing(step))

        yield Job(listen=listen)


def _doing(step: Progress) -> str:
    """Return what is being done, with how many of how many objects where they are counted."""
    text = messages.text(step.what)
    return text if step.count is None else f"{text} {step.count[0]:,} / {step.count[1]:,}"


def _now_and_then() -> Any:
    """Return a listener for a file or a pipe: a line every few seconds, so short work has none."""
    told: dict[str, int] = {}
    last = time.monotonic()

    def listen(step: Progress) -> None:
        nonlocal last
        percent = int(step.share * 100)
        if time.monotonic() - last < _SECONDS_A_LINE or percent <= told.get(step.what, -1):
            return  # parts of a whole may start over; a line goes on
        told[step.what], last = percent, time.monotonic()
        print(f"{_doing(step)} {percent} %", file=sys.stderr, flush=True)

    return listen
