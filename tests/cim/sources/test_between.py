"""A layer beside the roads is judged by itself, not the roads by it."""

from __future__ import annotations

from pathlib import Path

import cim
from cim.crs import looks_like_gcj02
from cim.sources.between import check_shift, lying


def test_what_lies_along_the_streets_does_not_make_them_look_shifted(sketch_once: Path) -> None:
    """Courtyard walls run along every street: moved by GCJ-02's shift the streets fit as well."""
    view = cim.open(sketch_once).view
    frame, roads = view.frame, view.table("road")
    trap = looks_like_gcj02(roads.geometry, view.table("wall").geometry, frame=frame)
    assert trap.answer == "yes"  # so the roads must not be judged by the walls
    for kind in ("wall", "parcel", "address"):
        check_shift(
            lying([view.table(kind)]), {"road": roads}, frame=frame, file=f"{kind}s.geojson"
        )
