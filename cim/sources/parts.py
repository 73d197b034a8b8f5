"""What a long build has read so far, kept beside its target, so that a stopped one goes on.

Each file's outcome is a *part*, named by a hash of everything it depends on: the bytes of
the file and its companions, what is known of it, the twin's frame, and all files read
before it. Whatever changes changes the name, and the part is made anew. A part is read
back only where its checksum holds, and nothing but plain data of ours is taken from it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim._version import VERSION
from cim.crs import Frame
from cim.errors import StoreError
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.kinds import Field
from cim.model.layers import Load
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["Part", "Parts", "chain"]

_LONG_S = 5.0  # of reading: less is sooner done again than kept
_MARK = b"cim-part/1\n"
_COMPANIONS = frozenset(
    ".png .jpg .jpeg .tif .tiff .webp .mtl .bin .tfw .jgw .pgw .prj .dbf .shx .cpg".split()
)
_MOST_COMPANIONS = 10_000


@dataclass
class Part:
    """What reading one file gave.

    Attributes
    ----------
    tables, grids, meshes, bodies
        Its layers; a grid with its priority.
    report
        The account of this file alone.
    ids, contents
        Kind -> ids kept, and hashes of what has them: to know a duplicate when it comes.
    """

    tables: list[FeatureTable] = field(default_factory=list)
    grids: list[tuple[Grid, float]] = field(default_factory=list)
    meshes: MeshPool = field(default_factory=MeshPool)
    bodies: BodyPool = field(default_factory=BodyPool)
    report: Report = field(default_factory=Report)
    ids: dict[str, list[str]] = field(default_factory=dict)
    contents: dict[str, NDArray[np.uint64]] = field(default_factory=dict)


def chain(
    inputs: Iterable[tuple[LayerSpec, str, str]], *, frame: Frame, more: Sequence[str] = ()
) -> list[str]:
    """Return a name for the outcome of each file, in the order they are read.

    Parameters
    ----------
    inputs
        What is known of each file, the hash of its bytes, and its layer and place.
    frame
        The twin's frame.
    more
        Whatever else the outcome of all depends on.
    """
    state = hashlib.blake2b(digest_size=16)
    state.update(repr((VERSION, frame, tuple(more))).encode())
    names = []
    for spec, digest, place in inputs:
        known = asdict(spec)
        known["file"] = spec.file.name
        known["options"] = {k: v for k, v in spec.options.items() if k != "arrow"}
        text = json.dumps(known, sort_keys=True, default=str, ensure_ascii=False)
        state.update("\n".join([text, digest, place, *_companions(spec.file)]).encode())
        names.append(state.hexdigest())
    return names


def _companions(path: Path) -> list[str]:
    """Return names, sizes and times of the files a format may read beside its own."""
    found = []
    with suppress(OSError):
        for one in sorted(path.parent.iterdir())[:_MOST_COMPANIONS]:
            beside = one.suffix.lower() in _COMPANIONS and one != path
            if beside or (one.is_dir() and not one.name.endswith((".cim", ".work"))):
                inside = sorted(one.iterdir())[:_MOST_COMPANIONS] if one.is_dir() else [one]
                for file in inside:
                    if file.suffix.lower() in _COMPANIONS:
                        told = file.stat()
                        found.append(f"{file.name} {told.st_size} {told.st_mtime_ns}")
    return found


class Parts:
    """The parts of one build in a folder of their own.

    Parameters
    ----------
    folder
        Made when the first part is kept.
    long_s
        A part whose reading took less CPU time (5 s where None) is not kept.

    Attributes
    ----------
    taken, changed
        Files whose part, or a piece of it, was taken over, and files that changed since.
    pieces
        How many pieces of long files were taken over.
    """

    def __init__(self, folder: Path, *, long_s: float | None = None) -> None:
        self.folder = folder
        self.long_s = _LONG_S if long_s is None else long_s
        self.taken: list[str] = []
        self.changed: list[str] = []
        self.pieces = 0
        self._put, self._said = 0, False
        self._files: dict[str, str] = {}

    def begin(self, files: Sequence[tuple[str, str]]) -> None:
        """Say which files are to be read, each with the name of its part; tell what changed."""
        before = self._known()
        now = dict(files)
        self._files = now
        if before is not None:
            self.changed = [f for f, name in now.items() if before.get(f) not in (None, name)]
            self.changed += [f for f in before if f not in now]
            wanted = {*now.values()}
            for old in self.folder.glob("*.part"):
                if old.stem.partition("-")[0] not in wanted:
                    old.unlink(missing_ok=True)
        for old in self.folder.glob("*.rows"):
            old.unlink(missing_ok=True)

    def recall(self, file: str, piece: int | None = None) -> Part | None:
        """Return the part of a file or of one of its pieces; None where there is none to trust."""
        part = _load(self._path(file, piece))
        if isinstance(part, Part):
            if file not in self.taken:
                self.taken.append(file)
            self.pieces += piece is not None
            return part
        return None

    def keep(
        self, file: str, part: Part, *, cpu_s: float = np.inf, piece: int | None = None
    ) -> Load | None:
        """Keep the part of a file that took long, or of one of its pieces.

        A disk that refuses only costs the resume, and memory.

        Returns
        -------
        callable or None
            What brings the only table of a piece back; None where it is not kept.
        """
        if cpu_s < self.long_s:
            return None
        path = self._path(file, piece)
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            if not self._said:
                _write(self.folder / "files.json", json.dumps(self._files).encode())
                self._said = True
            _dump(path, part)
            return self.piece_of(file, piece)
        return None

    def piece_of(self, file: str, piece: int | None) -> Load:
        """Return what brings the only table of a part back."""
        path = self._path(file, piece)

        def load(shapes: bool) -> FeatureTable:
            part = _load(path, shapes=shapes)
            if not isinstance(part, Part):
                raise StoreError("store.part_lost", given=path)
            return part.tables[0]

        return load

    def put(self, table: FeatureTable) -> Load | None:
        """Put rows aside until the twin is written; None where the disk refuses."""
        self._put += 1
        path = self.folder / f"{self._put:06d}.rows"

        def load(shapes: bool) -> FeatureTable:
            found = _load(path, shapes=shapes)
            if not isinstance(found, FeatureTable):
                raise StoreError("store.part_lost", given=path)
            return found

        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            _dump(path, table)
            return load
        return None

    def end(self) -> None:
        """Remove everything: the build is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, file: str, piece: int | None = None) -> Path:
        number = "" if piece is None else f"-{piece:06d}"
        return self.folder / f"{self._files[file]}{number}.part"

    def _known(self) -> dict[str, str] | None:
        try:
            found = json.loads((self.folder / "files.json").read_bytes())
        except (OSError, ValueError):
            return None
        good = isinstance(found, dict) and all(isinstance(v, str) for v in found.values())
        return found if good else None


def _load(path: Path, *, shapes: bool = True) -> Any:
    """Return what was kept in a file, None where that cannot be trusted."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = len(_MARK) + 16
    if data[: len(_MARK)] != _MARK or data[len(_MARK) : head] != _digest(memoryview(data)[head:]):
        return None
    try:
        reader = _Reader if shapes else _Bare
        return reader(io.BytesIO(memoryview(data)[head:])).load()
    except Exception:  # whatever is wrong with a part, its file is there to be read
        return None


def _dump(path: Path, what: Any) -> None:
    stream = io.BytesIO()
    _Writer(stream, protocol=5).dump(what)
    data = stream.getvalue()
    _write(path, _MARK + _digest(data) + data)


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _write(path: Path, data: bytes) -> None:
    staged = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with staged.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


class _Writer(pickle.Pickler):
    """Writes a table's geometry as well-known binary in one piece."""

    def reducer_override(self, obj: Any) -> Any:
        import shapely

        if isinstance(obj, FeatureTable):
            wkb = shapely.to_wkb(obj.geometry, include_srid=False)
            columns = dict(obj.columns)
            return _table, (obj.layer, list(obj.ids), list(wkb), columns, list(obj.fields))
        if isinstance(obj, Mapping) and type(obj) is not dict:
            return dict, (dict(obj),)
        return NotImplemented


def _table(
    layer: str, ids: list[str], wkb: list[Any], columns: dict[str, Any], fields: list[Field]
) -> FeatureTable:
    import shapely

    names, shapes = np.empty(len(ids), dtype=object), np.empty(len(ids), dtype=object)
    names[:] = ids
    if ids:
        shapes[:] = shapely.from_wkb(np.array(wkb, dtype=object))
    return FeatureTable(layer, names, shapes, columns, tuple(fields))


def _bare_table(
    layer: str, ids: list[str], wkb: list[Any], columns: dict[str, Any], fields: list[Field]
) -> FeatureTable:
    return _table(layer, ids, [None] * len(wkb), columns, fields)


_NUMPY = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
_PLAIN = {"dict", "set", "frozenset", "bytearray", "complex"}


class _Reader(pickle.Unpickler):
    """Takes data of ours and numpy's arrays from a part, and nothing that could act."""

    def find_class(self, module: str, name: str) -> Any:
        data = module.startswith("cim.model.") or module in ("cim.sources.report", __name__)
        if data or (module.split(".", maxsplit=1)[0] == "numpy" and name in _NUMPY):
            found = super().find_class(module, name)
            ours = isinstance(found, type) and found.__module__.startswith("cim.")
            if ours or name == "_table" or name in _NUMPY:
                return found
        if module == "builtins" and name in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


class _Bare(_Reader):
    """Takes tables without their geometry."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        return _bare_table if name == "_table" else found
