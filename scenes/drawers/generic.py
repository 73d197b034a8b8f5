"""How any field is drawn: a ramp between round numbers over its cells, objects or links."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from cim import messages
from scenes import palette
from scenes.drawables import Legend
from scenes.drawers.drawing import Asked, Drawing
from scenes.ramps import VIRIDIS, Ramp, colours, round_limits

__all__ = ["generic", "ramped", "written_unit"]

_OPAQUE = 225
_SIGNS = {"1": "", "degree": "°", "degrees": "°", "deg": "°", "degC": "°C", "percent": "%"}


def generic(asked: Asked) -> Drawing:
    """Draw any field: a ramp from its smallest to its largest value."""
    return ramped(asked, VIRIDIS)


def ramped(
    asked: Asked,
    ramp: Ramp,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Drawing:
    """Return a field as a ramp of colours.

    Parameters
    ----------
    asked
        What to draw.
    ramp
        Its colours.
    low, high
        Ends of the ramp; from the values, rounded outwards, where None.
    above
        Cells at or below it are left clear.
    """
    values = asked.values
    span = asked.span
    least, most, ticks = round_limits(
        span[0] if low is None else low,
        span[1] if high is None else high,
        keep_low=low is not None,
        keep_high=high is not None,
    )
    rgb = colours(values, ramp, least, most)
    if asked.field.carrier == "grid":
        shown = np.isfinite(values) & (values > above if above is not None else True)
        legend = _legend(asked, ramp, (least, most), ticks, missing=False)
        alpha = np.where(shown, _OPAQUE, 0).astype(np.uint8)
        return Drawing(legend=legend, cells=np.dstack([rgb, alpha]))
    missing = ~np.isfinite(values)
    rgb[missing] = palette.NO_VALUE
    legend = _legend(asked, ramp, (least, most), ticks, missing=bool(missing.any()))
    assert asked.field.ids is not None  # Result checked it
    ids = [str(i) for i in asked.field.ids]
    by_id = dict(zip(ids, map(_triple, rgb.tolist()), strict=True))
    return Drawing(legend=legend, objects={asked.field.layer: by_id})


def written_unit(unit: str) -> str:
    """Return a unit as it is printed: ``m²/s`` for ``m2/s``, nothing for a pure number."""
    if unit in _SIGNS:
        return _SIGNS[unit]
    return re.sub(r"(?<=[A-Za-z])[23]\b", lambda found: "²³"[int(found[0]) - 2], unit)


def _triple(rgb: list[int]) -> tuple[int, int, int]:
    return (rgb[0], rgb[1], rgb[2])


def _legend(
    asked: Asked,
    ramp: Ramp,
    limits: tuple[float, float],
    ticks: NDArray[np.float64],
    *,
    missing: bool,
) -> Legend:
    low, high = limits
    texts = [f"{tick:.6g}" for tick in ticks]
    least, most = asked.span
    hair = 1e-6 * (high - low)
    if most > high + hair:
        texts[-1] = f"≥ {texts[-1]}"
    if least < low - hair:
        texts[0] = f"≤ {texts[0]}"
    marks = [(float((t - low) / (high - low)), text) for t, text in zip(ticks, texts, strict=True)]
    none = messages.text("scenes.no_value", lang=asked.lang)
    return Legend(
        title=messages.title(asked.field.titles, lang=asked.lang),
        unit=written_unit(asked.field.unit),
        rgb=colours(np.linspace(low, high, 128), ramp, low, high),
        marks=marks,
        keys=[(palette.NO_VALUE, none)] if missing else [],
    )
