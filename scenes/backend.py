"""What draws: VTK off screen, one actor for each drawable, pixels out.

VTK itself rather than a layer over it: its import costs a quarter of a CPU second
instead of one and a half, and a picture needs eight of its classes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.camera import Camera
from scenes.drawables import Ground, Segments, Surface

__all__ = ["Shot", "shoot"]

SKY_TOP, SKY_BOTTOM = (0.50, 0.66, 0.84), (0.93, 0.93, 0.91)
_SUN_LIGHT, _SKY_LIGHT = (1.0, 0.96, 0.88), (0.82, 0.89, 1.0)
_AMBIENT, _DIFFUSE = 0.46, 0.80
_FINER = 1.5  # drawn this much larger, then shrunk: a third of what four samples a pixel cost
_LARGEST_PX = 4096  # beyond this a picture is drawn at its own size
_NEAREST = 0.0005  # of the furthest thing: else the apron far away cuts what stands close


class Shot(NamedTuple):
    """Pixels (h, w, 3) uint8, and CPU seconds of a second frame."""

    pixels: NDArray[np.uint8]
    frame_cpu_s: float


def shoot(
    ground: Ground,
    surfaces: Sequence[Surface],
    edges: Sequence[Segments],
    camera: Camera,
    light: tuple[float, float, float],
    size: tuple[int, int],
) -> Shot:
    """Draw the drawables once for the picture and once more for the clock.

    Parameters
    ----------
    ground, surfaces, edges
        What to draw.
    camera
        From where.
    light
        Direction the sun shines from.
    size
        (width, height), pixels.
    """
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - gives the window a way to draw
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    renderer = vtkRenderer()
    renderer.GradientBackgroundOn()
    renderer.SetBackground(*SKY_BOTTOM)
    renderer.SetBackground2(*SKY_TOP)
    renderer.SetTwoSidedLighting(True)
    renderer.AutomaticLightCreationOff()
    _lights(renderer, light)
    finer = _FINER if max(size) * _FINER <= _LARGEST_PX else 1.0
    drawn = (round(size[0] * finer), round(size[1] * finer))
    renderer.AddActor(_ground(ground))
    for surface in surfaces:
        if len(surface.triangles):
            renderer.AddActor(_surface(surface))
    for lines in edges:
        if len(lines.points):
            renderer.AddActor(_edges(lines, finer))
    _aim(renderer, camera)
    window = vtkRenderWindow()
    try:
        window.SetOffScreenRendering(1)
        window.SetMultiSamples(0)
        window.SetSize(*drawn)
        window.AddRenderer(renderer)
        window.Render()
        pixels = _pixels(window, drawn, size)
        start = time.process_time()
        window.Render()
        again = time.process_time() - start
    finally:
        window.Finalize()
    return Shot(pixels, again)


def _lights(renderer: Any, light: tuple[float, float, float]) -> None:
    from vtkmodules.vtkRenderingCore import vtkLight

    away = (-light[0] * 0.8, -light[1] * 0.8, 0.9)
    for way, strength, colour in ((light, 0.78, _SUN_LIGHT), (away, 0.26, _SKY_LIGHT)):
        one = vtkLight()
        one.SetLightTypeToSceneLight()
        one.SetPosition(*way)
        one.SetFocalPoint(0.0, 0.0, 0.0)
        one.SetIntensity(strength)
        one.SetColor(*colour)
        renderer.AddLight(one)


def _aim(renderer: Any, camera: Camera) -> None:
    eye = renderer.GetActiveCamera()
    eye.SetPosition(*camera.position)
    eye.SetFocalPoint(*camera.focus)
    eye.SetViewUp(*camera.up)
    eye.SetViewAngle(camera.view_angle_deg)
    renderer.SetNearClippingPlaneTolerance(_NEAREST)
    renderer.ResetCameraClippingRange()


def _array(values: NDArray[Any]) -> Any:
    """Return an array of VTK's with its own copy of the values."""
    from vtkmodules.util import numpy_support

    convert: Any = numpy_support.numpy_to_vtk
    return convert(np.ascontiguousarray(values), deep=True)


def _mesh(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> Any:
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points = vtkPoints()
    points.SetData(_array(vertices))
    cells = vtkCellArray()
    offsets = np.arange(0, triangles.size + 1, triangles.shape[1], dtype=np.int32)
    flat = np.ascontiguousarray(triangles, dtype=np.int32).ravel()
    cells.SetData(_array(offsets), _array(flat))
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    if triangles.shape[1] == 2:
        mesh.SetLines(cells)
    else:
        mesh.SetPolys(cells)
    return mesh


def _actor(mesh: Any) -> Any:
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetScalarModeToUsePointData()
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetInterpolationToFlat()
    look.SetAmbient(_AMBIENT)
    look.SetDiffuse(_DIFFUSE)
    look.SetSpecular(0.0)
    return actor


def _behind(actor: Any) -> None:
    """Let lines on a surface win against it."""
    mapper = actor.GetMapper()
    mapper.SetResolveCoincidentTopologyToPolygonOffset()
    mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(1.0, 1.0)
    mapper.SetResolveCoincidentTopologyPolygonOffsetFaces(1)


def _surface(surface: Surface) -> Any:
    mesh = _mesh(surface.vertices, surface.triangles)
    mesh.GetPointData().SetScalars(_array(surface.rgb))
    if surface.uv is not None:
        mesh.GetPointData().SetTCoords(_array(surface.uv))
    actor = _actor(mesh)
    if surface.pattern is not None:
        actor.SetTexture(_texture(surface.pattern, repeat=True))
    if surface.closed:
        actor.GetProperty().BackfaceCullingOn()
    _behind(actor)
    return actor


def _ground(ground: Ground) -> Any:
    rows, cols, _ = ground.points.shape
    corner = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)).ravel()
    a, b, c, d = corner, corner + 1, corner + cols, corner + cols + 1
    triangles = np.concatenate([np.c_[a, c, b], np.c_[b, c, d]])
    mesh = _mesh(ground.points.reshape(-1, 3), triangles)
    u, v = np.meshgrid(np.linspace(0, 1, cols), np.linspace(1, 0, rows))
    uv = np.c_[u.ravel(), v.ravel()].astype(np.float32)
    mesh.GetPointData().SetTCoords(_array(uv))
    actor = _actor(mesh)
    actor.SetTexture(_texture(ground.image, repeat=False))
    _behind(actor)
    return actor


def _texture(image: NDArray[np.uint8], *, repeat: bool) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkRenderingCore import vtkTexture

    high, wide, parts = image.shape
    data = vtkImageData()
    data.SetDimensions(wide, high, 1)
    upright = np.ascontiguousarray(image[::-1]).reshape(-1, parts)
    data.GetPointData().SetScalars(_array(upright))
    texture = vtkTexture()
    texture.SetInputData(data)
    texture.InterpolateOn()
    texture.MipmapOn()
    if repeat:
        texture.RepeatOn()
    else:
        texture.RepeatOff()
        texture.EdgeClampOn()
    return texture


def _edges(lines: Segments, finer: float) -> Any:
    points = lines.points.reshape(-1, 3)
    actor = _actor(_mesh(points, np.arange(len(points), dtype=np.int32).reshape(-1, 2)))
    look = actor.GetProperty()
    look.LightingOff()
    look.SetColor(*(c / 255 for c in lines.rgb))
    look.SetLineWidth(lines.width_px * finer)
    return actor


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
