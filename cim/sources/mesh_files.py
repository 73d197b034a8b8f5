"""OBJ, PLY, STL, glTF and GLB: meshes that say nothing of where they stand, placed as told."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame
from cim.errors import SourceError, UnitError
from cim.jobs import Job
from cim.model.body import Body, Draped
from cim.model.kinds import kind
from cim.model.table import FeatureTable
from cim.sources.assembling import assemble
from cim.sources.boundaries import LEVELS
from cim.sources.model_columns import HIGHEST_M
from cim.sources.model_place import checked_box, into_frame
from cim.sources.objects import RawModel, RawObject
from cim.sources.place import Place, place_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

__all__ = ["look", "read"]

Floats = NDArray[np.float64]
_OPTIONS = frozenset(["at", "unit_m", "up", "lod", "height_offset_m", "guess", "member"])
_LOCAL_M = 1e5  # map coordinates are larger, but for a sea off Null Island
_MOST_TRIANGLES = 20_000_000


def look(spec: LayerSpec, *, report: Report) -> tuple[Place, Box]:
    """Return the place a mesh is put at; see `read` for the options.

    Raises
    ------
    SourceError
        No mesh, or nobody says where it stands.
    FrameError
        No system given, or the place lies outside its area.
    """
    place = place_of(spec, None, False, report=report, layer=_layer(spec))
    at = _at(spec)
    if at is not None:
        points = np.array([[*at[:3]]], dtype=np.float64)
        return place, checked_box(np.repeat(points, 2, axis=0), place, spec.file.name)
    points = np.concatenate([v for _, v, _ in _parts(spec)])
    if spec.file.suffix.lower() in (".glb", ".gltf") or np.abs(points[:, :2]).max() < _LOCAL_M:
        raise SourceError("source.mesh.no_place", given=spec.file.name)
    return place, checked_box(points, place, spec.file.name)


def read(
    spec: LayerSpec,
    *,
    frame: Frame,
    report: Report,
    near: Mapping[str, FeatureTable],
    job: Job,
) -> Loaded:
    """Read a mesh file into layers of the twin's frame; see `cim.sources.spec.Reader`.

    A glTF file gives an object for each of its nodes, any other file one object. Options:
    ``at = [east, north, height, turn_deg]`` in the system of ``crs`` (counter-clockwise;
    without it the vertices are map coordinates), ``unit_m`` metres per unit, ``up`` ``"y"``
    or ``"z"`` (y in glTF, else z), ``lod`` ``"1"`` to ``"4"``, default 3. The layer's
    ``kind`` says what they are.
    """
    place = place_of(spec, None, False, report=Report(), layer=_layer(spec))
    at, unit_m = _at(spec), _unit(spec, report)
    gltf = spec.file.suffix.lower() in (".glb", ".gltf")
    up = spec.options.get("up", "y" if gltf else "z")
    if up not in ("y", "z"):
        raise SourceError("source.mesh.option", given=f"up = {up!r}", values={"file": _file(spec)})
    lod = str(spec.options.get("lod", "3"))
    if lod not in LEVELS:
        raise SourceError("source.mesh.option", given=f"lod = {lod}", values={"file": _file(spec)})
    _note_unused(spec, report)
    model = RawModel()
    what = kind(spec.kind or "generic").cityjson
    images: dict[str, bytes] = {}
    objects: dict[str, RawObject] = {}
    lost: list[str] = []
    for done, (name, vertices, mesh) in enumerate(_parts(spec, lost)):
        job.step(min(done, 9), 10, what="source.reading")
        points = _placed(vertices * unit_m, at, up)
        _check_height(points[:, 2], spec)
        one = objects.setdefault(name, RawObject(name, what))
        body = _body(into_frame(points, place, frame, spec), mesh, lod, model, images, spec)
        if body is None:
            one.faults.append(("source.mesh.empty", {}))
        else:
            one.bodies.append(body)
    if lost:
        says = {"count": len(set(lost)), "name": lost[0]}
        report.note("source.mesh.beside", file=_file(spec), layer=_layer(spec), values=says)
    if spec.file.suffix.lower() == ".obj":
        broken = _mended(spec.file.read_bytes())[1]
        for one in objects.values() if broken else ():
            one.faults.append(("source.mesh.lines", {"count": broken}))
    for one in objects.values():
        if one.bodies:
            one.bodies = [_joined(one.bodies)]
            model.objects.append(one)
        else:
            layer = _layer(spec)
            model.rejected.append((one.name, layer, "source.mesh.empty", {}))
    if spec.kind is None:
        report.note("source.kind_by_geometry", file=_file(spec), layer=_layer(spec),
                    values={"kind": "generic"})  # fmt: skip
    return assemble(model, spec, images=images, report=report, job=job)


def _file(spec: LayerSpec) -> str:
    return spec.file.name


def _layer(spec: LayerSpec) -> str:
    return spec.name or spec.kind or "generic"


def _at(spec: LayerSpec) -> Sequence[float] | None:
    given = spec.options.get("at")
    if given is None:
        return None
    good = isinstance(given, (list, tuple)) and len(given) in (3, 4)
    if not good or not all(type(v) in (int, float) and np.isfinite(v) for v in given):
        values = {"file": _file(spec)}
        raise SourceError("source.mesh.option", given=f"at = {given!r}", values=values)
    return [*map(float, given), 0.0][:4]


def _unit(spec: LayerSpec, report: Report) -> float:
    given = spec.options.get("unit_m")
    if given is None:
        if spec.file.suffix.lower() not in (".glb", ".gltf"):
            says = {"up": spec.options.get("up", "z")}
            report.note("source.mesh.metres", file=_file(spec), layer=_layer(spec), values=says)
        return 1.0
    if type(given) not in (int, float) or not (np.isfinite(given) and given > 0):
        values = {"file": _file(spec)}
        raise SourceError("source.mesh.option", given=f"unit_m = {given!r}", values=values)
    return float(given)


def _note_unused(spec: LayerSpec, report: Report) -> None:
    unused = sorted(set(spec.options) - _OPTIONS)
    if unused:
        values = {"options": ", ".join(unused)}
        report.note("source.mesh.unused", file=_file(spec), layer=_layer(spec), values=values)


def _placed(vertices: Floats, at: Sequence[float] | None, up: str) -> Floats:
    """Return vertices with z up at the place asked for."""
    points = vertices if up == "z" else vertices[:, [0, 2, 1]] * [1.0, -1.0, 1.0]
    if at is None:
        return points
    turn = np.radians(at[3])
    c, s = np.cos(turn), np.sin(turn)
    turned: Floats = points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + np.array(at[:3])
    return turned


def _parts(spec: LayerSpec, lost: list[str] | None = None) -> list[tuple[str, Floats, Any]]:
    """Return the file's meshes: whose each is, its vertices in the file's axes, and itself.

    Names of files beside it that are not there are added to `lost`.

    Raises
    ------
    SourceError
        The file cannot be read, or holds no triangle.
    """
    scene = _load(spec.file, [] if lost is None else lost)
    gltf = spec.file.suffix.lower() in (".glb", ".gltf")
    out = []
    total = 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not hasattr(mesh, "faces") or not len(mesh.faces):
            continue
        shapes = np.shape(mesh.vertices)[1:], np.shape(mesh.faces)[1:]
        if shapes != ((3,), (3,)):
            values = {"why": f"vertices {np.shape(mesh.vertices)}"}
            raise SourceError("source.unreadable", given=spec.file.name, values=values)
        total += len(mesh.faces)
        vertices = np.asarray(mesh.vertices, dtype=np.float64)
        if np.linalg.det(matrix[:3, :3]) < 0.0:  # mirrored: glTF 2.0, 3.7.4, turns its faces
            mesh = mesh.copy()
            mesh.faces = np.asarray(mesh.faces)[:, ::-1]
        moved = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        out.append((str(node) if gltf else spec.file.stem, moved, mesh))
    if not out:
        raise SourceError("source.mesh.no_triangle", given=spec.file.name)
    if total > _MOST_TRIANGLES:
        raise SourceError("source.mesh.large", given=spec.file.name, values={"count": total})
    return out


class _Beside:
    """Finds materials, buffers and images in the mesh's own folder, as trimesh asks for them."""

    def __init__(self, folder: Path, lost: list[str]) -> None:
        self.folder, self.lost = folder, lost

    def get(self, name: str) -> bytes:
        """Return the bytes of a plain file; any other name is not found."""
        found = (self.folder / name).resolve()
        if not found.is_relative_to(self.folder) or not found.is_file():
            self.lost.append(str(name)[:80])
            raise FileNotFoundError(name)
        if found.stat().st_size > 1 << 30:
            raise ValueError(name)
        return found.read_bytes()

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def keys(self) -> list[str]:
        """Return no names: nothing is searched for."""
        return []

    def namespaced(self, namespace: str) -> _Beside:
        """Return itself: there is one folder."""
        return self


def _load(path: Path, lost: list[str]) -> Any:
    """Return the file as a scene; only plain names beside it are followed."""
    import trimesh

    data = path.read_bytes()
    _check_counts(path, data)
    if path.suffix.lower() == ".obj":
        data, _ = _mended(data)
    try:
        loaded = trimesh.load_scene(
            io.BytesIO(data),
            file_type=path.suffix.lower()[1:],
            resolver=cast(Any, _Beside(path.parent.resolve(), lost)),
            process=False,
            maintain_order=True,
        )
    except Exception as error:  # a reader of foreign bytes fails in every way there is
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise SourceError("source.unreadable", given=path.name, values={"why": why}) from error
    return loaded


def _check_height(z: Floats, spec: LayerSpec) -> None:
    """Refuse a building higher than any, whose unit nobody has said."""
    there = z[np.isfinite(z)]
    high = float(np.ptp(there)) if len(there) else 0.0
    building = kind(spec.kind or "generic").name in ("building", "building_part")
    if building and "unit_m" not in spec.options and high > HIGHEST_M:
        values = {"height": f"{high:g}"}
        raise UnitError("source.mesh.too_high", given=_file(spec), values=values)


def _mended(data: bytes) -> tuple[bytes, int]:
    """Return the text of an OBJ without numbers and faces that cannot be read, and how many.

    A vertex that cannot be read stays in its place as NaN: faces name vertices by number.
    """
    lines = data.splitlines()
    count = sum(line.startswith((b"v ", b"v\t")) for line in lines)
    broken = 0
    for i, line in enumerate(lines):
        word = line[:2].strip()
        if word in (b"v", b"vt", b"vn") and not _NUMBERS[word].fullmatch(line.strip()):
            lines[i] = word + b" nan nan nan"[: 8 if word == b"vt" else 12]
        elif word == b"f" and not (
            _FACE.fullmatch(line.strip())
            and all(1 <= abs(int(n)) <= count for n in _FIRST.findall(line))
        ):
            lines[i] = b"#"
        else:
            continue
        broken += 1
    return (b"\n".join(lines) + b"\n", broken) if broken else (data, 0)


_NUMBER = rb"\s+[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_NUMBERS = {
    b"v": re.compile(rb"v(?:" + _NUMBER + rb"){3,7}"),
    b"vt": re.compile(rb"vt(?:" + _NUMBER + rb"){2,3}"),
    b"vn": re.compile(rb"vn(?:" + _NUMBER + rb"){3}"),
}
_FACE = re.compile(rb"f(?:\s+-?\d{1,9}(?:/(?:-?\d{1,9})?){0,2}){3,}")
_FIRST = re.compile(rb"\s(-?\d+)")


def _check_counts(path: Path, data: bytes) -> None:
    """Refuse a header that promises more than the file can hold."""
    promised = 0
    if path.suffix.lower() == ".ply":
        head = data[:4096].split(b"end_header")[0]
        promised = sum(int(n) for n in re.findall(rb"element\s+\w+\s+(\d{1,18})", head))
    elif path.suffix.lower() == ".stl" and data[:5] != b"solid" and len(data) >= 84:
        promised = 50 * int.from_bytes(data[80:84], "little")
    if promised > len(data):
        values = {"size": len(data), "declared": promised}
        raise SourceError("source.truncated", given=path.name, values=values)


def _body(
    points: Floats,
    mesh: Any,
    lod: str,
    model: RawModel,
    images: dict[str, bytes],
    spec: LayerSpec,
) -> Body | None:
    """Return a mesh as a body of triangles; None where none can be used."""
    faces = np.asarray(mesh.faces, dtype=np.int64)
    inside = ((faces >= 0) & (faces < len(points))).all(axis=1)
    faces = faces[inside]
    faces = faces[np.isfinite(points[faces]).all(axis=(1, 2))] if len(faces) else faces
    if not len(faces):
        return None
    used, compact = np.unique(faces, return_inverse=True)
    count = len(faces)
    material, image = _look(mesh, model, images, spec)
    uv = getattr(getattr(mesh, "visual", None), "uv", None)
    textures = {}
    if image >= 0 and uv is not None and len(uv) == len(mesh.vertices):
        corners = np.asarray(uv, dtype=np.float64)[faces.reshape(-1)]
        textures = {"": Draped(np.full(count, image, dtype=np.int32), corners)}
    ends = np.array([0, count], dtype=np.int32)
    return Body(
        object_id="",
        type="MultiSurface",
        lod=lod,
        cim_level=LEVELS[lod],
        vertices=points[used],
        index=compact.astype(np.int32).reshape(-1),
        rings=np.arange(0, 3 * count + 1, 3, dtype=np.int32),
        faces=np.arange(count + 1, dtype=np.int32),
        shells=ends,
        solids=np.array([0, 1], dtype=np.int32),
        materials={"": np.full(count, material, dtype=np.int32)} if material >= 0 else {},
        textures=textures,
    )


def _look(mesh: Any, model: RawModel, images: dict[str, bytes], spec: LayerSpec) -> tuple[int, int]:
    """Return the numbers of the mesh's material and texture; -1 for none."""
    material = getattr(getattr(mesh, "visual", None), "material", None)
    if material is None:
        return -1, -1
    colour = getattr(material, "main_color", None)
    number = -1
    if colour is not None and len(colour) >= 3:
        rgba = np.clip(np.asarray(colour, dtype=np.float64) / 255.0, 0, 1)
        clear = 1.0 - float(rgba[3]) if len(rgba) > 3 else 0.0
        record = {
            "name": str(getattr(material, "name", None) or f"material{len(model.materials)}"),
            "diffuseColor": [round(float(v), 6) for v in rgba[:3]],
            "transparency": round(clear, 6),
        }
        if record not in model.materials:
            model.materials.append(record)
        number = model.materials.index(record)
    picture = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if picture is None or not hasattr(picture, "save"):
        return number, -1
    buffer = io.BytesIO()
    try:
        picture.convert("RGBA").save(buffer, format="PNG")
    except (OSError, ValueError, SyntaxError):  # a damaged image; the mesh is whole
        return number, -1
    data = buffer.getvalue()
    for key, known in images.items():
        if known == data:
            return number, next(
                i for i, t in enumerate(model.textures) if t.get("+cim-image") == key
            )
    name = f"image{len(images)}.png"
    key = f"{spec.source_key}:{name}"
    images[key] = data
    model.textures.append({"type": "PNG", "image": name, "+cim-image": key})
    return number, len(model.textures) - 1


def _joined(bodies: Sequence[Body]) -> Body:
    """Return the bodies of one object as one; a theme some lack is missing there."""
    if len(bodies) == 1:
        return bodies[0]
    from dataclasses import replace

    index, base = [], 0
    for b in bodies:
        index.append(b.index + base)
        base += len(b.vertices)
    counts = [b.face_count for b in bodies]
    count = sum(counts)
    none = [np.full(n, -1, dtype=np.int32) for n in counts]
    materials = [b.materials.get("", none[i]) for i, b in enumerate(bodies)]
    images = [b.textures[""].image if b.textures else none[i] for i, b in enumerate(bodies)]
    uv = [
        b.textures[""].uv if b.textures else np.full((3 * counts[i], 2), np.nan)
        for i, b in enumerate(bodies)
    ]
    image = np.concatenate(images)
    return replace(
        bodies[0],
        vertices=np.concatenate([b.vertices for b in bodies]),
        index=np.concatenate(index).astype(np.int32),
        rings=np.arange(0, 3 * count + 1, 3, dtype=np.int32),
        faces=np.arange(count + 1, dtype=np.int32),
        shells=np.array([0, count], dtype=np.int32),
        materials={"": np.concatenate(materials)} if any(b.materials for b in bodies) else {},
        textures={"": Draped(image, np.concatenate(uv))} if (image >= 0).any() else {},
    )
