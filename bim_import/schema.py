"""Which classes of IFC are products, and of what sort: IFC2X3, IFC4 and IFC4X3 in one table."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["ProductClass", "product_classes"]


@dataclass(frozen=True)
class ProductClass:
    """One class under IfcProduct.

    Attributes
    ----------
    name
        As the standard spells it.
    wholes
        Names of the class and of all above it.
    predefined
        Place of PredefinedType among its arguments.
    """

    name: str
    wholes: frozenset[str]
    predefined: int = 8

    def is_a(self, name: str) -> bool:
        """Tell whether this class is, or stands under, the class `name`."""
        return name in self.wholes


@cache
def product_classes() -> dict[str, ProductClass]:
    """Return every class under IfcProduct by its name in upper case."""
    with Path(__file__).with_name("classes.toml").open("rb") as file:
        table = tomllib.load(file)
    parent = {kind: above for above, kinds in table["kinds"].items() for kind in kinds.split()}
    place = {name: int(at) for at, names in table["predefined"].items() for name in names.split()}
    found: dict[str, ProductClass] = {}
    for name in parent:
        wholes, at = {name}, name
        while at in parent:
            at = parent[at]
            wholes.add(at)
        found[name.upper()] = ProductClass(name, frozenset(wholes), place.get(name, 8))
    return found
