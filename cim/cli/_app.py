"""How a verb becomes a command: options every verb has, errors, exit codes, JSON."""

from __future__ import annotations

import functools
import inspect
import json
import signal
import sys
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from cim import messages
from cim._version import VERSION
from cim.cli import _show
from cim.errors import CancelledError, CimError, MissingError, RequestError
from cim.jobs import Job

__all__ = ["Verb", "answer", "run", "stopping_whole"]

Verb = Callable[..., dict[str, Any]]
SCHEMA = "cim/1"

_wanted_json: list[bool] = []


def run(words: Sequence[str]) -> int:
    """Run the command line `words` and return the exit code."""
    _wanted_json[:] = ["--json" in words]
    try:
        outcome = _application()(args=list(words), prog_name="cim", standalone_mode=False)
    except CimError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail(CancelledError("cli.interrupted"))
    except BrokenPipeError:
        return 0
    except MemoryError:
        return _fail(MissingError("cli.no_memory"))
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            if type(error).__name__ == "NoArgsIsHelpError":
                return 2
            return _fail(RequestError("cli.usage", values={"what": error.format_message()}))
        if type(error).__name__ == "Abort":
            return _fail(CancelledError("cli.interrupted"))
        traceback.print_exc()
        return _fail(CimError("cli.our_fault", given=f"{type(error).__name__}: {error}"), code=1)
    return outcome if isinstance(outcome, int) else 0


def _fail(error: CimError, *, code: int | None = None) -> int:
    if _wanted_json[-1]:
        kind = "InternalError" if type(error) is CimError else type(error).__name__
        record = {
            "schema": SCHEMA,
            "error": {
                "type": kind,
                "key": error.key,
                "message": error.message(),
                "given": error.given,
                "remedy": error.remedy(),
            },
        }
        print(json.dumps(record, ensure_ascii=False), flush=True)
    _show.error(error)
    return error.exit_code if code is None else code


def answer(view: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verb's answer with what every answer carries.

    Parameters
    ----------
    view
        The twin asked, or None for a verb that asks none.
    record
        The answer itself.
    """
    head: dict[str, Any] = {"schema": SCHEMA, "twin_version": None, "illustrative": False}
    if view is not None:
        head["twin_version"] = view.version
        head["illustrative"] = bool(view.illustrative)
    return {**head, **record}


def _application() -> Callable[..., Any]:
    from cim.cli import VERBS

    app = typer.Typer(
        name="cim",
        help=messages.text("cli.help"),
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_root)
    for name, load in VERBS.items():
        module = __import__(f"cim.cli.{load}", fromlist=["verb"])
        if isinstance(module.verb, dict):
            group = typer.Typer(help=messages.text(f"cli.{name}.help"), no_args_is_help=True)
            group.callback()(_remember_twin)
            for sub, function in module.verb.items():
                _add(group, sub, function, messages.text(f"cli.{name}.{sub}.help"), of_twin=True)
            app.add_typer(group, name=name)
        else:
            _add(app, name, module.verb, messages.text(f"cli.{name}.help"))
    for point in entry_points(group="cim.verbs"):
        try:
            function = point.load()
        except ImportError:
            continue
        _add(app, point.name, function, messages.text(f"cli.{point.name}.help"))
    return get_command(app)


LangOption = Annotated[str | None, typer.Option("--lang", help=messages.text("cli.option.lang"))]


def _root(
    context: typer.Context,
    lang: LangOption = None,
    version: Annotated[
        bool, typer.Option("--version", help=messages.text("cli.option.version"))
    ] = False,
) -> None:
    if version:
        print(f"cim-twin {VERSION}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def _remember_twin(
    context: typer.Context,
    twin: Annotated[Path, typer.Argument(help=messages.text("cli.option.twin"))],
    lang: LangOption = None,
) -> None:
    context.obj = twin  # the twin comes before the sub-verb: cim query TWIN near …


def _add(app: typer.Typer, name: str, function: Verb, text: str, *, of_twin: bool = False) -> None:
    app.command(name, help=text)(_wrapped(name, function, of_twin=of_twin))


def _wrapped(name: str, function: Verb, *, of_twin: bool) -> Callable[..., int]:
    """Return `function` with --json and --lang, its answer printed as asked."""
    hints = typing.get_type_hints(function, include_extras=True)
    extra: dict[str, Any] = {
        "as_json": Annotated[bool, typer.Option("--json", help=messages.text("cli.option.json"))],
        "lang": Annotated[
            str | None, typer.Option("--lang", help=messages.text("cli.option.lang"))
        ],
    }

    @functools.wraps(function)
    def command(**options: Any) -> int:
        as_json, lang = options.pop("as_json"), options.pop("lang")
        if of_twin:
            options["twin"] = options.pop("context").obj
        if lang is not None and lang not in messages.LANGUAGES:
            raise RequestError("cli.unknown_lang", given=lang)
        try:
            with _Stoppable():
                record = function(**options)
        except KeyboardInterrupt:  # before click turns it into a bare exit code
            raise CancelledError("cli.interrupted") from None
        code = int(record.pop("exit_code", 0))
        if as_json:
            print(json.dumps(record, ensure_ascii=False, default=str), flush=True)
        else:
            _show.record(name, record)
        return code

    parameters = [
        p.replace(annotation=hints.get(p.name, p.annotation))
        for p in inspect.signature(function).parameters.values()
        if not (of_twin and p.name == "twin")
    ]
    if of_twin:
        extra["context"] = typer.Context
    parameters += [
        inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default={"as_json": False, "lang": None}.get(key, inspect.Parameter.empty),
            annotation=hint,
        )
        for key, hint in extra.items()
    ]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    command.__annotations__ = {**hints, **extra, "return": int}
    command.__dict__.pop("__wrapped__", None)
    return command


class _Stoppable:
    """Turns a termination signal into the same clean stop as Ctrl-C."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGTERM)
        try:
            signal.signal(signal.SIGTERM, _interrupt)
        except ValueError:  # not the main thread: whoever runs us owns the signals
            self._before = None

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        sys.stdout.flush()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def stopping_whole(job: Job) -> Iterator[None]:
    """Cancel a job at the first Ctrl-C or termination signal, so that it stops between two steps.

    For work that keeps its state when cancelled: an interrupt in the middle of a step would leave
    half a state. A second signal interrupts at once. Where somebody else owns the signals, or a
    shell has told us to ignore one, nothing changes.
    """

    def stop(*_: object) -> None:
        if job.cancelled:
            raise KeyboardInterrupt
        job.cancel()

    before = {}
    try:
        for one in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(one) is not signal.SIG_IGN:
                before[one] = signal.signal(one, stop)
    except ValueError:  # not the main thread
        pass
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
