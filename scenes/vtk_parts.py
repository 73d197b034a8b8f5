"""How arrays become VTK's meshes, actors and textures: no copies where none are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.drawables import Segments, Surface

__all__ = ["AMBIENT", "DIFFUSE", "actor", "array", "behind", "image_data", "lines_actor", "mesh"]
__all__ += ["set_faces", "sheet", "sheet_faces", "surface_actor", "texture"]

AMBIENT, DIFFUSE = 0.46, 0.80


def array(values: NDArray[Any], *, deep: bool = False) -> Any:
    """Return an array of VTK's over the values, which it keeps alive, or over a copy."""
    from vtkmodules.util import numpy_support

    convert: Any = numpy_support.numpy_to_vtk
    return convert(np.ascontiguousarray(values), deep=deep)


def mesh(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Any:
    """Return triangles (m, 3) or lines (m, 2) as a mesh of VTK's."""
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points = vtkPoints()
    points.SetData(array(vertices))
    cells = vtkCellArray()
    offsets = np.arange(0, faces.size + 1, faces.shape[1], dtype=np.int32)
    cells.SetData(array(offsets), array(np.ascontiguousarray(faces, dtype=np.int32).ravel()))
    made = vtkPolyData()
    made.SetPoints(points)
    if faces.shape[1] == 2:
        made.SetLines(cells)
    else:
        made.SetPolys(cells)
    return made


def actor(data: Any) -> Any:
    """Return what draws a mesh, its faces flat."""
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetScalarModeToUsePointData()
    made = vtkActor()
    made.SetMapper(mapper)
    look = made.GetProperty()
    look.SetInterpolationToFlat()
    look.SetAmbient(AMBIENT)
    look.SetDiffuse(DIFFUSE)
    look.SetSpecular(0.0)
    return made


def behind(one: Any, steps: float = 1.0) -> Any:
    """Let lines on a surface, or what lies on it with fewer steps, win against it."""
    mapper = one.GetMapper()
    mapper.SetResolveCoincidentTopologyToPolygonOffset()
    mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(steps, steps)
    mapper.SetResolveCoincidentTopologyPolygonOffsetFaces(1)
    return one


def surface_actor(surface: Surface) -> Any:
    """Return what draws a surface."""
    data = mesh(surface.vertices, surface.triangles)
    data.GetPointData().SetScalars(array(surface.rgb))
    if surface.uv is not None:
        data.GetPointData().SetTCoords(array(surface.uv))
    made = actor(data)
    if surface.pattern is not None:
        made.SetTexture(texture(image_data(surface.pattern), repeat=True))
    if surface.closed:
        made.GetProperty().BackfaceCullingOn()
    made.GetProperty().SetOpacity(surface.opacity)
    return behind(made)


def lines_actor(lines: Segments) -> Any:
    """Return what draws lines, of one pixel's width until told otherwise."""
    points = lines.points.reshape(-1, 3)
    made = actor(mesh(points, np.arange(len(points), dtype=np.int32).reshape(-1, 2)))
    look = made.GetProperty()
    look.LightingOff()
    look.SetColor(*(c / 255 for c in lines.rgb))
    look.SetOpacity(lines.opacity)
    return made


def sheet_faces(rows: int, cols: int) -> NDArray[np.int32]:
    """Return the triangles of a sheet of rows and columns of points."""
    corner = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)).ravel()
    a, b, c, d = corner, corner + 1, corner + cols, corner + cols + 1
    return np.concatenate([np.c_[a, c, b], np.c_[b, c, d]]).astype(np.int32)


def set_faces(data: Any, faces: NDArray[np.int32]) -> None:
    """Give a mesh other triangles over the same points."""
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    cells = vtkCellArray()
    offsets = np.arange(0, faces.size + 1, 3, dtype=np.int32)
    cells.SetData(array(offsets), array(np.ascontiguousarray(faces, dtype=np.int32).ravel()))
    data.SetPolys(cells)


def sheet(points: NDArray[np.float32], u: NDArray[Any], v: NDArray[Any]) -> Any:
    """Return a mesh of rows and columns of points (r, c, 3) with (r, c) texture coordinates."""
    rows, cols, _ = points.shape
    data = mesh(points.reshape(-1, 3), sheet_faces(rows, cols))
    data.GetPointData().SetTCoords(array(np.c_[u.ravel(), v.ravel()].astype(np.float32)))
    return data


def image_data(image: NDArray[np.uint8], *, upside_down: bool = True) -> Any:
    """Return an image of VTK's; its rows run upwards, so ours are turned unless told."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    high, wide, parts = image.shape
    data = vtkImageData()
    data.SetDimensions(wide, high, 1)
    rows = image[::-1] if upside_down else image
    data.GetPointData().SetScalars(array(np.ascontiguousarray(rows).reshape(-1, parts)))
    return data


def texture(data: Any, *, repeat: bool) -> Any:
    """Return an image as a texture; one that repeats is seen from afar and gets smaller copies.

    Four-fold anisotropic filtering, VTK's default, cost 170 of 380 ms of a frame in software on
    the ground, and on facades seen aslant up to 6 s (Mesa 22.3, 5,000 walls).
    """
    from vtkmodules.vtkRenderingCore import vtkTexture

    made = vtkTexture()
    made.SetInputData(data)
    made.InterpolateOn()
    made.SetMipmap(repeat)
    made.SetMaximumAnisotropicFiltering(1.0)
    if repeat:
        made.RepeatOn()
    else:
        made.RepeatOff()
        made.EdgeClampOn()
    return made
