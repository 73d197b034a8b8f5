"""Which items of a product are its body: what is to be meshed, and what is only drawn.

A product may be shown as an axis, a plan, a box and a body at once; only the body is
meshed. Curves, texts and points make no body.
"""

from __future__ import annotations

from typing import Any

from bim_import.schema import ProductClass
from bim_import.step import Ref, StepFile

__all__ = ["Bodies"]

_FLAT = {
    "Axis", "Plan", "Annotation", "FootPrint", "Box", "CoG", "Clearance", "Profile", "Lighting",
    "Reference", "MinimumBoundary", "Footprint",
}  # fmt: skip
_FLAT_TYPES = {
    "Curve", "Curve2D", "Curve3D", "GeometricCurveSet", "Annotation2D", "BoundingBox", "Point",
    "PointCloud", "Text", "FillArea", "Vertex", "Edge", "Path",
}  # fmt: skip
_FIRST = ("Body", "Facetation", "Tessellation", "Surface", "Surface3D", "Body-FallBack")
_DRAWN = (
    "IFCPOLYLINE", "IFCTRIMMEDCURVE", "IFCCOMPOSITECURVE", "IFCGEOMETRICCURVESET", "IFCTEXT",
    "IFCCIRCLE", "IFCELLIPSE", "IFCLINE", "IFCINDEXEDPOLYCURVE", "IFCANNOTATIONFILLAREA",
    "IFCCARTESIANPOINT", "IFCGRADIENTCURVE", "IFCSEGMENTEDREFERENCECURVE", "IFCOFFSETCURVE",
    "IFCBSPLINECURVE", "IFCRATIONALBSPLINECURVE", "IFCPOINT", "IFCDEFINEDSYMBOL", "IFCSEAMCURVE",
    "IFCALIGNMENTCURVE", "IFCANNOTATIONCURVE", "IFCANNOTATIONSYMBOL", "IFCANNOTATIONTEXT",
    "IFCCURVE", "IFCLIGHTSOURCE", "IFCONEDIRECTION", "IFCEDGE", "IFCVERTEX", "IFCPLANAREXTENT",
    "IFCBOUNDINGBOX", "IFCAXIS2PLACEMENT", "IFCCLOTHOID", "IFCPLANARBOX",
)  # fmt: skip
_NEVER = (
    "IfcAnnotation", "IfcGrid", "IfcPort", "IfcVirtualElement", "IfcStructuralActivity",
    "IfcStructuralItem", "IfcFeatureElementSubtraction", "IfcPositioningElement",
)  # fmt: skip


class Bodies:
    """Answers about the representations of one file."""

    def __init__(self, step: StepFile) -> None:
        self.step = step
        self._maps: dict[int, list[int]] = {}

    def shaped(self, kind: ProductClass, args: list[Any]) -> bool:
        """Tell whether a product has something to mesh."""
        if any(kind.is_a(name) for name in _NEVER):
            return False
        return any(self.solid(item) for rep in self.chosen(args) for item in self.items(rep))

    def chosen(self, args: list[Any]) -> list[Ref]:
        """Return the representations of a product that make its body."""
        shape = args[6] if len(args) > 6 else None
        held = self.step.args(shape) if isinstance(shape, Ref) else []
        reps = held[2] if len(held) > 2 and isinstance(held[2], list) else []
        found: dict[str, list[Ref]] = {}
        for rep in reps:
            own = self.step.args(rep) if isinstance(rep, Ref) else []
            if len(own) < 4:
                continue
            identifier, kind = str(own[1] or ""), str(own[2] or "")
            if identifier not in _FLAT and kind not in _FLAT_TYPES:
                found.setdefault(identifier, []).append(rep)
        for name in _FIRST:
            if name in found:
                return found[name]
        return [rep for reps in found.values() for rep in reps]

    def items(self, rep: Any) -> list[Ref]:
        """Return the items of a representation."""
        own = self.step.args(rep) if isinstance(rep, Ref) else []
        listed = own[3] if len(own) > 3 and isinstance(own[3], list) else []
        return [item for item in listed if isinstance(item, Ref)]

    def solid(self, item: Ref, depth: int = 8) -> bool:
        """Tell whether an item is more than lines, points and texts."""
        name = self.step.name(item)
        if name == "IFCMAPPEDITEM" and depth:
            return any(self.solid(Ref(one), depth - 1) for one in self.mapped(item))
        if name == "IFCGEOMETRICSET":
            held = self.step.args(item)
            inner = held[0] if held and isinstance(held[0], list) else []
            return any(isinstance(one, Ref) and self.solid(one, depth - 1) for one in inner)
        return bool(name) and not name.startswith(_DRAWN)

    def mapped(self, item: Ref) -> list[int]:
        """Return the items a mapped item repeats."""
        args = self.step.args(item)
        source = args[0] if args else None
        if not isinstance(source, Ref):
            return []
        if source not in self._maps:
            own = self.step.args(source)
            self._maps[source] = list(self.items(own[1])) if len(own) > 1 else []
        return self._maps[source]
