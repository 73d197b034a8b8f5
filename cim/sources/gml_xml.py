"""XML that strangers wrote, read piece by piece: no DTD, no entities, no network, no whole tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cim.errors import SourceError

__all__ = ["attribute", "href", "local", "pieces", "text_of"]

_HEAD = 1 << 20  # where a document type could stand
_DEEPEST = 200


def pieces(path: Path, names: frozenset[str]) -> Iterator[Any]:
    """Yield every whole element whose local name is in `names`, then forget it.

    An element inside another of `names` comes first and is still there in the outer one.

    Raises
    ------
    SourceError
        A document type (entities, external files), XML that is not well-formed, or nested
        deeper than any city model.
    """
    from lxml import etree

    _refuse_doctype(path)
    depth = 0
    open_names = 0
    try:
        with path.open("rb") as file:
            events = etree.iterparse(
                file,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
                remove_comments=True,
                remove_pis=True,
            )
            for event, element in events:
                wanted = local(element) in names
                if event == "start":
                    depth += 1
                    open_names += wanted
                    if depth > _DEEPEST:
                        raise SourceError("source.xml_deep", given=path.name)
                    continue
                depth -= 1
                open_names -= wanted
                if wanted:
                    yield element
                if open_names == 0 and depth > 0:
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        why = " ".join(str(error.msg).split())[:200]
        values = {"line": (error.position or (0, 0))[0], "why": why}
        raise SourceError("source.xml_broken", given=path.name, values=values) from error


def _refuse_doctype(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for encoding in ("ascii", "utf-16-le", "utf-16-be"):
        if "<!DOCTYPE".encode(encoding) in head or "<!ENTITY".encode(encoding) in head:
            raise SourceError("source.xml_doctype", given=path.name)


def local(element: Any) -> str:
    """Return an element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str | None:
    """Return an attribute by its local name."""
    for key, value in element.attrib.items():
        if key == name or key.endswith("}" + name):
            return str(value)
    return None


def href(element: Any) -> str | None:
    """Return the id a reference points at inside the file, with its ``#`` or without.

    One that points into another file is returned whole: no id is called so.
    """
    found = attribute(element, "href")
    return found.removeprefix("#") if found else None


def text_of(element: Any) -> str:
    """Return an element's own text, trimmed."""
    return (element.text or "").strip()
