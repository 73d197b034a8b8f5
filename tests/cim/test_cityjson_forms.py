"""What an object may not have in CityJSON is written in a form it may have, or counted."""

from __future__ import annotations

import numpy as np
import pytest

from cim.export.cityjson_forms import fitting
from cim.export.outcome import Exported
from cim.model.body import Body

CORNERS = np.array([[x, y, z] for z in (0.0, 3.0) for x, y in ((0, 0), (4, 0), (4, 4), (0, 4))])
QUADS = [(3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]


def cube(type_: str) -> Body:
    def ints(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int32)

    return Body(
        object_id="a", type=type_, lod="2", cim_level=3, vertices=CORNERS,
        index=ints([i for quad in QUADS for i in quad]), rings=ints(list(range(0, 25, 4))),
        faces=ints(list(range(7))), shells=ints([0, 6]), solids=ints([0, 1]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "given", "want"),
    [
        ("TINRelief", "MultiSurface", "CompositeSurface"),
        ("TINRelief", "Solid", "CompositeSurface"),
        ("Road", "Solid", "MultiSurface"),
        ("LandUse", "CompositeSolid", "MultiSurface"),
        ("Building", "MultiSolid", "MultiSurface"),
        ("Building", "Solid", "Solid"),
        ("Road", "MultiLineString", "MultiLineString"),
        ("Building", "MultiPoint", None),
        ("LandUse", "MultiLineString", None),
        ("CityFurniture", "MultiPoint", "MultiPoint"),
        ("+Own", "MultiSolid", "MultiSolid"),
    ],
)
def test_a_form_that_may_not_be_becomes_one_that_may(
    type_: str, given: str, want: str | None
) -> None:
    done = Exported()
    found = fitting(cube(given), type_, done)
    assert (None if found is None else found.type) == want
    assert bool(done.left_out) == (want is None)
    if found is not None:
        assert found.face_count == 6
    else:
        assert "left out" in done.record()[0]["text"] and given in done.record()[0]["text"]
