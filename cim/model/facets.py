"""Faces of bodies as triangles, and what is wrong with each face that makes none.

The codes are those of val3dity (Ledoux 2018, *Open Geospatial Data, Software and
Standards* 3:1), which follow ISO 19107: 1xx a ring, 2xx a polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.body import Body

__all__ = ["Facets", "Fault", "facets", "faults"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

_REASONS = (
    ("Too few points", 101),
    ("Ring Self-intersection", 104),
    ("Duplicate Rings", 202),
    ("Hole lies outside", 206),
    ("Nested", 207),
    ("Interior is disconnected", 205),
    ("Self-intersection", 104),
)
"""How GEOS words what ISO 19107 forbids; the first that fits counts."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one face.

    Attributes
    ----------
    face
        Its number in the body, from 0.
    code
        Of val3dity: 101 too few points, 102 repeated point, 104 ring crosses itself,
        201 rings cross, 202 ring twice, 203 not plane, 205 interior in parts, 206 hole
        outside, 207 holes in one another.
    distance_m
        How far the face leaves its plane; NaN where that is not the fault.
    drawn
        Whether triangles were made all the same.
    """

    face: int
    code: int
    distance_m: float
    drawn: bool


@dataclass(frozen=True)
class Facets:
    """Triangles of many faces.

    Attributes
    ----------
    triangles
        (m, 3) int32 rows of the index the faces were given in.
    face
        (m,) int32 the face of each.
    drawn
        (f,) whether a face has triangles.
    off_plane_m
        (f,) the largest distance of a corner from the face's plane.
    flat
        (k, 2) corners in the plane of their face, metres.
    """

    triangles: Ints
    face: Ints
    drawn: NDArray[np.bool_]
    off_plane_m: Floats
    flat: Floats
    status: NDArray[np.uint8]


def facets(points: Floats, rings: Ints, faces: Ints) -> Facets:
    """Cut faces with holes into triangles.

    What the kernel cannot cut (too large, or a way to a hole that is too narrow for it) goes
    through GEOS' constrained Delaunay triangulation where the face is valid.

    Parameters
    ----------
    points
        (k, 3) float64 metres: the corners of all rings one after another.
    rings, faces
        Starts of rings in `points` and of faces in `rings`, int32.
    """
    from kernels.spatial.facets import GOOD, triangulate

    count, room = len(faces) - 1, len(points) + 2 * len(rings)
    triangles = np.empty((room, 3), dtype=np.int32)
    owner = np.empty(room, dtype=np.int32)
    status = np.zeros(max(0, count), dtype=np.uint8)
    off, flat = np.zeros(max(0, count)), np.zeros((len(points), 2))
    made = triangulate(
        np.ascontiguousarray(points, dtype=np.float64),
        np.ascontiguousarray(rings, dtype=np.int32),
        np.ascontiguousarray(faces, dtype=np.int32),
        triangles, owner, status, off, flat,
    )  # fmt: skip
    triangles, owner = triangles[:made], owner[:made]
    from kernels.spatial.facets import FAILED, TOO_LARGE

    again = np.flatnonzero((status == FAILED) | (status == TOO_LARGE))
    extra = [(int(f), _delaunay(flat, rings, faces, int(f))) for f in again]
    good = [(f, found) for f, found in extra if len(found)]
    if good:
        triangles = np.concatenate([triangles, *(found for _, found in good)])
        owner = np.concatenate(
            [owner, *(np.full(len(found), f, dtype=np.int32) for f, found in good)]
        )
        status[[f for f, _ in good]] = GOOD
    return Facets(triangles, owner, status == GOOD, off, flat, status)


def _delaunay(flat: Floats, rings: Ints, faces: Ints, f: int) -> Ints:
    """Return the triangles of one face by GEOS; none where the face is not valid."""
    import shapely

    shape = _polygons(flat, rings, faces, np.array([f]))[0]
    none = np.empty((0, 3), dtype=np.int32)
    if shape is None or not shapely.is_valid(shape):
        return none
    first, last = int(rings[faces[f]]), int(rings[faces[f + 1]])
    rows = {(x, y): first + i for i, (x, y) in enumerate(flat[first:last].tolist())}
    parts = shapely.get_parts(shapely.constrained_delaunay_triangles(shape))
    corners = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
    if not len(corners):
        return none
    turned = _signed(corners) < 0
    corners[turned] = corners[turned][:, ::-1]
    found = [[rows.get((x, y), -1) for x, y in one] for one in corners.tolist()]
    out = np.array(found, dtype=np.int32)
    return out if (out >= 0).all() else none


def _signed(corners: Floats) -> Floats:
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    signed: Floats = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    return signed


def _polygons(flat: Floats, rings: Ints, faces: Ints, which: NDArray[Any]) -> NDArray[Any]:
    """Return faces as shapely polygons in their own plane; None where a ring is too short."""
    import shapely

    lines: list[Any] = []
    owner: list[int] = []
    short = np.zeros(len(which), dtype=bool)
    for n, f in enumerate(which):
        for r in range(faces[f], faces[f + 1]):
            a, b = rings[r], rings[r + 1]
            if b - a < 3:
                short[n] = True
                continue
            lines.append(np.concatenate([flat[a:b], flat[a : a + 1]]))
            owner.append(n)
    out = np.full(len(which), None, dtype=object)
    if lines:
        sizes = [len(line) for line in lines]
        made = shapely.linearrings(
            np.concatenate(lines), indices=np.repeat(np.arange(len(lines)), sizes)
        )
        at = np.array(owner)
        whole = shapely.polygons(made, indices=at)
        out[: len(whole)] = whole
    out[short] = None
    return out


def faults(
    points: Floats, rings: Ints, faces: Ints, found: Facets, *, plane_m: float
) -> list[Fault]:
    """Return what is wrong with faces, each named; a face may have two faults.

    Parameters
    ----------
    points, rings, faces
        As given to `facets`.
    found
        What it returned.
    plane_m
        How far a corner may lie from the plane of its face.
    """
    out = [
        Fault(int(f), 203, float(found.off_plane_m[f]), bool(found.drawn[f]))
        for f in np.flatnonzero(found.off_plane_m > plane_m)
    ]
    count = np.diff(faces)
    corners = np.diff(rings)[faces[:-1][count > 0]] if len(faces) > 1 else np.empty(0)
    simple = np.zeros(len(found.drawn), dtype=bool)
    simple[count > 0] = corners <= 4
    plain = found.drawn & (count == 1) & simple
    which = np.flatnonzero(~plain)
    repeated = _repeated(points, rings, faces)
    out += [Fault(int(f), 102, np.nan, bool(found.drawn[f])) for f in np.flatnonzero(repeated)]
    out += _by_geos(points, found, rings, faces, which, repeated)
    return sorted(out, key=lambda fault: (fault.face, fault.code))


def _repeated(points: Floats, rings: Ints, faces: Ints) -> NDArray[np.bool_]:
    """Tell which faces have a ring with the same corner twice in a row."""
    out = np.zeros(max(0, len(faces) - 1), dtype=bool)
    if not len(points):
        return out
    after = np.arange(1, len(points) + 1)
    ends = rings[1:][np.diff(rings) > 0] - 1
    after[ends] = rings[:-1][np.diff(rings) > 0]
    same = (points == points[after]).all(axis=1)
    hit = np.unique(np.searchsorted(rings, np.flatnonzero(same), side="right") - 1)
    out[np.searchsorted(faces, hit, side="right") - 1] = True
    return out


def _by_geos(
    points: Floats,
    found: Facets,
    rings: Ints,
    faces: Ints,
    which: NDArray[Any],
    repeated: NDArray[np.bool_],
) -> list[Fault]:
    import shapely

    out: list[Fault] = []
    if not len(which):
        return out
    shapes = _polygons(found.flat, rings, faces, which)
    reasons = shapely.is_valid_reason(shapes)
    for f, shape, reason in zip(which, shapes, reasons, strict=True):
        drawn = bool(found.drawn[f])
        first = rings[faces[f] : faces[f] + 2]
        if shape is None or found.status[f] == 1:
            out.append(Fault(int(f), 101, np.nan, drawn))
        elif found.status[f] == 2:
            code = 101 if _straight(points[first[0] : first[1]]) else 104
            out.append(Fault(int(f), code, np.nan, drawn))
        elif reason != "Valid Geometry":
            code = next((c for text, c in _REASONS if reason.startswith(text)), 104)
            if code == 104 and faces[f + 1] - faces[f] > 1 and not _own(shape):
                code = 202 if _ring_twice(shape) else 201
            out.append(Fault(int(f), code, np.nan, drawn))
        elif not drawn and not repeated[f]:
            out.append(Fault(int(f), 104, np.nan, drawn))
    return out


def _straight(ring: Floats) -> bool:
    """Tell whether all corners of a ring lie on one line, to a thousandth of its length."""
    spread = np.linalg.svd(ring - ring.mean(axis=0), compute_uv=False)
    return bool(spread[1] <= 1e-3 * spread[0])


def _ring_twice(shape: Any) -> bool:
    import shapely

    rings = shapely.normalize(shapely.get_rings(shape))
    return len({shapely.to_wkb(ring) for ring in rings}) < len(rings)


def _own(shape: Any) -> bool:
    """Tell whether one ring alone crosses itself."""
    import shapely

    return not bool(shapely.is_simple(shapely.get_rings(shape)).all())


def corners_of(body: Body) -> Floats:
    """Return the corners of all rings of a body one after another, (k, 3)."""
    return body.vertices[body.index]


def joined(bodies: Sequence[Body]) -> tuple[Floats, Ints, Ints, Ints]:
    """Return the faces of many bodies as one: corners, rings, faces, and where each body begins."""
    points = [corners_of(b) for b in bodies]
    rings = _chained([b.rings for b in bodies])
    faces = _chained([b.faces for b in bodies])
    starts = np.cumsum([0, *(b.face_count for b in bodies)]).astype(np.int32)
    return np.concatenate([np.empty((0, 3)), *points]), rings, faces, starts


def _chained(parts: Sequence[Ints]) -> Ints:
    out, base = [np.zeros(1, dtype=np.int64)], 0
    for part in parts:
        if len(part):
            out.append(part[1:].astype(np.int64) + base)
            base += int(part[-1])
    return np.concatenate(out).astype(np.int32)
