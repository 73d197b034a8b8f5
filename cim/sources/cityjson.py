"""CityJSON 1.0, 1.1, 2.0 and CityJSONSeq: objects read one by one, each alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame
from cim.errors import SourceError
from cim.jobs import Job
from cim.model.body import Body
from cim.model.table import FeatureTable
from cim.sources.assembling import assemble
from cim.sources.boundaries import LEVELS, Lookup, Unusable, body_of, lod_text
from cim.sources.cityjson_text import BAD, Text, lines, open_text, parse_value, triples
from cim.sources.model_place import checked_box, into_frame, read_images, turned
from cim.sources.objects import RawModel, RawObject, layer_of
from cim.sources.place import Place, place_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

__all__ = ["VERSIONS", "look", "read"]

Floats = NDArray[np.float64]
VERSIONS = ("1.0", "1.1", "2.0")
_ROOT = frozenset(
    ["type", "version", "transform", "CityObjects", "vertices", "appearance",
     "geometry-templates", "id"]
)  # fmt: skip
_OBJECT = frozenset(["type", "attributes", "geometry", "parents", "children"])
_LOOKED_AT = 2000  # features of a sequence that a first look reads


def look(spec: LayerSpec, *, report: Report) -> tuple[Place, Box]:
    """Return the place of a file and the box of its middle, without reading its objects.

    Raises
    ------
    SourceError
        Not CityJSON, an unknown version, or nothing to place.
    FrameError
        Nobody says what it is in, or the numbers contradict it.
    """
    file = _File(spec)
    place = file.place(report)
    return place, checked_box(file.some_vertices(), place, spec.file.name)


def read(
    spec: LayerSpec,
    *,
    frame: Frame,
    report: Report,
    near: Mapping[str, FeatureTable],
    job: Job,
) -> Loaded:
    """Read a file into layers of the twin's frame; see `cim.sources.spec.Reader`.

    An object that cannot be read is rejected by name; the others are kept. Members that
    CityJSON does not know are kept with their object or file and go out again.

    Raises
    ------
    SourceError
        Not CityJSON, an unknown version, or broken before its objects can be told apart.
    FrameError
        As `look`; or the heights' datum is unknown or has no way to the frame's.
    """
    file = _File(spec)
    place = file.place(Report())
    model = RawModel(document=file.document)
    model.theme = file.theme
    reading = _Reading(file, place, frame, model)
    reading.appearance(file.part("appearance"))
    reading.templates()
    for done, (feature, objects) in enumerate(file.features(model)):
        job.step(min(done, 9), 10, what="source.reading")
        reading.feature(feature, objects, job)
    reading.check_children()
    images, model.textures = read_images(model.textures, spec, report=report, layer=file.layer)
    file.notes(report)
    reading.notes(report)
    return assemble(model, spec, images=images, report=report, job=job)


@dataclass
class _Feature:
    """What objects of one file, or one line of a sequence, share."""

    vertices: Floats
    where: str = ""
    appearance: Any = None


class _File:
    """A file's members, found but not parsed."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self.name = spec.file.name
        self.sequence = spec.file.suffix.lower() == ".jsonl"
        if self.sequence:
            _, line = next(lines(spec.file), (0, b""))
            self.text = Text(np.frombuffer(line, dtype=np.uint8), self.name)
        else:
            self.text = open_text(spec.file)
        self.spans: dict[str, tuple[int, int]] = {}
        self.twice: list[str] = []
        for key, start, end in self.text.members():
            if key in self.spans:
                self.twice.append(key)
            else:
                self.spans[key] = (start, end)
        self._check()
        self.document = {
            key: value
            for key in self.spans
            if key not in _ROOT and (value := self.part(key)) is not BAD
        }
        self.lost = [k for k in self.spans if k not in _ROOT and k not in self.document]
        self.document["version"] = self.version
        self.scale, self.shift = self._transform()

    @property
    def layer(self) -> str:
        """Name under which things said of the whole file are listed."""
        return self.spec.name or self.spec.kind or "cityjson"

    def part(self, name: str) -> Any:
        """Return a member of the file parsed; None where it is not there."""
        if name not in self.spans:
            return None
        return self.text.value(*self.spans[name])

    def _check(self) -> None:
        if self.part("type") != "CityJSON":
            values = {"type": str(self.part("type"))[:60]}
            raise SourceError("source.not_cityjson", given=self.name, values=values)
        version = self.part("version")
        short = ".".join(str(version).split(".")[:2])
        if short not in VERSIONS:
            values = {"version": str(version)[:20], "known": ", ".join(VERSIONS)}
            raise SourceError("source.cityjson_version", given=self.name, values=values)
        self.version = short
        wanted = () if self.sequence else ("CityObjects", "vertices")
        for name in wanted:
            if name not in self.spans:
                values = {"member": name}
                raise SourceError("source.cityjson_lacks", given=self.name, values=values)

    def _transform(self) -> tuple[Floats, Floats]:
        given = self.part("transform")
        if given is None and (self.version == "1.0" and not self.sequence):
            return np.ones(3), np.zeros(3)
        good = isinstance(given, Mapping) and all(
            isinstance(given.get(k), list)
            and len(given[k]) == 3
            and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given[k])
            for k in ("scale", "translate")
        )
        if not good or not all(given["scale"]):
            raise SourceError("source.cityjson_transform", given=self.name)
        return np.array(given["scale"], dtype=float), np.array(given["translate"], dtype=float)

    @property
    def theme(self) -> tuple[str, str]:
        """Return the themes that are drawn."""
        part = self.part("appearance")
        found = part if isinstance(part, Mapping) else {}
        names = [found.get(f"default-theme-{what}") for what in ("material", "texture")]
        return str(names[0] or ""), str(names[1] or "")

    def place(self, report: Report) -> Place:
        """Return what the file is in."""
        metadata = self.part("metadata")
        own = None
        if isinstance(metadata, Mapping):
            own = metadata.get("referenceSystem")
            crs = metadata.get("crs")
            if own is None and isinstance(crs, Mapping) and "epsg" in crs:
                own = f"EPSG:{crs['epsg']}"
        own = str(own) if own is not None else None
        return place_of(self.spec, own, own is not None, report=report, layer=self.layer)

    def vertices(self, data: NDArray[np.uint8] | bytes) -> Floats:
        """Return real coordinates of the bytes of an array of vertices."""
        found = triples(np.frombuffer(data, dtype=np.uint8), 3)
        return found * self.scale + self.shift

    def some_vertices(self) -> Floats:
        """Return vertices enough to tell where the file lies."""
        if not self.sequence:
            start, end = self.spans["vertices"]
            return self.vertices(self.text.data[start:end])
        parts = [np.empty((0, 3))]
        for number, (_, line) in enumerate(lines(self.spec.file)):
            if number > _LOOKED_AT:
                break
            value = parse_value(line) if number else None
            if isinstance(value, Mapping):
                parts.append(_rows(value.get("vertices")) * self.scale + self.shift)
        return np.concatenate(parts)

    def features(self, model: RawModel) -> Iterator[tuple[_Feature, Iterator[tuple[str, Any]]]]:
        """Yield what objects share, and name and record of each object (`BAD` where broken)."""
        if not self.sequence:
            start, end = self.spans["vertices"]
            feature = _Feature(self.vertices(self.text.data[start:end]))
            at = self.spans["CityObjects"][0]
            found = self.text.members(at)
            yield feature, ((name, self.text.value(a, b)) for name, a, b in found)
            return
        for number, line in lines(self.spec.file):
            value = parse_value(line)
            if number == 1:
                continue
            good = isinstance(value, Mapping) and isinstance(value.get("CityObjects"), Mapping)
            if not good:
                values = {"line": number}
                model.rejected.append((f"#{number}", "generic", "source.model.line", values))
                continue
            vertices = _rows(value.get("vertices")) * self.scale + self.shift
            feature = _Feature(vertices, f"#{number}", value.get("appearance"))
            yield feature, iter(value["CityObjects"].items())

    def notes(self, report: Report) -> None:
        """Say what of the file is not kept or not usual."""
        for key, names in (("source.model.member_twice", self.twice),
                           ("source.model.member_broken", self.lost)):  # fmt: skip
            if names:
                values = {"names": ", ".join(names)}
                report.note(key, file=self.name, layer=self.layer, values=values)
        extensions = self.document.get("extensions")
        if isinstance(extensions, Mapping) and extensions:
            values = {"names": ", ".join(map(str, extensions))}
            report.note("source.model.extensions", file=self.name, layer=self.layer, values=values)
        own = [k for k in self.document if k not in ("metadata", "extensions", "version")]
        if own:
            values = {"names": ", ".join(own)}
            report.note(
                "source.model.members_kept", file=self.name, layer=self.layer, values=values
            )


class _Reading:
    """Turns records of objects into raw objects in the frame."""

    def __init__(self, file: _File, place: Place, frame: Frame, model: RawModel) -> None:
        self.file, self.place, self.frame, self.model = file, place, frame, model
        self.look = Lookup(np.empty((0, 3)))
        self.kept_members: Counter[str] = Counter()
        self.children: dict[str, list[str]] = {}

    def appearance(self, given: Any, *, local: bool = False) -> None:
        """Take the looks of the file, or of one line of a sequence."""
        if not isinstance(given, Mapping):
            if given is BAD:
                self.file.lost.append("appearance")
            return
        materials, textures = (_records(given.get(k)) for k in ("materials", "textures"))
        uv = given.get("vertices-texture")
        if not local and "appearance" in self.file.spans:
            self.file.document["appearance"] = {
                k: v
                for k, v in given.items()
                if k not in ("materials", "textures", "vertices-texture")
            }
            if not self.file.document["appearance"]:
                del self.file.document["appearance"]
        self.model.materials += materials
        self.model.textures += textures
        self.look.uv = _rows(uv, 2)
        self.look.materials, self.look.textures = len(materials), len(textures)

    def templates(self) -> None:
        """Take the geometry templates of the file."""
        given = self.file.part("geometry-templates")
        if not isinstance(given, Mapping):
            return
        look = Lookup(
            _rows(given.get("vertices-templates")),
            self.look.uv,
            self.look.materials,
            self.look.textures,
        )
        for one in _list(given.get("templates")):
            try:
                self.model.templates.append(body_of(one, look, object_id=""))
            except Unusable:
                self.model.templates.append(_nothing(one))
        self.look.templates = len(self.model.templates)

    def feature(self, feature: _Feature, objects: Iterator[tuple[str, Any]], job: Job) -> None:
        """Take the objects of one file, or of one line of a sequence."""
        base = (0, 0)
        if feature.appearance is not None:
            base = (len(self.model.materials), len(self.model.textures))
            self.appearance(feature.appearance, local=True)
        self.raw = feature.vertices
        self.look.vertices = into_frame(feature.vertices, self.place, self.frame, self.file.spec)
        for done, (name, record) in enumerate(objects):
            if done % 256 == 0:
                job.step(0, 1, what="source.reading")
            self._object(name, record, base)

    def check_children(self) -> None:
        """Say of objects which children they name that are not there."""
        known = {one.name for one in self.model.objects}
        known |= {name for name, *_ in self.model.rejected}  # said already
        for one in self.model.objects:
            lost = [name for name in self.children.get(one.name, []) if name not in known]
            if lost:
                values = {"count": len(lost), "child": lost[0]}
                one.faults.append(("source.model.child_missing", values))

    def _object(self, name: str, record: Any, base: tuple[int, int]) -> None:
        layer = "generic"
        if isinstance(record, Mapping) and isinstance(record.get("type"), str):
            layer = layer_of(record["type"])
        reject = self.model.rejected.append
        if not isinstance(record, Mapping):
            reject((name, layer, "source.model.object_broken", {}))
            return
        if not isinstance(record.get("type"), str):
            reject(
                (name, layer, "source.model.object_type", {"type": str(record.get("type"))[:40]})
            )
            return
        one = RawObject(name, record["type"], parents=_texts(record.get("parents")))
        attributes = record.get("attributes")
        if isinstance(attributes, Mapping):
            one.attributes = attributes
        elif attributes is not None:
            one.faults.append(("source.model.attributes_broken", {}))
        one.members = {k: v for k, v in record.items() if k not in _OBJECT}
        self.children[name] = _texts(record.get("children"))
        if record["type"] == "CityObjectGroup" and "children" in record:
            one.members = {**one.members, "children": record["children"]}
        if len(one.parents) > 1:
            one.members = {**one.members, "parents": list(one.parents)}
        self.kept_members.update(k for k in one.members if k.startswith("+"))
        given = _list(record.get("geometry"))
        for geometry in given:
            self._geometry(geometry, one, base)
        if given and not one.bodies:
            key, values = one.faults[-1]
            reject((name, layer, key, values))
            return
        self.model.objects.append(one)

    def _geometry(self, geometry: Any, one: RawObject, base: tuple[int, int]) -> None:
        try:
            if isinstance(geometry, Mapping) and geometry.get("type") == "GeometryInstance":
                body = self._instance(geometry)
            else:
                body = body_of(geometry, self.look, object_id="")
                for key, count in self.look.faults.items():
                    one.faults.append((key, {"count": count, "lod": body.lod or "-"}))
        except Unusable as error:
            key, values = error.args
            if self.look.faults and key == "source.model.geometry_empty":
                key, count = self.look.faults.most_common(1)[0]
                values = {"count": count, "lod": lod_text(geometry.get("lod")) or "-"}
            one.faults.append((key, values))
            return
        if any(base):
            from cim.model.body import shifted

            body = shifted(body, 0, *base)
        one.bodies.append(body)

    def _instance(self, geometry: Mapping[str, Any]) -> Body:
        number, where = geometry.get("template"), _list(geometry.get("boundaries"))
        good = type(number) is int and 0 <= number < self.look.templates
        at = where[0] if len(where) == 1 and type(where[0]) is int else -1
        if not good or not 0 <= at < len(self.raw):
            values = {"template": str(number)[:20]}
            raise Unusable("source.model.template_missing", values)
        assert isinstance(number, int)
        template = self.model.templates[number]
        matrix = _numbers(geometry.get("transformationMatrix"), 16)
        if not len(template.index) or matrix is None or not np.isfinite(self.raw[at]).all():
            raise Unusable("source.model.template_missing", {"template": number})
        none = np.zeros(1, dtype=np.int32)
        known = {"type", "template", "boundaries", "transformationMatrix", "lod"}
        return Body(
            object_id="",
            type=template.type,
            lod=template.lod,
            cim_level=LEVELS.get(template.lod[:1], 1),
            vertices=np.empty((0, 3)),
            index=none[:0],
            rings=none,
            faces=none,
            shells=none,
            solids=none,
            template=number,
            matrix=turned(
                matrix.reshape(4, 4), self.raw[at], self.place, self.frame, self.file.spec
            ),
            extra={k: v for k, v in geometry.items() if k not in known},
        )

    def notes(self, report: Report) -> None:
        """Say which members of objects are kept though no question knows them."""
        if self.kept_members:
            listed = ", ".join(f"{k} × {n}" for k, n in sorted(self.kept_members.items()))
            report.note(
                "source.model.members_kept",
                file=self.file.name,
                layer=self.file.layer,
                values={"names": listed},
            )


def _nothing(geometry: Any) -> Body:
    """Return the stand-in of a template that cannot be read, so that numbers stay."""
    none = np.zeros(1, dtype=np.int32)
    lod = lod_text(geometry.get("lod")) if isinstance(geometry, Mapping) else ""
    return Body("", "MultiSurface", lod, 1, np.empty((0, 3)), none[:0], none, none, none, none)


def _records(value: Any) -> list[Mapping[str, Any]]:
    return [one if isinstance(one, Mapping) else {} for one in _list(value)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _numbers(value: Any, count: int) -> Floats | None:
    items = _list(value)
    if len(items) != count or not all(type(v) in (int, float) for v in items):
        return None
    return np.array(items, dtype=np.float64)


def _rows(value: Any, width: int = 3) -> Floats:
    """Return parsed rows as (n, width) float64, NaN where one is no row of numbers."""
    items: Sequence[Any] = _list(value)
    try:
        found = np.array(items, dtype=np.float64)
        if found.shape == (len(items), width):
            return found
    except (ValueError, TypeError, OverflowError):
        pass
    out = np.full((len(items), width), np.nan)
    for i, row in enumerate(items):
        numbers = _numbers(row, width)
        if numbers is not None:
            out[i] = numbers
    return out
