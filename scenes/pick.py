"""Which object lies under a pixel or along a ray, exactly, and without a window.

Prisms are met as prisms and meshes as triangles, in float64, so the answer does not
depend on what a level of detail or a raster made of them. The ground is met too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.spatial import pick as kernels
from scenes.camera import Camera
from scenes.compose import Picture
from scenes.scene import Plane

__all__ = ["Hit", "Picker", "kept", "ray_of"]

Floats = NDArray[np.float64]

_MOST_CELLS = 1024  # along one side of the plan
_HAIR_M = 1e-6  # things reach this far over their box, so that rounding loses none


class Hit(NamedTuple):
    """What a ray met: an object's id or None for the ground, where, and how far along.

    ``at`` is (x, y, z) in projected metres and absolute height.
    """

    id: str | None
    at: tuple[float, float, float]
    distance_m: float


def ray_of(camera: Camera, size: tuple[int, int], x: float, y: float) -> tuple[Floats, Floats]:
    """Return where the ray through a pixel begins and its direction of length one.

    Parameters
    ----------
    camera
        The camera of the picture.
    size
        (width, height) of the picture, pixels.
    x, y
        Pixels from the left and from the top; the middle of the first is 0.5, 0.5.
    """
    ahead = camera.focus - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, camera.up)
    right = right / np.linalg.norm(right)
    up = np.cross(right, ahead)
    half = float(np.tan(np.radians(camera.view_angle_deg) / 2))
    across = (2 * x / size[0] - 1) * half * size[0] / size[1]
    way = ahead + across * right + (1 - 2 * y / size[1]) * half * up
    return camera.position.astype(np.float64), way / np.linalg.norm(way)


def kept(points: Floats, clip: Sequence[Plane]) -> NDArray[np.bool_]:
    """Tell which points (n, 3), projected metres, lie on the right side of all cuts."""
    inside = np.ones(len(points), dtype=bool)
    for plane in clip:
        inside &= (points - np.array(plane.at)) @ np.array(plane.normal) >= 0.0
    return inside


class Picker:
    """Finds objects of a picture; made once, asked in microseconds.

    Parameters
    ----------
    picture
        What is shown.
    clip
        Cuts: what they take away is not met.
    """

    def __init__(self, picture: Picture, clip: Sequence[Plane] = ()) -> None:
        o = picture.origin
        self._origin = np.array([o.x, o.y, o.z])
        self._clip = [
            (np.array(p.at, np.float64) - self._origin, np.array(p.normal, np.float64))
            for p in clip
        ]
        self._names: list[str | None] = []
        self._owner: NDArray[np.int64] = np.empty(0, np.int64)
        self._prisms(picture)
        faces, owner, names = _triangles(picture, len(self._names))
        self._names += names
        self._corners = faces
        self._owner = np.concatenate([self._owner, owner])
        self._grid()

    def _prisms(self, picture: Picture) -> None:
        xy, rings, polygons, low, high, owner, boxes = [], [0], [0], [], [], [], []
        for one in picture.blocks:
            rings += (one.ring_start[1:] + rings[-1]).tolist()
            polygons += (one.polygon_start[1:] + polygons[-1]).tolist()
            xy.append(one.xy)
            low.append(one.low)
            high.append(one.high)
            owner.append(one.owner + len(self._names))
            boxes.append(np.c_[one.box.min(axis=1), one.box.max(axis=1)])
            self._names += one.ids.tolist()
        self._plan = (
            np.concatenate([np.empty((0, 2)), *xy]),
            np.array(rings, dtype=np.int64),
            np.array(polygons, dtype=np.int64),
            np.concatenate([np.empty(0), *low]),
            np.concatenate([np.empty(0), *high]),
        )
        self._owner = np.concatenate([self._owner, *owner])
        self._boxes = np.concatenate([np.empty((0, 4)), *boxes])

    def _grid(self) -> None:
        flat = self._corners[..., :2]
        with np.errstate(invalid="ignore"):
            around = np.c_[flat.min(axis=1), flat.max(axis=1)]
        boxes = np.concatenate([self._boxes, around]) + _HAIR_M * np.array([-1, -1, 1, 1])
        known = boxes[np.isfinite(boxes).all(axis=1)]
        if not len(known):
            known = np.array([[0.0, 0.0, 1.0, 1.0]])
        west, south = known[:, :2].min(axis=0).tolist()
        wide, high = (known[:, 2:].max(axis=0) - (west, south)).tolist()
        cell = max(np.sqrt(wide * high / len(known)), max(wide, high) / _MOST_CELLS, 1e-3)
        nx, ny = int(np.ceil(wide / cell)), int(np.ceil(high / cell))
        cells = kernels.plan_grid(boxes, west, south, cell, nx, ny)
        self._cells = (cells, west, south, float(cell), nx, ny)

    def ray(self, start: Floats, way: Floats, *, everything: bool = False) -> Hit | None:
        """Return what a ray meets first, None where it meets nothing.

        Parameters
        ----------
        start, way
            Scene metres, and a direction.
        everything
            Ask every object instead of those near the ray: slow, for proof.
        """
        way = way / np.linalg.norm(way)
        span = self._uncut(start, way)
        if span is None:
            return None
        begin = start + span[0] * way
        cells = self._cells if not everything else (self._cells[0], 0.0, 0.0, 1.0, 0, 0)
        plan: Any = (*cells, *self._plan, self._corners)
        thing, far = kernels.nearest(begin, way, *plan)
        if thing < 0 or far + span[0] > span[1]:
            return None
        x, y, z = (begin + far * way + self._origin).tolist()
        return Hit(self._names[self._owner[thing]], (x, y, z), float(far + span[0]))

    def pixel(self, camera: Camera, size: tuple[int, int], x: float, y: float) -> Hit | None:
        """Return what lies under a pixel; see `ray_of`."""
        return self.ray(*ray_of(camera, size, x, y))

    def _uncut(self, start: Floats, way: Floats) -> tuple[float, float] | None:
        """Return the part of a ray the cuts leave, None where they leave nothing."""
        near, far = 0.0, np.inf
        for at, normal in self._clip:
            toward, above = float(way @ normal), float((start - at) @ normal)
            if toward == 0.0:
                if above < 0.0:
                    return None
            elif toward > 0.0:
                near = max(near, -above / toward)
            else:
                far = min(far, -above / toward)
        return (near, far) if near <= far else None


def _triangles(picture: Picture, first: int) -> tuple[Floats, NDArray[np.int64], list[str | None]]:
    """Return corners (m, 3, 3), owners and names of bodies that are meshes, and of the ground."""
    rows, cols, _ = picture.ground.points.shape
    points = picture.ground.points.astype(np.float64)
    a, b = points[:-1, :-1].reshape(-1, 3), points[:-1, 1:].reshape(-1, 3)
    c, d = points[1:, :-1].reshape(-1, 3), points[1:, 1:].reshape(-1, 3)
    faces = [np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)]
    owner = [np.full(2 * (rows - 1) * (cols - 1), first, dtype=np.int64)]
    if picture.ground.opacity < 1.0:  # seen through, and so not what one points at
        faces, owner = [], []
    names: list[str | None] = [None]
    for body in picture.bodies:
        faces.append(body.vertices[body.triangles].astype(np.float64))
        if len(body.ids):
            owner.append(body.owner.astype(np.int64) + first + len(names))
            names += body.ids.tolist()
        else:  # bare land around
            owner.append(np.full(len(body.triangles), first, dtype=np.int64))
    return np.concatenate(faces), np.concatenate(owner), names
