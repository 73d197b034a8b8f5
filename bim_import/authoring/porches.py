"""Porticos, balconies and balustrades, drawn from a few numbers."""

from __future__ import annotations

from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.table import Balcony, House, Portico

__all__ = ["draw_balcony", "draw_portico"]

_BEAM_M = 0.5


def draw_portico(draw: Drawing, house: House, it: Portico, storey: Any, part: str) -> None:
    """Draw a base with steps, a row of columns and the beam they carry."""
    c, front, look = it.half_m, it.front, house.looks.base
    low = -house.base_m
    base = [draw.box((-c + 0.05, front, low), (c - 0.05, it.back - 0.05, -0.04), look=look)]
    wide = min(c - 0.4, 2.6)
    for i in range(it.steps):
        y = front - 0.3 * (i + 1)
        base.append(draw.box((-wide, y, low), (wide, y + 0.3, -0.04 - 0.15 * (i + 1)), look=look))
    draw.product(
        "IfcSlab", f"{part}/base", name="门廊台基", within=storey, kind="BASESLAB", material="石",
        shape=draw.shape(base),
    )  # fmt: skip
    symbol = _column(draw, it.radius_m, it.top_m, house.looks.trim)
    made = draw.add("IfcColumnType", f"{part}/type", {"Name": "塔司干柱"})
    made.RepresentationMaps, made.PredefinedType = [symbol], "COLUMN"
    y = front + 1.35 * it.radius_m + 0.05
    for i, x in enumerate(it.columns):
        column = draw.product(
            "IfcColumn", f"{part}/column{i}", name="门廊柱", within=storey, at=(x, y, 0.0),
            shape=draw.mapped(symbol, [((0.0, 0.0, 0.0), 0.0)]), material="石", kind="COLUMN",
        )  # fmt: skip
        draw.of_type(column, made)
    deep = 1.35 * it.radius_m
    beam = draw.box((-c, y - deep, it.top_m), (c, y + deep, it.top_m + _BEAM_M - 0.1),
                    look=house.looks.trim)  # fmt: skip
    draw.product("IfcBeam", f"{part}/beam", name="门廊额枋", within=storey, kind="BEAM",
                 material="石", shape=draw.shape([beam]))  # fmt: skip


def _column(draw: Drawing, radius_m: float, top_m: float, look: str) -> Any:
    r = radius_m
    block = 1.35 * r
    blocks = [
        draw.box((-block, -block, z), (block, block, z + 0.14), look=look)
        for z in (-0.04, top_m - 0.14)
    ]
    rings = [
        draw.cylinder(round(1.22 * r, 3), 0.1, 0.1, look=look),
        draw.cylinder(round(1.2 * r, 3), 0.1, top_m - 0.24, look=look),
    ]
    return draw.symbol([*blocks, *rings, draw.cylinder(r, top_m - 0.44, 0.2, look=look)])


def draw_balcony(draw: Drawing, house: House, it: Balcony, storey: Any, part: str) -> None:
    """Draw a slab with a balustrade along its front (its low y)."""
    (x0, y0), (x1, y1), look = it.low, it.high, house.looks.trim
    slab = draw.box((x0, y0, -house.slab_m), (x1, y1, 0.0), look=look)
    draw.product(
        "IfcSlab", f"{part}/slab", name="阳台板", within=storey, kind="FLOOR", material="混凝土",
        shape=draw.shape([slab]),
    )  # fmt: skip
    y, span = y0 + 0.22, x1 - x0
    posts = [x0 + 0.16 + (span - 0.32) * i / 3 for i in range(4)]
    rails = [
        draw.box((x0, y - 0.11, z), (x1, y + 0.11, z + d), look=look)
        for z, d in ((0.06, 0.1), (0.86, 0.14))
    ]
    rails += [
        draw.box((x - 0.16, y - 0.16, 0.0), (x + 0.16, y + 0.16, 1.06), look=look) for x in posts
    ]
    draw.product(
        "IfcRailing", f"{part}/rail", name="阳台栏杆", within=storey, kind="BALUSTRADE",
        material="石", shape=draw.shape(rails),
    )  # fmt: skip
    symbol = draw.symbol([draw.cylinder(0.065, 0.7, 0.16, look=look)])
    spots = [x0 + 0.24 * (i + 0.5) for i in range(1, int(span / 0.24) - 1)]
    spots = [x for x in spots if min(abs(x - post) for post in posts) > 0.2]
    draw.product(
        "IfcRailing", f"{part}/balusters", name="宝瓶栏杆柱", within=storey, kind="BALUSTRADE",
        material="石", shape=draw.mapped(symbol, [((x, y, 0.0), 0.0) for x in spots]),
    )  # fmt: skip
