"""Land cover and other grids of classes, laid over the ground with a key for every class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import RequestError
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import kind, split_layer
from cim.model.twin import TwinView
from scenes import palette
from scenes.ground import Painter
from scenes.scene import Scene

__all__ = ["Cover", "Key", "cover", "is_classes"]

Key = tuple[palette.Rgb3, str]

# Quiet, as what lies below a city is. The twin does not know what a class means, so no
# colour says water or grass.
_CLASSES = ((232, 208, 150), (188, 176, 216), (222, 172, 170), (166, 172, 178), (196, 160, 104),
            (156, 128, 160), (208, 198, 186), (190, 136, 112))  # fmt: skip
_OTHER = (228, 226, 220)
_USUAL = "land_cover"
_MOST_CELLS = 4096  # along one side: the painted ground has no more


@dataclass(frozen=True)
class Cover:
    """What was laid: keys of the classes, and where the grids come from."""

    keys: tuple[Key, ...] = ()
    sources: tuple[str, ...] = ()


def is_classes(view: TwinView, layer: str) -> bool:
    """Tell whether a grid of the twin holds classes rather than measures."""
    return layer in view.grids() and kind(split_layer(layer)[0]).unit == "class"


def cover(painter: Painter, scene: Scene, view: TwinView, *, muted: bool) -> Cover:
    """Lay the grids of classes a scene shows over the ground, the first named lowest.

    Land cover is shown unless the scene names other layers; other grids of classes where
    it names them.

    Parameters
    ----------
    painter
        The ground, still bare.
    scene, view
        What is shown of which twin.
    muted
        Whether colours step back.
    """
    keys: list[Key] = []
    sources: list[str] = []
    for layer in _chosen(scene, view):
        style = scene.style(layer)
        if not style.visible or style.opacity == 0.0:
            continue
        try:
            grid = view.grid(layer, bounds=painter.bounds)
        except RequestError:  # the picture lies beside it
            continue
        thin = _thinned(grid)
        rgba, mine = _painted(thin, muted, scene.lang)
        with painter.fading(style.opacity):
            painter.cells(rgba, thin.frame)
        keys += [(_over(painter.land, rgb, style.opacity), text) for rgb, text in mine]
        sources += [grid.source] if grid.source else []
    return Cover(tuple(keys), tuple(sources))


def _chosen(scene: Scene, view: TwinView) -> list[str]:
    if scene.layers is not None:
        return [name for name in scene.layers if is_classes(view, name)]
    return [name for name in view.grids() if split_layer(name)[0] == _USUAL]


def _thinned(grid: Grid) -> Grid:
    """Return every n-th cell: classes have no mean."""
    step = int(np.ceil(max(grid.frame.shape) / _MOST_CELLS))
    if step == 1:
        return grid
    values = grid.values[step // 2 :: step, step // 2 :: step]
    f = grid.frame
    frame = GridFrame(f.west, f.north, f.cell_m * step, *values.shape)
    return Grid(grid.layer, frame, values, grid.unit, grid.illustrative, grid.source)


def _painted(grid: Grid, muted: bool, lang: str | None) -> tuple[NDArray[np.uint8], list[Key]]:
    """Return the cells' colours (rows, cols, 4) and a key for each of the most frequent classes."""
    known = np.isfinite(grid.values)
    classes, counts = np.unique(grid.values[known], return_counts=True)
    first = np.argsort(-counts, kind="stable")
    shown = np.sort(classes[first[: len(_CLASSES)]])
    tones = [palette.muted(np.array(c)) if muted else np.array(c) for c in (*_CLASSES, _OTHER)]
    rgba = np.zeros((*grid.values.shape, 4), np.uint8)
    rgba[known] = (*tones[-1].tolist(), 255)
    title = messages.title(kind(split_layer(grid.layer)[0]).titles, lang=lang)
    keys: list[Key] = []
    for value, tone in zip(shown.tolist(), tones, strict=False):
        rgba[grid.values == value, :3] = tone
        keys.append((_rgb(tone), f"{title} {value:g}"))
    rest = len(classes) - len(shown)
    if rest:
        cells = int(counts[first[len(shown) :]].sum())
        values = {"kinds": rest, "count": cells}
        keys.append((_rgb(tones[-1]), messages.text("scenes.others", values, lang=lang)))
    return rgba, keys


def _over(land: palette.Rgb3, rgb: palette.Rgb3, opacity: float) -> palette.Rgb3:
    """Return a colour as it shows over bare land, so that the key is what one sees."""
    below, own = np.array(land, dtype=np.float64), np.array(rgb, dtype=np.float64)
    return _rgb((below + (own - below) * opacity).round())


def _rgb(colour: NDArray[np.generic]) -> palette.Rgb3:
    r, g, b = (int(v) for v in colour.tolist())
    return (r, g, b)
