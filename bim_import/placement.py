"""Where a model stands on the map: evidence in the file -> one choice, or a refusal with a remedy.

Pure arithmetic, no ifcopenshell. The classic traps are decided here and said aloud:
``IfcMapConversion.Scale`` means three things in the wild, a site may already stand in
map coordinates, and RefLatitude/RefLongitude are mostly the software's default city.

Levels are the LoGeoRef of Clemens and Görne (2019): 50 IfcMapConversion, 30 placement
in map coordinates, 20 latitude and longitude, 0 nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import FrameError

__all__ = [
    "Evidence",
    "MapConversion",
    "Placement",
    "Reading",
    "from_points",
    "noted",
    "resolve",
    "turn_and_move",
]

Matrix = NDArray[np.float64]
Inside = Callable[[str, float, float], bool]
Project = Callable[[str, float, float], tuple[str, float, float, float] | None]

_FAR_M = 10_000.0
"""Beyond this from zero, coordinates are map coordinates: no building is 10 km long."""
_GRID_FACTOR = 0.01
"""Ground-to-grid factors stay within a percent of one (UTM: 0.9996 to 1.001)."""
_ZONES = range(1, 61)
_TRUST = {"factor": 0.95, "inverse": 0.9, "project_units": 0.85, "zone_number_dropped": 0.8,
          "zone_number_added": 0.7}  # fmt: skip
"""How far a reading beside the standard's text is trusted; the order counts, not the digits."""
_PLACEHOLDERS = (
    "enter address here", "请在此处输入地址", "introduzca dirección aquí", "<default>",
    "geben sie die adresse hier ein", "entrez l'adresse ici", "在此输入地址",
)  # fmt: skip


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
    geographic
        Whether eastings and northings are degrees of a geographic system.
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
    geographic: bool = False


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
    true_north_deg
        Direction of true north, counter-clockwise from the model's y; None where not said.
    site_offset, world_offset
        Where the site or building, and the world coordinate system, stand in the model
        (metres); None at zero.
    address
        Postal address, or "".
    """

    unit_m: float
    centre: tuple[float, float, float]
    conversion: MapConversion | None = None
    lonlat: tuple[float, float] | None = None
    unusable: str = ""
    true_north_deg: float | None = None
    site_offset: tuple[float, float, float] | None = None
    world_offset: tuple[float, float, float] | None = None
    address: str = ""


@dataclass(frozen=True)
class Reading:
    """One way to read a piece of evidence, and whether it leads to a possible place.

    Attributes
    ----------
    what
        Evidence: ``scale``, ``offset``, ``axes``, ``map_coordinates``, ``lonlat`` …
    how
        Reading of it.
    value
        What it gives, as text.
    fits
        Whether it is possible; None where it is only noted.
    used
        Whether the choice rests on it.
    """

    what: str
    how: str
    value: str
    fits: bool | None = None
    used: bool = False


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
    confidence
        0 to 1: 1 for a position by hand, less for every guess the choice rests on.
    log
        All readings that were weighed.
    """

    matrix: Matrix
    crs: str
    height_datum: str | None
    level: int
    rule: str
    values: Mapping[str, Any] = field(default_factory=dict)
    confidence: float = 1.0
    log: tuple[Reading, ...] = ()

    @property
    def rotation_deg(self) -> float:
        """Return the turn of the model's x axis from east, degrees counter-clockwise."""
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))

    @property
    def scale(self) -> float:
        """Return metres on the map per model metre."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))


def resolve(
    evidence: Evidence,
    *,
    name: str,
    inside: Inside,
    at: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    height_datum: str | None = None,
    project: Project | None = None,
    unit_of: Callable[[str], float] = lambda _: 1.0,
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
    project
        Takes (geographic system, longitude, latitude) to (projected system, east, north,
        degrees from true to grid north clockwise), or to None outside of its area.
    unit_of
        Metres per unit of a projected system.

    Raises
    ------
    FrameError
        No usable position, a position applied twice, a scale that fits nothing.
    """
    notes = noted(evidence)
    if at is not None:
        if crs is None:
            raise FrameError("bim.at_needs_crs", given=name)
        matrix = turn_and_move(np.deg2rad(at[3]), at[:3])
        east, north = (matrix @ np.array([*evidence.centre, 1.0]))[:2]
        if not inside(crs, float(east), float(north)):
            place = {"crs": crs, "place": f"{east:.0f}, {north:.0f}"}
            raise FrameError("bim.outside_area", given=name, values=place)
        values = {"given": name, "at": ", ".join(f"{v:.10g}" for v in at), "crs": crs}
        log = (Reading("at", "hand", values["at"], fits=True, used=True), *notes)
        return Placement(matrix, crs, height_datum, 0, "bim.placed_at", values, 1.0, log)
    if evidence.conversion is not None and evidence.conversion.geographic:
        return _geographic(evidence, evidence.conversion, name, height_datum, project, notes)
    if evidence.conversion is not None:
        return _converted(evidence, evidence.conversion, name, inside, height_datum, unit_of, notes)
    if _far(evidence.centre) and crs is not None:
        x, y, _ = evidence.centre
        values = {"given": name, "crs": crs}
        if not inside(crs, x, y):
            place = {"crs": crs, "place": f"{x:.0f}, {y:.0f}"}
            raise FrameError("bim.outside_area", given=name, values=place)
        where = Reading("map_coordinates", "vertices", f"{x:.1f}, {y:.1f}", fits=True, used=True)
        return Placement(
            np.eye(4), crs, height_datum, 30, "bim.placed_in_map", values, 0.8, (where, *notes)
        )
    raise _nowhere(evidence, name)


def noted(evidence: Evidence) -> tuple[Reading, ...]:
    """Return the evidence that decides nothing by itself, as readings for the log."""
    found: list[Reading] = []
    if evidence.lonlat is not None:
        lon, lat = evidence.lonlat
        how = "software_default" if _placeholder(evidence.address) else "site"
        found.append(Reading("lonlat", how, f"{lon:.6f} {lat:.6f}"))
    if evidence.true_north_deg is not None:
        # IFC: with a map conversion true north is only information.
        found.append(Reading("true_north", "context", f"{evidence.true_north_deg:.4f}"))
    for what, offset in (
        ("site_placement", evidence.site_offset),
        ("world_system", evidence.world_offset),
    ):
        if offset is not None:
            found.append(Reading(what, "offset", ", ".join(f"{v:.3f}" for v in offset)))
    if evidence.address:
        how = "placeholder" if _placeholder(evidence.address) else "postal"
        found.append(Reading("address", how, evidence.address))
    if evidence.unusable:
        found.append(Reading("operation", evidence.unusable, "", fits=False))
    return tuple(found)


def from_points(
    model: Sequence[tuple[float, float, float]], there: Sequence[tuple[float, float, float]]
) -> tuple[float, float, float, float]:
    """Return east, north, height and turn (as `at`) from points known in both systems.

    Parameters
    ----------
    model
        Two or more points of the model, metres.
    there
        The same points on the map: east, north in metres, height.

    Raises
    ------
    FrameError
        Fewer than two points, all in one spot, or lengths that differ by over a percent:
        a model is turned and moved, never stretched.
    """
    from cim.crs import fit_helmert_2d  # the process that reads files needs none of it

    fit = fit_helmert_2d([p[:2] for p in model], [p[:2] for p in there])
    if abs(fit.scale - 1.0) > _GRID_FACTOR:
        raise FrameError("bim.points_scale", given=f"{fit.scale:.4f}")
    angle = np.deg2rad(fit.rotation_deg)
    turn = turn_and_move(float(angle), (0.0, 0.0, 0.0))
    middle = turn @ np.array([*np.mean(model, axis=0), 1.0])
    east, north, height = (np.mean(there, axis=0) - middle[:3]).tolist()
    return east, north, height, fit.rotation_deg


def turn_and_move(angle: float, to: tuple[float, float, float], factor: float = 1.0) -> Matrix:
    """Return the matrix that turns counter-clockwise, stretches x and y, and moves."""
    matrix = np.eye(4)
    cos, sin = np.cos(angle) * factor, np.sin(angle) * factor
    matrix[:2, :2] = [[cos, -sin], [sin, cos]]
    matrix[:3, 3] = to
    return matrix


def _converted(
    evidence: Evidence, conversion: MapConversion, name: str, inside: Inside, height: str | None,
    unit_of: Callable[[str], float], notes: tuple[Reading, ...],
) -> Placement:  # fmt: skip
    factor, scales = _factor(evidence.unit_m, conversion, name)
    unit = conversion.map_unit_m or 1.0
    east, north = conversion.eastings * unit, conversion.northings * unit
    if _far(evidence.centre) and _far((east, north, 0.0)):
        x, y, _ = evidence.centre
        both = {"centre": f"{x:.0f}, {y:.0f}", "offset": f"{east:.0f}, {north:.0f}"}
        raise FrameError("bim.georef_twice", given=name, values=both)
    offset, offsets = _offset(evidence, conversion, name, inside, unit_of)
    abscissa, ordinate = conversion.x_axis
    matrix = turn_and_move(float(np.arctan2(ordinate, abscissa)), offset, factor)
    used = [r.how for r in (*scales, *offsets) if r.used]
    values: dict[str, Any] = {
        "given": name, "carrier": conversion.carrier, "crs": conversion.crs,
        "east": f"{offset[0]:.3f}", "north": f"{offset[1]:.3f}", "height": f"{offset[2]:.3f}",
        "scale": conversion.scale, "reading": used[0], "factor": f"{factor:.6f}",
    }  # fmt: skip
    datum = conversion.vertical or height
    confidence = 0.98 if conversion.carrier != "ePset_MapConversion" else 0.9
    for how in used:
        confidence *= _TRUST.get(how, 1.0)
    if sum(bool(r.fits) for r in offsets) > 1:
        confidence *= 0.7  # two readings lead into the area of use
    log = (*scales, *offsets, *notes)
    return Placement(
        matrix, conversion.crs, datum, 50, "bim.placed_converted", values, confidence, log
    )


def _geographic(
    evidence: Evidence, conversion: MapConversion, name: str, height: str | None,
    project: Project | None, notes: tuple[Reading, ...],
) -> Placement:  # fmt: skip
    """Place a model whose operation gives degrees: its axes point east and true north."""
    first, second = conversion.eastings, conversion.northings
    if project is None:
        raise FrameError("bim.unusable", given=name, values={"carrier": conversion.carrier})
    found: list[tuple[str, float, float, float]] = []
    log: list[Reading] = []
    for how, lon, lat in (("lonlat", first, second), ("latlon", second, first)):
        there = project(conversion.crs, lon, lat) if abs(lat) <= 90 else None
        used = there is not None and not found
        log.append(Reading("degrees", how, f"{lon:.7f} {lat:.7f}", there is not None, used))
        if there is not None:
            found.append(there)
    if not found:
        place = {"crs": conversion.crs, "place": f"{first:g}, {second:g}"}
        raise FrameError("bim.outside_area", given=name, values=place)
    crs, east, north, convergence = found[0]
    matrix = turn_and_move(float(np.deg2rad(convergence)), (east, north, conversion.height))
    values: dict[str, Any] = {
        "given": name, "carrier": conversion.carrier, "crs": crs, "east": f"{east:.3f}",
        "north": f"{north:.3f}", "height": f"{conversion.height:.3f}", "scale": None,
        "reading": log[0].how if log[0].used else log[1].how, "factor": "1.000000",
    }  # fmt: skip
    confidence = 0.9 if len(found) == 1 else 0.55
    datum = conversion.vertical or height
    return Placement(
        matrix, crs, datum, 50, "bim.placed_converted", values, confidence, (*log, *notes)
    )


def _factor(
    unit_m: float, conversion: MapConversion, name: str
) -> tuple[float, tuple[Reading, ...]]:
    """Return metres on the map per model metre, and the readings of Scale that were weighed.

    IFC says the scale turns project units into map units; Revit and others write 1 and
    mean no more than the ground-to-grid factor; some samples write its inverse. The one
    that leaves a metre a metre is taken.
    """
    scale = 1.0 if conversion.scale is None else conversion.scale
    if not np.isfinite(scale) or scale <= 0:
        raise FrameError("bim.scale", given=name, values={"scale": conversion.scale})
    units = (conversion.map_unit_m or 1.0) / unit_m
    readings = (("units", scale * units), ("factor", scale), ("inverse", units / scale))
    chosen: float | None = None
    log = []
    for reading, factor in readings:
        fits = abs(factor - 1.0) <= _GRID_FACTOR
        used = fits and chosen is None
        chosen = factor if used else chosen
        log.append(Reading("scale", reading, f"{factor:.9g}", fits, used))
    if chosen is None:
        raise FrameError("bim.scale", given=name, values={"scale": conversion.scale})
    return chosen, tuple(log)


def _offset(
    evidence: Evidence, conversion: MapConversion, name: str, inside: Inside,
    unit_of: Callable[[str], float],
) -> tuple[tuple[float, float, float], tuple[Reading, ...]]:  # fmt: skip
    """Return the offset in metres, in the first reading that leads into the area of use.

    In map units; where none are written, in those of the system, else of the project; else
    with a zone number before the easting too many or too few (Gauss-Krüger zones).
    """
    written = (conversion.eastings, conversion.northings, conversion.height)
    own = conversion.map_unit_m
    units = [("map_units", own)] if own is not None else [
        ("system_units", unit_of(conversion.crs)), ("project_units", evidence.unit_m)
    ]  # fmt: skip
    tried: list[tuple[str, tuple[float, float, float]]] = []
    for how, unit in units:
        east, north, height = (value * unit for value in written)
        if all(abs(east - e) + abs(north - n) > 1e-9 for _, (e, n, _) in tried):
            tried.append((how, (east, north, height)))
    east, north, height = tried[0][1]
    tried.append(("zone_number_dropped", (east % 1e6, north, height)))
    tried += [("zone_number_added", (east % 1e6 + zone * 1e6, north, height)) for zone in _ZONES]
    x, y, _ = evidence.centre
    chosen: tuple[float, float, float] | None = None
    log: list[Reading] = []
    for how, place in tried:
        if how.startswith("zone") and chosen is not None:
            break
        fits = inside(conversion.crs, place[0] + x, place[1] + y)
        if fits or not how.startswith("zone"):
            text = f"{place[0]:.3f}, {place[1]:.3f}, {place[2]:.3f}"
            log.append(Reading("offset", how, text, fits, fits and chosen is None))
        chosen = place if fits and chosen is None else chosen
    if chosen is None:
        values = {"crs": conversion.crs, "place": f"{written[0]:g}, {written[1]:g}"}
        raise FrameError("bim.outside_area", given=name, values=values)
    return chosen, tuple(log)


def _placeholder(address: str) -> bool:
    """Tell whether an address is the text a program starts with: its city is a default too."""
    return any(text in address.casefold() for text in _PLACEHOLDERS)


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
