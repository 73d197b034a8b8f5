"""The demo villa's roof: tiled hips, ridge caps, eaves, a dormer, two chimneys."""

from __future__ import annotations

import math
from typing import Any

from bim_import._drawing import Drawing
from bim_import._hip_roof import hip_roof
from bim_import._villa_parts import paint, pierce
from bim_import._villa_plan import HOLES, Plan, offset

__all__ = ["chimneys", "dormer", "roof"]

_EAVES_M = 0.85


def roof(draw: Drawing, plan: Plan, storey: Any, rise_m: float) -> None:
    e, c = _EAVES_M, plan.court[0]
    half_l, half_w = plan.half_length_m + e, plan.half_width_m + e
    depth = plan.court[1] + plan.half_width_m
    shape = hip_roof(
        half_length_m=half_l, half_width_m=half_w, wing_width_m=half_l - c + e,
        court_depth_m=depth, eaves_m=0.0, rise_m=rise_m,
    )  # fmt: skip
    whole = draw.product("IfcRoof", "roof", name="四坡红瓦屋顶", within=storey, kind="HIP_ROOF")
    points, faces = shape.shell(0.16)
    plate = draw.product(
        "IfcSlab", "roof/plate", name="屋面", within=whole, kind="ROOF", material="红瓦",
        shape=draw.shape([paint(draw, draw.polyhedron(points, faces), "红瓦")], "Tessellation"),
    )  # fmt: skip
    pitch = math.degrees(math.atan(shape.slope))
    draw.properties(plate, "Pset_SlabCommon", {
        "IsExternal": ("IfcBoolean", True),
        "PitchAngle": ("IfcPlaneAngleMeasure", round(math.radians(pitch), 6)),
    })  # fmt: skip
    rows, corners = shape.tile_rows(0.42, 0.2, 0.07)
    draw.product(
        "IfcCovering", "roof/tiles", name="瓦垄", within=whole, kind="ROOFING", material="红瓦",
        shape=draw.shape([paint(draw, draw.triangles(rows, corners), "红瓦")], "Tessellation"),
    )  # fmt: skip
    caps = [paint(draw, _cap(draw, low, high), "深红瓦") for low, high in shape.ridges]
    draw.product(
        "IfcCovering", "roof/caps", name="脊瓦", within=whole, kind="ROOFING", material="红瓦",
        shape=draw.shape(caps),
    )  # fmt: skip
    under = draw.prism(offset(plan.outline, e - 0.04), 0.1, -0.26, hole=plan.outline)
    gutter = draw.prism(offset(plan.outline, e + 0.1), 0.14, -0.16, hole=offset(plan.outline, e))
    items = [paint(draw, under, "白漆木"), paint(draw, gutter, "浅色石")]
    draw.product(
        "IfcCovering", "roof/soffit", name="檐底板与檐沟", within=whole, kind="CEILING",
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


def dormer(
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
        shape=draw.shape([paint(draw, front, "浅色石")]), kind="SOLIDWALL",
    )  # fmt: skip
    hole = HOLES["dormer"]
    pierce(draw, wall_, "dormer/hole", "dormer", w, 0.24, symbols, placed)
    opening = placed["dormer"][-1].ObjectPlacement.PlacementRelTo
    low = (w - hole.width_m / 2, 0.0, slope * 1.5 + 0.05)
    opening.RelativePlacement = draw.axes(low)
    back = y + (wall - slope * 1.5) / slope
    cheeks = [
        draw.box((x, y + 0.24, 0.3), (x + 0.15, min(back, y + 2.4), wall)) for x in (-w, w - 0.15)
    ]
    draw.product(
        "IfcWall", "dormer/cheeks", name="老虎窗侧墙", within=storey, material="砖",
        shape=draw.shape([paint(draw, item, "浅色石") for item in cheeks]), kind="SOLIDWALL",
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
    solid = paint(draw, draw.polyhedron(points, faces), "深红瓦")
    draw.product(
        "IfcRoof", "dormer/roof", name="老虎窗屋顶", within=storey, kind="GABLE_ROOF",
        material="红瓦", shape=draw.shape([solid], "Tessellation"),
    )  # fmt: skip


def chimneys(draw: Drawing, plan: Plan, storey: Any, rise_m: float) -> None:
    top = rise_m + 1.0
    body = draw.box((-0.55, -0.4, 0.0), (0.55, 0.4, top))
    cap = draw.box((-0.68, -0.53, top - 0.3), (0.68, 0.53, top - 0.1))
    pots = [draw.box((x - 0.15, -0.15, top), (x + 0.15, 0.15, top + 0.4)) for x in (-0.28, 0.28)]
    items = [paint(draw, body, "紫红砖"), paint(draw, cap, "浅色石")]
    symbol = draw.symbol(items + [paint(draw, pot, "深红瓦") for pot in pots])
    for i, x in enumerate((-0.62, 0.62)):
        draw.product(
            "IfcChimney", f"chimney{i}", name="烟囱", within=storey,
            at=(x * plan.half_length_m, 0.36 * plan.half_width_m, 0.0),
            shape=draw.mapped(symbol, [((0.0, 0.0, 0.0), 0.0)]), material="砖",
        )  # fmt: skip
