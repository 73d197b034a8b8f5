"""What a file's numbers are in: metres per length unit, and so on for areas, volumes, angles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bim_import.step import StepFile

__all__ = ["Units", "read_units", "unit_factor"]

_PREFIX = {
    "EXA": 1e18, "PETA": 1e15, "TERA": 1e12, "GIGA": 1e9, "MEGA": 1e6, "KILO": 1e3, "HECTO": 1e2,
    "DECA": 1e1, "DECI": 1e-1, "CENTI": 1e-2, "MILLI": 1e-3, "MICRO": 1e-6, "NANO": 1e-9,
    "PICO": 1e-12, "FEMTO": 1e-15, "ATTO": 1e-18,
}  # fmt: skip
_POWER = {"SQUARE_METRE": 2, "CUBIC_METRE": 3}


@dataclass(frozen=True)
class Units:
    """Factors to SI.

    Attributes
    ----------
    length_m
        Metres per length unit; None where the file names none.
    area_m2, volume_m3
        Square and cubic metres per unit; from the length where not named.
    angle_rad
        Radians per unit of plane angle.
    """

    length_m: float | None
    area_m2: float
    volume_m3: float
    angle_rad: float

    def factor(self, measure: str) -> float:
        """Return the factor to SI of a measure class such as ``IFCAREAMEASURE``."""
        if "LENGTHMEASURE" in measure or measure == "IFCQUANTITYLENGTH":
            return self.length_m or 1.0
        if measure in ("IFCAREAMEASURE", "IFCQUANTITYAREA"):
            return self.area_m2
        return self.volume_m3 if measure in ("IFCVOLUMEMEASURE", "IFCQUANTITYVOLUME") else 1.0


def read_units(step: StepFile) -> Units:
    """Return the units of the project."""
    found: dict[str, float] = {}
    assigned = [a[8] for _, a in step.each("IFCPROJECT", "IFCPROJECTLIBRARY") if len(a) > 8]
    wanted = [x for x in assigned if isinstance(x, int)] or step.of("IFCUNITASSIGNMENT")
    for number in wanted[:1]:
        for unit in (step.args(number) or [[]])[0] or ():
            kind = _kind(step, unit)
            factor = unit_factor(step, unit)
            if kind and factor and factor > 0 and math.isfinite(factor):
                found.setdefault(kind, factor)
    length = found.get("LENGTHUNIT")
    base = length or 1.0
    return Units(
        length, found.get("AREAUNIT", base**2), found.get("VOLUMEUNIT", base**3),
        found.get("PLANEANGLEUNIT", 1.0),
    )  # fmt: skip


def unit_factor(step: StepFile, unit: Any) -> float | None:
    """Return the factor to SI of a unit; None for what is no unit, or a circle of them."""
    for _ in range(8):
        if not isinstance(unit, int):
            return None
        name, args = step.name(unit), step.args(unit)
        if name == "IFCSIUNIT" and len(args) > 3:
            factor: float = _PREFIX.get(str(args[2]), 1.0) ** _POWER.get(str(args[3]), 1)
            return factor
        if name.startswith("IFCCONVERSIONBASEDUNIT") and len(args) > 3:
            return _converted(step, args[3])
        return None
    return None


def _converted(step: StepFile, measure: Any, depth: int = 8) -> float | None:
    args = step.args(measure) if isinstance(measure, int) else []
    if len(args) < 2 or depth == 0:
        return None
    value = args[0][1] if isinstance(args[0], tuple) else args[0]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    name, below = step.name(args[1]) if isinstance(args[1], int) else "", None
    if name.startswith("IFCCONVERSIONBASEDUNIT"):
        inner = step.args(args[1])
        below = _converted(step, inner[3], depth - 1) if len(inner) > 3 else None
    elif name == "IFCSIUNIT":
        below = unit_factor(step, args[1])
    return None if below is None else float(value) * below


def _kind(step: StepFile, unit: Any) -> str:
    args = step.args(unit) if isinstance(unit, int) else []
    return str(args[1]) if len(args) > 1 and args[1] else ""


def from_record(record: Mapping[str, Any]) -> Units:
    """Return units from what was written as JSON."""
    return Units(**record)
