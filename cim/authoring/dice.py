"""Choices that look random and are the same on every machine: a hash of a name, no state.

Each choice is a whole number hashed from the name of the thing chosen for, so adding a
house does not change its neighbours, and no library's generator can change under us.
The mixing function is SplitMix64 (Steele, Lea, Flood 2014) in exact integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["choose", "roll", "spread"]

_MASK = (1 << 64) - 1
_Item = TypeVar("_Item")


def roll(name: str, sides: int) -> int:
    """Return a whole number from 0 to `sides` - 1 that depends on `name` alone.

    Examples
    --------
    >>> roll("munan-50", 6) == roll("munan-50", 6)
    True
    """
    state = 0
    for byte in name.encode():
        state = _mix((state + 0x9E3779B97F4A7C15 + byte) & _MASK)
    return state % sides


def choose(name: str, items: Sequence[_Item]) -> _Item:
    """Return one of `items`, each as likely as the next."""
    return items[roll(name, len(items))]


def spread(name: str, low: float, high: float, *, step: float = 0.1) -> float:
    """Return a number from `low` to `high` on the grid of `step`."""
    count = round((high - low) / step)
    return round(low + roll(name, count + 1) * step, 6)


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
