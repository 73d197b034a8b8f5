"""The ground of a picture: a terrain mesh with a map painted over it.

Streets, water, plots and results on grids or links are painted into one image, not
drawn as bodies: nothing flickers where two faces would meet, and a million cells
cost no more than their pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Rings
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes.drawables import Ground, Origin, Surface

__all__ = [
    "HAZE",
    "LAND",
    "LEAST_PIXELS",
    "MOST_CORNERS",
    "MOST_PIXELS",
    "Painter",
    "apron",
    "drape",
    "flat_level",
    "levels",
    "soil",
    "terrain_of",
]

LEAST_PIXELS, MOST_PIXELS = 512, 4096
_CELLS, _STEP = 224, 32  # of the mesh along its longer side; along the shorter a multiple of these
_COARSE_M = 0.05  # what a coarser mesh may leave out
MOST_CORNERS = 60_000  # more corners than this cast no shade: too small to see
_SHADE, _PALE_SHADE = 0.40, 0.20  # how dark shade is, and how dark under a result
_LOWEST = 10.0  # per cent of the buildings may begin below level ground that is not surveyed
_PIECES, _RUNS_ON = 10, 12.0  # of a terrain along its longer side; cells until it is smooth
_LESS_SKY, _FOOT_M = 0.55, 1.6  # of the shade beside a wall, and how far out it reaches
LAND = (219, 215, 202)
_FADE = ((0.98, 0.0), (1.15, 0.06), (2.0, 0.45), (4.0, 0.85), (9.0, 1.0))  # how far, how hazy
HAZE = (234, 235, 233)
_SOIL = (122, 108, 94)
_SOIL_M = 1.0  # below the lowest of what lies in the ground
_LAP_M = 0.4  # how far the apron begins below the ground: no gap shows between them


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
    level = _footing(view, bounds)
    return Grid("terrain", frame, np.full(frame.shape, level, dtype=np.float32), "m")


def _footing(view: TwinView, bounds: Bounds) -> float:
    """Return the level of ground nobody surveyed: where the lowest of the buildings begin."""
    built = [n for n in view.layers() if split_layer(n)[0] == "building"]
    bases = [view.table(n, bounds=bounds).numbers("base_m") for n in built]
    known = np.concatenate([np.empty(0), *bases])
    known = known[np.isfinite(known)]
    return float(np.percentile(known, _LOWEST)) if known.size else 0.0


def levels(
    terrain: Grid, xy: NDArray[np.float64], unknown_m: float, *, lap_m: float = 0.0
) -> NDArray[np.float64]:
    """Return the ground under points; beyond its edge it goes on as it is there, ever smoother.

    Parameters
    ----------
    terrain
        The ground.
    xy
        (n, 2), projected metres.
    unknown_m
        Level where nothing at all is known; in a hole it is the median of the other points.
    lap_m
        How far beyond its edge the ground goes on as it is there before it grows smooth.
    """
    level = flat_level(terrain)
    if level is not None:
        return np.full(len(xy), level)
    x0, y0, x1, y1 = terrain.frame.bounds
    hair = 1e-3 * terrain.frame.cell_m
    inside = np.clip(xy, (x0 + hair, y0 + hair), (x1 - hair, y1 - hair))
    sampled = terrain.sample(inside)
    beyond = np.hypot(*(xy - inside).T)
    out = beyond > 2 * hair
    if out.any():  # else every kerb at the edge would run on as a ridge
        smooth = _smoothed(terrain).sample(inside[out])
        share = np.exp(-np.maximum(beyond[out] - lap_m, 0.0) / (_RUNS_ON * terrain.frame.cell_m))
        mixed = share * sampled[out] + (1 - share) * smooth
        sampled[out] = np.where(np.isfinite(mixed), mixed, sampled[out])
    known = np.isfinite(sampled)
    return np.where(known, sampled, float(np.median(sampled[known])) if known.any() else unknown_m)


def _smoothed(terrain: Grid) -> Grid:
    """Return the means of large square pieces of a terrain."""
    frame = terrain.frame
    step = max(1, max(frame.shape) // 512)  # enough of its cells
    values = terrain.values[::step, ::step]
    side = max(1, -(-max(values.shape) // _PIECES))
    rows, cols = -(-values.shape[0] // side), -(-values.shape[1] // side)
    known = np.isfinite(values)
    row, col = np.indices(values.shape) // side
    piece = (row * cols + col)[known]
    count = np.bincount(piece, minlength=rows * cols)
    total = np.bincount(piece, weights=values[known], minlength=rows * cols)
    with np.errstate(invalid="ignore"):
        mean = (total / np.where(count, count, np.nan)).reshape(rows, cols).astype(np.float32)
    coarse = GridFrame(frame.west, frame.north, frame.cell_m * step * side, rows, cols)
    return Grid(terrain.layer, coarse, mean, terrain.unit)


def flat_level(terrain: Grid) -> float | None:
    """Return the height of a ground that is level throughout, None where it is not."""
    first = float(terrain.values.flat[0]) if terrain.values.size else np.nan
    return first if bool((terrain.values == first).all()) else None


@dataclass
class Painter:
    """Paints features and cells into an image that covers `bounds`, north up.

    Parameters
    ----------
    bounds
        (xmin, ymin, xmax, ymax), projected metres.
    pixels
        Length of the longer side of the image.
    land
        Colour of bare ground.
    pale
        Whether shade is light, so that a result over it speaks.
    """

    bounds: Bounds
    pixels: int = MOST_PIXELS
    land: tuple[int, int, int] = LAND
    pale: bool = False
    objects: int = 0
    pixel_m: float = field(init=False)
    _feet: list[NDArray[np.float64]] = field(default_factory=list, repr=False)
    _shaded: list[NDArray[np.float64]] = field(default_factory=list, repr=False)
    _image: Any = field(init=False, repr=False)
    _pen: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from PIL import Image, ImageDraw

        width = self.bounds[2] - self.bounds[0]
        height = self.bounds[3] - self.bounds[1]
        self.pixel_m = max(width, height) / self.pixels
        size = (max(2, round(width / self.pixel_m)), max(2, round(height / self.pixel_m)))
        self._image = Image.new("RGB", size, self.land)
        self._pen = ImageDraw.Draw(self._image)

    def count(self, table: FeatureTable) -> None:
        """Count the features of a painted layer, those without a place left out."""
        import shapely

        self.objects += int((~shapely.is_missing(table.geometry)).sum())

    def polygons(
        self, shapes: NDArray[Any], rgb: Any, *, edge: tuple[int, int, int] | None = None
    ) -> None:
        """Fill polygons; `rgb` is one colour or one per shape; holes show what lies below."""
        import shapely

        parts, owner = shapely.get_parts(shapes, return_index=True)
        areas = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
        rings, of = shapely.get_rings(parts[areas], return_index=True)
        corners, ring_of = shapely.get_coordinates(rings, return_index=True)
        places = self._places(corners)
        starts = np.searchsorted(ring_of, np.arange(len(rings) + 1)).tolist()
        first = np.searchsorted(of, np.arange(int(areas.sum()) + 1)).tolist()
        line = max(1, round(0.35 / self.pixel_m))
        for i, who in enumerate(owner[areas].tolist()):
            outlines = [places[starts[r] : starts[r + 1]] for r in range(first[i], first[i + 1])]
            if len(outlines) == 1:
                self._pen.polygon(outlines[0], fill=_colour(rgb, who))
            else:
                self._with_holes(outlines, _colour(rgb, who))
            if edge is not None:
                self._pen.line(outlines[0], fill=edge, width=line)

    def _with_holes(self, outlines: list[list[tuple[float, float]]], colour: Any) -> None:
        """Fill a polygon through a mask of its own box, holes left as they are."""
        from PIL import Image, ImageDraw

        outer = np.array(outlines[0])
        west, north = (max(0, int(v)) for v in np.floor(outer.min(axis=0)))
        east = min(self._image.size[0], int(np.ceil(outer[:, 0].max())) + 1)
        south = min(self._image.size[1], int(np.ceil(outer[:, 1].max())) + 1)
        if east <= west or south <= north:
            return
        mask = Image.new("1", (east - west, south - north), 0)
        pen = ImageDraw.Draw(mask)
        for number, outline in enumerate(outlines):
            pen.polygon([(x - west, y - north) for x, y in outline], fill=int(number == 0))
        self._image.paste(colour, (west, north, east, south), mask)

    def lines(self, shapes: NDArray[Any], rgb: Any, width_m: Any) -> None:
        """Draw lines as bands `width_m` wide with round joints; one value or one per shape."""
        import shapely

        parts, owner = shapely.get_parts(shapes, return_index=True)
        along = shapely.get_type_id(parts) == 1
        parts, owner = parts[along], owner[along]
        wide = np.broadcast_to(np.asarray(width_m, dtype=float), (len(shapes),))[owner]
        bands = shapely.buffer(parts, np.maximum(wide / 2.0, 0.6 * self.pixel_m), quad_segs=4)
        self.polygons(bands, rgb if isinstance(rgb, tuple) else np.asarray(rgb)[owner])

    def spots(
        self,
        shapes: NDArray[Any],
        rgb: tuple[int, int, int],
        radius_m: float,
        *,
        grow: bool = True,
    ) -> None:
        """Draw points as discs with a pale rim, at least a few pixels wide where they may grow."""
        import shapely

        radius = max(radius_m, 2.5 * self.pixel_m) if grow else radius_m
        middles = shapely.centroid(shapes)
        self.polygons(shapely.buffer(middles, radius * 1.45), (250, 248, 244))
        self.polygons(shapely.buffer(middles, radius), rgb)

    def arrows(self, places: NDArray[Any], rgb: tuple[int, int, int]) -> None:
        """Draw arrow heads; `places` are (n, 5): x, y, direction east and north, length (m)."""
        for x, y, east, north, long in places:
            ahead, aside = np.array([east, north]) * long, np.array([-north, east]) * long
            middle = np.array([x, y])
            corners = [ahead * 0.6, aside * 0.42 - ahead * 0.4]
            corners += [-ahead * 0.12, -aside * 0.42 - ahead * 0.4]
            self._pen.polygon(self._places(middle + np.array(corners)), fill=rgb)

    def cells(self, rgba: NDArray[np.uint8], frame: GridFrame) -> None:
        """Lay the cells of a grid over what is painted; alpha 0 leaves it as it is."""
        from PIL import Image

        layer = Image.fromarray(np.ascontiguousarray(rgba))
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
        """Note the shade of upright bodies on level ground, for `cast`: light for the eye.

        Parameters
        ----------
        flat
            Outlines, metres from the origin of `flat`.
        height_m
            (p,) height of each polygon's body.
        away
            (2,) metres of shadow for each metre of height, away from the sun.
        """
        if not len(flat.xy):
            return
        rings = len(flat.ring_start) - 1
        polygon = np.repeat(np.arange(len(flat.polygon_start) - 1), np.diff(flat.polygon_start))
        ring = np.repeat(np.arange(rings), np.diff(flat.ring_start))
        foot = flat.xy + flat.origin
        tip = foot + away * height_m[polygon[ring]][:, None]
        self._feet += [foot[a:b] for a, b in _pairs(flat.ring_start)]
        start = np.flatnonzero(ring[1:] == ring[:-1])
        quads = np.stack([foot[start], foot[start + 1], tip[start + 1], tip[start]], axis=1)
        self._shaded += [*quads, *(tip[a:b] for a, b in _pairs(flat.ring_start))]

    def crown_shadows(
        self,
        shapes: NDArray[Any],
        crown_m: NDArray[np.float64],
        middle_m: NDArray[np.float64],
        away: NDArray[Any],
    ) -> None:
        """Note the shade of crowns `crown_m` wide, their middles `middle_m` above ground."""
        import shapely

        placed = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
        xy = shapely.get_coordinates(shapely.centroid(shapes[placed]))
        if len(xy) * 12 > MOST_CORNERS:
            return
        turn = np.arange(12) * np.pi / 6
        ring = np.c_[np.cos(turn), np.sin(turn)]
        middles = xy + away * middle_m[placed][:, None]
        self._shaded += list(middles[:, None, :] + ring * crown_m[placed][:, None, None] * 0.5)

    def cast(self) -> None:
        """Darken all shade noted so far, once: shade on shade is no darker.

        Beside the shade of the sun the foot of every body darkens a little, where less of the
        sky is seen: it ties bodies to the ground.
        """
        from PIL import Image, ImageChops, ImageDraw

        if not self._shaded:
            return
        deep = _PALE_SHADE if self.pale else _SHADE
        soft = self._mask(self._shaded, 255, max(0.8, 0.5 / self.pixel_m))
        around = self._mask(self._feet, round(255 * _LESS_SKY), max(0.8, _FOOT_M / self.pixel_m))
        soft = ImageChops.add(soft, around)
        dark = [soft.point([255 - int(v * deep * s) for v in range(256)]) for s in (1, 0.94, 0.8)]
        self._image = ImageChops.multiply(self._image, Image.merge("RGB", dark))
        self._shaded.clear()
        self._feet.clear()
        self._pen = ImageDraw.Draw(self._image)

    def _mask(self, outlines: list[NDArray[np.float64]], value: int, blur_px: float) -> Any:
        """Return outlines filled with a value, their edges soft."""
        from PIL import Image, ImageDraw, ImageFilter

        mask = Image.new("L", self._image.size, 0)
        pen = ImageDraw.Draw(mask)
        for ring in outlines:
            pen.polygon(self._places(ring), fill=value)
        return mask.filter(ImageFilter.GaussianBlur(blur_px))

    @contextmanager
    def fading(self, opacity: float) -> Iterator[None]:
        """Let what is painted inside hide only a share 0..1 of what lies below it."""
        from PIL import Image, ImageDraw

        if opacity >= 1.0:
            yield
            return
        before = self._image.copy()
        yield
        self._image = Image.blend(before, self._image, opacity)
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


def _pairs(starts: NDArray[np.int64]) -> list[tuple[int, int]]:
    return list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))


def _colour(rgb: Any, who: int) -> tuple[int, int, int]:
    chosen = rgb if isinstance(rgb, tuple) else rgb[who]
    return (int(chosen[0]), int(chosen[1]), int(chosen[2]))


def drape(painter: Painter, terrain: Grid, origin: Origin) -> Ground:
    """Return the ground: the terrain at mesh points, the painter's image over it."""
    xmin, ymin, xmax, ymax = painter.bounds
    aspect = (xmax - xmin) / (ymax - ymin)
    cols, rows = (
        _STEP * max(1, round(_CELLS / _STEP * min(1.0, share))) + 1
        for share in (aspect, 1.0 / aspect)
    )
    xx, yy = np.meshgrid(np.linspace(xmin, xmax, cols), np.linspace(ymax, ymin, rows))
    xy = np.column_stack([xx.ravel(), yy.ravel()])
    lap_m = _STEP * max((xmax - xmin) / (cols - 1), (ymax - ymin) / (rows - 1))  # of one face
    z = levels(terrain, xy, origin.z, lap_m=lap_m).reshape(rows, cols)
    step = _coarser(z)
    xx, yy, z = (v[::step, ::step] for v in (xx, yy, z))
    points = np.stack([xx - origin.x, yy - origin.y, z - origin.z], axis=-1).astype(np.float32)
    return Ground(points=points, image=painter.image(), objects=painter.objects)


def _coarser(z: NDArray[np.float64]) -> int:
    """Return how many cells of a mesh may become one, so that no height moves by more than 5 cm."""
    step = _STEP
    while step > 1:
        if np.abs(_between(_between(z[::step, ::step], step).T, step).T - z).max() <= _COARSE_M:
            break
        step //= 2
    return step


def _between(rows: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return rows with `step` - 1 new ones on the straight lines between each two."""
    share = (np.arange(step) / step)[None, :, None]
    filled = rows[:-1, None] * (1.0 - share) + rows[1:, None] * share
    return np.concatenate([filled.reshape(-1, rows.shape[1]), rows[-1:]])


def soil(ground: Ground, deepest_m: float) -> Surface:
    """Return what closes the view through a clear ground: soil below all that lies in it."""
    p = ground.points[[0, -1, -1, 0], [0, 0, -1, -1]].copy()
    p[:, 2] = min(deepest_m, float(ground.points[..., 2].min())) - _SOIL_M
    return Surface(
        vertices=p,
        triangles=np.array([(0, 1, 2), (0, 2, 3)], dtype=np.int32),
        rgb=np.tile(np.array(_SOIL, np.uint8), (4, 1)),
        owner=np.zeros(2, dtype=np.int32),
        ids=np.empty(0, dtype=object),
    )


def apron(ground: Ground, land: tuple[int, int, int]) -> Surface:
    """Return bare land around the ground that fades into haze: the world has no edge."""
    p = ground.points.astype(np.float64)
    rim = np.concatenate([p[0, :-1], p[:-1, -1], p[-1, :0:-1], p[:0:-1, 0]])
    middle = rim.mean(axis=0)
    level = float(np.median(rim[:, 2]))
    near = np.array(land) * ground.opacity + np.array(_SOIL) * (1 - ground.opacity)
    rings, rgb = [], []
    for far, haze in _FADE:
        ring = middle + (rim - middle) * np.array([far, far, 1.0])
        ring[:, 2] = level - _LAP_M + (rim[:, 2] - level) / far**4
        rings.append(ring)
        rgb.append(np.tile(near * (1 - haze) + np.array(HAZE) * haze, (len(rim), 1)))
    n = len(rim)
    i = np.arange(n)
    j = (i + 1) % n
    faces = []
    for step in range(len(_FADE) - 1):
        low, high = step * n, (step + 1) * n
        faces += [np.c_[low + i, high + j, low + j], np.c_[low + i, high + i, high + j]]
    triangles = np.concatenate(faces).astype(np.int32)
    return Surface(
        vertices=np.concatenate(rings).astype(np.float32),
        triangles=triangles,
        rgb=np.concatenate(rgb).round().astype(np.uint8),
        owner=np.zeros(len(triangles), dtype=np.int32),
        ids=np.empty(0, dtype=object),
    )
