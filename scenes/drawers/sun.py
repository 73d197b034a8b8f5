"""How shadows are drawn: shaded ground dark, light from where the sun stood."""

from __future__ import annotations

import numpy as np

from cim import messages
from scenes.drawables import Legend
from scenes.drawers.drawing import Asked, Drawing
from scenes.drawers.generic import generic, ramped
from scenes.ramps import SHADE, VIRIDIS

__all__ = ["draw"]

_LOWEST_LIGHT_DEG = 32.0  # walls under a lower sun would go white, the rest black


def draw(asked: Asked) -> Drawing:
    """Draw the shaded cells; shares of objects as any field, from 0 to 1."""
    if asked.field.carrier != "grid":
        share = asked.field.unit == "1"
        return ramped(asked, VIRIDIS, low=0.0, high=1.0) if share else generic(asked)
    values = asked.values
    cells = np.zeros((*values.shape, 4), dtype=np.uint8)
    cells[...] = (*SHADE, 0)
    cells[..., 3] = np.where(values > 0, 165, 0)
    legend = Legend(
        title=messages.title(asked.field.titles, lang=asked.lang),
        unit="",
        rgb=np.array([SHADE], dtype=np.uint8),
    )
    return Drawing(legend=legend, cells=cells, light=_light(asked))


def _light(asked: Asked) -> tuple[float, float, float] | None:
    summary = asked.result.summary
    if "sun_altitude_deg" not in summary or "sun_azimuth_deg" not in summary:
        return None
    high = np.radians(max(float(summary["sun_altitude_deg"]), _LOWEST_LIGHT_DEG))
    way = np.radians(float(summary["sun_azimuth_deg"]))
    flat = float(np.cos(high))
    return (flat * float(np.sin(way)), flat * float(np.cos(way)), float(np.sin(high)))
