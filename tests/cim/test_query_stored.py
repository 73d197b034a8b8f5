"""The same questions to a twin on disk and to the twin in memory give the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from cim.errors import RequestError
from cim.model.edit import Edit, Scheme
from cim.model.twin import SchemedView, Twin
from cim.query import box, by_id, near, within
from cim.store import create, open_twin
from tests.cim.test_query import FRAME, X0, Y0, table


@pytest.fixture(scope="module")
def memory():
    rng = np.random.default_rng(11)
    corners, sizes = rng.uniform(-500, 500, (300, 2)) + FRAME.origin, rng.uniform(4, 30, (300, 2))
    houses = shapely.box(*corners.T, *(corners + sizes).T)
    trees = shapely.points(rng.uniform(-500, 500, (200, 2)) + FRAME.origin)
    heights = [None if i % 10 == 0 else float(h) for i, h in enumerate(rng.uniform(3, 40, 300))]
    names = [None if i % 3 else f"民园{i}" for i in range(300)]
    return Twin(
        "test",
        FRAME,
        {
            "building": table("building", list(houses), height_m=heights, name=names),
            "tree": table("tree", list(trees)),
        },
    )


@pytest.fixture(scope="module")
def stored(memory, tmp_path_factory):
    path = tmp_path_factory.mktemp("twin") / "t.cim"
    create(memory, path)
    return open_twin(path)


def test_near_within_and_box_agree(memory, stored):
    rng = np.random.default_rng(12)
    for _ in range(10):
        x, y = rng.uniform(-400, 400, 2) + FRAME.origin
        where = "height_m > 12 AND (name LIKE '民园%' OR height_m < 30)"
        for condition in (None, where):
            first, second = (
                near(view, (x, y), radius_m=150, where=condition) for view in (memory, stored)
            )
            assert first.ids == second.ids
            np.testing.assert_allclose(first.distance_m, second.distance_m, atol=1e-9)
        area = shapely.Point(x, y).buffer(120)
        assert within(memory, area).ids == within(stored, area).ids
        assert box(memory, area.bounds).ids == box(stored, area.bounds).ids
    assert len(box(stored, (X0 - 600, Y0 - 600, X0 + 600, Y0 + 600))) == 500


def test_records_agree(memory, stored):
    first, second = (near(v, (X0, Y0), radius_m=80).records() for v in (memory, stored))
    assert len(first) > 5
    for one, other in zip(first, second, strict=True):
        for key in ("id", "kind", "layer", "distance_m", "lonlat", "height_m", "name"):
            assert one.get(key) == other.get(key)


def test_an_object_is_found_by_id_in_the_base_and_in_a_scheme(stored):
    one = by_id(stored, "bld-007")
    assert one.ids == ("bld-007",)
    scheme = Scheme(
        name="s",
        base_version=stored.version,
        edits=(Edit(op="remove", layer="building", id="bld-007"),),
    )
    view = SchemedView(stored, scheme)
    assert by_id(view, "bld-008").ids == ("bld-008",)
    for nobody in (lambda: by_id(view, "bld-007"), lambda: by_id(stored, "bld-999")):
        with pytest.raises(RequestError) as caught:
            nobody()
        assert caught.value.key == "query.no_id"
