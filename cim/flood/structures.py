"""Weirs, culverts, pumps and tanks on the surface (水工设施): what they move between two cells.

Each is a feature of kind ``hydraulic_structure`` with a ``type``. A line leads from where water
is taken to where it goes; a point takes it out of the area (a pump to the river) or into a tank.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cim.flood.cells import open_cells
from cim.flood.ground import Site
from cim.flood.laws import culvert_m3_s, pump_m3_s, weir_m3_s
from cim.flood.openings import tables_of
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["TYPES", "Structures", "find_structures"]

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]

TYPES = {
    "weir": ("weir", "sill", "堰"),
    "culvert": ("culvert", "box", "涵洞", "涵"),
    "pump": ("pump", "pump station", "泵", "泵站", "雨水泵站"),
    "tank": ("tank", "storage", "调蓄池"),
}
"""Words by which the type of a structure is known."""

_REACH_M = 6.0
_NUMBERS = (
    "crest_m", "invert_from_m", "invert_to_m", "width_m", "height_m",
    "capacity_m3_s", "on_m", "off_m", "volume_m3",
)  # fmt: skip


@dataclass
class Structures:
    """Structures that move water, (k,), and what they have moved.

    Attributes
    ----------
    ids, kinds
        Of the features; ``weir``, ``culvert``, ``pump`` or ``tank``.
    start, end
        Flat cells; `end` -1 leaves the area.
    crest_m, end_crest_m, width_m, height_m, length_m
        Of weirs and culverts: crest or inverts at both ends.
    capacity_m3_s, on_m, off_m
        Of pumps, and of the inflow of tanks.
    room_m3
        Left in a tank; infinite otherwise.
    left_out
        (id, reason key) of what cannot be used.
    """

    ids: list[str]
    kinds: list[str]
    start: Cells
    end: Cells
    crest_m: Floats
    end_crest_m: Floats
    width_m: Floats
    height_m: Floats
    length_m: Floats
    capacity_m3_s: Floats
    on_m: Floats
    off_m: Floats
    room_m3: Floats
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.moved_m3 = np.zeros(len(self.ids))
        self.running = np.zeros(len(self.ids), bool)
        self._is = {kind: np.array([k == kind for k in self.kinds], bool) for kind in TYPES}

    def is_a(self, kind: str) -> NDArray[np.bool_]:
        """(k,) which are of a kind."""
        return self._is[kind]

    def wanted_m3_s(self, depth_m: Floats, level_m: Floats) -> Floats:
        """What each would move now from start to end, m³/s; depths and levels (2, k) at both."""
        out = np.zeros(len(self.ids))
        up, down = level_m[0], np.where(self.end >= 0, level_m[1], -np.inf)
        weir, culvert = self._is["weir"], self._is["culvert"]
        if weir.any():
            low = np.where(np.isfinite(down), down, self.crest_m - 1.0)
            out[weir] = weir_m3_s(
                up[weir], low[weir], crest_m=self.crest_m[weir], width_m=self.width_m[weir],
                coefficient=standard("flood.broad_crest").number(),
            )  # fmt: skip
        if culvert.any():
            numbers = dict(standard("flood.culvert").value)
            low = np.where(np.isfinite(down), down, self.end_crest_m)
            out[culvert] = culvert_m3_s(
                up[culvert], low[culvert],
                invert_up_m=self.crest_m[culvert], invert_down_m=self.end_crest_m[culvert],
                height_m=self.height_m[culvert], width_m=self.width_m[culvert],
                length_m=self.length_m[culvert], manning=numbers["manning"], coefficients=numbers,
            )  # fmt: skip
        lifts = self._is["pump"] | self._is["tank"]
        flow, running = pump_m3_s(
            depth_m[0], self.running, capacity_m3_s=self.capacity_m3_s,
            on_m=self.on_m, off_m=self.off_m,
        )  # fmt: skip
        self.running = running & lifts
        return np.where(lifts, flow, out)

    def took(self, volume_m3: Floats) -> Floats:
        """Keep what was moved (signed); a full tank takes no more. Returns the size moved."""
        moved = np.minimum(np.abs(volume_m3), self.room_m3)
        self.room_m3 = self.room_m3 - np.where(self._is["tank"], moved, 0.0)
        self.moved_m3 += np.sign(volume_m3) * moved
        return moved


def find_structures(view: TwinView, site: Site) -> Structures:
    """Return the structures of the twin that stand on the site's open ground.

    Attributes read: ``type``; ``crest_m`` (weir) or ``invert_from_m``, ``invert_to_m`` (culvert),
    absolute; ``width_m``, ``height_m``; ``capacity_m3_s``, ``on_m``, ``off_m`` (pump, tank);
    ``volume_m3`` (tank). What lacks a number it cannot do without is listed.
    """
    import shapely

    rows: list[tuple[str, str, list[float]]] = []
    ends: list[tuple[float, float, float, float, bool]] = []
    left_out: list[tuple[str, str]] = []
    for table in tables_of(view, "hydraulic_structure", site=site):
        columns = np.stack([table.numbers(name) for name in _NUMBERS], axis=1)
        for i, (shape, word) in enumerate(zip(table.geometry, table.texts("type"), strict=True)):
            id_, kind = str(table.ids[i]), _kind(word)
            if kind is None or shape is None:
                left_out.append((id_, "flood.left_out.structure_type"))
                continue
            at = shapely.get_coordinates(shape)
            line = shapely.get_dimensions(shape) == 1
            first = at[0] if line else np.array(shapely.centroid(shape).coords[0])
            last = at[-1]
            rows.append((id_, kind, [*columns[i], float(shapely.length(shape)) if line else 0.0]))
            ends.append((first[0], first[1], last[0], last[1], bool(line)))
    both = np.array(ends, np.float64).reshape(-1, 5)
    open_ = np.isfinite(site.bed_m)
    start = open_cells(site.frame, open_, both[:, 0], both[:, 1], reach_m=_REACH_M)
    end = open_cells(site.frame, open_, both[:, 2], both[:, 3], reach_m=_REACH_M)
    end = np.where(both[:, 4] > 0, end, -1)
    return _usable(rows, start, end, left_out)


def _kind(word: str) -> str | None:
    plain = word.strip().lower()
    return next((kind for kind, words in TYPES.items() if plain in words), None)


def _usable(
    rows: list[tuple[str, str, list[float]]],
    start: Cells,
    end: Cells,
    left_out: list[tuple[str, str]],
) -> Structures:
    kept = []
    for i, (id_, kind, numbers) in enumerate(rows):
        crest, invert, _, width, height, flow, _, _, volume, _ = numbers
        needs = {
            "weir": (crest, width),
            "culvert": (invert, width, height),
            "pump": (flow,),
            "tank": (volume,),
        }[kind]
        if start[i] < 0:
            left_out.append((id_, "flood.left_out.structure_place"))
        elif not all(np.isfinite(n) for n in needs) or min((*needs[1:], 1.0)) <= 0:
            left_out.append((id_, "flood.left_out.structure_numbers"))
        else:
            kept.append(i)
    table = np.array([rows[i][2] for i in kept], np.float64).reshape(-1, 10)
    kinds = [rows[i][1] for i in kept]
    culvert = np.array([k == "culvert" for k in kinds], bool)
    tank = np.array([k == "tank" for k in kinds], bool)
    capacity = np.where(np.isfinite(table[:, 5]), table[:, 5], np.inf)
    return Structures(
        ids=[rows[i][0] for i in kept],
        kinds=kinds,
        start=start[kept],
        end=end[kept],
        crest_m=np.where(culvert, table[:, 1], table[:, 0]),
        end_crest_m=np.where(np.isfinite(table[:, 2]), table[:, 2], table[:, 1]),
        width_m=table[:, 3],
        height_m=table[:, 4],
        length_m=table[:, 9],
        capacity_m3_s=np.where(np.isfinite(capacity), capacity, 1e3),  # a tank without a throttle
        on_m=np.nan_to_num(table[:, 6], nan=0.05),
        off_m=np.nan_to_num(table[:, 7], nan=0.0),
        room_m3=np.where(tank, table[:, 8], np.inf),
        left_out=left_out,
    )
