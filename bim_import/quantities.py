"""What the file says of sizes beside what its own geometry measures: areas, heights, volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import._shell_faces import closed, volume_of
from bim_import.features import Group, Model
from bim_import.joining import plan_of

__all__ = ["Compared", "compare_quantities", "solids"]

_LISTED = 200
_GRID_M = 1e-4
_VOLUMES = ("NetVolume", "GrossVolume")
_FLOORS = ("NetFloorArea", "GrossFloorArea")


@dataclass(frozen=True)
class Compared:
    """One quantity of one product.

    Attributes
    ----------
    guid, ifc_class, name
        The product.
    quantity, unit
        As the standard names it; m, m2 or m3.
    file, model
        What the file says; what the geometry measures.
    """

    guid: str
    ifc_class: str
    name: str
    quantity: str
    unit: str
    file: float
    model: float

    @property
    def off_pct(self) -> float:
        """How far the geometry lies from the file, percent of the file."""
        return 100.0 * (self.model / self.file - 1.0)


def compare_quantities(groups: Sequence[Group]) -> dict[str, Any]:
    """Compare the quantity sets of a file with its geometry.

    Buildings: footprint, eaves, height, gross volume. Rooms: floor area by their outline.
    Everything with a closed body: its volume. Outlines have no holes, so a column that a
    net floor area leaves out shows as a difference.

    Returns
    -------
    ``compared``, ``within_1_pct``: counts; ``quantities``: the same by quantity and class;
    ``rows``: the furthest apart first, 200 at most.
    """
    found = [one for group in groups for one in _of_group(group) if one.file > 0.0]
    found.sort(key=lambda one: -abs(one.off_pct))
    return {
        "compared": len(found),
        "within_1_pct": sum(abs(one.off_pct) <= 1.0 for one in found),
        "quantities": _by_quantity(found),
        "rows": [{**asdict(one), "off_pct": round(one.off_pct, 3)} for one in found[:_LISTED]],
    }


def solids(model: Model) -> dict[str, int]:
    """Count the different meshes that are closed bodies, and those that are not."""
    shut = [_welded(m.vertices, m.triangles) is not None for m in model.pool.meshes.values()]
    return {"closed": sum(shut), "open": len(shut) - sum(shut)}


def _by_quantity(found: Sequence[Compared]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[float]] = {}
    for one in found:
        groups.setdefault((one.ifc_class, one.quantity), []).append(abs(one.off_pct))
    return [
        {"ifc_class": kind, "quantity": name, "compared": len(off),
         "within_1_pct": sum(v <= 1.0 for v in off),
         "median_off_pct": round(float(np.median(off)), 3), "most_off_pct": round(max(off), 3)}
        for (kind, name), off in sorted(groups.items())
    ]  # fmt: skip


def _of_group(group: Group) -> Iterator[Compared]:
    if group.building is not None:
        yield from _of_building(group)
    model = group.model
    for guid in group.members:
        product = model.products[guid]
        if guid not in model.pool.placed or product.kind == "building":
            continue
        if product.kind == "room":
            for name in _FLOORS:
                said = product.quantity(name)
                if said is not None:
                    plan = plan_of([(model.world(guid), model.pool.triangles(guid))])
                    if plan is not None:
                        yield _compared(group, guid, name, "m2", said, plan.area)
                    break
        for name in _VOLUMES:
            said = product.quantity(name)
            if said is not None:
                body = _welded(model.pool.vertices(guid), model.pool.triangles(guid))
                if body is not None:
                    yield _compared(group, guid, name, "m3", said, abs(volume_of(*body)))
                break


def _of_building(group: Group) -> Iterator[Compared]:
    guid = group.building or ""
    product, body = group.model.products[guid], group.body
    shell = body.shell if body.sound else None
    measured = {
        ("FootPrintArea", "m2"): None if group.footprint is None else group.footprint.area,
        ("FootprintArea", "m2"): None if group.footprint is None else group.footprint.area,
        ("EavesHeight", "m"): group.height_m,
        ("Height", "m"): group.ridge_m,
        ("GrossVolume", "m3"): None if shell is None else shell.volume_m3,
    }
    for (name, unit), value in measured.items():
        said = product.quantity(name)
        if said is not None and value is not None and np.isfinite(value):
            yield _compared(group, guid, name, unit, said, value)


def _compared(group: Group, guid: str, name: str, unit: str, said: float, value: float) -> Compared:
    product = group.model.products[guid]
    return Compared(
        guid, product.ifc_class, product.name or "-", name, unit, round(said, 4), round(value, 4)
    )


def _welded(
    vertices: NDArray[Any], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]] | None:
    """Return a mesh whose equal corners are one, or None where it is not closed."""
    points = vertices.astype(np.float64)
    keys = np.round((points - points.min(axis=0)) / _GRID_M).astype(np.int64)
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    welded = number.reshape(-1)[triangles].astype(np.int32)
    distinct = (
        (welded[:, 0] != welded[:, 1]) & (welded[:, 1] != welded[:, 2])
        & (welded[:, 2] != welded[:, 0])
    )  # fmt: skip
    return (points[first], welded[distinct]) if closed(welded[distinct]) else None
