"""A twin's objects as CityJSON 2.0, in one file or as a sequence of features.

What came in as CityJSON or CityGML goes out with its polygons, meaning, look, parts and
unknown members; what has only a footprint goes out as a block of its height. The file is
written object by object: only the vertices are held.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import split_crs
from cim.errors import FrameError, RequestError, StoreError
from cim.export.cityjson_forms import fitting
from cim.export.cityjson_objects import Described, describe, shapes_of
from cim.export.cityjson_parts import SCALE_M, Parts
from cim.export.outcome import Exported, left_out
from cim.export.vector import chosen, must_be_new, parent_of
from cim.jobs import QUIET, Job
from cim.model.body import Body, BodyPool
from cim.model.table import FeatureTable
from cim.model.twin import TwinView

__all__ = ["to_cityjson", "to_cityjsonseq"]

_METADATA = ("identifier", "pointOfContact", "referenceDate", "title")
_HEADED = frozenset(["metadata", "version", "extensions", "appearance"])


def to_cityjson(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> Exported:
    """Write objects as one CityJSON 2.0 file.

    Images of textures that the twin keeps go into a folder beside it, ``NAME_images``.

    Parameters
    ----------
    view
        The twin.
    out
        File to make; it must not exist.
    layers
        Which layers; all where None.
    job
        Progress and cancel.

    Raises
    ------
    RequestError
        `out` exists, no such layer, or nothing to write.
    StoreError
        The file cannot be written.
    """
    return _write(view, out, layers, job, sequence=False)


def to_cityjsonseq(
    view: TwinView, out: Path, *, layers: Sequence[str] | None = None, job: Job = QUIET
) -> Exported:
    """Write objects as a CityJSONSeq file: a line for each with its parts; see `to_cityjson`."""
    return _write(view, out, layers, job, sequence=True)


@dataclass
class _Plan:
    """What is written: rows by id, names outside, families, and the pools."""

    tables: dict[str, FeatureTable]
    rows: dict[str, tuple[str, int]]
    names: dict[str, str]
    parent: dict[str, str]
    children: dict[str, list[str]]
    pool: BodyPool
    bodies: dict[str, list[Body]]


def _write(
    view: TwinView, out: Path, layers: Sequence[str] | None, job: Job, *, sequence: bool
) -> Exported:
    names = chosen(view, layers)
    must_be_new(out)
    plan = _plan(view, names)
    if not plan.rows:
        raise RequestError("export.nothing", given=view.name)
    done = left_out(view, {name: len(plan.tables[name]) for name in names})
    for key in ("export.left.meshes", "export.left.bodies"):
        done.left_out.pop((key, ()), None)
    translate = _translate(view, plan)
    with tempfile.TemporaryDirectory(dir=parent_of(out), prefix=".cim-export-") as folder:
        staged = Path(folder, "out.json")
        try:
            with staged.open("w", encoding="utf-8", newline="\n") as file:
                paths = _image_paths(plan.pool, out)
                head = _head(view, plan, translate, done)
                writer = _Writer(view, plan, translate, paths, done, job)
                if sequence:
                    writer.lines(file, head)
                else:
                    writer.whole(file, head)
            _write_images(plan.pool, paths, out, Path(folder))
            staged.replace(out)
        except OSError as error:
            why = error.strerror or str(error)
            raise StoreError("export.cannot_write", given=out.name, values={"why": why}) from error
    return done


def _plan(view: TwinView, names: Sequence[str]) -> _Plan:
    tables = {name: view.table(name) for name in names}
    rows = {str(id_): (name, i) for name, t in tables.items() for i, id_ in enumerate(t.ids)}
    pool = view.bodies()
    bodies: dict[str, list[Body]] = defaultdict(list)
    for body in pool.bodies:
        bodies[body.object_id].append(body)
    outside: dict[str, str] = {}
    used: set[str] = set()
    for id_, (name, i) in rows.items():
        own = tables[name].columns["source_id"][i] if id_ in pool.records else None
        outside[id_] = str(own) if own is not None and own not in used else id_
        used.add(outside[id_])
    parent, children = {}, defaultdict(list)
    for id_, (name, i) in rows.items():
        above = tables[name].columns["parent"][i]
        if above is not None and above in rows and above != id_:
            parent[id_] = str(above)
            children[str(above)].append(id_)
    return _Plan(tables, rows, outside, parent, dict(children), pool, bodies)


def _translate(view: TwinView, plan: _Plan) -> NDArray[np.float64]:
    low = [b.vertices[:, 2].min() for bodies in plan.bodies.values() for b in bodies
           if len(b.vertices)]  # fmt: skip
    return np.array([*view.frame.origin, np.floor(min(low, default=0.0))])


def _head(
    view: TwinView, plan: _Plan, translate: NDArray[np.float64], done: Exported
) -> dict[str, Any]:
    """Return the members of the file that are not objects and pools."""
    metadata: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    own: dict[str, Any] = {}
    appearance: dict[str, Any] = {}
    single = len(plan.pool.documents) == 1
    for document in plan.pool.documents.values():
        extensions.update(_object(document.get("extensions")))
        appearance.update(_object(document.get("appearance")))
        given = _object(document.get("metadata"))
        kept = [k for k in _METADATA if single and k in given]
        metadata.update({k: given[k] for k in kept})
        lost = [k for k in given
                if k not in (*kept, "referenceSystem", "geographicalExtent", "crs")]  # fmt: skip
        if lost:
            done.leave("export.left.metadata", len(lost), {"names": ", ".join(lost)})
        for key, value in document.items():
            if key in _HEADED:
                continue
            if key in own and own[key] != value:
                done.leave("export.left.member", 1, {"name": key})
            own.setdefault(key, value)
    reference = _reference(view, plan, done)
    if reference is not None:
        metadata["referenceSystem"] = reference
    metadata.setdefault("title", view.name)
    head = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [SCALE_M] * 3, "translate": [float(v) for v in translate]},
        "metadata": metadata,
    }
    if extensions:
        head["extensions"] = extensions
    return {**head, **own, "+cim-appearance": appearance}


def _reference(view: TwinView, plan: _Plan, done: Exported) -> str | None:
    """Return the system as CityJSON names it: as a source did where that is still meant."""
    frame = view.frame
    for document in plan.pool.documents.values():
        given = _object(document.get("metadata")).get("referenceSystem")
        try:
            crs, height = split_crs(str(given)) if given else ("", None)
        except FrameError:
            continue
        url = str(given).startswith("https://www.opengis.net/def/crs/")
        if url and crs == frame.crs and height in (None, frame.height_datum):
            if height is None:
                done.leave("export.left.height_datum", 1, {"name": frame.height_datum})
            return str(given)
    done.leave("export.left.height_datum", 1, {"name": frame.height_datum})
    authority, _, code = frame.crs.partition(":")
    if not code.isdigit():
        done.leave("export.left.crs")
        return None
    return f"https://www.opengis.net/def/crs/{authority}/0/{code}"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


class _Writer:
    """Writes objects, holding only the vertices and looks of what is being written."""

    def __init__(
        self,
        view: TwinView,
        plan: _Plan,
        translate: NDArray[np.float64],
        paths: dict[str, str],
        done: Exported,
        job: Job,
    ) -> None:
        self.view, self.plan, self.translate = view, plan, translate
        self.paths, self.done, self.job = paths, done, job
        self.meshes = shapes_of(view.meshes(), plan.rows)
        self.known = set(plan.names.values())

    def whole(self, file: IO[str], head: dict[str, Any]) -> None:
        """Write one CityJSON object."""
        defaults = head.pop("+cim-appearance")
        parts = Parts(self.translate, self.plan.pool)
        templates = self._templates(parts)
        file.write(_text(head)[:-1] + ',"CityObjects":{')
        for number, id_ in enumerate(self.plan.rows):
            self.job.step(number, len(self.plan.rows), what="export.writing")
            name, record = self._object(id_, parts)
            file.write(("," if number else "") + _text(name) + ":" + _text(record))
        file.write('},"vertices":[')
        for number, vertex in enumerate(parts.listed()):
            file.write(("," if number else "") + _text(vertex))
        file.write("]")
        appearance = parts.appearance(self.paths)
        if appearance is not None:
            file.write(',"appearance":' + _text({**appearance, **_defaults(defaults, appearance)}))
        if templates is not None:
            file.write(',"geometry-templates":' + _text(templates))
        file.write("}\n")

    def lines(self, file: IO[str], head: dict[str, Any]) -> None:
        """Write a header and a line for each object that is part of no other."""
        defaults = head.pop("+cim-appearance")
        shared = Parts(self.translate, self.plan.pool)
        templates = self._templates(shared)
        looks = shared.appearance(self.paths)
        first = {**head, "CityObjects": {}, "vertices": []}
        if looks is not None:
            first["appearance"] = looks
        if templates is not None:
            first["geometry-templates"] = templates
        file.write(_text(first) + "\n")
        tops = [id_ for id_ in self.plan.rows if id_ not in self.plan.parent]
        for number, id_ in enumerate(tops):
            self.job.step(number, len(tops), what="export.writing")
            parts = Parts(self.translate, self.plan.pool)
            objects = dict(self._object(one, parts) for one in self._family(id_))
            feature: dict[str, Any] = {
                "type": "CityJSONFeature",
                "id": self.plan.names[id_],
                "CityObjects": objects,
                "vertices": list(parts.listed()),
            }
            appearance = parts.appearance(self.paths)
            if appearance is not None:
                feature["appearance"] = {**appearance, **_defaults(defaults, appearance)}
            file.write(_text(feature) + "\n")

    def _family(self, id_: str) -> Iterator[str]:
        yield id_
        for child in self.plan.children.get(id_, ()):
            yield from self._family(child)

    def _templates(self, parts: Parts) -> dict[str, Any] | None:
        """Return the templates, with the numbers bodies know them by."""
        if not self.plan.pool.templates:
            return None
        vertices: list[list[float]] = []
        out = []
        for body in self.plan.pool.templates:
            numbers = [len(vertices) + i for i in range(len(body.vertices))]
            vertices += [[round(v, 9) for v in row] for row in body.vertices.tolist()]
            out.append(parts.shape(body, numbers))
        return {"templates": out, "vertices-templates": vertices}

    def _object(self, id_: str, parts: Parts) -> tuple[str, dict[str, Any]]:
        plan = self.plan
        layer, i = plan.rows[id_]
        found: Described = describe(
            plan.tables[layer],
            i,
            record=plan.pool.records.get(id_),
            bodies=plan.bodies.get(id_, ()),
            meshes=self.meshes.get(id_, ()),
            has_parent=id_ in plan.parent,
            done=self.done,
        )
        out: dict[str, Any] = {"type": found.type, **found.members}
        if found.attributes:
            out["attributes"] = found.attributes
        if id_ in plan.parent:
            own = out.get("parents", [])
            first = plan.names[plan.parent[id_]]
            out["parents"] = [first, *(p for p in own if p != first and p in self.known)]
        else:
            out.pop("parents", None)
        children = [plan.names[c] for c in plan.children.get(id_, ())]
        known_children = [c for c in out.get("children", ()) if c in self.known]
        both = list(dict.fromkeys([*children, *known_children]))
        if both:
            out["children"] = both
        else:
            out.pop("children", None)
        bodies = (fitting(body, found.type, self.done) for body in found.bodies)
        geometry = [parts.geometry(body) for body in bodies if body is not None]
        if geometry:
            out["geometry"] = geometry
        return plan.names[id_], out


def _defaults(given: Mapping[str, Any], appearance: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"default-theme-material": "materials", "default-theme-texture": "textures"}
    return {k: v for k, v in given.items() if wanted.get(k, "") in appearance or k not in wanted}


def _image_paths(pool: BodyPool, out: Path) -> dict[str, str]:
    """Return where the image of each key goes, relative to the file."""
    folder = f"{out.name.partition('.')[0]}_images"
    paths: dict[str, str] = {}
    for record in pool.textures:
        key = str(record.get("+cim-image"))
        if key in pool.images:
            digest = hashlib.blake2b(pool.images[key], digest_size=8).hexdigest()
            ending = Path(str(record.get("image", ""))).suffix.lower()
            paths[key] = f"{folder}/{digest}{ending}"
    return paths


def _write_images(pool: BodyPool, paths: Mapping[str, str], out: Path, staging: Path) -> None:
    if not paths:
        return
    target = out.parent / next(iter(paths.values())).partition("/")[0]
    must_be_new(target)
    folder = staging / "images"
    folder.mkdir()
    for key, path in paths.items():
        (folder / Path(path).name).write_bytes(pool.images[key])
    shutil.move(str(folder), str(target))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
