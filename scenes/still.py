"""One picture of a view as PNG bytes, for pages of other packages."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cim.model.twin import TwinView
from scenes.render import render_scene
from scenes.scene import Scene

__all__ = ["still"]


def still(view: TwinView, size: tuple[int, int] = (1120, 630)) -> bytes:
    """Return a picture of everything in a view, drawn off screen.

    Parameters
    ----------
    view
        A twin, stored or in memory.
    size
        Width and height, pixels.

    Raises
    ------
    MissingError
        No OpenGL, or the extra ``viewer`` is not installed.
    RequestError
        The view is empty.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still.png"
        render_scene(Scene(size=size), view, path=path)
        return path.read_bytes()
