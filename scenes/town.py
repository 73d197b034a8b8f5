"""The tiles of one layer of bodies on a canvas: which are shown how, and their colours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes import blocks as tiles
from scenes.camera import Camera
from scenes.drawables import Blocks
from scenes.shaders import Cards, plain
from scenes.vtk_parts import actor, array, behind, mesh

if TYPE_CHECKING:
    from scenes.backend import Canvas

__all__ = ["Tile", "Town"]


class Tile(NamedTuple):
    """A tile in view: its layer and number, level of detail, objects and triangles drawn."""

    layer: str
    number: int
    level: int
    objects: int
    triangles: int


class _Painted(NamedTuple):
    """Faces and their colours, as numpy's and VTK's; what VTK has of cards beside them."""

    made: tiles.Faces | tiles.Cards
    rgba: NDArray[np.uint8]
    colours: Any
    reach: Any = None


class Town:
    """The tiles of one layer on a canvas: which are shown how, their colours."""

    def __init__(self, canvas: Canvas, blocks: Blocks) -> None:
        self.blocks = blocks
        self._canvas = canvas
        self._light = tiles.light_table()
        self._cards = Cards()
        self._made: dict[tuple[int, int], tuple[list[Any], int, int]] = {}
        self._drawn: dict[tuple[int, int], list[_Painted]] = {}
        self._stale: set[tuple[int, int]] = set()
        self._on: set[tuple[int, int]] = set()

    def show(self, camera: Camera, *, dragging: bool) -> list[Tile]:
        """Show the tiles in view, each at its level, and hide the others."""
        size = self._canvas.size
        seen = tiles.in_view(self.blocks.tile_box, camera, size[0] / size[1])
        level = tiles.levels(self.blocks, camera, size[1], dragging=dragging)
        light = tiles.wall_light(self._light, camera)
        self._cards.show(camera.position.tolist(), light.tolist())
        wanted = {(int(t), int(level[t])) for t in np.flatnonzero(seen)}
        for key in self._on - wanted:
            for one in self._made[key][0]:
                one.VisibilityOff()
        shown = []
        for key in sorted(wanted):
            if key not in self._made:
                self._made[key] = self._make(key)
            if key in self._stale:
                self._paint(key)
            actors, objects, triangles = self._made[key]
            for one in actors:
                one.VisibilityOn()
            shown.append(Tile(self.blocks.layer, *key, objects, triangles))
        self._on = wanted
        return shown

    def light(self, table: NDArray[np.float32]) -> None:
        """Paint what is shown next under other light, (CODES, 3) of `blocks.light_table`."""
        self._light = table
        self._stale.update(self._drawn)

    def recolour(self, wall: NDArray[np.uint8], roof: NDArray[np.uint8]) -> None:
        """Give the bodies other colours, (n, 3) each; what is in view takes them at once."""
        self.blocks.wall[:], self.blocks.roof[:] = wall, roof
        self._stale.update(self._drawn)
        for key in self._on & set(self._drawn):
            self._paint(key)

    def _paint(self, key: tuple[int, int]) -> None:
        for one in self._drawn[key]:
            tiles.paint(self.blocks, one.made, self._light, out=one.rgba)
            one.colours.Modified()
            if isinstance(one.made, tiles.Cards):
                tiles.paint_walls(self.blocks, one.made)
                one.reach.Modified()
        self._stale.discard(key)

    def _make(self, key: tuple[int, int]) -> tuple[list[Any], int, int]:
        tile, level = key
        first, last = self.blocks.tile_start[tile : tile + 2]
        which = self.blocks.order[first:last]
        rows = np.sort(self.blocks.owner[which])
        rows = rows[np.r_[True, rows[1:] > rows[:-1]]]
        if level == tiles.NEAR and self.blocks.detail is not None:
            surfaces, edges = self.blocks.detail(rows)
            surfaces = [replace(s, opacity=self.blocks.opacity) for s in surfaces]
            edges = [replace(e, opacity=self.blocks.opacity) for e in edges]
            pairs = [self._canvas.add_surface(s) for s in surfaces]
            actors = [a for a, _ in pairs if a is not None]
            actors += [self._canvas.add_lines(e) for e in edges if len(e.points)]
            return actors, len(rows), sum(n for _, n in pairs)
        self._drawn[key] = []
        actors = []
        if level == tiles.CARDS:
            small = tiles.for_cards(self.blocks, which)
            if small.any():
                actors.append(self._add_cards(key, which[small]))
            which, level = which[~small], tiles.BOXES
        if len(which):
            actors.append(self._add_faces(key, which, level))
        triangles = sum(self._canvas.add(one) for one in actors)
        return actors, len(rows), triangles

    def _add_faces(self, key: tuple[int, int], which: NDArray[np.int64], level: int) -> Any:
        made = tiles.faces(self.blocks, which, level)
        data = mesh(made.vertices, made.triangles)
        painted = self._coloured(made, data)
        self._drawn[key].append(painted)
        return self._closed(plain(behind(actor(data))))

    def _add_cards(self, key: tuple[int, int], which: NDArray[np.int64]) -> Any:
        made = tiles.cards(self.blocks, which)
        data = mesh(made.vertices, made.triangles)
        painted = self._coloured(made, data)
        reach = array(made.reach)
        reach.SetName("reach")
        data.GetPointData().AddArray(reach)
        self._drawn[key].append(painted._replace(reach=reach))
        return self._closed(self._cards.dress(behind(actor(data))))

    def _coloured(self, made: tiles.Faces | tiles.Cards, data: Any) -> _Painted:
        rgba = tiles.paint(self.blocks, made, self._light)
        colours = array(rgba)
        data.GetPointData().SetScalars(colours)
        return _Painted(made, rgba, colours)

    def _closed(self, one: Any) -> Any:
        one.GetProperty().BackfaceCullingOn()
        one.GetProperty().SetOpacity(self.blocks.opacity)
        return one
