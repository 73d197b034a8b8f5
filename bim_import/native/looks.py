"""What an item wears: the name and colour of its surface style."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from bim_import.step import Ref, StepFile

__all__ = ["Look", "Looks"]

Look = tuple[str, tuple[float, float, float, float]]


class Looks:
    """Surface styles of one file: of items, and of materials where an item has none."""

    def __init__(self, step: StepFile) -> None:
        self.step = step
        self._read: dict[int, Look | None] = {}

    def item(self, number: int) -> Look | None:
        """Return the look of an item."""
        styles = self.styled.get(number)
        return None if styles is None else self._first(styles[1])

    def product(self, number: int) -> Look | None:
        """Return the look of a product's material."""
        material = self._materials.get(number)
        seen = 0
        while isinstance(material, Ref) and seen < 6:
            seen += 1
            if material in self._drawn:
                return self._first(self._drawn[material])
            args = self.step.args(material)
            inner = next((a for a in args if isinstance(a, (Ref, list)) and a), None)
            material = next((x for x in inner if isinstance(x, Ref)), None) if isinstance(
                inner, list) else inner  # fmt: skip
        return None

    @cached_property
    def styled(self) -> dict[int, tuple[int, list[Any]]]:
        """Item -> (number of its IfcStyledItem, styles)."""
        found: dict[int, tuple[int, list[Any]]] = {}
        for number, args in self.step.each("IFCSTYLEDITEM"):
            if len(args) > 1 and isinstance(args[0], Ref) and isinstance(args[1], list):
                found.setdefault(int(args[0]), (number, args[1]))
        return found

    @cached_property
    def _materials(self) -> dict[int, Ref]:
        found: dict[int, Ref] = {}
        for _, args in self.step.each("IFCRELASSOCIATESMATERIAL"):
            if len(args) > 5 and isinstance(args[4], list) and isinstance(args[5], Ref):
                for one in args[4]:
                    if isinstance(one, Ref):
                        found.setdefault(int(one), args[5])
        return found

    @cached_property
    def _drawn(self) -> dict[int, list[Any]]:
        """Material -> styles."""
        found: dict[int, list[Any]] = {}
        for _, args in self.step.each("IFCMATERIALDEFINITIONREPRESENTATION"):
            if len(args) < 4 or not isinstance(args[3], Ref) or not isinstance(args[2], list):
                continue
            for rep in args[2]:
                own = self.step.args(rep) if isinstance(rep, Ref) else []
                for item in own[3] if len(own) > 3 and isinstance(own[3], list) else ():
                    held = self.step.args(item) if isinstance(item, Ref) else []
                    if len(held) > 1 and isinstance(held[1], list):
                        found.setdefault(int(args[3]), held[1])
        return found

    def _first(self, styles: list[Any]) -> Look | None:
        for style in styles:
            if isinstance(style, Ref):
                if style not in self._read:
                    self._read[style] = self._style(style)
                if self._read[style] is not None:
                    return self._read[style]
        return None

    def _style(self, number: Ref, depth: int = 3) -> Look | None:
        name, args = self.step.name(number), self.step.args(number)
        if name == "IFCPRESENTATIONSTYLEASSIGNMENT" and depth and isinstance(args[0], list):
            inner = (self._style(one, depth - 1) for one in args[0] if isinstance(one, Ref))
            return next((look for look in inner if look is not None), None)
        if name != "IFCSURFACESTYLE" or len(args) < 3 or not isinstance(args[2], list):
            return None
        for shading in args[2]:
            own = self.step.args(shading) if isinstance(shading, Ref) else []
            if not own or not self.step.name(shading).startswith("IFCSURFACESTYLE"):
                continue
            rgb = self.step.args(own[0])[1:4] if isinstance(own[0], Ref) else []
            clear = own[1] if len(own) > 1 else 0.0
            clear = float(clear) if isinstance(clear, (int, float)) and 0 <= clear <= 1 else 0.0
            if len(rgb) == 3 and all(isinstance(v, (int, float)) for v in rgb):
                red, green, blue = (round(min(1.0, max(0.0, float(v))), 4) for v in rgb)
                label = args[0] if isinstance(args[0], str) and args[0] else f"style-{number}"
                return label, (red, green, blue, round(1.0 - clear, 4))
        return None
