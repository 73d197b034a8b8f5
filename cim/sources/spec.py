"""Which file feeds which layer, and what a reader gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cim.crs import Frame
from cim.jobs import Job
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.sources.report import Report

__all__ = ["LayerSpec", "Loaded", "Reader", "source_key"]


@dataclass(frozen=True)
class LayerSpec:
    """One ``[[layer]]`` of a district.toml, or one file named on the command line.

    Attributes
    ----------
    file
        The file.
    kind, name
        Target kind (None: guessed from the geometry, said in the report) and own name.
    part
        Layer inside the file where it holds several (GeoPackage).
    crs, height_datum
        What the file is in where it does not say so itself.
    id_field
        Column with the source's own ids.
    columns
        Attribute of the kind -> column of the file.
    units
        Attribute -> unit in the file where it is not the kind's own.
    constants
        Attribute -> value for every object.
    source
        Key of the source that stays the same from delivery to delivery (default: file stem).
    options
        What only one reader understands (``at`` for IFC).
    """

    file: Path
    kind: str | None = None
    name: str = ""
    part: str = ""
    crs: str | None = None
    height_datum: str | None = None
    encoding: str | None = None
    id_field: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    date: str = ""
    licence: str = ""
    accuracy_m: float | None = None
    illustrative: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source_key(self) -> str:
        """Return the key of the source in ids."""
        return self.source or self.file.stem


def source_key(spec: LayerSpec) -> str:
    """Return what ids are made of beside a source's own: its key, or file and layer."""
    return spec.source or (f"{spec.file.stem}/{spec.part}" if spec.part else spec.file.stem)


@dataclass
class Loaded:
    """What a reader made of one file, already in the twin's frame."""

    tables: list[FeatureTable] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    meshes: MeshPool = field(default_factory=MeshPool)
    bodies: BodyPool = field(default_factory=BodyPool)


class Reader(Protocol):
    """A reader of one file format, found by suffix.

    Readers of the packages above are found through the entry point group
    ``cim.readers`` whose names are suffixes (``ifc``).
    """

    def __call__(
        self,
        spec: LayerSpec,
        *,
        frame: Frame,
        report: Report,
        near: Mapping[str, FeatureTable],
        job: Job,
    ) -> Loaded:
        """Read a file into layers of the twin's frame.

        Parameters
        ----------
        spec
            The file and what is known of it.
        frame
            The twin's frame; it was chosen from all files before the first is read.
        report
            Where everything repaired, rejected, assumed or dropped is listed.
        near
            Layers read before this one, for what joins or is checked against them.
        job
            Progress and cancel.
        """
        ...
