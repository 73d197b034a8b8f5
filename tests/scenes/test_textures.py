"""Roofs wear the photographs a city model brings, the right way up; what is missing is named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cim.cli import main
from cim.store import open_twin
from scenes.compose import Picture, compose
from scenes.glb import write_glb
from scenes.render import render_scene
from scenes.scene import Scene
from tests.scenes.test_render import pixels

QUARTERS = {
    (0, 0): (210, 30, 30),
    (0, 1): (30, 190, 30),
    (1, 0): (30, 30, 210),
    (1, 1): (220, 200, 20),
}


def photograph() -> bytes:
    """Four quarters: red in the north-west, green, blue in the south-west, yellow."""
    image = np.zeros((64, 64, 3), np.uint8)
    for (row, col), rgb in QUARTERS.items():
        image[32 * row : 32 * row + 32, 32 * col : 32 * col + 32] = rgb
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def city(folder: Path, image: bytes | None) -> Path:
    """A house 20 × 20 × 10 m as CityJSON, its roof under a photograph; built into a twin."""
    corners = [
        (x, y, z)
        for z in (0, 10_000)
        for x, y in ((0, 0), (20_000, 0), (20_000, 20_000), (0, 20_000))
    ]
    faces = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
    worn: list[object] = [[[None]] for _ in faces]
    worn[1] = [[0, 0, 1, 2, 3]]
    shape = {"type": "Solid", "lod": "2", "boundaries": [[[f] for f in faces]]}
    shape["texture"] = {"photo": {"values": [worn]}}
    record = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": [517000.0, 4330600.0, 3.0]},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4548"},
        "appearance": {
            "textures": [{"type": "PNG", "image": "looks/roof.png"}],
            "vertices-texture": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        },
        "CityObjects": {"house": {"type": "Building", "geometry": [shape]}},
        "vertices": corners,
    }
    (folder / "looks").mkdir()
    if image is not None:
        (folder / "looks" / "roof.png").write_bytes(image)
    (folder / "one.city.json").write_text(json.dumps(record))
    twin = folder / "one.cim"
    words = ["build", str(folder / "one.city.json"), "-o", str(twin), "--height-datum", "cgvd1985"]
    assert main(words) == 0
    return twin


def worn(made: Picture) -> list[int]:
    """Triangles of each surface that wears a picture."""
    return [len(b.triangles) for b in made.bodies if b.pattern is not None]


@pytest.mark.usefixtures("screen")
def test_a_roof_wears_its_photograph_the_right_way_up(tmp_path: Path) -> None:
    view = open_twin(city(tmp_path, photograph()))
    made = compose(Scene(), view)
    assert worn(made) == [2]
    assert made.missing_images == ()
    bounds = (517000.0, 4330600.0, 517020.0, 4330620.0)
    scene = Scene(size=(240, 240), camera="top", bounds=bounds, legend=False)
    path = tmp_path / "roof.png"
    assert render_scene(scene, view, path=path).failed == {}
    drawn = compose(scene, view)
    image, o = pixels(path), drawn.origin
    for (row, col), rgb in QUARTERS.items():
        spot = np.array([[517005.0 + 10 * col - o.x, 4330615.0 - 10 * row - o.y, 13.0 - o.z]])
        x, y = drawn.camera.project(spot, scene.size)[0]
        seen = image[int(y), int(x)].astype(float)
        assert np.corrcoef(seen, rgb)[0, 1] > 0.95, ((row, col), seen)


@pytest.mark.parametrize("image", [None, b"not a picture", photograph()[:60]])
def test_an_image_that_cannot_be_had_is_named_and_leaves_plaster(
    tmp_path: Path, image: bytes | None
) -> None:
    made = compose(Scene(), open_twin(city(tmp_path, image)))
    assert worn(made) == []
    assert len(made.missing_images) == 1
    house = next(b for b in made.bodies if len(b.ids))
    assert {tuple(c) for c in house.rgb.tolist()} == {(205, 198, 188)}
    assert len(house.triangles) == 12


def test_a_model_file_carries_the_photograph(tmp_path: Path) -> None:
    path = tmp_path / "one.glb"
    write_glb(Scene(), open_twin(city(tmp_path, photograph())), path=path)
    assert photograph_in(path.read_bytes())


def photograph_in(data: bytes) -> bool:
    """Whether one of a file's images is the photograph, pixel for pixel."""
    length = int.from_bytes(data[12:16], "little")
    doc, binary = json.loads(data[20 : 20 + length]), data[20 + length + 8 :]
    want = np.asarray(Image.open(io.BytesIO(photograph())))
    for image in doc["images"]:
        view = doc["bufferViews"][image["bufferView"]]
        start = view.get("byteOffset", 0)
        got = np.asarray(Image.open(io.BytesIO(binary[start : start + view["byteLength"]])))
        if got.shape == want.shape and (got == want).all():
            return True
    return False
