"""Windows and doors: each kind drawn once, shown in the hole it cuts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bim_import.authoring.drawing import Drawing
from bim_import.authoring.table import Hole, Looks

__all__ = ["Joinery", "hole_area"]

_FRAME_M, _BACK_M, _DEEP_M = 0.07, 0.12, 0.08
_PANES = ("SINGLE_PANEL", "DOUBLE_PANEL_VERTICAL", "TRIPLE_PANEL_VERTICAL")
_ARC = 8


def hole_area(hole: Hole) -> float:
    """Return the area of a hole as it is cut, m2: a round head is drawn with chords."""
    if not hole.arch:
        return hole.width_m * hole.height_m
    import shapely

    return float(shapely.Polygon(_head(hole, 0.0)).area)


class Joinery:
    """The windows and doors of a drawing.

    Parameters
    ----------
    draw
        The drawing; its body context is set.
    holes
        Letter -> kind.
    looks
        What frames and surrounds are made of.
    """

    def __init__(self, draw: Drawing, holes: Mapping[str, Hole], looks: Looks) -> None:
        self.draw, self.holes, self.looks = draw, holes, looks
        self._made: dict[str, tuple[Any, Any]] = {}

    def pierce(
        self, wall: Any, part: str, key: str, *, along_m: float, thick_m: float, outside: bool,
        bow: tuple[float, float, float] | None = None,
    ) -> float:  # fmt: skip
        """Cut the hole `key` into `wall` (outside at its y = 0), fill it; return its area, m2.

        Parameters
        ----------
        along_m
            Middle of the hole along the wall.
        bow
            For a bowed wall instead: (x, y) on its outer face and the turn there, degrees.
        """
        draw, hole = self.draw, self.holes[key]
        symbol, made = self._kind(key)
        x, y, turn_deg = bow or (along_m, 0.0, 0.0)
        half, angle = hole.width_m / 2, math.radians(turn_deg)
        at = (x - half * math.cos(angle), y - half * math.sin(angle), hole.sill_m)
        opening = draw.opening(
            wall, f"{part}/opening", name=f"{hole.name}洞口", at=at, turn_deg=turn_deg,
            solid=self._void(hole, thick_m),
        )  # fmt: skip
        kind = "DOOR" if hole.door else "WINDOW"
        filling = draw.product(
            "IfcDoor" if hole.door else "IfcWindow", f"{part}/filling", name=hole.name,
            within=draw.container(wall), on=opening, shape=draw.mapped(symbol, [((0, 0, 0), 0.0)]),
            material="木" if hole.solid else "木与玻璃", kind=kind,
        )  # fmt: skip
        filling.OverallWidth, filling.OverallHeight = hole.width_m, hole.height_m
        draw.of_type(filling, made)
        name = "Door" if hole.door else "Window"
        draw.properties(filling, f"Pset_{name}Common", {"IsExternal": ("IfcBoolean", outside)})
        draw.quantities(filling, f"Qto_{name}BaseQuantities", {
            "Width": ("Length", hole.width_m), "Height": ("Length", hole.height_m),
            "Area": ("Area", hole_area(hole)),
        })  # fmt: skip
        draw.relate("IfcRelFillsElement", f"{part}/fills", {
            "RelatingOpeningElement": opening, "RelatedBuildingElement": filling,
        })  # fmt: skip
        return hole_area(hole)

    def _void(self, hole: Hole, thick_m: float) -> Any:
        if not hole.arch:
            low, high = (0, -0.1, 0), (hole.width_m, thick_m + 0.1, hole.height_m)
            return self.draw.box(low, high)
        return self._upright(_head(hole, 0.0), -0.1, thick_m + 0.1, "")

    def _upright(self, ring: Any, front: float, back: float, look: str) -> Any:
        """Return the solid whose front view is `ring` (x, z), from y `front` to `back`."""
        axes = self.draw.axes((0.0, back, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
        return self.draw.extrusion(self.draw.profile(ring), back - front, axes, look=look)

    def _kind(self, key: str) -> tuple[Any, Any]:
        if key not in self._made:
            symbol = self.draw.symbol(self._leaves(self.holes[key]))
            self._made[key] = (symbol, self._type(key, symbol))
        return self._made[key]

    def _type(self, key: str, symbol: Any) -> Any:
        hole = self.holes[key]
        ifc_class = "IfcDoorType" if hole.door else "IfcWindowType"
        made = self.draw.add(ifc_class, f"type/{key}/it", {"Name": hole.name})
        made.RepresentationMaps = [symbol]
        made.PredefinedType = "DOOR" if hole.door else "WINDOW"
        if hole.door:
            double = hole.panes > 1
            made.OperationType = "DOUBLE_DOOR_SINGLE_SWING" if double else "SINGLE_SWING_LEFT"
        else:
            made.PartitioningType = _PANES[min(hole.panes, 3) - 1]
        return made

    def _leaves(self, hole: Hole) -> list[Any]:
        """Draw a window or door at its lower left corner, the outside towards -y."""
        draw, frame = self.draw, "深色木" if hole.solid else self.looks.frame
        w, h, f, y0, y1 = hole.width_m, hole.height_m, _FRAME_M, _BACK_M, _BACK_M + _DEEP_M
        top = h - w / 2 if hole.arch else h
        posts = [0.0, *(w * i / hole.panes - f / 2 for i in range(1, hole.panes)), w - f]
        items = [draw.box((x, y0, 0), (x + f, y1, top), look=frame) for x in posts]
        bars = [top - f] + ([] if hole.door else [0.0])
        bars += [h * 0.7] if h > 1.5 and not (hole.solid or hole.arch) else []
        items += [draw.box((f, y0, z), (w - f, y1, z + f), look=frame) for z in bars]
        leaf = frame if hole.solid else "玻璃"
        deep = (y0 + 0.02, y1 - 0.01) if hole.solid else (y0 + 0.03, y0 + 0.05)
        if hole.arch:
            items.append(self._upright(_head(hole, f * 0.3), *deep, leaf))
        else:
            low = 0.0 if hole.door else f
            items.append(draw.box((f, deep[0], low), (w - f, deep[1], h - f), look=leaf))
        return items + (self._surround(hole) if hole.stone else [])

    def _surround(self, hole: Hole) -> list[Any]:
        draw, look = self.draw, self.looks.trim
        w, h, side = hole.width_m, hole.height_m, 0.13
        if hole.arch:
            ring = _head(hole, -side)
            inner = _head(hole, 0.0)
            band = [*ring, *reversed(inner)]
            return [self._upright(band, -0.05, _BACK_M, look)]
        stones = [draw.box((x, -0.04, 0), (x + side, _BACK_M, h), look=look) for x in (-side, w)]
        over = side + 0.06
        stones.append(draw.box((-over, -0.07, h), (w + over, _BACK_M, h + 0.22), look=look))
        key = ((w / 2 - 0.12, -0.1, h - 0.03), (w / 2 + 0.12, 0.1, h + 0.26))
        stones.append(draw.box(*key, look=look))
        if not hole.door:
            stones.append(draw.box((-over, -0.1, -0.1), (w + over, _BACK_M, 0), look=look))
        return stones


def _head(hole: Hole, inset_m: float) -> list[tuple[float, float]]:
    """Return the front view of a hole with a round head, from its right foot round to its left."""
    w, radius = hole.width_m, hole.width_m / 2 - inset_m
    centre = hole.height_m - hole.width_m / 2
    round_ = [
        (w / 2 + radius * math.cos(a), centre + radius * math.sin(a))
        for a in (math.pi * i / _ARC for i in range(_ARC + 1))
    ]
    foot = max(inset_m, 0.0)
    return [(w - inset_m, foot), *round_, (inset_m, foot)]
