"""How roofs are drawn: plates, tiles, caps, eaves, walls under gables, dormers, chimneys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.envelope import Piece, Roof, roof_over
from bim_import.authoring.holes import Joinery
from bim_import.authoring.pieces import flat, gable, hips, mansard
from bim_import.authoring.plan import outset
from bim_import.authoring.table import Chimney, Dormer, House, RoofSpec
from cim.errors import SourceError

__all__ = ["draw_roofs"]

_PLATE_M = 0.16
_KINDS = {"hip": "HIP_ROOF", "mansard": "MANSARD_ROOF", "gable": "GABLE_ROOF", "flat": "FLAT_ROOF"}


def draw_roofs(
    draw: Drawing, house: House, storeys: Sequence[Any], joinery: Joinery, *, where: str
) -> float:
    """Draw every roof and what stands on it; return the highest point above the ground floor."""
    made, tops = [], [0.0]
    for i, spec in enumerate(_of_each_house(house, one) for one in house.roofs):
        if spec.kind not in _KINDS or spec.outline not in house.outlines:
            values = {"reason": f"roof {spec.name}: {spec.kind}, {spec.outline}"}
            raise SourceError("bim.table_wrong", given=where, values=values)
        holes = [_polygon(house.outlines[name]) for name in spec.towers]
        roof = roof_over(_pieces(house, spec), holes=holes, where=where)
        base = sum(s.height_m for s in house.storeys[: spec.above + 1])
        _roof(draw, house, spec, roof, storeys[spec.above + 1], f"roof{i}")
        made.append((roof, storeys[spec.above + 1], spec.look))
        tops.append(base + roof.top_m)
    for i, one in enumerate(house.dormers):
        _dormer(draw, one, *made[one.roof], joinery, house, f"dormer{i}")
    for i, stack in enumerate(house.chimneys):
        _chimney(draw, house, stack, made[0][1], f"chimney{i}")
    return max(tops)


def _of_each_house(house: House, spec: RoofSpec) -> RoofSpec:
    """Return a roof whose gables over every house of a row are spelt out."""
    row = house.repeat
    if row is None:
        return spec
    cross, fronts = list(spec.cross), list(spec.fronts)
    half = row.count * row.pitch_m / 2
    for i in range(row.count):
        for known, each in ((cross, spec.each_cross), (fronts, spec.each_front)):
            if each:
                x0, y0, x1, y1, *rest = each
                if i % 2:
                    x0, x1 = row.pitch_m - x1, row.pitch_m - x0
                shift = i * row.pitch_m - half
                known.append([shift + x0, y0, shift + x1, y1, *rest])
    return replace(spec, cross=cross, fronts=fronts)


def _polygon(ring: Sequence[Sequence[float]]) -> Any:
    import shapely

    return shapely.Polygon(ring)


def _pieces(house: House, spec: RoofSpec) -> list[Piece]:
    """Return the simple roofs a roof is the envelope of; eaves at height 0."""
    outline = outset(house.outlines[spec.outline], spec.overhang_m)
    if spec.kind == "flat":
        return flat(outline, top_m=_PLATE_M)
    if spec.kind == "mansard":
        return mansard(outline, eaves_m=0.0, slope=spec.slope, break_m=spec.break_m,
                       upper_slope=spec.upper_slope)  # fmt: skip
    if spec.kind == "gable":
        (x0, y0), (x1, y1) = outline[0], outline[2]
        pieces = gable((x0, y0), (x1, y1), eaves_m=0.0, slope=spec.slope, along_x=spec.along_x)
    else:
        pieces = hips(outline, eaves_m=0.0, slope=spec.slope)
    for x0, y0, x1, y1, slope in spec.cross:
        pieces += gable((x0, y0), (x1, y1), eaves_m=0.0, slope=slope, along_x=False)
    return pieces


def _roof(draw: Drawing, house: House, spec: RoofSpec, roof: Roof, storey: Any, part: str) -> None:
    whole = draw.product("IfcRoof", part, name=spec.name, within=storey, kind=_KINDS[spec.kind])
    points, faces = roof.shell(_PLATE_M)
    material = {"铅皮": "金属", "混凝土": "混凝土"}.get(spec.look, spec.look)
    plate = draw.product(
        "IfcSlab", f"{part}/plate", name="屋面", within=whole, kind="ROOF", material=material,
        shape=draw.shape([draw.polyhedron(points, faces, look=spec.look)], "Tessellation"),
    )  # fmt: skip
    draw.properties(plate, "Pset_SlabCommon", {
        "IsExternal": ("IfcBoolean", True),
        "PitchAngle": ("IfcPlaneAngleMeasure", round(math.atan(spec.slope), 6)),
    })  # fmt: skip
    area = float(roof.outline.area)
    draw.quantities(plate, "Qto_SlabBaseQuantities", {
        "GrossVolume": ("Volume", area * _PLATE_M), "NetVolume": ("Volume", area * _PLATE_M),
    })  # fmt: skip
    if spec.kind != "flat":
        _cover(draw, spec, roof, whole, material, part)
    _eaves(draw, house, spec, roof, whole, part)
    for i, (x0, y0, x1, y1) in enumerate(spec.fronts):
        _under(draw, house, roof, storey, (x0, y0), (x1, y1), f"{part}/front{i}")
    if spec.parapet_m > 0.0:
        _parapet(draw, house, spec, storey, part)


def _cover(draw: Drawing, spec: RoofSpec, roof: Roof, whole: Any, material: str, part: str) -> None:
    """Draw the rows of tiles and the caps of ridges and hips."""
    if spec.tiles:
        points: list[Any] = []
        corners: list[list[int]] = []
        for low, high, across in roof.rows(spec.tile_m):
            first = len(points)
            points += [
                end + across * side * 0.4 * spec.tile_m + (0, 0, lift)
                for end in (low, high) for side, lift in ((-0.5, 0.0), (0.0, 0.08), (0.5, 0.0))
            ]  # fmt: skip
            corners += [
                [first + i for i in one]
                for one in ((0, 1, 4), (0, 4, 3), (1, 2, 5), (1, 5, 4), (0, 2, 1))
            ]
        draw.product(
            "IfcCovering", f"{part}/tiles", name="瓦垄", within=whole, kind="ROOFING",
            material=material,
            shape=draw.shape([draw.triangles(points, corners, look=spec.look)], "Tessellation"),
        )  # fmt: skip
    caps = [_cap(draw, low, high, spec) for low, high in roof.ridges()]
    if caps:
        draw.product(
            "IfcCovering", f"{part}/caps", name="脊瓦", within=whole, kind="ROOFING",
            material=material, shape=draw.shape(caps),
        )  # fmt: skip


def _cap(draw: Drawing, start: Sequence[float], end: Sequence[float], spec: RoofSpec) -> Any:
    """Draw the cap tiles along one ridge or hip."""
    along = [e - s for s, e in zip(start, end, strict=True)]
    length = math.hypot(*along)
    z = [v / length for v in along]
    x = (-z[1] / math.hypot(z[0], z[1]), z[0] / math.hypot(z[0], z[1]), 0.0)
    look = "深红瓦" if spec.look == "红瓦" else "铅皮"
    profile = draw.circle(0.14 if spec.tiles else 0.1)
    return draw.extrusion(profile, length, draw.axes(start, z, x), look=look)


def _eaves(draw: Drawing, house: House, spec: RoofSpec, roof: Roof, whole: Any, part: str) -> None:
    """Draw the boards that close the roof from below, out to the eaves, and the gutter."""
    import shapely

    if spec.overhang_m < 0.1:
        return
    walls = _polygon(house.outlines[house.storeys[spec.above].outline])
    for name in spec.towers:
        walls = walls.union(_polygon(house.outlines[name]))
    outline, out = house.outlines[spec.outline], spec.overhang_m
    reach = _polygon(outset(outline, out - 0.04))
    line = _polygon(outset(outline, out + 0.1)).difference(_polygon(outset(outline, out)))
    if spec.kind == "gable":
        x0, _, x1, _ = _polygon(outline).bounds
        strip = shapely.box(x0, -1e3, x1, 1e3) if spec.along_x else None
        reach = reach.intersection(strip) if strip is not None else reach
        cross = [shapely.box(x0, -1e3, x1, y1) for x0, _, x1, y1, _ in spec.cross]
        line = line.intersection(strip).difference(shapely.union_all(cross)) if strip else line
    else:
        cross = [shapely.box(x0, -1e3, x1, y1) for x0, _, x1, y1, _ in spec.cross]
        line = line.difference(shapely.union_all(cross)) if cross else line
    near = roof.outline.buffer(0.2, join_style="mitre")
    line, reach = (one.difference(walls).intersection(near) for one in (line, reach))
    items = [*_prisms(draw, reach, 0.1, -0.26, house.looks.frame),
             *_prisms(draw, line, 0.14, -0.16, house.looks.trim)]  # fmt: skip
    draw.product(
        "IfcCovering", f"{part}/soffit", name="檐底板与檐沟", within=whole, kind="CEILING",
        material="木", shape=draw.shape(items),
    )  # fmt: skip


def _prisms(draw: Drawing, shape: Any, height_m: float, z_m: float, look: str) -> list[Any]:
    import shapely

    return [
        draw.prism(
            list(shapely.orient_polygons(one).exterior.coords)[:-1], height_m, z_m, look=look,
            holes=[list(hole.coords)[:-1] for hole in one.interiors],
        )
        for one in shapely.get_parts(shape) if one.area > 1e-3
    ]  # fmt: skip


def _under(
    draw: Drawing, house: House, roof: Roof, storey: Any, start: tuple[float, float],
    end: tuple[float, float], part: str,
) -> None:  # fmt: skip
    """Draw the wall that closes a roof over the line from `start` to `end`, inside to its left."""
    import shapely

    length, t = math.dist(start, end), house.outer_wall_m
    top = [(s, max(z - _PLATE_M, 0.0)) for s, z in roof.profile(start, end)]
    ring = [(0.0, 0.0), (length, 0.0), *(p for p in reversed(top) if p[1] > 1e-3)]
    shape = shapely.orient_polygons(shapely.Polygon(ring))
    axes = draw.axes((0.0, t, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
    profile = draw.profile(list(shape.exterior.coords)[:-1])
    ifc_class, name, kind = ("IfcWall", "山墙", "SOLIDWALL")
    if not _on_wall(house, start, end):
        ifc_class, name, kind = ("IfcPlate", "山花板", "SHEET")
    made = draw.product(
        ifc_class, part, name=name, within=storey, at=(*start, 0.0), material="砖",
        turn_deg=math.degrees(math.atan2(end[1] - start[1], end[0] - start[0])),
        shape=draw.shape([draw.extrusion(profile, t, axes, look=house.looks.wall)]),
        kind=kind,
    )  # fmt: skip
    area = float(shape.area)
    if ifc_class == "IfcPlate":
        draw.properties(made, "Pset_PlateCommon", {"IsExternal": ("IfcBoolean", True)})
        return
    draw.properties(made, "Pset_WallCommon", {
        "IsExternal": ("IfcBoolean", True), "LoadBearing": ("IfcBoolean", False),
    })  # fmt: skip
    draw.quantities(made, "Qto_WallBaseQuantities", {
        "Length": ("Length", length), "Width": ("Length", t), "GrossSideArea": ("Area", area),
        "GrossVolume": ("Volume", area * t), "NetVolume": ("Volume", area * t),
    })  # fmt: skip


def _on_wall(house: House, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Tell whether an outer wall stands under a line."""
    import shapely

    outline = _polygon(house.outlines[house.storeys[0].outline])
    return bool(outline.exterior.buffer(0.01).covers(shapely.LineString([start, end])))


def _parapet(draw: Drawing, house: House, spec: RoofSpec, storey: Any, part: str) -> None:
    outline = house.outlines[spec.outline]
    walls = _polygon(outline).difference(_polygon(outset(outline, -0.24)))
    cope = _polygon(outset(outline, 0.08)).difference(_polygon(outset(outline, -0.3)))
    items = [
        *_prisms(draw, walls, spec.parapet_m, 0.0, house.looks.wall),
        *_prisms(draw, cope, 0.12, spec.parapet_m, house.looks.trim),
    ]
    draw.product("IfcWall", f"{part}/parapet", name="女儿墙", within=storey, kind="PARAPET",
                 material="砖", shape=draw.shape(items))  # fmt: skip


def _dormer(
    draw: Drawing, it: Dormer, roof: Roof, storey: Any, look: str, joinery: Joinery,
    house: House, part: str,
) -> None:  # fmt: skip
    """Draw a gabled dormer: its front wall stands on the roof, cheeks and roof run into it."""
    w, wall, rise = it.width_m / 2, it.wall_m, it.width_m * 0.38
    turn = math.radians(it.turn_deg)
    inward = (-math.sin(turn), math.cos(turn))
    far = (it.at[0] + 12 * inward[0], it.at[1] + 12 * inward[1])
    line = roof.profile((it.at[0], it.at[1]), far)
    foot = line[0][1]
    back, end = (_reach(line, z) for z in (wall, wall + rise))
    low = max(foot - 0.3, 0.0)
    where = {"within": storey, "at": (it.at[0], it.at[1], low), "turn_deg": it.turn_deg}
    ring = [(-w, 0.0), (w, 0.0), (w, wall - low), (0.0, wall + rise - low), (-w, wall - low)]
    axes = draw.axes((w, 0.24, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
    front = draw.extrusion(draw.profile(ring), 0.24, axes, look=house.looks.trim)
    left = (it.at[0] - w * math.cos(turn), it.at[1] - w * math.sin(turn), low)
    made = draw.product(
        "IfcWall", f"{part}/front", name="老虎窗墙", material="砖", kind="SOLIDWALL",
        shape=draw.shape([front]), **{**where, "at": left},
    )  # fmt: skip
    joinery.pierce(made, f"{part}/hole", it.hole, along_m=w, thick_m=0.24, outside=True)
    cheeks = [
        draw.box((x, 0.24, 0.0), (x + 0.15, max(back, 0.4), wall - low), look=house.looks.trim)
        for x in (-w, w - 0.15)
    ]
    draw.product("IfcWall", f"{part}/cheeks", name="老虎窗侧墙", material="砖", kind="SOLIDWALL",
                 shape=draw.shape(cheeks), **where)  # fmt: skip
    solid = _dormer_roof(draw, w, wall - low, rise, end + 0.1, look)
    draw.product("IfcRoof", f"{part}/roof", name="老虎窗屋顶", kind="GABLE_ROOF", material="瓦",
                 shape=draw.shape([solid], "Tessellation"), **where)  # fmt: skip


def _reach(line: Sequence[tuple[float, float]], height_m: float) -> float:
    """Return how far along a roof's profile a height is first reached; its highest point else."""
    for (s0, z0), (s1, z1) in zip(line, line[1:], strict=False):
        if z0 <= height_m <= z1 and z1 > z0:
            return s0 + (height_m - z0) / (z1 - z0) * (s1 - s0)
    return max(line, key=lambda p: p[1])[0]


def _dormer_roof(draw: Drawing, w: float, wall: float, rise: float, end: float, look: str) -> Any:
    out, t = 0.22, 0.1
    drop = rise / w * out
    section = [
        (-w - out, wall - drop), (0.0, wall + rise), (w + out, wall - drop),
        (w + out, wall - drop + t), (0.0, wall + rise + t), (-w - out, wall - drop + t),
    ]  # fmt: skip
    points = [(x, y, z) for y in (-0.3, end) for x, z in section]
    faces = [[0, 1, 4, 5], [1, 2, 3, 4], [11, 10, 7, 6], [10, 9, 8, 7]]
    faces += [[j, i, i + 6, j + 6] for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0))]
    return draw.polyhedron(points, faces, look=look)


def _chimney(draw: Drawing, house: House, it: Chimney, storey: Any, part: str) -> None:
    look, top = house.looks, it.top_m
    items = [
        draw.box((-0.55, -0.4, 0.0), (0.55, 0.4, top), look=look.wall),
        draw.box((-0.68, -0.53, top - 0.3), (0.68, 0.53, top - 0.1), look=look.trim),
    ]
    items += [
        draw.box((x - 0.15, -0.15, top), (x + 0.15, 0.15, top + 0.4), look="深红瓦")
        for x in (-0.28, 0.28)
    ]
    draw.product("IfcChimney", part, name="烟囱", within=storey, at=(*it.at, 0.0),
                 shape=draw.shape(items), material="砖")  # fmt: skip
