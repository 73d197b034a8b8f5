"""How a table of facts becomes a georeferenced IFC4 villa: ``TABLE.toml`` in, ``VILLA.ifc`` out.

``python -m bim_import.authoring data/wudadao/tables/villa.toml data/wudadao/villa.ifc``

The table's facts (name, address, year, place, size) are kept; the plan is
invented, so the file says 示意数据 wherever a reader may look. The same table
gives the same bytes.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bim_import import _villa_plan, villa
from bim_import._drawing import Drawing
from cim.errors import SourceError

__all__ = ["LABEL", "VillaFacts", "draw_villa", "main", "read_facts", "villa_ifc"]

LABEL = "示意数据，非测绘成果 (illustrative, not a survey)"
CRS = "EPSG:4548"
_STAMP = "2026-11-24T00:00:00"


@dataclass(frozen=True)
class VillaFacts:
    """What the table says of the villa.

    Attributes
    ----------
    source_id
        Own id of the building in its source; every GlobalId derives from it.
    name, address, year
        Public facts.
    lon, lat
        Centre of the plan, CGCS2000 degrees.
    bearing_deg
        Long axis of the plan, clockwise from grid north.
    length_m, width_m
        Outer wall to outer wall, along and across the bearing.
    storeys
        Storeys under the roof: 2.
    storey_height_m, roof_rise_m
        Floor to floor; ridge above the top of the walls.
    ground_floor_m
        Finished ground floor above the 1985 height datum.
    """

    source_id: str
    name: str
    address: str
    year: int
    lon: float
    lat: float
    bearing_deg: float
    length_m: float
    width_m: float
    storeys: int
    storey_height_m: float
    roof_rise_m: float
    ground_floor_m: float


def read_facts(path: Path) -> VillaFacts:
    """Read a villa's table of facts.

    Raises
    ------
    SourceError
        A fact is missing, or the plan cannot be drawn from those given.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    missing = [f.name for f in fields(VillaFacts) if f.name not in table]
    if missing:
        raise SourceError(
            "bim.table_missing", given=path.name, values={"fields": ", ".join(missing)}
        )
    facts = VillaFacts(**{f.name: table[f.name] for f in fields(VillaFacts)})
    sizes_ok = facts.length_m >= 20 and facts.width_m >= 15 and facts.storey_height_m >= 3.3
    if facts.storeys != 2 or not sizes_ok:
        raise SourceError("bim.table_sizes", given=path.name)
    return facts


def draw_villa(
    facts: VillaFacts, *, easting_m: float, northing_m: float, convergence_deg: float
) -> Any:
    """Draw the villa and return the open ``ifcopenshell.file``.

    Parameters
    ----------
    facts
        What the table says.
    easting_m, northing_m
        Centre of the plan in EPSG:4548.
    convergence_deg
        Angle from true north to grid north there, positive clockwise.
    """
    draw = Drawing(facts.source_id)
    _header(draw, facts)
    project = _project(draw, facts, (easting_m, northing_m), convergence_deg)
    building, storeys = _spatial_tree(draw, facts, project)
    plan = _villa_plan.plan(facts.length_m, facts.width_m)
    villa.build(draw, plan, storeys, facts.storey_height_m, facts.roof_rise_m)
    _rooms(draw, plan, storeys, facts.storey_height_m)
    _describe(draw, facts, building)
    draw.close()
    return draw.file


def villa_ifc(facts: VillaFacts) -> str:
    """Return the text of the villa's IFC file, placed through `cim.crs`."""
    from cim.crs.transform import grid_convergence_deg, transform

    east, north = transform([[facts.lon, facts.lat]], source="EPSG:4490", target=CRS)[0]
    file = draw_villa(
        facts,
        easting_m=round(float(east), 3),
        northing_m=round(float(north), 3),
        convergence_deg=round(grid_convergence_deg(CRS, facts.lon, facts.lat), 6),
    )
    return str(file.to_string())


def main(arguments: list[str] | None = None) -> int:
    """Write the IFC file named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bim_import.authoring", description=__doc__)
    parser.add_argument("table", type=Path, help="villa.toml")
    parser.add_argument("ifc", type=Path, help="file to write")
    given = parser.parse_args(arguments)
    text = villa_ifc(read_facts(given.table))
    given.ifc.write_text(text, encoding="ascii", newline="\n")
    return 0


def _header(draw: Drawing, facts: VillaFacts) -> None:
    header = draw.file.header
    header.file_description.description = (
        "ViewDefinition [DesignTransferView]",
        f"Comment [{LABEL}]",
    )
    header.file_name.name = f"{facts.source_id}.ifc"
    header.file_name.time_stamp = _STAMP
    header.file_name.author = ("cim-twin",)
    header.file_name.organization = ("cim-twin",)
    header.file_name.preprocessor_version = "cim-twin bim_import.authoring"
    header.file_name.originating_system = "cim-twin"
    header.file_name.authorization = LABEL


def _project(
    draw: Drawing, facts: VillaFacts, centre: tuple[float, float], convergence_deg: float
) -> Any:
    """Create IfcProject with units, contexts and the map conversion."""
    bearing = math.radians(facts.bearing_deg)
    units = [
        draw.make("IfcSIUnit", None, kind, None, name)
        for kind, name in (
            ("LENGTHUNIT", "METRE"), ("AREAUNIT", "SQUARE_METRE"),
            ("VOLUMEUNIT", "CUBIC_METRE"), ("PLANEANGLEUNIT", "RADIAN"),
        )
    ]  # fmt: skip
    # Grid north is at the angle of the bearing, counter-clockwise from the plan's x;
    # true north lies counter-clockwise of it by the convergence.
    turn = bearing + math.radians(convergence_deg)
    north = draw.direction((math.cos(turn), math.sin(turn)))
    zero = draw.axes((0.0, 0.0, 0.0))
    model = draw.make("IfcGeometricRepresentationContext", None, "Model", 3, 1e-5, zero, north)
    body = draw.make("IfcGeometricRepresentationSubContext", "Body", "Model")
    body.ParentContext, body.TargetView = model, "MODEL_VIEW"
    draw.body = body
    crs = draw.make(
        "IfcProjectedCRS", CRS, "CGCS2000 / 3-degree Gauss-Kruger CM 117E", "CGCS2000",
        "EPSG:5737", "Gauss-Kruger", "CM 117E", units[0],
    )  # fmt: skip
    draw.make(
        "IfcMapConversion", model, crs, *centre, facts.ground_floor_m,
        round(math.sin(bearing), 9), round(math.cos(bearing), 9), 1.0,
    )  # fmt: skip
    project = draw.add("IfcProject", "project", {
        "Name": f"{facts.name} {facts.address}", "Description": LABEL,
        "RepresentationContexts": [model], "UnitsInContext": draw.make("IfcUnitAssignment", units),
    })  # fmt: skip
    return project


def _spatial_tree(draw: Drawing, facts: VillaFacts, project: Any) -> tuple[Any, list[Any]]:
    """Create site, building and the three storeys."""
    site = draw.add("IfcSite", "site", {
        "Name": f"{facts.address}用地", "Description": LABEL, "CompositionType": "ELEMENT",
        "RefLatitude": _sexagesimal(facts.lat), "RefLongitude": _sexagesimal(facts.lon),
        "RefElevation": facts.ground_floor_m,
    })  # fmt: skip
    site.ObjectPlacement = draw.placement(None, (0.0, 0.0, 0.0))
    draw.part_of(project, site)
    building = draw.product("IfcBuilding", "building", name=facts.name, within=site)
    building.Description, building.CompositionType = LABEL, "ELEMENT"
    building.ElevationOfRefHeight = facts.ground_floor_m
    building.BuildingAddress = draw.file.create_entity(
        "IfcPostalAddress", AddressLines=[facts.address], Town="天津市", Country="中国"
    )
    storeys = []
    for level, name in enumerate(("首层", "二层", "屋顶层")):
        height = level * facts.storey_height_m
        storey = draw.product(
            "IfcBuildingStorey", f"storey{level}", name=name, within=building, at=(0, 0, height)
        )
        storey.CompositionType, storey.Elevation = "ELEMENT", height
        storeys.append(storey)
    return building, storeys


def _rooms(
    draw: Drawing, plan: _villa_plan.Plan, storeys: list[Any], storey_height_m: float
) -> None:
    height = storey_height_m - 0.25
    for i, room in enumerate(plan.rooms):
        solid = draw.box((*room.low, 0.0), (*room.high, height))
        space = draw.product(
            "IfcSpace", f"room{i}", name=f"{room.storey + 1}0{i % 5 + 1}",
            within=storeys[room.storey], shape=draw.shape([solid]), kind="INTERNAL",
        )  # fmt: skip
        space.LongName, space.ObjectType = room.name, room.use
        space.CompositionType = "ELEMENT"
        draw.quantities(space, "Qto_SpaceBaseQuantities", {
            "Height": ("Length", height), "NetPerimeter": ("Length", room.perimeter_m),
            "NetFloorArea": ("Area", room.area_m2), "NetVolume": ("Volume", room.area_m2 * height),
        })  # fmt: skip
        draw.properties(space, "Pset_SpaceCommon", {"IsExternal": ("IfcBoolean", False)})


def _describe(draw: Drawing, facts: VillaFacts, building: Any) -> None:
    """Attach property sets, quantities and the classification to the building."""
    height = facts.storeys * facts.storey_height_m
    plot = facts.length_m * facts.width_m
    draw.properties(building, "Pset_BuildingCommon", {
        "Reference": ("IfcIdentifier", facts.source_id),
        "YearOfConstruction": ("IfcLabel", str(facts.year)),
        "NumberOfStoreys": ("IfcInteger", facts.storeys),
        "OccupancyType": ("IfcLabel", "居住"),
        "IsLandmarked": ("IfcLogical", True),
    })  # fmt: skip
    draw.properties(building, "CIM_Source", {
        "source_id": ("IfcIdentifier", facts.source_id),
        "illustrative": ("IfcBoolean", True),
        "note": ("IfcText", LABEL),
    })  # fmt: skip
    draw.quantities(building, "Qto_BuildingBaseQuantities", {
        "EavesHeight": ("Length", height), "Height": ("Length", height + facts.roof_rise_m),
        "GrossFloorArea": ("Area", facts.storeys * plot),
    })  # fmt: skip
    system = draw.make("IfcClassification", None, None, None, "历史风貌建筑")
    reference = draw.make("IfcClassificationReference", None, None, "历史风貌建筑", system)
    draw.relate("IfcRelAssociatesClassification", "classification", {
        "RelatedObjects": [building], "RelatingClassification": reference,
    })  # fmt: skip


def _sexagesimal(degrees: float) -> tuple[int, int, int, int]:
    """Return an IfcCompoundPlaneAngleMeasure: degrees, minutes, seconds, millionths."""
    left = round(abs(degrees) * 3600e6)
    sign = -1 if degrees < 0 else 1
    whole, left = divmod(left, 3600_000_000)
    minutes, left = divmod(left, 60_000_000)
    seconds, millionths = divmod(left, 1_000_000)
    return (sign * whole, sign * minutes, sign * seconds, sign * millionths)


if __name__ == "__main__":
    raise SystemExit(main())
