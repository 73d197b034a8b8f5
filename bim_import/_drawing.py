"""How the parts of an IFC4 file are drawn so that the same drawing gives the same bytes.

A `Drawing` owns the file in the making. Its GlobalIds are uuid5 hashes of the
drawing's key and the part's own name, it writes no clock and no user name, and
it rounds to 0.1 mm: two runs, two machines, one file.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Drawing", "Ring", "Vector", "guid"]

Vector = Sequence[float]
Ring = Sequence[tuple[float, float]]
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "cim-twin:bim_import.authoring")


def guid(key: str, part: str) -> str:
    """Return the 22-character IFC GlobalId of `part` in the drawing named `key`."""
    from ifcopenshell.guid import compress

    return str(compress(uuid.uuid5(_NAMESPACE, f"{key}/{part}").hex))


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
        self._points: dict[tuple[str, tuple[float, ...]], Any] = {}
        self._styles: dict[str, Any] = {}
        self._contained: dict[int, tuple[Any, list[Any]]] = {}
        self._parts: dict[int, tuple[Any, list[Any]]] = {}
        self._of_material: dict[str, list[Any]] = {}
        self.body: Any = None

    # -- points, placements ------------------------------------------------

    def make(self, ifc_class: str, *values: Any) -> Any:
        """Create one entity from its attributes in schema order."""
        return self.file.create_entity(ifc_class, *values)

    def point(self, at: Vector) -> Any:
        """Return the IfcCartesianPoint at `at`, one entity per place."""
        return self._shared("IfcCartesianPoint", at)

    def direction(self, along: Vector) -> Any:
        """Return the IfcDirection along `along`, one entity per direction."""
        return self._shared("IfcDirection", along)

    def _shared(self, ifc_class: str, values: Vector) -> Any:
        digits = 4 if ifc_class == "IfcCartesianPoint" else 9
        key = (ifc_class, tuple(round(float(v), digits) + 0.0 for v in values))
        if key not in self._points:
            self._points[key] = self.make(ifc_class, key[1])
        return self._points[key]

    def axes(self, at: Vector, z: Vector | None = None, x: Vector | None = None) -> Any:
        """Return an IfcAxis2Placement3D."""
        return self.make(
            "IfcAxis2Placement3D",
            self.point(at),
            None if z is None else self.direction(z),
            None if x is None else self.direction(x),
        )

    def placement(self, parent: Any, at: Vector, turn_deg: float = 0.0) -> Any:
        """Return an IfcLocalPlacement in `parent`, turned about z counter-clockwise."""
        if turn_deg % 360 == 0:
            axes = self.axes(at)
        else:
            angle = math.radians(turn_deg)
            axes = self.axes(at, (0.0, 0.0, 1.0), (math.cos(angle), math.sin(angle), 0.0))
        return self.make("IfcLocalPlacement", parent, axes)

    # -- solids ------------------------------------------------------------

    def prism(self, ring: Ring, height_m: float, z_m: float = 0.0, hole: Ring = ()) -> Any:
        """Return an upright extrusion of `ring` (less one `hole`) from `z_m`."""
        outline = self._polyline(ring)
        if hole:
            profile = self.make(
                "IfcArbitraryProfileDefWithVoids", "AREA", None, outline, [self._polyline(hole)]
            )
        else:
            profile = self.make("IfcArbitraryClosedProfileDef", "AREA", None, outline)
        return self.extrusion(profile, height_m, self.axes((0.0, 0.0, z_m)))

    def box(self, low: Vector, high: Vector) -> Any:
        """Return the box between two corners."""
        size = [h - low_ for low_, h in zip(low, high, strict=True)]
        centre = (low[0] + size[0] / 2, low[1] + size[1] / 2, low[2])
        profile = self.make(
            "IfcRectangleProfileDef", "AREA", None, None, round(size[0], 4), round(size[1], 4)
        )
        return self.extrusion(profile, size[2], self.axes(centre))

    def extrusion(self, profile: Any, depth_m: float, axes: Any) -> Any:
        """Return `profile` drawn out along the z of `axes`."""
        up = self.direction((0.0, 0.0, 1.0))
        return self.make("IfcExtrudedAreaSolid", profile, axes, up, round(depth_m, 4))

    def cylinder(self, radius_m: float, height_m: float, z_m: float) -> Any:
        """Return an upright round solid standing at the local origin."""
        profile = self.make("IfcCircleProfileDef", "AREA", None, None, radius_m)
        return self.extrusion(profile, height_m, self.axes((0.0, 0.0, z_m)))

    def polyhedron(self, points: Sequence[Vector], faces: Sequence[Sequence[int]]) -> Any:
        """Return a closed IfcPolygonalFaceSet; `faces` index `points` from 0, outward."""
        indexed = [
            self.make("IfcIndexedPolygonalFace", [i + 1 for i in corners]) for corners in faces
        ]
        return self.make("IfcPolygonalFaceSet", self._point_list(points), True, indexed)

    def triangles(self, points: Sequence[Vector], corners: Sequence[Sequence[int]]) -> Any:
        """Return an open IfcTriangulatedFaceSet; `corners` index `points` from 0."""
        one_based = [[i + 1 for i in corner] for corner in corners]
        points_ = self._point_list(points)
        return self.make("IfcTriangulatedFaceSet", points_, None, False, one_based)

    def _point_list(self, points: Sequence[Vector]) -> Any:
        rows = [tuple(round(float(v), 4) + 0.0 for v in p) for p in points]
        return self.make("IfcCartesianPointList3D", rows)

    def _polyline(self, ring: Ring) -> Any:
        corners = [self.point(corner) for corner in ring]
        return self.make("IfcPolyline", [*corners, corners[0]])

    # -- looks -------------------------------------------------------------

    def paint(self, item: Any, style: str, rgb: Vector, transparency: float = 0.0) -> Any:
        """Give `item` the surface style named `style` and return it."""
        if style not in self._styles:
            colour = self.make("IfcColourRgb", None, *rgb)
            shading = self.make("IfcSurfaceStyleShading", colour, transparency)
            self._styles[style] = self.make("IfcSurfaceStyle", style, "BOTH", [shading])
        self.make("IfcStyledItem", item, [self._styles[style]])
        return item

    def representation(self, items: Sequence[Any], kind: str = "SweptSolid") -> Any:
        """Return the body representation made of `items`."""
        return self.make("IfcShapeRepresentation", self.body, "Body", kind, list(items))

    def shape(self, items: Sequence[Any], kind: str = "SweptSolid") -> Any:
        """Return the product shape made of `items`."""
        body = self.representation(items, kind)
        return self.make("IfcProductDefinitionShape", None, None, [body])

    def symbol(self, items: Sequence[Any], kind: str = "SweptSolid") -> Any:
        """Return an IfcRepresentationMap that many products can show."""
        origin = self.axes((0.0, 0.0, 0.0))
        return self.make("IfcRepresentationMap", origin, self.representation(items, kind))

    def mapped(self, symbol: Any, places: Sequence[tuple[Vector, float]]) -> Any:
        """Return a shape showing `symbol` at each (place, turn in degrees)."""
        items = []
        for at, turn_deg in places:
            angle = math.radians(turn_deg)
            x = None if turn_deg % 360 == 0 else (math.cos(angle), math.sin(angle), 0.0)
            y = None if x is None else (-x[1], x[0], 0.0)
            operator = self.make(
                "IfcCartesianTransformationOperator3D",
                None if x is None else self.direction(x),
                None if y is None else self.direction(y),
                self.point(at),
            )
            items.append(self.make("IfcMappedItem", symbol, operator))
        return self.shape(items, "MappedRepresentation")

    # -- objects and relations ---------------------------------------------

    def add(self, ifc_class: str, part: str, attributes: Mapping[str, Any]) -> Any:
        """Create a rooted entity whose GlobalId comes from `part`."""
        entity = self.file.create_entity(ifc_class, GlobalId=guid(self.key, part))
        for name, value in attributes.items():
            setattr(entity, name, value)
        return entity

    def product(
        self,
        ifc_class: str,
        part: str,
        *,
        name: str,
        within: Any,
        on: Any = None,
        at: Vector = (0.0, 0.0, 0.0),
        turn_deg: float = 0.0,
        shape: Any = None,
        material: str = "",
        kind: str = "",
    ) -> Any:
        """Create a product related to `within`, placed in it or else in `on`.

        A storey contains it; another element or a spatial parent has it as a part.
        """
        entity = self.add(ifc_class, part, {"Name": name})
        entity.ObjectPlacement = self.placement((on or within).ObjectPlacement, at, turn_deg)
        entity.Representation = shape
        if kind:
            entity.PredefinedType = kind
        spatial = entity.is_a("IfcSpatialElement")
        if within.is_a("IfcSpatialElement") and not spatial:
            self._contained.setdefault(within.id(), (within, []))[1].append(entity)
        elif not within.is_a("IfcOpeningElement"):
            self._parts.setdefault(within.id(), (within, []))[1].append(entity)
        if material:
            self._of_material.setdefault(material, []).append(entity)
        return entity

    def part_of(self, whole: Any, part: Any) -> None:
        """Say that `part` belongs to `whole` (IfcRelAggregates)."""
        self._parts.setdefault(whole.id(), (whole, []))[1].append(part)

    def container(self, product: Any) -> Any:
        """Return the storey that contains `product`."""
        return next(whole for whole, parts in self._contained.values() if product in parts)

    def relate(self, ifc_class: str, part: str, attributes: Mapping[str, Any]) -> Any:
        """Create a relation whose GlobalId comes from `part`."""
        return self.add(ifc_class, f"rel/{part}", attributes)

    def properties(self, owner: Any, name: str, values: Mapping[str, tuple[str, Any]]) -> None:
        """Attach a property set: ``{property: (IFC type, value)}``."""
        single = [
            self.make("IfcPropertySingleValue", key, None, self.make(kind, value), None)
            for key, (kind, value) in values.items()
        ]
        found = self.add("IfcPropertySet", f"{owner.GlobalId}/{name}", {"Name": name})
        found.HasProperties = single
        self._define(owner, name, found)

    def quantities(self, owner: Any, name: str, values: Mapping[str, tuple[str, float]]) -> None:
        """Attach a quantity set: ``{quantity: ("Area" | "Length" | "Volume", value)}``."""
        single = [
            self.make(f"IfcQuantity{kind}", key, None, None, round(value, 3))
            for key, (kind, value) in values.items()
        ]
        found = self.add("IfcElementQuantity", f"{owner.GlobalId}/{name}", {"Name": name})
        found.Quantities = single
        self._define(owner, name, found)

    def _define(self, owner: Any, name: str, definition: Any) -> None:
        self.relate(
            "IfcRelDefinesByProperties",
            f"{owner.GlobalId}/{name}",
            {"RelatedObjects": [owner], "RelatingPropertyDefinition": definition},
        )

    def close(self) -> None:
        """Write the relations gathered on the way: containment, parts, materials."""
        for whole, parts in self._contained.values():
            self.relate(
                "IfcRelContainedInSpatialStructure",
                f"{whole.GlobalId}/contains",
                {"RelatedElements": parts, "RelatingStructure": whole},
            )
        for whole, parts in self._parts.values():
            self.relate(
                "IfcRelAggregates",
                f"{whole.GlobalId}/parts",
                {"RelatingObject": whole, "RelatedObjects": parts},
            )
        for name, products in self._of_material.items():
            self.relate(
                "IfcRelAssociatesMaterial",
                f"material/{name}",
                {
                    "RelatedObjects": products,
                    "RelatingMaterial": self.make("IfcMaterial", name, None, None),
                },
            )
