"""How a flood is drawn: depth in blues; streets and houses by their verdict over that water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.registry import standard
from scenes.drawables import Legend
from scenes.drawers.drawing import Asked, Colour, Drawing
from scenes.drawers.generic import generic, ramped
from scenes.palette import NO_VALUE
from scenes.ramps import BLUES

__all__ = ["draw"]

_DEEPEST_M = 0.6  # end of the ramp: knee to thigh; deeper water says so in the legend
_GOOD: Colour = (90, 150, 90)
_WARN: Colour = (244, 170, 60)
_BAD: Colour = (178, 16, 32)
_VERDICTS: dict[str, tuple[tuple[Colour, str], ...]] = {
    "road_state": (
        (_GOOD, "scenes.flood.open"), (_WARN, "scenes.flood.slow"), (_BAD, "scenes.flood.closed"),
    ),
    "road_fails": ((_GOOD, "scenes.flood.passes"), (_BAD, "scenes.flood.fails")),
    "floor_water_m": ((_GOOD, "scenes.flood.dry"), (_BAD, "scenes.flood.wet")),
}  # fmt: skip


def draw(asked: Asked) -> Drawing:
    """Draw depth from nothing to `_DEEPEST_M`, verdicts by class, other fields as any field."""
    name = asked.field.name
    classes = next((c for known, c in _VERDICTS.items() if name.startswith(known)), None)
    if classes is not None:
        return _verdict(asked, classes)
    if asked.field.unit != "m":
        return generic(asked)
    return _water(asked)


def _water(asked: Asked) -> Drawing:
    wet = standard("flood.arrival_depth_m").number()
    made = ramped(asked, BLUES, low=0.0, high=_DEEPEST_M, above=wet)
    if made.cells is None:
        return made
    cells = made.cells.copy()
    deep = np.clip(np.nan_to_num(asked.values) / 0.25, 0.0, 1.0)
    cells[..., 3] = np.where(cells[..., 3] > 0, 165 + 75 * deep, 0)
    return replace(made, cells=cells)


def _verdict(asked: Asked, classes: tuple[tuple[Colour, str], ...]) -> Drawing:
    """Colour features by class over the deepest water of the run."""
    values = asked.values
    if asked.field.unit == "m":
        values = np.where(np.isfinite(values), values > 0, np.nan)
    number = np.where(np.isfinite(values), values, -1).astype(int)
    colours = [NO_VALUE if n < 0 else classes[min(n, len(classes) - 1)][0] for n in number]
    assert asked.field.ids is not None  # Result checked it
    by_id = {str(i): colour for i, colour in zip(asked.field.ids, colours, strict=True)}
    keys = [(colour, messages.text(key, lang=asked.lang)) for colour, key in classes]
    if (number < 0).any():
        keys.append((NO_VALUE, messages.text("scenes.no_value", lang=asked.lang)))
    legend = Legend(
        title=messages.title(asked.field.titles, lang=asked.lang),
        unit="",
        rgb=np.empty((0, 3), np.uint8),
        keys=keys,
    )
    return Drawing(legend=legend, objects={asked.field.layer: by_id}, cells=_deepest(asked))


def _deepest(asked: Asked) -> NDArray[np.uint8] | None:
    try:
        field = asked.result.field("depth_max_m")
    except RequestError:
        return None
    return _water(Asked(asked.result, field, None, asked.lang)).cells
