"""Appearances of a CityGML file: which face wears which colour or image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.sources.gml_geometry import numbers
from cim.sources.gml_xml import attribute, href, local, text_of

__all__ = ["Looks", "Worn"]

_COLOURS = ("diffuseColor", "emissiveColor", "specularColor")
_SHARES = ("ambientIntensity", "shininess", "transparency")


@dataclass(frozen=True)
class Worn:
    """What one target wears in one theme.

    Attributes
    ----------
    theme
        Its name; may be empty.
    material, texture
        Number of one of the two; -1 for the other.
    uv
        gml:id of a ring -> (n, 2).
    """

    theme: str
    material: int
    texture: int
    uv: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class Looks:
    """All appearances of a file.

    Attributes
    ----------
    materials, textures
        Records with the members of CityJSON.
    worn
        gml:id of a face, or of what it is part of -> what it wears.
    dropped
        Name of an element -> how often it could not be kept.
    """

    materials: list[Mapping[str, Any]] = field(default_factory=list)
    textures: list[Mapping[str, Any]] = field(default_factory=list)
    worn: dict[str, list[Worn]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    def take(self, appearance: Any) -> None:
        """Take one ``Appearance`` element."""
        theme = next((text_of(c) for c in appearance if local(c) == "theme"), "")
        for member in appearance:
            if local(member) in ("surfaceDataMember", "surfaceData"):
                for data in member:
                    self._take(data, theme)

    def _take(self, data: Any, theme: str) -> None:
        name = local(data)
        if name == "X3DMaterial":
            self.materials.append(_material(data, len(self.materials)))
            number = len(self.materials) - 1
            for child in data:
                target = self._target(child) if local(child) == "target" else None
                if target:
                    self.worn.setdefault(target, []).append(Worn(theme, number, -1))
        elif name == "ParameterizedTexture":
            self.textures.append(_texture(data))
            for child in data.iter():
                if local(child) == "target" and not len(child) and href(child) is None:
                    continue
                if local(child) in ("target", "textureParameterization"):
                    self._drape(child, theme, len(self.textures) - 1)
        else:
            self.dropped[name] += 1

    def _target(self, element: Any) -> str | None:
        return text_of(element).rpartition("#")[2] or href(element)

    def _drape(self, element: Any, theme: str, number: int) -> None:
        uri = attribute(element, "uri") or ""
        for child in element.iter():
            if local(child) == "target" and child is not element:
                uri = uri or text_of(child)
        target = uri.rpartition("#")[2]
        if not target:
            return
        uv = {}
        for one in element.iter():
            if local(one) == "textureCoordinates":
                ring = (attribute(one, "ring") or "").rpartition("#")[2]
                flat = numbers(one.text)
                if len(flat) % 2 == 0 and np.isfinite(flat).all():
                    uv[ring] = flat.reshape(-1, 2)
                else:
                    self.dropped["textureCoordinates"] += 1
            elif local(one) == "TexCoordGen":
                self.dropped["TexCoordGen"] += 1
        rings = [text_of(r).rpartition("#")[2] for r in element.iter() if local(r) == "ring"]
        for ring, values in zip(rings, list(uv.values()), strict=False):  # CityGML 3 apart
            uv[ring] = values
        if uv:
            self.worn.setdefault(target, []).append(Worn(theme, -1, number, uv))


def _material(data: Any, number: int) -> dict[str, Any]:
    out: dict[str, Any] = {"name": attribute(data, "id") or f"material{number}"}
    for child in data:
        name, flat = local(child), numbers(child.text)
        if name in _COLOURS and len(flat) == 3 and ((flat >= 0) & (flat <= 1)).all():
            out[name] = flat.tolist()
        elif name in _SHARES and len(flat) == 1 and 0 <= flat[0] <= 1:
            out[name] = float(flat[0])
        elif name == "isSmooth":
            out[name] = text_of(child) in ("true", "1")
    return out


def _texture(data: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for child in data:
        name, value = local(child), text_of(child)
        if name == "imageURI":
            out["image"] = value
            out["type"] = "PNG" if value.lower().endswith(".png") else "JPG"
        elif name == "wrapMode" and value in ("none", "wrap", "mirror", "clamp", "border"):
            out["wrapMode"] = value
        elif name == "textureType" and value in ("unknown", "specific", "typical"):
            out["textureType"] = value
        elif name == "borderColor":
            flat = numbers(value)
            if len(flat) in (3, 4) and ((flat >= 0) & (flat <= 1)).all():
                out["borderColor"] = flat.tolist()
    out.setdefault("image", "")
    out.setdefault("type", "PNG")
    return out
