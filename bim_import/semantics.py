"""What an IFC file says of its products, before any geometry: class, name, whole, properties.

One pass over the relations, not one per product. Lengths, areas and volumes come out
in metres: a storey's ``Elevation`` is written in project units while its geometry,
once meshed, is in metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Product", "kind_of", "read_products"]

_PARTS = ("IfcRelAggregates", "IfcRelNests")


@dataclass(frozen=True)
class Product:
    """One IfcProduct.

    Attributes
    ----------
    step_id, guid
        Number in the file; GlobalId.
    ifc_class, kind
        IFC class; kind of the twin.
    name, number
        LongName where there is one (else Name); Name.
    predefined, object_type
        What sort of its class it is, from the standard's list and in free words.
    parent
        GlobalId of the whole it is a part of, is contained in, or voids.
    elevation_m
        Elevation of a storey.
    outside
        IsExternal of its common property set; None where not said.
    shaped
        Has a body representation to mesh.
    voids
        Cuts another element: an opening is nothing of its own.
    """

    step_id: int
    guid: str
    ifc_class: str
    kind: str
    name: str | None
    number: str | None
    description: str | None
    predefined: str | None
    object_type: str | None
    parent: str | None
    material: str | None
    code: str | None
    elevation_m: float | None
    outside: bool | None
    shaped: bool
    voids: bool
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)

    def quantity(self, *names: str) -> float | None:
        """Return the first quantity called one of `names`, in the file's own unit."""
        for name in names:
            for values in self.properties.values():
                if isinstance(values.get(name), (int, float)):
                    return float(values[name])
        return None

    def property(self, name: str) -> Any:
        """Return the first property called `name`, or None."""
        for values in self.properties.values():
            if values.get(name) is not None:
                return values[name]
        return None


def kind_of(product: Any) -> str:
    """Return the kind of the twin for an ``IfcProduct``."""
    if product.is_a("IfcBuilding"):
        return "building"
    if product.is_a("IfcBuildingStorey"):
        return "storey"
    if product.is_a("IfcSpace"):
        return "room"
    return "building_element" if product.is_a("IfcElement") else "generic"


def read_products(file: Any, unit_m: float) -> list[Product]:
    """Return every IfcProduct of `file`, in the order of the file.

    Parameters
    ----------
    file
        ``ifcopenshell.file``.
    unit_m
        Metres per length unit.
    """
    whole = _wholes(file)
    defined = _definitions(file)
    materials = _associated(file, "IfcRelAssociatesMaterial", _material)
    codes = _associated(file, "IfcRelAssociatesClassification", _code)
    products = sorted(file.by_type("IfcProduct"), key=lambda product: product.id())
    return [
        _product(product, whole, defined.get(product.id(), {}), materials, codes, unit_m)
        for product in products
    ]


def _product(
    product: Any,
    whole: dict[int, str],
    properties: dict[str, dict[str, Any]],
    materials: dict[int, str],
    codes: dict[int, str],
    unit_m: float,
) -> Product:
    number = product.id()
    elevation = getattr(product, "Elevation", None) if product.is_a("IfcBuildingStorey") else None
    outside = [v["IsExternal"] for v in properties.values() if v.get("IsExternal") is not None]
    return Product(
        step_id=number,
        guid=product.GlobalId,
        ifc_class=product.is_a(),
        kind=kind_of(product),
        name=getattr(product, "LongName", None) or product.Name,
        number=product.Name,
        description=product.Description,
        predefined=getattr(product, "PredefinedType", None),
        object_type=product.ObjectType,
        parent=whole.get(number),
        material=materials.get(number),
        code=codes.get(number),
        elevation_m=None if elevation is None else float(elevation) * unit_m,
        outside=bool(outside[0]) if outside else None,
        shaped=_has_body(product),
        voids=product.is_a("IfcFeatureElementSubtraction"),
        properties=properties,
    )


def _has_body(product: Any) -> bool:
    """Tell whether a product has something to mesh: not only axes, plans and boxes."""
    shape = product.Representation
    if shape is None or product.is_a("IfcGrid") or product.is_a("IfcAnnotation"):
        return False
    flat = {"Axis", "Plan", "Annotation", "FootPrint", "Box", "CoG", "Clearance", "Profile"}
    kinds = {"Curve2D", "Curve3D", "GeometricCurveSet", "Annotation2D", "BoundingBox", "Point"}
    return any(
        one.RepresentationIdentifier not in flat and one.RepresentationType not in kinds
        for one in shape.Representations
    )


def _wholes(file: Any) -> dict[int, str]:
    """Return the GlobalId of each product's whole; parts come before containment."""
    whole: dict[int, str] = {}
    for relation in file.by_type("IfcRelVoidsElement"):
        whole[relation.RelatedOpeningElement.id()] = relation.RelatingBuildingElement.GlobalId
    for relation in file.by_type("IfcRelContainedInSpatialStructure"):
        for element in relation.RelatedElements:
            whole[element.id()] = relation.RelatingStructure.GlobalId
    for name in _PARTS:
        for relation in file.by_type(name):
            if relation.RelatingObject.is_a("IfcProduct"):
                for part in relation.RelatedObjects:
                    whole[part.id()] = relation.RelatingObject.GlobalId
    return whole


def _definitions(file: Any) -> dict[int, dict[str, dict[str, Any]]]:
    """Return property and quantity sets per object; its type's count where it has none."""
    read: dict[int, dict[str, Any]] = {}
    found: dict[int, dict[str, dict[str, Any]]] = {}

    def give(objects: Iterable[Any], definition: Any) -> None:
        if definition is None or not hasattr(definition, "id"):
            return
        number = definition.id()
        if number not in read:
            read[number] = _values(definition)
        if read[number]:
            for one in objects:
                sets = found.setdefault(one.id(), {})
                known = sets.get(definition.Name or "-", {})
                sets[definition.Name or "-"] = {**known, **read[number]}

    for relation in file.by_type("IfcRelDefinesByType"):
        for definition in relation.RelatingType.HasPropertySets or ():
            give(relation.RelatedObjects, definition)
    for relation in file.by_type("IfcRelDefinesByProperties"):
        give(relation.RelatedObjects, relation.RelatingPropertyDefinition)
    return found


def _values(definition: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if definition.is_a("IfcPropertySet"):
        for one in definition.HasProperties or ():
            value = _property(one)
            if value is not None:
                values[one.Name] = value
    elif definition.is_a("IfcElementQuantity"):
        for one in definition.Quantities or ():
            if one.is_a("IfcPhysicalSimpleQuantity"):
                values[one.Name] = one[3]
    return values


def _property(one: Any) -> Any:
    if one.is_a("IfcPropertySingleValue"):
        return None if one.NominalValue is None else one.NominalValue.wrappedValue
    if one.is_a("IfcPropertyEnumeratedValue"):
        return [value.wrappedValue for value in one.EnumerationValues or ()]
    if one.is_a("IfcPropertyListValue"):
        return [value.wrappedValue for value in one.ListValues or ()]
    return None


def _associated(file: Any, relation_class: str, text: Any) -> dict[int, str]:
    found: dict[int, str] = {}
    for relation in file.by_type(relation_class):
        value = text(relation[5])
        if value:
            for one in relation.RelatedObjects:
                found.setdefault(one.id(), value)
    return found


def _material(material: Any) -> str | None:
    if material.is_a("IfcMaterialLayerSetUsage"):
        material = material.ForLayerSet
    for several in ("MaterialLayers", "Materials", "MaterialConstituents", "MaterialProfiles"):
        parts = getattr(material, several, None)
        if parts:
            names = [getattr(getattr(part, "Material", part), "Name", None) for part in parts]
            return " + ".join(dict.fromkeys(name for name in names if name)) or None
    name = getattr(material, "Name", None)
    return str(name) if name else None


def _code(reference: Any) -> str | None:
    code = getattr(reference, "Identification", None) or getattr(reference, "ItemReference", None)
    return str(code) if code else None
