"""An attribute as colours: numbers along a ramp, texts as categories, each with its legend."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cim import messages
from cim.errors import RequestError
from cim.model.kinds import Field
from cim.model.result import Result, ResultField
from cim.model.table import FeatureTable
from scenes import palette
from scenes.drawables import Legend
from scenes.drawers.drawing import Asked, Drawing
from scenes.drawers.generic import ramped
from scenes.ramps import VIRIDIS, usual_top

__all__ = ["CATEGORIES", "thematic"]

# Okabe & Ito (2008), lightened for print: told apart by the colour-blind.
CATEGORIES = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (140, 120, 90),
)
_OTHER = (150, 150, 150)


def thematic(table: FeatureTable, name: str, *, lang: str | None = None) -> Drawing:
    """Return an attribute of a layer as colours by id.

    Parameters
    ----------
    table
        The features.
    name
        The attribute. Numbers get a ramp between round limits; texts a colour each, the
        eight most frequent first, the others together.
    lang
        Language of the legend.

    Raises
    ------
    RequestError
        No such attribute, or no feature has a value.
    """
    table.column(name)
    one = next(f for f in table.fields if f.name == name)
    if one.type in ("real", "integer"):
        values = table.numbers(name)
        if not np.isfinite(values).any():
            raise RequestError("scenes.no_values", given=name, values={"layer": table.layer})
        field = ResultField(
            name, one.unit or "1", "objects", values, one.titles, table.layer, table.ids
        )
        titles = one.titles
        plain = Result("thematic", titles, (field,), {}, {}, 1, "", table.illustrative)
        return ramped(Asked(plain, field, None, lang), VIRIDIS, high=usual_top(values))
    return _categories(table, one, lang)


def _categories(table: FeatureTable, one: Field, lang: str | None) -> Drawing:
    texts = [t if one.type != "boolean" else _yes(t, lang) for t in table.texts(one.name)]
    counted = Counter(t for t in texts if t)
    if not counted:
        raise RequestError("scenes.no_values", given=one.name, values={"layer": table.layer})
    ranked = sorted(counted, key=lambda t: (-counted[t], t))
    shown = ranked if len(ranked) <= len(CATEGORIES) else ranked[: len(CATEGORIES)]
    colour = dict(zip(shown, CATEGORIES, strict=False))
    keys = [(colour[t], f"{t} ({counted[t]})") for t in shown]
    if len(ranked) > len(shown):
        rest = sum(counted[t] for t in ranked[len(shown) :])
        values = {"kinds": len(ranked) - len(shown), "count": rest}
        keys.append((_OTHER, messages.text("scenes.others", values, lang=lang)))
    if "" in texts:
        keys.append((palette.NO_VALUE, messages.text("scenes.no_value", lang=lang)))
    rgb = [colour.get(t, _OTHER) if t else palette.NO_VALUE for t in texts]
    by_id = dict(zip(map(str, table.ids), rgb, strict=True))
    title = messages.title(one.titles, lang=lang)
    legend = Legend(title, "", np.empty((0, 3), np.uint8), (), keys)
    return Drawing(legend=legend, objects={table.layer: by_id})


def _yes(text: str, lang: str | None) -> str:
    if not text:
        return ""
    return messages.text(f"scenes.web.{'yes' if text == 'True' else 'no'}", lang=lang)
