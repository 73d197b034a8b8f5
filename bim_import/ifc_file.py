"""How an IFC file is opened: checked before it is parsed, release candidates of IFC4X3 included.

ifcopenshell refuses the headers of IFC4X3_RC2 and RC3 although it reads what stands
below them, once two kinds of names that changed are changed: so the text is patched
in memory, and the caller is told. The file on disk stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cim.errors import MissingError, SourceError

__all__ = ["OpenedIfc", "open_ifc"]

_HEADER = re.compile(rb"FILE_SCHEMA\s*\(\s*\(\s*'([^']*)'", re.IGNORECASE)
_ENTITY = re.compile(rb"#\d+\s*=\s*(IFC[A-Z0-9]+)", re.IGNORECASE)
_CANDIDATE = re.compile(r"IFC4X3(_RC\d+|_TC\d+|_ADD1|)$")
_FINAL = "IFC4X3_ADD2"
# Classes of the release candidates that IFC4X3_ADD2 knows under another name.
_RENAMED = re.compile(rb"\bIFC(?:SOLID|VOID|WATER)STRATUM(?=\s*\()", re.IGNORECASE)
_HEADER_BYTES = 64_000


@dataclass(frozen=True)
class OpenedIfc:
    """An open IFC file.

    Attributes
    ----------
    file
        ``ifcopenshell.file``.
    schema
        Schema it was read as.
    declared
        Schema its header names.
    unknown
        Classes the schema does not know and how many instances were dropped;
        counted only where the header was patched.
    """

    file: Any
    schema: str
    declared: str
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def patched(self) -> bool:
        """Tell whether the text had to be patched in memory."""
        return self.schema != self.declared


def open_ifc(path: Path) -> OpenedIfc:
    """Open an IFC file (STEP physical file, ``.ifc``).

    Raises
    ------
    MissingError
        ifcopenshell is not installed.
    SourceError
        Not an IFC file, cut short, of an unknown schema, or unreadable.
    """
    try:
        import ifcopenshell
    except ImportError as error:
        raise MissingError("bim.no_ifcopenshell", given=path.name) from error
    declared = _check(path)
    try:
        if not _CANDIDATE.match(declared):
            file = ifcopenshell.open(str(path))
            return OpenedIfc(file, str(file.schema_identifier), declared)
        text = path.read_bytes()
        start = _HEADER.search(text[:_HEADER_BYTES])
        assert start is not None
        text = text[: start.start(1)] + _FINAL.encode() + text[start.end(1) :]
        text = _RENAMED.sub(b"IFCGEOTECHNICALSTRATUM", text)
        file = ifcopenshell.file.from_string(text.decode("utf-8", "replace"))
        return OpenedIfc(file, str(file.schema_identifier), declared, _unknown(text))
    except (RuntimeError, ValueError, OSError, ifcopenshell.Error) as error:
        if isinstance(error, SourceError):
            raise
        values = {"schema": declared, "reason": str(error)[:200]}
        raise SourceError("bim.unreadable", given=path.name, values=values) from error


def _check(path: Path) -> str:
    """Return the schema the header names, after looking at both ends of the file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            tail = file.read()
    except OSError as error:
        raise SourceError(
            "bim.unreadable", given=path, values={"schema": "-", "reason": error.strerror or error}
        ) from error
    found = _HEADER.search(head)
    if b"ISO-10303-21" not in head[:4096] or found is None:
        raise SourceError("bim.not_ifc", given=path.name)
    if b"END-ISO-10303-21" not in tail:
        raise SourceError("bim.cut_short", given=path.name)
    return found.group(1).decode("ascii", "replace").upper().strip()


def _unknown(text: bytes) -> dict[str, int]:
    import ifcopenshell

    schema = ifcopenshell.schema_by_name(_FINAL)
    known = {declaration.name().upper() for declaration in schema.declarations()}
    count = Counter(name.decode().upper() for name in _ENTITY.findall(text))
    return {name: n for name, n in sorted(count.items()) if name not in known}
