"""What the file says of sizes beside what its own geometry measures: areas, heights, volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bim_import._shell_faces import closed, volume_of
from bim_import.joining import plan_of
from bim_import.semantics import Product

if TYPE_CHECKING:
    from bim_import.features import Group, Model

__all__ = ["Compared", "RoomSize", "compare_quantities", "room_size", "solids"]

_LISTED = 200
_GRID_M = 1e-4
# What the standard calls them comes first, then what programs write.
_VOLUMES = ("NetVolume", "GrossVolume", "Volume")
_FLOORS = ("NetFloorArea", "GrossFloorArea")
_OWN_RULE = ("Area", "GSA BIM Area")
"""Floor areas by a program's own rule, often to the middle of the walls: shown, never taken."""
_WITHIN = 0.01


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
    unit_slip
        How the file's number is to be multiplied to mean its unit, where it is stated in
        another one than the file names (square metres times millimetres is often seen);
        1 where it is not.
    """

    guid: str
    ifc_class: str
    name: str
    quantity: str
    unit: str
    file: float
    model: float
    unit_slip: float = 1.0

    @property
    def off_pct(self) -> float:
        """How far the geometry lies from the file in its own unit, percent of the file."""
        return 100.0 * (self.model / (self.file * self.unit_slip) - 1.0)


@dataclass(frozen=True)
class RoomSize:
    """Floor area and volume of a room.

    Attributes
    ----------
    area_m2, volume_m3
        What the file says, in the unit it means; what the geometry measures where the
        file says nothing; None without either.
    measured
        Whether one of them is measured.
    slipped
        Whether the file's number was in another unit than the file names.
    """

    area_m2: float | None
    volume_m3: float | None
    measured: bool
    slipped: bool


def room_size(model: Model, guid: str, outline: Any) -> RoomSize:
    """Return the size of a room.

    Parameters
    ----------
    model, guid
        The room.
    outline
        Its plan, or None.
    """
    product, body = model.products[guid], None
    if guid in model.pool.placed:
        body = _welded(model.pool.vertices(guid), model.pool.triangles(guid))
    area = None if outline is None else float(outline.area)
    volume = None if body is None else abs(volume_of(*body))
    said = product.quantity(*_FLOORS), product.quantity(*_VOLUMES)
    slips = [_slip(s, m, model.unit_m) for s, m in zip(said, (area, volume), strict=True)]
    kept = [m if s is None else s * k for s, m, k in zip(said, (area, volume), slips, strict=True)]
    return RoomSize(
        kept[0], kept[1],
        measured=any(s is None and m is not None
                     for s, m in zip(said, (area, volume), strict=True)),
        slipped=any(k != 1.0 for k in slips),
    )  # fmt: skip


def _slip(said: float | None, measured: float | None, unit_m: float) -> float:
    """Return the factor by powers of the length unit that makes a number what is measured."""
    if not said or not measured or abs(measured / said - 1.0) <= _WITHIN:
        return 1.0
    powers = (unit_m**k for k in (1, 2, 3, -1, -2, -3))
    return next((f for f in powers if abs(measured / (said * f) - 1.0) <= _WITHIN), 1.0)


def compare_quantities(groups: Sequence[Group]) -> dict[str, Any]:
    """Compare the quantity sets of a file with its geometry.

    Buildings: footprint, eaves, height, gross volume. Storeys: floor area by the outlines
    of their rooms. Rooms: floor area by their outline. Walls and slabs: footprint.
    Everything with a closed body: its volume. Outlines have no holes, so a column that a
    net floor area leaves out shows as a difference.

    Returns
    -------
    ``compared``, ``within_1_pct``, ``unit_slips``: counts; ``quantities``: the same by
    quantity and class; ``rows``: the furthest apart first, 200 at most.
    """
    found = [one for group in groups for one in _of_group(group) if one.file > 0.0]
    found.sort(key=lambda one: -abs(one.off_pct))
    return {
        "compared": len(found),
        "within_1_pct": sum(abs(one.off_pct) <= 1.0 for one in found),
        "unit_slips": sum(one.unit_slip != 1.0 for one in found),
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
        if product.kind == "storey":
            yield from _of_storey(group, guid)
        if guid not in model.pool.placed or product.kind == "building":
            continue
        name = _named(product, (*_FLOORS, *_OWN_RULE) if product.kind == "room"
                      else ("GrossFootprintArea",))  # fmt: skip
        if name is not None:
            plan = plan_of([(model.world(guid), model.pool.triangles(guid))])
            if plan is not None:
                yield _compared(group, guid, name, "m2", plan.area)
        name = _named(product, _VOLUMES)
        if name is not None:
            body = _welded(model.pool.vertices(guid), model.pool.triangles(guid))
            if body is not None:
                yield _compared(group, guid, name, "m3", abs(volume_of(*body)))


def _named(product: Product, names: Sequence[str]) -> str | None:
    return next((name for name in names if product.quantity(name) is not None), None)


def _of_storey(group: Group, guid: str) -> Iterator[Compared]:
    model = group.model
    rooms = [g for g in group.members if model.products[g].parent == guid
             and model.products[g].kind == "room" and g in model.pool.placed]  # fmt: skip
    name = _named(model.products[guid], ("NetFloorArea",))
    if name is not None and rooms:
        plans = [plan_of([(model.world(g), model.pool.triangles(g))]) for g in rooms]
        yield _compared(group, guid, name, "m2", sum(p.area for p in plans if p is not None))


def _of_building(group: Group) -> Iterator[Compared]:
    guid = group.building or ""
    product = group.model.products[guid]

    def footprint() -> float:
        return float("nan") if group.footprint is None else float(group.footprint.area)

    def volume() -> float:
        body = group.body
        return body.shell.volume_m3 if body.shell is not None and body.sound else float("nan")

    measured: dict[tuple[str, str], Callable[[], float]] = {
        ("FootPrintArea", "m2"): footprint,
        ("FootprintArea", "m2"): footprint,
        ("GrossFootprintArea", "m2"): footprint,
        ("EavesHeight", "m"): lambda: group.height_m,
        ("Height", "m"): lambda: group.ridge_m,
        ("GrossVolume", "m3"): volume,
    }
    for (name, unit), measure in measured.items():
        if product.quantity(name) is not None and np.isfinite(value := measure()):
            yield _compared(group, guid, name, unit, value)


def _compared(group: Group, guid: str, name: str, unit: str, value: float) -> Compared:
    product = group.model.products[guid]
    said = product.quantity(name) or 0.0
    slip = _slip(said, value, group.model.unit_m)
    return Compared(
        guid, product.ifc_class, product.name or "-", name, unit, round(said, 4),
        round(value, 4), slip,
    )  # fmt: skip


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
