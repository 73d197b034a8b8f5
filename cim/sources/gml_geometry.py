"""GML geometries as faces with rings, whatever way they are written and turned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.sources.gml_xml import attribute, href, local

__all__ = ["Face", "Geometry", "Reader", "numbers"]

Floats = NDArray[np.float64]
_DEEPEST = 40

_FACES = frozenset(["Polygon", "PolygonPatch", "Triangle", "Rectangle"])
_SURFACES = frozenset(
    ["MultiSurface", "CompositeSurface", "Surface", "TriangulatedSurface", "Tin", "TIN",
     "PolyhedralSurface", "OrientableSurface", "Shell"]
)  # fmt: skip
_SOLIDS = frozenset(["Solid", "MultiSolid", "CompositeSolid"])
_CURVES = frozenset(
    ["LineString", "Curve", "MultiCurve", "CompositeCurve", "LineStringSegment", "OrientableCurve"]
)
_POINTS = frozenset(["Point", "MultiPoint"])


@dataclass
class Face:
    """One face.

    Attributes
    ----------
    rings
        (n, 3) corners of each, the outer one first, the first corner not repeated.
    ring_ids
        gml:id of each ring, None where it has none.
    ids
        gml:id of the face and of all it is part of, the nearest first.
    turned
        Whether its corners run against the file's order.
    """

    rings: list[Floats]
    ring_ids: list[str | None]
    ids: tuple[str, ...]
    turned: bool = False


@dataclass
class Geometry:
    """A geometry as solids of shells of faces; a line or set of points is a face of one ring."""

    type: str
    solids: list[list[list[Face]]] = field(default_factory=list)

    def faces(self) -> Iterator[Face]:
        """Yield all faces in order."""
        for shells in self.solids:
            for shell in shells:
                yield from shell


class Reader:
    """Reads geometries of one object, following references by id.

    Parameters
    ----------
    ids
        gml:id -> element.
    faults
        Message key -> how often; filled.
    """

    def __init__(self, ids: Mapping[str, Any], faults: Counter[str]) -> None:
        self.ids, self.faults = ids, faults

    def geometry(self, element: Any) -> Geometry | None:
        """Return the geometry below a property such as ``lod2Solid``; None where there is none."""
        given = self._target(element)
        if given is None:
            return None
        return self._read(given, 0)

    def _read(self, given: Any, depth: int) -> Geometry | None:
        name = local(given)
        if depth > _DEEPEST:
            return None
        if name in _FACES or name in _SURFACES:
            kind = "CompositeSurface" if name == "CompositeSurface" else "MultiSurface"
            faces = list(self._surface(given, (), False, 0))
            return Geometry(kind, [[faces]]) if faces else None
        if name in _SOLIDS:
            solids = list(self._solids(given, 0))
            kind = name if len(solids) != 1 or name != "Solid" else "Solid"
            return Geometry(kind, solids) if solids else None
        if name in _CURVES:
            lines = [Face([line], [None], ()) for line in self._lines(given, 0)]
            return Geometry("MultiLineString", [[lines]]) if lines else None
        if name in _POINTS:
            points = [self._positions(p) for p in given.iter() if local(p) == "Point"]
            points = [p for p in points if len(p)]
            if points:
                face = Face([np.concatenate(points)], [None], ())
                return Geometry("MultiPoint", [[[face]]])
            return None
        parts = [self._read(child, depth + 1) for member in given for child in member]
        found = [p for p in parts if p is not None and p.type in ("MultiSurface", "Solid")]
        if found:  # MultiGeometry, GeometricComplex
            return Geometry("MultiSurface", [[[f for p in found for f in p.faces()]]])
        self.faults["source.model.gml_geometry"] += 1
        return None

    def _target(self, element: Any) -> Any:
        """Return what a property holds or points at."""
        if len(element):
            return element[0]
        name = href(element)
        if name is None:
            return None
        found = self.ids.get(name)
        if found is None:
            self.faults["source.model.gml_href"] += 1
        return found

    def _surface(
        self, given: Any, above: tuple[str, ...], turned: bool, depth: int
    ) -> Iterator[Face]:
        name = local(given)
        own = attribute(given, "id")
        ids = (own, *above) if own else above
        if depth > _DEEPEST:
            self.faults["source.model.gml_href"] += 1
        elif name in _FACES:
            face = self._face(given, _with_owners(given, ids), turned)
            if face is not None:
                yield face
        elif name == "OrientableSurface":
            against = attribute(given, "orientation") == "-"
            for child in given:
                target = self._target(child)
                if local(child) == "baseSurface" and target is not None:
                    yield from self._surface(target, ids, turned != against, depth + 1)
        else:
            for child in given:
                word = local(child)
                if word in ("surfaceMember", "baseSurface"):
                    target = self._target(child)
                    if target is not None:
                        yield from self._surface(target, ids, turned, depth + 1)
                elif word in ("surfaceMembers", "patches", "trianglePatches", "polygonPatches"):
                    for one in child:
                        yield from self._surface(one, ids, turned, depth + 1)
                elif word in _FACES or word in _SURFACES:
                    yield from self._surface(child, ids, turned, depth + 1)

    def _face(self, given: Any, ids: tuple[str, ...], turned: bool) -> Face | None:
        rings: list[Floats] = []
        names: list[str | None] = []
        for side in ("exterior", "outerBoundaryIs", "interior", "innerBoundaryIs"):
            for child in given:
                if local(child) != side or not len(child):
                    continue
                ring = self._positions(child[0])
                if len(ring) > 1 and (ring[0] == ring[-1]).all():
                    ring = ring[:-1]
                if len(ring) < 3 or not np.isfinite(ring).all():
                    broken = len(ring) >= 3
                    key = "source.model.vertex_broken" if broken else "source.model.ring_short"
                    self.faults[key] += 1
                    return None
                rings.append(ring[::-1] if turned else ring)
                names.append(attribute(child[0], "id"))
        if not rings:
            self.faults["source.model.ring_short"] += 1
            return None
        return Face(rings, names, ids, turned)

    def _solids(self, given: Any, depth: int) -> Iterator[list[list[Face]]]:
        if local(given) == "Solid":
            shells = []
            own = attribute(given, "id")
            for side in ("exterior", "interior"):
                for child in given:
                    if local(child) == side:
                        target = self._target(child)
                        if target is not None:
                            above = (own,) if own else ()
                            shells.append(list(self._surface(target, above, False, 0)))
            if any(shells):
                yield [s for s in shells if s]
            return
        for child in given:
            members = child if local(child) == "solidMembers" else [self._target(child)]
            for one in members:
                if one is not None and depth < _DEEPEST:
                    yield from self._solids(one, depth + 1)

    def _lines(self, given: Any, depth: int) -> Iterator[Floats]:
        if local(given) in ("LineString", "LineStringSegment"):
            line = self._positions(given)
            if len(line) > 1 and np.isfinite(line).all():
                yield line
            else:
                self.faults["source.model.ring_short"] += 1
            return
        for child in given:
            if local(child) in ("segments", "curveMembers"):
                inner = list(child)
            elif local(child) in ("LineString", "LineStringSegment", "Curve"):
                inner = [child]
            else:
                inner = [self._target(child)]
            for one in inner:
                if one is not None and depth < _DEEPEST:
                    yield from self._lines(one, depth + 1)

    def _positions(self, given: Any) -> Floats:
        """Return the corners of a ring, line or point, (n, 3); NaN where a number is broken."""
        out: list[Floats] = []
        for child in given.iter():
            name = local(child)
            if name in ("posList", "pos"):
                flat = numbers(child.text)
                if len(flat) % 3 == 0:
                    out.append(flat.reshape(-1, 3))
                else:
                    out.append(np.full((3, 3), np.nan))
            elif name == "coordinates":
                rows = (child.text or "").split()
                out.append(
                    np.array([numbers(r.replace(",", " "))[:3] for r in rows if r.count(",") == 2])
                    .reshape(-1, 3)
                )  # fmt: skip
        return np.concatenate(out) if out else np.empty((0, 3))


def _with_owners(element: Any, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids with those of the elements a face is written in: a look may name these."""
    out = list(ids)
    above = element.getparent()
    while above is not None and len(out) < _DEEPEST:
        own = attribute(above, "id")
        if own and own not in out:
            out.append(own)
        above = above.getparent()
    return tuple(out)


def numbers(text: str | None) -> Floats:
    """Return the numbers of a text apart by space; NaN for each that is none."""
    words = (text or "").split()
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        return np.array([_number(word) for word in words])


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
