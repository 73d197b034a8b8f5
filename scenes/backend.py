"""What draws: VTK off screen, one actor for each drawable, pixels out.

VTK itself rather than a layer over it: its import costs a quarter of a CPU second
instead of one and a half, and a picture needs eight of its classes. A `Canvas` stays:
the next frame from elsewhere, with other colours or another water depth, moves no
geometry that is already there.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes import blocks as tiles
from scenes.camera import Camera
from scenes.drawables import Segments, Surface
from scenes.ground import HAZE
from scenes.land import Land
from scenes.shaders import plain
from scenes.sky import Backdrop
from scenes.sunlight import lit, suns, walls_and_roof
from scenes.town import Tile, Town
from scenes.vtk_parts import lines_actor, surface_actor

if TYPE_CHECKING:
    from scenes.compose import Picture

__all__ = ["Canvas", "Shot", "Tile", "shoot"]

_FINER = 1.5  # drawn this much larger, then shrunk: a third of what four samples a pixel cost
_LARGEST_PX = 4096  # beyond this a picture is drawn at its own size
_NEAREST = 0.0005  # of the furthest thing: else the apron far away cuts what stands close


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
        self._renderer.GetCullers().RemoveAllItems()  # tiles out of view are hidden all the same
        self._sky = Backdrop()
        self._renderer.AddActor(self._sky.actor)
        self._renderer.SetBackground(*(part / 255 for part in HAZE))
        self._renderer.SetTwoSidedLighting(True)
        self._renderer.AutomaticLightCreationOff()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._finer = 1.0
        self._planes = [_plane(*cut) for cut in picture.clip]
        self._lines: list[tuple[Any, float]] = []
        self._land = Land(self, picture.ground, picture.origin)
        self._fixed = self._land.triangles
        for surface in picture.bodies:
            one, count = self.add_surface(surface)
            if one is not None and not len(surface.ids):  # bare land around: lit by nothing
                plain(one)
            self._fixed += count
        for lines in picture.edges:
            self.add_lines(lines)
        self._towns = [Town(self, one) for one in picture.blocks]
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
        self._land.show(camera, self.size[1])
        _aim(self._renderer, camera)
        self._sky.show(camera)
        self._window.Render()
        if not read:
            self._window.WaitForCompletion()
            return np.empty((0, 0, 3), np.uint8)
        return _pixels(self._window, drawn, self.size)

    def light(self, direction: tuple[float, float, float]) -> None:
        """Let the sun shine from a direction (x, y, z)."""
        from vtkmodules.vtkRenderingCore import vtkLight

        self._renderer.RemoveAllLights()
        for way, strength, colour in suns(direction):
            one = vtkLight()
            one.SetLightTypeToSceneLight()
            one.SetPosition(*way)
            one.SetFocalPoint(0.0, 0.0, 0.0)
            one.SetIntensity(strength)
            one.SetColor(*colour)
            self._renderer.AddLight(one)
        table = tiles.light_table(lit(walls_and_roof(), direction))
        for town in self._towns:
            town.light(table)
        self._land.light(direction)

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
        self._land.cells(rgba, bounds)

    def add(self, one: Any) -> int:
        """Put an actor on the canvas, cut as all others; return how many triangles it has."""
        self._cut(one)
        self._renderer.AddActor(one)
        return int(one.GetMapper().GetInput().GetNumberOfPolys())

    def remove(self, one: Any) -> None:
        """Take an actor away."""
        self._renderer.RemoveActor(one)

    def _cut(self, one: Any) -> None:
        for plane in self._planes:
            one.GetMapper().AddClippingPlane(plane)

    def add_surface(self, surface: Surface) -> tuple[Any, int]:
        """Put a surface on the canvas; return its actor, None where empty, and its triangles."""
        if not len(surface.triangles):
            return None, 0
        one = surface_actor(surface)
        return one, self.add(one)

    def add_lines(self, lines: Segments) -> Any:
        """Put lines on the canvas; return their actor, None where there are none."""
        if not len(lines.points):
            return None
        one = lines_actor(lines)
        self._lines.append((one, lines.width_px))
        self._cut(one)
        self._renderer.AddActor(one)
        return one


def _plane(at: tuple[float, ...], normal: tuple[float, ...]) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkPlane

    made = vtkPlane()
    made.SetOrigin(*at)
    made.SetNormal(*normal)
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
