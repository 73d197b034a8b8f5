"""What an import did: every object read, kept, repaired or rejected, with reason and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cim import messages

__all__ = ["Entry", "LayerCount", "Report"]


@dataclass(frozen=True)
class Entry:
    """One line of a report.

    Attributes
    ----------
    action
        ``repaired`` or ``rejected`` concern one object, ``note`` a file or layer:
        something assumed, chosen or dropped that the reader must know.
    reason
        Message key; its remedy is the key's ``do_*`` text.
    file, layer
        Where.
    object
        The object as its source names it (own id, else row number from 1).
    values
        Values for the text.
    """

    action: Literal["repaired", "rejected", "note"]
    reason: str
    file: str
    layer: str
    object: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def record(self, lang: str | None = None) -> dict[str, Any]:
        """Return the line as plain data, its texts in `lang`."""
        return {
            "action": self.action,
            "key": self.reason,
            "reason": messages.text(self.reason, self.values, lang=lang),
            "file": self.file,
            "layer": self.layer,
            "object": self.object,
            "remedy": messages.remedy(self.reason, self.values, lang=lang),
            "values": {key: _plain(value) for key, value in self.values.items()},
        }


@dataclass
class LayerCount:
    """Objects of one layer: read = kept + rejected; repaired ones are among the kept."""

    read: int = 0
    kept: int = 0
    repaired: int = 0
    rejected: int = 0


@dataclass
class Report:
    """The account of an import, filled while it runs."""

    entries: list[Entry] = field(default_factory=list)
    counts: dict[str, LayerCount] = field(default_factory=dict)

    def layer(self, name: str) -> LayerCount:
        """Return the counter of a layer."""
        return self.counts.setdefault(name, LayerCount())

    def note(
        self, reason: str, *, file: str, layer: str, values: Mapping[str, Any] | None = None
    ) -> None:
        """Say something about a file or layer that the reader must know."""
        self.entries.append(Entry("note", reason, file, layer, values=values or {}))

    def repair(
        self,
        reason: str,
        *,
        file: str,
        layer: str,
        object: str,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """List an object that was repaired and kept."""
        self.entries.append(Entry("repaired", reason, file, layer, object, values or {}))

    def reject(
        self,
        reason: str,
        *,
        file: str,
        layer: str,
        object: str,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """List an object that was not taken in."""
        self.entries.append(Entry("rejected", reason, file, layer, object, values or {}))

    def merge(self, other: Report) -> None:
        """Add the account of another file."""
        self.entries += other.entries
        for name, count in other.counts.items():
            mine = self.layer(name)
            mine.read += count.read
            mine.kept += count.kept
            mine.repaired += count.repaired
            mine.rejected += count.rejected

    @property
    def total(self) -> LayerCount:
        """Return the sum over layers."""
        total = LayerCount()
        for count in self.counts.values():
            total.read += count.read
            total.kept += count.kept
            total.repaired += count.repaired
            total.rejected += count.rejected
        return total

    def record(self, lang: str | None = None) -> dict[str, Any]:
        """Return the whole account as plain data."""
        total = self.total
        return {
            "schema": "cim-report/1",
            "read": total.read,
            "kept": total.kept,
            "repaired": total.repaired,
            "rejected": total.rejected,
            "layers": {name: vars(count) for name, count in self.counts.items()},
            "entries": [entry.record(lang) for entry in self.entries],
        }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
