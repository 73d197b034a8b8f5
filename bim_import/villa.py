"""How the demo villa is built, part by part, into a drawing: 示意数据 (illustrative).

A brick house on a stone base: a court between two wings with a porch of four
columns and a balcony, moulded bands, quoins, a hip roof of red tile with wide
eaves, two chimneys and a dormer. Each function draws one kind of part.
"""

from __future__ import annotations

import math
from typing import Any

from bim_import._drawing import Drawing
from bim_import._hip_roof import hip_roof
from bim_import._villa_plan import HOLES, OUTER_WALL_M, PARTITION_M, Hole, Plan, offset

__all__ = ["PALETTE", "build"]

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
_EAVES_M = 0.85
_BASE_M = 0.9
_SLAB_M = 0.25


def build(
    draw: Drawing, plan: Plan, storeys: list[Any], storey_height_m: float, roof_rise_m: float
) -> None:
    """Draw every part of the villa into its storeys.

    Parameters
    ----------
    draw
        The drawing; its body context is set.
    plan
        Outlines, openings and rooms.
    storeys
        IfcBuildingStorey of the ground floor, the upper floor and the roof.
    storey_height_m, roof_rise_m
        Floor to floor; main ridge above the top of the walls.
    """
    symbols = {key: _hole_symbol(draw, hole) for key, hole in HOLES.items()}
    types = {key: _hole_type(draw, key, symbol) for key, symbol in symbols.items()}
    placed: dict[str, list[Any]] = {key: [] for key in HOLES}
    for level, storey in enumerate(storeys[:2]):
        _outer_walls(draw, plan, storey, level, storey_height_m, symbols, placed)
        _inner_walls(draw, plan, storey, level, storey_height_m - _SLAB_M, symbols, placed)
        _bands(draw, plan, storey, level, storey_height_m)
    _slabs(draw, plan, storeys, storey_height_m)
    _stair(draw, plan, storeys[0], storey_height_m)
    _porch(draw, plan, storeys[0], storey_height_m)
    _balcony(draw, plan, storeys[1])
    _quoins(draw, plan, storeys[0], 2 * storey_height_m)
    _roof(draw, plan, storeys[2], roof_rise_m)
    _dormer(draw, plan, storeys[2], roof_rise_m, symbols, placed)
    _chimneys(draw, plan, storeys[2], roof_rise_m)
    for key, products in placed.items():
        draw.relate(
            "IfcRelDefinesByType",
            f"type/{key}",
            {"RelatedObjects": products, "RelatingType": types[key]},
        )


def _paint(draw: Drawing, item: Any, colour: str) -> Any:
    rgb, transparency = PALETTE[colour]
    return draw.paint(item, colour, rgb, transparency)


# -- windows and doors ---------------------------------------------------------


def _hole_symbol(draw: Drawing, hole: Hole) -> Any:
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
    items = [_paint(draw, item, leaf) for item in frame]
    if leaf == "白漆木":
        items.append(_paint(draw, draw.box((f, 0.15, f), (w - f, 0.17, h - f)), "玻璃"))
    else:
        items.append(_paint(draw, draw.box((f, 0.14, 0), (w - f, 0.19, h - f)), leaf))
    if hole.name != "室内门":
        items += [_paint(draw, item, "浅色石") for item in _surround(draw, hole)]
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


def _hole_type(draw: Drawing, key: str, symbol: Any) -> Any:
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


def _pierce(
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
        shape=draw.mapped(symbols[key], [((0.0, 0.0, 0.0), 0.0)]),
        material="木与玻璃",
        kind="DOOR" if hole.door else "WINDOW",
    )
    filling.ObjectPlacement = draw.placement(opening.ObjectPlacement, (0.0, 0.0, 0.0))
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


# -- walls ---------------------------------------------------------------------


def _outer_walls(
    draw: Drawing,
    plan: Plan,
    storey: Any,
    level: int,
    height_m: float,
    symbols: dict[str, Any],
    placed: dict[str, list[Any]],
) -> None:
    names = ["西翼前墙", "西庭墙", "正墙", "东庭墙", "东翼前墙", "东墙", "后墙", "西墙"]
    ring, t, count = plan.outline, OUTER_WALL_M, len(plan.outline)
    convex = [_turn(ring[i - 1], ring[i], ring[(i + 1) % count]) > 0 for i in range(count)]
    for i, name in enumerate(names):
        start, end = ring[i], ring[(i + 1) % count]
        length = math.dist(start, end)
        low = t if convex[i] else 0.0
        high = length if convex[(i + 1) % count] else length + t
        turn = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))
        part = f"storey{level}/outer{i}"
        wall = draw.product(
            "IfcWall", part, name=name, within=storey, at=(*start, 0.0), turn_deg=turn,
            shape=draw.shape([_paint(draw, draw.box((low, 0, 0), (high, t, height_m)), "紫红砖")]),
            material="砖", kind="SOLIDWALL",
        )  # fmt: skip
        draw.properties(wall, "Pset_WallCommon", {
            "IsExternal": ("IfcBoolean", True), "LoadBearing": ("IfcBoolean", True),
        })  # fmt: skip
        draw.quantities(wall, "Qto_WallBaseQuantities", {
            "Length": ("Length", high - low), "Height": ("Length", height_m),
            "Width": ("Length", t),
        })  # fmt: skip
        for j, (key, along) in enumerate(plan.outer[level][i]):
            _pierce(draw, wall, f"{part}/hole{j}", key, along, t, symbols, placed)


def _inner_walls(
    draw: Drawing,
    plan: Plan,
    storey: Any,
    level: int,
    height_m: float,
    symbols: dict[str, Any],
    placed: dict[str, list[Any]],
) -> None:
    t = PARTITION_M
    for i, (name, start, end, holes) in enumerate(plan.partitions):
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy)
        corner = (start[0] + dy / length * t / 2, start[1] - dx / length * t / 2, 0.0)
        part = f"storey{level}/inner{i}"
        wall = draw.product(
            "IfcWall", part, name=name, within=storey, at=corner,
            turn_deg=math.degrees(math.atan2(dy, dx)),
            shape=draw.shape([_paint(draw, draw.box((0, 0, 0), (length, t, height_m)), "抹灰")]),
            material="砖", kind="PARTITIONING",
        )  # fmt: skip
        draw.properties(wall, "Pset_WallCommon", {"IsExternal": ("IfcBoolean", False)})
        for j, (key, along) in enumerate(holes):
            _pierce(draw, wall, f"{part}/hole{j}", key, along, t, symbols, placed)


def _bands(draw: Drawing, plan: Plan, storey: Any, level: int, height_m: float) -> None:
    """Moulded bands around the walls: at the upper floor, and under the eaves."""
    steps = [[(0.06, -0.2, 0.1)], [(0.08, -0.6, -0.45), (0.16, -0.45, -0.25), (0.28, -0.25, -0.1)]]
    items = [
        draw.prism(offset(plan.outline, out), high - low, height_m + low, hole=plan.outline)
        for out, low, high in steps[level]
    ]
    draw.product(
        "IfcCovering", f"storey{level}/band", name=("腰线", "檐口线脚")[level], within=storey,
        shape=draw.shape([_paint(draw, item, "浅色石") for item in items]),
        material="石", kind="MOLDING",
    )  # fmt: skip


def _quoins(draw: Drawing, plan: Plan, storey: Any, height_m: float) -> None:
    """Corner stones, alternately long and short, one symbol shown at each outer corner."""
    stones, proud, z, turn = [], 0.035, 0.0, 0
    while z + 0.3 < height_m - 0.6:
        a, b = ((0.62, 0.38), (0.38, 0.62))[turn % 2]
        ring = [(-proud, -proud), (a, -proud), (a, 0.02), (0.02, 0.02), (0.02, b), (-proud, b)]
        if not height_m / 2 - 0.5 < z < height_m / 2 + 0.1:
            stones.append(_paint(draw, draw.prism(ring, 0.28, z), "浅色石"))
        z, turn = z + 0.3, turn + 1
    a, b = plan.half_length_m, plan.half_width_m
    corners = [((-a, -b, 0), 0), ((a, -b, 0), 90), ((a, b, 0), 180), ((-a, b, 0), 270)]
    c = plan.court[0]
    corners += [((-c, -b, 0), 90), ((c, -b, 0), 0)]
    draw.product(
        "IfcCovering", "quoins", name="隅石", within=storey,
        shape=draw.mapped(draw.symbol(stones), corners), material="石", kind="CLADDING",
    )  # fmt: skip


# -- floors, stair, porch --------------------------------------------------------


def _slabs(draw: Drawing, plan: Plan, storeys: list[Any], height_m: float) -> None:
    base = draw.prism(offset(plan.outline, 0.05), _BASE_M - _SLAB_M, -_BASE_M)
    draw.product(
        "IfcSlab", "base", name="石砌基座", within=storeys[0],
        shape=draw.shape([_paint(draw, base, "花岗石")]), material="石", kind="BASESLAB",
    )  # fmt: skip
    edge = draw.prism(offset(plan.outline, 0.05), _SLAB_M, -_SLAB_M)
    draw.product(
        "IfcSlab", "floor0", name="首层楼板", within=storeys[0],
        shape=draw.shape([_paint(draw, edge, "花岗石")]), material="混凝土", kind="FLOOR",
    )  # fmt: skip
    inside = offset(plan.outline, -OUTER_WALL_M)
    for level, name in ((1, "二层楼板"), (2, "阁楼楼板")):
        slab = draw.product(
            "IfcSlab", f"floor{level}", name=name, within=storeys[level],
            shape=draw.shape([_paint(draw, draw.prism(inside, _SLAB_M, -_SLAB_M), "混凝土")]),
            material="混凝土", kind="FLOOR",
        )  # fmt: skip
        if level == 1:
            (x0, y0), (x1, y1) = plan.stairwell
            opening = draw.add("IfcOpeningElement", "stairwell", {"Name": "楼梯洞口"})
            opening.ObjectPlacement = draw.placement(slab.ObjectPlacement, (0.0, 0.0, 0.0))
            opening.Representation = draw.shape([draw.box((x0, y0, -_SLAB_M - 0.1), (x1, y1, 0.1))])
            opening.PredefinedType = "OPENING"
            draw.relate("IfcRelVoidsElement", "stairwell/voids", {
                "RelatingBuildingElement": slab, "RelatedOpeningElement": opening,
            })  # fmt: skip


def _stair(draw: Drawing, plan: Plan, storey: Any, height_m: float) -> None:
    (x0, y0), (x1, y1) = plan.stairwell
    count = 20
    rise, going = height_m / count, (y1 - y0) / (count - 1)
    steps = [(0.0, 0.0)]
    for i in range(count - 1):
        steps += [(i * going, (i + 1) * rise), ((i + 1) * going, (i + 1) * rise)]
    top = (count - 1) * going
    steps += [(top, (count - 1) * rise - 0.3), (0.4, 0.0)]
    ring = [(x, z) for x, z in reversed(steps)]
    profile = draw.make(
        "IfcArbitraryClosedProfileDef", "AREA", None,
        draw.make("IfcPolyline", [draw.point(p) for p in (*ring, ring[0])]),
    )  # fmt: skip
    axes = draw.axes((x1, y0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    solid = _paint(draw, draw.extrusion(profile, x1 - x0, axes), "深色木")
    stair = draw.product(
        "IfcStair", "stair", name="主楼梯", within=storey, kind="STRAIGHT_RUN_STAIR"
    )
    flight = draw.product(
        "IfcStairFlight", "stair/flight", name="梯段", within=stair, shape=draw.shape([solid]),
        material="木", kind="STRAIGHT",
    )  # fmt: skip
    draw.properties(flight, "Pset_StairFlightCommon", {
        "NumberOfRiser": ("IfcCountMeasure", count), "RiserHeight": ("IfcLengthMeasure", rise),
        "TreadLength": ("IfcLengthMeasure", round(going, 4)),
    })  # fmt: skip


def _porch(draw: Drawing, plan: Plan, storey: Any, height_m: float) -> None:
    c, back = plan.court
    front = -plan.half_width_m + 1.05
    beam_m = height_m - _SLAB_M - 0.4
    base = draw.box((-c + 0.05, front, -_BASE_M), (c - 0.05, back - 0.05, -0.04))
    steps = [
        draw.box((-1.9, front - 0.3 * (i + 1), -_BASE_M), (1.9, front - 0.3 * i, -0.15 * (i + 1)))
        for i in range(3)
    ]
    cheeks = [draw.box((x, front - 0.98, -_BASE_M), (x + 0.35, front, -0.04)) for x in (-2.25, 1.9)]
    draw.product(
        "IfcSlab", "porch/base", name="门廊台基", within=storey, kind="BASESLAB", material="石",
        shape=draw.shape([_paint(draw, item, "花岗石") for item in (base, *steps, *cheeks)]),
    )  # fmt: skip
    foot, head = (
        draw.box((-0.3, -0.3, 0), (0.3, 0.3, 0.14)),
        draw.box((-0.3, -0.3, beam_m - 0.12), (0.3, 0.3, beam_m)),
    )
    rings = [draw.cylinder(0.27, 0.1, 0.14), draw.cylinder(0.26, 0.1, beam_m - 0.22)]
    shaft = draw.cylinder(0.215, beam_m - 0.46, 0.24)
    symbol = draw.symbol([_paint(draw, i, "浅色石") for i in (foot, *rings, shaft, head)])
    kind = draw.add("IfcColumnType", "type/column/it", {"Name": "塔司干柱"})
    kind.RepresentationMaps, kind.PredefinedType = [symbol], "COLUMN"
    columns = [
        draw.product(
            "IfcColumn", f"porch/column{i}", name="门廊柱", within=storey,
            at=(x, front + 0.34, -0.04), shape=draw.mapped(symbol, [((0.0, 0.0, 0.04), 0.0)]),
            material="石", kind="COLUMN",
        )
        for i, x in enumerate((-c + 0.45, -1.55, 1.55, c - 0.45))
    ]  # fmt: skip
    draw.relate(
        "IfcRelDefinesByType", "type/column", {"RelatedObjects": columns, "RelatingType": kind}
    )
    beam = draw.box((-c, front + 0.08, beam_m), (c, front + 0.6, beam_m + 0.4))
    draw.product(
        "IfcBeam", "porch/beam", name="门廊额枋", within=storey, kind="BEAM", material="石",
        shape=draw.shape([_paint(draw, beam, "浅色石")]),
    )  # fmt: skip


def _balcony(draw: Drawing, plan: Plan, storey: Any) -> None:
    c, back = plan.court
    front = -plan.half_width_m + 1.0
    slab = draw.box((-c, front, -_SLAB_M), (c, back, 0.0))
    draw.product(
        "IfcSlab", "balcony/slab", name="阳台板", within=storey, kind="FLOOR", material="混凝土",
        shape=draw.shape([_paint(draw, slab, "浅色石")]),
    )  # fmt: skip
    y = front + 0.22
    rails = [
        draw.box((-c, y - 0.11, z), (c, y + 0.11, z + d)) for z, d in ((0.06, 0.1), (0.86, 0.14))
    ]
    rails += [
        draw.box((x - 0.16, y - 0.16, 0.0), (x + 0.16, y + 0.16, 1.06))
        for x in (-c + 0.16, -1.55, 1.55, c - 0.16)
    ]
    draw.product(
        "IfcRailing", "balcony/rail", name="阳台栏杆", within=storey, kind="BALUSTRADE",
        material="石", shape=draw.shape([_paint(draw, item, "浅色石") for item in rails]),
    )  # fmt: skip
    symbol = draw.symbol([_paint(draw, draw.cylinder(0.065, 0.7, 0.16), "浅色石")])
    count = int(2 * c / 0.24)
    spots = [-c + 0.24 * (i + 0.5) for i in range(1, count - 1)]
    spots = [x for x in spots if min(abs(x - 1.55), abs(x + 1.55)) > 0.2]
    draw.product(
        "IfcRailing", "balcony/balusters", name="宝瓶栏杆柱", within=storey, kind="BALUSTRADE",
        material="石", shape=draw.mapped(symbol, [((x, y, 0.0), 0.0) for x in spots]),
    )  # fmt: skip


# -- roof ------------------------------------------------------------------------


def _roof(draw: Drawing, plan: Plan, storey: Any, rise_m: float) -> None:
    e, c = _EAVES_M, plan.court[0]
    half_l, half_w = plan.half_length_m + e, plan.half_width_m + e
    depth = plan.court[1] + plan.half_width_m
    shape = hip_roof(
        half_length_m=half_l, half_width_m=half_w, wing_width_m=half_l - c + e,
        court_depth_m=depth, eaves_m=0.0, rise_m=rise_m,
    )  # fmt: skip
    roof = draw.product("IfcRoof", "roof", name="四坡红瓦屋顶", within=storey, kind="HIP_ROOF")
    points, faces = shape.shell(0.16)
    plate = draw.product(
        "IfcSlab", "roof/plate", name="屋面", within=roof, kind="ROOF", material="红瓦",
        shape=draw.shape([_paint(draw, draw.polyhedron(points, faces), "红瓦")], "Tessellation"),
    )  # fmt: skip
    pitch = math.degrees(math.atan(shape.slope))
    draw.properties(plate, "Pset_SlabCommon", {
        "IsExternal": ("IfcBoolean", True),
        "PitchAngle": ("IfcPlaneAngleMeasure", round(math.radians(pitch), 6)),
    })  # fmt: skip
    rows, corners = shape.tile_rows(0.42, 0.2, 0.07)
    draw.product(
        "IfcCovering", "roof/tiles", name="瓦垄", within=roof, kind="ROOFING", material="红瓦",
        shape=draw.shape([_paint(draw, draw.triangles(rows, corners), "红瓦")], "Tessellation"),
    )  # fmt: skip
    caps = [_paint(draw, _cap(draw, low, high), "深红瓦") for low, high in shape.ridges]
    draw.product(
        "IfcCovering", "roof/caps", name="脊瓦", within=roof, kind="ROOFING", material="红瓦",
        shape=draw.shape(caps),
    )  # fmt: skip
    under = draw.prism(offset(plan.outline, e - 0.04), 0.1, -0.26, hole=plan.outline)
    gutter = draw.prism(offset(plan.outline, e + 0.1), 0.14, -0.16, hole=offset(plan.outline, e))
    items = [_paint(draw, under, "白漆木"), _paint(draw, gutter, "浅色石")]
    draw.product(
        "IfcCovering", "roof/soffit", name="檐底板与檐沟", within=roof, kind="CEILING",
        material="木", shape=draw.shape(items),
    )  # fmt: skip


def _cap(draw: Drawing, start: tuple[float, ...], end: tuple[float, ...]) -> Any:
    """Draw the cap tiles along one ridge or hip."""
    along = [e - s for s, e in zip(start, end, strict=True)]
    length = math.hypot(*along)
    z = [v / length for v in along]
    x = (-z[1] / math.hypot(z[0], z[1]), z[0] / math.hypot(z[0], z[1]), 0.0)
    profile = draw.make("IfcCircleProfileDef", "AREA", None, None, 0.14)
    return draw.extrusion(profile, length, draw.axes(start, z, x))


def _dormer(
    draw: Drawing,
    plan: Plan,
    storey: Any,
    rise_m: float,
    symbols: dict[str, Any],
    placed: dict[str, list[Any]],
) -> None:
    """Draw a gabled dormer over the porch."""
    run = (plan.half_width_m - plan.court[1]) / 2 + _EAVES_M
    slope, w, wall, gable = rise_m / run, 1.25, 1.55, 0.95
    eaves = plan.court[1] - _EAVES_M
    y = eaves + 1.5
    ring = [(-w, 0.3), (w, 0.3), (w, wall), (0.0, wall + gable), (-w, wall)]
    profile = draw.make(
        "IfcArbitraryClosedProfileDef", "AREA", None,
        draw.make("IfcPolyline", [draw.point(p) for p in (*ring, ring[0])]),
    )  # fmt: skip
    front = draw.extrusion(
        profile, 0.24, draw.axes((w, 0.24, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
    )
    wall_ = draw.product(
        "IfcWall", "dormer/front", name="老虎窗墙", within=storey, at=(-w, y, 0.0), material="砖",
        shape=draw.shape([_paint(draw, front, "浅色石")]), kind="SOLIDWALL",
    )  # fmt: skip
    hole = HOLES["dormer"]
    _pierce(draw, wall_, "dormer/hole", "dormer", w, 0.24, symbols, placed)
    opening = placed["dormer"][-1].ObjectPlacement.PlacementRelTo
    low = (w - hole.width_m / 2, 0.0, slope * 1.5 + 0.05)
    opening.RelativePlacement = draw.axes(low)
    back = y + (wall - slope * 1.5) / slope
    cheeks = [
        draw.box((x, y + 0.24, 0.3), (x + 0.15, min(back, y + 2.4), wall)) for x in (-w, w - 0.15)
    ]
    draw.product(
        "IfcWall", "dormer/cheeks", name="老虎窗侧墙", within=storey, material="砖",
        shape=draw.shape([_paint(draw, item, "浅色石") for item in cheeks]), kind="SOLIDWALL",
    )  # fmt: skip
    out, t = 0.22, 0.1
    drop = gable / w * out
    ridge_end = eaves + (wall + gable) / slope + 0.1
    profile_points = [
        (-w - out, wall - drop), (0.0, wall + gable), (w + out, wall - drop),
        (w + out, wall - drop + t), (0.0, wall + gable + t), (-w - out, wall - drop + t),
    ]  # fmt: skip
    points = [(x, yy, z) for yy in (y - 0.3, ridge_end) for x, z in profile_points]
    faces = [[0, 1, 4, 5], [1, 2, 3, 4], [11, 10, 7, 6], [10, 9, 8, 7]]
    faces += [[j, i, i + 6, j + 6] for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0))]
    solid = _paint(draw, draw.polyhedron(points, faces), "深红瓦")
    draw.product(
        "IfcRoof", "dormer/roof", name="老虎窗屋顶", within=storey, kind="GABLE_ROOF",
        material="红瓦", shape=draw.shape([solid], "Tessellation"),
    )  # fmt: skip


def _chimneys(draw: Drawing, plan: Plan, storey: Any, rise_m: float) -> None:
    top = rise_m + 1.0
    body = draw.box((-0.55, -0.4, 0.0), (0.55, 0.4, top))
    cap = draw.box((-0.68, -0.53, top - 0.3), (0.68, 0.53, top - 0.1))
    pots = [draw.box((x - 0.15, -0.15, top), (x + 0.15, 0.15, top + 0.4)) for x in (-0.28, 0.28)]
    items = [_paint(draw, body, "紫红砖"), _paint(draw, cap, "浅色石")]
    symbol = draw.symbol(items + [_paint(draw, pot, "深红瓦") for pot in pots])
    for i, x in enumerate((-0.62, 0.62)):
        draw.product(
            "IfcChimney", f"chimney{i}", name="烟囱", within=storey,
            at=(x * plan.half_length_m, 0.36 * plan.half_width_m, 0.0),
            shape=draw.mapped(symbol, [((0.0, 0.0, 0.0), 0.0)]), material="砖",
        )  # fmt: skip


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
