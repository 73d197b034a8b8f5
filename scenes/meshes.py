"""Which meshes of the pool show a building, and those as surfaces with their textures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cim.model.kinds import split_layer
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes import palette
from scenes.drawables import Origin, Surface

__all__ = ["hidden_by", "owners", "surfaces", "textures"]

Rgb = NDArray[np.uint8]

_ROOM_LEVEL = 5  # rooms are inside: they would only hide under the shell
_SHELLS = ("2", "3")
_BLOCK = "1"
_PLAN = "0"
_OF_BUILDINGS = ("building", "building_part", "storey", "room", "building_element")
_DEEPEST = 16
_MOST_PIXELS = 2048


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


def surfaces(
    pool: MeshPool,
    shown: Mapping[str, list[int]],
    origin: Origin,
    *,
    images: Mapping[str, Rgb] | None = None,
    muted: bool = False,
    recolour: palette.Colours | None = None,
    picked: frozenset[str] = frozenset(),
) -> list[Surface]:
    """Return the meshes of buildings: in the colours of materials in one, then one an image.

    Parameters
    ----------
    pool, shown, origin
        The meshes, which instances show which building, the scene's zero.
    images
        Textures by the name materials call them; a face whose image is not among them is
        drawn in plaster grey.
    muted
        Whether colours step back; then nobody wears a texture.
    recolour
        Colours of a result, by building, instead of material and texture.
    picked
        Buildings drawn in the colour of a selection.
    """
    worn = {} if muted or recolour is not None else images or {}
    shift = np.array([origin.x, origin.y, origin.z])
    rgba = np.array([m.rgba for m in pool.materials], dtype=np.float64)
    names = [m.image if m.image in worn else None for m in pool.materials]
    bare = np.array([m.image is not None for m in pool.materials] + [False])
    order = list(dict.fromkeys(n for n in names if n is not None))
    image_of = np.array([-1 if n is None else order.index(n) for n in names] + [-1])
    made = _Faces()
    for who, (building, numbers) in enumerate(shown.items()):
        for number in numbers:
            mesh = pool.meshes[pool.instances[number].mesh_id]
            with np.errstate(invalid="ignore", over="ignore"):
                placed = (pool.placed(pool.instances[number]) - shift)[mesh.triangles]
            sound = np.isfinite(placed).all(axis=(1, 2))  # one bad corner spoils its face alone
            material = mesh.material[sound]
            image = np.full(len(material), -1) if mesh.uv is None else image_of[material]
            rgb = palette.mesh(rgba, np.where(bare[material] & (image < 0), -1, material))
            if recolour is not None:
                rgb = np.full_like(rgb, recolour.get(building, palette.NO_VALUE))
            elif muted:
                rgb = palette.muted(rgb).astype(np.float64)
            if building in picked:
                rgb, image = np.full_like(rgb, palette.PICKED), np.full(len(material), -1)
            uv = np.zeros((len(material), 3, 2), np.float32)
            if mesh.uv is not None:
                uv = mesh.uv[mesh.triangles[sound]]
            made.add(placed[sound], rgb, np.full(len(material), who), image, uv)
    ids = np.empty(len(shown), dtype=object)
    ids[:] = list(shown)
    return made.surfaces(ids, [worn[name] for name in order])


@dataclass
class _Faces:
    """Triangles gathered mesh by mesh: corners, colours, owners, images (-1: none), uv."""

    corners: list[NDArray[np.float64]] = field(default_factory=list)
    rgb: list[NDArray[np.float64]] = field(default_factory=list)
    owner: list[NDArray[np.int64]] = field(default_factory=list)
    image: list[NDArray[np.int64]] = field(default_factory=list)
    uv: list[NDArray[np.float32]] = field(default_factory=list)

    def add(
        self,
        corners: NDArray[np.float64],
        rgb: NDArray[np.float64],
        owner: NDArray[np.int64],
        image: NDArray[np.int64],
        uv: NDArray[np.float32],
    ) -> None:
        """Note (k, 3, 3), (k, 3), (k,), (k,) and (k, 3, 2) of some triangles."""
        self.corners.append(corners)
        self.rgb.append(rgb)
        self.owner.append(owner)
        self.image.append(image)
        self.uv.append(uv)

    def surfaces(self, ids: NDArray[np.object_], images: Sequence[Rgb]) -> list[Surface]:
        """Return a surface of the plain faces, then one for each image, empty ones left out."""
        corners, rgb = np.concatenate(self.corners), np.concatenate(self.rgb)
        owner, image = np.concatenate(self.owner), np.concatenate(self.image)
        uv = np.concatenate(self.uv)
        made = []
        for number in range(-1, len(images)):
            mine = np.flatnonzero(image == number)
            if not len(mine) and (number >= 0 or len(image)):
                continue
            vertices = corners[mine].reshape(-1, 3).astype(np.float32)
            plain = Surface(
                vertices=vertices,
                triangles=np.arange(len(vertices), dtype=np.int32).reshape(-1, 3),
                rgb=_colours(np.repeat(rgb[mine], 3, axis=0)),
                owner=owner[mine].astype(np.int32),
                ids=ids,
            )
            if number >= 0:
                pattern, places = images[number], uv[mine].reshape(-1, 2)
                plain = replace(plain, uv=places.astype(np.float32), pattern=pattern)
            made.append(plain)
        return made


def _colours(rgb: NDArray[np.float64]) -> Rgb:
    return np.clip(rgb, 0, 255).round().astype(np.uint8)


def textures(view: TwinView, pool: MeshPool) -> tuple[dict[str, Rgb], tuple[str, ...]]:
    """Return the images materials wear, at most 2,048 pixels a side, and those not to be had.

    An image is missing where the twin does not keep it, or it cannot be read.
    """
    named = list(dict.fromkeys(m.image for m in pool.materials if m.image is not None))
    if not named:
        return {}, ()
    kept = view.bodies(ids=()).images
    read = {name: _image(kept[name]) for name in named if name in kept}
    found = {name: image for name, image in read.items() if image is not None}
    return found, tuple(name for name in named if name not in found)


def _image(data: bytes) -> Rgb | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (_MOST_PIXELS, _MOST_PIXELS))
            plain = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    plain.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    return np.asarray(plain)


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
