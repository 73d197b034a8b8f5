"""What differs by id between two twins, versions or schemes; and the world at an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.table import FeatureTable, empty_table
from cim.model.twin import Bounds, OverBase, TwinView
from cim.store.stored import StoredTwin, open_twin

__all__ = ["ValidAt", "as_of", "at", "changed_rows", "diff"]

_TOLERANCE_M = 1e-6


def as_of(path: Path | str, version: int) -> StoredTwin:
    """Return the twin as it was known at an older version.

    Raises
    ------
    StoreError
        No such version in this generation.
    """
    return open_twin(path, version=version)


def changed_rows(
    old: FeatureTable, i: NDArray[np.intp], new: FeatureTable, j: NDArray[np.intp]
) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Return in which attributes features differ, and whether in their geometry.

    Parameters
    ----------
    old, new
        Two tables.
    i, j
        (n,) rows of `old` and of `new` that are one feature.

    Returns
    -------
    tuple
        Attribute -> (n,) where it differs, those that differ nowhere left out; and (n,)
        where the geometry does.
    """
    import shapely

    names = dict.fromkeys([*old.columns, *new.columns])
    columns = {}
    for name in names:
        odd = _unequal(_values(old, name, i), _values(new, name, j))
        if odd.any():
            columns[name] = odd
    one, two = old.geometry[i], new.geometry[j]
    gone = shapely.is_missing(one) | shapely.is_missing(two)
    moved = shapely.is_missing(one) != shapely.is_missing(two)
    look = ~gone & ~shapely.equals_identical(one, two)
    moved[look] = ~shapely.equals_exact(one[look], two[look], _TOLERANCE_M, normalize=True)
    return columns, moved


def _values(table: FeatureTable, name: str, at: NDArray[np.intp]) -> NDArray[Any]:
    if name not in table.columns:
        return np.full(len(at), None, dtype=object)
    return table.columns[name][at]


def _unequal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two columns differ; missing equals missing only."""
    if a.dtype == b.dtype == np.float64:
        return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
    none = [tuple(v is None or v != v for v in column.tolist()) for column in (a, b)]
    pairs = zip(a.tolist(), b.tolist(), *none, strict=True)
    found = (m != n or (not m and v != w) for v, w, m, n in pairs)
    return np.fromiter(found, dtype=bool, count=len(a))


def diff(a: TwinView, b: TwinView) -> dict[str, dict[str, Any]]:
    """Return what differs between two views, by layer and id; equal layers are left out.

    Parameters
    ----------
    a, b
        Before and after.

    Returns
    -------
    dict
        ``{layer: {"added": [id…], "removed": [id…], "changed": {id: {"attributes":
        [name…], "moved": bool}}}}``; for a grid ``{"cells": changed cells}``.

    Raises
    ------
    RequestError
        The frames differ.
    """
    if (a.frame.crs, a.frame.height_datum) != (b.frame.crs, b.frame.height_datum):
        raise RequestError(
            "store.other_frame",
            given=f"{b.frame.crs} + {b.frame.height_datum}",
            values={"frame": f"{a.frame.crs} + {a.frame.height_datum}"},
        )
    found: dict[str, dict[str, Any]] = {}
    for layer in sorted({*a.layers(), *b.layers()}):
        one = a.table(layer) if layer in a.layers() else empty_table(layer)
        two = b.table(layer) if layer in b.layers() else empty_table(layer)
        change = _tables(one, two)
        if any(change.values()):
            found[layer] = change
    for layer in sorted({*a.grids()} & {*b.grids()}):
        one_grid, two_grid = a.grid(layer), b.grid(layer)
        if one_grid.frame != two_grid.frame:
            found[layer] = {"frame": True}
            continue
        same = (one_grid.values == two_grid.values) | (
            np.isnan(one_grid.values) & np.isnan(two_grid.values)
        )
        if not same.all():
            found[layer] = {"cells": int((~same).sum())}
    return found


def _tables(a: FeatureTable, b: FeatureTable) -> dict[str, Any]:
    before, after = a.position(), b.position()
    common = [id_ for id_ in before if id_ in after]
    i = np.array([before[id_] for id_ in common], dtype=np.intp)
    j = np.array([after[id_] for id_ in common], dtype=np.intp)
    columns, moved = changed_rows(a, i, b, j)
    rows = np.flatnonzero(np.logical_or.reduce([moved, *columns.values()]))
    changed = {
        str(common[row]): {
            "attributes": [name for name, odd in columns.items() if odd[row]],
            "moved": bool(moved[row]),
        }
        for row in rows
    }
    return {
        "added": [str(i) for i in after if i not in before],
        "removed": [str(i) for i in before if i not in after],
        "changed": changed,
    }


def at(view: TwinView, instant: datetime) -> ValidAt:
    """Return the world as it was at an instant: what began before it and has not ended.

    Raises
    ------
    RequestError
        The instant has no offset from UTC.
    """
    if instant.tzinfo is None:
        raise RequestError("store.naive_time", given=instant.isoformat())
    return ValidAt(view, instant)


@dataclass(frozen=True)
class ValidAt(OverBase):
    """A view of those features that are valid at an instant; those without dates always are."""

    base: TwinView
    instant: datetime

    def layers(self) -> dict[str, int]:
        """Return the feature layers and how many features were valid."""
        return {name: len(self.table(name)) for name in self.base.layers()}

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        """Return a layer's features that were valid; see `cim.model.Twin.table`."""
        table = self.base.table(layer, bounds=bounds)
        begun = [t is None or self._moment(t) <= self.instant for t in table.column("valid_from")]
        open_ = [t is None or self._moment(t) > self.instant for t in table.column("valid_to")]
        return table.take(np.array(begun, dtype=bool) & np.array(open_, dtype=bool))

    @staticmethod
    def _moment(text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise RequestError("store.naive_time", given=text) from error
        if moment.tzinfo is None:
            raise RequestError("store.naive_time", given=text)
        return moment
