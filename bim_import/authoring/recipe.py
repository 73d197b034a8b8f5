"""How a table becomes a georeferenced IFC4 file: header, units, place, storeys, facts.

The table's facts are kept; the plan is invented, so the file says 示意数据 wherever a reader
may look. The same tables give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.house import Sizes, build_house
from bim_import.authoring.reading import read_model
from bim_import.authoring.ring import build_ring
from bim_import.authoring.table import Facts, House, Model
from cim.crs import crs_title, grid_convergence_deg

__all__ = ["LABEL", "author_models", "draw_model", "model_ifc"]

LABEL = "示意数据，非测绘成果 (illustrative, not a survey)"
_STAMP = "2026-11-24T00:00:00"
_DATUMS = {"cgvd1985": "EPSG:5737"}
_CLASSES = ("历史风貌建筑保护等级", "天津市历史风貌建筑保护条例")


def author_models(
    folder: Path, *, into: Path | None = None, names: Sequence[str] = ()
) -> list[Path]:
    """Make the IFC file of every table in ``FOLDER/tables/models`` and return those written.

    Parameters
    ----------
    folder
        A district: holds ``tables/``.
    into
        Where the files go; the district itself when None.
    names
        Only these tables, without ending.

    Raises
    ------
    SourceError
        A table is missing or wrong.
    """
    tables = folder / "tables" / "models"
    paths = [tables / f"{name}.toml" for name in names] or sorted(tables.glob("*.toml"))
    written = []
    for path in paths:
        text = model_ifc(read_model(path))
        written.append((into or folder) / f"{path.stem}.ifc")
        written[-1].write_text(text, encoding="ascii", newline="\n")
    return written


def model_ifc(model: Model) -> str:
    """Return the text of a model's IFC file."""
    return str(draw_model(model).to_string())


def draw_model(model: Model) -> Any:
    """Draw a model and return the open ``ifcopenshell.file``.

    Raises
    ------
    SourceError
        The plan cannot be drawn.
    """
    facts, plan = model.facts, model.plan
    draw = Drawing(facts.source_id)
    _header(draw, model)
    project = _project(draw, facts)
    building, storeys = _spatial_tree(draw, model, project)
    if isinstance(plan, House):
        sizes = build_house(draw, plan, storeys, where=f"{model.name}.toml")
    else:
        sizes = build_ring(draw, plan, storeys)
    _describe(draw, facts, building, sizes)
    draw.close()
    return draw.file


def _header(draw: Drawing, model: Model) -> None:
    header = draw.file.header
    header.file_description.description = (
        "ViewDefinition [DesignTransferView]",
        f"Comment [{LABEL}]",
    )
    header.file_name.name = f"{model.name}.ifc"
    header.file_name.time_stamp = _STAMP
    header.file_name.author = ("cim-twin",)
    header.file_name.organization = ("cim-twin",)
    header.file_name.preprocessor_version = "cim-twin bim_import.authoring"
    header.file_name.originating_system = "cim-twin"
    header.file_name.authorization = LABEL


def _project(draw: Drawing, facts: Facts) -> Any:
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
    convergence = round(grid_convergence_deg(facts.crs, facts.lon, facts.lat), 6)
    turn = bearing + math.radians(convergence)
    north = draw.direction((math.cos(turn), math.sin(turn)))
    zero = draw.axes((0.0, 0.0, 0.0))
    model = draw.make("IfcGeometricRepresentationContext", None, "Model", 3, 1e-5, zero, north)
    body = draw.make("IfcGeometricRepresentationSubContext", "Body", "Model")
    body.ParentContext, body.TargetView = model, "MODEL_VIEW"
    draw.body = body
    datum = _DATUMS.get(facts.height_datum, facts.height_datum)
    crs = draw.make(
        "IfcProjectedCRS", facts.crs, crs_title(facts.crs), None, datum, None, None, units[0]
    )
    draw.make(
        "IfcMapConversion", model, crs, facts.east_m, facts.north_m, facts.ground_floor_m,
        round(math.sin(bearing), 9), round(math.cos(bearing), 9), 1.0,
    )  # fmt: skip
    return draw.add("IfcProject", "project", {
        "Name": f"{facts.name} {facts.address}", "Description": LABEL,
        "RepresentationContexts": [model], "UnitsInContext": draw.make("IfcUnitAssignment", units),
    })  # fmt: skip


def _spatial_tree(draw: Drawing, model: Model, project: Any) -> tuple[Any, list[Any]]:
    """Create site, building and storeys."""
    facts = model.facts
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
        "IfcPostalAddress", AddressLines=[facts.address], Town=facts.city, Country="中国"
    )
    storeys, height = [], 0.0
    for level, spec in enumerate(model.plan.storeys):
        storey = draw.product(
            "IfcBuildingStorey", f"storey{level}", name=spec.name, within=building,
            at=(0, 0, height),
        )  # fmt: skip
        storey.CompositionType, storey.Elevation = "ELEMENT", round(height, 4)
        storeys.append(storey)
        height += spec.height_m
    return building, storeys


def _describe(draw: Drawing, facts: Facts, building: Any, sizes: Sizes) -> None:
    """Attach property sets, quantities and the classification to the building."""
    common: dict[str, tuple[str, Any]] = {
        "Reference": ("IfcIdentifier", facts.source_id),
        "NumberOfStoreys": ("IfcInteger", facts.storeys),
        "IsLandmarked": ("IfcLogical", bool(facts.protection)),
    }
    if facts.year is not None:
        common["YearOfConstruction"] = ("IfcLabel", str(facts.year))
    if facts.use:
        common["OccupancyType"] = ("IfcLabel", facts.use)
    draw.properties(building, "Pset_BuildingCommon", common)
    source: dict[str, tuple[str, Any]] = {
        "source_id": ("IfcIdentifier", facts.source_id),
        "illustrative": ("IfcBoolean", True),
        "note": ("IfcText", LABEL),
    }
    if facts.style:
        source["style"] = ("IfcLabel", facts.style)
    if facts.floor_area_m2 is not None:
        source["published_floor_area_m2"] = ("IfcAreaMeasure", facts.floor_area_m2)
    draw.properties(building, "CIM_Source", source)
    draw.quantities(building, "Qto_BuildingBaseQuantities", {
        "EavesHeight": ("Length", sizes.eaves_m), "Height": ("Length", sizes.top_m),
        "FootPrintArea": ("Area", sizes.footprint_m2),
        "GrossFloorArea": ("Area", sizes.gross_floor_m2),
        "NetFloorArea": ("Area", sizes.net_floor_m2),
    })  # fmt: skip
    name, source_text = _CLASSES
    system = draw.make("IfcClassification", source_text, None, None, name)
    level = facts.protection or "未定级"
    reference = draw.make("IfcClassificationReference", None, level, level, system)
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
