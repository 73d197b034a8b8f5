"""Which meshes of the pool show a building, and those as one surface."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cim.model.kinds import split_layer
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes import palette
from scenes.drawables import Origin, Surface

__all__ = ["hidden_by", "owners", "surface"]

_ROOM_LEVEL = 5  # rooms are inside: they would only hide under the shell
_SHELLS = ("2", "3")
_BLOCK = "1"
_PLAN = "0"
_OF_BUILDINGS = ("building", "building_part", "storey", "room", "building_element")
_DEEPEST = 16


def owners(view: TwinView, pool: MeshPool, table: FeatureTable) -> dict[str, list[int]]:
    """Return building id -> its instances.

    A building's own finest shell counts where it has one; else the meshes of all that is
    part of it, rooms left out.
    """
    if not len(pool):
        return {}
    parent = _parents(view)
    here = set(table.ids)
    shells: dict[str, list[int]] = {}
    found: dict[str, list[int]] = {}
    for number, instance in enumerate(pool.instances):
        if instance.lod in _SHELLS:
            shells.setdefault(instance.object_id, []).append(number)
        if instance.lod == _PLAN:
            continue
        if instance.cim_level == _ROOM_LEVEL:
            continue
        owner = _first(instance.object_id, parent, here)
        if owner is not None:
            found.setdefault(owner, []).append(number)
    # a building inside another building's chain is drawn with that one
    for one in list(found):
        top = _top(one, parent, here)
        if top != one:
            found.setdefault(top, []).extend(found.pop(one))
    return {one: _finest(pool, shells.get(one, numbers)) for one, numbers in found.items()}


def hidden_by(view: TwinView, pool: MeshPool, table: FeatureTable) -> set[str]:
    """Return the buildings whose meshes already show their parts, where `table` holds parts."""
    if table.kind != "building_part" or "building" not in view.layers() or not len(pool):
        return set()
    return set(owners(view, pool, view.table("building")))


def surface(
    pool: MeshPool,
    shown: Mapping[str, list[int]],
    origin: Origin,
    *,
    muted: bool = False,
    recolour: palette.Colours | None = None,
    picked: frozenset[str] = frozenset(),
) -> Surface:
    """Return the meshes of buildings in the colours of their materials, or of a result."""
    shift = np.array([origin.x, origin.y, origin.z])
    rgba = np.array([m.rgba for m in pool.materials], dtype=np.float64)
    corners, colours, owner = [], [], []
    for who, (building, numbers) in enumerate(shown.items()):
        for number in numbers:
            mesh = pool.meshes[pool.instances[number].mesh_id]
            with np.errstate(invalid="ignore", over="ignore"):
                placed = (pool.placed(pool.instances[number]) - shift)[mesh.triangles]
            sound = np.isfinite(placed).all(axis=(1, 2))  # one bad corner spoils its face alone
            corners.append(placed[sound].reshape(-1, 3))
            rgb = palette.mesh(rgba, mesh.material[sound])
            if recolour is not None:
                rgb = np.full_like(rgb, recolour.get(building, palette.NO_VALUE))
            elif muted:
                rgb = palette.muted(rgb).astype(np.float64)
            if building in picked:
                rgb = np.full_like(rgb, palette.PICKED)
            colours.append(np.repeat(rgb, 3, axis=0))
            owner.append(np.full(int(sound.sum()), who))
    ids = np.empty(len(shown), dtype=object)
    ids[:] = list(shown)
    vertices = np.concatenate(corners).astype(np.float32)
    return Surface(
        vertices=vertices,
        triangles=np.arange(len(vertices), dtype=np.int32).reshape(-1, 3),
        rgb=np.clip(np.concatenate(colours), 0, 255).round().astype(np.uint8),
        owner=np.concatenate(owner).astype(np.int32),
        ids=ids,
    )


def _finest(pool: MeshPool, numbers: list[int]) -> list[int]:
    """Return the best shells of a building; of parts all but a block beside finer ones."""
    levels = {pool.instances[n].lod for n in numbers}
    kept = {max(levels)} if levels <= set(_SHELLS) else levels - {_BLOCK} or levels
    return [n for n in numbers if pool.instances[n].lod in kept]


def _parents(view: TwinView) -> dict[str, str]:
    parent: dict[str, str] = {}
    for name in view.layers():
        if split_layer(name)[0] in _OF_BUILDINGS:
            table = view.table(name)
            above = table.column("parent")
            parent.update({str(i): p for i, p in zip(table.ids, above, strict=True) if p})
    return parent


def _first(one: str, parent: Mapping[str, str], here: set[str]) -> str | None:
    """Return the nearest of `here` above an object, itself included."""
    for _ in range(_DEEPEST):
        if one in here:
            return one
        if one not in parent:
            return None
        one = parent[one]
    return None


def _top(one: str, parent: Mapping[str, str], here: set[str]) -> str:
    """Return the last of an unbroken chain of `here` above an object."""
    for _ in range(_DEEPEST):
        above = parent.get(one)
        if above is None or above not in here:
            break
        one = above
    return one
