"""Where a model stands on the map: evidence in the file -> one choice, or a refusal with a remedy.

Pure arithmetic, no ifcopenshell. The classic traps are decided here and said aloud:
``IfcMapConversion.Scale`` means three things in the wild, a site may already stand in
map coordinates, and RefLatitude/RefLongitude are mostly the software's default city.

Levels are the LoGeoRef of Clemens and Görne (2019): 50 IfcMapConversion, 30 placement
in map coordinates, 20 latitude and longitude, 0 nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import FrameError

__all__ = ["Evidence", "MapConversion", "Placement", "resolve", "turn_and_move"]

Matrix = NDArray[np.float64]
Inside = Callable[[str, float, float], bool]

_FAR_M = 10_000.0
"""Beyond this from zero, coordinates are map coordinates: no building is 10 km long."""
_GRID_FACTOR = 0.01
"""Ground-to-grid factors stay within a percent of one (UTM: 0.9996 to 1.001)."""


@dataclass(frozen=True)
class MapConversion:
    """A map conversion as the file has it.

    Attributes
    ----------
    crs, vertical
        Names of the projected system and, where given, of the height datum.
    eastings, northings, height
        Offsets in map units.
    x_axis
        Direction of the model's x axis on the map (abscissa, ordinate).
    scale
        As written; None where it is not.
    map_unit_m
        Metres per map unit; None where it is not written.
    carrier
        Entity or property set it was found in.
    """

    crs: str
    eastings: float
    northings: float
    height: float = 0.0
    vertical: str | None = None
    x_axis: tuple[float, float] = (1.0, 0.0)
    scale: float | None = None
    map_unit_m: float | None = None
    carrier: str = "IfcMapConversion"


@dataclass(frozen=True)
class Evidence:
    """What a file says of its place.

    Attributes
    ----------
    unit_m
        Metres per length unit of the project.
    centre
        Middle of the geometry (x, y, z) in model metres, placements included.
    conversion
        Map conversion, or None.
    lonlat
        RefLongitude, RefLatitude in degrees, or None.
    unusable
        A georeference that exists but is not understood, by its name.
    """

    unit_m: float
    centre: tuple[float, float, float]
    conversion: MapConversion | None = None
    lonlat: tuple[float, float] | None = None
    unusable: str = ""


@dataclass(frozen=True)
class Placement:
    """The choice.

    Attributes
    ----------
    matrix
        (4, 4) float64: model metres to metres of `crs` and heights of `height_datum`.
    crs
        Projected system, as named.
    height_datum
        Height datum as named; None where nothing names one.
    level
        LoGeoRef of what was used; 0 for a position given by hand.
    rule, values
        Message key of the rule that decided, and its values.
    """

    matrix: Matrix
    crs: str
    height_datum: str | None
    level: int
    rule: str
    values: Mapping[str, Any] = field(default_factory=dict)


def resolve(
    evidence: Evidence,
    *,
    name: str,
    inside: Inside,
    at: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    height_datum: str | None = None,
) -> Placement:
    """Choose where the model stands.

    Parameters
    ----------
    evidence
        What the file says.
    name
        Name of the file, for messages.
    inside
        Tells whether (crs, east, north) in metres lies in the area of use of crs.
    at
        Place of the model's zero by hand: east, north, height in metres of `crs`,
        and its turn in degrees counter-clockwise. It overrides the file.
    crs, height_datum
        What the caller says the file is in; what the file itself says comes first.

    Raises
    ------
    FrameError
        No usable position, a position applied twice, a scale that fits nothing.
    """
    if at is not None:
        if crs is None:
            raise FrameError("bim.at_needs_crs", given=name)
        matrix = turn_and_move(np.deg2rad(at[3]), at[:3])
        east, north = (matrix @ np.array([*evidence.centre, 1.0]))[:2]
        if not inside(crs, float(east), float(north)):
            place = {"crs": crs, "place": f"{east:.0f}, {north:.0f}"}
            raise FrameError("bim.outside_area", given=name, values=place)
        values = {"given": name, "at": ", ".join(f"{v:.10g}" for v in at), "crs": crs}
        return Placement(matrix, crs, height_datum, 0, "bim.placed_at", values)
    if evidence.conversion is not None:
        return _converted(evidence, evidence.conversion, name, inside, height_datum)
    if _far(evidence.centre) and crs is not None:
        values = {"given": name, "crs": crs}
        return Placement(np.eye(4), crs, height_datum, 30, "bim.placed_in_map", values)
    raise _nowhere(evidence, name)


def turn_and_move(angle: float, to: tuple[float, float, float], factor: float = 1.0) -> Matrix:
    """Return the matrix that turns counter-clockwise, stretches x and y, and moves."""
    matrix = np.eye(4)
    cos, sin = np.cos(angle) * factor, np.sin(angle) * factor
    matrix[:2, :2] = [[cos, -sin], [sin, cos]]
    matrix[:3, 3] = to
    return matrix


def _converted(
    evidence: Evidence, conversion: MapConversion, name: str, inside: Inside, height: str | None
) -> Placement:
    factor, reading = _factor(evidence.unit_m, conversion, name)
    unit = conversion.map_unit_m or 1.0
    east, north = conversion.eastings * unit, conversion.northings * unit
    if _far(evidence.centre) and _far((east, north, 0.0)):
        x, y, _ = evidence.centre
        both = {"centre": f"{x:.0f}, {y:.0f}", "offset": f"{east:.0f}, {north:.0f}"}
        raise FrameError("bim.georef_twice", given=name, values=both)
    offset = _offset(evidence, conversion, name, inside)
    abscissa, ordinate = conversion.x_axis
    matrix = turn_and_move(float(np.arctan2(ordinate, abscissa)), offset, factor)
    values: dict[str, Any] = {
        "given": name, "carrier": conversion.carrier, "crs": conversion.crs,
        "east": f"{offset[0]:.3f}", "north": f"{offset[1]:.3f}", "height": f"{offset[2]:.3f}",
        "scale": conversion.scale, "reading": reading, "factor": f"{factor:.6f}",
    }  # fmt: skip
    datum = conversion.vertical or height
    return Placement(matrix, conversion.crs, datum, 50, "bim.placed_converted", values)


def _factor(unit_m: float, conversion: MapConversion, name: str) -> tuple[float, str]:
    """Return metres on the map per model metre, and which reading of Scale gave it.

    IFC says the scale turns project units into map units; Revit and others write 1 and
    mean no more than the ground-to-grid factor; some samples write its inverse.
    """
    scale = 1.0 if conversion.scale is None else conversion.scale
    if not np.isfinite(scale) or scale <= 0:
        raise FrameError("bim.scale", given=name, values={"scale": conversion.scale})
    units = (conversion.map_unit_m or 1.0) / unit_m
    readings = (("units", scale * units), ("factor", scale), ("inverse", units / scale))
    for reading, factor in readings:
        if abs(factor - 1.0) <= _GRID_FACTOR:
            return factor, reading
    raise FrameError("bim.scale", given=name, values={"scale": conversion.scale})


def _offset(
    evidence: Evidence, conversion: MapConversion, name: str, inside: Inside
) -> tuple[float, float, float]:
    """Return the offset in metres: in map units, or else in project units where only that fits."""
    written = (conversion.eastings, conversion.northings, conversion.height)
    units = [conversion.map_unit_m or 1.0]
    if conversion.map_unit_m is None:
        units.append(evidence.unit_m)
    x, y, _ = evidence.centre
    for unit in units:
        east, north, height = (value * unit for value in written)
        if inside(conversion.crs, east + x, north + y):
            return east, north, height
    values = {"crs": conversion.crs, "place": f"{written[0]:g}, {written[1]:g}"}
    raise FrameError("bim.outside_area", given=name, values=values)


def _far(centre: tuple[float, float, float]) -> bool:
    return float(np.hypot(centre[0], centre[1])) > _FAR_M


def _nowhere(evidence: Evidence, name: str) -> FrameError:
    if evidence.unusable:
        return FrameError("bim.unusable", given=name, values={"carrier": evidence.unusable})
    if _far(evidence.centre):
        x, y, _ = evidence.centre
        return FrameError("bim.map_without_crs", given=name, values={"x": f"{x:.0f}, {y:.0f}"})
    if evidence.lonlat is not None:
        lon, lat = evidence.lonlat
        return FrameError("bim.only_lonlat", given=name, values={"lonlat": f"{lon:.5f} {lat:.5f}"})
    return FrameError("bim.nowhere", given=name)
