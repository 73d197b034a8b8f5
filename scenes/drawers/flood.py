"""How a flood is drawn: depth in blues; streets and houses by their verdict over that water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.model.result import ResultField
from cim.registry import standard
from scenes.drawables import Legend
from scenes.drawers.drawing import Asked, Colour, Drawing
from scenes.drawers.generic import generic, ramped
from scenes.palette import NO_VALUE
from scenes.ramps import BLUES, HEAT, VIRIDIS, round_limits

__all__ = ["draw"]

PEAK = "depth_max_m"  # what one asks of a flood first: how deep it got
_MOST = 98.0  # per cent of the wet cells lie within the ramp; deeper water says so in the legend
_ASKED = 100_000  # cells are enough for that
_LEAST_M = 0.1  # no ramp ends lower: a film in the gutter is no deep blue
_NOT_WHERE_DRY = ("speed", "duration")  # 0 where no water was
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
    """Draw depth from nothing to what is deep in this run, verdicts by class, else a ramp."""
    name = asked.field.name
    classes = next((c for known, c in _VERDICTS.items() if name.startswith(known)), None)
    if classes is not None:
        return _verdict(asked, classes)
    if asked.field.carrier == "grid" and name.startswith("hazard"):
        return _hazard(asked)
    if asked.field.carrier == "grid" and name.startswith(_NOT_WHERE_DRY):
        return ramped(asked, VIRIDIS, low=0.0, above=0.0)
    if asked.field.unit != "m" or not name.startswith("depth"):
        return generic(asked)
    return _water(asked)


def _hazard(asked: Asked) -> Drawing:
    """Draw the hazard rating between the limits of its classes; where no water was, nothing."""
    limits = np.asarray(standard("flood.hazard_classes").value, dtype=float)
    made = ramped(asked, HEAT, low=0.0, high=float(limits[-1]), above=0.0)
    texts = [f"{limit:g}" for limit in limits]
    if asked.span[1] > limits[-1]:
        texts[-1] = f"≥ {texts[-1]}"
    marks = [(0.0, "0"), *zip((limits / limits[-1]).tolist(), texts, strict=True)]
    return replace(made, legend=replace(made.legend, marks=marks))


def _water(asked: Asked) -> Drawing:
    wet = standard("flood.arrival_depth_m").number()
    made = ramped(asked, BLUES, low=0.0, high=_deep_m(asked, wet), above=wet)
    if made.cells is None:
        return made
    cells = made.cells.copy()
    deep = np.clip(np.nan_to_num(asked.values, posinf=0.0) / 0.25, 0.0, 1.0)
    cells[..., 3] = np.where(cells[..., 3] > 0, 165 + 75 * deep, 0)
    return replace(made, cells=cells)


def _deep_m(asked: Asked, wet_m: float) -> float:
    """Return a round depth that few wet cells exceed, the same for all fields and times of a run.

    A cell of a pit or a pool ten times as deep as the streets would make all streets one blue.
    """
    field = asked.field
    if field.carrier == "grid":
        field = next((f for f in asked.result.fields if _is_peak(f)), field)
    values = np.fmax.reduce(field.values, axis=0) if field.over_time else field.values
    depth = values[np.isfinite(values) & (values > wet_m)]
    if not depth.size:
        return _LEAST_M
    deep = max(float(np.percentile(depth[:: 1 + depth.size // _ASKED], _MOST)), _LEAST_M)
    return round_limits(0.0, deep, keep_low=True)[1]


def _is_peak(field: ResultField) -> bool:
    return field.name == PEAK and field.carrier == "grid"


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
        field = asked.result.field(PEAK)
    except RequestError:
        return None
    return _water(Asked(asked.result, field, None, asked.lang)).cells
