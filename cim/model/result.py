"""What a question returns: fields with units on a carrier, one time axis, a balance.

Every engine returns a `Result`; the store keeps it as a run, `scenes` draws it,
`cim.compare` subtracts two of them. None of them knows which engine made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, ShapeError
from cim.model.grid import GridFrame

__all__ = ["Carrier", "Result", "ResultField"]

Carrier = Literal["objects", "links", "grid"]


@dataclass(frozen=True)
class ResultField:
    """One quantity of a result.

    Attributes
    ----------
    name, unit
        Machine name with its unit in it (``depth_m``) and the unit (``"m"``).
    carrier
        ``objects``: ids of one layer; ``links``: ids of road or pipe features;
        ``grid``: the result's grid.
    values
        objects/links: (n,) or (t, n); grid: (rows, cols) or (t, rows, cols); float, NaN = none.
    titles
        ``{"en": …, "zh": …}``.
    layer, ids
        For objects and links: their layer and (n,) ids.
    over_time
        Whether the first axis of `values` is the result's time axis.
    """

    name: str
    unit: str
    carrier: Carrier
    values: NDArray[Any]
    titles: Mapping[str, str]
    layer: str = ""
    ids: NDArray[Any] | None = None
    over_time: bool = False

    def at(self, step: int) -> NDArray[Any]:
        """Return the values at one time step; the values themselves where time plays no part."""
        chosen: NDArray[Any] = self.values[step] if self.over_time else self.values
        return chosen


@dataclass(frozen=True)
class Result:
    """The answer to one question about one twin.

    Attributes
    ----------
    question
        Which engine was asked: ``flood``, ``traffic``, ``sun``…
    titles
        What the answer shows, by language.
    fields
        The first is the one a picture shows unless another is asked for.
    summary
        Plain numbers and texts for a reader; each verdict names its rule.
    parameters
        What was asked, complete enough to ask it again.
    twin_version, scheme
        What it was asked of.
    kernel_version
        Version of the program that answered.
    times_s, start
        (t,) seconds since `start`, an instant with its offset; None where time plays no part.
    grid
        Frame of the grid fields.
    balance
        Ledger of a conserved quantity: what came in, went out, stayed; ``error_rel``.
    illustrative
        Whether any input was illustrative (示意数据).
    notes
        What a reader should know: what was assumed, left out, approximated; by language.
    """

    question: str
    titles: Mapping[str, str]
    fields: tuple[ResultField, ...]
    summary: Mapping[str, Any]
    parameters: Mapping[str, Any]
    twin_version: int
    kernel_version: str
    illustrative: bool
    scheme: str | None = None
    times_s: NDArray[np.float64] | None = None
    start: datetime | None = None
    grid: GridFrame | None = None
    balance: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Mapping[str, str], ...] = ()

    def __post_init__(self) -> None:
        for one in self.fields:
            _check(self, one)

    def field(self, name: str) -> ResultField:
        """Return one field.

        Raises
        ------
        RequestError
            No such field; the message lists those there are.
        """
        for one in self.fields:
            if one.name == name:
                return one
        known = ", ".join(f.name for f in self.fields)
        raise RequestError("result.no_field", given=name, values={"known": known})


def _check(result: Result, one: ResultField) -> None:
    shape = one.values.shape[1:] if one.over_time else one.values.shape
    if one.over_time and (result.times_s is None or len(result.times_s) != one.values.shape[0]):
        raise ShapeError("result.times", given=one.name, values={"shape": one.values.shape})
    want: tuple[int, ...] | None
    if one.carrier == "grid":
        want = result.grid.shape if result.grid is not None else None
    else:
        want = (len(one.ids),) if one.ids is not None else None
    if shape != want:
        raise ShapeError("result.shape", given=one.name, values={"got": shape, "want": want})
