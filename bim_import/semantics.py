"""What an IFC file says of its products, before any geometry: class, name, whole, properties.

One pass over the relations into columns, in the process that reads the file; the caller
gets `Product` records made from them. Lengths, areas and volumes come out in metres: a
storey's ``Elevation`` is written in project units while its geometry is in metres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bim_import.representations import Bodies
from bim_import.schema import ProductClass, product_classes
from bim_import.step import Ref, StepFile, Word
from bim_import.units import Units

__all__ = ["Product", "kind_of", "products_of", "read_columns"]

_WHOLES = {
    # relation: (place of the whole, place of the parts); later ones win
    "IFCRELVOIDSELEMENT": (4, 5),
    "IFCRELPROJECTSELEMENT": (4, 5),
    "IFCRELCONTAINEDINSPATIALSTRUCTURE": (5, 4),
    "IFCRELAGGREGATES": (4, 5),
    "IFCRELNESTS": (4, 5),
}
_NAMED = {"name": 2, "description": 3, "object_type": 4}


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
        Has a body to mesh.
    voids
        Cuts another element: an opening is nothing of its own.
    properties
        Property and quantity sets; lengths, areas and volumes in metres.
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
        """Return the first quantity called one of `names`, in metres."""
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


def kind_of(kind: ProductClass) -> str:
    """Return the kind of the twin for a class of product."""
    for name, own in (("IfcBuilding", "building"), ("IfcBuildingStorey", "storey"),
                      ("IfcSpace", "room"), ("IfcElement", "building_element")):  # fmt: skip
        if kind.is_a(name):
            return own
    return "generic"


def read_columns(step: StepFile, units: Units, bodies: Bodies) -> dict[str, Any]:
    """Return products, property sets, relations and systems as plain columns (JSON).

    Parameters
    ----------
    step
        The file.
    units
        Its units.
    bodies
        Tells which products have a body.
    """
    known = product_classes()
    present = [known[name] for name in step.names if name in known]
    rows: dict[str, list[Any]] = {name: [] for name in (
        "step_id", "guid", "ifc_class", "kind", "name", "number", "description", "predefined",
        "object_type", "elevation_m", "shaped", "voids", "spatial")}  # fmt: skip
    for kind in present:
        for number, args in step.each(kind.name.upper()):
            _product(rows, kind, number, args, units, bodies)
    order = sorted(range(len(rows["step_id"])), key=rows["step_id"].__getitem__)
    products = {name: [column[i] for i in order] for name, column in rows.items()}
    sets, has = _definitions(step, units, set(products["step_id"]))
    return {
        "products": products,
        "sets": sets,
        "has": has,
        "whole": _wholes(step, set(products["step_id"])),
        "material": _associated(step, "IFCRELASSOCIATESMATERIAL", _material),
        "code": _associated(step, "IFCRELASSOCIATESCLASSIFICATION", _code),
        "fills": [[_at(a, 4), _at(a, 5)] for _, a in step.each("IFCRELFILLSELEMENT")],
        "ports": [[_at(a, 4), _at(a, 5)] for _, a in step.each("IFCRELCONNECTSPORTS")],
        "port_of": _port_owners(step),
        "systems": _systems(step),
    }


def _product(
    rows: dict[str, list[Any]], kind: ProductClass, number: int, args: list[Any],
    units: Units, bodies: Bodies,
) -> None:  # fmt: skip
    own = kind_of(kind)
    spatial = kind.is_a("IfcSpatialElement") or kind.is_a("IfcSpatialStructureElement")
    elevation = _at(args, 9) if own == "storey" else None
    predefined = _at(args, kind.predefined)
    text = {key: value if isinstance(value := _at(args, at), str) else None
            for key, at in _NAMED.items()}  # fmt: skip
    long_name = _at(args, 7) if spatial else None
    rows["step_id"].append(number)
    rows["guid"].append(str(_at(args, 0) or f"#{number}"))
    rows["ifc_class"].append(kind.name)
    rows["kind"].append(own)
    rows["name"].append(long_name if long_name and isinstance(long_name, str) else text["name"])
    rows["number"].append(text["name"])
    rows["description"].append(text["description"])
    rows["object_type"].append(text["object_type"])
    rows["predefined"].append(str(predefined) if isinstance(predefined, Word) else None)
    rows["elevation_m"].append(
        float(elevation) * (units.length_m or 1.0) if isinstance(elevation, (int, float)) else None
    )
    rows["shaped"].append(bodies.shaped(kind, args))
    rows["voids"].append(kind.is_a("IfcFeatureElementSubtraction"))
    rows["spatial"].append(spatial)


def products_of(columns: Mapping[str, Any]) -> list[Product]:
    """Return the products of what `read_columns` returned, in the order of the file."""
    table = columns["products"]
    guid_of = dict(zip(table["step_id"], table["guid"], strict=True))
    whole, has, sets = columns["whole"], columns["has"], columns["sets"]
    names = [n for n in table if n != "spatial"]
    found = []
    for values in zip(*(table[name] for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        key = str(row["step_id"])
        properties: dict[str, dict[str, Any]] = {}
        for number in has.get(key, ()):
            name, held = sets[str(number)]
            properties[name] = {**properties.get(name, {}), **held}
        outside = [v["IsExternal"] for v in properties.values() if v.get("IsExternal") is not None]
        found.append(Product(
            **row, parent=guid_of.get(whole.get(key)), material=columns["material"].get(key),
            code=columns["code"].get(key), outside=bool(outside[0]) if outside else None,
            properties=properties,
        ))  # fmt: skip
    return found


def _wholes(step: StepFile, products: set[int]) -> dict[str, int]:
    """Return each product's whole; parts come before containment."""
    whole: dict[str, int] = {}
    for name, (of_whole, of_parts) in _WHOLES.items():
        for _, args in step.each(name):
            owner = _at(args, of_whole)
            if isinstance(owner, Ref) and owner in products:
                for part in _refs(_at(args, of_parts)):
                    whole[str(part)] = int(owner)
    return whole


def _definitions(
    step: StepFile, units: Units, products: set[int]
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return the sets that are used, and which each product has; its type's come first."""
    has: dict[str, list[int]] = {}
    wanted: dict[int, None] = {}
    types = {}
    for _, args in step.each("IFCRELDEFINESBYTYPE"):
        owner = _at(args, 5)
        if isinstance(owner, Ref) and owner not in types:
            types[owner] = _refs(_at(step.args(owner), 5))
        for one in _refs(_at(args, 4)):
            if one in products and isinstance(owner, Ref):
                has.setdefault(str(one), []).extend(types[owner])
                wanted.update(dict.fromkeys(types[owner]))
    for _, args in step.each("IFCRELDEFINESBYPROPERTIES"):
        for definition in _refs(_at(args, 5)):
            for one in _refs(_at(args, 4)):
                if one in products:
                    has.setdefault(str(one), []).append(definition)
                    wanted[definition] = None
    known: _Known = {}
    sets = {
        n: held for n in wanted if (held := _set(step, n, units, known)) is not None and held[1]
    }
    has = {one: kept for one, all_ in has.items() if (kept := [n for n in all_ if n in sets])}
    return {str(n): held for n, held in sets.items()}, has


_Known = dict[tuple[str, bytes], tuple[str, Any] | None]


def _set(step: StepFile, number: int, units: Units, known: _Known) -> list[Any] | None:
    """Return name and values of a set; `known` remembers properties by class and text."""
    name = step.name(number)
    if name not in ("IFCPROPERTYSET", "IFCELEMENTQUANTITY"):
        return None
    args = step.args(number)
    values: dict[str, Any] = {}
    for one in _refs(_at(args, 4 if name == "IFCPROPERTYSET" else 5)):
        key = kind, _ = step.name(one), step.text(one)
        if key not in known:
            held = step.args(one)
            value = _property(kind, held, units)
            known[key] = (str(held[0]), value) if held and value is not None else None
        found = known[key]
        if found is not None:
            values[found[0]] = found[1]
    return [str(_at(args, 2) or "-"), values]


def _property(kind: str, args: list[Any], units: Units) -> Any:
    if kind == "IFCPROPERTYSINGLEVALUE":
        own_unit = _at(args, 3) is not None
        return _value(_at(args, 2), units, convert=not own_unit)
    if kind in ("IFCPROPERTYENUMERATEDVALUE", "IFCPROPERTYLISTVALUE"):
        values = _at(args, 2)
        return (
            [_value(v, units, convert=True) for v in values] if isinstance(values, list) else None
        )
    if kind.startswith("IFCQUANTITY"):
        value = _at(args, 3)
        if isinstance(value, (int, float)):
            own_unit = _at(args, 2) is not None
            return value if own_unit or kind == "IFCQUANTITYCOUNT" else value * units.factor(kind)
    return None


def _value(value: Any, units: Units, *, convert: bool) -> Any:
    if isinstance(value, tuple):
        kind, bare = value
        if isinstance(bare, Word):
            return {"T": True, "F": False}.get(bare, None if bare == "U" else str(bare))
        if convert and isinstance(bare, (int, float)) and (factor := units.factor(kind)) != 1.0:
            return bare * factor
        return bare if isinstance(bare, (int, float, str)) else None
    return value if isinstance(value, (int, float, str)) else None


def _associated(
    step: StepFile, relation: str, text: Callable[[StepFile, Any], str | None]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for _, args in step.each(relation):
        value = text(step, _at(args, 5))
        if value:
            for one in _refs(_at(args, 4)):
                found.setdefault(str(one), value)
    return found


def _material(step: StepFile, number: Any, depth: int = 4) -> str | None:
    if not isinstance(number, Ref) or depth == 0:
        return None
    name, args = step.name(number), step.args(number)
    if name in ("IFCMATERIALLAYERSETUSAGE", "IFCMATERIALPROFILESETUSAGE"):
        return _material(step, _at(args, 0), depth - 1)
    parts = {"IFCMATERIALLAYERSET": 0, "IFCMATERIALLIST": 0, "IFCMATERIALCONSTITUENTSET": 2,
             "IFCMATERIALPROFILESET": 2}  # fmt: skip
    inner = {"IFCMATERIALLAYER": 0, "IFCMATERIALCONSTITUENT": 2, "IFCMATERIALPROFILE": 2}
    if name in parts:
        names = [_material(step, one, depth - 1) for one in _refs(_at(args, parts[name]))]
        return " + ".join(dict.fromkeys(n for n in names if n)) or _text(_at(args, 1))
    if name in inner:
        return _material(step, _at(args, inner[name]), depth - 1)
    return _text(_at(args, 0))


def _code(step: StepFile, number: Any) -> str | None:
    if not isinstance(number, Ref) or step.name(number) != "IFCCLASSIFICATIONREFERENCE":
        return None
    return _text(_at(step.args(number), 1))


def _port_owners(step: StepFile) -> dict[str, int]:
    found = {}
    for _, args in step.each("IFCRELCONNECTSPORTTOELEMENT"):
        port, element = _at(args, 4), _at(args, 5)
        if isinstance(port, Ref) and isinstance(element, Ref):
            found[str(port)] = int(element)
    return found


def _systems(step: StepFile) -> list[list[Any]]:
    """Return (class, GlobalId, name, members, predefined type) of every system."""
    found = []
    for _, args in step.each("IFCRELASSIGNSTOGROUP", "IFCRELASSIGNSTOGROUPBYFACTOR"):
        group = _at(args, 6)
        if isinstance(group, Ref) and step.name(group).endswith(("SYSTEM", "CIRCUIT")):
            own = step.args(group)
            members = [int(x) for x in _refs(_at(args, 4))]
            sort = _at(own, 6) if step.name(group) == "IFCDISTRIBUTIONSYSTEM" else None
            found.append([step.name(group), _at(own, 0), _at(own, 2), members,
                          str(sort) if isinstance(sort, Word) else None])  # fmt: skip
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _at(args: list[Any], place: int) -> Any:
    return args[place] if len(args) > place else None


def _refs(value: Any) -> Iterable[Ref]:
    if isinstance(value, Ref):
        return [value]
    return [x for x in value if isinstance(x, Ref)] if isinstance(value, list) else []
