"""One shape in many places: a tree, a lamp post, a bus stop, each stamped into one surface.

A template is made once; its copies differ by place, size, turn and colour. All copies of a
layer are one surface, so that a picture, a page and a model draw them in one call; where
there are very many, the template is a simpler one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.drawables import Surface

__all__ = ["Template", "beam", "joined", "stamp", "turns"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Template:
    """A shape about its foot, z up.

    Attributes
    ----------
    points, faces
        (p, 3) and (f, 3), counter-clockwise from outside.
    shade
        (p,) share of a copy's colour that a point shows.
    own
        (p, 3) colour of points that do not take the copy's; NaN of those that do.
    """

    points: Floats
    faces: NDArray[np.int64]
    shade: Floats
    own: Floats


def turns(sides: int) -> Floats:
    """Return the corners of a regular polygon of radius one in the plane, (sides, 3)."""
    turn = np.arange(sides) * 2 * np.pi / sides
    corners: Floats = np.c_[np.cos(turn), np.sin(turn), np.zeros(sides)]
    return corners


def beam(
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    half: float,
    *,
    sides: int = 4,
    rgb: tuple[int, int, int] | None = None,
    shade: float = 1.0,
) -> Template:
    """Return a bar from one point to another, open at its foot.

    Parameters
    ----------
    low, high
        Middles of its ends.
    half
        From its axis to the corners of its outline.
    sides
        How many faces it has.
    rgb
        Its colour; the copy's where None.
    shade
        Share of that colour.
    """
    a, b = np.array(low), np.array(high)
    ahead = (b - a) / np.linalg.norm(b - a)
    aside = np.cross(ahead, (0.0, 0.0, 1.0) if abs(ahead[2]) < 0.9 else (0.0, 1.0, 0.0))
    aside /= np.linalg.norm(aside)
    over = np.cross(ahead, aside)
    ring = turns(sides) @ np.stack([aside, over, ahead]) * half
    points = np.concatenate([a + ring, b + ring, [b]])
    i = np.arange(sides)
    j = (i + 1) % sides
    top = np.full(sides, 2 * sides)
    faces = np.concatenate([np.c_[i, j, sides + j], np.c_[i, sides + j, sides + i],
                            np.c_[sides + i, sides + j, top]])  # fmt: skip
    own = np.full((len(points), 3), np.nan if rgb is None else 0.0)
    if rgb is not None:
        own[:] = rgb
    return Template(points, faces, np.full(len(points), shade), own)


def joined(parts: Sequence[Template]) -> Template:
    """Return several shapes as one."""
    first = np.cumsum([0, *(len(p.points) for p in parts)])
    return Template(
        np.concatenate([p.points for p in parts]),
        np.concatenate([p.faces + at for p, at in zip(parts, first, strict=False)]),
        np.concatenate([p.shade for p in parts]),
        np.concatenate([p.own for p in parts]),
    )


def stamp(
    template: Template,
    ids: NDArray[Any],
    *,
    foot: Floats,
    scale: Floats,
    rgb: NDArray[Any],
    turn: Floats | None = None,
    closed: bool = True,
) -> Surface:
    """Return copies of a template as one surface.

    Parameters
    ----------
    template
        The shape.
    ids
        (n,) whose copies they are.
    foot
        (n, 3) scene metres.
    scale
        (n, 3) how much larger than the template along its own axes.
    rgb
        (n, 3) 0..255, what points without a colour of their own show.
    turn
        (n,) radians about the upright; by the id where None, so that no two look alike.
    closed
        Whether backs need not be drawn.
    """
    n, points = len(ids), len(template.points)
    if turn is None:
        turn = np.array([zlib.crc32(str(i).encode()) for i in ids]) % 628 / 100.0
    sized = template.points[None] * scale[:, None, :]
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = sized[..., 0], sized[..., 1]
    vertices = np.stack([x * c - y * s, x * s + y * c, sized[..., 2]], axis=-1) + foot[:, None, :]
    shown = rgb[:, None, :] * template.shade[:, None]
    shown = np.where(np.isnan(template.own), shown, template.own * template.shade[:, None])
    faces = template.faces[None] + (np.arange(n) * points)[:, None, None]
    return Surface(
        vertices=vertices.reshape(-1, 3).astype(np.float32),
        triangles=faces.reshape(-1, 3).astype(np.int32),
        rgb=np.clip(shown, 0, 255).round().reshape(-1, 3).astype(np.uint8),
        owner=np.repeat(np.arange(n), len(template.faces)).astype(np.int32),
        ids=ids,
        closed=closed,
    )
