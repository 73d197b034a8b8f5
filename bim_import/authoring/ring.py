"""How stands around a sports ground are built: an arcade outside, tiers inside; 示意数据.

The ring is cut into parts by cross walls. Every part is drawn in axes of its own: x away from
the ground, y along the ring (an angle in the arcs), so equal parts share their shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.holes import Joinery
from bim_import.authoring.house import Sizes, draw_room, flight
from bim_import.authoring.table import RingPlan, Stair

__all__ = ["build_ring"]

_Well = tuple[float, float, float]
_STAIR_M, _FLIGHT_M = 1.6, 7.4


@dataclass(frozen=True)
class _Part:
    """A part of the ring: its axes in the plan, its extent along, whether it is bent."""

    number: int
    at: tuple[float, float]
    turn_deg: float
    extent: float
    bent: bool
    first: bool = False
    last: bool = False

    def along(self, metres: float, radius_m: float) -> float:
        """Return a length along the ring at a radius as an extent: radians in an arc."""
        return metres / radius_m if self.bent else metres

    def point(self, radius_m: float, t: float) -> tuple[float, float]:
        """Return a place in the part's axes."""
        if not self.bent:
            return radius_m, t
        return radius_m * math.cos(t), radius_m * math.sin(t)

    def area(self, r0: float, r1: float, t0: float, t1: float) -> float:
        """Return the area of a piece of the part, m2."""
        wide = (r1**2 - r0**2) / 2 if self.bent else r1 - r0
        return wide * (t1 - t0)


def build_ring(draw: Drawing, plan: RingPlan, storeys: Sequence[Any]) -> Sizes:
    """Draw every part of the stands into the storeys and return their sizes."""
    ring = _Ring(draw, plan, storeys)
    for part in _parts(plan):
        ring.part(part)
    return ring.sizes()


def _parts(plan: RingPlan) -> list[_Part]:
    """Return the parts counter-clockwise: right arc, straight, left arc."""
    start = math.radians(plan.start_deg)
    angle, length = (math.pi - start) / plan.arc_parts, 2 * plan.half_m / plan.straight_parts
    step = math.degrees(angle)
    right = [(plan.half_m, -90 + plan.start_deg + i * step, angle) for i in range(plan.arc_parts)]
    left = [(-plan.half_m, 90 + i * step, angle) for i in range(plan.arc_parts)]
    straight = [(plan.half_m - i * length, 90.0, length) for i in range(plan.straight_parts)]
    count = len(right) + len(straight) + len(left)
    return [
        _Part(i, (x, 0.0), turn, extent, extent == angle, first=i == 0, last=i == count - 1)
        for i, (x, turn, extent) in enumerate([*right, *straight, *left])
    ]


class _Ring:
    def __init__(self, draw: Drawing, plan: RingPlan, storeys: Sequence[Any]) -> None:
        self.draw, self.plan, self.storeys = draw, plan, storeys
        self.joinery = Joinery(draw, plan.holes, plan.looks)
        self.outer = plan.radius_m
        self.back = plan.radius_m - plan.depth_m + plan.stand_m
        self.front = plan.radius_m - plan.depth_m
        self.eaves_m = sum(s.height_m for s in plan.storeys)
        self.footprint = self.gross = self.net = 0.0
        self.roof = draw.product("IfcRoof", "roof", name="平屋顶", within=storeys[-1],
                                 kind="FLAT_ROOF")  # fmt: skip
        self.column = draw.add("IfcColumnType", "type/column", {"Name": "看台柱"})
        self.column.RepresentationMaps, self.column.PredefinedType = [self._column()], "COLUMN"

    def sizes(self) -> Sizes:
        """Return what was drawn, in numbers."""
        return Sizes(self.footprint, self.gross, self.net, self.eaves_m, self.eaves_m + 0.2)

    def part(self, it: _Part) -> None:
        """Draw one part, all its storeys."""
        plan, look = self.plan, self.plan.looks
        self.footprint += it.area(self.front, self.outer, 0, it.extent)
        self._slab(it, "base", "台基", self.storeys[0], self.front, self.outer + 0.05,
                   plan.base_m, 0.0, look.base, "BASESLAB")  # fmt: skip
        height = 0.0
        for level, spec in enumerate(plan.storeys):
            if spec.sides:
                self.gross += it.area(self.back, self.outer, 0, it.extent)
                self._storey(it, level)
                height += spec.height_m
        self._tiers(it, plan.storeys[0].height_m)
        self._top(it)

    # -- pieces ------------------------------------------------------------

    def _solid(
        self,
        it: _Part,
        r0: float,
        r1: float,
        height_m: float,
        z_m: float = 0.0,
        *,
        t: tuple[float, float] | None = None,
        look: str = "",
        round_: bool = False,
    ) -> Any:
        """Return an upright piece of a part; in the arcs of chords, or `round_`."""
        t0, t1 = t or (0.0, it.extent)
        if round_ and it.bent and t1 - t0 > 0.02:
            middle = (t0 + t1) / 2
            ring = [it.point(r, s) for r, s in (
                (r0, t0), (r1, t0), (r1, middle), (r1, t1), (r0, t1), (r0, middle))]  # fmt: skip
            return self.draw.prism(ring, height_m, z_m, look=look, arcs=[(1, 2, 3), (4, 5, 6)])
        return self.draw.prism(self._chords(it, (r0, r1), (t0, t1)), height_m, z_m, look=look)

    def _chords(
        self, it: _Part, r: tuple[float, float], t: tuple[float, float]
    ) -> list[tuple[float, float]]:
        """Return the outline of a piece of a part, its arcs in chords of half a bay."""
        count = 1
        if it.bent:
            count = max(1, math.ceil((t[1] - t[0]) * self.outer / (0.5 * self.plan.bay_m) - 1e-6))
        steps = [t[0] + (t[1] - t[0]) * i / count for i in range(count + 1)]
        return [it.point(r[1], s) for s in steps] + [it.point(r[0], s) for s in reversed(steps)]

    def _product(
        self, it: _Part, ifc_class: str, part: str, name: str, within: Any, items: Sequence[Any],
        kind: str, material: str,
    ) -> Any:  # fmt: skip
        return self.draw.product(
            ifc_class, f"part{it.number}/{part}", name=name, within=within, at=(*it.at, 0.0),
            turn_deg=it.turn_deg, shape=self.draw.shape(items), kind=kind, material=material,
        )  # fmt: skip

    def _slab(
        self, it: _Part, part: str, name: str, within: Any, r0: float, r1: float,
        thick_m: float, top_m: float, look: str, kind: str, well: _Well | None = None,
    ) -> None:  # fmt: skip
        solid = self._solid(it, r0, r1, thick_m, top_m - thick_m, look=look)
        made = self._product(it, "IfcSlab", part, name, within, [solid], kind, "混凝土")
        area, cut = it.area(r0, r1, 0, it.extent), 0.0
        if well is not None:
            x, y, turn_deg = well
            solid = self.draw.box((0, 0, -thick_m - 0.1), (_STAIR_M, _FLIGHT_M, 0.1))
            self.draw.opening(made, f"part{it.number}/{part}/well", name="楼梯洞口",
                              at=(x, y, top_m), turn_deg=turn_deg, solid=solid)  # fmt: skip
            cut = _STAIR_M * _FLIGHT_M
        self.draw.quantities(made, "Qto_SlabBaseQuantities", {
            "Width": ("Length", thick_m), "GrossArea": ("Area", area),
            "NetArea": ("Area", area - cut), "GrossVolume": ("Volume", area * thick_m),
            "NetVolume": ("Volume", (area - cut) * thick_m),
        })  # fmt: skip

    def _stair(self, it: _Part, level: int) -> _Well:
        """Draw a flight across the part, beside its first wall; return where, in its axes."""
        inner, part = self.back + self.plan.inner_wall_m, f"part{it.number}/storey{level}/stair"
        t = self._between(it)[0] + it.along(_STAIR_M + 0.4, inner)
        x, y = it.point(inner + 0.3, t)
        turn_deg = (math.degrees(t) if it.bent else 0.0) - 90.0
        stair = Stair([0.0, 0.0], [_STAIR_M, _FLIGHT_M], [level])
        solid, values = flight(self.draw, stair, self.plan.storeys[level].height_m)
        at, turn = _placed(it, x, y)
        whole = self.draw.product("IfcStair", part, name="楼梯", within=self.storeys[level],
                                  kind="STRAIGHT_RUN_STAIR")  # fmt: skip
        steps = self.draw.product(
            "IfcStairFlight", f"{part}/flight", name="梯段", within=whole, at=(*at, 0.0),
            turn_deg=turn + turn_deg, shape=self.draw.shape([solid]), material="混凝土",
            kind="STRAIGHT",
        )  # fmt: skip
        self.draw.properties(steps, "Pset_StairFlightCommon", values)
        return x, y, turn_deg

    def _wall(
        self, it: _Part, part: str, name: str, level: int, r: tuple[float, float],
        t: tuple[float, float], thick_m: float, keys: Sequence[str] = (), *, outside: bool,
    ) -> None:  # fmt: skip
        plan, height = self.plan, self.plan.storeys[level].height_m
        look = plan.looks.wall if outside else plan.looks.inner
        solid = self._solid(it, *r, height, t=t, look=look, round_=True)
        kind = "SOLIDWALL" if outside else "PARTITIONING"
        made = self._product(it, "IfcWall", part, name, self.storeys[level], [solid], kind, "砖")
        self.draw.properties(made, "Pset_WallCommon", {
            "IsExternal": ("IfcBoolean", outside), "LoadBearing": ("IfcBoolean", True),
        })  # fmt: skip
        cut, away = 0.0, r[1] == self.outer
        for i, key in enumerate(keys):
            if key != ".":
                at = (i + 0.5) * it.extent / len(keys)
                x, y = it.point(r[1] if away else r[0], at)
                turn = (math.degrees(at) if it.bent else 0.0) + (90.0 if away else -90.0)
                cut += self.joinery.pierce(
                    made, f"part{it.number}/{part}/hole{i}", key, along_m=0.0, thick_m=thick_m,
                    outside=True, bow=(x, y, turn),
                )  # fmt: skip
        area = it.area(*r, *t)
        self.draw.quantities(made, "Qto_WallBaseQuantities", {
            "Height": ("Length", height), "Width": ("Length", thick_m),
            "GrossFootprintArea": ("Area", area), "GrossVolume": ("Volume", area * height),
            "NetVolume": ("Volume", area * height - cut * thick_m),
        })  # fmt: skip

    # -- the building behind ---------------------------------------------------

    def _storey(self, it: _Part, level: int) -> None:
        plan, spec, storey = self.plan, self.plan.storeys[level], self.storeys[level]
        name, n = f"storey{level}", max(1, round(self._length(it) / plan.bay_m))
        outside, inside = (_cycle(text, n) for text in spec.sides)
        inner, outer = self.back + plan.inner_wall_m, self.outer - plan.wall_m
        whole = (0.0, it.extent)
        self._wall(it, f"{name}/outer", "外墙", level, (outer, self.outer), whole, plan.wall_m,
                   outside, outside=True)  # fmt: skip
        self._wall(it, f"{name}/inner", "看台墙", level, (self.back, inner), whole,
                   plan.inner_wall_m, inside, outside=True)  # fmt: skip
        t0, t1 = self._between(it)
        middle = (inner + outer) / 2
        self._wall(it, f"{name}/cross", "横墙", level, (inner, outer), (0.0, t0),
                   t0 * (middle if it.bent else 1.0), outside=it.first)  # fmt: skip
        if it.last:
            self._wall(it, f"{name}/end", "端墙", level, (inner, outer), (t1, it.extent),
                       (it.extent - t1) * (middle if it.bent else 1.0), outside=True)  # fmt: skip
        top = spec.height_m
        well = None
        if it.number % plan.stair_every == 1 and level + 2 < len(plan.storeys):
            well = self._stair(it, level)
        self._slab(it, f"{name}/ceiling", f"{spec.name}顶板", storey, inner, outer, plan.slab_m,
                   top, "混凝土", "FLOOR", well=well)  # fmt: skip
        self._room(it, level, (inner, outer), (t0, t1))
        self._trim(it, level, n)

    def _room(self, it: _Part, level: int, r: tuple[float, float], t: tuple[float, float]) -> None:
        import shapely

        plan = self.plan
        height = plan.storeys[level].height_m - plan.slab_m
        ring = self._chords(it, r, t)
        name, use = plan.uses[level]
        draw_room(
            self.draw, self.storeys[level], f"part{it.number}/room{level}",
            number=f"{level + 1}{it.number + 1:02d}", name=f"{name}{it.number + 1}", use=use,
            shape=shapely.Polygon(ring), height_m=height,
            solid=self.draw.prism(ring, height), at=it.at, turn_deg=it.turn_deg,
        )  # fmt: skip
        self.net += it.area(*r, *t)

    def _length(self, it: _Part) -> float:
        return it.extent * (self.outer if it.bent else 1.0)

    def _between(self, it: _Part) -> tuple[float, float]:
        """Return where the room of a part begins and ends, between its walls."""
        plan, middle = self.plan, (self.back + self.outer) / 2
        begin = plan.wall_m if it.first else plan.inner_wall_m
        end = it.along(plan.wall_m, middle) if it.last else 0.0
        return it.along(begin, middle), it.extent - end

    # -- stand, roof, ornament ---------------------------------------------------

    def _tiers(self, it: _Part, top_m: float) -> None:
        """Draw the tiers, the wall before them and, at the ends of the ring, beside them."""
        plan, draw = self.plan, self.draw
        first, storey = self.front + 0.35, self.storeys[0]
        deep = (self.back - plan.walk_m - first) / (plan.tiers - 1)
        rise = (top_m - plan.front_m) / (plan.tiers - 1)
        t0, t1 = self._between(it)
        t0 = t0 if it.first else 0.0
        steps, ends = [], []
        for i in range(plan.tiers):
            r0 = first + i * deep
            r1 = self.back if i == plan.tiers - 1 else r0 + deep
            z = plan.front_m + i * rise
            thick = rise + 0.12
            steps.append(self._solid(it, r0, r1, thick, z - thick, t=(t0, t1), look="混凝土"))
            ends.append((r0, r1, z))
        made = self._product(
            it, "IfcSlab", "tiers", "看台踏步", storey, steps, "USERDEFINED", "混凝土"
        )
        made.ObjectType = "看台"
        height = plan.front_m + 0.5
        front = self._solid(it, self.front, first, height, look=plan.looks.base)
        wall = self._product(it, "IfcWall", "front", "看台前墙", storey, [front], "SOLIDWALL", "石")
        area = it.area(self.front, first, 0, it.extent)
        draw.quantities(wall, "Qto_WallBaseQuantities", {
            "Height": ("Length", height), "Width": ("Length", 0.35),
            "GrossVolume": ("Volume", area * height), "NetVolume": ("Volume", area * height),
        })  # fmt: skip
        for end, t in ((it.first, (0.0, t0)), (it.last, (t1, it.extent))):
            if end:
                items = [self._solid(it, r0, r1, z, t=t, look=plan.looks.wall)
                         for r0, r1, z in ends]  # fmt: skip
                self._product(it, "IfcWall", f"side{int(it.last)}", "看台侧墙", storey, items,
                              "SOLIDWALL", "砖")  # fmt: skip

    def _top(self, it: _Part) -> None:
        plan, storey, look = self.plan, self.storeys[-1], self.plan.looks
        canopy = self.back - plan.canopy_m
        plate = self._solid(it, canopy, self.outer, 0.2, look="混凝土")
        made = self._product(it, "IfcSlab", "roof", "屋面板", self.roof, [plate], "ROOF", "混凝土")
        area = it.area(canopy, self.outer, 0, it.extent)
        self.draw.quantities(made, "Qto_SlabBaseQuantities", {
            "GrossVolume": ("Volume", area * 0.2), "NetVolume": ("Volume", area * 0.2),
        })  # fmt: skip
        items = [
            self._solid(it, self.outer - 0.3, self.outer, plan.parapet_m, 0.2, look=look.wall),
            self._solid(it, self.outer - 0.36, self.outer + 0.08, 0.14, 0.2 + plan.parapet_m,
                        look=look.trim),
            self._solid(it, canopy - 0.06, canopy + 0.14, 0.42, -0.1, look=look.trim),
        ]  # fmt: skip
        self._product(it, "IfcWall", "parapet", "女儿墙", storey, items, "PARAPET", "砖")
        n = max(1, round(self._length(it) / plan.bay_m))
        for i in range(n):
            x, y = it.point(canopy + 0.35, i * it.extent / n)
            at, turn = _placed(it, x, y)
            z = plan.storeys[0].height_m
            column = self.draw.product(
                "IfcColumn", f"part{it.number}/column{i}", name="看台柱", within=self.storeys[0],
                at=(*at, z), turn_deg=turn, material="石", kind="COLUMN",
                shape=self.draw.mapped(self.column.RepresentationMaps[0], [((0, 0, 0), 0.0)]),
            )  # fmt: skip
            self.draw.of_type(column, self.column)

    def _column(self) -> Any:
        top, look = self.eaves_m - self.plan.storeys[0].height_m, self.plan.looks.trim
        draw = self.draw
        return draw.symbol([
            draw.box((-0.38, -0.38, 0), (0.38, 0.38, 0.5), look=look),
            draw.cylinder(0.28, top - 0.9, 0.5, look=look),
            draw.box((-0.4, -0.4, top - 0.4), (0.4, 0.4, top), look=look),
        ])  # fmt: skip

    def _trim(self, it: _Part, level: int, bays: int) -> None:
        """Draw the band over a storey and the pilasters between its bays."""
        plan, look, height = self.plan, self.plan.looks.trim, self.plan.storeys[level].height_m
        highest = level + 2 == len(plan.storeys)
        out = 0.3 if highest else 0.12
        items = [self._solid(it, self.outer, self.outer + out, 0.35, height - 0.35, look=look)]
        stone = self.draw.symbol(
            [self.draw.box((0, -0.4, 0), (0.16, 0.4, height - 0.35), look=look)]
        )
        places = []
        for i in range(bays):
            t = i * it.extent / bays
            places.append(((*it.point(self.outer, t), 0.0), math.degrees(t) if it.bent else 0.0))
        storey = self.storeys[level]
        self._product(
            it, "IfcCovering", f"storey{level}/band", "腰线", storey, items, "MOLDING", "石"
        )
        self.draw.product(
            "IfcCovering", f"part{it.number}/storey{level}/pilasters", name="壁柱", within=storey,
            at=(*it.at, 0.0), turn_deg=it.turn_deg, kind="CLADDING", material="石",
            shape=self.draw.mapped(stone, places),
        )  # fmt: skip


def _placed(it: _Part, x: float, y: float) -> tuple[tuple[float, float], float]:
    """Return a place of a part's axes in the plan, and the part's turn."""
    c, s = math.cos(math.radians(it.turn_deg)), math.sin(math.radians(it.turn_deg))
    return (it.at[0] + x * c - y * s, it.at[1] + x * s + y * c), it.turn_deg


def _cycle(text: str, count: int) -> list[str]:
    keys = text.split()
    return [keys[i % len(keys)] for i in range(count)]
