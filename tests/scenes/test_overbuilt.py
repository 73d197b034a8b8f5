"""Blocks of the map inside a house drawn from its elements are left out, on evidence, and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.model import FeatureTable, Instance, Material, MeshPool, Twin
from cim.model.mesh import Mesh
from scenes.compose import compose
from scenes.render import render_scene
from scenes.scene import Scene
from tests.scenes.test_city import BOX_TRIANGLES, SMALL, faces_of, on_houses, with_layers
from tests.towns import EAST, NORTH, box, layer, town

HOUSE = (60.0, 60.0, 20.0, 16.0)  # the model's outline: x, y, width, depth
BASE_M = 3.0


def model(*, kind: str = "building", low_m: float = 0.0, high_m: float = 9.0) -> FeatureTable:
    columns = {"height_m": [high_m], "base_m": [BASE_M + low_m], "source_id": ["model"]}
    return layer(f"{kind}/bim", [box(*HOUSE)], **columns)


def elements(owner: str, *, low_m: float = 0.0, high_m: float = 9.0, lod: str = "3") -> MeshPool:
    """Two upright faces as wide as the house, from low to high above its ground."""
    corners = [(0, 0, low_m), (20, 0, low_m), (20, 16, high_m), (0, 16, high_m)]
    mesh = Mesh(
        vertices=np.array(corners, dtype=np.float32),
        triangles=np.array([(0, 1, 2), (0, 2, 3)], dtype=np.int32),
        surface=np.zeros(2, dtype=np.uint8),
        material=np.zeros(2, dtype=np.int32),
    )
    matrix = np.eye(4)
    matrix[:3, 3] = (EAST + HOUSE[0], NORTH + HOUSE[1], BASE_M)
    return MeshPool(
        meshes={"msh-1": mesh},
        materials=(Material("red", (1.0, 0.0, 0.0, 1.0)),),
        instances=(Instance(owner, "msh-1", matrix, lod, 4),),
    )


def mapped(*shapes: Any, **columns: list[Any]) -> FeatureTable:
    n = len(shapes)
    given = {"height_m": [9.0] * n, "base_m": [BASE_M] * n, **columns}
    return layer("building", list(shapes), **given)


def drawn(table: FeatureTable, house: FeatureTable, pool: MeshPool) -> tuple[list[int], Any]:
    picture = compose(SMALL, with_layers(town(houses=1), table, house, pool=pool))
    return [len(faces_of(picture, i)) for i in table.ids], picture


def test_pieces_of_the_map_inside_the_model_are_hidden_and_its_neighbours_stay() -> None:
    table = mapped(box(60, 60, 9, 16), box(69.5, 60.5, 11, 15), box(81, 60, 14, 10))
    house = model()
    faces, picture = drawn(table, house, elements(house.ids[0]))
    assert faces == [0, 0, BOX_TRIANGLES]
    assert picture.hidden == {table.ids[0]: house.ids[0], table.ids[1]: house.ids[0]}
    assert len(faces_of(picture, house.ids[0])) == 2


@pytest.mark.parametrize(
    ("why", "shape", "columns", "house", "pool"),
    [
        ("half of it stands outside", box(70, 60, 20, 16), {}, {}, {}),
        ("it is larger than the model", box(50, 50, 40, 40), {}, {}, {}),
        ("it is a station below", box(62, 62, 9, 9), {}, {}, {"low_m": -20, "high_m": -6}),
        ("it is a bridge above", box(62, 62, 9, 9), {}, {}, {"low_m": 12, "high_m": 20}),
        ("the model is a shell, not elements", box(62, 62, 9, 9), {}, {}, {"lod": "2"}),
    ],
)  # fmt: skip
def test_without_evidence_nothing_is_hidden(
    why: str, shape: Any, columns: Any, house: Any, pool: Any
) -> None:
    table, over = mapped(shape, **columns), model(**house)
    faces, picture = drawn(table, over, elements(over.ids[0], **pool))
    assert faces == [BOX_TRIANGLES] and picture.hidden == {}, why


def test_a_joined_model_hides_by_its_own_outline_not_by_its_buildings() -> None:
    table = mapped(box(55, 55, 30, 25), box(62, 62, 6, 6), box(56, 56, 3, 3))
    house = model(kind="building_part")
    house = replace(house, columns={**house.columns, "parent": np.array([table.ids[0]], object)})
    faces, picture = drawn(table, house, elements(house.ids[0]))
    assert faces == [2, 0, BOX_TRIANGLES]
    assert picture.hidden == {table.ids[1]: house.ids[0]}


def test_under_a_result_every_block_shows_its_own_answer() -> None:
    table, house = mapped(box(62, 62, 9, 9)), model()
    view = with_layers(town(houses=1), table, house, pool=elements(house.ids[0]))
    picture = compose(SMALL, view, on_houses(table, [0.5]))
    assert len(faces_of(picture, table.ids[0])) == BOX_TRIANGLES and picture.hidden == {}


def test_the_report_names_what_was_hidden_and_by_what(screen: None, tmp_path: Path) -> None:
    table, house = mapped(box(62, 62, 9, 9)), model()
    view: Twin = with_layers(town(houses=1), table, house, pool=elements(house.ids[0]))
    report = render_scene(Scene(size=(160, 90)), view, path=tmp_path / "x.png")
    assert report.hidden == {table.ids[0]: house.ids[0]}
    assert len(view.table("building")) == 1  # hidden, not deleted
