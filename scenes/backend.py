"""What draws: VTK off screen, one actor for each drawable, pixels out.

VTK itself rather than a layer over it: its import costs a quarter of a CPU second
instead of one and a half, and a picture needs eight of its classes. A `Canvas` stays:
the next frame from elsewhere, with other colours or another water depth, moves no
geometry that is already there.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.spatial.blocks import BINS
from kernels.spatial.tint import lay_over
from scenes import blocks as tiles
from scenes.camera import Camera
from scenes.drawables import Blocks, Segments, Surface
from scenes.sky import sky
from scenes.vtk_parts import (
    AMBIENT,
    DIFFUSE,
    actor,
    array,
    behind,
    image_data,
    lines_actor,
    mesh,
    numpy_of,
    set_faces,
    sheet,
    sheet_faces,
    surface_actor,
    texture,
    unlit,
)

if TYPE_CHECKING:
    from scenes.compose import Picture

__all__ = ["Canvas", "Shot", "Tile", "shoot"]

_SUN_LIGHT, _SKY_LIGHT = (1.0, 0.96, 0.88), (0.82, 0.89, 1.0)
_SUN, _SKY = 0.78, 0.26
_FINER = 1.5  # drawn this much larger, then shrunk: a third of what four samples a pixel cost
_LARGEST_PX = 4096  # beyond this a picture is drawn at its own size
_CELLS_PX = 1400  # of the ground under a grid, at least
_NEAREST = 0.0005  # of the furthest thing: else the apron far away cuts what stands close


class Tile(NamedTuple):
    """A tile in view: its layer and number, level of detail, objects and triangles drawn."""

    layer: str
    number: int
    level: int
    objects: int
    triangles: int


class Shot(NamedTuple):
    """Pixels (h, w, 3) uint8, CPU seconds of a second frame, tiles in view, all triangles."""

    pixels: NDArray[np.uint8]
    frame_cpu_s: float
    tiles: tuple[Tile, ...]
    triangles: int


def shoot(picture: Picture, size: tuple[int, int]) -> Shot:
    """Draw a picture once for its pixels and once more for the clock.

    Parameters
    ----------
    picture
        What to draw, and from where.
    size
        (width, height), pixels.
    """
    with Canvas(picture, size) as canvas:
        pixels = canvas.frame(picture.camera)
        start = time.process_time()
        canvas.frame(picture.camera, read=False)
        return Shot(pixels, time.process_time() - start, canvas.tiles, canvas.triangles)


class Canvas:
    """A picture on a screen nobody sees, for as many frames as one likes.

    Parameters
    ----------
    picture
        What is drawn.
    size
        (width, height) of the frames, pixels.
    """

    def __init__(self, picture: Picture, size: tuple[int, int]) -> None:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - gives the window a way to draw
        from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

        self.size = size
        self.tiles: tuple[Tile, ...] = ()
        self.triangles = 0
        self._renderer = vtkRenderer()
        self._sky = image_data(sky(picture.camera))
        self._renderer.SetBackgroundTexture(texture(self._sky, repeat=False))
        self._renderer.TexturedBackgroundOn()
        self._renderer.SetTwoSidedLighting(True)
        self._renderer.AutomaticLightCreationOff()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._finer = 1.0
        self._planes = [_plane(*cut) for cut in picture.clip]
        self._lines: list[tuple[Any, float]] = []
        self._fixed = 0
        self._sheet = picture.ground.points
        rows, cols, _ = self._sheet.shape
        u, v = np.meshgrid(np.linspace(0, 1, cols), np.linspace(1, 0, rows))
        data = sheet(self._sheet, u, v)
        self._land_data, self._faces = data, sheet_faces(rows, cols)
        self._image = picture.ground.image
        self._land = np.empty((rows * cols, 4), np.uint8)
        self._land_colours = array(self._land)
        data.GetPointData().SetScalars(self._land_colours)
        land = behind(actor(data), 2.0)
        unlit(land)
        land.SetTexture(texture(image_data(picture.ground.image), repeat=False))
        land.GetProperty().SetOpacity(picture.ground.opacity)
        self._fixed += self._add(land)
        for surface in picture.bodies:
            one, count = self._add_surface(surface)
            if one is not None and not len(surface.ids):  # bare land around: lit by nothing
                unlit(one)
            self._fixed += count
        for lines in picture.edges:
            self._add_lines(lines)
        self._cells: tuple[Any, Any, NDArray[np.uint8], NDArray[np.uint8], Any] | None = None
        self._origin = picture.origin
        self._towns = [_Town(self, one) for one in picture.blocks]
        self.light(picture.light)

    def __enter__(self) -> Canvas:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the window go."""
        self._window.Finalize()

    def frame(
        self, camera: Camera, *, dragging: bool = False, read: bool = True
    ) -> NDArray[np.uint8]:
        """Draw from a camera and return the pixels (h, w, 3) uint8.

        Parameters
        ----------
        camera
            From where.
        dragging
            Coarser, for a camera that moves: no finer pixels, distant bodies by their roofs.
        read
            Whether pixels are wanted; an empty array where not, as for a window.
        """
        large = max(self.size) * _FINER > _LARGEST_PX
        self._finer = 1.0 if dragging or large else _FINER
        drawn = (round(self.size[0] * self._finer), round(self.size[1] * self._finer))
        if tuple(self._window.GetSize()) != drawn:
            self._window.SetSize(*drawn)
        for lines, width_px in self._lines:
            lines.GetProperty().SetLineWidth(width_px * self._finer)
        shown = [tile for town in self._towns for tile in town.show(camera, dragging=dragging)]
        self.tiles = tuple(shown)
        self.triangles = self._fixed + sum(tile.triangles for tile in shown)
        _aim(self._renderer, camera)
        self._paint_sky(camera)
        self._window.Render()
        if not read:
            self._window.WaitForCompletion()
            return np.empty((0, 0, 3), np.uint8)
        return _pixels(self._window, drawn, self.size)

    def _paint_sky(self, camera: Camera) -> None:
        rows = numpy_of(self._sky.GetPointData().GetScalars())
        rows[:] = sky(camera)[::-1].reshape(-1, 3)
        self._sky.GetPointData().GetScalars().Modified()
        self._sky.Modified()

    def light(self, direction: tuple[float, float, float]) -> None:
        """Let the sun shine from a direction (x, y, z)."""
        from vtkmodules.vtkRenderingCore import vtkLight

        self._renderer.RemoveAllLights()
        for way, strength, colour in _suns(direction):
            one = vtkLight()
            one.SetLightTypeToSceneLight()
            one.SetPosition(*way)
            one.SetFocalPoint(0.0, 0.0, 0.0)
            one.SetIntensity(strength)
            one.SetColor(*colour)
            self._renderer.AddLight(one)
        table = tiles.light_table(_lit(_walls_and_roof(), direction))
        for town in self._towns:
            town.light(table)
        self._land[:, 3] = 255
        level = _lit(np.array([(0.0, 0.0, 1.0)]), direction)
        share = np.clip(_lit(_normals(self._sheet), direction) / level, 0.0, 1.0)
        self._land[:, :3] = (share * 255).round()
        self._land_colours.Modified()

    def recolour(self, layer: str, wall: NDArray[np.uint8], roof: NDArray[np.uint8]) -> None:
        """Give the bodies of a layer in tiles other colours; nothing is built again.

        Parameters
        ----------
        layer
            Its name.
        wall, roof
            (n, 3) uint8, in the order of its `Blocks.ids`.
        """
        for town in self._towns:
            if town.blocks.layer == layer:
                town.recolour(wall, roof)

    def cells(self, rgba: NDArray[np.uint8], bounds: tuple[float, float, float, float]) -> None:
        """Lay a grid over the ground; with the same shape again only its texture changes.

        Parameters
        ----------
        rgba
            (rows, cols, 4) uint8, row 0 in the north, alpha 0 where nothing is to be seen.
        bounds
            (xmin, ymin, xmax, ymax) of the grid, projected metres.
        """
        stamp = (rgba.shape[:2], bounds)
        if self._cells is None or self._cells[0] != stamp:
            self._lay(stamp)
        assert self._cells is not None
        _, data, base, padded, _ = self._cells
        lay_over(rgba, base, padded)
        data.GetPointData().GetScalars().Modified()
        data.Modified()

    def _lay(self, stamp: tuple[Any, tuple[float, float, float, float]]) -> None:
        """Let the ground under a grid be drawn once, from an image of its own with the cells.

        A second sheet over the ground cost 38 of 105 ms of a frame in software.
        """
        if self._cells is not None:
            self._renderer.RemoveActor(self._cells[4])
        (high, wide), bounds = stamp
        finer = max(1, _CELLS_PX // max(high, wide))
        high, wide = high * finer, wide * finer
        base = self._under(bounds, (wide, high))
        padded = np.zeros((high + 2, wide + 2, 4), np.uint8)
        x, y = self._sheet[..., 0] + self._origin.x, self._sheet[..., 1] + self._origin.y
        u = ((x - bounds[0]) / (bounds[2] - bounds[0]) * wide + 1) / (wide + 2)
        v = ((bounds[3] - y) / (bounds[3] - bounds[1]) * high + 1) / (high + 2)
        held = ((u > 0) & (u < 1) & (v > 0) & (v < 1)).ravel()
        touched, covered = held[self._faces].any(axis=1), held[self._faces].all(axis=1)
        set_faces(self._land_data, self._faces[~covered])
        shape = sheet(self._sheet, u, v)
        set_faces(shape, self._faces[touched])
        shape.GetPointData().SetScalars(self._land_colours)
        over = unlit(behind(actor(shape), 1.5))
        over.ForceOpaqueOn()  # blended all the same, without the passes that sort what is clear
        data = image_data(padded, upside_down=False)
        over.SetTexture(texture(data, repeat=False))
        self._cut(over)
        self._renderer.AddActor(over)
        self._cells = (stamp, data, base, padded, over)

    def _under(
        self, bounds: tuple[float, float, float, float], size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Return the painted ground under a grid as (h, w, 4)."""
        from PIL import Image

        out = np.zeros((size[1], size[0], 4), np.uint8)
        high, wide, _ = self._image.shape
        first, last = self._sheet[0, 0, :2], self._sheet[-1, -1, :2]
        west, north = first[0] + self._origin.x, first[1] + self._origin.y
        across, down = wide / (last[0] - first[0]), high / (first[1] - last[1])
        step = ((bounds[2] - bounds[0]) / size[0], (bounds[3] - bounds[1]) / size[1])
        data = (step[0] * across, 0.0, (bounds[0] - west) * across,
                0.0, step[1] * down, (north - bounds[3]) * down)  # fmt: skip
        drawn = Image.fromarray(self._image).transform(
            size,
            Image.Transform.AFFINE,
            tuple(map(float, data)),
            resample=Image.Resampling.BILINEAR,
        )
        out[..., :3], out[..., 3] = np.asarray(drawn), 255
        return out

    def _add(self, one: Any) -> int:
        self._cut(one)
        self._renderer.AddActor(one)
        return int(one.GetMapper().GetInput().GetNumberOfPolys())

    def _cut(self, one: Any) -> None:
        for plane in self._planes:
            one.GetMapper().AddClippingPlane(plane)

    def _add_surface(self, surface: Surface) -> tuple[Any, int]:
        if not len(surface.triangles):
            return None, 0
        one = surface_actor(surface)
        return one, self._add(one)

    def _add_lines(self, lines: Segments) -> Any:
        if not len(lines.points):
            return None
        one = lines_actor(lines)
        self._lines.append((one, lines.width_px))
        self._cut(one)
        self._renderer.AddActor(one)
        return one


class _Town:
    """The tiles of one layer on a canvas: which are shown how, their colours."""

    def __init__(self, canvas: Canvas, blocks: Blocks) -> None:
        self.blocks = blocks
        self._canvas = canvas
        self._light = tiles.light_table()
        self._made: dict[tuple[int, int], tuple[list[Any], int, int]] = {}
        self._drawn: dict[tuple[int, int], tuple[tiles.Faces, NDArray[np.uint8], Any]] = {}
        self._stale: set[tuple[int, int]] = set()
        self._on: set[tuple[int, int]] = set()

    def show(self, camera: Camera, *, dragging: bool) -> list[Tile]:
        """Show the tiles in view, each at its level, and hide the others."""
        size = self._canvas.size
        seen = tiles.in_view(self.blocks.tile_box, camera, size[0] / size[1])
        level = tiles.levels(self.blocks, camera, size[1], dragging=dragging)
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
        self._light = table
        self._stale.update(self._drawn)

    def recolour(self, wall: NDArray[np.uint8], roof: NDArray[np.uint8]) -> None:
        self.blocks.wall[:], self.blocks.roof[:] = wall, roof
        self._stale.update(self._drawn)
        for key in self._on & set(self._drawn):
            self._paint(key)

    def _paint(self, key: tuple[int, int]) -> None:
        made, rgba, colours = self._drawn[key]
        tiles.paint(self.blocks, made, self._light, out=rgba)
        colours.Modified()
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
            pairs = [self._canvas._add_surface(s) for s in surfaces]
            actors = [a for a, _ in pairs if a is not None]
            actors += [self._canvas._add_lines(e) for e in edges if len(e.points)]
            return actors, len(rows), sum(n for _, n in pairs)
        made = tiles.faces(self.blocks, which, level)
        rgba = tiles.paint(self.blocks, made, self._light)
        data = mesh(made.vertices, made.triangles)
        colours = array(rgba)
        data.GetPointData().SetScalars(colours)
        one = behind(actor(data))
        unlit(one)
        one.GetProperty().BackfaceCullingOn()
        one.GetProperty().SetOpacity(self.blocks.opacity)
        self._drawn[key] = (made, rgba, colours)
        return [one], len(rows), self._canvas._add(one)


def _plane(at: tuple[float, ...], normal: tuple[float, ...]) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkPlane

    made = vtkPlane()
    made.SetOrigin(*at)
    made.SetNormal(*normal)
    return made


def _suns(direction: tuple[float, float, float]) -> tuple[Any, ...]:
    """Return way, strength and colour of the sun and of the sky's light against it."""
    away = (-direction[0] * 0.8, -direction[1] * 0.8, 0.9)
    return ((direction, _SUN, _SUN_LIGHT), (away, _SKY, _SKY_LIGHT))


def _lit(normals: NDArray[Any], direction: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the light, (n, 3), on faces with the normals (n, 3): as VTK lights its own."""
    light = np.full((len(normals), 3), AMBIENT)
    for way, strength, colour in _suns(direction):
        toward = np.array(way) / np.linalg.norm(way)
        facing = np.clip(normals @ toward, 0.0, None)
        light += DIFFUSE * strength * facing[:, None] * np.array(colour)
    return light.astype(np.float32)


def _walls_and_roof() -> NDArray[np.float64]:
    """Return the normals of walls of every direction, and of a flat roof."""
    turn = np.arange(BINS) * 2 * np.pi / BINS
    walls = np.c_[np.cos(turn), np.sin(turn), np.zeros(BINS)]
    return np.concatenate([walls, [(0.0, 0.0, 1.0)]])


def _normals(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the upward normals (r * c, 3) of a sheet of points (r, c, 3)."""
    p = points.astype(np.float64)
    east, south = np.gradient(p, axis=1), np.gradient(p, axis=0)
    up = np.cross(south, east).reshape(-1, 3)
    made: NDArray[np.float64] = up / np.linalg.norm(up, axis=1, keepdims=True)
    return made


def _aim(renderer: Any, camera: Camera) -> None:
    eye = renderer.GetActiveCamera()
    eye.SetPosition(*camera.position)
    eye.SetFocalPoint(*camera.focus)
    eye.SetViewUp(*camera.up)
    eye.SetViewAngle(camera.view_angle_deg)
    renderer.SetNearClippingPlaneTolerance(_NEAREST)
    renderer.ResetCameraClippingRange()


def _pixels(window: Any, drawn: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

    data = vtkUnsignedCharArray()
    window.GetPixelData(0, 0, drawn[0] - 1, drawn[1] - 1, 1, data, 0)
    convert: Any = numpy_support.vtk_to_numpy
    image: NDArray[np.uint8] = convert(data).reshape(drawn[1], drawn[0], -1)[::-1, :, :3].copy()
    if drawn == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
