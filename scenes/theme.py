"""How a scene's styles become colours and labels: by an attribute's numbers or its classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes import palette
from scenes.drawables import Legend
from scenes.drawers.drawing import Drawing
from scenes.drawers.generic import written_unit
from scenes.ramps import BLUES, HEAT, HEAT_DOWN, VIRIDIS, Ramp, colours, round_limits, usual_top
from scenes.scene import Scene, Style

__all__ = ["CLASSES", "found", "themed"]

_RAMPS: Mapping[str, Ramp] = {
    "viridis": VIRIDIS, "blues": BLUES, "heat": HEAT, "heat_down": HEAT_DOWN,
}  # fmt: skip
# Okabe and Ito 2008: eight colours told apart by the colour-blind, the black left out
CLASSES = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
           (213, 94, 0), (204, 121, 167))  # fmt: skip


def themed(scene: Scene, view: TwinView, layers: Sequence[str]) -> Drawing | None:
    """Return the colours of layers styled by an attribute; None where none is.

    Raises
    ------
    RequestError
        The layer has no such attribute; the message lists those there are.
    """
    styles = [s for s in scene.styles if s.by is not None and s.layer in layers]
    if not styles:
        return None
    objects: dict[str, dict[str, tuple[int, int, int]]] = {}
    legends = []
    for style in styles:
        table = view.table(style.layer)
        rgb, legend = _coloured(table, style, scene.lang)
        ids = map(str, table.ids)
        objects[style.layer] = dict(zip(ids, map(tuple, rgb.tolist()), strict=True))
        legends.append(legend)
    return Drawing(legend=legends[0], objects=objects)


def _coloured(
    table: FeatureTable, style: Style, lang: str | None
) -> tuple[NDArray[np.uint8], Legend]:
    name = str(style.by)
    field = next((f for f in table.fields if f.name == name), None)
    if field is None:
        known = ", ".join(f.name for f in table.fields)
        raise RequestError("scenes.no_attribute", given=name, values={"known": known})
    title = messages.title(field.titles, lang=lang)
    column = table.column(name)
    if column.dtype.kind in "fiu":
        return _numbers(column.astype(np.float64), style, title or name, field.unit or "", lang)
    return _classes(column, title or name, lang)


def _numbers(
    values: NDArray[np.float64], style: Style, title: str, unit: str, lang: str | None
) -> tuple[NDArray[np.uint8], Legend]:
    known = values[np.isfinite(values)]
    least, most = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    usual = usual_top(values) if known.size and style.limits is None else None
    ends = style.limits or (least, most if usual is None else usual)
    kept = style.limits is not None
    low, high, ticks = round_limits(*ends, keep_low=kept, keep_high=kept or usual is not None)
    ramp = _RAMPS[style.ramp]
    rgb = colours(values, ramp, low, high)
    missing = ~np.isfinite(values)
    rgb[missing] = palette.NO_VALUE
    texts = [f"{t:.6g}" for t in ticks]
    hair = 1e-6 * (high - low)
    if texts and most > high + hair and ticks[-1] >= high - hair:
        texts[-1] = f"≥ {texts[-1]}"
    if texts and least < low - hair and ticks[0] <= low + hair:
        texts[0] = f"≤ {texts[0]}"
    marks = [(float((t - low) / (high - low)), x) for t, x in zip(ticks, texts, strict=True)]
    none = messages.text("scenes.no_value", lang=lang)
    keys = [(palette.NO_VALUE, none)] if missing.any() else []
    scale = colours(np.linspace(low, high, 128), ramp, low, high)
    return rgb, Legend(title, written_unit(unit), scale, marks, keys)


def _classes(
    column: NDArray[Any], title: str, lang: str | None
) -> tuple[NDArray[np.uint8], Legend]:
    """Colour the most frequent classes; the rest share a grey that the legend names."""
    texts = np.array(["" if v is None else str(v) for v in column], dtype=object)
    names, counts = np.unique(texts[texts != ""], return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    shown = [str(n) for n in order[: len(CLASSES)]]
    rgb = np.full((len(texts), 3), palette.NO_VALUE, np.uint8)
    for name, colour in zip(shown, CLASSES, strict=False):
        rgb[texts == name] = colour
    keys = [(CLASSES[i], name) for i, name in enumerate(shown)]
    if len(order) > len(shown):
        keys.append((palette.NO_VALUE, messages.text("scenes.other_classes", lang=lang)))
    elif (texts == "").any():
        keys.append((palette.NO_VALUE, messages.text("scenes.no_value", lang=lang)))
    return rgb, Legend(title, "", np.empty((0, 3), np.uint8), (), keys)


def found(view: TwinView, text: str, *, most: int = 50) -> list[tuple[str, str, str]]:
    """Return (layer, id, what matched) of objects whose id, name or address holds a text.

    Parameters
    ----------
    view
        The twin.
    text
        What is looked for; case does not matter.
    most
        How many at most.
    """
    wanted = text.casefold().strip()
    hits: list[tuple[str, str, str]] = []
    if not wanted:
        return hits
    for layer in view.layers():
        table = view.table(layer)
        names = [f.name for f in table.fields if f.name in ("name", "name_zh", "address", "code")]
        columns = [table.ids, *(table.column(n) for n in names)]
        for row in zip(*columns, strict=True):
            match = next((str(v) for v in row if v and wanted in str(v).casefold()), None)
            if match is not None:
                hits.append((layer, str(row[0]), match))
                if len(hits) == most:
                    return hits
    return hits
