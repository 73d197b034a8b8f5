"""What came of an IFC file, as one record: products, outcomes, place and evidence, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bim_import._evidence import evidence_from
from bim_import.features import Group
from bim_import.framing import choose_place
from bim_import.meshing import Budget, Meshed, read_and_mesh
from bim_import.placement import noted
from bim_import.quantities import compare_quantities, solids
from bim_import.reader import local_groups
from cim.crs import split_crs
from cim.errors import CimError
from cim.jobs import Job
from cim.messages import LANGUAGES
from cim.sources.spec import LayerSpec

__all__ = ["ifc_report", "middle_of", "place_record"]

_SPATIAL = {"sites": "IfcSite", "buildings": "IfcBuilding", "storeys": "IfcBuildingStorey",
            "spaces": "IfcSpace"}  # fmt: skip
_LISTED = 200
_CLOSER = ("shells", "quantities", "solids")


def ifc_report(
    path: Path,
    *,
    spec: LayerSpec | None = None,
    job: Job,
    budget: Budget | None = None,
    shells: bool = False,
) -> dict[str, Any]:
    """Read and mesh an IFC file and return what came of it.

    Parameters
    ----------
    path
        The file.
    spec
        What the caller knows of its place: ``crs``, ``height_datum``, option ``at``.
    job
        Progress and cancel.
    budget
        Limits.
    shells
        Also close the shell of every building and compare the quantities; takes up to
        some seconds a building.

    Returns
    -------
    A record that can be written as JSON. ``products`` counts every IfcProduct and is the
    sum of ``outcomes``. ``placement`` says where the model's own zero stands: easting and
    northing in metres of ``crs``; ``decided`` is false where the file does not say, with
    the reason and the remedies. ``shells`` (a row per building), ``quantities`` (see
    `compare_quantities`) and ``solids`` are None where not asked for. ``peak_mb`` is the
    proportional memory of all processes.

    Raises
    ------
    SourceError
        Not an IFC file, cut short, of an unknown schema, unreadable.
    """
    meshed = read_and_mesh(path, job=job, budget=budget)
    said = meshed.said
    table = said["columns"]["products"]
    classes = Counter(table["ifc_class"])
    triangles = {key: len(shape.triangles) for key, shape in meshed.shapes.items()}
    used = Counter(key for key, _ in meshed.places.values())
    spec = spec or LayerSpec(file=path)
    more = _closer(meshed, spec, job) if shells else dict.fromkeys(_CLOSER)
    return {
        "schema_ifc": said["declared"],
        "read_as": said["schema"],
        "unit_m": said["units"]["length_m"],
        "products": len(table["step_id"]),
        "outcomes": meshed.outcomes(),
        "spatial": {name: classes[kind] for name, kind in _SPATIAL.items()},
        "placement": place_record(said, spec, middle_of(meshed)),
        "triangles": sum(triangles[key] * n for key, n in used.items()),
        "unique_meshes": len(used),
        "classes": dict(sorted(classes.items())),
        "property_sets": len(said["columns"]["sets"]),
        "illustrative": bool(said["illustrative"]),
        "damaged": said["damaged"],
        "duplicated_guids": len(table["guid"]) - len(set(table["guid"])),
        "networks": _networks(meshed),
        "not_exact": _not_exact(meshed, table),
        **more,
        "cpu_s": round(meshed.cpu_s, 3),
        "first_geometry_s": _number(meshed.first_geometry_s),
        "peak_mb": round(meshed.peak_mb, 1),
        "cached": meshed.cached,
    }


def _networks(meshed: Meshed) -> dict[str, int]:
    """Count systems and their members, ports and their connections, lines read and not."""
    columns, drawn = meshed.said["columns"], meshed.said["networks"]
    kinds = Counter(columns["products"]["ifc_class"])
    numbers = dict(
        zip(columns["products"]["step_id"], columns["products"]["ifc_class"], strict=True)
    )
    lines = Counter(numbers.get(int(n), "") for n in drawn["lines"])
    return {
        "systems": len(columns["systems"]),
        "members": sum(len(members) for _, _, _, members, _ in columns["systems"]),
        "ports": kinds["IfcDistributionPort"], "connections": len(columns["ports"]),
        "pipe_axes": lines["IfcPipeSegment"] + lines["IfcFlowSegment"],
        "alignments": lines["IfcAlignment"], "lines_not_read": len(drawn["untold"]),
    }  # fmt: skip


def _closer(meshed: Meshed, spec: LayerSpec, job: Job) -> dict[str, Any]:
    """Return the shells of the buildings and the comparison of quantities, in model metres."""
    groups = local_groups(meshed, spec, job=job)
    rows = [_shell_row(group) for group in groups if group.building is not None and group.enclosing]
    made = (rows, compare_quantities(groups), solids(groups[0].model) if groups else None)
    return dict(zip(_CLOSER, made, strict=True))


def _shell_row(group: Group) -> dict[str, Any]:
    body, roof = group.body, group.roof_outline
    shell = body.shell
    return {
        "guid": group.building, "name": group.title, "kept": body.sound,
        "closed": None if shell is None else shell.closed, "flags": list(body.flags),
        "volume_m3": None if shell is None else round(shell.volume_m3, 2),
        "enclosed_m3": None if shell is None else round(shell.enclosed_m3, 2),
        "cell_m": None if shell is None else round(shell.cell_m, 3),
        "footprint_m2": None if body.footprint is None else round(body.footprint.area, 2),
        "footprint_by_shell": body.by_shell,
        "roof_outline_m2": None if roof is None else round(roof.area, 2),
        "height_m": _number(group.height_m),
    }  # fmt: skip


def place_record(
    said: Mapping[str, Any], spec: LayerSpec, centre: tuple[float, float, float] | None
) -> dict[str, Any]:
    """Return where the model stands and why, or why that cannot be told."""
    record: dict[str, Any] = {
        "decided": False, "crs": None, "easting_m": None, "northing_m": None, "height_m": None,
        "rotation_deg": None, "scale": None, "confidence": 0.0, "height_datum": None,
        "level": None, "reason": None, "remedy": None,
    }  # fmt: skip
    evidence = evidence_from(said["evidence"], centre)
    try:
        place = choose_place(said["evidence"], spec, frame=None, centre=centre, demand_height=False)
        crs, datum = split_crs(place.crs)
    except CimError as error:
        told = {lang: {"reason": error.message(lang), "remedy": error.remedy(lang)}
                for lang in LANGUAGES}  # fmt: skip
        record |= {"reason": error.message(), "key": error.key, "remedy": error.remedy(),
                   "told": told}  # fmt: skip
        return {**record, "evidence": [asdict(one) for one in noted(evidence)]}
    east, north, height = place.matrix[:3, 3].tolist()
    return record | {
        "decided": True, "crs": crs, "easting_m": round(east, 4), "northing_m": round(north, 4),
        "height_m": round(height, 4), "rotation_deg": round(place.rotation_deg, 6),
        "scale": round(place.scale, 9), "confidence": round(place.confidence, 3),
        "height_datum": place.height_datum or datum, "level": place.level,
        "evidence": [asdict(one) for one in place.log],
    }  # fmt: skip


def middle_of(meshed: Meshed) -> tuple[float, float, float] | None:
    """Return the middle of all shapes in model metres, outliers left out; None without any."""
    if not meshed.places:
        return None
    corner = {key: shape.vertices.min(axis=0) for key, shape in meshed.shapes.items()}
    top = {key: shape.vertices.max(axis=0) for key, shape in meshed.shapes.items()}
    points = np.array([
        matrix[:3, :3] @ ((corner[key] + top[key]) / 2) + matrix[:3, 3]
        for key, matrix in meshed.places.values()
    ])  # fmt: skip
    x, y, z = np.median(points, axis=0).tolist()
    return x, y, z


def _not_exact(meshed: Meshed, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = zip(table["step_id"], table["guid"], table["ifc_class"], table["name"], strict=True)
    return [
        {"guid": guid, "class": kind, "name": name, "outcome": meshed.outcome[number],
         "why": meshed.why.get(number)}
        for number, guid, kind, name in rows
        if meshed.outcome[number] not in ("exact", "none_by_design")
    ][:_LISTED]  # fmt: skip


def _number(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None
