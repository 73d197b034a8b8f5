"""The pictures that looks are held to: ``python -m tests.scenes.references FOLDER`` draws them.

Run it with ``tests/scenes/references`` after a change of look that is meant, and look at
them. ``VTK_DEFAULT_OPENGL_WINDOW`` chooses the way to draw.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely

from cim.model import Twin
from cim.model.result import Result, ResultField
from scenes.render import render_scene
from scenes.scene import Scene
from tests.towns import EAST, NORTH, layer, town

__all__ = ["FOLDER", "NAMES", "draw"]

FOLDER = Path(__file__).with_name("references")
SIZE = Scene(size=(480, 320), lang="en")


def _flood() -> Result:
    from tests.scenes.test_web import rising

    return rising()


def _loads(view: Twin) -> Result:
    """Flows on the four streets."""
    ids = view.table("road").ids
    values = np.array([0.1, 0.5, 0.9, 1.3])
    ratio = ResultField("volume_capacity", "1", "links", values, {"en": "load"}, "road", ids)
    flow = ResultField("flow_vps", "1/s", "links", values / 4, {"en": "flow"}, "road", ids)
    return Result("traffic", {"en": "traffic"}, (ratio, flow), {}, {}, 1, "test", True)


def _heights(view: Twin) -> Result:
    table = view.table("building")
    values = table.numbers("height_m").copy()
    values[0] = np.nan
    field = ResultField("h", "m", "objects", values, {"en": "height"}, "building", table.ids)
    return Result("example", {"en": "heights"}, (field,), {}, {}, 1, "test", True)


def _piped() -> Twin:
    base = town()
    lines = [[(10, 20), (190, 20)], [(50, 10), (50, 190)]]
    shapes = [shapely.LineString([(EAST + x, NORTH + y) for x, y in one]) for one in lines]
    pipes = layer("pipe", shapes, system=["storm", "gas"], diameter_m=[1.2, 0.5],
                  invert_from_m=[0.2, 1.4], invert_to_m=[-0.4, 1.2])  # fmt: skip
    return replace(base, tables={**base.tables, "pipe": pipes})


def _bare() -> Twin:
    base = town()
    table = base.table("building")
    none = {"height_m": np.full(12, np.nan), "storeys_above": np.full(12, np.nan)}
    bare = replace(table, columns={**table.columns, **none})
    return replace(base, tables={**base.tables, "building": bare})


_SCENES = {
    "town": lambda: (SIZE, town(), None),
    "street": lambda: (replace(SIZE, camera="street"), town(), None),
    "flood": lambda: (SIZE, town(), _flood()),
    "traffic": lambda: (replace(SIZE, camera="top"), town(), _loads(town())),
    "heights": lambda: (replace(SIZE, lang="zh"), town(), _heights(town())),
    "pipes": lambda: (replace(SIZE, underground=True), _piped(), None),
    "no_height": lambda: (SIZE, _bare(), None),
}
NAMES = tuple(_SCENES)


def draw(name: str, folder: Path) -> Path:
    """Draw one of the pictures into a folder, in 256 colours."""
    from PIL import Image

    scene, view, result = _SCENES[name]()
    path = folder / f"{name}.png"
    report = render_scene(scene, view, result, path=path)
    assert report.failed == {}, report.failed
    image = Image.open(path).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(exist_ok=True)
    for one in NAMES:
        draw(one, Path(sys.argv[1]))
