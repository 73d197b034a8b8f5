"""Windows, doors and colours of the demo villa, drawn once and shown wherever they stand."""

from __future__ import annotations

from typing import Any

from bim_import._drawing import Drawing
from bim_import._villa_plan import HOLES, OUTER_WALL_M, Hole

__all__ = ["PALETTE", "hole_symbol", "hole_type", "paint", "pierce"]

PALETTE: dict[str, tuple[tuple[float, float, float], float]] = {
    "紫红砖": ((0.56, 0.33, 0.31), 0.0),
    "浅色石": ((0.87, 0.82, 0.72), 0.0),
    "花岗石": ((0.58, 0.56, 0.53), 0.0),
    "红瓦": ((0.64, 0.27, 0.19), 0.0),
    "深红瓦": ((0.52, 0.19, 0.14), 0.0),
    "白漆木": ((0.94, 0.93, 0.89), 0.0),
    "玻璃": ((0.36, 0.50, 0.58), 0.35),
    "深色木": ((0.33, 0.18, 0.11), 0.0),
    "抹灰": ((0.91, 0.89, 0.84), 0.0),
    "混凝土": ((0.72, 0.71, 0.69), 0.0),
}


def paint(draw: Drawing, item: Any, colour: str) -> Any:
    rgb, transparency = PALETTE[colour]
    return draw.paint(item, colour, rgb, transparency)


def hole_symbol(draw: Drawing, hole: Hole) -> Any:
    """Draw a window or door at its lower left corner, the outside towards -y."""
    w, h, f, y0, y1 = hole.width_m, hole.height_m, 0.07, 0.12, 0.2
    leaf = "深色木" if hole.name in ("入户大门", "室内门") else "白漆木"
    frame = [
        draw.box((0, y0, 0), (f, y1, h)),
        draw.box((w - f, y0, 0), (w, y1, h)),
        draw.box((f, y0, h - f), (w - f, y1, h)),
    ]
    frame += [
        draw.box((w * i / hole.panes - f / 2, y0, 0), (w * i / hole.panes + f / 2, y1, h))
        for i in range(1, hole.panes)
    ]
    bars = [0.0] if not hole.door else []
    bars += [h * 0.7] if h > 1.5 and leaf == "白漆木" else []
    frame += [draw.box((f, y0, z), (w - f, y1, z + f)) for z in bars]
    items = [paint(draw, item, leaf) for item in frame]
    if leaf == "白漆木":
        items.append(paint(draw, draw.box((f, 0.15, f), (w - f, 0.17, h - f)), "玻璃"))
    else:
        items.append(paint(draw, draw.box((f, 0.14, 0), (w - f, 0.19, h - f)), leaf))
    if hole.name != "室内门":
        items += [paint(draw, item, "浅色石") for item in _surround(draw, hole)]
    return draw.symbol(items)


def _surround(draw: Drawing, hole: Hole) -> list[Any]:
    w, h, side = hole.width_m, hole.height_m, 0.13
    stones = [
        draw.box((-side, -0.04, 0), (0, 0.12, h)),
        draw.box((w, -0.04, 0), (w + side, 0.12, h)),
        draw.box((-side - 0.06, -0.07, h), (w + side + 0.06, 0.12, h + 0.22)),
        draw.box((w / 2 - 0.12, -0.1, h - 0.03), (w / 2 + 0.12, 0.1, h + 0.26)),
    ]
    if not hole.door:
        stones.append(draw.box((-side - 0.06, -0.1, -0.1), (w + side + 0.06, 0.12, 0)))
    return stones


def hole_type(draw: Drawing, key: str, symbol: Any) -> Any:
    hole = HOLES[key]
    ifc_class = "IfcDoorType" if hole.door else "IfcWindowType"
    made = draw.add(ifc_class, f"type/{key}/it", {"Name": hole.name})
    made.RepresentationMaps = [symbol]
    made.PredefinedType = "DOOR" if hole.door else "WINDOW"
    if hole.door:
        made.OperationType = "DOUBLE_DOOR_SINGLE_SWING" if hole.panes > 1 else "SINGLE_SWING_LEFT"
    else:
        made.PartitioningType = ("SINGLE_PANEL", "DOUBLE_PANEL_VERTICAL", "TRIPLE_PANEL_VERTICAL")[
            hole.panes - 1
        ]
    return made


def pierce(
    draw: Drawing,
    wall: Any,
    part: str,
    key: str,
    along_m: float,
    thickness_m: float,
    symbols: dict[str, Any],
    placed: dict[str, list[Any]],
) -> None:
    """Cut a hole into `wall` (outside at local y = 0) and fill it."""
    hole = HOLES[key]
    at = (along_m - hole.width_m / 2, 0.0, hole.sill_m)
    solid = draw.box((0, -0.1, 0), (hole.width_m, thickness_m + 0.1, hole.height_m))
    opening = draw.add("IfcOpeningElement", f"{part}/opening", {"Name": f"{hole.name}洞口"})
    opening.ObjectPlacement = draw.placement(wall.ObjectPlacement, at)
    opening.Representation = draw.shape([solid])
    opening.PredefinedType = "OPENING"
    draw.relate(
        "IfcRelVoidsElement",
        f"{part}/voids",
        {"RelatingBuildingElement": wall, "RelatedOpeningElement": opening},
    )
    storey = draw.container(wall)
    filling = draw.product(
        "IfcDoor" if hole.door else "IfcWindow",
        f"{part}/filling",
        name=hole.name,
        within=storey,
        on=opening,
        shape=draw.mapped(symbols[key], [((0.0, 0.0, 0.0), 0.0)]),
        material="木与玻璃",
        kind="DOOR" if hole.door else "WINDOW",
    )
    filling.OverallWidth, filling.OverallHeight = hole.width_m, hole.height_m
    outside = thickness_m == OUTER_WALL_M
    kind = "Pset_DoorCommon" if hole.door else "Pset_WindowCommon"
    draw.properties(filling, kind, {"IsExternal": ("IfcBoolean", outside)})
    draw.relate(
        "IfcRelFillsElement",
        f"{part}/fills",
        {"RelatingOpeningElement": opening, "RelatedBuildingElement": filling},
    )
    placed[key].append(filling)
