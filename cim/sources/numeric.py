"""Numbers of a file in the units of the attributes they feed; what cannot be meant is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError, UnitError
from cim.model.kinds import Field
from cim.sources.columns import Column
from cim.sources.spec import LayerSpec
from cim.sources.values import MAY_BE_NEGATIVE, factor, parse_number

__all__ = ["HIGHEST_M", "LIMITED", "Attributes", "numbers", "parsed", "raw_numbers", "times_of"]
__all__ += ["wrong_type"]

HIGHEST_M = 1000.0  # above ground; the tallest building of 2025 stands 828 m
_MISSING = (-99.0, -999.0, -9999.0, -99999.0, -32768.0)  # usual marks of a missing number
_BETWEEN = {  # above the first, up to the second; what is outside no city has
    "speed_mps": (0.0, 70.0),
    "lanes": (0.0, 30.0),
    "storeys_above": (-1.0, 250.0),
}
_HOUSES = ("building", "building_part")
LIMITED = ("height_m", "ridge_m")
"""Attributes that are never higher."""

Fault = tuple[str, dict[str, Any]]


@dataclass
class Attributes:
    """The attributes of all rows.

    Attributes
    ----------
    columns, fields
        As in a `FeatureTable`, without the common attributes that the source as a
        whole gives.
    rejected, repaired
        Row -> message key and values.
    """

    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    rejected: dict[int, Fault] = field(default_factory=dict)
    repaired: dict[int, Fault] = field(default_factory=dict)

    def drop(self, rows: NDArray[np.bool_], name: str, values: NDArray[Any]) -> None:
        """Say of `rows` that their value of attribute `name` is left out."""
        for row in np.flatnonzero(rows):
            self.repaired.setdefault(
                int(row), ("source.object.value_dropped", {"name": name, "value": values[row]})
            )


def times_of(declared: Field, spec: LayerSpec) -> float:
    """Return the factor from a file's unit to the attribute's."""
    unit = spec.units.get(declared.name)
    if unit is None:
        return 1.0
    if not declared.unit:
        raise UnitError("source.unit_of_text", given=unit, values={"attribute": declared.name})
    return factor(unit, declared.unit)


def numbers(
    out: Attributes, declared: Field, column: Column, spec: LayerSpec, column_name: str
) -> NDArray[np.float64]:
    """Return one column in the attribute's unit; what cannot be is rejected or left out."""
    values = raw_numbers(out, declared, column, spec, column_name)
    if declared.name not in MAY_BE_NEGATIVE:
        for row in np.flatnonzero(values < 0):
            out.rejected.setdefault(
                int(row),
                ("source.object.negative", {"name": declared.name, "value": f"{values[row]:g}"}),
            )
    low, most = _BETWEEN.get(declared.name, (-np.inf, np.inf))
    if declared.name in LIMITED:
        most = HIGHEST_M
    odd = (values <= low) | (values > most)
    if declared.name in LIMITED and spec.kind in _HOUSES:  # 0 where a table knows no height
        for row in np.flatnonzero(values == 0):
            fault = ("source.object.no_height", {"name": declared.name})
            out.repaired.setdefault(int(row), fault)
        odd |= values == 0
    out.drop(odd, declared.name, values)  # keeps what was said already
    return np.where(odd, np.nan, values)


def raw_numbers(
    out: Attributes, declared: Field, column: Column, spec: LayerSpec, column_name: str
) -> NDArray[np.float64]:
    """Return one column in the attribute's unit, whatever the numbers are."""
    times = times_of(declared, spec)
    if column.type in ("real", "integer"):
        values = np.asarray(column.values, dtype=np.float64) * times
        if column.not_finite is not None:
            out.drop(column.not_finite, declared.name, np.full(len(values), "NaN", dtype=object))
    elif column.type == "text":
        values = parsed(out, declared, column, times)
    else:
        example = next((str(v) for v in column.values if v is not None), "-")
        raise wrong_type(declared.name, example, spec, column_name)
    if declared.type == "integer":
        broken = np.isfinite(values) & (np.abs(values - np.round(values)) > 1e-6)
        out.drop(broken, declared.name, values)
        values = np.where(broken, np.nan, np.round(values))
    if declared.name not in MAY_BE_NEGATIVE:
        marks = np.isin(values, _MISSING) | ((values < 0) & (declared.name not in LIMITED))
        out.drop(marks, declared.name, values)
        values = np.where(marks, np.nan, values)
    return values


def parsed(out: Attributes, declared: Field, column: Column, times: float) -> NDArray[np.float64]:
    """Return texts as numbers, NaN where a text means none; these are left out."""
    known: dict[str, float | None] = {None: None}  # type: ignore[dict-item]
    for text in set(column.values.tolist()) - {None}:
        known[text] = parse_number(text, declared, times)
    numbers = [known[v] for v in column.values.tolist()]
    values = np.array(numbers, dtype=np.float64)
    there = np.array([v is not None for v in column.values], dtype=bool)
    out.drop(there & np.isnan(values), declared.name, column.values)
    return values


def wrong_type(attribute: str, example: str, spec: LayerSpec, column: str) -> SourceError:
    """Return the error of a column that cannot feed the attribute it is meant for."""
    values = {"file": spec.file.name, "attribute": attribute, "example": example[:40]}
    return SourceError("source.column_type", given=column, values=values)
