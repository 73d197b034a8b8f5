"""How the demo villa is built, part by part, into a drawing: 示意数据 (illustrative).

A brick house on a stone base: a court between two wings with a porch of four
columns and a balcony, moulded bands, quoins, a hip roof of red tile with wide
eaves, two chimneys and a dormer. Each function draws one kind of part.
"""

from __future__ import annotations

import math
from typing import Any

from bim_import._drawing import Drawing
from bim_import._villa_parts import hole_symbol, hole_type, paint, pierce
from bim_import._villa_plan import HOLES, OUTER_WALL_M, PARTITION_M, Plan, offset
from bim_import._villa_roof import chimneys, dormer, roof

__all__ = ["build"]

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
    symbols = {key: hole_symbol(draw, hole) for key, hole in HOLES.items()}
    types = {key: hole_type(draw, key, symbol) for key, symbol in symbols.items()}
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
    roof(draw, plan, storeys[2], roof_rise_m)
    dormer(draw, plan, storeys[2], roof_rise_m, symbols, placed)
    chimneys(draw, plan, storeys[2], roof_rise_m)
    for key, products in placed.items():
        draw.relate(
            "IfcRelDefinesByType",
            f"type/{key}",
            {"RelatedObjects": products, "RelatingType": types[key]},
        )


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
            shape=draw.shape([paint(draw, draw.box((low, 0, 0), (high, t, height_m)), "紫红砖")]),
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
            pierce(draw, wall, f"{part}/hole{j}", key, along, t, symbols, placed)


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
            shape=draw.shape([paint(draw, draw.box((0, 0, 0), (length, t, height_m)), "抹灰")]),
            material="砖", kind="PARTITIONING",
        )  # fmt: skip
        draw.properties(wall, "Pset_WallCommon", {"IsExternal": ("IfcBoolean", False)})
        for j, (key, along) in enumerate(holes):
            pierce(draw, wall, f"{part}/hole{j}", key, along, t, symbols, placed)


def _bands(draw: Drawing, plan: Plan, storey: Any, level: int, height_m: float) -> None:
    """Moulded bands around the walls: at the upper floor, and under the eaves."""
    steps = [[(0.06, -0.2, 0.1)], [(0.08, -0.6, -0.45), (0.16, -0.45, -0.25), (0.28, -0.25, -0.1)]]
    items = [
        draw.prism(offset(plan.outline, out), high - low, height_m + low, hole=plan.outline)
        for out, low, high in steps[level]
    ]
    draw.product(
        "IfcCovering", f"storey{level}/band", name=("腰线", "檐口线脚")[level], within=storey,
        shape=draw.shape([paint(draw, item, "浅色石") for item in items]),
        material="石", kind="MOLDING",
    )  # fmt: skip


def _quoins(draw: Drawing, plan: Plan, storey: Any, height_m: float) -> None:
    """Corner stones, alternately long and short, one symbol shown at each outer corner."""
    stones, proud, z, turn = [], 0.035, 0.0, 0
    while z + 0.3 < height_m - 0.6:
        a, b = ((0.62, 0.38), (0.38, 0.62))[turn % 2]
        ring = [(-proud, -proud), (a, -proud), (a, 0.02), (0.02, 0.02), (0.02, b), (-proud, b)]
        if not height_m / 2 - 0.5 < z < height_m / 2 + 0.1:
            stones.append(paint(draw, draw.prism(ring, 0.28, z), "浅色石"))
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
        shape=draw.shape([paint(draw, base, "花岗石")]), material="石", kind="BASESLAB",
    )  # fmt: skip
    edge = draw.prism(offset(plan.outline, 0.05), _SLAB_M, -_SLAB_M)
    draw.product(
        "IfcSlab", "floor0", name="首层楼板", within=storeys[0],
        shape=draw.shape([paint(draw, edge, "花岗石")]), material="混凝土", kind="FLOOR",
    )  # fmt: skip
    inside = offset(plan.outline, -OUTER_WALL_M)
    for level, name in ((1, "二层楼板"), (2, "阁楼楼板")):
        slab = draw.product(
            "IfcSlab", f"floor{level}", name=name, within=storeys[level],
            shape=draw.shape([paint(draw, draw.prism(inside, _SLAB_M, -_SLAB_M), "混凝土")]),
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
    solid = paint(draw, draw.extrusion(profile, x1 - x0, axes), "深色木")
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
        shape=draw.shape([paint(draw, item, "花岗石") for item in (base, *steps, *cheeks)]),
    )  # fmt: skip
    foot, head = (
        draw.box((-0.3, -0.3, 0), (0.3, 0.3, 0.14)),
        draw.box((-0.3, -0.3, beam_m - 0.12), (0.3, 0.3, beam_m)),
    )
    rings = [draw.cylinder(0.27, 0.1, 0.14), draw.cylinder(0.26, 0.1, beam_m - 0.22)]
    shaft = draw.cylinder(0.215, beam_m - 0.46, 0.24)
    symbol = draw.symbol([paint(draw, i, "浅色石") for i in (foot, *rings, shaft, head)])
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
        shape=draw.shape([paint(draw, beam, "浅色石")]),
    )  # fmt: skip


def _balcony(draw: Drawing, plan: Plan, storey: Any) -> None:
    c, back = plan.court
    front = -plan.half_width_m + 1.0
    slab = draw.box((-c, front, -_SLAB_M), (c, back, 0.0))
    draw.product(
        "IfcSlab", "balcony/slab", name="阳台板", within=storey, kind="FLOOR", material="混凝土",
        shape=draw.shape([paint(draw, slab, "浅色石")]),
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
        material="石", shape=draw.shape([paint(draw, item, "浅色石") for item in rails]),
    )  # fmt: skip
    symbol = draw.symbol([paint(draw, draw.cylinder(0.065, 0.7, 0.16), "浅色石")])
    count = int(2 * c / 0.24)
    spots = [-c + 0.24 * (i + 0.5) for i in range(1, count - 1)]
    spots = [x for x in spots if min(abs(x - 1.55), abs(x + 1.55)) > 0.2]
    draw.product(
        "IfcRailing", "balcony/balusters", name="宝瓶栏杆柱", within=storey, kind="BALUSTRADE",
        material="石", shape=draw.mapped(symbol, [((x, y, 0.0), 0.0) for x in spots]),
    )  # fmt: skip


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
