"""What a table says of a model: its facts and place, its plan, its parts.

A model is a TOML table. What it leaves open of the facts (place, name, address, year, size)
comes from the row of ``landmarks.csv`` with its ``source_id``, so facts are kept once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Balcony", "Chimney", "Dormer", "Facts", "Hole", "House", "Looks", "Model", "Partition",
    "Portico", "Repeat", "RingPlan", "RoofSpec", "RoomSpec", "Stair", "StoreySpec"
]  # fmt: skip

Point = list[float]


@dataclass(frozen=True)
class Facts:
    """Who and where.

    Attributes
    ----------
    source_id
        Own id of the building in its source; every GlobalId derives from it.
    crs, height_datum
        The district's projected system, and what levels are above.
    lon, lat
        Centre of the plan, degrees of the district's GeoJSON.
    east_m, north_m
        The same in `crs`.
    bearing_deg
        The plan's x, clockwise from grid north; y is 90 degrees to its left.
    length_m, width_m
        Outer size of the footprint along x and y.
    storeys
        As published.
    ground_floor_m
        Finished ground floor above the height datum.
    """

    source_id: str
    name: str
    address: str
    city: str
    year: int | None
    crs: str
    height_datum: str
    lon: float
    lat: float
    east_m: float
    north_m: float
    bearing_deg: float
    length_m: float
    width_m: float
    storeys: int
    ground_floor_m: float
    use: str = ""
    style: str = ""
    protection: str = ""
    floor_area_m2: float | None = None


@dataclass(frozen=True)
class Hole:
    """A window or door: `panes` sashes side by side, `sill_m` above the floor.

    ``stone``: a surround; ``solid``: leaves of wood, not glass; ``arch``: a round head.
    """

    name: str
    width_m: float
    height_m: float
    sill_m: float = 0.0
    panes: int = 1
    door: bool = False
    stone: bool = True
    solid: bool = False
    arch: bool = False


@dataclass(frozen=True)
class StoreySpec:
    """A storey: floor to floor, and what its outer walls show.

    ``sides`` has a text for each side of the outline: letters of `House.holes` at equal
    distances, ``.`` for a blank bay. No sides: a storey without outer walls.
    """

    name: str
    height_m: float = 0.0
    outline: str = "main"
    sides: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Partition:
    """An inner wall along a centre line, cut to what is free; doors are [letter, metres along]."""

    name: str
    start: Point
    end: Point
    doors: list[list[Any]] = field(default_factory=list)
    storeys: list[int] = field(default_factory=lambda: [0])
    thick_m: float | None = None


@dataclass(frozen=True)
class RoomSpec:
    """A room: its name and use, and any point inside."""

    name: str
    use: str
    at: Point
    storey: int = 0


@dataclass(frozen=True)
class RoofSpec:
    """A roof over the storey `above`: ``hip``, ``mansard``, ``gable`` or ``flat``.

    ``cross`` are gables across it, [x0, y0, x1, y1, slope] with the ridge along y; ``fronts``
    are [x0, y0, x1, y1] lines under which a wall closes the roof; ``each_cross`` and
    ``each_front`` are one of either in every house of a row; ``towers`` are outlines standing
    through it.
    """

    name: str
    kind: str
    above: int
    outline: str = "main"
    overhang_m: float = 0.6
    slope: float = 0.5
    break_m: float = 0.0
    upper_slope: float = 0.0
    look: str = "红瓦"
    along_x: bool = True
    tiles: bool = True
    tile_m: float = 0.55
    parapet_m: float = 0.0
    cross: list[list[float]] = field(default_factory=list)
    fronts: list[list[float]] = field(default_factory=list)
    each_cross: list[float] = field(default_factory=list)
    each_front: list[float] = field(default_factory=list)
    towers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stair:
    """A straight flight in the rectangle `low`-`high`, rising along +y (or -y)."""

    low: Point
    high: Point
    storeys: list[int]
    down: bool = False


@dataclass(frozen=True)
class Portico:
    """Columns before the front: x from -`half_m` to `half_m`, from y `front` to `back`."""

    half_m: float
    front: float
    back: float
    columns: list[float]
    top_m: float
    radius_m: float = 0.22
    steps: int = 3


@dataclass(frozen=True)
class Balcony:
    """A slab with a balustrade along its front, on the floor of `storey`."""

    low: Point
    high: Point
    storey: int = 1


@dataclass(frozen=True)
class Dormer:
    """A gabled window in the roof numbered `roof`: its front's middle, facing `turn_deg`."""

    at: Point
    turn_deg: float = 0.0
    width_m: float = 1.6
    wall_m: float = 1.7
    roof: int = 0
    hole: str = "r"


@dataclass(frozen=True)
class Chimney:
    """A chimney stack: where, and its top above the eaves."""

    at: Point
    top_m: float


@dataclass(frozen=True)
class Repeat:
    """The plan is `count` houses of `pitch_m` along x; every second one mirrored."""

    count: int
    pitch_m: float
    party_wall_m: float = 0.24


@dataclass(frozen=True)
class Looks:
    """What the parts are made to look like."""

    wall: str = "紫红砖"
    trim: str = "浅色石"
    base: str = "花岗石"
    inner: str = "抹灰"
    frame: str = "白漆木"


@dataclass(frozen=True)
class House:
    """A house: outlines, storeys, openings, rooms, roofs and what stands out of it."""

    outlines: dict[str, list[Point]]
    storeys: list[StoreySpec]
    holes: dict[str, Hole]
    rooms: list[RoomSpec]
    roofs: list[RoofSpec]
    partitions: list[Partition] = field(default_factory=list)
    stairs: list[Stair] = field(default_factory=list)
    porticos: list[Portico] = field(default_factory=list)
    balconies: list[Balcony] = field(default_factory=list)
    dormers: list[Dormer] = field(default_factory=list)
    chimneys: list[Chimney] = field(default_factory=list)
    repeat: Repeat | None = None
    looks: Looks = field(default_factory=Looks)
    outer_wall_m: float = 0.37
    inner_wall_m: float = 0.24
    slab_m: float = 0.25
    base_m: float = 0.9
    quoins: bool = False
    bands: bool = True


@dataclass(frozen=True)
class RingPlan:
    """Stands around a ground: two arcs and the straight between them, in equal parts.

    Attributes
    ----------
    radius_m, half_m
        Outer radius of the arcs; half the length of the straight.
    depth_m, stand_m
        Outer wall to the front of the tiers; how much of it the tiers take.
    start_deg
        Where each arc begins beside the gap, from its foot.
    arc_parts, straight_parts
        Parts between cross walls in each arc and in the straight.
    bay_m
        About the length of a bay along the outer wall.
    storeys
        From below; ``sides`` are the letters of the outer and of the inner wall, bay by bay.
    uses
        (name, use) of the rooms of each storey.
    tiers, front_m, walk_m
        Steps of the stand, height of its front wall, width of the walk on top of it.
    canopy_m
        How far the roof reaches over the stand, on columns.
    stair_every
        One part in so many has stairs.
    """

    radius_m: float
    half_m: float
    depth_m: float
    stand_m: float
    start_deg: float
    arc_parts: int
    straight_parts: int
    bay_m: float
    storeys: list[StoreySpec]
    holes: dict[str, Hole]
    uses: list[list[str]]
    tiers: int
    front_m: float
    walk_m: float
    canopy_m: float
    parapet_m: float
    stair_every: int = 3
    looks: Looks = field(default_factory=Looks)
    wall_m: float = 0.6
    inner_wall_m: float = 0.3
    slab_m: float = 0.3
    base_m: float = 0.5


@dataclass(frozen=True)
class Model:
    """A table read: its name, its facts, and the plan of a house or of a ring of stands."""

    name: str
    facts: Facts
    plan: House | RingPlan
