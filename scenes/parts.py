"""A picture's bodies by layer, each corner knowing its object: what files made of it need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes import city
from scenes.compose import Picture
from scenes.drawables import Surface
from scenes.scene import Scene

__all__ = ["Catalogue", "Part", "catalogue", "ground_box", "objects_of", "parts"]


@dataclass(frozen=True)
class Catalogue:
    """The objects of a picture, numbered through: first all of one layer, then the next.

    Attributes
    ----------
    tables
        One per layer, in the order of the numbers.
    number
        ``{id: number}``.
    first
        Number of each layer's first object.
    """

    tables: tuple[FeatureTable, ...]
    number: dict[str, int]
    first: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Part:
    """Triangles of one layer.

    Attributes
    ----------
    layer
        Its name; empty for what surrounds the city.
    surface
        The triangles; no corner is shared by two objects.
    owner
        (n,) int32 number of the object of each corner, -1 where there is none.
    """

    layer: str
    surface: Surface
    owner: NDArray[np.int32]


def ground_box(picture: Picture) -> Bounds:
    """Return the box the painted ground covers, projected metres."""
    corners = picture.ground.points[[0, -1], [0, -1]].astype(np.float64)
    (west, north, _), (east, south, _) = corners
    o = picture.origin
    return (west + o.x, south + o.y, east + o.x, north + o.y)


def catalogue(view: TwinView, layers: Sequence[str], bounds: Bounds) -> Catalogue:
    """Return the objects of layers that touch a box; an id that comes twice keeps its first."""
    tables, first = [], []
    number: dict[str, int] = {}
    for name in layers:
        table = view.table(name, bounds=bounds)
        fresh = np.array([i not in number for i in table.ids], dtype=bool)
        table = table if fresh.all() else table.take(fresh)
        if not len(table):
            continue
        first.append(len(number))
        number.update({str(id_): len(number) + i for i, id_ in enumerate(table.ids)})
        tables.append(table)
    return Catalogue(tuple(tables), number, tuple(first))


def objects_of(scene: Scene, view: TwinView, picture: Picture) -> Catalogue:
    """Return the objects a file made of a scene knows: of the layers it names, on its ground.

    Layers that could not be drawn are left out, as the picture does.
    """
    asked = [n for n in view.layers() if scene.layers is None or n in scene.layers]
    layers = [n for n in asked if n not in picture.failed]
    return catalogue(view, sorted(layers, key=city.order), ground_box(picture))


def parts(picture: Picture, objects: Catalogue) -> list[Part]:
    """Return the bodies of a picture, cut by layer."""
    layer_of = np.empty(len(objects) + 1, dtype=np.int32)
    layer_of[-1] = -1
    for i, start in enumerate(objects.first):
        layer_of[start : start + len(objects.tables[i])] = i
    made = []
    for surface in picture.surfaces:
        if not len(surface.triangles):
            continue
        numbers = np.array([objects.number.get(str(i), -1) for i in surface.ids], np.int32)
        owner = numbers[surface.owner] if len(numbers) else np.full(len(surface.triangles), -1)
        layers = layer_of[owner]
        for one in np.unique(layers):
            name = "" if one < 0 else objects.tables[one].layer
            made.append(_part(name, surface, owner.astype(np.int32), layers == one))
    return made


def _part(name: str, surface: Surface, owner: NDArray[np.int32], mine: NDArray[np.bool_]) -> Part:
    triangles, who = surface.triangles[mine], owner[mine]
    of_corner = np.full(len(surface.vertices), -1, dtype=np.int32)
    of_corner[triangles] = who[:, None]
    if (of_corner[triangles] != who[:, None]).any():  # a corner of two objects: one for each
        used = triangles.ravel()
        of_corner = np.repeat(who, 3)
        triangles = np.arange(triangles.size, dtype=np.int32).reshape(-1, 3)
    else:
        used, place = np.unique(triangles, return_inverse=True)
        of_corner = of_corner[used]
        triangles = place.reshape(-1, 3).astype(np.int32)
    cut = replace(
        surface,
        vertices=surface.vertices[used],
        triangles=triangles,
        rgb=surface.rgb[used],
        owner=who,
        uv=None if surface.uv is None else surface.uv[used],
        tiles=surface.tiles if mine.all() else None,
    )
    return Part(name, cut, of_corner)
