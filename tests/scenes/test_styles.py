"""Every part of a style shows: one colour and opacity, of what is painted and of what stands."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cim.model.result import Result
from scenes.compose import Picture, compose
from scenes.glb import write_glb
from scenes.render import render_scene
from scenes.scene import Scene, Style
from tests.scenes.references import _loads
from tests.scenes.test_render import pixels
from tests.towns import town

PINK = (250, 20, 200)


def picture(*styles: Style) -> Picture:
    return compose(Scene(styles=styles), town())


def share(made: Picture, rgb: tuple[int, int, int]) -> float:
    """How much of the painted ground has a colour."""
    return float((made.ground.image == rgb).all(axis=-1).mean())


def test_one_colour_is_painted_on_streets() -> None:
    assert share(picture(), PINK) == 0.0
    assert share(picture(Style("road", rgb=PINK)), PINK) > 0.02


def test_half_a_street_is_halfway_between_street_and_land() -> None:
    solid = picture(Style("road", rgb=PINK)).ground.image.astype(int)
    bare = picture(Style("road", visible=False)).ground.image.astype(int)
    half = picture(Style("road", rgb=PINK, opacity=0.5)).ground.image.astype(int)
    assert np.abs(half - (solid + bare) / 2).max() <= 2  # shade is laid over both: rounding
    none = picture(Style("road", rgb=PINK, opacity=0.0)).ground.image.astype(int)
    assert (none == bare).all()


def test_opacity_reaches_all_that_stands_and_nothing_else() -> None:
    made = picture(Style("building", opacity=0.4))
    built = set(town().table("building").ids)
    for body in made.bodies:
        assert body.opacity == (0.4 if set(body.ids) & built else 1.0)
    assert {e.opacity for e in made.edges} == {0.4}
    gone = picture(Style("building", opacity=0.0))
    assert not any(set(body.ids) & built for body in gone.bodies)


@pytest.mark.usefixtures("screen")
def test_clear_houses_let_the_ground_through(tmp_path: Path) -> None:
    scene = Scene(size=(320, 200), camera="top")
    seen = {}
    for opacity in (0.0, 0.5, 1.0):
        styled = replace(scene, styles=(Style("building", opacity=opacity, rgb=PINK),))
        path = tmp_path / f"{opacity}.png"
        assert render_scene(styled, town(), path=path).failed == {}
        seen[opacity] = pixels(path).astype(float)
    changed = np.abs(seen[1.0] - seen[0.0]).max(axis=-1) > 60
    assert changed.mean() > 0.01
    middle = seen[0.5][changed].mean(axis=0)
    low, high = seen[0.0][changed].mean(axis=0), seen[1.0][changed].mean(axis=0)
    assert np.abs(middle - (low + high) / 2).max() < 12


def test_a_model_file_says_what_is_clear(tmp_path: Path) -> None:
    path = tmp_path / "town.glb"
    write_glb(Scene(styles=(Style("tree", opacity=0.25),)), town(), path=path)
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    doc = json.loads(data[20 : 20 + length])
    clear = [m for m in doc["materials"] if m.get("alphaMode") == "BLEND"]
    factors = [m["pbrMetallicRoughness"]["baseColorFactor"] for m in clear]
    assert factors == [[1.0, 1.0, 1.0, 0.25]]


def test_trees_let_flows_through_unless_the_scene_says_how_solid_they_are() -> None:
    view = town()
    flows = _loads(view)
    trees = set(view.table("tree").ids)

    def solid(scene: Scene, result: Result | None) -> set[float]:
        made = compose(scene, view, result)
        return {body.opacity for body in made.bodies if set(body.ids) & trees}

    assert solid(Scene(), flows) == {0.3}
    assert solid(Scene(styles=(Style("tree", opacity=0.8),)), flows) == {0.8}
    assert solid(Scene(), None) == {1.0}
