"""What an IFC file says of its place, as plain numbers for `placement.resolve`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bim_import.native.bulk import Unsupported
from bim_import.native.places import Places
from bim_import.placement import Evidence, MapConversion
from bim_import.schema import product_classes
from bim_import.step import Ref, StepFile
from bim_import.units import Units, unit_factor

__all__ = ["evidence_from", "evidence_of"]

_REACH_M = 1e8
_SAMPLED = 200
_OWN_SETS = ("ePset_MapConversion", "ePset_ProjectedCRS")


def evidence_of(step: StepFile, units: Units, places: Places) -> dict[str, Any]:
    """Return the evidence in a file as a record that can be written as JSON."""
    conversion, unusable = _operation(step, units.angle_rad)
    if conversion is None and not unusable:
        conversion = _property_set(step)
    unit = units.length_m or 1.0
    return {
        "unit_m": unit,
        "centre": _estimate(step, unit, places),
        "conversion": conversion,
        "lonlat": _lonlat(step),
        "unusable": unusable,
        "true_north_deg": _true_north(step),
        "site_offset": _site_offset(step, places),
        "world_offset": _world_offset(step, unit),
        "address": _address(step),
    }


def evidence_from(
    record: Mapping[str, Any], centre: tuple[float, float, float] | None = None
) -> Evidence:
    """Return the evidence of a record; `centre`, where known, replaces its estimate."""
    fields = dict(record)
    conversion = fields.pop("conversion")
    if conversion is not None:
        conversion = MapConversion(**{**conversion, "x_axis": tuple(conversion["x_axis"])})
    for name in ("lonlat", "site_offset", "world_offset", "centre"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    if centre is not None:
        fields["centre"] = centre
    return Evidence(conversion=conversion, **fields)


def _operation(step: StepFile, angle_rad: float) -> tuple[dict[str, Any] | None, str]:
    """Return the first coordinate operation that leads somewhere, or the name of another."""
    other = ""
    kinds = ("IFCMAPCONVERSION", "IFCMAPCONVERSIONSCALED", "IFCRIGIDOPERATION")
    for number, args in step.each(*kinds):
        kind = step.name(number)
        target = args[1] if len(args) > 1 and isinstance(args[1], Ref) else None
        crs = step.args(target) if target is not None else []
        name = crs[0] if crs and isinstance(crs[0], str) else ""
        geographic = target is not None and step.name(target) == "IFCGEOGRAPHICCRS"
        values = [v[1] if isinstance(v, tuple) else v for v in args[2:]]
        numbers = [float(v) if _finite(v) else None for v in values]
        if not name or len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
            other = other or kind
            continue
        found = {
            "crs": name, "eastings": numbers[0], "northings": numbers[1],
            "height": (numbers[2] if len(numbers) > 2 else None) or 0.0,
            "vertical": None if geographic else _text(crs, 3),
            "map_unit_m": None if geographic else _crs_unit(step, crs),
            "x_axis": (1.0, 0.0), "scale": None, "geographic": geographic,
            "carrier": "IfcRigidOperation" if kind == "IFCRIGIDOPERATION" else "IfcMapConversion",
        }  # fmt: skip
        if geographic:
            found["eastings"], found["northings"] = (_angle(v, angle_rad) for v in numbers[:2])
        if kind != "IFCRIGIDOPERATION":
            axis = [*numbers, None, None, None, None][3:5]
            if None not in axis and axis != [0.0, 0.0]:
                found["x_axis"] = tuple(axis)
            found["scale"] = [*numbers, None, None, None, None][5]
        return found, ""
    return None, _name_of(other)


def _angle(value: float | None, angle_rad: float) -> float:
    """Return degrees; more than a full turn of radians was written in degrees."""
    turn = math.degrees((value or 0.0) * angle_rad)
    return turn if abs(turn) <= 360.0 else (value or 0.0)


def _name_of(kind: str) -> str:
    return {"IFCRIGIDOPERATION": "IfcRigidOperation"}.get(kind, "IfcMapConversion" if kind else "")


def _crs_unit(step: StepFile, crs: list[Any]) -> float | None:
    unit = crs[6] if len(crs) > 6 else None
    return unit_factor(step, unit) if isinstance(unit, Ref) else None


def _property_set(step: StepFile) -> dict[str, Any] | None:
    """Return the conversion of exactly ``ePset_MapConversion`` and ``ePset_ProjectedCRS``."""
    found: dict[str, dict[str, Any]] = {}
    for _, args in step.each("IFCPROPERTYSET"):
        if len(args) > 4 and args[2] in _OWN_SETS and isinstance(args[4], list):
            own = (step.args(one) for one in args[4] if isinstance(one, Ref))
            found[args[2]] = {
                a[0]: a[2][1] if isinstance(a[2], tuple) else a[2]
                for a in own if len(a) > 2 and a[2] is not None
            }  # fmt: skip
    conversion, crs = found.get(_OWN_SETS[0], {}), found.get(_OWN_SETS[1], {})
    numbers = {name: float(value) for name, value in conversion.items() if _finite(value)}
    if "Eastings" not in numbers or not isinstance(crs.get("Name"), str):
        return None
    axis = (numbers.get("XAxisAbscissa", 1.0), numbers.get("XAxisOrdinate", 0.0))
    vertical = crs.get("VerticalDatum")
    return {
        "crs": crs["Name"], "vertical": vertical if isinstance(vertical, str) else None,
        "eastings": numbers["Eastings"], "northings": numbers.get("Northings", 0.0),
        "height": numbers.get("OrthogonalHeight", 0.0), "scale": numbers.get("Scale"),
        "x_axis": axis if axis != (0.0, 0.0) else (1.0, 0.0), "map_unit_m": None,
        "geographic": False, "carrier": _OWN_SETS[0],
    }  # fmt: skip


def _lonlat(step: StepFile) -> tuple[float, float] | None:
    for _, args in step.each("IFCSITE"):
        if len(args) > 10 and isinstance(args[9], list) and isinstance(args[10], list):
            lat, lon = _degrees(args[9]), _degrees(args[10])
            if lat is not None and lon is not None:
                return lon, lat
    return None


def _degrees(parts: list[Any]) -> float | None:
    """Return degrees of (degrees, minutes, seconds, millionths), all of one sign."""
    weights = (1.0, 60.0, 3600.0, 3600e6)
    if not 3 <= len(parts) <= 4 or not all(_finite(p) for p in parts):
        return None
    return float(sum(part / weight for part, weight in zip(parts, weights, strict=False)))


def _contexts(step: StepFile) -> list[list[Any]]:
    found = [a for _, a in step.each("IFCGEOMETRICREPRESENTATIONCONTEXT") if len(a) > 5]
    return sorted(found, key=lambda a: str(a[1]).lower() != "model")


def _true_north(step: StepFile) -> float | None:
    """Return the direction of true north in the model, degrees counter-clockwise from its y."""
    for args in _contexts(step):
        ratios = step.args(args[5])[:1] if isinstance(args[5], Ref) else []
        if ratios and isinstance(ratios[0], list) and len(ratios[0]) >= 2:
            x, y = ratios[0][:2]
            if _finite(x) and _finite(y) and (x or y):
                return math.degrees(math.atan2(-float(x), float(y)))
    return None


def _world_offset(step: StepFile, unit_m: float) -> tuple[float, float, float] | None:
    """Return the origin of WorldCoordinateSystem where it is not zero."""
    for args in _contexts(step):
        place = step.args(args[4]) if isinstance(args[4], Ref) else []
        point = step.args(place[0]) if place and isinstance(place[0], Ref) else []
        if point and isinstance(point[0], list) and all(_finite(v) for v in point[0]):
            x, y, z = (float(v) * unit_m for v in (*point[0], 0.0, 0.0, 0.0)[:3])
            return (x, y, z) if abs(x) + abs(y) + abs(z) > 0 else None
    return None


def _site_offset(step: StepFile, places: Places) -> tuple[float, float, float] | None:
    for _, args in step.each("IFCSITE", "IFCBUILDING"):
        try:
            x, y, z = places.product(args[5])[:3, 3].tolist()
        except (Unsupported, IndexError):
            continue
        if abs(x) + abs(y) > 1e-6:
            return x, y, z
    return None


def _address(step: StepFile) -> str:
    for _, args in step.each("IFCPOSTALADDRESS"):
        lines = args[4] if len(args) > 4 and isinstance(args[4], list) else []
        parts = [x for x in (*lines, *args[6:10]) if isinstance(x, str) and x.strip()]
        if parts:
            return ", ".join(parts)
    return ""


def _estimate(step: StepFile, unit_m: float, places: Places) -> tuple[float, float, float]:
    """Return a rough middle: placements of the first products plus far points, model metres."""
    known = product_classes()
    found: list[Any] = []
    for name in step.names:
        if name in known:
            for number in step.of(name)[:_SAMPLED]:
                args = step.args(number)
                try:
                    if len(args) > 5 and args[5] is not None:
                        found.append(places.product(args[5])[:3, 3])
                except Unsupported:
                    continue
            if len(found) >= _SAMPLED:
                break
    placed = np.array(found).reshape(-1, 3)
    placed = placed[(np.abs(placed) < _REACH_M).all(axis=1)]
    middle = np.median(placed, axis=0) if len(placed) else np.zeros(3)
    rows = step.rows("IFCCARTESIANPOINT")[:_SAMPLED]
    flat, at = step.numbers(rows)
    three = at[:-1][np.diff(at) == 3]
    points = np.stack([flat[three], flat[three + 1], flat[three + 2]], axis=1) * unit_m
    for number in step.of("IFCCARTESIANPOINTLIST3D")[:_SAMPLED]:
        listed = step.list_of(number, 0, np.float64)
        if listed is not None and len(listed) >= 3:
            points = np.concatenate([points, listed[None, :3] * unit_m])
    most = np.abs(points[:, :2]).max(axis=1, initial=0.0)
    far = points[np.isfinite(points).all(axis=1) & (most > 1e5) & (most < _REACH_M)]
    if len(far) and np.hypot(middle[0], middle[1]) < 1e5:
        middle = middle + np.median(far, axis=0)
    x, y, z = middle.tolist()
    return x, y, z


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _text(args: list[Any], place: int) -> str | None:
    value = args[place] if len(args) > place else None
    return value if isinstance(value, str) and value else None
