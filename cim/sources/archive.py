"""What may come out of a ZIP or tar archive, and where to.

Only GIS files at plain relative paths leave an archive, into a folder of their own;
names that climb out, links, and contents that swell beyond reason refuse the whole.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from cim.errors import SourceError
from cim.sources.opening import FORMATS

__all__ = ["unpack"]

_READ = ("vector", "raster", "points", "model")

MOST_BYTES = 8 * 2**30  # unpacked, all members together
MOST_MEMBERS = 10_000
MOST_RATIO = 200  # a member may unpack to this many times its packed size

_COMPANIONS = (
    ".shx", ".dbf", ".prj", ".cpg", ".tfw", ".mtl", ".bin",
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp",
)  # fmt: skip


def unpack(path: Path, into: Path) -> list[Path]:
    """Unpack the GIS files of an archive and return those that can be opened.

    Raises
    ------
    SourceError
        A member climbs out of the archive, is a link or a device, the contents are too
        large, or there is nothing in it to read.
    """
    try:
        files = _unzip(path, into) if path.suffix.lower() == ".zip" else _untar(path, into)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise SourceError("source.unreadable", given=path.name, values={"why": why}) from error
    found = sorted(f for f in files if _carrier(f) in _READ)
    if not found:
        values = {"known": " ".join(s for s, f in FORMATS.items() if f.carrier != "archive")}
        raise SourceError("source.archive_empty", given=path.name, values=values)
    return found


def _carrier(path: Path | PurePosixPath) -> str | None:
    known = FORMATS.get(path.suffix.lower())
    return known.carrier if known else None


def _wanted(name: str, archive: str) -> PurePosixPath | None:
    """Return a member's path when it is to be unpacked; refuse one that climbs out."""
    member = PurePosixPath(name.replace("\\", "/"))
    drive = ":" in member.parts[0] if member.parts else False
    if member.is_absolute() or ".." in member.parts or drive:
        raise SourceError("source.archive_escapes", given=archive, values={"member": name})
    if "__MACOSX" in member.parts or member.name.startswith("._"):
        return None  # what macOS puts beside each file of an archive: no data
    if member.suffix.lower() in _COMPANIONS or _carrier(member) in _READ:
        return member
    return None


def _unzip(path: Path, into: Path) -> list[Path]:
    out: list[Path] = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        total = sum(m.file_size for m in members)
        swollen = any(m.file_size > MOST_RATIO * max(m.compress_size, 10_000) for m in members)
        if total > MOST_BYTES or len(members) > MOST_MEMBERS or swollen:
            raise _too_large(path, total)
        for member in members:
            target = _wanted(member.filename, path.name)
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                values = {"member": member.filename}
                raise SourceError("source.archive_escapes", given=path.name, values=values)
            if target is not None and not member.is_dir():
                with archive.open(member) as file:
                    out.append(_write(file, into / target, member.file_size, path))
    return out


def _untar(path: Path, into: Path) -> list[Path]:
    out: list[Path] = []
    with tarfile.open(path) as archive:
        for member, _ in _within(archive, path):
            target = _wanted(member.name, path.name)
            if not (member.isfile() or member.isdir()):
                values = {"member": member.name}
                raise SourceError("source.archive_escapes", given=path.name, values=values)
            file = archive.extractfile(member) if target is not None else None
            if target is not None and file is not None:
                out.append(_write(file, into / target, member.size, path))
    return out


def _within(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[tarfile.TarInfo, int]]:
    packed = path.stat().st_size
    total = 0
    for count, member in enumerate(archive):
        total += member.size
        if total > min(MOST_BYTES, MOST_RATIO * max(packed, 10_000)) or count >= MOST_MEMBERS:
            raise _too_large(path, total)
        yield member, total


def _too_large(path: Path, total: int) -> SourceError:
    values = {"size": f"{total / 1e9:.1f}", "limit": f"{MOST_BYTES / 1e9:.1f}"}
    return SourceError("source.archive_too_large", given=path.name, values=values)


def _write(file: IO[bytes], target: Path, size: int, path: Path) -> Path:
    """Write one member, never more than the archive declares of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        limited = _Limited(file, size, path)
        shutil.copyfileobj(limited, out)
    mark = (limited.mark >> 1) * 10**9  # its time is of its bytes: the same when unpacked again
    os.utime(target, ns=(mark, mark))
    return target


class _Limited:
    """A reader that stops the unpacking of a member longer than declared."""

    def __init__(self, file: IO[bytes], size: int, path: Path) -> None:
        self._file, self._left, self._path = file, size, path
        self.mark = 0

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(count)
        self._left -= len(data)
        self.mark = zlib.crc32(data, self.mark)
        if self._left < 0:
            raise _too_large(self._path, MOST_BYTES)
        return data
