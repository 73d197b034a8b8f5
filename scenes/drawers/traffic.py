"""How traffic is drawn: colour by the field asked for, width by the flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cim import messages
from cim.errors import RequestError
from scenes.drawers.drawing import Asked, Colour, Drawing
from scenes.drawers.generic import ramped
from scenes.palette import NO_VALUE
from scenes.ramps import HEAT, HEAT_DOWN

__all__ = ["draw"]

_CLOSED: Colour = (52, 54, 60)  # no colour of the ramp
_CLOSED_SHARE = 0.5  # as wide as its carriageway
_FULL = 1.2  # volume over capacity where the ramp ends


def draw(asked: Asked) -> Drawing:
    """Draw links from calm blue to jammed red, wide where much flows."""
    if asked.field.carrier != "links":
        return ramped(asked, HEAT)
    if asked.field.name == "volume_capacity":
        made = ramped(asked, HEAT, low=0.0, high=_FULL)
    elif asked.field.unit == "m/s":
        made = ramped(asked, HEAT_DOWN, low=0.0)
    else:
        made = ramped(asked, HEAT, low=0.0)
    closed = _closed(asked)
    if closed:
        made = _with_closed(made, asked, closed)
    shares = _shares(asked)
    if shares is None:
        return made
    wide = messages.text("scenes.wide_flow", lang=asked.lang)
    legend = replace(made.legend, keys=[*made.legend.keys, (NO_VALUE, wide)])
    shares |= dict.fromkeys(closed, _CLOSED_SHARE)
    return replace(made, legend=legend, widths={asked.field.layer: shares})


def _closed(asked: Asked) -> list[str]:
    """Return the ids of links no car may use: an assignment has no load for them."""
    try:
        load = asked.result.field("volume_capacity")
    except RequestError:
        return []
    if load.ids is None or load.layer != asked.field.layer:
        return []
    return [str(i) for i in load.ids[np.isnan(load.at(asked.step or 0))]]


def _with_closed(made: Drawing, asked: Asked, closed: list[str]) -> Drawing:
    """Draw closed links in a colour of their own, which the legend names instead of no value."""
    assert asked.field.ids is not None  # Result checked it
    lacking = {str(i) for i in asked.field.ids[~np.isfinite(asked.values)]}
    told = (_CLOSED, messages.text("scenes.flood.closed", lang=asked.lang))
    keys = list(made.legend.keys) if lacking - set(closed) else []
    by_id = {**made.objects[asked.field.layer], **dict.fromkeys(closed, _CLOSED)}
    legend = replace(made.legend, keys=[*keys, told])
    return replace(made, legend=legend, objects={asked.field.layer: by_id})


def _shares(asked: Asked) -> dict[str, float] | None:
    """Return the root of each link's share of the largest flow: area follows the eye."""
    try:
        flow = asked.result.field("flow_vps")
    except RequestError:
        return None
    values = np.nan_to_num(flow.at(asked.step or 0).astype(np.float64))
    most = float(values.max()) if values.size else 0.0
    if most <= 0 or flow.ids is None:
        return None
    shares = np.sqrt(np.clip(values / most, 0.0, 1.0))
    return {str(i): float(s) for i, s in zip(flow.ids, shares, strict=True)}
