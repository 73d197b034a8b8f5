"""The ground of a picture: a terrain mesh with a map painted over it.

Streets, water, plots and results on grids or links are painted into one image, not
drawn as bodies: nothing flickers where two faces would meet, and a million cells
cost no more than their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Rings
from cim.model.grid import Grid, GridFrame
from cim.model.twin import Bounds, TwinView
from scenes.drawables import Ground, Origin

__all__ = ["Painter", "drape", "terrain_of"]

_PIXELS = 4096
_POINTS = 300
_SHADOW_CORNERS = 60_000
LAND = (222, 217, 202)


def terrain_of(view: TwinView, bounds: Bounds) -> Grid:
    """Return the terrain under `bounds`, or level ground where the twin has none there."""
    if "terrain" in view.grids():
        grid = view.grid("terrain")
        x0, y0, x1, y1 = grid.frame.bounds
        if x0 < bounds[2] and bounds[0] < x1 and y0 < bounds[3] and bounds[1] < y1:
            return grid
    cell = max((bounds[2] - bounds[0]) / 64, (bounds[3] - bounds[1]) / 64, 1.0)
    frame = GridFrame(
        west=bounds[0],
        north=bounds[3],
        cell_m=cell,
        rows=int(np.ceil((bounds[3] - bounds[1]) / cell)) + 1,
        cols=int(np.ceil((bounds[2] - bounds[0]) / cell)) + 1,
    )
    return Grid("terrain", frame, np.zeros(frame.shape, dtype=np.float32), "m")


@dataclass
class Painter:
    """Paints features and cells into an image that covers `bounds`, north up.

    Parameters
    ----------
    bounds
        (xmin, ymin, xmax, ymax), projected metres.
    """

    bounds: Bounds
    objects: int = 0
    pixel_m: float = field(init=False)
    _image: Any = field(init=False, repr=False)
    _pen: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from PIL import Image, ImageDraw

        width = self.bounds[2] - self.bounds[0]
        height = self.bounds[3] - self.bounds[1]
        self.pixel_m = max(width, height) / _PIXELS
        size = (max(2, round(width / self.pixel_m)), max(2, round(height / self.pixel_m)))
        self._image = Image.new("RGB", size, LAND)
        self._pen = ImageDraw.Draw(self._image)

    def polygons(self, shapes: NDArray[Any], rgb: Any) -> None:
        """Fill polygons; `rgb` is one colour or one per shape."""
        import shapely

        parts, owner = shapely.get_parts(shapes, return_index=True)
        for part, who in zip(parts, owner, strict=True):
            if part.geom_type != "Polygon":
                continue
            colour = _colour(rgb, who)
            self._pen.polygon(self._pixels(part.exterior), fill=colour)
            for hole in part.interiors:
                self._pen.polygon(self._pixels(hole), fill=LAND)
        self.objects += len(shapes)

    def lines(self, shapes: NDArray[Any], rgb: Any, width_m: Any) -> None:
        """Draw lines as bands `width_m` wide with round joints; one value or one per shape."""
        import shapely

        parts, owner = shapely.get_parts(shapes, return_index=True)
        widths = np.broadcast_to(np.asarray(width_m, dtype=float), (len(shapes),))
        for part, who in zip(parts, owner, strict=True):
            if part.geom_type != "LineString":
                continue
            band = part.buffer(max(widths[who] / 2.0, 0.6 * self.pixel_m), quad_segs=4)
            for piece in shapely.get_parts(band):
                self._pen.polygon(self._pixels(piece.exterior), fill=_colour(rgb, who))
        self.objects += len(shapes)

    def cells(self, rgba: NDArray[np.uint8], frame: GridFrame) -> None:
        """Lay the cells of a grid over what is painted; alpha 0 leaves it as it is."""
        from PIL import Image

        layer = Image.fromarray(np.ascontiguousarray(rgba), "RGBA")
        x0, _, _, y1 = self.bounds
        left, top = (frame.west - x0) / self.pixel_m, (y1 - frame.north) / self.pixel_m
        scale = self.pixel_m / frame.cell_m
        moved = layer.transform(
            self._image.size,
            Image.Transform.AFFINE,
            (scale, 0.0, -left * scale, 0.0, scale, -top * scale),
            resample=Image.Resampling.NEAREST,
        )
        self._image.paste(moved.convert("RGB"), (0, 0), moved.getchannel("A"))

    def shadows(self, flat: Rings, height_m: NDArray[np.float64], away: NDArray[Any]) -> None:
        """Darken what lies in the shade of upright bodies on level ground: light for the eye.

        Parameters
        ----------
        flat
            Outlines, metres from the origin of `flat`.
        height_m
            (p,) height of each polygon's body.
        away
            (2,) metres of shadow for each metre of height, away from the sun.
        """
        from PIL import Image, ImageChops, ImageDraw, ImageFilter

        if len(flat.xy) > _SHADOW_CORNERS:
            return
        mask = Image.new("L", self._image.size, 0)
        pen = ImageDraw.Draw(mask)
        ring_polygon = np.repeat(
            np.arange(len(flat.polygon_start) - 1), np.diff(flat.polygon_start)
        )
        for ring, (start, end) in enumerate(
            zip(flat.ring_start[:-1], flat.ring_start[1:], strict=True)
        ):
            foot = flat.xy[start:end] + flat.origin
            tip = foot + away * height_m[ring_polygon[ring]]
            for i in range(len(foot) - 1):
                quad = np.array([foot[i], foot[i + 1], tip[i + 1], tip[i]])
                pen.polygon(self._places(quad), fill=255)
        soft = mask.filter(ImageFilter.GaussianBlur(max(1.0, 0.7 / self.pixel_m)))
        dark = soft.point(lambda v: 255 - int(v * 0.42))
        self._image = ImageChops.multiply(self._image, Image.merge("RGB", (dark, dark, dark)))
        self._pen = ImageDraw.Draw(self._image)

    def image(self) -> NDArray[np.uint8]:
        """Return the painted image, (h, w, 3) uint8."""
        return np.asarray(self._image)

    def _pixels(self, ring: Any) -> list[tuple[float, float]]:
        import shapely

        return self._places(shapely.get_coordinates(ring))

    def _places(self, xy: NDArray[Any]) -> list[tuple[float, float]]:
        x = (xy[:, 0] - self.bounds[0]) / self.pixel_m
        y = (self.bounds[3] - xy[:, 1]) / self.pixel_m
        return list(zip(x.tolist(), y.tolist(), strict=True))


def _colour(rgb: Any, who: int) -> tuple[int, int, int]:
    chosen = rgb if isinstance(rgb, tuple) else rgb[who]
    return (int(chosen[0]), int(chosen[1]), int(chosen[2]))


def drape(painter: Painter, terrain: Grid, origin: Origin) -> Ground:
    """Return the ground: the terrain at mesh points, the painter's image over it."""
    xmin, ymin, xmax, ymax = painter.bounds
    aspect = (xmax - xmin) / (ymax - ymin)
    cols = max(2, min(_POINTS, round(_POINTS * min(1.0, aspect))))
    rows = max(2, min(_POINTS, round(_POINTS * min(1.0, 1.0 / aspect))))
    x, y = np.linspace(xmin, xmax, cols), np.linspace(ymax, ymin, rows)
    xx, yy = np.meshgrid(x, y)
    z = terrain.sample(np.column_stack([xx.ravel(), yy.ravel()])).reshape(rows, cols)
    level = float(np.nanmedian(z)) if np.isfinite(z).any() else 0.0
    z = np.where(np.isfinite(z), z, level)
    points = np.stack([xx - origin.x, yy - origin.y, z - origin.z], axis=-1).astype(np.float32)
    return Ground(points=points, image=painter.image(), objects=painter.objects)


def widths(values: NDArray[np.float64], default_m: float) -> NDArray[np.float64]:
    """Return widths in metres with missing ones replaced."""
    return np.where(np.isfinite(values) & (values > 0), values, default_m)
