"""What was made of a file before: found again by the content of the file, wherever it lies.

The key is a hash of the bytes, of the limits and of this program's own files; so an entry
is never stale, only unused. One file an entry, written beside and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cim._version import VERSION

if TYPE_CHECKING:
    from bim_import.meshing import Budget, Meshed, Shape

__all__ = ["entry", "load", "save"]

_FORMAT = 3
_MOST_BYTES = 2 << 30
_CODES = ("exact", "fallback", "box", "none_by_design", "missing")


def entry(path: Path, budget: Budget) -> Path | None:
    """Return where the result of a file is kept; None where nothing may be kept.

    The folder is ``CIM_CACHE``, else the user's cache folder; ``CIM_CACHE=off`` keeps
    nothing.
    """
    chosen = os.environ.get("CIM_CACHE", "")
    if chosen.lower() == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(chosen or home) / ("ifc" if chosen else "cim-twin/ifc")
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    digest.update(repr((_FORMAT, VERSION, budget, _source())).encode())
    return folder / f"{digest.hexdigest()}.npz"


def _source() -> list[tuple[str, int, int]]:
    """Return what tells this program's own files from others of the same version."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]


def load(place: Path) -> Meshed | None:
    """Return what is kept at `place`; None where there is nothing, or nothing whole."""
    from bim_import.meshing import Hole, Meshed, Shape

    if not place.is_file():
        return None
    import zipfile

    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            data = {name: kept[name] for name in kept.files}
        os.utime(place)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        return None
    texts = json.loads(data["texts"].tobytes())
    shapes: dict[str, Shape] = {}
    corner, face = data["corner"].tolist(), data["face"].tolist()
    for i, key in enumerate(texts["keys"]):
        a, b, c, d = corner[i], corner[i + 1], face[i], face[i + 1]
        looks = tuple((str(n), tuple(rgba)) for n, rgba in texts["looks"][i])
        shapes[key] = Shape(
            data["vertices"][a:b], data["triangles"][c:d], data["material"][c:d], looks
        )
    keys = texts["keys"]
    places = {
        number: (keys[at], matrix)
        for number, at, matrix in zip(
            data["placed"].tolist(), data["shape"].tolist(), data["matrix"], strict=True
        )
    }
    outcome = {
        number: _CODES[code]
        for number, code in zip(data["product"].tolist(), data["outcome"].tolist(), strict=True)
    }
    why = {int(number): text for number, text in texts["why"].items()}
    edge, side = data["hole_corner"].tolist(), data["hole_face"].tolist()
    holes = [
        Hole(opening, host, width, data["hole_vertices"][edge[i] : edge[i + 1]],
             data["hole_triangles"][side[i] : side[i + 1]])
        for i, (opening, host, width) in enumerate(texts["holes"])
    ]  # fmt: skip
    return Meshed(texts["said"], shapes, places, outcome, why, holes, cached=True)


def save(place: Path, found: Meshed) -> None:
    """Keep a result; a folder that cannot be written to keeps nothing."""
    import tempfile

    keys = list(found.shapes)
    number = {key: i for i, key in enumerate(keys)}
    shapes = [found.shapes[key] for key in keys]
    texts = {
        "said": found.said, "keys": keys, "looks": [s.materials for s in shapes],
        "why": found.why, "holes": [[h.opening, h.host, h.width_m] for h in found.holes],
    }  # fmt: skip
    arrays: dict[str, Any] = {
        "texts": np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8),
        "corner": np.cumsum([0, *(len(s.vertices) for s in shapes)]),
        "face": np.cumsum([0, *(len(s.triangles) for s in shapes)]),
        "vertices": np.concatenate([np.zeros((0, 3)), *(s.vertices for s in shapes)]),
        "triangles": np.concatenate([np.zeros((0, 3), np.int32), *(s.triangles for s in shapes)]),
        "material": np.concatenate([np.zeros(0, np.int32), *(s.material for s in shapes)]),
        "hole_corner": np.cumsum([0, *(len(h.vertices) for h in found.holes)]),
        "hole_face": np.cumsum([0, *(len(h.triangles) for h in found.holes)]),
        "hole_vertices": np.concatenate([np.zeros((0, 3)), *(h.vertices for h in found.holes)]),
        "hole_triangles": np.concatenate(
            [np.zeros((0, 3), np.int32), *(h.triangles for h in found.holes)]
        ),
        "placed": np.array(list(found.places), dtype=np.int64),
        "shape": np.array([number[key] for key, _ in found.places.values()], dtype=np.int64),
        "matrix": np.array([m for _, m in found.places.values()]).reshape(-1, 4, 4),
        "product": np.array(list(found.outcome), dtype=np.int64),
        "outcome": np.array([_CODES.index(c) for c in found.outcome.values()], dtype=np.uint8),
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=place.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        Path(beside).replace(place)
        _prune(place.parent)
    except OSError:
        return


def _prune(folder: Path) -> None:
    """Drop the entries used longest ago, until what is kept fits."""
    kept = sorted(folder.glob("*.npz"), key=lambda p: p.stat().st_mtime, reverse=True)
    total = 0
    for one in kept:
        total += one.stat().st_size
        if total > _MOST_BYTES:
            one.unlink(missing_ok=True)
