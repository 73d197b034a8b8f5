"""An OpenStreetMap XML in which single values are damaged, written anew without them.

One damaged number stops every XML reader at its place, and with it the whole city. Here
the file is taken element by element: an object whose own number or place cannot be read
is left out and counted; a reference that cannot be read stands for a node that is
missing, so that what used it is known to be incomplete. Nothing is guessed.
"""

from __future__ import annotations

import bz2
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["mend"]

_ELEMENT = re.compile(
    rb"<(/?)(node|way|relation|nd|member|tag|osm)\b((?:\s+[\w:]+=(?:\"[^\"<\n]*\"|'[^'<\n]*'))*)\s*(/?)>"
)
_VALUE = re.compile(rb"([\w:]+)=(?:\"([^\"]*)\"|'([^']*)')")
_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NUMBER = re.compile(rb"-?\d{1,18}")
_PLACE = re.compile(rb"-?\d{1,3}(?:\.\d+)?")
_SLICE = 1 << 22
_LONGEST = 1 << 16  # an element is never longer
_OBJECTS = (b"node", b"way", b"relation")
_MOST_STRAY = 0.01  # of the bytes may belong to no element
_LEAST_SHARE = 0.9  # of objects that must be whole, else the file is not damaged but another


def mend(path: Path, into: Path) -> Counter[str] | None:
    """Write the readable part of a file to `into`; return what was left out, None for too much.

    A file that does not end as it should is cut off, and not mended.
    """
    out: Counter[str] = Counter()
    with _opened(path) as source, into.open("wb") as file:
        file.write(b"<?xml version='1.0' encoding='UTF-8'?>\n<osm version=\"0.6\">\n")
        ended = False
        state = _State(file, out)
        stray = size = 0
        for match, skipped in _elements(source):
            if match is None:
                return None
            stray, size = stray + skipped, size + len(match[0])
            ended = match[2] == b"osm" and match[1] == b"/"
            if match[2] != b"osm":
                state.take(match)
        state.close()
        file.write(b"</osm>\n")
    whole, broken = out.pop("whole", 0), out["objects"]
    enough = (
        whole and whole >= _LEAST_SHARE * (whole + broken) and stray <= _MOST_STRAY * size + 500
    )
    return out if ended and enough else None


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".bz2":
        return bz2.open(path)
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _elements(source: IO[bytes]) -> Iterator[tuple[re.Match[bytes] | None, int]]:
    """Yield the elements that can be made out, and how many bytes before each belong to none.

    None instead of an element where the file declares entities.
    """
    rest = b""
    while True:
        part = source.read(_SLICE)
        data = rest + part
        if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
            yield None, 0
            return
        end = 0
        for match in _ELEMENT.finditer(data):
            yield match, len(data[end : match.start()].strip())
            end = match.end()
        if not part:
            return
        rest = data[max(end, len(data) - _LONGEST) :]


class _State:
    """Writes objects one by one; what stands inside one that is left out goes with it."""

    def __init__(self, file: IO[bytes], out: Counter[str]) -> None:
        self.file, self.out = file, out
        self.open: bytes | None = None  # the object being written
        self.inside = False  # of any object, also one left out

    def take(self, match: re.Match[bytes]) -> None:
        """Take one element."""
        closing, name, text, empty = match.groups()
        if name in _OBJECTS:
            if closing:
                self.close()
                return
            self.close()
            self._begin(name, _values(text))
            if empty:
                self.close()
        elif self.open is not None and not closing:
            self._child(name, _values(text))

    def close(self) -> None:
        """End the object that is open."""
        if self.open is not None:
            self.file.write(b"</" + self.open + b">\n")
        self.open = None

    def _begin(self, name: bytes, values: dict[bytes, bytes]) -> None:
        number = values.get(b"id", b"")
        fine = _NUMBER.fullmatch(number) is not None and values.get(b"visible") != b"false"
        place = b""
        if name == b"node" and fine:
            lat, lon = values.get(b"lat", b""), values.get(b"lon", b"")
            fine = _PLACE.fullmatch(lat) is not None and _PLACE.fullmatch(lon) is not None
            fine = fine and abs(float(lat)) <= 90 and abs(float(lon)) <= 180
            place = b' lat="' + lat + b'" lon="' + lon + b'"'
        if not fine:
            self.out["objects"] += 1
            return
        self.out["whole"] += 1
        self.open = name
        self.file.write(b"<" + name + b' id="' + number + b'" version="1"' + place + b">")

    def _child(self, name: bytes, values: dict[bytes, bytes]) -> None:
        if name == b"tag":
            key, value = values.get(b"k"), values.get(b"v")
            if key is None or value is None:
                self.out["tags"] += 1
                return
            self.file.write(b'<tag k="' + self._text(key) + b'" v="' + self._text(value) + b'"/>')
            return
        ref = values.get(b"ref", b"")
        if _NUMBER.fullmatch(ref) is None:
            self.out["references"] += 1
            ref = b"0"  # no object has this number: it is missing
        if name == b"nd":
            self.file.write(b'<nd ref="' + ref + b'"/>')
            return
        sort = values.get(b"type", b"")
        if sort not in _OBJECTS:
            self.out["references"] += 1
            sort, ref = b"way", b"0"
        role = self._text(values.get(b"role", b""))
        self.file.write(b'<member type="' + sort + b'" ref="' + ref + b'" role="' + role + b'"/>')

    def _text(self, value: bytes) -> bytes:
        """Return a value that XML can hold; bytes that are no text become U+FFFD."""
        kept = _CONTROL.sub(b"\xef\xbf\xbd", _AMPERSAND.sub(b"&amp;", value))
        kept = kept.replace(b'"', b"&quot;").replace(b"<", b"&lt;")
        kept = kept.decode("utf-8", errors="replace").encode()
        self.out["texts"] += kept != value
        return kept


def _values(text: bytes) -> dict[bytes, bytes]:
    return {m[1]: m[2] if m[2] is not None else m[3] for m in _VALUE.finditer(text)}
