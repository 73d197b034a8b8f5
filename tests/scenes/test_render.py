"""Pictures: what they count is exact, where the town lies on Earth cannot be seen in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image, ImageDraw

import bim_import
import scenes
from cim import messages
from cim.cli import main
from cim.crs import Frame
from cim.errors import RequestError, StoreError
from cim.model import Grid, Twin
from cim.model.result import Result, ResultField
from scenes import overlay
from scenes.compose import compose
from scenes.render import RenderReport, render_scene, sizes
from scenes.scene import Scene
from tests.towns import town

SMALL = Scene(size=(480, 270))
ROOT = Path(__file__).resolve().parent.parent.parent
FAR_EAST = 39_000_000.0  # the zone number before the easting, as EPSG:4527 (zone 39) has it


def plain_town() -> Twin:
    """The town without its trees: every triangle can be counted by hand."""
    base = town()
    return replace(base, tables={k: t for k, t in base.tables.items() if k != "tree"})


def surveyed(view: Twin) -> Twin:
    """The same town, said to be surveyed."""
    tables = {
        name: replace(
            table, columns={**table.columns, "illustrative": np.array([False] * len(table), object)}
        )
        for name, table in view.tables.items()
    }
    rasters = {name: replace(grid, illustrative=False) for name, grid in view.rasters.items()}
    return replace(view, tables=tables, rasters=rasters)


def moved(view: Twin, east_m: float) -> Twin:
    """The same town elsewhere on the map."""

    def there(xy: Any) -> Any:
        return xy + (east_m, 0.0)

    tables = {
        name: replace(table, geometry=shapely.transform(table.geometry, there))
        for name, table in view.tables.items()
    }
    rasters: dict[str, Grid] = {
        name: replace(grid, frame=replace(grid.frame, west=grid.frame.west + east_m))
        for name, grid in view.rasters.items()
    }
    origin = (view.frame.origin[0] + east_m, view.frame.origin[1])
    frame = Frame(crs="EPSG:4527", height_datum=view.frame.height_datum, origin=origin)
    return replace(view, tables=tables, rasters=rasters, frame=frame)


def shot(view: Any, path: Path, scene: Scene = SMALL, result: Result | None = None) -> Any:
    render_scene(scene, view, result, path=path)
    return pixels(path)


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int16)


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[RenderReport, Any]:
    path = tmp_path_factory.mktemp("drawn") / "town.png"
    return render_scene(SMALL, plain_town(), path=path), pixels(path)


@pytest.fixture
def drawn(screen: None, request: pytest.FixtureRequest) -> tuple[RenderReport, Any]:
    found: tuple[RenderReport, Any] = request.getfixturevalue("drawn_once")
    return found


def test_a_picture_shows_a_town_and_counts_it_exactly(drawn: tuple[RenderReport, Any]) -> None:
    """A house on four corners has eight faces of walls and two of roof."""
    report, image = drawn
    assert image.shape == (270, 480, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 200
    assert report.objects == 12 + 4
    assert report.without_height == 0 and report.failed == {}
    only_ground = compose(replace(SMALL, layers=("road",)), plain_town())
    bare = compose(SMALL, plain_town())
    rows, cols, _ = bare.ground.points.shape
    around = len(bare.surfaces[-1].triangles) if not len(bare.surfaces[-1].ids) else 0
    assert report.triangles == 12 * (8 + 2) + 2 * (rows - 1) * (cols - 1) + around
    assert only_ground.objects == 4


def test_a_frame_costs_what_the_report_says(drawn: tuple[RenderReport, Any]) -> None:
    report, _ = drawn
    assert 0.0 < report.frame_cpu_s < report.first_frame_cpu_s


@pytest.mark.parametrize(("name", "least"), [("building", 0.02), ("road", 0.01)])
def test_houses_and_roads_are_to_be_seen(
    drawn: tuple[RenderReport, Any], tmp_path: Path, name: str, least: float
) -> None:
    """Taking one away changes a fair part of the picture."""
    view = plain_town()
    kept = {k: t for k, t in view.tables.items() if k != name}
    boxed = replace(SMALL, bounds=compose(SMALL, view).bounds)
    without = shot(replace(view, tables=kept), tmp_path / "without.png", boxed)
    assert (np.abs(drawn[1] - without).max(axis=-1) > 24).mean() > least


def test_the_same_scene_gives_the_same_picture(screen: None, tmp_path: Path) -> None:
    first, second = (shot(town(), tmp_path / f"{i}.png") for i in (1, 2))
    assert (first == second).all()


@pytest.mark.parametrize("camera", ["oblique", "top", "street"])
def test_where_on_earth_a_town_lies_does_not_show(
    screen: None, tmp_path: Path, camera: Any
) -> None:
    """Float32 at an easting of 39,500,000 m is 4 m coarse: no map coordinate may reach it."""
    scene = replace(SMALL, camera=camera)
    near = shot(town(), tmp_path / "near.png", scene)
    far = shot(moved(town(), FAR_EAST), tmp_path / "far.png", scene)
    assert (near == far).all()


def red_share(image: Any) -> float:
    """Return how much of the lower left corner is the red of the mark."""
    corner = image[-30:, :120]
    red = (corner[..., 0] > 110) & (corner[..., 1] < 90) & (corner[..., 2] < 90)
    return float(red.mean())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_illustrative_data_carry_their_mark_and_surveyed_ones_do_not(
    screen: None, tmp_path: Path, lang: str
) -> None:
    scene = replace(SMALL, lang=lang)
    assert red_share(shot(town(), tmp_path / "made.png", scene)) > 0.15
    assert red_share(shot(surveyed(town()), tmp_path / "real.png", scene)) == 0.0


def test_an_illustrative_result_marks_the_picture_of_a_surveyed_town(
    screen: None, tmp_path: Path
) -> None:
    view = surveyed(town())
    table = view.table("building")
    values = np.linspace(0.0, 1.0, len(table))
    field = ResultField("x", "1", "objects", values, {"en": "x", "zh": "量"}, "building", table.ids)

    def result(illustrative: bool) -> Result:
        return Result("example", {"en": "e"}, (field,), {}, {}, 1, "test", illustrative)

    assert red_share(shot(view, tmp_path / "a.png", SMALL, result(True))) > 0.15
    assert red_share(shot(view, tmp_path / "b.png", SMALL, result(False))) == 0.0


def test_a_result_shows_with_a_legend_in_both_languages(screen: None, tmp_path: Path) -> None:
    view = plain_town()
    table = view.table("building")
    values = np.linspace(0.0, 1.0, len(table))
    titles = {"en": "share of something", "zh": "某种份额"}
    field = ResultField("x", "1", "objects", values, titles, "building", table.ids)
    result = Result("example", titles, (field,), {}, {}, 1, "test", True)
    english, chinese = (
        shot(view, tmp_path / f"{lang}.png", replace(SMALL, lang=lang), result)
        for lang in ("en", "zh")
    )
    upper_right = np.s_[:110, -130:]
    without = shot(view, tmp_path / "none.png", SMALL)
    assert (np.abs(english[upper_right] - without[upper_right]).max(axis=-1) > 24).mean() > 0.1
    assert (english[upper_right] != chinese[upper_right]).any()


def test_a_house_without_height_is_seen_in_its_colour_and_reported(
    screen: None, tmp_path: Path
) -> None:
    view = plain_town()
    table = view.table("building")
    none = {"height_m": np.full(12, np.nan), "storeys_above": np.full(12, np.nan)}
    bare = replace(view, tables={"building": replace(table, columns={**table.columns, **none})})
    path = tmp_path / "bare.png"
    report = render_scene(replace(SMALL, camera="top"), bare, path=path)
    assert report.without_height == 12
    image = pixels(path)
    pink = (image[..., 0] > image[..., 1] + 60) & (image[..., 2] > image[..., 1] + 20)
    assert pink.mean() > 0.01


def test_a_twin_of_ground_alone_becomes_a_picture(screen: None, tmp_path: Path) -> None:
    view = Twin(name="dem", frame=town().frame, rasters=town().rasters)
    image = shot(view, tmp_path / "dem.png")
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_a_picture_that_cannot_be_written_says_where(screen: None, tmp_path: Path) -> None:
    folder = tmp_path / "taken.png"
    folder.mkdir()
    with pytest.raises(StoreError) as caught:
        render_scene(SMALL, plain_town(), path=folder)
    assert "taken.png" in str(caught.value)


@pytest.mark.parametrize(("text", "size"), [("1280x720", (1280, 720)), ("64X8192", (64, 8192))])
def test_sizes_are_read(text: str, size: tuple[int, int]) -> None:
    assert sizes(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "1280", "1280x", "0x0", "63x720", "9000x10", "-5x5", "1e3x9", "²x100"]
)
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        sizes(text)
    assert caught.value.key == "scenes.size"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["-o", "a.jpg"], "ending"),
        (["-o", "no/where/a.png"], "no_folder"),
        (["-o", "a.png", "--size", "big"], "size"),
        (["-o", "a.png", "--view", "moon"], "view"),
        (["-o", "a.png", "--layers", "castle"], "no_layer"),
        (["-o", "a.png", "--run", "run-none"], ""),
        (["-o", "a.png", "--scene", "none.json"], "no_scene"),
        (["-o", "a.png", "--path", "orbit"], "only_film"),
        (["-o", "a.mp4"], "still"),
        (["-o", "a.mp4", "--path", "spiral"], "path"),
    ],
)
def test_a_command_that_makes_no_sense_exits_2_and_writes_nothing(
    screen: None,
    sketch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    key: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["render", str(sketch), *words, "--json"]) == 2
    assert key in capsys.readouterr().out
    assert not list(tmp_path.glob("*.png"))


def test_a_kept_scene_is_drawn_and_options_go_before_it(
    screen: None, sketch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "scene.json", tmp_path / "a.png"
    kept.write_text(Scene(camera="top", size=(160, 90), layers=("road",)).to_json())
    assert main(["render", str(sketch), "-o", str(out), "--scene", str(kept), "--json"]) == 0
    assert pixels(out).shape == (90, 160, 3)
    words = ["--scene", str(kept), "--size", "200x100", "--json"]
    assert main(["render", str(sketch), "-o", str(out), *words]) == 0
    assert pixels(out).shape == (100, 200, 3)


HANZI = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")


@pytest.mark.parametrize("camera", ["top", "oblique"])
def test_the_bar_of_a_view_in_perspective_says_that_it_holds_about(
    camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, view, written = replace(SMALL, camera=camera), plain_town(), []
    plain = ImageDraw.ImageDraw.text

    def listen(pen: Any, xy: Any, text: str, *rest: Any, **look: Any) -> None:
        written.append(text)
        plain(pen, xy, text, *rest, **look)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", listen)
    blank = np.zeros((scene.size[1], scene.size[0], 3), np.uint8)
    overlay.lay_over(blank, scene, view, None, compose(scene, view))
    bars = [t for t in written if re.fullmatch(r".*\d k?m", t)]
    assert len(bars) == 1 and bars[0].startswith("≈ ")


def texts_of_the_house() -> Iterator[str]:
    """Return every text that may come onto a picture: messages, titles and notes of results."""
    for package in (scenes, bim_import):
        assert package.__file__
    for texts in messages.keys().values():
        yield from texts.values()
    for folder in ("kernels", "cim", "bim_import", "scenes"):
        for path in [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.toml")]:
            yield path.read_text(encoding="utf-8")
    for path in (ROOT / "data").rglob("district.toml"):
        yield path.read_text(encoding="utf-8")


def test_the_shipped_font_has_every_hanzi_of_every_text() -> None:
    face = overlay.font(32)
    box = bytes(face.getmask("\U000f0000"))
    needed = sorted({c for text in texts_of_the_house() for c in HANZI.findall(text)})
    assert len(needed) > 500
    missing = [c for c in needed if c != "\u3000" and bytes(face.getmask(c)) == box]
    assert missing == [], f"make the font anew (scenes/fonts/make.py): {''.join(missing)}"


def test_the_shipped_font_has_latin_letters_signs_and_units() -> None:
    face = overlay.font(32)
    box = bytes(face.getmask("\U000f0000"))
    signs = "ABCXYZabcxyz0123456789.,:;()/%+-±≈≥≤·×²³°µ–"
    assert [c for c in signs if bytes(face.getmask(c)) == box] == []
