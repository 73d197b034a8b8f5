"""From products to the layers of a twin: buildings, storeys, rooms, elements, as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import.facade import shows
from bim_import.forms import Body, body_of, encloses
from bim_import.instancing import Pool
from bim_import.joining import Match, hull, outline, plan_of
from bim_import.meshing import Hole
from bim_import.networks import Networks, network_row
from bim_import.plugs import Part, plugs
from bim_import.quantities import room_size
from bim_import.semantics import Product
from bim_import.shell import Seen
from cim.jobs import QUIET, Job
from cim.model.kinds import COMMON, Field, kind
from cim.model.table import FeatureTable, as_column

__all__ = ["Group", "Model", "group_products", "room_plan", "tables"]

_OWN = (
    Field("ifc_class", "text", "", "IFC class", "IFC 类"),
    Field("number", "text", "", "number or mark", "编号"),
    Field("description", "text", "", "description", "说明"),
    Field("bottom_m", "real", "m", "lowest point, absolute", "最低点标高"),
    Field("top_m", "real", "m", "highest point, absolute", "最高点标高"),
    Field("outcome", "text", "", "how its geometry came through", "几何结果"),
    Field("network", "text", "", "system of pipes, ducts or cables", "所属系统"),
    Field("connected", "text", "", "GlobalIds that ports connect it to (JSON)", "端口连接构件"),
    Field("length_m", "real", "m", "length of its line in space", "空间长度"),
    Field("properties", "text", "", "property and quantity sets (JSON)", "属性集（JSON）"),
)
_OF_BUILDINGS = (
    Field("footprint_m2", "real", "m2", "area of its footprint", "基底面积"),
    Field("roof_outline_m2", "real", "m2", "area of its roof outline", "屋面轮廓面积"),
    Field("volume_m3", "real", "m3", "volume of its closed shell", "外壳体积"),
    Field("shell_flags", "text", "", "what speaks against its shell", "外壳标记"),
)


_PLATES = ("IfcSlab", "IfcRoof")
_COVERED = 0.5
"""A house whose walls have slabs and roofs over less of their outline lacks its floors."""


@dataclass(frozen=True)
class Model:
    """Everything read from one file.

    Attributes
    ----------
    products, ids, outcome
        By GlobalId: the product, its id in the twin, what became of its geometry.
    pool
        Meshes and placements in model metres.
    matrix
        (4, 4) float64: model metres to the frame.
    levels
        GlobalId of a storey -> height of its zero in model metres.
    source, name
        Key of the source; own name of the layers.
    illustrative
        示意数据.
    shells
        Whether buildings get their closed shell.
    unit_m
        Metres per length unit of the file.
    networks
        Pipes, chambers, alignments, systems and what ports connect.
    holes, filled
        What openings cut out of products; numbers of those with a door or window.
    job
        Told of it while shells are made.
    """

    products: Mapping[str, Product]
    ids: Mapping[str, str]
    outcome: Mapping[str, str]
    pool: Pool
    matrix: NDArray[np.float64]
    levels: Mapping[str, float]
    source: str
    name: str
    illustrative: bool
    shells: bool = True
    unit_m: float = 1.0
    networks: Networks = field(default_factory=Networks)
    holes: Sequence[Hole] = ()
    filled: frozenset[int] = frozenset()
    job: Job = field(default_factory=lambda: QUIET)

    def world(self, guid: str) -> NDArray[np.float64]:
        """Return a product's vertices in the frame, (n, 3) float64."""
        vertices = self.pool.vertices(guid)
        moved: NDArray[np.float64] = vertices @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return moved

    def building_of(self, guid: str) -> str | None:
        """Return the GlobalId of the building a product belongs to, or None."""
        seen: set[str] = set()
        at: str | None = guid
        while at is not None and at in self.products and at not in seen:
            if self.products[at].kind == "building":
                return at
            seen.add(at)
            at = self.products[at].parent
        return None

    def level(self, model_z_m: float) -> float:
        """Return a height in the model as a height of the frame."""
        return float(self.matrix[2, 2] * model_z_m + self.matrix[2, 3])


@dataclass
class Group:
    """The products of one building, or of none.

    Attributes
    ----------
    building
        GlobalId of the IfcBuilding; None for products outside of any.
    members
        GlobalIds of its products, the building among them.
    joined
        The building of the city it stands on.
    """

    model: Model
    building: str | None
    members: list[str] = field(default_factory=list)
    joined: Match | None = None

    @property
    def title(self) -> str:
        """Return the building's name."""
        return (self.model.products[self.building].name or "-") if self.building else "-"

    @cached_property
    def bodies(self) -> list[str]:
        """GlobalIds of the members with a mesh, rooms left out."""
        kinds = self.model.products
        return [g for g in self.members if g in self.model.pool.placed and kinds[g].kind != "room"]

    @cached_property
    def walls(self) -> list[str]:
        """GlobalIds of the walls among the bodies; of all bodies where there is no wall."""
        classes = {g: self.model.products[g].ifc_class for g in self.bodies}
        found = [g for g, c in classes.items() if c.startswith(("IfcWall", "IfcCurtainWall"))]
        return found or self.bodies

    @cached_property
    def outside(self) -> list[str]:
        """GlobalIds of the bodies that look outside; without a shell, of those not said inside."""
        if self.seen:
            return [g for g in self.bodies if shows(self.corners(g), self.seen[g])]
        return [g for g in self.bodies if self.model.products[g].outside is not False]

    @cached_property
    def seen(self) -> Mapping[str, Seen]:
        """What looks outside of every body, by GlobalId; empty without a shell."""
        if self.body.shell is None:
            return {}
        return dict(zip((*self.enclosing, *self._beside), self.body.shell.seen, strict=True))

    def corners(self, guid: str) -> NDArray[np.float64]:
        """Return a product's triangles in the frame, (m, 3, 3) float64."""
        return self.model.world(guid)[self.model.pool.triangles(guid)]

    @cached_property
    def enclosing(self) -> list[str]:
        """GlobalIds of the bodies that may be part of the building's skin."""
        return [g for g in self.bodies if encloses(self.model.products[g])]

    @cached_property
    def body(self) -> Body:
        """The building's shell in the frame, and what came of it."""
        walls = outline(self._parts(self.walls))
        if not self.model.shells or self.building is None or not self.enclosing:
            return Body(None, (), walls)
        size = sum(len(self.model.pool.triangles(g)) for g in self.enclosing)
        found = body_of(self._looked_at, size, walls, job=self.model.job)
        bare = not found.sound and walls is not None and self._covered(walls) < _COVERED
        return replace(found, flags=(*found.flags, "uncovered")) if bare else found

    def _covered(self, walls: Any) -> float:
        """Return the share of the walls' outline under or over a slab or a roof."""
        products = self.model.products

        def plate(guid: str) -> bool:
            whole = products.get(products[guid].parent or "")
            kinds = (products[guid].ifc_class, "" if whole is None else whole.ifc_class)
            return any(kind in _PLATES for kind in kinds)

        plan = plan_of(self._parts([g for g in self.enclosing if plate(g)]))
        return 0.0 if plan is None else float(plan.intersection(walls).area / walls.area)

    @property
    def _beside(self) -> list[str]:
        enclosing = set(self.enclosing)
        return [g for g in self.bodies if g not in enclosing]

    def _looked_at(self) -> tuple[list[Part], list[Part], list[Part]]:
        """Return what may enclose, what fills its openings, and what stands beside it."""
        return self._parts(self.enclosing), self.plugs(), self._parts(self._beside)

    def plugs(self) -> list[Part]:
        """Return what fills the openings of the enclosing bodies, in the frame."""
        model = self.model
        hosts = {model.products[g].step_id: model.pool.vertices(g) for g in self.enclosing}
        turn, shift = model.matrix[:3, :3].T, model.matrix[:3, 3]
        return [(v @ turn + shift, t) for v, t in plugs(model.holes, hosts, model.filled)]

    @property
    def footprint(self) -> Any:
        """Outline of the walls in the frame, or of the shell they do not enclose, or None."""
        return self.body.footprint

    @cached_property
    def roof_outline(self) -> Any:
        """Plan outline of all built elements in the frame, eaves and all, or None."""
        return plan_of(self._parts(self.enclosing))

    def _parts(self, guids: Sequence[str]) -> list[Part]:
        return [(self.model.world(g), self.model.pool.triangles(g)) for g in guids]

    @cached_property
    def floor_level_m(self) -> float:
        """Absolute height of the ground floor: the lowest storey not under the model's zero."""
        levels = sorted(self.model.levels[g] for g in self.members if g in self.model.levels)
        ground = [z for z in levels if z > -0.5] or levels[-1:]
        return self.model.level(ground[0]) if ground else float("nan")

    @property
    def height_m(self) -> float:
        """Top of the storeys' walls above the ground floor."""
        return _top(self.model, self._storey_walls) - self.floor_level_m

    @property
    def ridge_m(self) -> float:
        """Highest point of the roof, else of everything, above the ground floor."""
        roof = [g for g in self.bodies if self.model.products[g].predefined == "ROOF"]
        return _top(self.model, roof or self.bodies) - self.floor_level_m

    @property
    def storeys(self) -> list[str]:
        """GlobalIds of the storeys, from below."""
        own = [g for g in self.members if self.model.products[g].kind == "storey"]
        return sorted(own, key=lambda g: self.model.levels.get(g, 0.0))

    @property
    def inhabited(self) -> int:
        """Storeys with rooms, or all but the roof's where there are no rooms."""
        wholes = {p.parent for p in self.model.products.values() if p.kind == "room"}
        return len([g for g in self.storeys if g in wholes]) or max(1, len(self.storeys) - 1)

    @cached_property
    def _storey_walls(self) -> list[str]:
        """Walls of storeys with rooms: a dormer's wall is not the building's height."""
        products = self.model.products
        wholes = {p.parent for p in products.values() if p.kind == "room"}
        return [g for g in self.walls if products[g].parent in wholes] or self.walls


def group_products(model: Model) -> list[Group]:
    """Return the products by building; those of no building come last."""
    groups: dict[str | None, Group] = {}
    for guid in model.products:
        owner = model.building_of(guid)
        groups.setdefault(owner, Group(model, owner)).members.append(guid)
    loose = groups.pop(None, None)
    if loose is not None and any(model.products[g].kind != "generic" for g in loose.members):
        return [*groups.values(), loose]
    return list(groups.values())


def tables(model: Model, groups: Sequence[Group]) -> list[FeatureTable]:
    """Return one table per layer; every product is a row of exactly one."""
    owners = {g.building: g for g in groups if g.building is not None}
    wholes = {
        guid: owners[guid].joined.id if guid in owners and owners[guid].joined else id_  # type: ignore[union-attr]
        for guid, id_ in model.ids.items()
    }
    order = {guid: i for g in groups for i, guid in enumerate(g.storeys)}
    rows: dict[str, list[dict[str, Any]]] = {}
    for guid, product in model.products.items():
        record = _common(model, product, wholes)
        if product.kind == "building":
            _building(record, owners[guid])
        elif product.kind == "storey":
            level = product.elevation_m
            level = model.levels.get(guid) if level is None else level
            record |= {"elevation_m": _known(level), "index": order.get(guid)}
        elif product.kind == "room":
            record |= _room(model, product)
        elif guid in model.pool.placed:
            record["geometry"] = hull(model.world(guid)[:, :2])
        record |= network_row(model, product)
        rows.setdefault(record.pop("kind"), []).append(record)
    _place_storeys(rows)
    return [_table(name, model.name, records) for name, records in rows.items()]


def _common(model: Model, product: Product, wholes: Mapping[str, str]) -> dict[str, Any]:
    guid = product.guid
    record: dict[str, Any] = {
        "kind": product.kind, "id": model.ids[guid], "geometry": None, "code": product.code,
        "parent": wholes.get(product.parent or ""), "name": product.name,
        "source": model.source, "source_id": guid, "illustrative": model.illustrative,
        "ifc_class": product.ifc_class, "number": product.number, "material": product.material,
        "description": product.description, "outcome": model.outcome[guid],
        "properties": json.dumps(
            product.properties, ensure_ascii=False, sort_keys=True, default=str
        ) if product.properties else None,
    }  # fmt: skip
    if guid in model.pool.placed:
        z = model.world(guid)[:, 2]
        record |= {"bottom_m": _known(float(z.min())), "top_m": _known(float(z.max()))}
    return record


def _building(record: dict[str, Any], group: Group) -> None:
    """Complete a building's row; one that stands on a building of the city is its part."""
    product = group.model.products[record["source_id"]]
    record["geometry"] = group.footprint
    body, roof = group.body, group.roof_outline
    record |= {
        "footprint_m2": _area(group.footprint), "roof_outline_m2": _area(roof),
        "volume_m3": _known(body.shell.volume_m3) if body.shell and body.sound else None,
        "shell_flags": " ".join(body.flags) or None,
        "height_m": _known(group.height_m), "base_m": _known(group.floor_level_m),
        "storeys_above": group.inhabited,
    }  # fmt: skip
    if group.joined is not None:
        record |= {"kind": "building_part", "parent": group.joined.id}
        record["id"] = "bpt" + record["id"][3:]
        return
    year = str(product.property("YearOfConstruction") or "")[:4]
    record |= {
        "ridge_m": _known(group.ridge_m), "floor_level_m": _known(group.floor_level_m),
        "year": int(year) if year.isdigit() else None, "use": product.property("OccupancyType"),
        "floor_area_m2": product.quantity("GrossFloorArea"),
    }  # fmt: skip


def room_plan(model: Model, guid: str) -> Any:
    """Return the outline of a room in the frame; None without a body."""
    if guid not in model.pool.placed:
        return None
    vertices, triangles = model.world(guid), model.pool.triangles(guid)
    return outline([(vertices, triangles)]) or hull(vertices[:, :2])


def _room(model: Model, product: Product) -> dict[str, Any]:
    shape = room_plan(model, product.guid)
    use = product.property("OccupancyType") or product.object_type or product.predefined
    size = room_size(model, product.guid, shape)
    return {
        "geometry": shape, "use": use, "floor_area_m2": _known(size.area_m2),
        "volume_m3": _known(size.volume_m3),
    }  # fmt: skip


def _place_storeys(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Give every storey the outline of its rooms."""
    import shapely

    for storey in rows.get("storey", ()):
        rooms = [r["geometry"] for r in rows.get("room", ()) if r["parent"] == storey["id"]]
        rooms = [shape for shape in rooms if shape is not None]
        if rooms:
            storey["geometry"] = shapely.union_all(rooms)


def _table(kind_name: str, own_name: str, records: list[dict[str, Any]]) -> FeatureTable:
    declared = {f.name: f for f in (*COMMON, *kind(kind_name).fields)}
    own = (*_OWN, *_OF_BUILDINGS) if kind_name in ("building", "building_part") else _OWN
    fields = list({**{f.name: f for f in own}, **declared}.values())
    fields.sort(key=lambda f: f.name not in declared)
    geometry = np.empty(len(records), dtype=object)
    geometry[:] = [record["geometry"] for record in records]
    return FeatureTable(
        layer=f"{kind_name}/{own_name}" if own_name else kind_name,
        ids=np.array([record["id"] for record in records], dtype=object),
        geometry=geometry,
        columns={f.name: as_column([r.get(f.name) for r in records], f.type) for f in fields},
        fields=tuple(fields),
    )


def _top(model: Model, guids: Sequence[str]) -> float:
    return max((float(model.world(g)[:, 2].max()) for g in guids), default=float("nan"))


def _area(shape: Any) -> float | None:
    return None if shape is None else _known(float(shape.area))


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(value, 3)
