"""What a drawer is asked and what it answers: a result as colours with their legend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cim.model.result import Result, ResultField
from scenes.drawables import Legend

__all__ = ["Asked", "Colour", "Drawer", "Drawing"]

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Asked:
    """One field of a result at one time, and the language of its legend."""

    result: Result
    field: ResultField
    step: int | None
    lang: str | None = None

    @property
    def values(self) -> NDArray[np.float64]:
        """Return the values to draw, NaN where there is none."""
        chosen = self.field.values if self.step is None else self.field.at(self.step)
        values: NDArray[np.float64] = chosen.astype(np.float64)
        return values

    @cached_property
    def span(self) -> tuple[float, float]:
        """Return the least and largest value of all times: one colour means one value in a run.

        0 and 1 where there is no value at all.
        """
        steps = self.field.values if self.field.over_time else self.field.values[None]
        least, most = np.inf, -np.inf
        for step in steps:  # one at a time: a long run is larger than its copies may be
            known = step[np.isfinite(step)]
            if known.size:
                least, most = min(least, float(known.min())), max(most, float(known.max()))
        return (least, most) if least <= most else (0.0, 1.0)


@dataclass(frozen=True)
class Drawing:
    """A result as colours.

    Attributes
    ----------
    legend
        What the colours mean.
    objects
        ``{layer: {id: colour}}`` for features on links or objects.
    widths
        ``{layer: {id: share}}``: 0..1 of the full width a link is drawn with.
    cells
        (rows, cols, 4) uint8 for a grid field, alpha 0 where there is nothing to show.
    time_s
        The time shown, or None.
    light
        Direction light comes from (x, y, z), where the result knows the sun.
    """

    legend: Legend
    objects: Mapping[str, Mapping[str, Colour]] = field(default_factory=dict)
    widths: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cells: NDArray[np.uint8] | None = None
    time_s: float | None = None
    light: tuple[float, float, float] | None = None


Drawer = Callable[[Asked], Drawing]
