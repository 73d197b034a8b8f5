"""A coverage of roof regions becomes a closed body: roofs, ground, and the walls between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.mesh import Surface

__all__ = ["Region", "closed", "faces_of", "snap_outline", "volume_of"]

Floats = NDArray[np.float64]
Point = tuple[float, float]
Edge = tuple[Point, Point]


_APART = 0.1  # cells


@dataclass(frozen=True)
class Region:
    """A piece of the plan: its polygon, its roof z = a x + b y + c, its bottom."""

    shape: Any
    roof: tuple[float, float, float]
    bottom: float

    def top(self, at: Point) -> float:
        """Return the height of the roof at a point, never below the bottom."""
        a, b, c = self.roof
        return max(a * at[0] + b * at[1] + c, self.bottom)


def faces_of(
    regions: Sequence[Region], *, step: float
) -> tuple[Floats, NDArray[np.int32], NDArray[np.uint8]]:
    """Return the closed body over a coverage.

    Parameters
    ----------
    regions
        Polygons that share their borders vertex by vertex.
    step
        Heights at one corner that lie closer than this become one.

    Returns
    -------
    tuple of array
        Vertices (n, 3) float64, triangles (m, 3) int32 turned outwards, surfaces (m,) uint8.
    """
    regions = _meet(_parted(regions), step)
    heights = _heights(regions, step)
    mesh = _Mesh()
    for i, region in enumerate(regions):
        for a, b, c in _triangulated(region.shape):
            mesh.add([(p, heights[i, p][1]) for p in (a, b, c)], Surface.ROOF)
            mesh.add([(p, heights[i, p][0]) for p in (c, b, a)], Surface.GROUND)
    levels: dict[Point, set[float]] = defaultdict(set)
    for (_, p), pair in heights.items():
        levels[p].update(pair)
    for (a, b), (left, right) in _sides(regions).items():
        for strip in _strips(a, b, _span(heights, left, a, b), _span(heights, right, a, b)):
            _zip(mesh, a, b, strip, levels)
    return mesh.arrays()


class _Mesh:
    def __init__(self) -> None:
        self.number: dict[tuple[float, float, float], int] = {}
        self.triangles: list[tuple[int, int, int]] = []
        self.surface: list[int] = []

    def add(self, corners: Sequence[tuple[Point, float]], surface: Surface) -> None:
        at = [self.number.setdefault((*p, z), len(self.number)) for p, z in corners]
        if len(set(at)) == 3:
            self.triangles.append((at[0], at[1], at[2]))
            self.surface.append(int(surface))

    def arrays(self) -> tuple[Floats, NDArray[np.int32], NDArray[np.uint8]]:
        return (
            np.array(list(self.number), np.float64).reshape(-1, 3),
            np.array(self.triangles, np.int32).reshape(-1, 3),
            np.array(self.surface, np.uint8),
        )


def _rings(shape: Any) -> list[list[Point]]:
    """Return the rings of a polygon, outer counter-clockwise, holes clockwise, unclosed."""
    import shapely

    turned = shapely.orient_polygons(shape)
    return [[(x, y) for x, y in ring.coords[:-1]] for ring in (turned.exterior, *turned.interiors)]


def _sides(regions: Sequence[Region]) -> dict[Edge, tuple[int, int]]:
    """Return (region on the left, region on the right or -1) of every border, each once."""
    left: dict[Edge, int] = {}
    for i, region in enumerate(regions):
        for ring in _rings(region.shape):
            for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
                left[a, b] = i
    return {
        (a, b): (i, left.get((b, a), -1))
        for (a, b), i in left.items()
        if (b, a) not in left or a < b
    }


def _meet(regions: Sequence[Region], step: float) -> list[Region]:
    """Put a corner where two roofs cross along their common border."""
    new: dict[Edge, Point] = {}
    for (a, b), (i, j) in _sides(regions).items():
        if j < 0:
            continue
        at_a = regions[i].top(a) - regions[j].top(a)
        at_b = regions[i].top(b) - regions[j].top(b)
        if at_a * at_b < 0 and min(abs(at_a), abs(at_b)) > step:
            t = at_a / (at_a - at_b)
            p = (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
            new[a, b] = new[b, a] = p
    return [Region(_with_corners(r.shape, new), r.roof, r.bottom) for r in regions]


def _parted(regions: Sequence[Region]) -> list[Region]:
    """Draw regions apart that touch in one corner alone: an edge of a body has two faces."""
    sides = _sides(regions)
    ends = Counter(a for (a, _), (_, right) in sides.items() if right < 0)
    moved: dict[tuple[int, Point], Point] = {}
    for p in [p for p, times in ends.items() if times > 1]:
        fans = [{left} for (a, b), (left, right) in sides.items() if p in (a, b) and right < 0]
        for (a, b), (left, right) in sides.items():
            if p in (a, b) and right >= 0:
                joined = set().union({left, right}, *(f for f in fans if f & {left, right}))
                fans = [f for f in fans if not f & {left, right}] + [joined]
        distinct = list({frozenset(f) for f in fans})
        groups = sorted((sorted(f) for f in distinct), key=lambda f: f[0])
        for group in groups[1:]:
            for region in group:
                inner = regions[region].shape.representative_point()
                away = np.array([inner.x - p[0], inner.y - p[1]])
                x, y = np.array(p) + _APART * away / max(float(np.hypot(*away)), 1e-9)
                moved[region, p] = (float(x), float(y))
    if not moved:
        return list(regions)
    return [_moved_corners(r, i, moved) for i, r in enumerate(regions)]


def _moved_corners(region: Region, own: int, moved: dict[tuple[int, Point], Point]) -> Region:
    import shapely

    rings = [[moved.get((own, p), p) for p in ring] for ring in _rings(region.shape)]
    shape = shapely.Polygon(rings[0], rings[1:])
    return Region(shape, region.roof, region.bottom) if shape.is_valid else region


def _with_corners(shape: Any, new: dict[Edge, Point]) -> Any:
    import shapely

    rings = []
    for ring in _rings(shape):
        drawn: list[Point] = []
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            drawn.append(a)
            if (a, b) in new:
                drawn.append(new[a, b])
        rings.append(drawn)
    return shapely.Polygon(rings[0], rings[1:])


def _heights(
    regions: Sequence[Region], step: float
) -> dict[tuple[int, Point], tuple[float, float]]:
    """Return (bottom, top) of every region at each of its corners, close heights made one."""
    at: dict[Point, list[tuple[int, float]]] = defaultdict(list)
    for i, region in enumerate(regions):
        for ring in _rings(region.shape):
            for p in ring:
                at[p] += [(2 * i, region.bottom), (2 * i + 1, region.top(p))]
    found: dict[tuple[int, Point], list[float]] = {}
    for p, ends in at.items():
        ends.sort(key=lambda one: one[1])
        groups: list[list[tuple[int, float]]] = []
        for one in ends:
            if groups and one[1] - groups[-1][0][1] <= step:
                groups[-1].append(one)
            else:
                groups.append([one])
        for group in groups:
            z = sum(h for _, h in group) / len(group)
            for end, _ in group:
                found.setdefault((end // 2, p), [0.0, 0.0])[end % 2] = z
    return {key: (low, high) for key, (low, high) in found.items()}


Span = tuple[tuple[float, float], tuple[float, float]]
"""(bottom, top) at the first and at the second end of a border."""


def _span(
    heights: dict[tuple[int, Point], tuple[float, float]], region: int, a: Point, b: Point
) -> Span | None:
    return None if region < 0 else (heights[region, a], heights[region, b])


def _strips(a: Point, b: Point, left: Span | None, right: Span | None) -> list[tuple[Span, bool]]:
    """Return the upright pieces where one side is solid and the other is not.

    Each is a span and whether the solid lies on the left. Two roofs that cross between
    the ends have no corner there only when they are within a step of each other.
    """
    if left is None or right is None:
        whole = left or right
        assert whole is not None
        return [(whole, left is not None)]
    found = []
    for side in (0, 1):  # bottoms, tops
        la, lb, ra, rb = left[0][side], left[1][side], right[0][side], right[1][side]
        if la == ra and lb == rb:
            continue
        # Where the left top is higher the left is solid; where its bottom is higher it is not.
        higher = (la - ra) + (lb - rb) > 0
        low, high = ((ra, rb), (la, lb)) if higher else ((la, lb), (ra, rb))
        found.append((((low[0], high[0]), (low[1], high[1])), higher == (side == 1)))
    return found


def _zip(
    mesh: _Mesh, a: Point, b: Point, strip: tuple[Span, bool], levels: dict[Point, set[float]]
) -> None:
    """Fill an upright strip between two plan corners, using every height met at either."""
    (span_a, span_b), solid_left = strip
    one = _chain(span_a, levels[a])
    two = _chain(span_b, levels[b])
    i = j = 0
    while i + 1 < len(one) or j + 1 < len(two):
        climb_one = j + 1 >= len(two) or (
            i + 1 < len(one) and (i + 1) / max(1, len(one) - 1) <= (j + 1) / max(1, len(two) - 1)
        )
        if climb_one:
            corners = [(a, one[i]), (b, two[j]), (a, one[i + 1])]
            i += 1
        else:
            corners = [(a, one[i]), (b, two[j]), (b, two[j + 1])]
            j += 1
        # Along a -> b the region on the left has its outside on the right.
        mesh.add(corners if solid_left else corners[::-1], Surface.WALL)


def _chain(ends: tuple[float, float], levels: set[float]) -> list[float]:
    """Return the heights from the first end to the second, both included."""
    low, high = min(ends), max(ends)
    between = sorted(z for z in levels if low <= z <= high)
    return between if ends[0] <= ends[1] else between[::-1]


def _triangulated(shape: Any) -> list[tuple[Point, Point, Point]]:
    """Return the triangles of a polygon, counter-clockwise, without new corners."""
    import shapely

    found = []
    for part in shapely.get_parts(shapely.constrained_delaunay_triangles(shape)):
        a, b, c = (tuple(p) for p in part.exterior.coords[:3])
        ccw = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
        found.append((a, b, c) if ccw else (a, c, b))
    return found


def closed(triangles: NDArray[np.int32]) -> bool:
    """Whether every edge is used as often one way as the other."""
    if not len(triangles):
        return False
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    n = int(edges.max()) + 1
    forth = edges[:, 0].astype(np.int64) * n + edges[:, 1]
    back = edges[:, 1].astype(np.int64) * n + edges[:, 0]
    return bool((np.sort(forth) == np.sort(back)).all())


def volume_of(vertices: Floats, triangles: NDArray[np.int32]) -> float:
    """Return the volume a closed mesh encloses, by the divergence theorem."""
    near = vertices - vertices.mean(axis=0)
    a, b, c = (near[triangles[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def snap_outline(shapes: Sequence[Any], triangles: Floats) -> list[Any]:
    """Move the outer border of a coverage onto the upright faces it stands for.

    Parameters
    ----------
    shapes
        Polygons in cells that share borders; the outer border lies up to a cell outside the
        face that touched it.
    triangles
        (m, 3, 3) float64 in cells.
    """
    import shapely

    if not shapes:
        return []
    faces = _Upright(triangles)
    moved: dict[Point, Point] = {}
    for part in shapely.get_parts(shapely.union_all(shapes)):
        for ring in _rings(part):
            _snap_ring(ring, faces, moved)
    drawn = []
    for shape in shapes:
        rings = [[moved.get(p, p) for p in ring] for ring in _rings(shape)]
        drawn.append(shapely.Polygon(rings[0], rings[1:]))
    return drawn if all(one.is_valid for one in drawn) else list(shapes)


class _Upright:
    """Upright triangles as lines of the plan: unit normal, offset, and reach along the line."""

    def __init__(self, triangles: Floats) -> None:
        normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        flat = np.hypot(normal[:, 0], normal[:, 1])
        upright = flat > 5 * np.abs(normal[:, 2])
        self.n = normal[upright, :2] / flat[upright, None]
        self.area = 0.5 * flat[upright]
        self.corners = triangles[upright][:, :, :2]

    def offset(self, a: Floats, b: Floats) -> float:
        """Return how far along the outward normal the face behind the border a-b lies."""
        along = b - a
        length = float(np.hypot(*along))
        along = along / length
        out = np.array([along[1], -along[0]])
        beside = np.abs(self.n @ out) > 0.995
        if not beside.any():
            return 0.0
        off = (self.corners[beside] - a) @ out
        far = off.mean(axis=1)
        s = (self.corners[beside] - a) @ along
        overlap = np.minimum(s.max(axis=1), length) - np.maximum(s.min(axis=1), 0.0)
        good = (far > -1.3) & (far < 0.8) & (overlap > 0)
        if not good.any():
            return 0.0
        weight = self.area[beside][good] * overlap[good]
        bins = np.round(far[good] * 20).astype(int)
        best, total = -10, 0.0
        for one in np.unique(bins):
            share = float(weight[bins == one].sum())
            if share >= 0.5 * total and (share > total or one > best):
                best, total = int(one), max(share, total)
        return float(np.average(far[good][bins == best], weights=weight[bins == best]))


def _snap_ring(ring: list[Point], faces: _Upright, moved: dict[Point, Point]) -> None:
    points = np.array(ring)
    ahead = np.roll(points, -1, axis=0)
    along = ahead - points
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    out = np.column_stack([along[:, 1], -along[:, 0]])
    offset = np.array([faces.offset(a, b) for a, b in zip(points, ahead, strict=True)])
    for i, p in enumerate(ring):
        n1, n2 = out[i - 1], out[i]
        d1, d2 = offset[i - 1], offset[i]
        cross = n1[0] * n2[1] - n1[1] * n2[0]
        if abs(cross) < 0.3:
            shift = 0.5 * (n1 * d1 + n2 * d2)
        else:
            shift = np.array([d1 * n2[1] - d2 * n1[1], d2 * n1[0] - d1 * n2[0]]) / cross
        if np.hypot(*shift) <= 3.0:
            moved[p] = (float(p[0] + shift[0]), float(p[1] + shift[1]))
