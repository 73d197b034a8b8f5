"""Which geometry an object may have in CityJSON 2.0, and what is written where it has another.

The lists are those of the published JSON schemas (cityobjects.schema.json). Shells and
solids where only surfaces may stand are written as their faces; points, lines and placed
templates have no other form and are left out, counted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cim.export.outcome import Exported
from cim.model.body import BODY_TYPES, Body

__all__ = ["fitting"]

_ANY = frozenset([*BODY_TYPES, "GeometryInstance"])
_FACES = frozenset(["MultiSurface", "CompositeSurface"])
_WALLS = _FACES | {"Solid", "CompositeSolid"}
_WAYS = _FACES | {"MultiLineString"}
_FORMS = {
    **dict.fromkeys(["Building", "BuildingPart", "BuildingRoom", "BuildingStorey",
                     "BuildingUnit", "Bridge", "BridgePart", "BridgeRoom", "Tunnel",
                     "TunnelPart", "TunnelHollowSpace"], _WALLS),
    **dict.fromkeys(["Road", "Railway", "TransportSquare", "Waterway"], _WAYS),
    "CityObjectGroup": _ANY - {"GeometryInstance"},
    "LandUse": _FACES,
    "PlantCover": _WALLS | {"MultiSolid"},
    "TINRelief": frozenset(["CompositeSurface"]),
    "WaterBody": _WALLS | {"MultiLineString"},
}  # fmt: skip


def fitting(body: Body, type_: str, done: Exported) -> Body | None:
    """Return a body in a form that objects of `type_` may have; None where there is none.

    Parameters
    ----------
    body
        One geometry of the object.
    type_
        The object's type in CityJSON.
    done
        Where what is left out is counted.
    """
    form = body.type if body.template is None else "GeometryInstance"
    may = _FORMS.get(type_, _ANY)
    if form in may:
        return body
    if body.template is None and body.dimension == 2:
        flat = "MultiSurface" if "MultiSurface" in may else "CompositeSurface"
        whole = np.array([0, body.face_count], dtype=np.int32)
        return replace(body, type=flat, shells=whole, solids=np.array([0, 1], dtype=np.int32))
    done.leave("export.left.form", 1, {"form": form, "name": type_})
    return None
