"""What the thresholds are, where they come from, and how far they can be trusted.

Two hours of sun, fifteen centimetres of water, the capacity of a lane: such numbers are
data with a value, a unit, a source and a status, never constants in code. Every verdict
cites the entry it used. The table is ``standards.toml`` beside this module.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from cim import messages
from cim.errors import RequestError

__all__ = ["STATUSES", "Standard", "UnknownStandardError", "cite", "standard", "standards"]

Status = Literal["verified", "unverified", "project choice"]
STATUSES: tuple[Status, ...] = ("verified", "unverified", "project choice")


class UnknownStandardError(RequestError, KeyError):
    """A key that does not stand in the table of standards."""


@dataclass(frozen=True)
class Standard:
    """One threshold.

    Parameters
    ----------
    key
        Dotted key, ``"flood.lane_depth_m"``; where it ends in a unit, that is its unit.
    value
        A number, a text, a tuple, or a read-only mapping by class.
    unit
        ``"m"``, ``"mm/h"``, …; ``"1"`` for a pure number, empty for text.
    source
        Document and clause, or the reason of a choice.
    status
        ``"verified"``, ``"unverified"`` or ``"project choice"``.
    titles
        Name in English and Chinese.
    note
        Limits of its use; may be empty.
    """

    key: str
    value: Any
    unit: str
    source: str
    status: Status
    titles: Mapping[str, str]
    note: str = ""

    def title(self, lang: str | None = None) -> str:
        """Return the name in `lang`."""
        return messages.title(self.titles, lang=lang)

    def number(self) -> float:
        """Return the value as a float.

        Raises
        ------
        RequestError
            The entry is a list, a table or a text.
        """
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise RequestError("registry.not_a_number", given=self.key)
        return float(self.value)

    def by_class(self, name: str) -> float:
        """Return the number of one class of a table such as Manning's n by surface.

        Raises
        ------
        RequestError
            Not a table, or no such class; the message lists those there are.
        """
        table = self.value if isinstance(self.value, Mapping) else {}
        if name not in table:
            values = {"key": self.key, "known": ", ".join(table) or "-"}
            raise RequestError("registry.no_class", given=name, values=values)
        return float(table[name])

    def cite(self, lang: str | None = None) -> str:
        """Return value, source and status as one line for a verdict."""
        values = {
            "title": self.title(lang),
            "value": self._value_text(),
            "source": self.source,
            "status": messages.text(f"registry.status.{self.status.replace(' ', '_')}", lang=lang),
        }
        return messages.text("registry.cite", values, lang=lang)

    def _value_text(self) -> str:
        if isinstance(self.value, Mapping):
            text = ", ".join(f"{name} {_text(part)}" for name, part in self.value.items())
        else:
            text = _text(self.value)
        return f"{text} {self.unit}" if self.unit not in ("", "1") else text


def standards() -> Mapping[str, Standard]:
    """Return every threshold by key, in the order of the table."""
    return _table()


def standard(key: str) -> Standard:
    """Return the threshold called `key`.

    Raises
    ------
    UnknownStandardError
        No such key; the message names the nearest. It is also a `KeyError`.

    Examples
    --------
    >>> standard("flood.lane_depth_m").value, standard("flood.lane_depth_m").status
    (0.15, 'verified')
    """
    found = _table().get(key)
    if found is None:
        near = get_close_matches(key, _table(), n=3, cutoff=0.3) or list(_table())[:3]
        raise UnknownStandardError("registry.unknown", given=key, values={"near": ", ".join(near)})
    return found


def cite(key: str, lang: str | None = None) -> str:
    """Return the line that a verdict prints about `key`; see `Standard.cite`."""
    return standard(key).cite(lang)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "/".join(_text(part) for part in value)
    return str(value)


@cache
def _table() -> Mapping[str, Standard]:
    with (Path(__file__).parent / "standards.toml").open("rb") as file:
        found: dict[str, Standard] = {}
        _collect(tomllib.load(file), "", found)
    return MappingProxyType(found)


def _collect(node: Mapping[str, Any], key: str, found: dict[str, Standard]) -> None:
    if "value" not in node:
        for name, child in node.items():
            _collect(child, f"{key}.{name}" if key else name, found)
        return
    if node["status"] not in STATUSES:
        raise ValueError(f"standards.toml: {key} has the unknown status {node['status']!r}")
    found[key] = Standard(
        key=key,
        value=_frozen(node["value"]),
        unit=node["unit"],
        source=node["source"],
        status=cast(Status, node["status"]),
        titles=MappingProxyType(dict(node["title"])),
        note=node.get("note", ""),
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(part) for name, part in value.items()})
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
