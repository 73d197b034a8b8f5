"""What a page draws: the ground, bodies by layer, edges, and which layers can be hidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from cim import messages
from cim.model.kinds import kind, split_layer
from scenes.compose import Picture
from scenes.page_blob import Blob, drawn, encoded, upright
from scenes.parts import Catalogue, parts

__all__ = ["bodies", "layers"]


def bodies(blob: Blob, picture: Picture, objects: Catalogue) -> dict[str, Any]:
    """Return the ground, bodies and edges of a page; their arrays go into the blob."""
    ground = picture.ground
    rows, cols, _ = ground.points.shape
    made: dict[str, Any] = {
        "ground": {
            "rows": rows,
            "cols": cols,
            "points": blob.add(ground.points.ravel()),
            "image": blob.add(encoded(ground.image)),
            "opacity": ground.opacity,
        },
        "parts": [],
        "edges": [
            {
                "at": blob.add(e.points.ravel()),
                "rgb": list(e.rgb),
                "layer": "building",
                "opacity": e.opacity,
            }
            for e in picture.edges
            if len(e.points)
        ],
    }
    for part in parts(picture, objects):
        surface = part.surface
        pattern = surface.pattern is not None and surface.uv is not None
        made["parts"].append(
            {
                "layer": part.layer,
                "at": blob.add(surface.vertices.ravel()),
                "rgb": blob.add(surface.rgb.ravel()),
                "who": blob.add((part.owner + 1).astype(np.uint32)),
                "faces": blob.add(surface.triangles.ravel()),
                "uv": blob.add(upright(surface.uv)) if pattern else None,
                "pattern": blob.add(encoded(surface.pattern, lossless=drawn(surface.pattern)))
                if pattern
                else None,
                "closed": surface.closed,
                "opacity": surface.opacity,
                "tiles": None if surface.tiles is None else surface.tiles.round(2).tolist(),
            }
        )
    return made


def layers(picture: Picture, objects: Catalogue, *, with_result: bool) -> list[dict[str, Any]]:
    """Return what can be hidden: layers with bodies, the ground, the result over it."""
    bodies = {p.layer for p in parts(picture, objects)}
    made: list[dict[str, Any]] = [
        {"name": t.layer, **_layer_titles(t.layer), "count": len(t)}
        for t in objects.tables
        if t.layer in bodies
    ]
    keys = [("#ground", "scenes.web.ground")]
    keys += [("#result", "scenes.web.result")] if with_result else []
    for name, key in keys:
        titles = {lang: messages.text(key, lang=lang) for lang in messages.LANGUAGES}
        made.append({"name": name, **titles, "count": None})
    return made


def _layer_titles(layer: str) -> dict[str, str]:
    head, own = split_layer(layer)
    titles = kind(head).titles
    more = f" ({own})" if own else ""
    return {lang: messages.title(titles, lang=lang) + more for lang in messages.LANGUAGES}
