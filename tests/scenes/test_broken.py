"""What is broken is answered the same way whatever a scene becomes: picture, page, model, film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.errors import MissingError, RequestError
from cim.model import Twin
from scenes import overlay
from scenes.film import orbit, write_film
from scenes.glb import write_glb
from scenes.render import render_scene
from scenes.scene import Scene, Style
from scenes.web import write_html
from tests.scenes.test_city import Leaky
from tests.towns import FRAME, town

SMALL = Scene(size=(64, 64), lang="en")


def film(scene: Scene, view: Twin, *, path: Path) -> Any:
    """Write a film of two pictures."""
    return write_film(scene, view, path=path, way=orbit(turn_deg=5.0), seconds=0.08)


WAYS: dict[str, Callable[..., Any]] = {
    "png": render_scene,
    "html": write_html,
    "glb": write_glb,
    "mp4": film,
}


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("ending", WAYS)
def test_a_layer_that_fails_is_named_and_the_file_is_written(ending: str, tmp_path: Path) -> None:
    base = town()
    path = tmp_path / f"x.{ending}"
    report = WAYS[ending](SMALL, Leaky(base.name, base.frame, base.tables, base.rasters), path=path)
    assert "the trees are gone" in report.failed["tree"]
    assert report.objects >= 12 and path.stat().st_size > 0


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("ending", WAYS)
def test_an_empty_twin_is_refused_and_leaves_no_file(ending: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        WAYS[ending](SMALL, Twin(name="nothing", frame=FRAME), path=tmp_path / f"x.{ending}")
    assert caught.value.key == "scenes.empty" and list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("ending", ["png", "html", "mp4"])
def test_without_its_font_nothing_is_written_in_boxes(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay.font.cache_clear()
    monkeypatch.setattr(overlay, "FONT", tmp_path / "gone.otf")
    try:
        with pytest.raises(MissingError, match=r"gone\.otf") as caught:
            WAYS[ending](SMALL, town(), path=tmp_path / f"x.{ending}")
    finally:
        overlay.font.cache_clear()
    assert caught.value.exit_code == 3 and list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("screen")
def test_missing_numbers_of_an_attribute_are_grey_with_a_key(tmp_path: Path) -> None:
    base = town()
    table = base.table("building")
    height = table.numbers("height_m").copy()
    height[:6], height[6] = np.nan, np.inf
    broken = replace(table, columns={**table.columns, "height_m": height})
    view = replace(base, tables={**base.tables, "building": broken})
    scene = replace(SMALL, styles=(Style("building", by="height_m"),))
    for ending, write in WAYS.items():
        assert write(scene, view, path=tmp_path / f"x.{ending}").failed == {}
    nothing = np.full(len(table), np.nan)
    bare = replace(table, columns={**table.columns, "height_m": nothing})
    empty = replace(base, tables={**base.tables, "building": bare})
    assert render_scene(scene, empty, path=tmp_path / "n.png").failed == {}
