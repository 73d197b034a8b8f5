"""CityGML 1, 2 and 3: a member at a time, in two passes — what is referred to, then the objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame, looks_like_lonlat, split_crs
from cim.errors import FrameError, SourceError
from cim.jobs import Job
from cim.model.table import FeatureTable
from cim.sources.assembling import assemble
from cim.sources.gml_geometry import numbers
from cim.sources.gml_looks import Looks
from cim.sources.gml_objects import Members, objects_in
from cim.sources.gml_xml import attribute, href, local, pieces, text_of
from cim.sources.model_place import checked_box, into_frame, note_dropped, read_images
from cim.sources.objects import RawModel
from cim.sources.place import Place, place_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

__all__ = ["look", "read"]

Floats = NDArray[np.float64]
_MEMBERS = frozenset(["cityObjectMember", "featureMember"])
_SCANNED = _MEMBERS | {"Appearance", "Envelope", "CityModel"}
_SAMPLE = 20  # corners of each member that a first look keeps


@dataclass
class _Scan:
    """What a first pass finds: systems, where things lie, looks, and ids asked for elsewhere."""

    systems: Counter[str] = field(default_factory=Counter)
    points: list[Floats] = field(default_factory=list)
    looks: Looks = field(default_factory=Looks)
    wanted: set[str] = field(default_factory=set)
    members: int = 0
    city: bool = False
    name: str = ""


def look(spec: LayerSpec, *, report: Report) -> tuple[Place, Box]:
    """Return the place of a file and the box of its middle.

    Raises
    ------
    SourceError
        Not CityGML, not well-formed, a document type, two coordinate systems in one file.
    FrameError
        Nobody says what it is in, its name is unknown, or the numbers contradict it.
    """
    found = _scan(spec)
    place, swapped = _place(found, spec, report)
    points = _sample(found)
    box = checked_box(points[:, [1, 0, 2]] if swapped else points, place, spec.file.name)
    return place, box


def read(
    spec: LayerSpec,
    *,
    frame: Frame,
    report: Report,
    near: Mapping[str, FeatureTable],
    job: Job,
) -> Loaded:
    """Read a file into layers of the twin's frame; see `cim.sources.spec.Reader`.

    Elements that no column can hold (nested data of an application schema, textures placed
    on the ground, terrain intersection lines) are counted by name in the report.

    Raises
    ------
    SourceError
        As `look`; or no city object in the file.
    FrameError
        As `look`; or the heights' datum is unknown or has no way to the frame's.
    """
    found = _scan(spec)
    place, swapped = _place(found, spec, Report())

    def placed(points: Floats) -> Floats:
        turned = points[:, [1, 0, 2]] if swapped else points
        return into_frame(turned, place, frame, spec)

    model = RawModel(document={"metadata": {"title": found.name}} if found.name else {})
    model.materials = list(found.looks.materials)
    images, model.textures = read_images(found.looks.textures, spec, report=report, layer="citygml")
    members = Members(model, found.looks, placed, place=place, frame=frame, spec=spec)
    members.swapped = swapped
    members.elsewhere = _elsewhere(spec.file, found.wanted)
    for done, member in enumerate(_members(spec.file)):
        if done % 64 == 0:
            job.step(done, max(1, found.members), what="source.reading")
        objects_in(member, members)
    listed = [f"{name} × {n}" for name, n in (members.dropped + found.looks.dropped).items()]
    note_dropped(
        listed, key="source.model.elements_dropped", spec=spec, report=report, layer="citygml"
    )
    return assemble(model, spec, images=images, report=report, job=job)


def _scan(spec: LayerSpec) -> _Scan:
    stat = spec.file.stat()
    return _scanned(spec.file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _scanned(path: Path, size: int, mtime_ns: int) -> _Scan:
    """Return what a first pass finds; the look and the reading of a file share it."""
    out = _Scan()
    for element in pieces(path, _SCANNED):
        name = local(element)
        if name == "CityModel":
            out.city = True
            out.name = next((text_of(c) for c in element if local(c) == "name"), "")
        elif name == "Appearance":
            out.looks.take(element)
            element.clear()
        elif name == "Envelope":
            _note_system(out, element)
            if element.getparent() is not None and not out.points:
                out.points += [c for c in map(_corner, element) if c is not None]
        else:
            out.members += 1
            _note_member(out, element)
    if not out.city:
        raise SourceError("source.not_citygml", given=path.name)
    return out


def _corner(element: Any) -> Floats | None:
    flat = numbers(element.text)
    return flat.reshape(1, 3) if len(flat) == 3 and np.isfinite(flat).all() else None


def _note_system(out: _Scan, element: Any) -> None:
    name = attribute(element, "srsName")
    if name:
        out.systems[name] += 1


def _note_member(out: _Scan, member: Any) -> None:
    ids: set[str] = set()
    asked: set[str] = set()
    points: list[Floats] = []
    for one in member.iter():
        own = attribute(one, "id")
        if own:
            ids.add(own)
        word = local(one)
        if attribute(one, "href"):
            asked.add(href(one) or "")
        if attribute(one, "srsName"):
            _note_system(out, one)
        if word in ("pos", "posList") and len(points) < _SAMPLE and not _relative(one):
            flat = numbers(one.text)
            if len(flat) % 3 == 0 and len(flat):
                points.append(flat.reshape(-1, 3)[:_SAMPLE])
    out.points += points
    out.wanted |= asked - ids


def _relative(element: Any) -> bool:
    """Tell whether an element lies in a template, which has metres of its own."""
    above = element
    while above is not None:
        if local(above) in ("relativeGMLGeometry", "relativeGeometry"):
            return True
        above = above.getparent()
    return False


def _sample(found: _Scan) -> Floats:
    return np.concatenate([np.empty((0, 3)), *found.points])


def _place(found: _Scan, spec: LayerSpec, report: Report) -> tuple[Place, bool]:
    """Return the file's place, and whether its numbers come north or latitude first."""
    names = list(found.systems)
    own = names[0] if names else None
    meant: dict[tuple[str, str | None], str] = {}
    for name in names:
        try:
            meant.setdefault(split_crs(name), name)
        except FrameError:
            if spec.crs is None:
                raise
    planes = {crs for crs, _ in meant}
    if len(planes) > 1:
        values = {"names": ", ".join(meant.values())}
        raise SourceError("source.model.mixed_crs", given=spec.file.name, values=values)
    if meant:  # the name that says most: with a height where one has it
        own = max(meant.items(), key=lambda item: item[0][1] is not None)[1]
    place = place_of(spec, own, own is not None, report=report, layer="citygml")
    points = _sample(found)
    good = points[np.isfinite(points).all(axis=1)]
    if not len(good):
        raise SourceError("source.model.no_vertex", given=spec.file.name)
    latitude_first = place.geographic and own is not None and (":" in own or "/" in own)
    orders = (True, False) if latitude_first else (False, True)
    for swapped in orders:
        if _fits(good[:, [1, 0, 2]] if swapped else good, place, spec.file.name):
            if swapped != latitude_first:
                report.note("source.model.axes", file=spec.file.name, layer="citygml")
            return place, swapped
    return place, orders[0]  # the check that follows says what is wrong


def _fits(points: Floats, place: Place, file: str) -> bool:
    if place.geographic:
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        if not looks_like_lonlat((float(low[0]), float(low[1]), float(high[0]), float(high[1]))):
            return False
    try:
        checked_box(points, place, file)
    except FrameError:
        return False
    return True


def _members(path: Path) -> Iterator[Any]:
    for element in pieces(path, _MEMBERS):
        if local(element.getparent()) not in ("CityObjectGroup", "groupMember"):
            yield element


def _elsewhere(path: Path, wanted: set[str]) -> dict[str, Any]:
    """Return copies of elements that other members point at."""
    found: dict[str, Any] = {}
    if not wanted:
        return found
    for member in pieces(path, _MEMBERS):
        for one in member.iter():
            own = attribute(one, "id")
            if own in wanted and own not in found:
                found[str(own)] = deepcopy(one)
    return found
