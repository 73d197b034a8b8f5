"""Bodies: polygons with meaning and look, packed, kept, changed and upgraded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cim.errors import ShapeError
from cim.model import Body, BodyPool, Draped, Twin
from cim.model.body import pack_body, unpack_body
from cim.store import create, edit, open_twin, update, upgrade
from tests.towns import town


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def square(object_id: str, *, at: float = 0.0) -> Body:
    """Return a square with a square hole: one face of two rings."""
    outer = [[0, 0, 1], [4, 0, 1], [4, 4, 1], [0, 4, 1]]
    inner = [[1, 1, 1], [1, 2, 1], [2, 2, 1], [2, 1, 1]]
    return Body(
        object_id=object_id,
        type="MultiSurface",
        lod="2.2",
        cim_level=3,
        vertices=np.array(outer + inner, dtype=np.float64) + [at, 0, 0],
        index=np.arange(8, dtype=np.int32),
        rings=ints(0, 4, 8),
        faces=ints(0, 2),
        shells=ints(0, 1),
        solids=ints(0, 1),
        surfaces=({"type": "RoofSurface", "slope": 12.5, "+own": {"a": [1]}},),
        semantic=ints(0),
        materials={"summer": ints(0)},
        textures={"photo": Draped(ints(0, -1), np.full((8, 2), 0.25))},
        extra={"+quality": "good"},
    )


def pool_of(*bodies: Body) -> BodyPool:
    return BodyPool(
        bodies=bodies,
        templates=(square(""),),
        materials=({"name": "red", "diffuseColor": [1, 0, 0]},),
        textures=({"type": "PNG", "image": "a/b.png"},),
        records={b.object_id: {"attributes": {"n": None}} for b in bodies},
        documents={"s": {"+own": 1}},
        images={"a/b.png": b"\x89PNG"},
    )


def same(a: Body, b: Body) -> bool:
    return pack_body(a) == pack_body(b) and (a.object_id, a.type, a.lod) == (
        b.object_id,
        b.type,
        b.lod,
    )


def town_with_bodies() -> Twin:
    twin = town(houses=3)
    first, second = twin.tables["building"].ids[:2]
    return replace(twin, body_pool=pool_of(square(first), square(second, at=9.0)))


def test_a_body_packed_and_unpacked_is_the_same() -> None:
    body = replace(square("x"), template=3, matrix=np.eye(4))
    packed = pack_body(body)
    back = unpack_body(packed, object_id="x", type="MultiSurface", lod="2.2", cim_level=3)
    assert same(body, back) and back.extra == body.extra and back.surfaces == body.surfaces
    assert np.array_equal(back.textures["photo"].uv, body.textures["photo"].uv)


@pytest.mark.parametrize("cut", [0, 3, 20, -9])
def test_bytes_that_are_no_body_are_named(cut: int) -> None:
    packed = pack_body(square("x"))
    with pytest.raises(ShapeError, match="cannot be read"):
        unpack_body(packed[:cut], object_id="x", type="Solid", lod="2", cim_level=3)


def test_a_face_that_names_no_vertex_is_refused() -> None:
    with pytest.raises(ShapeError, match="names vertex 99"):
        replace(square("x"), index=ints(0, 1, 2, 99))


def test_merged_pools_keep_pointing_at_their_own_looks() -> None:
    both = pool_of(square("a")).merged(pool_of(square("b")))
    assert [int(b.materials["summer"][0]) for b in both.bodies] == [0, 1]
    assert [list(b.textures["photo"].image) for b in both.bodies] == [[0, -1], [1, -1]]
    assert len(both.templates) == 2 and set(both.records) == {"a", "b"}


def test_bodies_are_kept_and_found_by_id(tmp_path: Path) -> None:
    twin = town_with_bodies()
    create(twin, tmp_path / "t.cim")
    kept = open_twin(tmp_path / "t.cim").bodies()
    assert all(same(a, b) for a, b in zip(twin.body_pool.bodies, kept.bodies, strict=True))
    assert kept.textures == twin.body_pool.textures and kept.images == twin.body_pool.images
    assert kept.documents == twin.body_pool.documents and kept.records == twin.body_pool.records
    second = twin.body_pool.bodies[1].object_id
    only = open_twin(tmp_path / "t.cim").bodies(ids=[second])
    assert [b.object_id for b in only.bodies] == [second] == list(only.records)


def test_the_body_of_a_moved_object_ends_and_the_old_version_still_has_it(tmp_path: Path) -> None:
    twin = town_with_bodies()
    create(twin, tmp_path / "t.cim")
    first = twin.body_pool.bodies[0].object_id
    with edit(tmp_path / "t.cim", why="moved") as edits:
        edits.move(first, dx_m=1.0, dy_m=0.0)
    assert [b.object_id for b in open_twin(tmp_path / "t.cim").bodies().bodies] != [first]
    assert len(open_twin(tmp_path / "t.cim", version=1).bodies()) == 2
    assert len(open_twin(tmp_path / "t.cim").bodies()) == 1


def test_a_newer_delivery_replaces_only_bodies_that_differ(tmp_path: Path) -> None:
    twin = town_with_bodies()
    create(twin, tmp_path / "t.cim")
    first, second = twin.body_pool.bodies
    newer = replace(
        twin, body_pool=pool_of(first, replace(second, vertices=second.vertices + [0, 0, 2.0]))
    )
    assert update(tmp_path / "t.cim", newer, why="resurveyed").id == 2
    now = {b.object_id: b for b in open_twin(tmp_path / "t.cim").bodies().bodies}
    assert now[second.object_id].vertices[0, 2] == 3.0 and same(now[first.object_id], first)


def test_a_twin_of_schema_2_is_upgraded_and_has_no_bodies(tmp_path: Path) -> None:
    path = tmp_path / "t.cim"
    create(town(houses=3), path)
    with closing(sqlite3.connect(open_twin(path).folder / "city.gpkg")) as connection:
        for name in ("body", "template", "look", "image", "record", "document"):
            connection.execute(f"DROP TABLE cim_{name}")
            connection.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (f"cim_{name}",))
        connection.execute("UPDATE cim_meta SET value = '2' WHERE key = 'schema'")
        connection.commit()
    assert not upgrade(path).bodies() and len(upgrade(path).table("building")) == 3
