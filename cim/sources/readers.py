"""Which readers of the packages above the engine knows, by suffix.

A package announces a reader through the entry point group ``cim.readers``; its name is
the suffix (``ifc``), what it names is a `cim.sources.spec.Reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cim.errors import MissingError
from cim.sources.spec import Reader

__all__ = ["load_reader", "outer_readers"]


@cache
def outer_readers() -> Mapping[str, EntryPoint]:
    """Return the announced readers by suffix without its point."""
    return {point.name.lower(): point for point in entry_points(group="cim.readers")}


def load_reader(suffix: str) -> Reader:
    """Return the reader of files with `suffix`.

    Raises
    ------
    MissingError
        The package it needs is not installed.
    """
    point = outer_readers()[suffix.lower().removeprefix(".")]
    try:
        reader: Reader = point.load()
    except ImportError as error:
        raise MissingError(
            "source.reader_missing", given=suffix, values={"package": error.name or point.value}
        ) from error
    return reader
