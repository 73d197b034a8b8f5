"""Which columns hold what an object goes by: its names, addresses and numbers."""

from __future__ import annotations

__all__ = ["is_naming"]

_OF_EVERY_KIND = ("name", "former_name", "address", "text", "code", "source_id")
_PARTS = ("name", "address", "名", "地址")  # of a source's own columns


def is_naming(column: str) -> bool:
    """Tell whether a look-up by name reads the column."""
    return column in _OF_EVERY_KIND or any(part in column.lower() for part in _PARTS)
