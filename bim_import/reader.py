"""IFC -> city objects: storeys, rooms, elements with their meshes, on the building they belong to.

The entry point ``cim.readers: ifc``. The file is read and meshed by processes of their
own (see `meshing`); every product comes out with one outcome, and what is not exact is
listed with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bim_import._evidence import evidence_from
from bim_import.facade import facade_mesh
from bim_import.features import Group, Model, group_products, room_plan, tables
from bim_import.forms import coarse_forms
from bim_import.framing import choose_place, datum_of, to_frame
from bim_import.instancing import Pool, place_products
from bim_import.joining import distance_m, find_building, on_water
from bim_import.meshing import Budget, Meshed, read_and_mesh, read_said
from bim_import.networks import Networks, networks_of, with_networks
from bim_import.quantities import room_size
from bim_import.semantics import Product, products_of
from cim.crs import Box, Frame
from cim.errors import FrameError, SourceError, UnitError
from cim.jobs import QUIET, Job
from cim.model.ids import own_ids
from cim.model.mesh import Instance, Material, Mesh, MeshPool, mesh_id
from cim.model.table import FeatureTable
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

__all__ = ["Look", "local_footprint", "local_groups", "probe", "read"]

_BY_OUTCOME = {
    "fallback": "bim.geometry_uncut",
    "box": "bim.geometry_box",
    "missing": "bim.geometry_missing",
}
_FAR_M = 500.0
_WET = 0.05
_OPTIONS = {"at", "height_offset_m", "shells", "stall_s", "product_s", "trouble_s", "total_s",
            "guess"}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What a first look at a file says of its place, for choosing a frame.

    Attributes
    ----------
    crs, height_datum
        Projected system and height datum.
    bounds
        Rough box in `crs`.
    """

    crs: str
    height_datum: str
    bounds: Box


def probe(spec: LayerSpec) -> Look | None:
    """Look where a file stands, without meshing it; None where it needs a frame to say so.

    Raises
    ------
    FrameError
        The file has no usable position.
    """
    if "at" in spec.options and spec.crs is None:
        return None
    evidence = read_said(spec.file, job=QUIET)["evidence"]
    place = choose_place(evidence, spec, frame=None)
    centre = evidence_from(evidence).centre
    x, y = (place.matrix @ np.array([*centre, 1.0]))[:2]
    crs, height = datum_of(place, spec)
    return Look(crs, height, (float(x) - 50, float(y) - 50, float(x) + 50, float(y) + 50))


def read(
    spec: LayerSpec,
    *,
    frame: Frame,
    report: Report,
    near: Mapping[str, FeatureTable],
    job: Job,
) -> Loaded:
    """Read an IFC file into layers of the twin's frame.

    Parameters
    ----------
    spec
        The file. Options: ``at = [east, north, height, turn_deg]`` places a model that
        does not say where it stands (counter-clockwise, in ``crs`` or else the frame);
        ``height_offset_m`` as in `cim.crs.transform_heights`; ``stall_s``, ``product_s``,
        ``trouble_s``, ``total_s`` bound the meshing (see `Budget`); ``shells = false``
        makes no closed shells (LoD2).
    frame
        The twin's frame.
    report
        Gets a line per product without its mesh, and notes on every choice.
    near
        Layers read before: a building among them that the model stands on becomes its
        whole.
    job
        Progress and cancel.

    Raises
    ------
    MissingError
        A library of the extra ``bim`` is not installed.
    SourceError
        The file is not IFC, is cut short or holds no product.
    FrameError
        Its place cannot be told, or not be brought into the frame.
    """
    log = _Log(report, spec)
    meshed = read_and_mesh(
        spec.file, job=job, budget=_budget(spec.options),
        check=lambda said: _check(said, spec, frame),
    )  # fmt: skip
    log.opening(meshed.said)
    products = _products(meshed.said, spec, log)
    log.networks(networks_of(meshed.said, products), products)
    pool = place_products(meshed, products)
    centre = _centre(pool)
    evidence = meshed.said["evidence"]
    place = choose_place(evidence, spec, frame=frame, centre=centre)
    log.note(place.rule, {**place.values, "level": place.level})
    matrix = to_frame(place, spec, frame, centre or evidence_from(evidence).centre)
    model = _model(spec, products, meshed, pool, matrix, job=job)
    groups = group_products(model)
    for group in groups:
        _join(group, near, log)
        _tell_place(group, near, log)
        _tell_forms(group, log)
    log.outcomes(model, meshed)
    log.rooms(model)
    return Loaded(tables=tables(model, groups), meshes=_pool(model, groups))


def local_footprint(spec: LayerSpec, *, job: Job) -> tuple[Any, float]:
    """Return the footprint of a file's largest building and its ground floor, model metres.

    Raises as `read`; also `FrameError` where the file has no building with walls.
    """
    meshed = read_and_mesh(spec.file, job=job, budget=_budget(spec.options))
    shapes = [g for g in local_groups(meshed, spec, job=job) if g.footprint is not None]
    if not shapes:
        raise FrameError("bim.footprint_own", given=spec.file.name)
    best = max(shapes, key=lambda g: g.footprint.area)
    floor = best.floor_level_m
    return best.footprint, 0.0 if np.isnan(floor) else floor


def local_groups(meshed: Meshed, spec: LayerSpec, *, job: Job) -> list[Group]:
    """Return the products of a file by building, in model metres."""
    products = {p.guid: p for p in reversed(products_of(meshed.said["columns"]))}
    products = with_networks(products, networks_of(meshed.said, products))
    pool = place_products(meshed, products)
    return group_products(_model(spec, products, meshed, pool, np.eye(4), job=job))


def _check(said: Mapping[str, Any], spec: LayerSpec, frame: Frame) -> None:
    """Refuse a file that cannot be used before the long work."""
    if not said["columns"]["products"]["step_id"]:
        raise SourceError("bim.no_products", given=spec.file.name)
    if said["units"]["length_m"] is None:
        raise UnitError("bim.no_unit", given=spec.file.name)
    choose_place(said["evidence"], spec, frame=frame)


def _products(said: Mapping[str, Any], spec: LayerSpec, log: _Log) -> dict[str, Product]:
    """Return the products by GlobalId; a second one of the same GlobalId is rejected."""
    products: dict[str, Product] = {}
    for product in products_of(said["columns"]):
        if product.guid in products:
            log.duplicate(product)
        else:
            products[product.guid] = product
    return with_networks(products, networks_of(said, products))


def _model(
    spec: LayerSpec,
    products: dict[str, Product],
    meshed: Meshed,
    pool: Pool,
    matrix: Any,
    *,
    job: Job,
) -> Model:
    ids = {g: own_ids(p.kind, spec.source_key, [g])[0] for g, p in products.items()}
    levels = meshed.said["levels"]
    return Model(
        products=products, ids=ids, pool=pool, matrix=matrix,
        outcome={g: meshed.outcome[p.step_id] for g, p in products.items()},
        levels={g: levels[str(p.step_id)] for g, p in products.items()
                if str(p.step_id) in levels},
        source=spec.source_key, name=spec.name,
        illustrative=spec.illustrative or bool(meshed.said["illustrative"]),
        shells=bool(spec.options.get("shells", True)), holes=meshed.holes,
        unit_m=meshed.said["units"]["length_m"] or 1.0,
        networks=networks_of(meshed.said, products),
        filled=frozenset(opening for opening, _ in meshed.said["columns"]["fills"]
                         if isinstance(opening, int)),
        job=job,
    )  # fmt: skip


def _join(group: Group, near: Mapping[str, FeatureTable], log: _Log) -> None:
    """Find the building under a group and say how far the two disagree."""
    if group.building is None:
        log.note("bim.no_building", {"count": len(group.members)})
        return
    if group.footprint is None:
        return
    match = find_building(group.footprint, near, source=group.model.source)
    if match is None:
        if near:
            log.note("bim.stands_alone", {"name": group.title})
        return
    group.joined = match
    log.note("bim.joined", {
        "name": group.title, "id": match.id, "source_id": match.source_id,
        "overlap": f"{100 * match.overlap:.0f}", "area": f"{group.footprint.area:.1f}",
        "other_area": f"{match.area_m2:.1f}", "height": _metres(group.height_m),
        "other_height": _metres(match.height_m), "floor": _metres(group.floor_level_m),
        "other_floor": _metres(match.floor_level_m),
    })  # fmt: skip


def _tell_place(group: Group, near: Mapping[str, FeatureTable], log: _Log) -> None:
    """Warn of a model far from the city or on its water."""
    if group.footprint is None:
        return
    away = distance_m(group.footprint, near)
    if away > _FAR_M:
        log.note("bim.far_from_city", {"name": group.title, "distance": f"{away / 1000:.1f}"})
    water, share = on_water(group.footprint, near)
    if share > _WET:
        values = {"name": group.title, "share": f"{100 * share:.0f}", "water": water}
        log.note("bim.on_water", values)


def _tell_forms(group: Group, log: _Log) -> None:
    """Say what a building's forms are made of, and what speaks against its shell."""
    body = group.body
    if group.building is None or not group.enclosing:
        return
    if not group.model.shells:
        log.note("bim.shell_not_asked", {"name": group.title})
    if body.shell is not None:
        log.note("bim.shell", {
            "name": group.title, "volume": f"{body.shell.volume_m3:.1f}",
            "enclosed": f"{body.shell.enclosed_m3:.1f}", "cell": f"{body.shell.cell_m:.2f}",
            "flags": " ".join(body.flags) or "-",
        })  # fmt: skip
    for flag in body.flags:
        log.note(f"bim.shell_{flag}", {"name": group.title})
    if body.footprint is not None:
        roof = group.roof_outline
        log.note("bim.outlines_by_shell" if body.by_shell else "bim.outlines", {
            "name": group.title, "footprint": f"{body.footprint.area:.1f}",
            "roof": "-" if roof is None else f"{roof.area:.1f}",
            "height": _metres(group.height_m),
        })  # fmt: skip


def _pool(model: Model, groups: list[Group]) -> MeshPool:
    """Return meshes and instances: each product its own, and each building its forms."""
    meshes = dict(model.pool.meshes)
    instances = [
        Instance(
            object_id=model.ids[guid], mesh_id=one.mesh_id, matrix=model.matrix @ one.matrix,
            lod="4", cim_level=5 if model.products[guid].kind == "room" else 6,
        )
        for guid, one in model.pool.placed.items()
    ]  # fmt: skip
    for group in groups:
        if group.building is None:
            continue
        owner = group.joined.id if group.joined else model.ids[group.building]
        instances += _facade(owner, group, meshes, model.pool.materials)
        floor = group.floor_level_m
        instances += coarse_forms(
            owner, group.body, group.roof_outline, floor_m=floor, eaves_m=floor + group.height_m,
            meshes=meshes,
        )  # fmt: skip
    return MeshPool(meshes, tuple(model.pool.materials), tuple(instances))


def _facade(
    owner: str, group: Group, meshes: dict[str, Mesh], materials: Sequence[Material]
) -> Iterator[Instance]:
    """Yield what looks outside of a building's elements; new meshes go into `meshes`."""
    model = group.model
    for guid in group.outside:
        placed, product = model.pool.placed[guid], model.products[guid]
        key = placed.mesh_id
        if guid in group.seen:
            mesh = facade_mesh(
                product, model.products.get(product.parent or ""), model.pool.meshes[key],
                group.corners(guid), group.seen[guid], foot_m=group.floor_level_m,
            )  # fmt: skip
            if mesh is not model.pool.meshes[key]:
                if not len(mesh.triangles):
                    continue
                key = mesh_id(mesh, materials)
                meshes.setdefault(key, mesh)
        yield Instance(owner, key, model.matrix @ placed.matrix, lod="3", cim_level=4)


def _centre(pool: Pool) -> tuple[float, float, float] | None:
    """Return the middle of all geometry in model metres; None without any."""
    if not pool.placed:
        return None
    boxes = [pool.vertices(guid) for guid in pool.placed]
    low = np.min([b.min(axis=0) for b in boxes], axis=0)
    high = np.max([b.max(axis=0) for b in boxes], axis=0)
    x, y, z = ((low + high) / 2).tolist()
    return x, y, z


def _budget(options: Mapping[str, Any]) -> Budget:
    chosen = Budget()
    return Budget(
        stall_s=float(options.get("stall_s", chosen.stall_s)),
        product_s=float(options.get("product_s", chosen.product_s)),
        trouble_s=float(options.get("trouble_s", chosen.trouble_s)),
        total_s=float(options.get("total_s", chosen.total_s)),
    )


def _metres(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


@dataclass(frozen=True)
class _Log:
    """Writes the report of one file."""

    report: Report
    spec: LayerSpec

    @property
    def layer(self) -> str:
        """Return the name under which the file's products are counted."""
        return self.spec.name or self.spec.kind or "bim"

    def note(self, key: str, values: Mapping[str, Any]) -> None:
        """Say something about the file."""
        self.report.note(key, file=self.spec.file.name, layer=self.layer, values=values)

    def opening(self, said: Mapping[str, Any]) -> None:
        if said["schema"] != said["declared"]:
            self.note("bim.patched", {"declared": said["declared"], "schema": said["schema"]})
        if said["damaged"]:
            self.note("bim.damaged", {"count": said["damaged"]})
        unused = sorted(set(self.spec.options) - _OPTIONS)
        if unused:
            self.note("bim.option_unused", {"options": ", ".join(unused)})

    def duplicate(self, product: Product) -> None:
        """Reject a second product of one GlobalId."""
        count = self.report.layer(self.layer)
        count.read += 1
        count.rejected += 1
        self.report.reject(
            "bim.duplicate", file=self.spec.file.name, layer=self.layer,
            object=f"#{product.step_id}", values={"id": product.guid},
        )  # fmt: skip

    def networks(self, nets: Networks, products: Mapping[str, Product]) -> None:
        """Count what the file says of networks, and name the lines that could not be read."""
        kinds = Counter(products[g].kind for g in nets.lines.keys() | nets.points.keys())
        pipes = kinds["pipe"]
        counts = {
            "systems": len({name for name, _ in nets.system.values()}), "members": len(nets.system),
            "ports": nets.ports, "links": nets.links, "pipes": pipes,
            "nodes": kinds["pipe_node"],
            "alignments": sum(products[g].ifc_class == "IfcAlignment" for g in nets.lines),
        }  # fmt: skip
        if any(counts.values()):
            self.note("bim.networks", counts)
        for guid, why in nets.untold.items():
            values = {"class": products[guid].ifc_class, "name": products[guid].name or "-"}
            self.note("bim.line_untold", {**values, "why": why})

    def rooms(self, model: Model) -> None:
        """Say whose sizes are measured, and whose were stated in another unit."""
        rooms = [g for g in model.pool.placed if model.products[g].kind == "room"]
        sizes = [room_size(model, guid, room_plan(model, guid)) for guid in rooms]
        for key, count in (
            ("bim.rooms_measured", sum(s.measured for s in sizes)),
            ("bim.rooms_unit", sum(s.slipped for s in sizes)),
        ):
            if count:
                self.note(key, {"count": count, "of": len(sizes)})

    def outcomes(self, model: Model, meshed: Meshed) -> None:
        """Count every product and list those without the mesh they should have."""
        count = self.report.layer(self.layer)
        count.read += len(model.products)
        count.kept += len(model.products)
        for guid, product in model.products.items():
            outcome = model.outcome[guid]
            if outcome in ("exact", "none_by_design"):
                continue
            count.repaired += 1
            self.report.repair(
                _BY_OUTCOME[outcome], file=self.spec.file.name, layer=self.layer, object=guid,
                values={"class": product.ifc_class, "name": product.name or "-",
                        "why": meshed.why.get(product.step_id, "-")},
            )  # fmt: skip
        pool = model.pool
        triangles = sum(len(pool.meshes[p.mesh_id].triangles) for p in pool.placed.values())
        self.note("bim.outcomes", {
            **dict.fromkeys((*_BY_OUTCOME, "exact", "none_by_design"), 0),
            **Counter(model.outcome.values()), "products": len(model.products),
            "meshes": len(pool.meshes), "triangles": triangles,
        })  # fmt: skip
