"""How an IFC file is opened: checked before it is parsed, zipped files and candidates included."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

from bim_import.step import StepFile
from cim.errors import SourceError

__all__ = ["OpenedIfc", "file_bytes", "open_ifc", "parse_ifc"]

_HEADER = re.compile(rb"FILE_SCHEMA\s*\(\s*\(\s*'([^']*)'", re.IGNORECASE)
_HEADER_BYTES = 64_000
_READ_AS = (
    # Old and candidate schemas, and the one the kernels read them as.
    (re.compile(r"IFC2X3"), "IFC2X3"),
    (re.compile(r"IFC4X3"), "IFC4X3_ADD2"),
    (re.compile(r"IFC4X[12]"), "IFC4X2"),
    (re.compile(r"IFC4(_|$)"), "IFC4"),
)
_LARGEST_UNZIPPED = 4 << 30


@dataclass(frozen=True)
class OpenedIfc:
    """An open IFC file.

    Attributes
    ----------
    step
        Its instances.
    schema
        Schema the kernels read it as.
    declared
        Schema its header names.
    """

    step: StepFile
    schema: str
    declared: str

    @property
    def patched(self) -> bool:
        """Tell whether it is read as another schema than the header names."""
        return self.schema != self.declared


def file_bytes(path: Path) -> bytes:
    """Return the text of an ``.ifc`` or of the one IFC file in an ``.ifczip``.

    Raises
    ------
    SourceError
        Unreadable, or an archive without one IFC file in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _unzipped(data, path) if data[:4] == b"PK\x03\x04" else data


def _unzipped(data: bytes, path: Path) -> bytes:
    import zipfile  # most files are not zipped, and it loads much

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = [i for i in archive.infolist() if i.filename.lower().endswith(".ifc")]
            if len(inside) != 1 or inside[0].file_size > _LARGEST_UNZIPPED:
                raise SourceError("bim.zip", given=path.name, values={"count": len(inside)})
            return archive.read(inside[0])
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        if isinstance(error, SourceError):
            raise
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or str(error)
    return SourceError("bim.unreadable", given=path.name, values={"schema": "-", "reason": reason})


def open_ifc(path: Path) -> OpenedIfc:
    """Open an IFC file (STEP physical file, ``.ifc`` or ``.ifczip``).

    Raises
    ------
    SourceError
        Not an IFC file, cut short, or of an unknown schema.
    """
    return parse_ifc(file_bytes(path), path.name)


def parse_ifc(data: bytes, name: str) -> OpenedIfc:
    """Open the text of an IFC file; `name` is for messages."""
    found = _HEADER.search(data[:_HEADER_BYTES])
    if b"ISO-10303-21" not in data[:4096] and found is None:
        raise SourceError("bim.not_ifc", given=name)
    declared = found.group(1).decode("latin-1").upper().strip() if found else ""
    schema = next((own for rule, own in _READ_AS if rule.match(declared)), None)
    if schema is None:
        raise SourceError("bim.unknown_schema", given=name, values={"schema": declared or "-"})
    if b"END-ISO-10303-21" not in data[-4096:]:
        raise SourceError("bim.cut_short", given=name)
    return OpenedIfc(StepFile(data), schema, declared)
