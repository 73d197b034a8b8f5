"""Buildings of one source that stand where those of another stand: perhaps the same, twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cim.model.layers import pieces_of
from cim.model.table import FeatureTable
from cim.sources.report import Report

__all__ = ["tell_doubled"]

_CELL_M = 2.0  # middles of one house in two deliveries fall into one cell, mostly
_SHARE, _MANY = 0.1, 20  # of the smaller source; what is less is a coincidence

Cells = NDArray[np.int64]


def tell_doubled(
    made: Mapping[str, FeatureTable], near: Mapping[str, FeatureTable], *, report: Report
) -> None:
    """Note how many buildings have their middle where one of another source has its own.

    Parameters
    ----------
    made
        Layers that were read.
    near
        Layers that stand already; what the same sources delivered before does not count.
    report
        Where it is said.
    """
    fresh = _by_source(made)
    stand = {key: cells for key, cells in _by_source(near).items() if key not in fresh}
    known: dict[str, Cells] = stand
    for source, cells in fresh.items():
        for other, theirs in known.items():
            count = int(np.isin(cells, theirs).sum())
            if count >= min(_MANY, max(1.0, _SHARE * min(len(cells), len(theirs)))):
                values = {"source": source, "other": other, "count": count, "of": len(cells)}
                report.note("source.doubled", file=source, layer="building", values=values)
        known = {**known, source: cells}


def _by_source(tables: Mapping[str, FeatureTable]) -> dict[str, Cells]:
    """Return the cells that the middles of buildings lie in, by source."""
    import shapely

    found: dict[str, list[Cells]] = {}
    for layer in tables:
        if layer.partition("/")[0] != "building":
            continue
        for table in pieces_of(tables, layer):
            middle = shapely.centroid(table.geometry)
            xy = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
            there = np.isfinite(xy).all(axis=1)
            cell = np.floor(xy[there] / _CELL_M).astype(np.int64)
            keys = cell[:, 0] * 2**31 + cell[:, 1]
            sources = np.array(table.texts("source"), dtype=object)[there]
            for source in dict.fromkeys(sources):
                found.setdefault(source, []).append(keys[sources == source])
    return {source: np.concatenate(cells) for source, cells in found.items()}
