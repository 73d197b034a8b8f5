"""Where water may get in: doors (门) of buildings and ways underground (地下出入口) of a twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.flood.cells import open_cells
from cim.flood.ground import Site
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["Doors", "Sills", "find_doors", "find_sills", "tables_of"]

Floats = NDArray[np.float64]

_REACH_M = 6.0  # from a door to its nearest cell in the open
_AGAINST_WALL_M = 2.0  # a door this near to a building is its door
_RAMP = ("ramp", "garage", "underpass", "tunnel", "坡道", "车库", "下穿", "地道")
_DOWN = (*_RAMP, "metro", "subway", "underground", "basement", "地铁", "地下")


@dataclass(frozen=True)
class Doors:
    """Doors above ground, (k,): number of the building, level of the sill (NaN unknown), cell."""

    building: NDArray[np.int64]
    sill_m: Floats
    cell: NDArray[np.int64]


@dataclass(frozen=True)
class Sills:
    """Places where water may run down into the ground, (k,).

    `ids` of the entrance, `space` its underground space ("" unknown), `sill_m`, `width_m`,
    `cell` flat index of the open cell outside (-1 none), `assumed` whether the width is assumed.
    """

    ids: NDArray[Any]
    space: NDArray[Any]
    sill_m: Floats
    width_m: Floats
    cell: NDArray[np.int64]
    assumed: NDArray[np.bool_]


def tables_of(view: TwinView, kind: str, *, site: Site | None = None) -> list[FeatureTable]:
    """Return the layers of a kind, within the site where one is given."""
    bounds = None if site is None else site.frame.bounds
    names = [name for name in view.layers() if split_layer(name)[0] == kind]
    return [view.table(name, bounds=bounds) for name in names]


def find_sills(view: TwinView, site: Site) -> Sills:
    """Return the ways underground: entrances of an underground space, ramps, underpasses.

    A way without a sill level (``level_m``) is none that can be judged and is left out.
    """
    spaces = _named(tables_of(view, "underground_space"))
    widths = standard("flood.entrance_width_m")
    rows: list[tuple[str, str, float, float, bool]] = []
    points: list[tuple[float, float]] = []
    for table in (*tables_of(view, "entrance"), *tables_of(view, "underground_space")):
        level, width = table.numbers("level_m"), table.numbers("width_m")
        kinds, parents = table.texts("type"), table.texts("parent")
        for i, place in enumerate(_middles(table)):
            id_, kind = str(table.ids[i]), kinds[i].lower()
            space = id_ if table.kind == "underground_space" else spaces.get(parents[i], "")
            leads_down = bool(space) or any(word in kind for word in _DOWN)
            if place is None or not leads_down or not np.isfinite(level[i]):
                continue
            ramp = any(word in kind for word in _RAMP)
            known = bool(np.isfinite(width[i]) and width[i] > 0)
            wide = width[i] if known else widths.by_class("ramp" if ramp else "entrance")
            rows.append((id_, space, float(level[i]), float(wide), not known))
            points.append(place)
    return Sills(
        ids=np.array([row[0] for row in rows], dtype=object),
        space=np.array([row[1] for row in rows], dtype=object),
        sill_m=np.array([row[2] for row in rows], dtype=np.float64),
        width_m=np.array([row[3] for row in rows], dtype=np.float64),
        cell=_cells(site, points),
        assumed=np.array([row[4] for row in rows], dtype=bool),
    )


def find_doors(view: TwinView, site: Site) -> Doors:
    """Return the doors of the site's buildings that open onto it.

    A door belongs to the building it names as its parent, by id or source id, else to the nearest
    within two metres. A door into another house, or outside the area, says nothing.
    """
    import shapely

    number = {str(id_): i for i, id_ in enumerate(site.building_ids)}
    houses = tables_of(view, "building", site=site)
    owners = {name: number[id_] for name, id_ in _named(houses).items() if id_ in number}
    shapes = np.array([shape for table in houses for shape in table.geometry], dtype=object)
    underground = _named(tables_of(view, "underground_space"))
    tree = shapely.STRtree(shapes)
    building: list[int] = []
    sill: list[float] = []
    points: list[tuple[float, float]] = []
    for table in tables_of(view, "entrance", site=site):
        levels, kinds, parents = (
            table.numbers("level_m"),
            table.texts("type"),
            table.texts("parent"),
        )
        for i, place in enumerate(_middles(table)):
            down = parents[i] in underground or any(word in kinds[i].lower() for word in _DOWN)
            if place is None or down:
                continue
            owner = owners.get(parents[i], -1)
            owner = _nearest(tree, shapes, place) if owner < 0 else owner
            if owner >= 0:
                building.append(owner)
                sill.append(float(levels[i]))
                points.append(place)
    cell = _cells(site, points)
    placed = cell >= 0
    return Doors(
        np.array(building, np.int64)[placed], np.array(sill, np.float64)[placed], cell[placed]
    )


def _named(tables: list[FeatureTable]) -> dict[str, str]:
    """Ids by id and by source id."""
    pairs = [
        (str(id_), source)
        for table in tables
        for id_, source in zip(table.ids, table.texts("source_id"), strict=True)
    ]
    return {**{source: id_ for id_, source in pairs if source}, **{id_: id_ for id_, _ in pairs}}


def _middles(table: FeatureTable) -> list[tuple[float, float] | None]:
    import shapely

    empty = shapely.is_missing(table.geometry) | shapely.is_empty(table.geometry)
    points = shapely.centroid(table.geometry)
    return [None if gone else (p.x, p.y) for p, gone in zip(points, empty, strict=True)]


def _cells(site: Site, points: list[tuple[float, float]]) -> NDArray[np.int64]:
    at = np.array(points, np.float64).reshape(-1, 2)
    return open_cells(site.frame, np.isfinite(site.bed_m), at[:, 0], at[:, 1], reach_m=_REACH_M)


def _nearest(tree: Any, shapes: NDArray[Any], place: tuple[float, float]) -> int:
    import shapely

    point = shapely.Point(place)
    near = tree.query(point, predicate="dwithin", distance=_AGAINST_WALL_M)
    if not len(near):
        return -1
    return int(near[np.argmin(shapely.distance(shapes[near], point))])
