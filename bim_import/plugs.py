"""Openings closed again: what an opening took out of its host, for the look from outside.

A house is enclosed by its windows and doors only where these fill their openings: a door
leaf may stand in the outer face of a wall that ends where the floor begins, and a way up
through a slab has no door at all. The plug is what the opening and the convex hull of its
host have in common, so an opening drawn deeper than its wall does not stand out of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bim_import.meshing import Hole

__all__ = ["PLUG_M", "Part", "plugs"]

Part = tuple[NDArray[np.float64], NDArray[np.int32]]

PLUG_M = 3.0
"""An opening without door or window is plugged up to this width; a wider one is a void."""


def plugs(
    holes: Sequence[Hole], hosts: Mapping[int, NDArray[np.float64]], filled: Collection[int]
) -> list[Part]:
    """Return bodies that fill openings.

    Parameters
    ----------
    holes
        What openings cut out.
    hosts
        Number of a product -> its vertices in model metres, (n, 3); others stay open.
    filled
        Numbers of openings with a door or window: plugged at any width.
    """
    made = (
        _plug(one, hosts[one.host])
        for one in holes
        if one.host in hosts and (one.opening in filled or one.width_m <= PLUG_M)
    )
    return [part for part in made if part is not None]


def _plug(hole: Hole, host: NDArray[np.float64]) -> Part | None:
    from manifold3d import Manifold

    if len(hole.vertices) < 4 or len(host) < 4:
        return None
    near = host.min(axis=0)
    body = Manifold.hull_points(np.ascontiguousarray(host - near))
    tool = Manifold.hull_points(np.ascontiguousarray(hole.vertices - near))
    mesh = (body ^ tool).to_mesh64()
    if not len(mesh.tri_verts):
        return None
    vertices = np.array(mesh.vert_properties[:, :3], dtype=np.float64) + near
    return vertices, np.array(mesh.tri_verts, dtype=np.int32)
