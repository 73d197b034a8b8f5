"""What a number, a text or a truth in a file means: units, spellings, types.

Lengths, speeds and rates come in the file's unit and leave in the kind's. A text
such as ``"12 m"`` is read; ``"12,5"``, ``"10-12"`` or a height of ``"3层"`` are not:
two people would read them in two ways.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import UnitError
from cim.model.kinds import Field

__all__ = [
    "ALIASES",
    "MAY_BE_NEGATIVE",
    "base_unit",
    "factor",
    "parse_number",
    "parse_truth",
    "to_text",
]

# unit -> (SI or field unit of its dimension, factor). Foot: 1959 agreement; US survey
# foot 1200/3937 m; 1 mu = 10000/15 m².
_UNITS: dict[str, tuple[str, float]] = {
    "m": ("m", 1.0),
    "km": ("m", 1000.0),
    "dm": ("m", 0.1),
    "cm": ("m", 0.01),
    "mm": ("m", 0.001),
    "ft": ("m", 0.3048),
    "us-ft": ("m", 1200.0 / 3937.0),
    "in": ("m", 0.0254),
    "m2": ("m2", 1.0),
    "km2": ("m2", 1e6),
    "ha": ("m2", 1e4),
    "mu": ("m2", 10000.0 / 15.0),
    "ft2": ("m2", 0.3048**2),
    "m3": ("m3", 1.0),
    "l": ("m3", 0.001),
    "m/s": ("m/s", 1.0),
    "km/h": ("m/s", 1 / 3.6),
    "mph": ("m/s", 0.44704),
    "kn": ("m/s", 1852.0 / 3600.0),
    "1/s": ("1/s", 1.0),
    "1/h": ("1/s", 1 / 3600.0),
    "mm/h": ("mm/h", 1.0),
    "mm/min": ("mm/h", 60.0),
    "mm/d": ("mm/h", 1 / 24.0),
    "in/h": ("mm/h", 25.4),
    "m/h": ("mm/h", 1000.0),
    "m3/s": ("m3/s", 1.0),
    "l/s": ("m3/s", 0.001),
    "m3/h": ("m3/s", 1 / 3600.0),
    "1": ("1", 1.0),
    "%": ("1", 0.01),
    "a": ("a", 1.0),
}
_SPELLINGS = {
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "米": "m", "公尺": "m",
    "公里": "km", "千米": "km", "厘米": "cm", "毫米": "mm", "millimetre": "mm", "millimeter": "mm",
    "centimetre": "cm", "centimeter": "cm",
    "feet": "ft", "foot": "ft", "'": "ft", "英尺": "ft", "us survey foot": "us-ft", "usft": "us-ft",
    "ftus": "us-ft", "us_survey_foot": "us-ft", "inch": "in", "inches": "in", '"': "in",
    "m²": "m2", "m^2": "m2", "sqm": "m2", "平方米": "m2", "㎡": "m2", "公顷": "ha", "亩": "mu",
    "hectare": "ha", "km²": "km2", "sqft": "ft2", "ft²": "ft2", "m³": "m3", "m^3": "m3",
    "kph": "km/h", "kmh": "km/h", "km/hr": "km/h", "公里/小时": "km/h", "千米/小时": "km/h",
    "mi/h": "mph", "mps": "m/s", "米/秒": "m/s", "knots": "kn", "knot": "kn",
    "veh/h": "1/h", "pcu/h": "1/h", "vph": "1/h", "veh/s": "1/s", "vps": "1/s", "辆/小时": "1/h",
    "毫米/小时": "mm/h", "mm/hr": "mm/h", "mm/day": "mm/d", "percent": "%",
    "year": "a", "years": "a", "年": "a", "-": "1", "": "1", "层": "1", "storeys": "1",
}  # fmt: skip
_COUNTED = ("层", "f", "storeys", "storey", "stories", "floors", "levels", "层楼")
_FEET_INCHES = re.compile(r"""(\d+(?:\.\d+)?)\s*'\s*(\d+(?:\.\d+)?)\s*(?:"|'')""")
_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(\D*)")

MAY_BE_NEGATIVE = frozenset(
    [
        "base_m",
        "floor_level_m",
        "invert_from_m",
        "invert_to_m",
        "invert_m",
        "ground_m",
        "elevation_m",
        "level_m",
        "stage_m",
        "crest_m",
        "index",
        "year",
    ]
)
"""Attributes of the kinds for which a negative number makes sense: levels and years."""

ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("名称", "mc", "建筑名称", "道路名称", "road_name", "bldg_name"),
    "height_m": ("height", "高度", "建筑高度", "bldg_h", "building_height", "hgt", "树高", "墙高"),
    "storeys_above": (
        "storeys", "floor", "floors", "building:levels", "levels", "层数", "地上层数", "楼层",
        "num_floors", "storeys_ab",
    ),
    "storeys_below": ("地下层数", "building:levels:underground", "storeys_be"),
    "year": ("建成年份", "year_built", "built"),
    "use": ("用途", "用地性质", "land_use", "landuse"),
    "protection": ("保护等级", "protection_class"),
    "class": ("道路等级", "highway", "road_class", "fclass"),
    "width_m": ("width", "宽度", "红线宽度"),
    "lanes": ("车道数", "单向车道数"),
    "species": ("树种",),
    "crown_m": ("crown", "冠幅"),
    "diameter_m": ("diameter", "管径"),
    "material": ("材质",),
    "floor_area_ratio": ("far", "容积率"),
    "population": ("人口", "人口数", "常住人口", "户籍人口", "residents", "inhabitants"),
    "jobs": ("就业人数", "岗位数", "employees"),
}  # fmt: skip
"""Names under which files without a mapping carry an attribute; every use is said aloud."""


def base_unit(unit: str) -> tuple[str, float]:
    """Return the unit that `unit` is kept in and the factor to it.

    Raises
    ------
    UnitError
        Unknown unit.

    Examples
    --------
    >>> base_unit("km")
    ('m', 1000.0)
    """
    found = _lookup(unit)
    if found is None:
        raise UnitError("source.unit_unknown", given=unit, values={"known": " ".join(_UNITS)})
    return found


def factor(unit: str, target: str) -> float:
    """Return by how much a number in `unit` is multiplied to be in `target`.

    Raises
    ------
    UnitError
        Unknown unit, or one of another dimension.

    Examples
    --------
    >>> round(factor("km/h", "m/s"), 4)
    0.2778
    """
    kept, times = base_unit(unit)
    wanted, wanted_times = base_unit(target)
    if kept != wanted:
        raise UnitError("source.unit_dimension", given=unit, values={"target": target})
    return times / wanted_times


def parse_number(text: str, field: Field, times: float = 1.0) -> float | None:
    """Return the number that a text means in the unit of `field`; None where that is open.

    Parameters
    ----------
    text
        ``"12"``, ``"12 m"``, ``"40 ft"``, ``6'7"``, full-width digits; for counts also ``"3层"``.
    field
        The attribute; its unit is the one returned.
    times
        Factor of a number that names no unit of its own.
    """
    tidy = unicodedata.normalize("NFKC", text).strip()
    both = _FEET_INCHES.fullmatch(tidy) if field.unit == "m" else None
    if both is not None:
        return float(both[1]) * 0.3048 + float(both[2]) * 0.0254
    match = _NUMBER.fullmatch(tidy)
    if match is None:
        return None
    number, unit = float(match[1]), match[2].strip()
    if not np.isfinite(number):
        return None
    if not unit:
        return number * times
    if unit.lower() in _COUNTED:
        return number if field.name.startswith("storeys") else None
    found = _lookup(unit)
    if found is None or not field.unit or found[0] != base_unit(field.unit)[0]:
        return None
    return number * found[1] / base_unit(field.unit)[1]


def parse_truth(value: Any) -> bool | None:
    """Return True or False for the usual spellings in two languages, None for all others."""
    word = str(value).strip().lower()
    if word in ("1", "1.0", "true", "t", "yes", "y", "是", "有"):
        return True
    if word in ("0", "0.0", "false", "f", "no", "n", "否", "无"):
        return False
    return None


def to_text(values: NDArray[Any]) -> list[str | None]:
    """Return numbers, truths and texts as texts; whole numbers without a point."""
    out: list[str | None] = []
    for value in values:
        if value is None or (isinstance(value, float) and np.isnan(value)):
            out.append(None)
        elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            out.append(str(int(value)))
        else:
            out.append(str(value))
    return out


def _lookup(unit: str) -> tuple[str, float] | None:
    word = unicodedata.normalize("NFKC", unit).strip()
    for name in (unit.strip(), word, word.lower()):
        found = _UNITS.get(_SPELLINGS.get(name, name))
        if found is not None:
            return found
    return None
