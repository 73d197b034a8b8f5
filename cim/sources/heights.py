"""Heights of buildings from a surface and a terrain (DSM − DEM), each with a quality.

Inside a footprint, drawn in by half a cell so that no wall is seen: the height is the
90th percentile of the surface less the median of the terrain, what a ruler from the
ground to the upper part of the roof would show. Given heights stay as they are; where
what was measured contradicts them the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.grid import Grid
from cim.model.kinds import Field
from cim.model.table import FeatureTable
from cim.registry import standard
from cim.sources.report import Report

__all__ = ["MEASURED", "QUALITIES", "measured", "with_heights"]

MEASURED = ("building", "building_part")
"""Kinds whose heights are measured."""


QUALITIES = ("good", "rough", "few cells", "gaps", "filled ground", "low", "none")
"""``rough``: trees or several roofs; ``few cells``, ``gaps``: too little was seen;
``filled ground``: that around it was not seen; ``low``: nothing stands there;
``none``: outside the grids. The last two give no height."""

_UPPER, _LEAST_CELLS, _LEAST_SHARE = 90.0, 8, 0.7
_MOVED_M = 0.1  # of a height measured again: less is noise of the survey
_LOWEST_M, _ROUGH_M, _ROUGH_SHARE = 2.0, 5.0, 0.5


def with_heights(
    pieces: Callable[[], Iterable[FeatureTable]],
    terrain: Grid,
    surface: Grid,
    origin: Grid | None,
    *,
    report: Report,
    again: NDArray[np.bool_] | None = None,
) -> Iterator[FeatureTable] | None:
    """Return buildings with heights measured where none is given; None where all have one.

    Parameters
    ----------
    pieces
        Gives the buildings or building parts of one layer, piece by piece, as often as asked.
    terrain, surface
        Heights above the twin's datum, metres.
    origin
        ``terrain_source``: 0 where the terrain was filled in.
    report
        Where it is said how many were measured, and how many contradict.
    again
        Features, of all pieces, whose heights were measured before and count as not given;
        outside of the grids they stay as they are.
    """
    layer, known = "", [np.empty(0)]
    for table in pieces():
        layer = table.layer
        known.append(table.numbers("height_m"))
    before = np.concatenate(known)
    again = np.zeros(len(before), dtype=bool) if again is None else again
    given = np.where(again, np.nan, before)
    height, spread, quality = measured((t.geometry for t in pieces()), terrain, surface, origin)
    found = np.isfinite(height)
    both = found & np.isfinite(given) & np.isin(quality, QUALITIES[:1])
    gap_m = standard("building.height_gap_m").number()
    gap = standard("building.height_gap_share").number()
    odd = both & (np.abs(height - given) > np.maximum(gap_m, gap * given))
    if odd.any():
        says: dict[str, Any] = {"count": int(odd.sum()), "of": int(both.sum()),
                                "examples": ", ".join(_first_ids(pieces(), odd)),
                                "gap": gap_m, "share": f"{gap:.0%}"}  # fmt: skip
        report.note("source.heights_differ", file="", layer=layer, values=says)
    lacking = ~np.isfinite(given)
    if not lacking.any():
        return None
    _say_measured(report, layer, quality[lacking & ~again], found[lacking & ~again])
    if again.any():
        moved = np.abs(height - before)[again & found] > _MOVED_M
        says = {"count": int((again & (quality != "none")).sum()), "changed": int(moved.sum()),
                "step": _MOVED_M, "gone": int((again & (quality == "low")).sum())}  # fmt: skip
        report.note("source.heights_again", file="", layer=layer, values=says)
    lacking &= ~(again & (quality == "none"))
    source = f"{surface.source} − {terrain.source}"
    return _filled(pieces(), lacking, height, spread, quality, source)


def _say_measured(
    report: Report, layer: str, quality: NDArray[Any], found: NDArray[np.bool_]
) -> None:
    if not len(quality):
        return
    counts = {name: int((quality == name).sum()) for name in QUALITIES}
    says = {
        "count": int(found.sum()),
        "of": len(quality),
        "qualities": ", ".join(f"{name} {n}" for name, n in counts.items() if n),
    }
    report.note("source.heights_measured", file="", layer=layer, values=says)


def _first_ids(pieces: Iterable[FeatureTable], which: NDArray[np.bool_]) -> list[str]:
    """Return the ids of the first five of the features that `which` tells."""
    start, found = 0, list[str]()
    for table in pieces:
        found += [str(i) for i in table.ids[which[start : start + len(table)]]]
        start += len(table)
        if len(found) >= 5:
            break
    return found[:5]


def _filled(
    pieces: Iterable[FeatureTable],
    lacks: NDArray[np.bool_],
    height: NDArray[np.float64],
    spread: NDArray[np.float64],
    quality: NDArray[Any],
    source: str,
) -> Iterator[FeatureTable]:
    """Yield the pieces with what was measured where they lack a height."""
    told = (
        Field(
            "height_quality", "text", "", "quality of the measured height", "高度测量质量", source
        ),
        Field(
            "height_spread_m", "real", "m", "spread of the roof, 25 to 75 %", "屋面离散度", source
        ),
    )
    start = 0
    for table in pieces:
        part = slice(start, start + len(table))
        start += len(table)
        given, lacking = table.numbers("height_m"), lacks[part]
        texts = np.full(len(table), None, dtype=object)
        texts[:] = table.columns.get("height_quality", texts)  # measured before: an update
        texts[lacking] = quality[part][lacking]
        columns = {
            **table.columns,
            "height_m": np.where(lacking, height[part], given),
            "height_quality": texts,
            "height_spread_m": np.where(lacking, spread[part], table.numbers("height_spread_m")),
        }
        names = [f.name for f in told]
        fields = (*(f for f in table.fields if f.name not in names), *told)
        yield replace(table, columns=columns, fields=fields)


def measured(
    shapes: Iterable[NDArray[Any]], terrain: Grid, surface: Grid, origin: Grid | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    """Return height (m, NaN where none), spread of the roof (m) and quality of footprints.

    Parameters
    ----------
    shapes
        Arrays of polygons in projected metres, together n.
    terrain, surface, origin
        As `with_heights`; they need not have the same cells.
    """
    label, sight = np.zeros(surface.frame.shape, dtype=np.int32), [np.empty(0)]
    n = 0
    for geometry in shapes:
        _label(label, geometry, n, surface)
        sight.append(_unseen_around(geometry, origin))
        n += len(geometry)
    unseen = np.concatenate(sight)
    at = np.flatnonzero(label.ravel())
    owner = label.ravel()[at] - 1
    order = np.argsort(owner, kind="stable")
    at, owner = at[order], owner[order]
    row, col = np.divmod(at, surface.frame.cols)
    x, y = surface.frame.centres()
    points = np.column_stack([x[col], y[row]])
    top = surface.values[row, col].astype(np.float64)
    ground = terrain.sample(points)
    height, spread = np.full(n, np.nan), np.full(n, np.nan)
    quality = np.full(n, "none", dtype=object)
    starts = np.searchsorted(owner, np.arange(n + 1))
    seen = np.isfinite(top) & np.isfinite(ground)
    for i in np.flatnonzero(np.diff(starts)):
        part = slice(starts[i], starts[i + 1])
        good = seen[part]
        if good.any():
            height[i], spread[i], quality[i] = _one(
                top[part][good], ground[part][good], float(good.mean()), float(unseen[i])
            )
    return height, spread, quality


def _one(
    top: NDArray[np.float64], ground: NDArray[np.float64], share: float, unseen: float
) -> tuple[float, float, str]:
    """Return height, spread and quality of one footprint's cells."""
    low, high, upper = np.percentile(top, [25.0, 75.0, _UPPER])
    height, spread = float(upper - np.median(ground)), float(high - low)
    if height < _LOWEST_M:
        return np.nan, spread, "low"
    if share < _LEAST_SHARE:
        return height, spread, "gaps"
    if len(top) < _LEAST_CELLS:
        return height, spread, "few cells"
    if spread > max(_ROUGH_M, _ROUGH_SHARE * height):
        return height, spread, "rough"
    return height, spread, "filled ground" if unseen > _LEAST_SHARE else "good"


def _unseen_around(geometry: NDArray[Any], origin: Grid | None) -> NDArray[np.float64]:
    """Return the share of the ground just outside each footprint that was filled in.

    Below a building the ground is never seen; beside it it should be.
    """
    import shapely

    n = len(geometry)
    if origin is None:
        return np.zeros(n)
    around = shapely.segmentize(
        shapely.boundary(shapely.buffer(geometry, 2.0 * origin.frame.cell_m, quad_segs=2)),
        2.0 * origin.frame.cell_m,
    )
    xy, owner = shapely.get_coordinates(around, return_index=True)
    row, col, inside = origin.frame.cell_of(xy[:, 0], xy[:, 1])
    filled = inside & (origin.values[row, col] == 0.0)
    every = np.bincount(owner, minlength=n)
    return np.bincount(owner, weights=filled, minlength=n) / np.maximum(every, 1)


def _label(label: NDArray[np.int32], geometry: NDArray[Any], before: int, surface: Grid) -> None:
    """Write into `label` which footprint the centre of each cell lies in, from `before` + 1."""
    import shapely
    from affine import Affine
    from rasterio.features import rasterize

    inner = shapely.buffer(geometry, -surface.frame.cell_m / 2.0, join_style="mitre")
    gone = shapely.is_missing(inner) | shapely.is_empty(inner)
    inner = np.where(gone, geometry, inner)  # narrower than a cell: as it is
    there = ~(shapely.is_missing(inner) | shapely.is_empty(inner))
    pairs = [(shape, before + i + 1) for i, shape in enumerate(inner) if there[i]]
    if pairs:
        rasterize(pairs, out=label, transform=Affine(*surface.frame.geotransform))
