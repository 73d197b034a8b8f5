"""A scene becomes a PNG: bodies by VTK off screen, texts and legend laid over with our font."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, StoreError
from cim.model.kinds import split_layer
from cim.model.result import Result
from cim.model.twin import Bounds, TwinView
from scenes import city, overlay
from scenes.drawables import Ground, Origin, Segments, Surface
from scenes.drawers import Drawing, draw
from scenes.ground import Painter, drape, terrain_of, widths
from scenes.probe import require_opengl
from scenes.scene import Scene

__all__ = ["Picture", "RenderReport", "compose", "render_scene"]

_VIEW_ANGLE_DEG = 24.0
_AROUND = 0.45
SKY_TOP, SKY_BOTTOM = (0.55, 0.68, 0.82), (0.90, 0.92, 0.92)


@dataclass
class Picture:
    """A scene as drawables, before anything is drawn."""

    origin: Origin
    bounds: Bounds
    ground: Ground
    surfaces: list[Surface]
    edges: list[Segments]
    drawing: Drawing | None
    without_height: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def objects(self) -> int:
        """How many objects are drawn, painted ones included."""
        return self.ground.objects + sum(len(np.unique(s.owner)) for s in self.surfaces)

    @property
    def triangles(self) -> int:
        """How many triangles are drawn."""
        rows, cols, _ = self.ground.points.shape
        return int(2 * (rows - 1) * (cols - 1)) + sum(len(s.triangles) for s in self.surfaces)


@dataclass(frozen=True)
class RenderReport:
    """What was drawn, how dear it was, and what failed."""

    png: str
    objects: int
    triangles: int
    first_frame_cpu_s: float
    frame_cpu_s: float
    without_height: int
    failed: dict[str, str]


def compose(scene: Scene, view: TwinView, result: Result | None = None) -> Picture:
    """Return a scene as drawables.

    Parameters
    ----------
    scene
        What to show.
    view
        The twin.
    result
        The run to show over it.

    Raises
    ------
    RequestError
        The twin is empty, or a layer is not there.
    """
    layers = _layers(scene, view)
    whole = scene.bounds or city.extent(view, scene.layers)
    if whole is None:
        raise RequestError("scenes.empty", given=view.name)
    around = _around(whole)
    terrain = terrain_of(view, around)
    known = terrain.values[np.isfinite(terrain.values)]
    level = float(np.floor(np.median(known))) if known.size else 0.0
    origin = Origin(np.floor((whole[0] + whole[2]) / 2), np.floor((whole[1] + whole[3]) / 2), level)
    drawing = None if result is None else draw(result, name=scene.field, time_s=scene.time_s)
    failed: dict[str, str] = {}

    def note(name: str, error: Exception) -> None:
        failed[name] = str(error)

    painter = Painter(around)
    for name in layers:
        try:
            city.paint(painter, view, [name], underground=scene.underground)
        except Exception as error:  # one layer that cannot be painted must not take the others
            note(name, error)
    if drawing is None or drawing.cells is None:
        city.paint_shadows(painter, view, layers)
    if drawing is not None:
        _paint_result(painter, view, drawing, result)
    made = city.bodies(
        view,
        layers,
        terrain,
        origin,
        bounds=around,
        recolour=None if drawing is None else _bodies_only(drawing),
        failed=note,
    )
    return Picture(
        origin=origin,
        bounds=whole,
        ground=drape(painter, terrain, origin),
        surfaces=made.surfaces,
        edges=made.edges,
        drawing=drawing,
        without_height=made.without_height,
        failed=failed,
    )


def _around(box: Bounds) -> Bounds:
    """Return the ground to draw: more than is looked at, so that nothing ends in the air."""
    x0, y0, x1, y1 = box
    more = _AROUND * max(x1 - x0, y1 - y0)
    return (x0 - more, y0 - more, x1 + more, y1 + more)


def _layers(scene: Scene, view: TwinView) -> list[str]:
    known = view.layers()
    for name in scene.layers or ():
        if name not in known and name not in view.grids():
            raise RequestError("twin.no_layer", given=name, values={"known": ", ".join(known)})
    chosen = [n for n in known if scene.layers is None or n in scene.layers]
    return sorted(chosen, key=lambda n: city._ORDER.get(split_layer(n)[0], 9))


def _paint_result(
    painter: Painter, view: TwinView, drawing: Drawing, result: Result | None
) -> None:
    if drawing.cells is not None and result is not None and result.grid is not None:
        painter.cells(drawing.cells, result.grid)
    for layer, by_id in drawing.objects.items():
        if split_layer(layer)[0] not in ("road", "pipe"):
            continue
        table = view.table(layer)
        rgb = np.array([by_id.get(str(i), (150, 150, 150)) for i in table.ids])
        wide = np.maximum(widths(table.numbers("carriageway_m"), 7.0), 6.0)
        painter.lines(table.geometry, rgb, wide)
        painter.objects -= len(table)


def _bodies_only(drawing: Drawing) -> dict[str, Any]:
    return {k: v for k, v in drawing.objects.items() if split_layer(k)[0] not in ("road", "pipe")}


def render_scene(
    scene: Scene, view: TwinView, result: Result | None = None, *, path: Path
) -> RenderReport:
    """Draw a scene off screen into a PNG.

    Parameters
    ----------
    scene, view, result
        As for `compose`.
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
    start = time.process_time()
    picture = compose(scene, view, result)
    pixels, scale_m, again = _shoot(picture, scene)
    image = overlay.lay_over(pixels, scene, view, result, picture.drawing, scale_m)
    first = time.process_time() - start
    try:
        image.save(path, optimize=False)
    except OSError as error:
        raise StoreError("store.cannot_write", given=path, values={"why": str(error)}) from error
    return RenderReport(
        png=str(path),
        objects=picture.objects,
        triangles=picture.triangles,
        first_frame_cpu_s=round(first, 3),
        frame_cpu_s=round(again, 3),
        without_height=picture.without_height,
        failed=picture.failed,
    )


def _shoot(picture: Picture, scene: Scene) -> tuple[NDArray[np.uint8], float, float]:
    """Return the pixels, metres a pixel at the middle, and CPU seconds of a second frame."""
    import pyvista as pv

    plotter: Any = pv.Plotter(off_screen=True, window_size=list(scene.size), lighting="none")
    try:
        plotter.set_background(SKY_BOTTOM, top=SKY_TOP)
        _lights(plotter)
        _add_ground(plotter, picture.ground)
        for surface in picture.surfaces:
            _add_surface(plotter, surface)
        for edges in picture.edges:
            _add_edges(plotter, edges)
        _camera(plotter, picture, scene)
        plotter.enable_anti_aliasing("msaa", multi_samples=4)
        plotter.render()
        pixels = np.asarray(plotter.screenshot(return_img=True))[:, :, :3].copy()
        start = time.process_time()
        plotter.render()
        again = time.process_time() - start
        distance = plotter.camera.distance
        high = 2 * distance * np.tan(np.radians(plotter.camera.view_angle) / 2)
        return pixels, float(high / scene.size[1]), again
    finally:
        plotter.close()


def _lights(plotter: Any) -> None:
    import pyvista as pv

    sun = pv.Light(position=city.SUN, light_type="scene light", intensity=0.80)
    sky = pv.Light(position=(0.7, 0.5, 0.9), light_type="scene light", intensity=0.24)
    sun.positional = sky.positional = False
    sun.diffuse_color, sky.diffuse_color = (1.0, 0.97, 0.90), (0.80, 0.88, 1.0)
    plotter.add_light(sun)
    plotter.add_light(sky)


def _add_ground(plotter: Any, ground: Ground) -> None:
    import pyvista as pv

    rows, cols, _ = ground.points.shape
    grid: Any = pv.StructuredGrid()
    grid.points = ground.points.reshape(-1, 3)
    grid.dimensions = (cols, rows, 1)
    u, v = np.meshgrid(np.linspace(0, 1, cols), np.linspace(1, 0, rows))
    mesh = grid.extract_surface(algorithm=None)
    mesh.active_texture_coordinates = np.column_stack([u.ravel(), v.ravel()]).astype(np.float32)
    texture: Any = _texture(pv, np.ascontiguousarray(ground.image))
    texture.interpolate = True
    texture.mipmap = True
    plotter.add_mesh(
        mesh, texture=texture, ambient=0.40, diffuse=0.82, specular=0.0, copy_mesh=False
    )


def _texture(pv: Any, image: NDArray[np.uint8]) -> Any:
    return pv.Texture(image)


def _add_surface(plotter: Any, surface: Surface) -> None:
    import pyvista as pv

    faces = np.hstack([np.full((len(surface.triangles), 1), 3), surface.triangles]).ravel()
    mesh = pv.PolyData(surface.vertices, faces)
    mesh.cell_data["rgb"] = surface.rgb
    plotter.add_mesh(
        mesh,
        scalars="rgb",
        rgb=True,
        ambient=0.44,
        diffuse=0.80,
        specular=0.0,
        smooth_shading=False,
        opacity=surface.opacity,
        copy_mesh=False,
        show_scalar_bar=False,
    )


def _add_edges(plotter: Any, edges: Segments) -> None:
    import pyvista as pv

    points = edges.points.reshape(-1, 3)
    lines = np.column_stack(
        [np.full(len(edges.points), 2), np.arange(0, len(points), 2), np.arange(1, len(points), 2)]
    )
    mesh = pv.PolyData()
    mesh.points = points
    mesh.lines = lines.ravel()
    colour = [c / 255 for c in edges.rgb]
    plotter.add_mesh(
        mesh, color=colour, line_width=edges.width_px, lighting=False, opacity=0.55, copy_mesh=False
    )


def _camera(plotter: Any, picture: Picture, scene: Scene) -> None:
    x0, y0, x1, y1 = picture.bounds
    shift = np.array([picture.origin.x, picture.origin.y, picture.origin.z])
    corners = np.array([(x, y, picture.origin.z) for x in (x0, x1) for y in (y0, y1)]) - shift
    centre = corners.mean(axis=0)
    tilt = np.radians({"top": 90.0, "oblique": 36.0, "street": 13.0}[scene.camera])
    turn = 0.0 if scene.camera == "top" else np.radians(overlay.TURN_DEG)
    way = np.array([np.sin(turn) * np.cos(tilt), -np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    up = np.cross(way, right)
    half = np.tan(np.radians(_VIEW_ANGLE_DEG) / 2) * (0.97 if scene.camera == "top" else 1.12)
    aspect = scene.size[0] / scene.size[1]
    away = corners - centre
    need = np.maximum(np.abs(away @ right) / (half * aspect), np.abs(away @ up) / half) + away @ way
    distance = float(need.max()) * (0.6 if scene.camera == "street" else 1.0)
    camera = plotter.camera
    camera.position, camera.focal_point, camera.up = centre + distance * way, centre, up
    camera.view_angle = _VIEW_ANGLE_DEG
    plotter.reset_camera_clipping_range()


def sizes(text: str) -> tuple[int, int]:
    """Return (width, height) from ``1280x720``.

    Raises
    ------
    RequestError
        Not two whole numbers between 64 and 8192.
    """
    parts: Sequence[str] = text.lower().split("x")
    if len(parts) == 2 and all(p.isdigit() and 64 <= int(p) <= 8192 for p in parts):
        return int(parts[0]), int(parts[1])
    raise RequestError("scenes.size", given=text)
