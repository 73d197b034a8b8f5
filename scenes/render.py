"""A scene becomes a PNG: bodies by VTK off screen, texts and legend laid over with our font."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from cim.errors import RequestError
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes import overlay
from scenes.compose import compose
from scenes.files import whole
from scenes.probe import require_opengl
from scenes.remarks import stale
from scenes.scene import SIZES, Scene
from scenes.within import within

__all__ = ["RenderReport", "render_scene", "sizes"]


@dataclass(frozen=True)
class RenderReport:
    """What was drawn, how dear it was, and what failed.

    Attributes
    ----------
    png
        The file written.
    objects, triangles
        How many are drawn.
    first_frame_cpu_s
        CPU seconds from the twin to the finished pixels, all threads, start of VTK included.
    frame_cpu_s
        CPU seconds of one more frame.
    without_height
        Objects drawn flat in the marked colour.
    failed
        Layers that could not be drawn, and why.
    missing_images
        Textures that could not be had; what should wear them is plaster grey.
    inside
        Ids of the bodies the camera stands in, such as a wall: they hide what is behind them.
    stale
        Whether the run answers another version of the city than the one drawn.
    hidden
        Blocks of the map left out since a house drawn from its elements stands there, and which.
    """

    png: str
    objects: int
    triangles: int
    first_frame_cpu_s: float
    frame_cpu_s: float
    without_height: int
    failed: dict[str, str]
    missing_images: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    stale: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


def render_scene(
    scene: Scene, view: TwinView, result: Result | None = None, *, path: Path
) -> RenderReport:
    """Draw a scene off screen into a PNG.

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`.
    path
        The PNG to write.

    Raises
    ------
    MissingError
        This machine cannot draw.
    RequestError
        The twin is empty.
    StoreError
        The file cannot be written.
    """
    require_opengl()
    from scenes.backend import shoot

    start = time.process_time()
    picture = compose(scene, view, result)
    shot = shoot(picture, scene.size)
    image = overlay.lay_over(shot.pixels, scene, view, result, picture)
    first = time.process_time() - start - shot.frame_cpu_s
    with whole(path) as partial:
        image.save(partial, optimize=False)
    return RenderReport(
        png=str(path),
        objects=picture.objects,
        triangles=shot.triangles,
        first_frame_cpu_s=round(first, 3),
        frame_cpu_s=round(shot.frame_cpu_s, 3),
        without_height=picture.without_height,
        failed=picture.failed,
        missing_images=picture.missing_images,
        inside=within(picture, picture.camera.position),
        stale=stale(view, result),
        hidden=picture.hidden,
    )


def sizes(text: str) -> tuple[int, int]:
    """Return (width, height) from ``1280x720``.

    Raises
    ------
    RequestError
        Not two whole numbers between 64 and 8192.
    """
    least, most = SIZES
    parts = text.lower().split("x")
    if len(parts) == 2 and all(p.isdecimal() and least <= int(p) <= most for p in parts):
        return int(parts[0]), int(parts[1])
    raise RequestError("scenes.size", given=text)
