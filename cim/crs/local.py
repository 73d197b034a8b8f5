"""Local systems of a city (地方坐标系): fitted from control points the user brings.

City drawings in China stand in local systems whose parameters are not public, so none
is shipped. Who has control points in both systems gets a four-parameter (plane) or
seven-parameter (space) similarity from them, with the residual of every point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cim.errors import FrameError

__all__ = ["Helmert2D", "Helmert3D", "LocalSystem", "fit_helmert_2d", "fit_helmert_3d"]

Array = npt.NDArray[np.float64]

_FLAT = 1e-6  # smallest extent of the control points across, relative to along


@dataclass(frozen=True)
class Helmert2D:
    """Four parameters: ``target = scale · turn(rotation) · source + shift``.

    Parameters
    ----------
    scale
        Length in the target over length in the source.
    rotation_deg
        Turn of the axes' content, counter-clockwise seen from above.
    shift_m
        East and north of the source's zero point in the target.
    residuals_m
        Target minus fit, ``(n, 2)`` as nested tuples; empty for parameters given by hand.
    """

    scale: float
    rotation_deg: float
    shift_m: tuple[float, float]
    residuals_m: tuple[tuple[float, ...], ...] = ()

    @property
    def rms_m(self) -> float:
        """Return the root mean square of the points' residual lengths, metres."""
        return _rms(self.residuals_m)

    @property
    def redundancy(self) -> int:
        """Return how many equations are left over; at 0 residuals prove nothing."""
        return max(0, 2 * len(self.residuals_m) - 4)

    def apply(self, xy: npt.ArrayLike) -> Array:
        """Return ``(n, 2)`` source points in the target system."""
        return _plane(xy, 2) @ self._matrix().T + self.shift_m

    def invert(self, xy: npt.ArrayLike) -> Array:
        """Return ``(n, 2)`` target points in the source system."""
        return np.asarray(np.linalg.solve(self._matrix(), (_plane(xy, 2) - self.shift_m).T).T)

    def _matrix(self) -> Array:
        angle = np.radians(self.rotation_deg)
        cos, sin = self.scale * np.cos(angle), self.scale * np.sin(angle)
        return np.array([[cos, -sin], [sin, cos]])


@dataclass(frozen=True)
class Helmert3D:
    """Seven parameters on geocentric metres: ``target = scale · rotation · source + shift``.

    Parameters
    ----------
    scale
        Length in the target over length in the source.
    rotation
        Proper 3×3 rotation, rows as tuples.
    shift_m
        Shift along x, y, z.
    residuals_m
        Target minus fit, ``(n, 3)`` as nested tuples; empty for parameters given by hand.
    """

    scale: float
    rotation: tuple[tuple[float, float, float], ...]
    shift_m: tuple[float, float, float]
    residuals_m: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def from_parameters(
        cls,
        *,
        shift_m: tuple[float, float, float],
        rotation_arcsec: tuple[float, float, float],
        scale_ppm: float,
    ) -> Helmert3D:
        """Return the position-vector transformation of seven published parameters.

        Bursa-Wolf sheets (布尔沙模型) for the coordinate-frame convention state the
        rotations with the opposite sign: negate all three for them.
        """
        rx, ry, rz = np.radians(np.array(rotation_arcsec) / 3600.0)
        small = np.array([[0.0, -rz, ry], [rz, 0.0, -rx], [-ry, rx, 0.0]])
        left, _, right = np.linalg.svd(np.eye(3) + small)
        return cls(1.0 + scale_ppm * 1e-6, _rows(left @ right), shift_m)

    @property
    def rms_m(self) -> float:
        """Return the root mean square of the points' residual lengths, metres."""
        return _rms(self.residuals_m)

    @property
    def redundancy(self) -> int:
        """Return how many equations are left over; at 0 residuals prove nothing."""
        return max(0, 3 * len(self.residuals_m) - 7)

    def apply(self, xyz: npt.ArrayLike) -> Array:
        """Return ``(n, 3)`` source points in the target system."""
        return np.asarray(self.scale * (_plane(xyz, 3) @ np.array(self.rotation).T) + self.shift_m)

    def invert(self, xyz: npt.ArrayLike) -> Array:
        """Return ``(n, 3)`` target points in the source system."""
        return np.asarray((_plane(xyz, 3) - self.shift_m) @ np.array(self.rotation) / self.scale)


@dataclass(frozen=True)
class LocalSystem:
    """A drawing's own plane and how it lies in a projected system.

    Parameters
    ----------
    name
        What its users call it.
    crs
        The projected system the fit leads to, ``"EPSG:4548"``.
    helmert
        From local to projected metres.
    """

    name: str
    crs: str
    helmert: Helmert2D

    def to_projected(self, xy: npt.ArrayLike) -> Array:
        """Return local ``(n, 2)`` metres in `crs`."""
        return self.helmert.apply(xy)

    def to_local(self, xy: npt.ArrayLike) -> Array:
        """Return projected ``(n, 2)`` metres in the local system."""
        return self.helmert.invert(xy)


def fit_helmert_2d(local_xy: npt.ArrayLike, projected_xy: npt.ArrayLike) -> Helmert2D:
    """Fit the four-parameter similarity that carries local onto projected points.

    Least squares, solved about the centroids so that large coordinates lose nothing.

    Parameters
    ----------
    local_xy, projected_xy
        ``(n, 2)`` metres, the same control points in both systems, n ≥ 2; three or
        more are needed for the residuals to say anything.

    Raises
    ------
    FrameError
        Too few points, unequal counts, not finite, or all in one spot.
    """
    local, projected = _pairs(local_xy, projected_xy, columns=2, fewest=2)
    from_centre, to_centre = local.mean(axis=0), projected.mean(axis=0)
    # A similarity of the plane is one complex factor: scale and turn.
    a = (local - from_centre) @ np.array([1.0, 1.0j])
    b = (projected - to_centre) @ np.array([1.0, 1.0j])
    weight = float(np.vdot(a, a).real)
    if weight == 0.0 or np.sqrt(weight) < _FLAT or np.abs(b).max() == 0.0:
        raise FrameError("crs.control_degenerate", given=f"{len(a)}")
    factor = np.vdot(a, b) / weight
    rotation_deg = float(np.degrees(np.angle(factor)))
    turned = Helmert2D(float(abs(factor)), rotation_deg, (0.0, 0.0)).apply([from_centre])[0]
    shift = (float(to_centre[0] - turned[0]), float(to_centre[1] - turned[1]))
    misses = b - factor * a
    residuals = tuple((float(miss.real), float(miss.imag)) for miss in misses)
    return Helmert2D(float(abs(factor)), rotation_deg, shift, residuals)


def fit_helmert_3d(local_xyz: npt.ArrayLike, target_xyz: npt.ArrayLike) -> Helmert3D:
    """Fit the seven-parameter similarity of space, any size of rotation.

    Closed form by singular values (Umeyama 1991, IEEE TPAMI 13(4)), about centroids.

    Parameters
    ----------
    local_xyz, target_xyz
        ``(n, 3)`` metres, usually geocentric, the same control points, n ≥ 3.

    Raises
    ------
    FrameError
        Too few points, unequal counts, not finite, or all on one line.
    """
    local, target = _pairs(local_xyz, target_xyz, columns=3, fewest=3)
    from_centre, to_centre = local.mean(axis=0), target.mean(axis=0)
    a, b = local - from_centre, target - to_centre
    extent = np.linalg.svd(a, compute_uv=False)
    if extent[1] <= _FLAT * max(extent[0], _FLAT):
        raise FrameError("crs.control_degenerate", given=f"{len(a)}")
    left, strength, right = np.linalg.svd(b.T @ a)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(mirror) @ right
    scale = float((strength * mirror).sum() / (a**2).sum())
    if not scale > 0.0:
        raise FrameError("crs.control_degenerate", given=f"{len(a)}")
    shift = to_centre - scale * rotation @ from_centre
    misses = b - scale * a @ rotation.T
    residuals = tuple(tuple(float(part) for part in miss) for miss in misses)
    return Helmert3D(scale, _rows(rotation), (shift[0], shift[1], shift[2]), residuals)


def _pairs(
    source: npt.ArrayLike, target: npt.ArrayLike, *, columns: int, fewest: int
) -> tuple[Array, Array]:
    first, second = _plane(source, columns), _plane(target, columns)
    if len(first) != len(second):
        raise FrameError("crs.control_unequal", given=f"{len(first)}, {len(second)}")
    if len(first) < fewest:
        raise FrameError(
            "crs.control_too_few", given=f"{len(first)}", values={"fewest": str(fewest)}
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise FrameError("crs.control_not_finite", given=f"{len(first)}")
    return first, second


def _plane(points: npt.ArrayLike, columns: int) -> Array:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise FrameError("crs.not_points", given=f"shape {array.shape}")
    return array


def _rows(matrix: Array) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix)


def _rms(residuals: tuple[tuple[float, ...], ...]) -> float:
    if not residuals:
        return 0.0
    return float(np.sqrt((np.array(residuals) ** 2).sum(axis=1).mean()))
