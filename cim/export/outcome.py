"""What an export wrote and, as plainly, what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cim import messages
from cim.model.twin import TwinView

__all__ = ["Exported", "left_out"]


@dataclass
class Exported:
    """The account of an export.

    Attributes
    ----------
    layers
        Layer -> how many features or grids were written.
    left_out
        Message key and values -> how often; every line is one thing that is not in the file.
    """

    layers: dict[str, int] = field(default_factory=dict)
    left_out: Counter[tuple[str, tuple[tuple[str, Any], ...]]] = field(default_factory=Counter)

    def leave(self, key: str, count: int = 1, /, values: Mapping[str, Any] | None = None) -> None:
        """Say that something is not in the file."""
        if count:
            self.left_out[key, tuple(sorted((values or {}).items()))] += count

    def record(self, lang: str | None = None) -> list[dict[str, Any]]:
        """Return what was left out as plain data, worded in `lang`."""
        return [
            {"key": key, "count": count, "text": messages.text(key, values, lang=lang)}
            for (key, pairs), count in self.left_out.items()
            if (values := {**dict(pairs), "count": count})
        ]


def left_out(view: TwinView, layers: Mapping[str, int], *, grids: bool = False) -> Exported:
    """Return what a format of flat features, or of grids, cannot hold of a twin.

    Parameters
    ----------
    view
        The twin.
    layers
        What was written.
    grids
        Whether the format holds grids, and features are what is left out.
    """
    out = Exported(dict(layers))
    every = [*view.layers(), *view.grids()]
    missing = [name for name in every if name not in layers]
    if missing:
        out.leave("export.left.layers", len(missing), {"names": ", ".join(sorted(missing))})
    if not grids:
        out.leave("export.left.meshes", len(view.meshes()))
        out.leave("export.left.bodies", len(view.bodies()))
    return out
