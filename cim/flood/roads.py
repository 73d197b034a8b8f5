"""May one still drive: water on cross-sections (道路横断面) of every street, kerb to kerb.

Two rules hold at once (GB 50014, GB 50318-2017 5.3.3): one motor lane stays free of more than
0.15 m of water, and the lowest point of the section has no more than 0.30 m. A cross-section is
cut every few metres; its *lane depth* is that of the best strip of one lane's width, so a car
that keeps to the crown of the road meets no more than this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sections", "cut_sections", "lane_depths", "link_depths"]

Floats = NDArray[np.float64]

_STRIP_M = 0.5  # a cross-section is looked at in strips no wider than this


@dataclass(frozen=True)
class Sections:
    """Cross-sections of several links.

    Attributes
    ----------
    link
        (s,) which link each belongs to.
    xy
        (s, k, 2) the middles of its strips from the left kerb to the right, metres; NaN beyond
        the last.
    strip_m
        (s,) width of a strip.
    width_m
        (s,) from kerb to kerb.
    """

    link: NDArray[np.int64]
    xy: Floats
    strip_m: Floats
    width_m: Floats


def cut_sections(lines: Sequence[Any], width_m: Floats, *, every_m: float) -> Sections:
    """Cut every line across its width, every `every_m`, at least once.

    Parameters
    ----------
    lines
        shapely lines, the middles of carriageways; None or empty ones get no section.
    width_m
        (n,) from kerb to kerb.
    every_m
        Distance between two sections.
    """
    import shapely

    link, middle, across = [], [], []
    for number, line in enumerate(lines):
        if line is None or shapely.is_empty(line) or not width_m[number] > 0:
            continue
        length = float(shapely.length(line))
        count = max(1, int(np.floor(length / every_m + 0.5)))
        at = (np.arange(count) + 0.5) * (length / count)
        ends = [
            shapely.get_coordinates(shapely.line_interpolate_point(line, np.clip(d, 0.0, length)))
            for d in (at - 0.5, at, at + 0.5)
        ]
        ahead = ends[2] - ends[0]
        ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
        link.append(np.full(count, number))
        middle.append(ends[1])
        across.append(np.stack([-ahead[:, 1], ahead[:, 0]], axis=1))
    if not link:
        return Sections(np.empty(0, np.int64), np.empty((0, 1, 2)), np.empty(0), np.empty(0))
    owner = np.concatenate(link)
    width = width_m[owner].astype(np.float64)
    strips = np.maximum(np.ceil(width / _STRIP_M - 1e-9), 1.0)
    offset = width[:, None] * ((np.arange(int(strips.max())) + 0.5) / strips[:, None] - 0.5)
    offset = np.where(np.arange(int(strips.max())) < strips[:, None], -offset, np.nan)
    xy = np.concatenate(middle)[:, None] + offset[..., None] * np.concatenate(across)[:, None]
    return Sections(owner, xy, width / strips, width)


def lane_depths(depth_m: Floats, *, strip_m: Floats, lane_m: float) -> tuple[Floats, Floats]:
    """Return lane depth and deepest point of every cross-section.

    Parameters
    ----------
    depth_m
        (s, k) water on the strips, NaN beyond the kerb or where it is not known.
    strip_m
        (s,) width of a strip.
    lane_m
        Width of a lane; a narrower section counts as one lane.

    Returns
    -------
    tuple of arrays
        (s,) the least over all strips of one lane's width of the deepest water in it, and (s,)
        the deepest water of the section. NaN where nothing is known.
    """
    best = np.full(len(depth_m), np.nan)
    known = np.isfinite(depth_m)
    count = known.sum(axis=1)
    deepest = np.where(count > 0, np.max(np.where(known, depth_m, -np.inf), axis=1), np.nan)
    width = np.minimum(np.ceil(lane_m / np.maximum(strip_m, 1e-9) - 1e-9), count).astype(np.int64)
    filled = np.where(known, depth_m, np.inf)  # an unknown strip is no lane
    for strips in np.unique(width[width > 0]):
        mine = width == strips
        windows = np.lib.stride_tricks.sliding_window_view(filled[mine], strips, axis=1)
        best[mine] = windows.max(axis=2).min(axis=1)
    return np.where(np.isinf(best), deepest, best), deepest


def link_depths(section_m: Floats, link: NDArray[np.int64], links: int) -> Floats:
    """Return the worst section of each link, (links,), NaN where none is known."""
    out = np.full(links, np.nan)
    np.fmax.at(out, link, section_m)
    return out
