"""How a house is built, part by part, from its plan: 示意数据 (illustrative)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.holes import Joinery
from bim_import.authoring.plan import (
    Room,
    Wall,
    inner_walls,
    outer_walls,
    outset,
    rooms,
    unrolled,
)
from bim_import.authoring.porches import draw_balcony, draw_portico
from bim_import.authoring.roofs import draw_roofs
from bim_import.authoring.table import House, StoreySpec
from cim.errors import SourceError

__all__ = ["Sizes", "build_house", "draw_room", "flight"]


@dataclass(frozen=True)
class Sizes:
    """What the model measures: footprint and floors in m2, heights above the ground floor."""

    footprint_m2: float
    gross_floor_m2: float
    net_floor_m2: float
    eaves_m: float
    top_m: float


def build_house(draw: Drawing, house: House, storeys: Sequence[Any], *, where: str) -> Sizes:
    """Draw every part of a house into its storeys and return its sizes.

    Parameters
    ----------
    draw
        The drawing; its body context is set.
    house
        The plan.
    storeys
        IfcBuildingStorey of each storey of the plan, at its height.
    where
        Name of the table, for messages.

    Raises
    ------
    SourceError
        The plan cannot be drawn: the message says what of it.
    """
    import shapely

    joinery = Joinery(draw, house.holes, house.looks)
    gross = net = eaves = height = 0.0
    for level, (spec, storey) in enumerate(zip(house.storeys, storeys, strict=True)):
        height += spec.height_m
        if not spec.sides:
            continue
        ring, sides = _sides(house, spec, where)
        lines, specs = unrolled(house, level)
        outer = outer_walls(ring, house.outer_wall_m)
        inner = inner_walls(ring, house.outer_wall_m, house.inner_wall_m, lines, where=where)
        _outer(draw, house, storey, level, outer, sides, joinery)
        doors = [line.doors for line in lines]
        _inner(draw, house, storey, level, inner, [p.name for p in lines], doors, joinery)
        if specs:
            found = rooms(ring, house.outer_wall_m, inner, specs, where=where)
            net += _rooms(draw, house, storey, level, found)
            gross += float(shapely.Polygon(ring).area)
            eaves = height
        if house.bands:
            _bands(draw, house, storey, level, ring)
    _floors(draw, house, storeys, where)
    _stairs(draw, house, storeys)
    for i, portico in enumerate(house.porticos):
        draw_portico(draw, house, portico, storeys[0], f"portico{i}")
    for i, balcony in enumerate(house.balconies):
        draw_balcony(draw, house, balcony, storeys[balcony.storey], f"balcony{i}")
    if house.quoins:
        _quoins(draw, house, storeys[0], eaves)
    top = draw_roofs(draw, house, storeys, joinery, where=where)
    plan = float(shapely.Polygon(_sides(house, house.storeys[0], where)[0]).area)
    return Sizes(plan, gross, net, eaves, top)


def draw_room(
    draw: Drawing, storey: Any, part: str, *, number: str, name: str, use: str, shape: Any,
    height_m: float, solid: Any, at: tuple[float, float] = (0.0, 0.0), turn_deg: float = 0.0,
) -> None:  # fmt: skip
    """Draw a room of the ground `shape` with its quantities; no column stands in it."""
    space = draw.product(
        "IfcSpace", part, name=number, within=storey, at=(*at, 0.0), turn_deg=turn_deg,
        shape=draw.shape([solid]), kind="INTERNAL",
    )  # fmt: skip
    space.LongName, space.ObjectType, space.CompositionType = name, use, "ELEMENT"
    area, volume = float(shape.area), float(shape.area) * height_m
    draw.quantities(space, "Qto_SpaceBaseQuantities", {
        "Height": ("Length", height_m), "NetPerimeter": ("Length", float(shape.length)),
        "GrossFloorArea": ("Area", area), "NetFloorArea": ("Area", area),
        "GrossVolume": ("Volume", volume), "NetVolume": ("Volume", volume),
    })  # fmt: skip
    draw.properties(space, "Pset_SpaceCommon", {"IsExternal": ("IfcBoolean", False)})


def _sides(
    house: House, spec: StoreySpec, where: str
) -> tuple[list[tuple[float, float]], list[str]]:
    """Return a storey's outline and the text of each of its sides."""
    if spec.outline not in house.outlines:
        values = {"reason": f"outline {spec.outline}"}
        raise SourceError("bim.table_wrong", given=where, values=values)
    ring = [(float(x), float(y)) for x, y in house.outlines[spec.outline]]
    sides = list(spec.sides)
    row = house.repeat
    if row is not None and len(ring) == 4:
        (x0, y0), (_, y1) = ring[0], ring[2]
        xs = [x0 + i * row.pitch_m for i in range(row.count + 1)]
        ring = [(x, y0) for x in xs] + [(x, y1) for x in reversed(xs)]
        if sides:
            turned = [" ".join(reversed(sides[0].split())), " ".join(reversed(sides[2].split()))]
            front = [sides[0] if i % 2 == 0 else turned[0] for i in range(row.count)]
            back = [sides[2] if i % 2 == 0 else turned[1] for i in reversed(range(row.count))]
            sides = [*front, sides[1], *back, sides[3]]
    letters = {key for side in sides for key in side.split()} - {".", *house.holes}
    if letters or (sides and len(sides) != len(ring)):
        reason = f"{spec.name}: {len(sides)} sides / {len(ring)}, {' '.join(sorted(letters))}"
        raise SourceError("bim.table_wrong", given=where, values={"reason": reason})
    return ring, sides


def _wall(
    draw: Drawing, storey: Any, part: str, wall: Wall, *, name: str, height_m: float, look: str,
    outside: bool,
) -> Any:  # fmt: skip
    made = draw.product(
        "IfcWall", part, name=name, within=storey, at=(*wall.start, 0.0), turn_deg=wall.turn_deg,
        shape=draw.shape([draw.prism(wall.ring, height_m, look=look)]), material="砖",
        kind="SOLIDWALL" if outside else "PARTITIONING",
    )  # fmt: skip
    draw.properties(made, "Pset_WallCommon", {
        "IsExternal": ("IfcBoolean", outside), "LoadBearing": ("IfcBoolean", outside),
    })  # fmt: skip
    return made


def _measure(draw: Drawing, made: Any, wall: Wall, height_m: float, cut_m2: float) -> None:
    volume = wall.area_m2 * height_m
    draw.quantities(made, "Qto_WallBaseQuantities", {
        "Length": ("Length", wall.length_m), "Height": ("Length", height_m),
        "Width": ("Length", wall.thick_m), "GrossFootprintArea": ("Area", wall.area_m2),
        "GrossVolume": ("Volume", volume), "NetVolume": ("Volume", volume - cut_m2 * wall.thick_m),
    })  # fmt: skip


def _outer(
    draw: Drawing, house: House, storey: Any, level: int, walls: Sequence[Wall],
    sides: Sequence[str], joinery: Joinery,
) -> None:  # fmt: skip
    height = house.storeys[level].height_m
    for i, (wall, side) in enumerate(zip(walls, sides, strict=True)):
        part = f"storey{level}/outer{i}"
        made = _wall(draw, storey, part, wall, name=f"外墙{i + 1}", height_m=height,
                     look=house.looks.wall, outside=True)  # fmt: skip
        keys, cut = side.split(), 0.0
        for j, key in enumerate(keys):
            if key != ".":
                along = (j + 0.5) * wall.length_m / len(keys)
                cut += joinery.pierce(made, f"{part}/hole{j}", key, along_m=along,
                                      thick_m=wall.thick_m, outside=True)  # fmt: skip
        _measure(draw, made, wall, height, cut)


def _inner(
    draw: Drawing, house: House, storey: Any, level: int, walls: Sequence[Wall],
    names: Sequence[str], doors: Sequence[Sequence[Sequence[Any]]], joinery: Joinery,
) -> None:  # fmt: skip
    height = house.storeys[level].height_m - house.slab_m
    for i, (wall, name, holes) in enumerate(zip(walls, names, doors, strict=True)):
        part, cut = f"storey{level}/inner{i}", 0.0
        made = _wall(draw, storey, part, wall, name=name, height_m=height,
                     look=house.looks.inner, outside=False)  # fmt: skip
        for j, (key, along) in enumerate(holes):
            cut += joinery.pierce(made, f"{part}/hole{j}", key, along_m=float(along),
                                  thick_m=wall.thick_m, outside=False)  # fmt: skip
        _measure(draw, made, wall, height, cut)


def _rooms(draw: Drawing, house: House, storey: Any, level: int, found: Sequence[Room]) -> float:
    height = house.storeys[level].height_m - house.slab_m
    for i, room in enumerate(found):
        ring = list(room.shape.exterior.coords)[:-1]
        holes = [list(one.coords)[:-1] for one in room.shape.interiors]
        draw_room(
            draw, storey, f"storey{level}/room{i}", number=f"{level + 1}{i + 1:02d}",
            name=room.spec.name, use=room.spec.use, shape=room.shape, height_m=height,
            solid=draw.prism(ring, height, holes=holes),
        )  # fmt: skip
    return sum(float(room.shape.area) for room in found)


def _slab(
    draw: Drawing, storey: Any, part: str, *, name: str, ring: Sequence[Sequence[float]],
    thick_m: float, top_m: float, look: str, material: str, kind: str, cut_m2: float = 0.0,
) -> Any:  # fmt: skip
    import shapely

    made = draw.product(
        "IfcSlab", part, name=name, within=storey, material=material, kind=kind,
        shape=draw.shape([draw.prism(ring, thick_m, top_m - thick_m, look=look)]),
    )  # fmt: skip
    area = float(shapely.Polygon(ring).area)
    draw.quantities(made, "Qto_SlabBaseQuantities", {
        "Width": ("Length", thick_m), "GrossArea": ("Area", area),
        "NetArea": ("Area", area - cut_m2), "GrossVolume": ("Volume", area * thick_m),
        "NetVolume": ("Volume", (area - cut_m2) * thick_m),
    })  # fmt: skip
    return made


def _floors(draw: Drawing, house: House, storeys: Sequence[Any], where: str) -> None:
    """Draw the base, the ground floor, and a slab on top of each storey with walls."""
    t, look = house.slab_m, house.looks.base
    foot = outset(house.outlines[house.storeys[0].outline], 0.05)
    _slab(draw, storeys[0], "base", name="石砌基座", ring=foot, thick_m=house.base_m - t, top_m=-t,
          look=look, material="石", kind="BASESLAB")  # fmt: skip
    _slab(draw, storeys[0], "floor0", name="首层楼板", ring=foot, thick_m=t, top_m=0.0, look=look,
          material="混凝土", kind="FLOOR")  # fmt: skip
    for level, spec in enumerate(house.storeys):
        if not spec.sides:
            continue
        ring = outset(_sides(house, spec, where)[0], -house.outer_wall_m)
        wells = [s for s in house.stairs if level in s.storeys]
        row = house.repeat
        boxes = [(s.low, s.high) for s in wells] if row is None else _row_wells(house, wells)
        cut = sum((h[0] - lo[0]) * (h[1] - lo[1]) for lo, h in boxes)
        slab = _slab(
            draw, storeys[level], f"ceiling{level}", name=f"{spec.name}顶板", ring=ring, thick_m=t,
            top_m=spec.height_m, look="混凝土", material="混凝土", kind="FLOOR", cut_m2=cut,
        )  # fmt: skip
        for i, (low, high) in enumerate(boxes):
            solid = draw.box((0, 0, -t - 0.1), (high[0] - low[0], high[1] - low[1], 0.1))
            draw.opening(slab, f"ceiling{level}/well{i}", name="楼梯洞口",
                         at=(*low, spec.height_m), solid=solid)  # fmt: skip


def _row_wells(house: House, wells: Sequence[Any]) -> list[tuple[list[float], list[float]]]:
    row = house.repeat
    assert row is not None
    half, boxes = row.count * row.pitch_m / 2, []
    for well in wells:
        for i in range(row.count):
            xs = [well.low[0], well.high[0]]
            if i % 2:
                xs = [row.pitch_m - x for x in reversed(xs)]
            low, high = ([i * row.pitch_m - half + x, y] for x, y in zip(
                xs, (well.low[1], well.high[1]), strict=True))  # fmt: skip
            boxes.append((low, high))
    return boxes


def _stairs(draw: Drawing, house: House, storeys: Sequence[Any]) -> None:
    for k, stair in enumerate(house.stairs):
        boxes = [(stair.low, stair.high)]
        if house.repeat is not None:
            boxes = _row_wells(house, [stair])
        for level in stair.storeys:
            solid, values = flight(draw, stair, house.storeys[level].height_m)
            for i, (low, high) in enumerate(boxes):
                at = (high[0], high[1], 0.0) if stair.down else (low[0], low[1], 0.0)
                part = f"storey{level}/stair{k}.{i}"
                whole = draw.product("IfcStair", part, name="楼梯", within=storeys[level],
                                     kind="STRAIGHT_RUN_STAIR")  # fmt: skip
                steps = draw.product(
                    "IfcStairFlight", f"{part}/flight", name="梯段", within=whole,
                    at=at, turn_deg=180.0 if stair.down else 0.0,
                    shape=draw.shape([solid]), material="木", kind="STRAIGHT",
                )  # fmt: skip
                draw.properties(steps, "Pset_StairFlightCommon", values)


def flight(draw: Drawing, stair: Any, height_m: float) -> tuple[Any, Mapping[str, Any]]:
    """Return a straight flight from the origin along +y, and what its property set says."""
    wide, run = stair.high[0] - stair.low[0], stair.high[1] - stair.low[1]
    count = round(height_m / 0.18)
    rise, going = height_m / count, run / (count - 1)
    steps = [(0.0, 0.0)]
    for i in range(count - 1):
        steps += [(i * going, (i + 1) * rise), ((i + 1) * going, (i + 1) * rise)]
    steps += [((count - 1) * going, (count - 1) * rise - 0.3), (0.4, 0.0)]
    axes = draw.axes((wide, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    solid = draw.extrusion(draw.profile(list(reversed(steps))), wide, axes, look="深色木")
    return solid, {
        "NumberOfRiser": ("IfcCountMeasure", count),
        "RiserHeight": ("IfcLengthMeasure", round(rise, 4)),
        "TreadLength": ("IfcLengthMeasure", round(going, 4)),
    }


def _bands(
    draw: Drawing, house: House, storey: Any, level: int, ring: Sequence[tuple[float, float]]
) -> None:
    """Draw moulded bands around the walls: between storeys, and richer under the eaves."""
    height = house.storeys[level].height_m
    highest = level + 1 == len(house.storeys) or house.storeys[level + 1].outline != (
        house.storeys[level].outline) or not house.storeys[level + 1].sides  # fmt: skip
    steps = [(0.06, -0.2, 0.1)]
    if highest:
        steps = [(0.08, -0.6, -0.45), (0.16, -0.45, -0.25), (0.24, -0.25, -0.1)]
    items = [
        draw.prism(outset(ring, out), high - low, height + low, look=house.looks.trim, holes=[ring])
        for out, low, high in steps
    ]
    draw.product(
        "IfcCovering", f"storey{level}/band", name="檐口线脚" if highest else "腰线",
        within=storey, shape=draw.shape(items), material="石", kind="MOLDING",
    )  # fmt: skip


def _quoins(draw: Drawing, house: House, storey: Any, height_m: float) -> None:
    """Draw corner stones, alternately long and short, at each right outer corner."""
    stones, proud, z, turn = [], 0.035, 0.0, 0
    breaks, level = [], 0.0
    for spec in house.storeys:
        level += spec.height_m
        breaks.append(level)
    while z + 0.3 < height_m - 0.6:
        a, b = ((0.62, 0.38), (0.38, 0.62))[turn % 2]
        ring = [(-proud, -proud), (a, -proud), (a, 0.02), (0.02, 0.02), (0.02, b), (-proud, b)]
        if not any(at - 0.5 < z < at + 0.1 for at in breaks):
            stones.append(draw.prism(ring, 0.28, z, look=house.looks.trim))
        z, turn = z + 0.3, turn + 1
    corners = []
    outline = house.outlines[house.storeys[0].outline]
    for before, here, after in zip(
        [outline[-1], *outline[:-1]], outline, [*outline[1:], outline[0]], strict=True
    ):
        d0 = (here[0] - before[0], here[1] - before[1])
        d1 = (after[0] - here[0], after[1] - here[1])
        cross, dot = d0[0] * d1[1] - d0[1] * d1[0], d0[0] * d1[0] + d0[1] * d1[1]
        if cross > 0 and abs(dot) < 1e-6 * cross:
            turn_deg = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[
                _sign(d1[0]), _sign(d1[1])
            ]
            corners.append(((here[0], here[1], 0.0), float(turn_deg)))
    draw.product(
        "IfcCovering", "quoins", name="隅石", within=storey,
        shape=draw.mapped(draw.symbol(stones), corners), material="石", kind="CLADDING",
    )  # fmt: skip


def _sign(value: float) -> int:
    return (value > 1e-9) - (value < -1e-9)
