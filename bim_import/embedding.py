"""What a page takes from the drawing package, where one is installed: a picture and a font.

Pictures are made elsewhere in the house; they are found through the entry point group
``cim.pages``: ``still`` (a view as PNG) and ``font`` (a font cut to a text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cim.errors import CancelledError, CimError, MissingError
from cim.jobs import Job
from cim.sources.spec import LayerSpec

__all__ = ["font_for", "picture_of"]


def picture_of(
    path: Path, spec: LayerSpec, record: Mapping[str, Any], *, job: Job
) -> bytes | CimError | None:
    """Return the placed model as PNG, why there is no picture, or None without a place.

    Parameters
    ----------
    path
        The IFC file; its meshes are in the cache by now.
    spec
        What the caller knows of its place.
    record
        From `reporting.ifc_report`.
    job
        Progress and cancel.
    """
    from cim.sources import build_twin, district_from_files

    if not record["placement"]["decided"]:
        return None
    datum = spec.height_datum or record["placement"]["height_datum"] or "unknown"
    try:
        draw = _tool("still")
        district = district_from_files([path], crs=spec.crs, height_datum=datum)
        layers = tuple(
            replace(one, options={**spec.options, "shells": False}) for one in district.layers
        )
        built = build_twin(replace(district, layers=layers), accept_rejects=True, job=job)
        found: bytes = draw(built.twin)
    except CimError as error:
        if isinstance(error, CancelledError):
            raise
        return error
    return found


def font_for(text: str) -> bytes | None:
    """Return a font with the characters of a text, or None where none is installed."""
    try:
        found: bytes = _tool("font")(text)
    except MissingError:
        return None
    return found


def _tool(name: str) -> Any:
    for point in entry_points(group="cim.pages"):
        if point.name == name:
            try:
                return point.load()
            except ImportError as error:
                raise MissingError("cli.demo.no_drawer", given=str(error)) from error
    raise MissingError("cli.demo.no_drawer", given=f"cim.pages: {name}")
