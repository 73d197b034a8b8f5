"""The invented plan of the demo villa: outlines, walls, openings and rooms as plain numbers.

Everything here is 示意数据 (illustrative). Local metres: x along the long axis,
y to its left, the origin at the centre of the plan; the entrance court opens to -y.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HOLES", "OUTER_WALL_M", "PARTITION_M", "Hole", "Plan", "Room", "offset", "plan"]

OUTER_WALL_M = 0.37
PARTITION_M = 0.24

_Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Hole:
    """A window or door: `panes` sashes side by side, `sill_m` above the floor."""

    name: str
    width_m: float
    height_m: float
    sill_m: float
    panes: int
    door: bool


HOLES = {
    "window": Hole("双扇木窗", 1.3, 2.0, 0.85, 2, False),
    "wide": Hole("三扇木窗", 2.1, 2.0, 0.85, 3, False),
    "small": Hole("小木窗", 0.8, 1.2, 1.45, 1, False),
    "dormer": Hole("老虎窗", 1.2, 0.9, 0.0, 2, False),
    "french": Hole("落地门窗", 1.4, 2.6, 0.0, 2, True),
    "entrance": Hole("入户大门", 1.9, 2.7, 0.0, 2, True),
    "inner": Hole("室内门", 0.95, 2.15, 0.0, 1, True),
}


@dataclass(frozen=True)
class Room:
    """A room: the rectangle between its walls, in local metres."""

    name: str
    use: str
    storey: int
    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def area_m2(self) -> float:
        """Floor area between the walls."""
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])

    @property
    def perimeter_m(self) -> float:
        """Length around the floor."""
        return 2 * (self.high[0] - self.low[0] + self.high[1] - self.low[1])


@dataclass(frozen=True)
class Plan:
    """The plan of both storeys.

    Attributes
    ----------
    outline
        Outer face of the outer walls, counter-clockwise.
    court
        x of the court's right side and y of its back wall (outer faces).
    outer
        Per storey and side of `outline`: (kind of hole, metres along the side).
    partitions
        (name, from, to, holes): inner walls as centre lines, with their doors.
    stairwell
        Low and high corner of the hole in the upper floor.
    """

    half_length_m: float
    half_width_m: float
    outline: _Ring
    court: tuple[float, float]
    outer: list[list[list[tuple[str, float]]]]
    partitions: list[tuple[str, tuple[float, float], tuple[float, float], list[tuple[str, float]]]]
    rooms: list[Room]
    stairwell: tuple[tuple[float, float], tuple[float, float]]


def offset(ring: _Ring, by_m: float) -> _Ring:
    """Return an axis-parallel counter-clockwise ring moved outwards by `by_m`."""
    out = []
    for i, (x, y) in enumerate(ring):
        before, after = ring[i - 1], ring[(i + 1) % len(ring)]
        dx = _sign(x - before[0]) or _sign(after[0] - x)
        dy = _sign(y - before[1]) or _sign(after[1] - y)
        out.append((x + dy * by_m, y - dx * by_m))
    return out


def plan(length_m: float, width_m: float) -> Plan:
    """Return the plan stretched to `length_m` by `width_m`, outer wall to outer wall."""
    a, b = length_m / 2, width_m / 2
    c, n = 0.36 * a, -b + 3.5
    outline = [(-a, -b), (-c, -b), (-c, n), (c, n), (c, -b), (a, -b), (a, b), (-a, b)]
    wing, deep, back = a - c, 2 * b, 2 * a
    front = [("wide", wing * f) for f in (0.29, 0.71)]
    side = [("window", deep * f) for f in (0.13, 0.32, 0.5, 0.68, 0.87)]
    far = [("window", deep * f) for f in (0.13, 0.32, 0.5)] + [
        ("small", deep * f) for f in (0.7, 0.87)
    ]
    rear = [("window", back * f) for f in (0.08, 0.2, 0.32, 0.5, 0.68, 0.8, 0.92)]
    cheek = [("small", 1.75)]
    porch = [("window", c - 2.9), ("entrance", c), ("window", c + 2.9)]
    balcony = [("french", c - 2.9), ("french", c), ("french", c + 2.9)]
    outer = [[front, cheek, middle, cheek, front, side, rear, far] for middle in (porch, balcony)]
    return Plan(
        a, b, outline, (c, n), outer, _partitions(a, b, c, n), _rooms(a, b, c, n),
        ((c - 1.9, n + 3.4), (c - 0.4, n + 8.6)),
    )  # fmt: skip


def _partitions(
    a: float, b: float, c: float, n: float
) -> list[tuple[str, tuple[float, float], tuple[float, float], list[tuple[str, float]]]]:
    t, p = OUTER_WALL_M, PARTITION_M / 2
    x, top, bottom = c + p, b - t, n + t
    length = top - bottom
    return [
        ("西隔墙", (-x, bottom), (-x, top), [("inner", 2.0), ("inner", length - 2.0)]),
        ("东隔墙", (x, bottom), (x, top), [("inner", 2.0), ("inner", length - 2.0)]),
        ("西横墙", (-a + t, 0.5), (-x - p, 0.5), [("inner", a - t - x - p - 1.2)]),
        ("东横墙", (x + p, 0.5), (a - t, 0.5), [("inner", 1.2)]),
    ]


def _rooms(a: float, b: float, c: float, n: float) -> list[Room]:
    t, p = OUTER_WALL_M, PARTITION_M / 2
    inner, outer, lower, upper = c + 2 * p, a - t, 0.5 - p, 0.5 + p
    hall = ((-c, n + t), (c, b - t))
    corners = {
        "front_left": ((-outer, -b + t), (-c - t, lower)),
        "back_left": ((-outer, upper), (-inner, b - t)),
        "front_right": ((c + t, -b + t), (outer, lower)),
        "back_right": ((inner, upper), (outer, b - t)),
        "hall": hall,
    }
    names = [
        {"hall": ("门厅", "交通"), "front_left": ("客厅", "起居"), "back_left": ("餐厅", "起居"),
         "front_right": ("书房", "起居"), "back_right": ("厨房", "服务")},
        {"hall": ("楼梯厅", "交通"), "front_left": ("主卧室", "卧室"),
         "back_left": ("次卧室", "卧室"), "front_right": ("客房", "卧室"),
         "back_right": ("浴室及衣帽间", "服务")},
    ]  # fmt: skip
    return [
        Room(name, use, storey, *corners[place])
        for storey, row in enumerate(names)
        for place, (name, use) in row.items()
    ]


def _sign(value: float) -> float:
    return float(value > 0) - float(value < 0)
