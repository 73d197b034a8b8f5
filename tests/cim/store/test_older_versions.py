"""A view of an older version shows the world of that version, object by object, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cim.errors import RequestError
from cim.model import Edit
from cim.store import as_of, commit, create, open_twin
from tests.towns import box, town


@pytest.fixture
def ids() -> list[str]:
    return [str(i) for i in town().table("building").ids]


@pytest.fixture
def edited(tmp_path: Path, ids: list[str]) -> Path:
    path = tmp_path / "town.cim"
    create(town(), path)
    edits = [
        Edit("change", "building", ids[0], {"height_m": 1.0}),
        Edit("remove", "building", ids[3]),
        Edit("change", "building", ids[5], {"height_m": 2.0}),
        Edit("add", "building", "bld-new", {"height_m": 4.0}, box(150, 150, 9, 9)),
    ]
    commit(path, edits, why="x")
    return path


def test_one_object_of_an_older_version_is_that_object_alone(edited: Path, ids: list[str]) -> None:
    view = as_of(edited, 1)
    for id_ in ids:
        table = view.one(id_)
        assert list(table.ids) == [id_]
        was = town().table("building")
        assert table.row(0) == was.row(int(np.flatnonzero(was.ids == id_)[0]))


def test_an_object_removed_since_is_still_found_and_one_added_since_is_not(
    edited: Path, ids: list[str]
) -> None:
    view = as_of(edited, 1)
    assert view.find_ids([ids[3]]) == {ids[3]: "building"}
    assert view.about(ids[3])["name"] == "房屋4"
    for ask in (view.find_ids, lambda one: view.one(one[0])):
        with pytest.raises(RequestError, match="bld-new"):
            ask(["bld-new"])
    with pytest.raises(RequestError, match=ids[3]):
        open_twin(edited).one(ids[3])


def test_a_view_gives_features_in_the_same_order_before_and_after_an_edit(
    edited: Path, ids: list[str]
) -> None:
    now = open_twin(edited)
    before = list(now.table("building").ids)
    commit(edited, [Edit("change", "building", ids[1], {"height_m": 3.0})], why="meanwhile")
    commit(edited, [Edit("remove", "building", ids[0])], why="meanwhile")
    assert list(now.table("building").ids) == before
    assert list(as_of(edited, 1).table("building").ids) == ids


def test_a_changeset_counts_what_its_edits_come_to(tmp_path: Path, ids: list[str]) -> None:
    path = tmp_path / "town.cim"
    create(town(), path)
    again = [
        Edit("add", "building", "bld-a", {}, box(1, 1, 2, 2)),
        Edit("change", "building", "bld-a", {"height_m": 5.0}),
        Edit("add", "building", "bld-b", {}, box(5, 1, 2, 2)),
        Edit("remove", "building", "bld-b"),
        Edit("remove", "building", ids[0]),
        Edit("add", "building", ids[0], {"height_m": 7.0}, box(9, 1, 2, 2)),
        Edit("change", "building", ids[1], {"height_m": 7.0}),
        Edit("remove", "building", ids[1]),
    ]
    told = commit(path, again, why="all at once")
    assert (told.added, told.changed, told.removed) == (1, 1, 1)
    assert open_twin(path).layers()["building"] == 12
    assert list(as_of(path, 1).table("building").ids) == ids
