"""How the parts of an IFC4 file are drawn so that the same drawing gives the same bytes.

A `Drawing` owns the file in the making. Its GlobalIds are uuid5 hashes of the
drawing's key and the part's own name, it writes no clock and no user name, and
it rounds to 0.1 mm: two runs, two machines, one file. What is drawn twice alike
(a solid, a set of properties) is written once and shared.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["PALETTE", "Drawing", "Ring", "Vector", "guid"]

Vector = Sequence[float]
Ring = Sequence[Vector]
Arc = tuple[int, int, int]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "cim-twin:bim_import.authoring")
_UP = (0.0, 0.0, 1.0)

PALETTE: dict[str, tuple[tuple[float, float, float], float]] = {
    "紫红砖": ((0.64, 0.42, 0.37), 0.0),
    "红砖": ((0.66, 0.41, 0.33), 0.0),
    "青灰砖": ((0.60, 0.60, 0.58), 0.0),
    "浅黄抹灰": ((0.90, 0.83, 0.66), 0.0),
    "抹灰": ((0.91, 0.89, 0.84), 0.0),
    "浅色石": ((0.87, 0.82, 0.72), 0.0),
    "花岗石": ((0.58, 0.56, 0.53), 0.0),
    "红瓦": ((0.60, 0.35, 0.28), 0.0),
    "深红瓦": ((0.50, 0.26, 0.20), 0.0),
    "石板瓦": ((0.33, 0.37, 0.42), 0.0),
    "铅皮": ((0.45, 0.49, 0.52), 0.0),
    "白漆木": ((0.94, 0.93, 0.89), 0.0),
    "绿漆木": ((0.22, 0.36, 0.30), 0.0),
    "深色木": ((0.33, 0.18, 0.11), 0.0),
    "玻璃": ((0.33, 0.42, 0.48), 0.35),
    "混凝土": ((0.72, 0.71, 0.69), 0.0),
}
"""Look -> (red, green, blue of 0-1, transparency)."""


def guid(key: str, part: str) -> str:
    """Return the 22-character IFC GlobalId of `part` in the drawing named `key`."""
    from ifcopenshell.guid import compress

    return str(compress(uuid.uuid5(_NAMESPACE, f"{key}/{part}").hex))


def _round(values: Vector, digits: int = 4) -> tuple[float, ...]:
    return tuple(round(float(v), digits) + 0.0 for v in values)


class Drawing:
    """An IFC4 file in the making, in metres.

    Parameters
    ----------
    key
        Name that every GlobalId is derived from, for example ``"munan-50"``.
    """

    def __init__(self, key: str) -> None:
        import ifcopenshell

        self.key = key
        self.file = ifcopenshell.file(schema="IFC4")
        self.body: Any = None
        self._known: dict[Any, Any] = {}
        self._contained: dict[int, tuple[Any, list[Any]]] = {}
        self._parts: dict[int, tuple[Any, list[Any]]] = {}
        self._storey_of: dict[int, Any] = {}
        self._of_material: dict[str, list[Any]] = {}
        self._defined: dict[Any, list[Any]] = {}
        self._typed: dict[int, tuple[Any, list[Any]]] = {}

    def make(self, ifc_class: str, *values: Any) -> Any:
        """Create one entity from its attributes in schema order."""
        return self.file.create_entity(ifc_class, *values)

    def _once(self, key: Any, made: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = made()
        return self._known[key]

    # -- points, placements ------------------------------------------------

    def point(self, at: Vector) -> Any:
        """Return the IfcCartesianPoint at `at`, one entity per place."""
        place = _round(at)
        return self._once(("point", place), lambda: self.make("IfcCartesianPoint", place))

    def direction(self, along: Vector) -> Any:
        """Return the IfcDirection along `along`, one entity per direction."""
        ratios = _round(along, 9)
        return self._once(("direction", ratios), lambda: self.make("IfcDirection", ratios))

    def axes(self, at: Vector, z: Vector | None = None, x: Vector | None = None) -> Any:
        """Return an IfcAxis2Placement3D, one entity per place and turn."""
        place = self.point(at)
        ways = [None if v is None else self.direction(v) for v in (z, x)]
        key = ("axes", place.id(), *(None if w is None else w.id() for w in ways))
        return self._once(key, lambda: self.make("IfcAxis2Placement3D", place, *ways))

    def placement(self, parent: Any, at: Vector, turn_deg: float = 0.0) -> Any:
        """Return an IfcLocalPlacement in `parent`, turned about z counter-clockwise."""
        if turn_deg % 360 == 0:
            axes = self.axes(at)
        else:
            angle = math.radians(turn_deg)
            axes = self.axes(at, _UP, (math.cos(angle), math.sin(angle), 0.0))
        return self.make("IfcLocalPlacement", parent, axes)

    # -- solids ------------------------------------------------------------

    def prism(
        self, ring: Ring, height_m: float, z_m: float = 0.0, *, look: str = "",
        holes: Sequence[Ring] = (), arcs: Sequence[Arc] = (),
    ) -> Any:  # fmt: skip
        """Return an upright extrusion of `ring` (less `holes`) from `z_m`.

        Parameters
        ----------
        arcs
            Places in `ring`, from 0, of (start, middle, end) of each arc of a circle; the
            other neighbours are joined by straight lines.
        """
        return self.extrusion(self.profile(ring, holes=holes, arcs=arcs), height_m,
                              self.axes((0.0, 0.0, z_m)), look=look)  # fmt: skip

    def box(self, low: Vector, high: Vector, *, look: str = "") -> Any:
        """Return the box between two corners."""
        size = _round([h - low_ for low_, h in zip(low, high, strict=True)])
        centre = (low[0] + size[0] / 2, low[1] + size[1] / 2, low[2])
        profile = self._once(("rectangle", size[:2]), lambda: self.make(
            "IfcRectangleProfileDef", "AREA", None, None, size[0], size[1]))  # fmt: skip
        return self.extrusion(profile, size[2], self.axes(centre), look=look)

    def profile(self, ring: Ring, *, holes: Sequence[Ring] = (), arcs: Sequence[Arc] = ()) -> Any:
        """Return the profile bounded by `ring`, with straight sides or `arcs`; see `prism`."""
        outline, inner = tuple(map(_round, ring)), tuple(tuple(map(_round, h)) for h in holes)

        def made() -> Any:
            curve = self._curve(outline, arcs) if arcs else self._polyline(outline)
            if not inner:
                return self.make("IfcArbitraryClosedProfileDef", "AREA", None, curve)
            voids = [self._polyline(one) for one in inner]
            return self.make("IfcArbitraryProfileDefWithVoids", "AREA", None, curve, voids)

        return self._once(("profile", outline, inner, tuple(arcs)), made)

    def extrusion(self, profile: Any, depth_m: float, axes: Any, *, look: str = "") -> Any:
        """Return `profile` drawn out along the z of `axes`."""
        depth = round(depth_m, 4)
        key = ("extrusion", profile.id(), depth, axes.id(), look)
        return self._once(key, lambda: self._painted(self.make(
            "IfcExtrudedAreaSolid", profile, axes, self.direction(_UP), depth), look))  # fmt: skip

    def cylinder(self, radius_m: float, height_m: float, z_m: float, *, look: str = "") -> Any:
        """Return an upright round solid standing at the local origin."""
        profile = self.circle(radius_m)
        return self.extrusion(profile, height_m, self.axes((0.0, 0.0, z_m)), look=look)

    def circle(self, radius_m: float) -> Any:
        """Return a round profile."""
        return self._once(("circle", radius_m), lambda: self.make(
            "IfcCircleProfileDef", "AREA", None, None, radius_m))  # fmt: skip

    def polyhedron(
        self, points: Sequence[Vector], faces: Sequence[Sequence[int]], *, look: str = ""
    ) -> Any:
        """Return a closed IfcPolygonalFaceSet; `faces` index `points` from 0, outward."""
        indexed = [self.make("IfcIndexedPolygonalFace", [i + 1 for i in f]) for f in faces]
        solid = self.make("IfcPolygonalFaceSet", self._point_list(points), True, indexed)
        return self._painted(solid, look)

    def triangles(
        self, points: Sequence[Vector], corners: Sequence[Sequence[int]], *, look: str = ""
    ) -> Any:
        """Return an open IfcTriangulatedFaceSet; `corners` index `points` from 0."""
        one_based = [[i + 1 for i in corner] for corner in corners]
        solid = self.make(
            "IfcTriangulatedFaceSet", self._point_list(points), None, False, one_based
        )
        return self._painted(solid, look)

    def _point_list(self, points: Sequence[Vector]) -> Any:
        return self.make("IfcCartesianPointList3D", [_round(p, 3) for p in points])

    def _polyline(self, ring: Ring) -> Any:
        corners = [self.point(corner) for corner in ring]
        return self.make("IfcPolyline", [*corners, corners[0]])

    def _curve(self, ring: Ring, arcs: Sequence[Arc]) -> Any:
        """Return a closed IfcIndexedPolyCurve of lines and arcs."""
        points = self.make("IfcCartesianPointList2D", [tuple(p) for p in ring])
        bent, segments, at = {arc[0]: arc for arc in arcs}, [], 0
        while at < len(ring):
            if at in bent:
                numbers = [(i % len(ring)) + 1 for i in bent[at]]
                segments.append(self.make("IfcArcIndex", numbers))
                at = bent[at][2]
            else:
                segments.append(self.make("IfcLineIndex", [at + 1, (at + 1) % len(ring) + 1]))
                at += 1
        return self.make("IfcIndexedPolyCurve", points, segments, False)

    # -- looks -------------------------------------------------------------

    def _painted(self, item: Any, look: str) -> Any:
        if look:
            self.make(
                "IfcStyledItem", item, [self._once(("style", look), lambda: self._style(look))]
            )
        return item

    def _style(self, look: str) -> Any:
        rgb, transparency = PALETTE[look]
        shading = self.make(
            "IfcSurfaceStyleShading", self.make("IfcColourRgb", None, *rgb), transparency
        )
        return self.make("IfcSurfaceStyle", look, "BOTH", [shading])

    def shape(self, items: Sequence[Any], kind: str = "SweptSolid") -> Any:
        """Return the product shape made of `items`, shared by all that look the same."""
        key = ("shape", kind, tuple(item.id() for item in items))
        return self._once(key, lambda: self.make(
            "IfcProductDefinitionShape", None, None, [self._body(items, kind)]))  # fmt: skip

    def _body(self, items: Sequence[Any], kind: str) -> Any:
        return self.make("IfcShapeRepresentation", self.body, "Body", kind, list(items))

    def symbol(self, items: Sequence[Any], kind: str = "SweptSolid") -> Any:
        """Return an IfcRepresentationMap that many products can show."""
        return self.make(
            "IfcRepresentationMap", self.axes((0.0, 0.0, 0.0)), self._body(items, kind)
        )

    def mapped(self, symbol: Any, places: Sequence[tuple[Vector, float]]) -> Any:
        """Return a shape showing `symbol` at each (place, turn in degrees)."""
        items = []
        for at, turn_deg in places:
            key = ("mapped", symbol.id(), _round(at), round(turn_deg % 360, 6))
            items.append(self._once(key, lambda: self.make(
                "IfcMappedItem", symbol, self._operator(at, turn_deg))))  # noqa: B023  # fmt: skip
        return self.shape(items, "MappedRepresentation")

    def _operator(self, at: Vector, turn_deg: float) -> Any:
        angle = math.radians(turn_deg)
        x = None if turn_deg % 360 == 0 else (math.cos(angle), math.sin(angle), 0.0)
        y = None if x is None else (-x[1], x[0], 0.0)
        ways = [None if way is None else self.direction(way) for way in (x, y)]
        return self.make("IfcCartesianTransformationOperator3D", *ways, self.point(at))

    # -- objects and relations ---------------------------------------------

    def add(self, ifc_class: str, part: str, attributes: Mapping[str, Any]) -> Any:
        """Create a rooted entity whose GlobalId comes from `part`."""
        entity = self.file.create_entity(ifc_class, GlobalId=guid(self.key, part))
        for name, value in attributes.items():
            setattr(entity, name, value)
        return entity

    def product(
        self, ifc_class: str, part: str, *, name: str, within: Any, on: Any = None,
        at: Vector = (0.0, 0.0, 0.0), turn_deg: float = 0.0, shape: Any = None,
        material: str = "", kind: str = "",
    ) -> Any:  # fmt: skip
        """Create a product related to `within`, placed in it or else in `on`.

        A storey contains it; another element or a spatial parent has it as a part.
        """
        entity = self.add(ifc_class, part, {"Name": name})
        entity.ObjectPlacement = self.placement((on or within).ObjectPlacement, at, turn_deg)
        entity.Representation = shape
        if kind:
            entity.PredefinedType = kind
        if within.is_a("IfcSpatialElement") and not entity.is_a("IfcSpatialElement"):
            self._contained.setdefault(within.id(), (within, []))[1].append(entity)
            self._storey_of[entity.id()] = within
        else:
            self.part_of(within, entity)
        if material:
            self._of_material.setdefault(material, []).append(entity)
        return entity

    def opening(
        self, owner: Any, part: str, *, name: str, at: Vector, solid: Any, turn_deg: float = 0.0
    ) -> Any:
        """Cut `solid` at `at` out of the element `owner` and return the IfcOpeningElement."""
        made = self.add("IfcOpeningElement", part, {"Name": name, "PredefinedType": "OPENING"})
        made.ObjectPlacement = self.placement(owner.ObjectPlacement, at, turn_deg)
        made.Representation = self.shape([solid])
        self.relate("IfcRelVoidsElement", f"{part}/voids", {
            "RelatingBuildingElement": owner, "RelatedOpeningElement": made,
        })  # fmt: skip
        return made

    def part_of(self, whole: Any, part: Any) -> None:
        """Say that `part` belongs to `whole` (IfcRelAggregates)."""
        self._parts.setdefault(whole.id(), (whole, []))[1].append(part)

    def container(self, product: Any) -> Any:
        """Return the storey that contains `product`."""
        return self._storey_of[product.id()]

    def of_type(self, product: Any, made: Any) -> None:
        """Say that `product` is of the type `made`."""
        self._typed.setdefault(made.id(), (made, []))[1].append(product)

    def relate(self, ifc_class: str, part: str, attributes: Mapping[str, Any]) -> Any:
        """Create a relation whose GlobalId comes from `part`."""
        return self.add(ifc_class, f"rel/{part}", attributes)

    def properties(self, owner: Any, name: str, values: Mapping[str, tuple[str, Any]]) -> None:
        """Attach a property set: ``{property: (IFC type, value)}``; equal sets are one."""
        key = ("IfcPropertySet", name, tuple(values.items()))
        self._defined.setdefault(key, []).append(owner)

    def quantities(self, owner: Any, name: str, values: Mapping[str, tuple[str, float]]) -> None:
        """Attach a quantity set: ``{quantity: ("Area" | "Length" | "Volume", value)}``."""
        rounded = tuple((key, (kind, round(value, 4))) for key, (kind, value) in values.items())
        self._defined.setdefault(("IfcElementQuantity", name, rounded), []).append(owner)

    def close(self) -> None:
        """Write the relations gathered on the way: sets, containment, parts, materials, types."""
        for (ifc_class, name, values), owners in self._defined.items():
            self._define(ifc_class, name, values, owners)
        for whole, parts in self._contained.values():
            self.relate("IfcRelContainedInSpatialStructure", f"{whole.GlobalId}/contains", {
                "RelatedElements": parts, "RelatingStructure": whole,
            })  # fmt: skip
        for whole, parts in self._parts.values():
            self.relate("IfcRelAggregates", f"{whole.GlobalId}/parts", {
                "RelatingObject": whole, "RelatedObjects": parts,
            })  # fmt: skip
        for name, products in self._of_material.items():
            self.relate("IfcRelAssociatesMaterial", f"material/{name}", {
                "RelatedObjects": products,
                "RelatingMaterial": self.make("IfcMaterial", name, None, None),
            })  # fmt: skip
        for made, products in self._typed.values():
            self.relate("IfcRelDefinesByType", f"{made.GlobalId}/typed", {
                "RelatedObjects": products, "RelatingType": made,
            })  # fmt: skip

    def _define(
        self, ifc_class: str, name: str, values: tuple[tuple[str, Any], ...], owners: list[Any]
    ) -> None:
        part = f"{name}/{owners[0].GlobalId}"
        made = self.add(ifc_class, part, {"Name": name})
        if ifc_class == "IfcPropertySet":
            made.HasProperties = [
                self._once(("property", key, kind, value), lambda: self.make(
                    "IfcPropertySingleValue", key, None, self.make(kind, value), None))  # noqa: B023
                for key, (kind, value) in values
            ]  # fmt: skip
        else:
            made.Quantities = [
                self.make(f"IfcQuantity{kind}", key, None, None, value)
                for key, (kind, value) in values
            ]
        self.relate("IfcRelDefinesByProperties", part, {
            "RelatedObjects": owners, "RelatingPropertyDefinition": made,
        })  # fmt: skip
