"""The twin as engines see it: frame, layers, grids, meshes, version, scheme.

`TwinView` is what every engine takes. Three things are one: `Twin`, all in
memory (also a published network or a lone DEM, without a city); the stored
twin of `cim.store`; and `SchemedView`, a base with a scheme laid over it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame
from cim.errors import RequestError
from cim.model.body import BodyPool
from cim.model.edit import Scheme, apply_to_grid, apply_to_table
from cim.model.grid import Grid
from cim.model.layers import Layers, pieces_of
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable, empty_table

__all__ = ["Bounds", "OverBase", "SchemedView", "Twin", "TwinView", "WindowView"]
__all__ += ["fitting_cell_m", "layer_names"]

Bounds = tuple[float, float, float, float]


class TwinView(Protocol):
    """What an engine may ask of a twin."""

    @property
    def name(self) -> str:
        """Name of the twin."""
        ...

    @property
    def titles(self) -> Mapping[str, str]:
        """Readable names by language; empty where none was given."""
        ...

    @property
    def frame(self) -> Frame:
        """CRS, height datum and origin."""
        ...

    @property
    def zone(self) -> str:
        """Time zone, for example ``Asia/Shanghai``."""
        ...

    @property
    def version(self) -> int:
        """Version of the base data."""
        ...

    @property
    def scheme(self) -> str | None:
        """Name of the scheme laid over the base, or None."""
        ...

    @property
    def illustrative(self) -> bool:
        """Whether any layer or grid is illustrative (示意数据)."""
        ...

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features each has."""
        ...

    def grids(self) -> list[str]:
        """Return the names of the grids."""
        ...

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features, those whose box touches `bounds` where given."""
        ...

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return a grid, or the part of it that touches `bounds`."""
        ...

    def meshes(self) -> MeshPool:
        """Return meshes, materials and instances."""
        ...

    def bodies(self, *, ids: Sequence[str] | None = None) -> BodyPool:
        """Return objects as polygons with meaning and look: all, or those with `ids`."""
        ...


@dataclass(frozen=True)
class Twin:
    """A whole twin in memory: what a build makes and a store keeps."""

    name: str
    frame: Frame
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    rasters: Mapping[str, Grid] = field(default_factory=dict)
    pool: MeshPool = field(default_factory=MeshPool)
    body_pool: BodyPool = field(default_factory=BodyPool)
    zone: str = "Asia/Shanghai"
    version: int = 1
    scheme: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def illustrative(self) -> bool:
        """Whether any layer or grid is illustrative (示意数据)."""
        tables = self.tables
        if isinstance(tables, Layers):
            told = any(tables.illustrative(name) for name in tables)
        else:
            told = any(t.illustrative for t in tables.values())
        return told or any(g.illustrative for g in self.rasters.values())

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features each has."""
        tables = self.tables
        if isinstance(tables, Layers):
            return {name: tables.count(name) for name in tables}
        return {name: len(table) for name, table in tables.items()}

    def pieces(self, layer: str) -> Iterator[FeatureTable]:
        """Return a layer's features, those of a long layer piece by piece."""
        return pieces_of(self.tables, layer)

    def grids(self) -> list[str]:
        """Return the names of the grids."""
        return list(self.rasters)

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features, those whose box touches `bounds` where given.

        Raises
        ------
        RequestError
            No such layer.
        """
        if layer not in self.tables:
            raise RequestError("twin.no_layer", given=layer, values={"known": layer_names(self)})
        found = self.tables[layer]
        return found if bounds is None else found.take(_touches(found, bounds))

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return a grid, or the part of it that touches `bounds`.

        Raises
        ------
        RequestError
            No such grid, or `bounds` outside it.
        """
        if layer not in self.rasters:
            raise RequestError("twin.no_layer", given=layer, values={"known": layer_names(self)})
        found = self.rasters[layer]
        return found if bounds is None else found.window(bounds)

    def meshes(self) -> MeshPool:
        """Return meshes, materials and instances."""
        return self.pool

    def bodies(self, *, ids: Sequence[str] | None = None) -> BodyPool:
        """Return objects as polygons with meaning and look: all, or those with `ids`."""
        return self.body_pool if ids is None else _only(self.body_pool, ids)


class OverBase:
    """A view that lies over another one and answers as that does, but for what it overrides."""

    base: TwinView

    @property
    def name(self) -> str:
        """Name of the twin."""
        return self.base.name

    @property
    def titles(self) -> Mapping[str, str]:
        """Readable names of the base by language."""
        return self.base.titles

    @property
    def frame(self) -> Frame:
        """Frame of the base."""
        return self.base.frame

    @property
    def zone(self) -> str:
        """Time zone of the base."""
        return self.base.zone

    @property
    def version(self) -> int:
        """Version of the base."""
        return self.base.version

    @property
    def scheme(self) -> str | None:
        """Scheme of the base."""
        return self.base.scheme

    @property
    def illustrative(self) -> bool:
        """Whether the base is illustrative (示意数据)."""
        return self.base.illustrative

    def grids(self) -> list[str]:
        """Return the names of the grids."""
        return self.base.grids()

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return a grid of the base; see `Twin.grid`."""
        return self.base.grid(layer, bounds=bounds)

    def meshes(self) -> MeshPool:
        """Return the base's meshes."""
        return self.base.meshes()

    def bodies(self, *, ids: Sequence[str] | None = None) -> BodyPool:
        """Return the base's bodies."""
        return self.base.bodies(ids=ids)


@dataclass(frozen=True)
class SchemedView(OverBase):
    """A base twin with a scheme's edits laid over it; the base is not touched."""

    base: TwinView
    edits: Scheme

    @property
    def scheme(self) -> str | None:
        """Name of the scheme."""
        return self.edits.name

    @property
    def illustrative(self) -> bool:
        """Whether the base or the scheme is illustrative (示意数据)."""
        return self.base.illustrative or self.edits.illustrative

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features each has with the scheme."""
        count = self.base.layers()
        for edit in self.edits.edits:
            if edit.op in ("add", "remove"):
                change = 1 if edit.op == "add" else -1
                count[edit.layer] = count.get(edit.layer, 0) + change
        return count

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features with the scheme; see `Twin.table`."""
        if layer not in self.edits.layers():
            return self.base.table(layer, bounds=bounds)
        known = self.base.layers()
        whole = self.base.table(layer) if layer in known else empty_table(layer)
        edited = apply_to_table(whole, self.edits.edits)
        return edited if bounds is None else edited.take(_touches(edited, bounds))

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return a grid with the scheme's terrain edits; see `Twin.grid`."""
        edited = apply_to_grid(self.base.grid(layer), self.edits.edits)
        return edited if bounds is None else edited.window(bounds)

    def meshes(self) -> MeshPool:
        """Return the base's meshes without those of removed, moved or changed objects.

        A mesh that no longer agrees with its object's footprint or height would
        show the old world; the object is drawn from its footprint instead.
        """
        gone = {e.id for e in self.edits.edits if e.op in ("remove", "move", "change")}
        pool = self.base.meshes()
        kept = tuple(i for i in pool.instances if i.object_id not in gone)
        return MeshPool(meshes=pool.meshes, materials=pool.materials, instances=kept)

    def bodies(self, *, ids: Sequence[str] | None = None) -> BodyPool:
        """Return the base's bodies without those of removed, moved or reshaped objects."""
        return self.base.bodies(ids=ids).without(
            e.id
            for e in self.edits.edits
            if e.op in ("remove", "move") or (e.op == "change" and e.geometry is not None)
        )


@dataclass(frozen=True)
class WindowView(OverBase):
    """The part of a twin that touches a box: any engine asked of it answers for that part."""

    base: TwinView
    bounds: Bounds

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features touch the box."""
        return {name: len(self.table(name)) for name in self.base.layers()}

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features that touch the box, and `bounds` where given."""
        found = self.base.table(layer, bounds=self.bounds)
        return found if bounds is None else found.take(_touches(found, bounds))

    def grid(self, layer: str, *, bounds: Bounds | None = None) -> Grid:
        """Return the part of a grid that touches the box, and `bounds` where given."""
        found = self.base.grid(layer, bounds=self.bounds)
        return found if bounds is None else found.window(bounds)


def fitting_cell_m(view: TwinView, cell_m: float | None, *, least_m: float) -> float:
    """Return the cell size asked for, else the smallest of at least `least_m` the terrain has."""
    if cell_m is not None or "terrain" not in view.grids():
        return least_m if cell_m is None else cell_m
    own_m = view.grid("terrain").frame.cell_m
    return own_m * max(1, math.ceil(least_m / own_m - 1e-9))


def layer_names(view: TwinView) -> str:
    """Return the names of all layers and grids as one readable line."""
    return ", ".join(sorted([*view.layers(), *view.grids()])) or "-"


def _only(pool: BodyPool, ids: Sequence[str]) -> BodyPool:
    wanted = set(ids)
    return replace(
        pool,
        bodies=tuple(b for b in pool.bodies if b.object_id in wanted),
        records={id_: record for id_, record in pool.records.items() if id_ in wanted},
    )


def _touches(table: FeatureTable, bounds: Bounds) -> NDArray[Any]:
    import shapely

    box = shapely.bounds(table.geometry)
    xmin, ymin, xmax, ymax = bounds
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (box[:, 0] <= xmax) & (box[:, 2] >= xmin) & (box[:, 1] <= ymax) & (box[:, 3] >= ymin)
        )
