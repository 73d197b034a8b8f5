"""In which encoding the texts of a file stand, and whether it is the declared one.

Chinese Shapefiles come in GBK or in UTF-8, often with a ``.cpg`` that says the
other. Bytes that are valid UTF-8 throughout are UTF-8: a GBK text of some length
that is valid UTF-8 by chance hardly exists. Latin-1 accepts every byte, so what it
accepts proves nothing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path

from cim.errors import SourceError
from cim.sources.opening import sidecar
from cim.sources.report import Report

__all__ = ["MOST_TEXTS", "check_texts", "json_source", "shapefile_encoding", "table_source"]

_LANGUAGE_IDS = {0x4D: "gbk", 0x7A: "gbk", 0x78: "big5", 0x4F: "big5", 0x13: "cp932"}
_GDAL = {"latin-1": "ISO-8859-1"}  # where GDAL spells a codec in another way than Python
MOST_TEXTS = 20_000  # that are looked at for wrong decoding
_MOST_LOST = 3  # damaged places in a text that is what it says all the same
_MOST_BYTES = 4_000_000  # enough to tell an encoding; the rest is read by GDAL
_HAN = re.compile(r"[\u3400-\u9fff]")


def shapefile_encoding(path: Path, declared: str | None, report: Report, layer: str) -> str:
    """Return the encoding of a Shapefile's texts: declared, in its .cpg, or found.

    Parameters
    ----------
    path
        The .shp file.
    declared
        What the user says, if anything; it counts over the .cpg.
    report, layer
        Where an encoding that nobody declared is said aloud.

    Raises
    ------
    SourceError
        The texts are not in the declared encoding; the message names both.
    """
    dbf = sidecar(path, ".dbf")
    assert dbf is not None
    texts, language = _dbf_texts(dbf)
    said = declared or _cpg(path) or _LANGUAGE_IDS.get(language)
    found = _guess(texts)
    if said is None:
        chosen = found or "utf-8"
        if texts and found is not None:
            report.note(
                "source.encoding_found",
                file=path.name,
                layer=layer,
                values={"encoding": chosen.upper()},
            )
        return _GDAL.get(chosen, chosen)
    name = _codec(said, path)
    if texts and not _fits(texts, name, found):
        raise SourceError(
            "source.encoding_wrong",
            given=path.name,
            values={"declared": said, "found": (found or "?").upper()},
        )
    return _GDAL.get(name, name)


def json_source(path: Path, declared: str | None) -> bytes | Path:
    """Return a GeoJSON file as it is where it is clean UTF-8, else its text as `json_text` does.

    Raises
    ------
    SourceError
        As `json_text`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            clean = declared is None and not file.read(3).startswith(codecs.BOM_UTF8)
            file.seek(0)
            while clean and (block := file.read(_MOST_BYTES)):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        clean = False
    return path.absolute() if clean else json_text(path, declared)


def json_text(path: Path, declared: str | None) -> bytes:
    """Return a GeoJSON file as UTF-8 bytes, without a byte order mark.

    GeoJSON is UTF-8 (RFC 7946, section 11.1 by way of RFC 8259); a file in another
    encoding is read only when that is declared.

    Raises
    ------
    SourceError
        Not UTF-8 and nothing declared, or not in the declared encoding.
    """
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="strict").encode()
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        mended = nearly_utf8(raw) if declared is None or _codec(declared, path) == "utf-8" else None
        if mended is not None:
            return mended
        found = _guess([raw[max(0, error.start - 1000) : error.start + _MOST_BYTES]])
        if declared is None or _codec(declared, path) == "utf-8":
            raise SourceError(
                "source.encoding_wrong",
                given=path.name,
                values={"declared": "UTF-8", "found": (found or "?").upper()},
            ) from error
        try:
            return raw.decode(_codec(declared, path)).encode()
        except UnicodeDecodeError as second:
            raise SourceError(
                "source.encoding_wrong",
                given=path.name,
                values={"declared": declared, "found": (found or "?").upper()},
            ) from second
    if declared is not None and _codec(declared, path) != "utf-8" and not raw.isascii():
        raise SourceError(
            "source.encoding_wrong",
            given=path.name,
            values={"declared": declared, "found": "UTF-8"},
        )
    return raw


def nearly_utf8(raw: bytes) -> bytes | None:
    """Return bytes with a few that are no UTF-8 replaced by U+FFFD; None for another encoding.

    A text of another encoding is wrong wherever it is not ASCII; a damaged one at one
    place or two, beside many that are right or none that are not ASCII.
    """
    text = raw.decode("utf-8", errors="replace")
    lost = text.count("\ufffd") - raw.count(b"\xef\xbf\xbd")
    right = sum(not c.isascii() for c in text) - text.count("\ufffd") if lost else 0
    high = len(re.findall(rb"[\x80-\xff]", raw)) if 0 < lost <= _MOST_LOST else 0
    few = 0 < lost <= _MOST_LOST and (right >= 8 * lost or high <= _MOST_LOST)
    return text.encode() if few else None


def table_source(path: Path, declared: str | None, report: Report, layer: str) -> Path | str:
    """Return a CSV as it is where it is plain UTF-8, else its text as `table_text` does.

    Raises
    ------
    SourceError
        As `table_text`.
    """
    if declared is None:
        try:
            source = json_source(path, None)
        except (SourceError, UnicodeDecodeError):  # of another encoding
            source = b""
        if isinstance(source, Path):
            return source
    return table_text(path, declared, report, layer)


def table_text(path: Path, declared: str | None, report: Report, layer: str) -> str:
    """Return the text of a CSV: in the declared encoding, else UTF-8, else found and said aloud.

    Raises
    ------
    SourceError
        Not in the declared encoding, or in none that can be told.
    """
    if declared is None:
        raw = path.read_bytes()
        plain = raw[:2] not in (b"\xff\xfe", b"\xfe\xff") and nearly_utf8(raw) is None
        found = _guess([raw]) if plain else None
        if found == "gb18030":
            says = {"encoding": found.upper()}
            report.note("source.encoding_found", file=path.name, layer=layer, values=says)
            declared = found
    try:
        return json_text(path, declared).decode()
    except UnicodeDecodeError as error:  # UTF-16 cut in the middle of a character
        values = {"declared": declared or "UTF-16", "found": "?"}
        raise SourceError("source.encoding_wrong", given=path.name, values=values) from error


def check_texts(columns: Iterable[Iterable[object]], file: str) -> None:
    """Refuse texts that were decoded wrongly before they came here (乱码).

    A text is mojibake when writing it in GBK or Windows-1252 and reading that as
    UTF-8 gives Chinese: 澶╂触 is 天津, å¤©æ´¥ too.

    Raises
    ------
    SourceError
        Most texts beyond ASCII are of that kind, or hold the replacement character.
    """
    odd = total = lost = 0
    example = ("", "", "")
    for column in columns:
        for text in column:
            if not isinstance(text, str) or text.isascii() or len(text) < 2:
                continue
            total += 1
            if "\ufffd" in text:
                lost += 1
                example = (text, "?", "UTF-8") if not odd else example
                continue
            found = _unmixed(text)
            if found is not None:
                odd += 1
                example = (text, *found)
            if total >= MOST_TEXTS:
                break
    if total and odd + lost > total / 2 and (odd or lost > _MOST_LOST):
        raise SourceError(
            "source.mojibake",
            given=file,
            values={"text": example[0][:20], "meant": example[1][:20], "encoding": example[2]},
        )


def _unmixed(text: str) -> tuple[str, str] | None:
    for codec in ("gbk", "cp1252", "latin-1"):
        try:
            meant = text.encode(codec).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        if _HAN.search(meant) and len(meant) < len(text):
            return meant, codec
    return None


def _cpg(path: Path) -> str | None:
    found = sidecar(path, ".cpg")
    text = found.read_bytes()[:64].decode("ascii", errors="ignore").strip() if found else ""
    return text or None


def _codec(name: str, path: Path) -> str:
    text = name.strip()
    if text.isdigit():
        text = {"65001": "utf-8", "936": "gbk", "54936": "gb18030", "88591": "latin-1"}.get(
            text, f"cp{text}"
        )
    text = text.lower().replace("ansi ", "cp").removeprefix("oem ")
    try:
        found = codecs.lookup(text).name
    except (LookupError, ValueError) as error:
        raise SourceError(
            "source.encoding_unknown", given=name, values={"file": path.name}
        ) from error
    return {"iso8859-1": "latin-1", "gb2312": "gbk"}.get(found, found)


def _decodes(texts: list[bytes], name: str) -> bool:
    """Tell whether all texts decode; one may be cut inside its last character."""
    try:
        for text in texts:
            codecs.getincrementaldecoder(name)().decode(text, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _fits(texts: list[bytes], name: str, found: str | None) -> bool:
    if not _decodes(texts, name):
        return name == "utf-8" and nearly_utf8(b"\n".join(texts)) is not None
    if name == "utf-8" or found is None:
        return True
    chinese = name in ("gbk", "gb18030") and found in ("gbk", "gb18030")
    # Latin-1 and its kind accept all bytes: bytes that are UTF-8 or plainly Chinese tell better.
    return chinese or found not in ("utf-8", "gb18030")


def _guess(texts: list[bytes]) -> str | None:
    """Return utf-8, gb18030, latin-1, or None when all is ASCII."""
    joined = b"\n".join(texts)
    if joined.isascii():
        return None
    if _decodes(texts, "utf-8") or nearly_utf8(joined) is not None:
        return "utf-8"
    high = len(re.findall(rb"[\x80-\xff]", joined))
    pairs = len(re.findall(rb"[\xa1-\xfe][\xa1-\xfe]", joined))
    if 2 * pairs >= 0.8 * high:
        return "gb18030"
    return "latin-1"


def _dbf_texts(dbf: Path) -> tuple[list[bytes], int]:
    """Return the texts of a dBase table that hold bytes beyond ASCII, and its language id."""
    with dbf.open("rb") as file:
        raw = file.read(_MOST_BYTES)
    header = int.from_bytes(raw[8:10], "little")
    width = int.from_bytes(raw[10:12], "little")
    fields, offset = [], 1
    for at in range(32, header - 31, 32):
        if raw[at : at + 1] == b"\r":
            break
        size = raw[at + 16]
        fields.append((raw[at : at + 11].split(b"\0")[0], raw[at + 11 : at + 12], offset, size))
        offset += size
    texts = [name for name, _, _, _ in fields if not name.isascii()]
    spans = [(start, size) for _, type_, start, size in fields if type_ == b"C"]
    body = raw[header:]
    if not body.isascii() and width:
        for start in range(0, len(body) - width + 1, width):
            row = body[start : start + width]
            if not row.isascii():
                cells = (row[a : a + n].strip(b" \0") for a, n in spans)
                texts += [cell for cell in cells if not cell.isascii()]
    return texts, raw[29]
