"""Grids of measures, draped over the ground as a ramp with its legend: heights and others."""

from __future__ import annotations

import numpy as np

from cim._version import VERSION
from cim.errors import RequestError
from cim.model.grid import Grid
from cim.model.kinds import kind, split_layer
from cim.model.result import Result, ResultField
from cim.model.twin import Bounds, TwinView
from scenes.scene import Scene

__all__ = ["is_measured", "measured"]

_MOST_CELLS = 2000  # along one side: more than a picture has pixels
_HEIGHTS = "terrain"


def is_measured(view: TwinView, layer: str) -> bool:
    """Tell whether a grid of the twin holds measures rather than classes or colours."""
    return layer in view.grids() and kind(split_layer(layer)[0]).unit not in ("class", "rgb")


def measured(
    scene: Scene, view: TwinView, bounds: Bounds, *, otherwise_heights: bool
) -> Result | None:
    """Return the last grid of measures a scene names as a field, drawn like any other answer.

    Parameters
    ----------
    scene, view, bounds
        What is shown of which twin, and in which box.
    otherwise_heights
        Whether the terrain is shown where the scene names no grid: where nothing else is.

    Returns
    -------
    Result or None
        None where no such grid is asked for, or none lies in the box.
    """
    named = [n for n in scene.layers or () if is_measured(view, n) and scene.style(n).visible]
    if not named and otherwise_heights and _HEIGHTS in view.grids():
        named = [_HEIGHTS]
    if not named:
        return None
    try:
        grid = view.grid(named[-1], bounds=bounds)
    except RequestError:  # the box lies beside it
        return None
    return _field(_coarse(grid), view)


def _coarse(grid: Grid) -> Grid:
    return grid.coarsened(max(1, int(np.ceil(max(grid.frame.shape) / _MOST_CELLS))))


def _field(grid: Grid, view: TwinView) -> Result:
    head, own = split_layer(grid.layer)
    titles = {lang: f"{t} {own}".strip() for lang, t in kind(head).titles.items()}
    unit = grid.unit or "1"
    return Result(
        question=head,
        titles=titles,
        fields=(ResultField("value", unit, "grid", grid.values, titles),),
        summary={},
        parameters={},
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=VERSION,
        illustrative=grid.illustrative,
        grid=grid.frame,
    )
