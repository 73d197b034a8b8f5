"""What an open IFC file says of its place, as plain numbers for `placement.resolve`."""

from __future__ import annotations

from typing import Any

import numpy as np

from bim_import.placement import Evidence, MapConversion

__all__ = ["evidence_of", "length_unit_m"]

_SAMPLED = 200


def length_unit_m(file: Any) -> float:
    """Return metres per length unit of the project."""
    from ifcopenshell.util.unit import calculate_unit_scale

    return float(calculate_unit_scale(file))


def evidence_of(file: Any, centre: tuple[float, float, float] | None = None) -> Evidence:
    """Return the evidence in `file`.

    Parameters
    ----------
    file
        ``ifcopenshell.file``.
    centre
        Middle of the meshed geometry in model metres; where it is None (before
        meshing) it is estimated from placements and a sample of the points.
    """
    unit = length_unit_m(file)
    conversion, unusable = _operation(file)
    if conversion is None and not unusable:
        conversion = _property_set(file)
    middle = _estimate(file, unit) if centre is None else centre
    return Evidence(unit, middle, conversion, _lonlat(file), unusable)


def _operation(file: Any) -> tuple[MapConversion | None, str]:
    try:
        operations = file.by_type("IfcCoordinateOperation")
    except RuntimeError:  # IFC2X3 has no such class
        return None, ""
    for operation in operations:
        target = operation.TargetCRS
        if target is None or not target.is_a("IfcProjectedCRS") or not target.Name:
            continue
        unit = _crs_unit(target)
        if operation.is_a("IfcMapConversion"):
            axis = (operation.XAxisAbscissa, operation.XAxisOrdinate)
            return MapConversion(
                crs=target.Name, vertical=target.VerticalDatum, map_unit_m=unit,
                eastings=operation.Eastings, northings=operation.Northings,
                height=operation.OrthogonalHeight or 0.0, scale=operation.Scale,
                x_axis=(1.0, 0.0) if None in axis or axis == (0.0, 0.0) else axis,
            ), ""  # fmt: skip
        if operation.is_a("IfcRigidOperation"):
            return MapConversion(
                crs=target.Name, vertical=getattr(target, "VerticalDatum", None), map_unit_m=unit,
                eastings=operation.FirstCoordinate.wrappedValue,
                northings=operation.SecondCoordinate.wrappedValue,
                height=operation.Height or 0.0, carrier="IfcRigidOperation",
            ), ""  # fmt: skip
    return None, str(operations[0].is_a()) if operations else ""


def _crs_unit(target: Any) -> float | None:
    unit = target.MapUnit
    if unit is not None and unit.is_a("IfcConversionBasedUnit"):
        factor = unit.ConversionFactor
        return float(factor.ValueComponent.wrappedValue) * _si_unit(factor.UnitComponent)
    return None if unit is None else _si_unit(unit)


def _si_unit(unit: Any) -> float:
    import ifcopenshell.util.unit

    tools: Any = ifcopenshell.util.unit
    return float(tools.get_prefix_multiplier(unit.Prefix)) if unit.is_a("IfcSIUnit") else 1.0


def _property_set(file: Any) -> MapConversion | None:
    """Return the conversion of exactly ``ePset_MapConversion`` and ``ePset_ProjectedCRS``."""
    found: dict[str, dict[str, Any]] = {}
    for definition in file.by_type("IfcPropertySet"):
        if definition.Name in ("ePset_MapConversion", "ePset_ProjectedCRS"):
            found[definition.Name] = {
                p.Name: p.NominalValue.wrappedValue
                for p in definition.HasProperties or ()
                if p.is_a("IfcPropertySingleValue") and p.NominalValue is not None
            }
    conversion, crs = found.get("ePset_MapConversion"), found.get("ePset_ProjectedCRS", {})
    if not conversion or "Eastings" not in conversion or not crs.get("Name"):
        return None
    axis = (
        float(conversion.get("XAxisAbscissa", 1.0)), float(conversion.get("XAxisOrdinate", 0.0))
    )  # fmt: skip
    scale = conversion.get("Scale")
    return MapConversion(
        crs=str(crs["Name"]), vertical=crs.get("VerticalDatum"),
        eastings=float(conversion["Eastings"]), northings=float(conversion.get("Northings", 0.0)),
        height=float(conversion.get("OrthogonalHeight", 0.0)), x_axis=axis,
        scale=None if scale is None else float(scale), carrier="ePset_MapConversion",
    )  # fmt: skip


def _lonlat(file: Any) -> tuple[float, float] | None:
    for site in file.by_type("IfcSite"):
        if site.RefLatitude and site.RefLongitude:
            return _degrees(site.RefLongitude), _degrees(site.RefLatitude)
    return None


def _degrees(parts: tuple[int, ...]) -> float:
    weights = (1.0, 60.0, 3600.0, 3600e6)
    return float(sum(part / weight for part, weight in zip(parts, weights, strict=False)))


def _estimate(file: Any, unit_m: float) -> tuple[float, float, float]:
    """Return a rough middle: placements of the first products plus far points, model metres."""
    from ifcopenshell.util.placement import get_local_placement

    places = [
        get_local_placement(product.ObjectPlacement)[:3, 3]
        for product in file.by_type("IfcProduct")[:_SAMPLED]
        if product.ObjectPlacement is not None and product.ObjectPlacement.is_a("IfcLocalPlacement")
    ]
    middle = np.median(np.array(places), axis=0) if places else np.zeros(3)
    points = [point.Coordinates for point in file.by_type("IfcCartesianPoint")[:_SAMPLED]]
    if file.schema != "IFC2X3":
        lists = file.by_type("IfcCartesianPointList3D")[:_SAMPLED]
        points += [one.CoordList[0] for one in lists if one.CoordList]
    far = [p for p in points if len(p) == 3 and max(abs(p[0]), abs(p[1])) * unit_m > 1e5]
    if far and np.hypot(middle[0], middle[1]) * unit_m < 1e5:
        middle = middle + np.median(np.array(far), axis=0)
    x, y, z = (float(v) * unit_m for v in middle)
    return x, y, z
