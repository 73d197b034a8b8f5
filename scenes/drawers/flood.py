"""How a flood is drawn: depth in blues, clear where the ground is as good as dry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cim.registry import standard
from scenes.drawers.drawing import Asked, Drawing
from scenes.drawers.generic import generic, ramped
from scenes.ramps import BLUES

__all__ = ["draw"]

_DEEPEST_M = 0.6  # end of the ramp: knee to thigh; deeper water says so in the legend


def draw(asked: Asked) -> Drawing:
    """Draw depth from nothing to `_DEEPEST_M`; other fields as any field."""
    if asked.field.unit != "m":
        return generic(asked)
    wet = standard("flood.arrival_depth_m").number()
    made = ramped(asked, BLUES, low=0.0, high=_DEEPEST_M, above=wet)
    if made.cells is None:
        return made
    cells = made.cells.copy()
    deep = np.clip(np.nan_to_num(asked.values) / 0.25, 0.0, 1.0)
    cells[..., 3] = np.where(cells[..., 3] > 0, 165 + 75 * deep, 0)
    return replace(made, cells=cells)
