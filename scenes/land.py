"""The ground on a canvas: its sheet under light, its image as fine as it is seen, grids over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.spatial.tint import lay_over
from scenes.camera import Camera
from scenes.drawables import Ground, Origin
from scenes.shaders import plain
from scenes.sunlight import lit, upward
from scenes.vtk_parts import (
    actor,
    array,
    behind,
    image_data,
    set_faces,
    sheet,
    sheet_faces,
    texture,
)

if TYPE_CHECKING:
    from scenes.backend import Canvas

__all__ = ["Land"]

_CELLS_PX = 1400  # of the ground under a grid, at least
Box = tuple[float, float, float, float]


class _Cells(NamedTuple):
    """A grid over the ground: shape and place, its image as VTK's and ours, the land below it."""

    stamp: tuple[tuple[int, ...], Box]
    data: Any
    base: NDArray[np.uint8]
    padded: NDArray[np.uint8]
    actor: Any


class Land:
    """The ground of a picture, and a grid over it where one is laid.

    Parameters
    ----------
    canvas
        Where it is drawn.
    ground, origin
        What, and the zero of the scene.
    """

    def __init__(self, canvas: Canvas, ground: Ground, origin: Origin) -> None:
        self._canvas, self._origin = canvas, origin
        self._sheet, self._image = ground.points, ground.image
        rows, cols, _ = self._sheet.shape
        u, v = np.meshgrid(np.linspace(0, 1, cols), np.linspace(1, 0, rows))
        self._data, self._faces = sheet(self._sheet, u, v), sheet_faces(rows, cols)
        self._rgba = np.full((rows * cols, 4), 255, np.uint8)
        self._colours = array(self._rgba)
        self._data.GetPointData().SetScalars(self._colours)
        flat = self._sheet.reshape(-1, 3)
        self._box = (flat.min(axis=0), flat.max(axis=0))
        self._textures: dict[int, Any] = {}
        self._actor = plain(behind(actor(self._data), 2.0), textured=True)
        self._actor.GetProperty().SetOpacity(ground.opacity)
        self._cells: _Cells | None = None
        self.triangles = canvas.add(self._actor)

    def show(self, camera: Camera, height_px: int) -> None:
        """Wear the image no finer than the nearest of the ground appears in the picture.

        A full image seen from afar costs a memory line for each pixel: 10 of 30 ms of a frame
        of a whole city.
        """
        off = np.maximum(np.maximum(self._box[0] - camera.position, 0.0),
                         camera.position - self._box[1])  # fmt: skip
        angle = camera.metres_per_pixel(height_px) / np.linalg.norm(camera.position - camera.focus)
        texel_m = (self._sheet[0, -1, 0] - self._sheet[0, 0, 0]) / self._image.shape[1]
        coarser = float(np.linalg.norm(off) * angle / texel_m)
        most = int(np.log2(min(self._image.shape[:2])))
        level = min(int(np.log2(coarser)), most) if coarser >= 2.0 else 0
        if level not in self._textures:
            self._textures[level] = _shrunk(self._image, level)
        self._actor.SetTexture(self._textures[level])

    def light(self, direction: tuple[float, float, float]) -> None:
        """Let slopes away from the sun be darker; what is level keeps its colours."""
        level = lit(np.array([(0.0, 0.0, 1.0)]), direction)
        share = np.clip(lit(upward(self._sheet), direction) / level, 0.0, 1.0)
        self._rgba[:, :3] = (share * 255).round()
        self._colours.Modified()

    def cells(self, rgba: NDArray[np.uint8], bounds: Box) -> None:
        """Lay a grid over the ground; see `Canvas.cells`."""
        stamp = (rgba.shape[:2], bounds)
        if self._cells is None or self._cells.stamp != stamp:
            self._lay(stamp)
        assert self._cells is not None
        lay_over(rgba, self._cells.base, self._cells.padded)
        self._cells.data.GetPointData().GetScalars().Modified()
        self._cells.data.Modified()

    def _lay(self, stamp: tuple[tuple[int, ...], Box]) -> None:
        """Let the ground under a grid be drawn once, from an image of its own with the cells.

        A second sheet over the ground cost 38 of 105 ms of a frame in software.
        """
        if self._cells is not None:
            self._canvas.remove(self._cells.actor)
        (high, wide), bounds = stamp
        finer = max(1, _CELLS_PX // max(high, wide))
        high, wide = high * finer, wide * finer
        base = self._under(bounds, (wide, high))
        padded = np.zeros((high + 2, wide + 2, 4), np.uint8)
        x, y = self._sheet[..., 0] + self._origin.x, self._sheet[..., 1] + self._origin.y
        u = ((x - bounds[0]) / (bounds[2] - bounds[0]) * wide + 1) / (wide + 2)
        v = ((bounds[3] - y) / (bounds[3] - bounds[1]) * high + 1) / (high + 2)
        corners = np.dstack([u, v]).reshape(-1, 2)[self._faces]  # (m, 3, 2)
        least, most = corners.min(axis=1), corners.max(axis=1)
        touched = ((most > 0) & (least < 1)).all(axis=1)
        covered = ((least > 0) & (most < 1)).all(axis=1)
        set_faces(self._data, self._faces[~covered])
        shape = sheet(self._sheet, u, v)
        set_faces(shape, self._faces[touched])
        shape.GetPointData().SetScalars(self._colours)
        over = plain(behind(actor(shape), 1.5), textured=True, clear=True)
        over.ForceOpaqueOn()  # blended all the same, without the passes that sort what is clear
        data = image_data(padded, upside_down=False)
        over.SetTexture(texture(data, repeat=False))
        self._canvas.add(over)
        self._cells = _Cells(stamp, data, base, padded, over)

    def _under(self, bounds: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
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


def _shrunk(image: NDArray[np.uint8], level: int) -> Any:
    """Return an image as a texture, each of its pixels the mean of 4 ** level."""
    from PIL import Image

    if level:
        image = np.asarray(Image.fromarray(image).reduce(2**level))
    return texture(image_data(image), repeat=False)
