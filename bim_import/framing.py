"""From the model's own metres to the twin's frame: the choice of place, then one affine matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import._evidence import evidence_from
from bim_import.placement import Placement, resolve
from cim.crs import (
    Frame,
    axis_unit_m,
    check_area_of_use,
    choose_frame,
    grid_convergence_deg,
    parse_height_datum,
    split_crs,
    transform,
    transform_heights,
)
from cim.errors import FrameError, SourceError
from cim.sources.spec import LayerSpec

__all__ = ["choose_place", "datum_of", "to_frame"]

Matrix = NDArray[np.float64]
_STEP_M = 50.0


def choose_place(
    record: Mapping[str, Any],
    spec: LayerSpec,
    *,
    frame: Frame | None,
    centre: tuple[float, float, float] | None = None,
    demand_height: bool = True,
) -> Placement:
    """Choose where the model stands.

    Parameters
    ----------
    record
        Evidence as read from the file.
    spec
        What the caller knows: ``crs``, ``height_datum``, and the option
        ``at = [east, north, height, turn_deg]``.
    frame
        Frame that ``at`` is in where the spec names no other; None while there is none.
    centre
        Middle of the meshed geometry in model metres, where it is known.
    demand_height
        Refuse a model whose height datum nobody names.

    Raises
    ------
    FrameError
        See `placement.resolve`; also, where demanded, a model without a height datum.
    """
    at = _at(spec.options, spec.file.name)
    crs, height = spec.crs, spec.height_datum
    if at is not None and frame is not None and crs is None:
        crs, height = frame.crs, height or frame.height_datum
    found = resolve(
        evidence_from(record, centre),
        name=spec.file.name,
        inside=_inside,
        at=at,
        crs=crs,
        height_datum=height,
        project=_project,
        unit_of=lambda name: axis_unit_m(split_crs(name)[0]),
    )
    if demand_height:
        datum_of(found, spec)
    return found


def datum_of(placement: Placement, spec: LayerSpec) -> tuple[str, str]:
    """Return (projected system, height datum) of a placement.

    Raises
    ------
    FrameError
        Neither the file nor the caller names a height datum.
    """
    crs, height = split_crs(placement.crs)
    named = placement.height_datum or height or spec.height_datum
    if named is None:
        raise FrameError("bim.no_height_datum", given=spec.file.name, values={"crs": crs})
    return crs, parse_height_datum(named)


def to_frame(
    placement: Placement, spec: LayerSpec, frame: Frame, centre: tuple[float, float, float]
) -> Matrix:
    """Return the (4, 4) matrix from model metres to the frame's metres and heights.

    Another system than the frame's is reached through the linear part of the
    transformation at the middle of the model: over 100 m that is exact to 0.1 mm.
    """
    crs, height = datum_of(placement, spec)
    matrix = placement.matrix
    if crs != frame.crs:
        unit = axis_unit_m(crs)
        middle = (matrix @ np.array([*centre, 1.0]))[:2]
        steps = np.array([[0, 0], [_STEP_M, 0], [-_STEP_M, 0], [0, _STEP_M], [0, -_STEP_M]])
        there = transform((middle + steps) / unit, source=crs, target=frame.crs)
        linear = np.column_stack([there[1] - there[2], there[3] - there[4]]) / (2 * _STEP_M)
        step = np.eye(4)
        step[:2, :2] = linear
        step[:2, 3] = there[0] - linear @ middle
        matrix = step @ matrix
    offset = spec.options.get("height_offset_m")
    lift = transform_heights(
        [0.0],
        source=height,
        target=frame.height_datum,
        offset_m=None if offset is None else float(offset),
    )
    moved = matrix.copy()
    moved[2, 3] += float(lift[0])
    return moved


def _inside(crs: str, east_m: float, north_m: float) -> bool:
    name, _ = split_crs(crs)
    unit = axis_unit_m(name)
    x, y = east_m / unit, north_m / unit
    try:
        check_area_of_use(name, (x, y, x, y))
    except FrameError as error:
        if error.key in ("crs.outside_area", "crs.bounds_not_finite"):
            return False
        raise
    return True


def _project(crs: str, lon: float, lat: float) -> tuple[str, float, float, float] | None:
    """Return the frame a place in degrees would get, and the place in it; None outside."""
    name, _ = split_crs(crs)
    try:
        check_area_of_use(name, (lon, lat, lon, lat))
    except FrameError as error:
        if error.key in ("crs.outside_area", "crs.bounds_not_finite"):
            return None
        raise
    chosen = choose_frame(name, (lon, lat, lon, lat)).frame.crs
    east, north = transform([[lon, lat]], source=name, target=chosen)[0][:2]
    return chosen, float(east), float(north), grid_convergence_deg(chosen, lon, lat)


def _at(options: Mapping[str, Any], name: str) -> tuple[float, float, float, float] | None:
    given = options.get("at")
    if given is None:
        return None
    numbers = isinstance(given, (list, tuple)) and all(
        isinstance(v, (int, float)) and np.isfinite(v) for v in given
    )
    if not numbers or len(given) not in (3, 4):
        raise SourceError("bim.at", given=name, values={"at": given})
    x, y, z, turn = (*(float(v) for v in given), 0.0)[:4]
    return x, y, z, turn
