"""Nodes of OpenStreetMap, whole numbers of ten-millionths of degrees, as points, lines, areas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOWHERE", "line_of", "lines_of", "point_of", "polygon_of", "whole_pieces"]
__all__ += ["without_loose_inner"]

NOWHERE = 2_147_483_647  # libosmium's coordinate of a node that is not in the file

Points = NDArray[np.int64]


def whole_pieces(points: Points) -> list[Points]:
    """Return the runs of two and more nodes that the file has."""
    there = points[:, 1] != NOWHERE
    breaks = np.flatnonzero(~there)
    runs = np.split(np.arange(len(points)), breaks)
    pieces = [points[run[there[run]]] for run in runs]
    return [piece for piece in pieces if len(piece) > 1]


def point_of(lon: float, lat: float) -> Any:
    """Return a point in degrees."""
    import shapely

    return shapely.Point(lon, lat)


def line_of(xy: Points) -> Any:
    """Return a line of (n, 2) ten-millionths of degrees."""
    import shapely

    return shapely.LineString(xy / 1e7)


def lines_of(pieces: list[Points]) -> Any:
    """Return one line or several, of pieces of (node, lon, lat)."""
    import shapely

    drawn = [line_of(piece[:, 1:]) for piece in pieces]
    return drawn[0] if len(drawn) == 1 else shapely.MultiLineString(drawn)


def polygon_of(points: Points) -> Any:
    """Return the area within a ring of (node, lon, lat)."""
    import shapely

    return shapely.Polygon(points[:, 1:] / 1e7)


def without_loose_inner(area: Any, inner: list[Any]) -> tuple[Any, int]:
    """Return an area without pieces that inner outlines alone bound, and how many these are.

    Outlines make an area by the even-odd rule: an inner one outside of all outer ones
    would be a piece more, not a hole.
    """
    import shapely

    if not inner:
        return area, 0
    lines = shapely.union_all(inner)
    pieces = list(shapely.get_parts(area))
    alone = [
        lines.covers(shapely.get_exterior_ring(piece)) and not _within_others(piece, pieces)
        for piece in pieces
    ]
    kept = [piece for piece, lone in zip(pieces, alone, strict=True) if not lone]
    whole = kept[0] if len(kept) == 1 else shapely.multipolygons(kept)
    return (whole if any(alone) else area), sum(alone)


def _within_others(piece: Any, pieces: list[Any]) -> bool:
    """Tell whether a piece is an island in a hole of another."""
    import shapely

    return any(
        shapely.Polygon(ring).contains(piece)
        for other in pieces
        if other is not piece
        for ring in other.interiors
    )
