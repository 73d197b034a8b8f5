"""Orthophotos and base maps, laid over the ground where they have pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.colour import RGB, unpacked
from cim.model.grid import Grid, GridFrame
from cim.model.kinds import kind, split_layer
from cim.model.twin import TwinView
from scenes import palette
from scenes.ground import Painter
from scenes.scene import Scene

__all__ = ["is_image", "lay_images"]


def is_image(view: TwinView, layer: str) -> bool:
    """Tell whether a grid of the twin holds colours."""
    return layer in view.grids() and kind(split_layer(layer)[0]).unit == RGB


def lay_images(painter: Painter, scene: Scene, view: TwinView, *, muted: bool) -> tuple[str, ...]:
    """Lay the pictures a scene shows over the ground, the first named lowest.

    All of the twin's are shown unless the scene names its layers; then those it names. They
    hide what is painted below, streets and plots too, as far as their style is solid.

    Parameters
    ----------
    painter
        The ground, painted with all that pictures may hide.
    scene, view
        What is shown of which twin.
    muted
        Whether colours step back.

    Returns
    -------
    tuple of str
        Where the pictures come from.
    """
    sources: dict[str, None] = {}
    for layer in view.grids() if scene.layers is None else scene.layers:
        style = scene.style(layer)
        if not is_image(view, layer) or not style.visible or style.opacity == 0.0:
            continue
        try:
            grid = view.grid(layer, bounds=painter.bounds)
        except RequestError:  # the picture lies beside it
            continue
        rgba, frame = _fitting(grid, painter.pixel_m)
        if muted:
            rgba[..., :3] = palette.muted(rgba[..., :3])
        with painter.fading(style.opacity):
            painter.cells(rgba, frame)
        sources[grid.source] = None
    return tuple(name for name in sources if name)


def _fitting(grid: Grid, pixel_m: float) -> tuple[NDArray[np.uint8], GridFrame]:
    """Return colours (rows, cols, 4) no finer than the ground they are painted on.

    Pixels are averaged here, on the colours themselves: every n-th of them would glitter.
    """
    from PIL import Image

    rgba, f = unpacked(grid.values), grid.frame
    times = int(pixel_m / f.cell_m)
    if times < 2:
        return rgba, f
    rows, cols = -(-f.rows // times), -(-f.cols // times)
    image = Image.fromarray(rgba).reduce(times)
    return np.asarray(image).copy(), GridFrame(f.west, f.north, f.cell_m * times, rows, cols)
