"""What faces has a roof? The envelope of simple roofs over convex pieces of the plan.

Over one piece the roof is the lowest of its planes, one for each edge that has an eave; where
pieces overlap the highest counts. That gives gables, cross gables, pyramids and mansards
directly. A hip roof over a plan of right angles is the envelope over its largest rectangles:
its height is the distance to the walls in the maximum norm, which is what the straight
skeleton of such a plan measures (Aichholzer, Aurenhammer 1996, 'Straight skeletons for
general polygonal figures in the plane'). Metres, z up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cim.errors import SourceError

__all__ = ["Piece", "Plane", "Roof", "edges_of", "roof_over"]

Point = tuple[float, float]

_GRID_M = 1e-5
_STEP_M = 0.02
_WELD_M = 0.002


class Plane(NamedTuple):
    """z = a x + b y + c."""

    a: float
    b: float
    c: float

    def at(self, x: float, y: float) -> float:
        """Return the height at a point."""
        return self.a * x + self.b * y + self.c


@dataclass(frozen=True)
class Piece:
    """A simple roof: over the convex `shape`, the lowest of `planes`."""

    shape: Any
    planes: tuple[Plane, ...]

    def faces(self) -> Iterator[tuple[Plane, Any]]:
        """Yield (plane, convex polygon) of the faces."""
        for i, plane in enumerate(self.planes):
            shape = self.shape
            for j, other in enumerate(self.planes):
                if j != i:
                    shape = _where_higher(other, plane, shape) if shape.area > 0 else shape
            if shape.area > 1e-6:
                yield plane, shape


@dataclass(frozen=True)
class Roof:
    """The upper side of a roof.

    Attributes
    ----------
    faces
        (polygon, plane) of each face; neighbours share their corners.
    """

    faces: tuple[tuple[Any, Plane], ...]

    @property
    def outline(self) -> Any:
        """The plan of the roof."""
        import shapely

        return shapely.union_all([shape for shape, _ in self.faces])

    @property
    def top_m(self) -> float:
        """Height of the highest point."""
        return max(plane.at(*p) for shape, plane in self.faces for p in shape.exterior.coords)

    def profile(self, start: Point, end: Point) -> list[Point]:
        """Return (metres along, height) of the roof over a line, from its start to its end."""
        import shapely

        line, length = shapely.LineString([start, end]), math.dist(start, end)
        found: dict[float, float] = {}
        for shape, plane in self.faces:
            for piece in shapely.get_parts(line.intersection(shape)):
                for x, y in piece.coords:
                    along = round(math.dist(start, (x, y)), 4)
                    found[along] = max(found.get(along, -math.inf), plane.at(x, y))
        found = {s: z for s, z in found.items() if -1e-4 <= s <= length + 1e-4}
        return _straightened(sorted(found.items()))

    def shell(self, thickness_m: float) -> tuple[list[tuple[float, ...]], list[list[int]]]:
        """Return the closed shell of the given upright thickness: points, outward faces."""
        number: dict[tuple[float, ...], int] = {}
        faces: list[list[int]] = []
        edges: dict[tuple[int, int], tuple[int, int]] = {}

        def at(x: float, y: float, z: float) -> int:
            return number.setdefault((round(x, 3), round(y, 3), round(z, 3)), len(number))

        for corners, plane in self._convexish():
            upper = [at(x, y, plane.at(x, y)) for x, y in corners]
            lower = [at(x, y, plane.at(x, y) - thickness_m) for x, y in corners]
            faces += [upper, lower[::-1]]
            for i in range(len(corners)):
                j = (i + 1) % len(corners)
                edges[upper[i], upper[j]] = (lower[i], lower[j])
        for (i, j), (k, m) in edges.items():
            if (j, i) not in edges:
                faces.append([k, m, j, i])
        return list(number), faces

    def ridges(self) -> list[tuple[tuple[float, float, float], tuple[float, float, float]]]:
        """Return the ends of ridges and hips, which carry cap tiles."""
        left: dict[tuple[Point, Point], tuple[Any, Plane]] = {}
        for shape, plane in self.faces:
            for a, b in edges_of(shape):
                left[a, b] = (shape, plane)
        found = []
        for (a, b), (_, plane) in left.items():
            if a < b and (b, a) in left:
                other, across = left[b, a]
                middle = other.representative_point()
                if across.at(middle.x, middle.y) < plane.at(middle.x, middle.y) - 1e-6:
                    found.append(((*a, plane.at(*a)), (*b, plane.at(*b))))
        return found

    def rows(self, spacing_m: float) -> Iterator[tuple[Any, Any, Any]]:
        """Yield (low end, high end, unit across) of lines running up every sloping face."""
        import shapely

        for shape, plane in self.faces:
            slope = math.hypot(plane.a, plane.b)
            if slope < 0.05:
                continue
            up = np.array([plane.a, plane.b]) / slope
            across = np.array([up[1], -up[0]])
            corners = np.array(shape.exterior.coords)
            s, d = corners @ across, corners @ up
            for place in np.arange(math.ceil((s.min() + 0.1) / spacing_m), s.max() / spacing_m):
                ends = [across * place * spacing_m + up * v for v in (d.min() - 1, d.max() + 1)]
                cut = shapely.LineString(ends).intersection(shape)
                for piece in shapely.get_parts(cut):
                    if piece.length > 0.2:
                        low, high = sorted(piece.coords, key=lambda p: plane.at(*p))
                        yield (
                            np.array([*low, plane.at(*low)]), np.array([*high, plane.at(*high)]),
                            np.array([*across, 0.0]),
                        )  # fmt: skip

    def _convexish(self) -> Iterator[tuple[list[Point], Plane]]:
        """Yield the faces as rings; those with holes in triangles."""
        import shapely

        for shape, plane in self.faces:
            whole = [shape]
            if len(shape.interiors):
                found = shapely.get_parts(shapely.constrained_delaunay_triangles(shape))
                whole = [one for one in found if one.area > 1e-6]
            for one in whole:
                yield [(x, y) for x, y in shapely.orient_polygons(one).exterior.coords[:-1]], plane


def roof_over(pieces: Sequence[Piece], *, holes: Sequence[Any] = (), where: str = "") -> Roof:
    """Return the envelope of simple roofs.

    Parameters
    ----------
    pieces
        Where they overlap the highest counts.
    holes
        Polygons the roof leaves out: towers that stand through it. What they cut off falls.
    where
        For the message.

    Raises
    ------
    SourceError
        The envelope has a step inside: a piece ends above another one.
    """
    import shapely

    regions = [(i, plane, shape) for i, piece in enumerate(pieces)
               for plane, shape in piece.faces()]  # fmt: skip
    plan = shapely.union_all([piece.shape for piece in pieces], grid_size=_GRID_M)
    plan = plan.difference(shapely.union_all(list(holes)))
    kept = max(shapely.get_parts(plan), key=lambda part: part.area)
    faces: dict[Plane, list[Any]] = {}
    for i, plane, shape in regions:
        higher = [
            _where_higher(other, plane, there)
            for j, other, there in regions if j != i and there.intersects(shape)
        ]  # fmt: skip
        left = shape.difference(shapely.union_all([*holes, *higher]))
        faces.setdefault(Plane(*(round(v, 9) + 0.0 for v in plane)), []).append(left)
    whole = [
        (one, plane) for plane, own in sorted(faces.items())
        for one in shapely.get_parts(shapely.union_all(own, grid_size=_GRID_M))
        if one.area > 1e-3 and kept.covers(one.representative_point())
    ]  # fmt: skip
    return _checked(Roof(tuple(_noded(_welded(whole)))), where)


def _where_higher(plane: Plane, than: Plane, shape: Any) -> Any:
    """Return the part of a convex `shape` where `plane` lies above another; empty for equals."""
    return _cut(shape, plane.a - than.a, plane.b - than.b, plane.c - than.c)


def _cut(shape: Any, a: float, b: float, c: float) -> Any:
    """Return the part of a convex polygon where a x + b y + c > 0."""
    import shapely

    if math.hypot(a, b) < 1e-9:
        return shape if c > 1e-9 else shapely.Polygon()
    ring = list(shape.exterior.coords)[:-1]
    side = [a * x + b * y + c for x, y in ring]
    kept: list[Point] = []
    for (p, u), (q, v) in zip(
        zip(ring, side, strict=True), zip(ring[1:] + ring[:1], side[1:] + side[:1], strict=True),
        strict=True,
    ):  # fmt: skip
        if u > 0:
            kept.append(p)
        if (u > 0) != (v > 0):
            share = u / (u - v)
            kept.append((p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])))
    return shapely.Polygon(kept) if len(kept) > 2 else shapely.Polygon()


def _checked(roof: Roof, where: str) -> Roof:
    height: dict[tuple[Point, Point], Plane] = {}
    for shape, plane in roof.faces:
        height |= dict.fromkeys(edges_of(shape), plane)
    for (a, b), plane in height.items():
        other = height.get((b, a), plane)
        apart = max(abs(plane.at(*p) - other.at(*p)) for p in (a, b))
        if apart > _STEP_M:
            values = {"reason": f"roof step {apart:.2f} m at {a[0]:.2f}, {a[1]:.2f}"}
            raise SourceError("bim.table_wrong", given=where, values=values)
    return roof


def _welded(faces: Sequence[tuple[Any, Plane]]) -> list[tuple[Any, Plane]]:
    """Make corners closer than 2 mm one: three planes meet in a point, not in three."""
    import shapely

    found = sorted({p for shape, _ in faces for ring in _rings(shape) for p in ring})
    tree = shapely.STRtree(shapely.points(np.array(found)))
    one: dict[Point, Point] = {}
    for p in found:
        near = tree.query(shapely.Point(p), predicate="dwithin", distance=_WELD_M)
        one[p] = min((one[found[i]] for i in near if found[i] in one), default=p)
    done = []
    for shape, plane in faces:
        rings = []
        for ring in _rings(shape):
            rings.append(_unspiked([one[p] for p in ring]))
        if len(rings[0]) > 2:
            done.append((shapely.Polygon(rings[0], [r for r in rings[1:] if len(r) > 2]), plane))
    return done


def _unspiked(ring: list[Point]) -> list[Point]:
    """Leave out corners that repeat, and ways there and back."""
    while True:
        kept = [
            p for i, p in enumerate(ring)
            if p != ring[i - 1] and ring[i - 1] != ring[(i + 1) % len(ring)]
        ]  # fmt: skip
        if len(kept) == len(ring):
            return kept
        ring = kept


def _noded(faces: Sequence[tuple[Any, Plane]]) -> list[tuple[Any, Plane]]:
    """Give every face the corners of its neighbours that lie on its edges, drop needless ones."""
    import shapely

    bends = {p for shape, _ in faces for ring in _rings(shape) for p in _bends(ring)}
    points = shapely.points(np.array(sorted(bends)))
    tree = shapely.STRtree(points)
    done = []
    for shape, plane in faces:
        rings = []
        for ring in _rings(shape):
            drawn: list[Point] = []
            corners = _bends(ring)
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
                line = shapely.LineString([a, b])
                hits = [points[i] for i in tree.query(line, predicate="dwithin", distance=_WELD_M)]
                inner = sorted((math.dist(a, (p.x, p.y)), (p.x, p.y)) for p in hits)
                drawn.append(a)
                drawn += [p for s, p in inner if _WELD_M < s < line.length - _WELD_M]
            rings.append(drawn)
        done.append((shapely.Polygon(rings[0], rings[1:]), plane))
    return done


def _rings(shape: Any) -> list[list[Point]]:
    import shapely

    turned = shapely.orient_polygons(shape)
    return [
        [(round(x, 5), round(y, 5)) for x, y in ring.coords[:-1]]
        for ring in (turned.exterior, *turned.interiors)
    ]


def _bends(ring: list[Point]) -> list[Point]:
    kept = []
    for i, (x, y) in enumerate(ring):
        (x0, y0), (x1, y1) = ring[i - 1], ring[(i + 1) % len(ring)]
        off = abs((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / math.hypot(x1 - x0, y1 - y0)
        if off > 1e-4:
            kept.append((x, y))
    return kept


def edges_of(shape: Any) -> list[tuple[Point, Point]]:
    """Return the edges of a polygon, counter-clockwise, those of holes clockwise."""
    return [e for r in _rings(shape) for e in zip(r, r[1:] + r[:1], strict=True)]


def _straightened(line: list[Point]) -> list[Point]:
    """Drop points that lie on the way between their neighbours."""
    kept = line[:1]
    for before, here, after in zip(line, line[1:], line[2:], strict=False):
        share = (here[0] - before[0]) / (after[0] - before[0])
        if abs(before[1] + share * (after[1] - before[1]) - here[1]) > 1e-4:
            kept.append(here)
    return kept + line[-1:]
