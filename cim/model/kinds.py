"""What kinds of things a city has: an open table with a closed core.

A kind is a row of ``kinds.toml``: its names, what carries it (polygon, line,
point, grid), its attributes with units, its CityJSON type and its CIM data class.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from cim.errors import RequestError

__all__ = ["COMMON", "Field", "FieldType", "Kind", "kind", "kinds", "split_layer"]

FieldType = Literal["text", "real", "integer", "boolean", "instant"]


@dataclass(frozen=True)
class Field:
    """One declared attribute: name, type, unit, titles, and where its values come from.

    ``unit`` is the SI or field unit (``"m"``, ``"mm/h"``), ``"1"`` for a pure
    number and ``""`` for text.
    """

    name: str
    type: FieldType
    unit: str = ""
    en: str = ""
    zh: str = ""
    source: str = ""
    date: str = ""
    accuracy_m: float | None = None
    licence: str = ""

    @property
    def titles(self) -> dict[str, str]:
        """Return the titles by language."""
        return {"en": self.en or self.name, "zh": self.zh or self.en or self.name}


@dataclass(frozen=True)
class Kind:
    """A row of the table of kinds."""

    name: str
    en: str
    zh: str
    carrier: str
    prefix: str
    cityjson: str
    data_class: str
    fields: tuple[Field, ...]
    unit: str = ""

    @property
    def titles(self) -> dict[str, str]:
        """Return the names by language."""
        return {"en": self.en, "zh": self.zh}

    def field(self, name: str) -> Field | None:
        """Return the declared attribute `name`, common ones included, or None."""
        return next((f for f in (*self.fields, *COMMON) if f.name == name), None)


def kinds() -> Mapping[str, Kind]:
    """Return every kind by name."""
    return _table()


def kind(name: str) -> Kind:
    """Return the kind called `name`.

    Raises
    ------
    RequestError
        No such kind; the message lists those there are.
    """
    found = _table().get(name)
    if found is None:
        raise RequestError("kind.unknown", given=name, values={"known": ", ".join(_table())})
    return found


def split_layer(layer: str) -> tuple[str, str]:
    """Split a layer's name into kind and own name: ``"tree/old"`` gives ``("tree", "old")``."""
    head, _, own = layer.partition("/")
    return head, own


def _field(name: str, text: str) -> Field:
    head, en, zh = (part.strip() for part in text.split("|"))
    type_, _, unit = head.partition(" ")
    if type_ not in ("text", "real", "integer", "boolean", "instant"):
        raise ValueError(f"kinds.toml: attribute {name} has the unknown type {type_!r}")
    return Field(name=name, type=type_, unit=unit.strip(), en=en, zh=zh)  # type: ignore[arg-type]


@cache
def _raw() -> dict[str, dict[str, dict[str, object]]]:
    with (Path(__file__).parent / "kinds.toml").open("rb") as file:
        return tomllib.load(file)


def _fields(row: Mapping[str, object]) -> tuple[Field, ...]:
    attributes = row.get("attributes", {})
    assert isinstance(attributes, dict)
    return tuple(_field(name, text) for name, text in attributes.items())


COMMON: tuple[Field, ...] = _fields(_raw()["common"])


@cache
def _table() -> dict[str, Kind]:
    return {
        name: Kind(
            name=name,
            en=str(row["en"]),
            zh=str(row["zh"]),
            carrier=str(row["carrier"]),
            prefix=str(row["prefix"]),
            cityjson=str(row["cityjson"]),
            data_class=str(row["data_class"]),
            fields=_fields(row),
            unit=str(row.get("unit", "")),
        )
        for name, row in _raw()["kind"].items()
    }
