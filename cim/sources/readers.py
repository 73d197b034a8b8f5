"""Which readers of the packages above the engine knows, by suffix.

A package announces a reader through the entry point group ``cim.readers``; its name is
the suffix (``ifc``), what it names is a `cim.sources.spec.Reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from cim.crs import Box, Frame
from cim.errors import MissingError
from cim.jobs import Job
from cim.model.table import FeatureTable
from cim.sources.place import Place
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded, Reader

__all__ = ["InnerReader", "Look", "inner_reader", "load_reader", "look_at", "outer_readers"]


class Look(Protocol):
    """What a first look at a file of another package says of its place."""

    @property
    def crs(self) -> str:
        """Projected system."""
        ...

    @property
    def height_datum(self) -> str:
        """Height datum."""
        ...

    @property
    def bounds(self) -> Box:
        """Rough box in `crs`."""
        ...


@cache
def outer_readers() -> Mapping[str, EntryPoint]:
    """Return the announced readers by suffix without its point."""
    return {point.name.lower(): point for point in entry_points(group="cim.readers")}


def look_at(spec: LayerSpec) -> Look | None:
    """Return where a file of another package stands; None where nobody can say.

    A package announces how to look through the entry point group ``cim.probes``.

    Raises
    ------
    MissingError
        The package it needs is not installed.
    """
    suffix = spec.file.suffix.lower().removeprefix(".")
    for point in entry_points(group="cim.probes"):
        if point.name.lower() == suffix:
            found: Look | None = _loaded(point, suffix)(spec)
            return found
    return None


class InnerReader(Protocol):
    """A module of this package that reads whole city models and meshes."""

    def look(self, spec: LayerSpec, *, report: Report) -> tuple[Place, Box]:
        """Return the place of a file and the box of its middle."""
        ...

    def read(
        self,
        spec: LayerSpec,
        *,
        frame: Frame,
        report: Report,
        near: Mapping[str, FeatureTable],
        job: Job,
    ) -> Loaded:
        """Read it; see `cim.sources.spec.Reader`."""
        ...


def inner_reader(name: str) -> InnerReader:
    """Return the module of this package that reads a format; loaded when first asked for.

    Raises
    ------
    MissingError
        A library it needs is not installed.
    """
    try:
        found: Any = import_module(f"cim.sources.{name}")
    except ImportError as error:
        raise MissingError(
            "source.reader_missing", given=name, values={"package": error.name or name}
        ) from error
    reader: InnerReader = found
    return reader


def load_reader(suffix: str) -> Reader:
    """Return the reader of files with `suffix`.

    Raises
    ------
    MissingError
        The package it needs is not installed.
    """
    reader: Reader = _loaded(outer_readers()[suffix.lower().removeprefix(".")], suffix)
    return reader


def _loaded(point: EntryPoint, suffix: str) -> Any:
    try:
        return point.load()
    except ImportError as error:
        raise MissingError(
            "source.reader_missing", given=suffix, values={"package": error.name or point.value}
        ) from error
