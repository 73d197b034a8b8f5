"""A twin whose layers are read once for a picture: composing asks for each of them five times."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from cim.model.table import FeatureTable
from cim.model.twin import Bounds, Twin, TwinView

if TYPE_CHECKING:
    from cim.model.mesh import MeshPool

__all__ = ["read_once"]


def read_once(view: TwinView) -> TwinView:
    """Return a view that answers as `view` does, but asks it for each layer only once.

    A layer is read as a whole even where only a box is asked for: the extent of a twin is
    asked for in every picture, and needs all of it.
    """
    return view if isinstance(view, _Once) else cast(TwinView, _Once(view))


class _Once:
    def __init__(self, view: TwinView) -> None:
        self._view = view
        self._whole: dict[str, Twin] = {}
        self._within: dict[tuple[str, Bounds], FeatureTable] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    @cached_property
    def _layers(self) -> dict[str, int]:
        return self._view.layers()

    def layers(self) -> dict[str, int]:
        return dict(self._layers)

    @cached_property
    def _grids(self) -> list[str]:
        return self._view.grids()

    def grids(self) -> list[str]:
        return list(self._grids)

    @cached_property
    def _meshes(self) -> MeshPool:
        return self._view.meshes()

    def meshes(self) -> MeshPool:
        return self._meshes

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        if layer not in self._whole:
            found = self._view.table(layer)
            self._whole[layer] = Twin(name="", frame=self._view.frame, tables={layer: found})
        whole = self._whole[layer]
        if bounds is None:
            return whole.table(layer)
        if (layer, bounds) not in self._within:
            self._within[layer, bounds] = whole.table(layer, bounds=bounds)
        return self._within[layer, bounds]
