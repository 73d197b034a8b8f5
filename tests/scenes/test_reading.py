"""A picture reads each layer of a twin once, and sees what the twin itself would show."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from cim.model import Twin
from cim.store import create
from scenes.compose import compose
from scenes.reading import read_once
from scenes.scene import Scene
from tests.towns import town


class Counting:
    """A twin that notes how often its layers are read."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.read: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.twin, name)

    def table(self, layer: str, **box: Any) -> Any:
        self.read[layer] += 1
        return self.twin.table(layer, **box)


def test_a_picture_reads_each_layer_once() -> None:
    counting: Any = Counting(town())
    compose(Scene(), counting)
    assert set(counting.read) >= {"building", "road"}
    assert set(counting.read.values()) == {1}


def test_a_box_holds_what_a_stored_twin_says_it_holds(tmp_path: Path) -> None:
    stored = create(town(), tmp_path / "town.cim")
    once = read_once(stored)
    west, south, east, north = stored.table("building").bounds() or (0, 0, 0, 0)
    for share in (0.0, 0.3, 0.8):
        box = (west + share * (east - west), south, east, north - share * (north - south))
        mine, own = once.table("building", bounds=box), stored.table("building", bounds=box)
        np.testing.assert_array_equal(mine.ids, own.ids)
    assert 0 < len(mine) < len(stored.table("building"))
    assert once.layers() == stored.layers() and once.grids() == stored.grids()
    assert once.name == stored.name and read_once(once) is once
