"""What a reader of a picture must know beside its colours: a run older than the city drawn."""

from __future__ import annotations

from cim import messages
from cim.model.result import Result
from cim.model.twin import TwinView

__all__ = ["remarks", "stale"]


def stale(view: TwinView, result: Result | None) -> bool:
    """Tell whether a run answers another version of the city than the one drawn under it."""
    return result is not None and result.twin_version != view.version


def remarks(view: TwinView, result: Result | None, lang: str | None) -> tuple[str, ...]:
    """Return short lines in a language; none where nothing needs to be said.

    Parameters
    ----------
    view, result
        The city drawn and the run over it.
    lang
        Language; the one in force where None.
    """
    if result is None or not stale(view, result):
        return ()
    key = "scenes.older_run" if result.twin_version < view.version else "scenes.newer_run"
    values = {"run": result.twin_version, "city": view.version}
    return (messages.text(key, values, lang=lang),)
