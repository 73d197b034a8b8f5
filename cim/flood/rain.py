"""How hard it rains, and when: design storms from published depths, even and recorded storms.

A design storm has a depth and a shape. The *depth* of a return period
(重现期) and a duration comes from a table of station records, between its rows
by the logarithm and never beyond them, or from an intensity formula (暴雨强度公式)
``q = a (1 + c lg P) / (t + b)^n``. The *shape* is that of Keifer & Chu (1957), the
Chicago storm (芝加哥雨型): within every span around the peak, the part `r` of it
before the peak, falls exactly the depth that the formula gives for such a span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.crs import Box, Frame, lonlat
from cim.errors import FrameError, RequestError
from cim.registry import standard

__all__ = [
    "SOURCES",
    "Storm",
    "design_depth_mm",
    "design_storm",
    "even_storm",
    "far_from_law_km",
    "recorded_storm",
]

SOURCES = ("tianjin", "tanggu", "formula_old", "zone_I", "zone_II", "zone_III", "zone_IV")
"""Where the depth of a design storm may come from; the two stations are verified tables."""

_TABLES = {"tianjin": "rain.tianjin.depth_mm", "tanggu": "rain.tanggu.depth_mm"}
_SHAPE = "formula_old"  # spreads a table's depth over time
_FORMULA_MIN = (5.0, 180.0)  # durations the formulas are made for
_FORMULA_A = (1.0, 100.0)
_EARTH_KM = 6371.0
_L_S_HA_TO_MM_MIN = 0.006  # 1 L/(s·hm2) = 0.06/10 mm/min


@dataclass(frozen=True)
class Storm:
    """Rain over time, in blocks of constant intensity; dry after the last.

    Attributes
    ----------
    titles
        What storm it is, by language.
    ends_s
        (k,) end of each block, seconds after the start, ascending.
    rain_mm_h
        (k,) intensity of each block.
    parameters
        What made it, complete enough to make it again.
    standards
        Keys of the registry it rests on.
    """

    titles: Mapping[str, str]
    ends_s: NDArray[np.float64]
    rain_mm_h: NDArray[np.float64]
    parameters: Mapping[str, Any]
    standards: tuple[str, ...] = field(default=())

    @property
    def duration_s(self) -> float:
        """Return when the last block ends."""
        return float(self.ends_s[-1])

    @property
    def depth_mm(self) -> float:
        """Return the depth of the whole storm."""
        return float(np.sum(np.diff(self.ends_s, prepend=0.0) * self.rain_mm_h) / 3600.0)

    @property
    def peak_mm_h(self) -> float:
        """Return the intensity of the hardest block."""
        return float(self.rain_mm_h.max())

    def fallen_m(self, t_s: float) -> float:
        """Return the depth fallen from the start until `t_s`, metres."""
        begins = np.concatenate([[0.0], self.ends_s[:-1]])
        spans = np.clip(t_s, begins, self.ends_s) - begins
        return float(np.sum(spans * self.rain_mm_h) / 3.6e6)


def design_storm(
    *,
    return_period_a: float,
    duration_min: float = 60.0,
    source: str = "tianjin",
    peak_position: float | None = None,
    block_min: float = 5.0,
) -> Storm:
    """Return the Chicago storm of a return period.

    Parameters
    ----------
    return_period_a
        Return period, years.
    duration_min
        How long it rains, minutes.
    source
        One of `SOURCES`. A table gives the depth, and the old formula of Tianjin spreads it
        over time; a formula gives both.
    peak_position
        Part of the storm before its peak, 0 to 1 (雨峰系数 r); None takes the registry's.
    block_min
        Length of a block, minutes.

    Raises
    ------
    RequestError
        No such source; a return period or duration outside its table or formula; a peak or a
        block outside the storm.

    Examples
    --------
    >>> storm = design_storm(return_period_a=50, duration_min=60)
    >>> round(storm.depth_mm, 2)
    81.69
    """
    r = standard("rain.peak_position").number() if peak_position is None else peak_position
    if not 0.0 <= r <= 1.0:
        raise RequestError("rain.peak", given=r)
    if not 0.0 < block_min <= duration_min:
        raise RequestError("rain.block", given=block_min, values={"duration": duration_min})
    total_mm = design_depth_mm(
        return_period_a=return_period_a, duration_min=duration_min, source=source
    )
    shape = source if source not in _TABLES else _SHAPE
    spread = _formula(shape, return_period_a)
    scale = total_mm / spread(duration_min)
    ends_min = np.append(np.arange(block_min, duration_min - 1e-9, block_min), duration_min)
    fallen_mm = scale * np.array([_fallen_mm(spread, t, duration_min, r) for t in ends_min])
    rates = np.diff(fallen_mm, prepend=0.0) / np.diff(ends_min, prepend=0.0) * 60.0
    values = {"p": f"{return_period_a:g}", "t": f"{duration_min:g}", "mm": f"{total_mm:.1f}"}
    keys = [_key(source), _key(shape), *([] if peak_position is not None else ["peak_position"])]
    return Storm(
        titles={
            lang: messages.text(
                "rain.design",
                {**values, "place": messages.text(f"rain.place.{source}", lang=lang)},
                lang=lang,
            )
            for lang in messages.LANGUAGES
        },
        ends_s=ends_min * 60.0,
        rain_mm_h=rates,
        parameters={
            "return_period_a": float(return_period_a),
            "duration_min": float(duration_min),
            "source": source,
            "shape": shape,
            "peak_position": float(r),
            "block_min": float(block_min),
        },
        standards=tuple(dict.fromkeys(k if "." in k else f"rain.{k}" for k in keys)),
    )


def design_depth_mm(
    *, return_period_a: float, duration_min: float, source: str = "tianjin"
) -> float:
    """Return the depth of a return period and a duration, mm.

    Between the rows of a table the depth runs straight over the logarithm of the return
    period, and its logarithm straight over that of the duration.

    Raises
    ------
    RequestError
        No such source; outside its table or formula, where nobody knows.
    """
    if source not in SOURCES:
        raise RequestError("rain.source", given=source, values={"known": ", ".join(SOURCES)})
    if source not in _TABLES:
        _check_inside("rain.period_outside", return_period_a, _FORMULA_A, source)
        _check_inside("rain.duration_outside", duration_min, _FORMULA_MIN, source)
        return _formula(source, return_period_a)(duration_min)
    table = standard(_TABLES[source]).value
    periods = np.array(standard("rain.return_periods_a").value)
    minutes = np.array(sorted(float(key) for key in table))
    _check_inside("rain.period_outside", return_period_a, (periods[0], periods[-1]), source)
    _check_inside("rain.duration_outside", duration_min, (minutes[0], minutes[-1]), source)
    depths = [
        np.interp(np.log(return_period_a), np.log(periods), table[f"{minute:g}"])
        for minute in minutes
    ]
    return float(np.exp(np.interp(np.log(duration_min), np.log(minutes), np.log(depths))))


def even_storm(*, depth_mm: float, duration_min: float) -> Storm:
    """Return `depth_mm` of rain, spread evenly over `duration_min`.

    Raises
    ------
    RequestError
        A negative depth, or no duration.
    """
    ends = np.array([duration_min * 60.0])
    return recorded_storm(ends_s=ends, depths_mm=[depth_mm])


def recorded_storm(*, ends_s: Sequence[float] | NDArray[Any], depths_mm: Sequence[float]) -> Storm:
    """Return a storm as a gauge recorded it.

    Parameters
    ----------
    ends_s
        (k,) end of each reading, seconds after the start of the first, ascending.
    depths_mm
        (k,) what fell within each, mm.

    Raises
    ------
    RequestError
        Lengths differ, times do not ascend from 0, or a depth is negative or missing.
    """
    ends, depths = np.asarray(ends_s, np.float64), np.asarray(depths_mm, np.float64)
    fits = ends.ndim == 1 and ends.shape == depths.shape and ends.size > 0
    if not fits or not np.isfinite(ends).all() or not (np.diff(ends, prepend=0.0) > 0).all():
        raise RequestError("rain.times", given=f"{ends.shape} {depths.shape}")
    if not (np.isfinite(depths) & (depths >= 0)).all():
        raise RequestError("rain.depth", given=depths.tolist())
    mm, minutes = f"{depths.sum():.1f}", f"{ends[-1] / 60.0:g}"
    return Storm(
        titles=_both("rain.recorded", {"mm": mm, "t": minutes}),
        ends_s=ends,
        rain_mm_h=depths / np.diff(ends, prepend=0.0) * 3600.0,
        parameters={"ends_s": ends.tolist(), "depths_mm": depths.tolist()},
    )


def far_from_law_km(storm: Storm, frame: Frame, bounds: Box) -> float | None:
    """Return how far a place lies from that of a design storm's law, km, where that is too far.

    Parameters
    ----------
    storm
        The storm; a recorded one is of no law.
    frame, bounds
        Of the place.

    Returns
    -------
    float or None
        None where the law counts here, or where nobody knows where on earth the place is.
    """
    if storm.parameters.get("source") not in SOURCES:
        return None
    middle = np.array([[(bounds[0] + bounds[2]) / 2.0, (bounds[1] + bounds[3]) / 2.0]])
    try:
        here = np.radians(np.asarray(lonlat(frame, middle), np.float64)[0])
    except FrameError:  # a system of its own, without a place on earth
        return None
    there = np.radians(np.array(standard("sun.tianjin.reference_lonlat").value))
    half = np.sin((here - there) / 2.0) ** 2  # haversine
    chord = half[1] + np.cos(here[1]) * np.cos(there[1]) * half[0]
    away_km = 2.0 * _EARTH_KM * float(np.arcsin(np.sqrt(chord)))
    return away_km if away_km * 1e3 > standard("rain.tianjin.reach_m").number() else None


def _formula(source: str, return_period_a: float) -> Callable[[float], float]:
    """Return the depth in mm of a span in minutes, by the intensity formula `source`."""
    if source == "formula_old":
        entry = standard("rain.formula_old")
        a, c, b, n = (entry.by_class(name) for name in "acbn")
    else:
        zone = source.removeprefix("zone_")
        a, c, b, n = standard("rain.formula_2016").value[zone]
    top = a * (1.0 + c * np.log10(return_period_a)) * _L_S_HA_TO_MM_MIN
    return lambda minutes: float(top * minutes / (minutes + b) ** n)


def _fallen_mm(
    depth: Callable[[float], float], t_min: float, duration_min: float, r: float
) -> float:
    """Depth fallen until `t_min` of a Chicago storm with its peak at `r` of the duration."""
    peak_min = r * duration_min
    if t_min <= peak_min:
        return r * (depth(duration_min) - depth((peak_min - t_min) / r))
    return r * depth(duration_min) + (1.0 - r) * depth((t_min - peak_min) / (1.0 - r))


def _both(key: str, values: Mapping[str, object]) -> dict[str, str]:
    return {lang: messages.text(key, values, lang=lang) for lang in messages.LANGUAGES}


def _key(source: str) -> str:
    if source in _TABLES:
        return _TABLES[source]
    return "rain.formula_old" if source == "formula_old" else "rain.formula_2016"


def _check_inside(key: str, value: float, ends: tuple[float, float], source: str) -> None:
    if not ends[0] <= value <= ends[1]:
        values = {"low": f"{ends[0]:g}", "high": f"{ends[1]:g}", "source": source}
        raise RequestError(key, given=f"{value:g}", values=values)
