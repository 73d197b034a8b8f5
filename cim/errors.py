"""What can go wrong, as one tree of errors with texts in two languages.

::

    CimError
    ├── SourceError      (ValueError)    a file or object that cannot be trusted
    ├── FrameError       (ValueError)    coordinate system, height datum, area of use
    ├── UnitError        (ValueError)    a unit that is missing or impossible
    ├── ShapeError       (ValueError)    geometry or arrays that do not fit
    ├── RequestError     (ValueError)    a question or command that makes no sense
    ├── StoreError       (OSError)       the twin on disk
    ├── SimulationError  (RuntimeError)  a solver that cannot go on
    ├── MissingError     (ImportError)   something this machine lacks
    └── CancelledError   (RuntimeError)  stopped by the user

An error carries a message key, what was given, and values for the text; the
text itself stands in ``cim/messages/*.toml`` and is made when it is read, so
one error prints in English or in Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping

from cim import messages

__all__ = [
    "CancelledError",
    "CimError",
    "FrameError",
    "MissingError",
    "RequestError",
    "ShapeError",
    "SimulationError",
    "SourceError",
    "StoreError",
    "UnitError",
]


class CimError(Exception):
    """Base of all errors: a message key, what was given, values for the text.

    Parameters
    ----------
    key
        Key of the text, for example ``"source.no_crs"``.
    given
        What the user gave, as they would recognise it (file, option, value).
    values
        Values for the other ``{placeholders}`` of the text.
    """

    exit_code = 2

    def __init__(
        self, key: str, *, given: object = "", values: Mapping[str, object] | None = None
    ) -> None:
        self.key = key
        self.given = str(given)
        self.values = {"given": self.given, **(values or {})}
        super().__init__(key, self.given)

    def message(self, lang: str | None = None) -> str:
        """What is wrong, in the chosen language."""
        return messages.text(self.key, self.values, lang=lang)

    def remedy(self, lang: str | None = None) -> str:
        """What to do about it, in the chosen language."""
        return messages.remedy(self.key, self.values, lang=lang)

    def __str__(self) -> str:
        return f"{self.message()} {self.remedy()}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.key, self.given, self.values))


def _rebuild(cls: type[CimError], key: str, given: str, values: dict[str, object]) -> CimError:
    return cls(key, given=given, values=values)


class SourceError(CimError, ValueError):
    """A file, layer or object that cannot be trusted."""


class FrameError(CimError, ValueError):
    """A coordinate system, height datum or area of use that does not fit."""


class UnitError(CimError, ValueError):
    """A unit that is missing, unknown or impossible."""


class ShapeError(CimError, ValueError):
    """Geometry or arrays whose shapes do not fit together."""


class RequestError(CimError, ValueError):
    """A question, option or expression that makes no sense here."""


class StoreError(CimError, OSError):
    """The twin on disk cannot be read, written or trusted."""


class SimulationError(CimError, RuntimeError):
    """A solver that cannot start or go on."""


class MissingError(CimError, ImportError):
    """Something this machine lacks: a package, OpenGL, a font."""

    exit_code = 3


class CancelledError(CimError, RuntimeError):
    """Stopped by the user before the end; nothing half-done was kept."""

    exit_code = 130
