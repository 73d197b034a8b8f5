"""A map on paper is true to scale, says what it shows in both languages, and embeds its font."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Circle
from PIL import Image

from cim.cli import main
from cim.errors import CancelledError, MissingError, RequestError, StoreError
from cim.jobs import Job
from cim.model import Twin
from cim.model.result import Result
from scenes.chart import _TREE
from scenes.drawers import Drawing
from scenes.paper import PAPERS, Sheet, _Writer, write_map
from scenes.thematic import CATEGORIES, thematic
from tests.scenes.conftest import note_undrawn
from tests.scenes.test_web import rising
from tests.towns import EAST, FRAME, NORTH, box, layer, town

DPI = 200


def slab(width_m: float, depth_m: float, *, illustrative: bool = False) -> Twin:
    """One building of a known size, its use known."""
    table = layer(
        "building",
        [box(0, 0, width_m, depth_m)],
        height_m=[9.0],
        use=["仓库"],
        illustrative=[illustrative],
    )
    return Twin(name="slab", frame=FRAME, tables={"building": table})


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def extent_mm(image: np.ndarray, rgb: tuple[int, int, int], dpi: float) -> tuple[float, float]:
    """Return width and height on paper of the largest block of a colour, millimetres."""
    mine = np.abs(image - np.array(rgb)).max(axis=-1) <= 3
    rows, cols = np.flatnonzero(mine.sum(axis=1) > 200), np.flatnonzero(mine.sum(axis=0) > 200)
    return np.ptp(cols) / dpi * 25.4, np.ptp(rows) / dpi * 25.4


def tool(request: pytest.FixtureRequest, name: str) -> str:
    """Return a program of poppler-utils, or skip and be named."""
    found = shutil.which(name)
    if found is None:
        note_undrawn(f"{request.node.nodeid}: {name} not installed")
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize(
    ("paper", "scale", "width_m", "depth_m"),
    [("A4", 5000, 1000.0, 500.0), ("A3", 5000, 1500.0, 1000.0), ("A4", 500, 80.0, 60.0)],
)
def test_a_house_of_known_size_is_as_long_on_paper_as_its_scale_says(
    tmp_path: Path, paper: str, scale: float, width_m: float, depth_m: float
) -> None:
    sheet = Sheet(paper=paper, scale=scale, by="use")
    report = write_map(sheet, slab(width_m, depth_m), path=tmp_path / "a.png")
    image = pixels(tmp_path / "a.png")
    wide, high = extent_mm(image, CATEGORIES[0], DPI)
    assert wide == pytest.approx(width_m * 1000 / scale, abs=0.4)  # 3 pixels, its outline
    assert high == pytest.approx(depth_m * 1000 / scale, abs=0.4)
    paper_mm = PAPERS[paper]
    assert image.shape[1] / DPI * 25.4 == pytest.approx(paper_mm[0], abs=0.2)
    assert report.scale == scale and report.cut is False


def test_the_pdf_is_true_to_scale_too(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    draw = tool(request, "pdftoppm")
    write_map(Sheet(scale=5000, by="use"), slab(1000.0, 500.0), path=tmp_path / "a.pdf")
    subprocess.run([draw, "-r", "150", "-png", "a.pdf", "a"], cwd=tmp_path, check=True)
    image = pixels(next(tmp_path.glob("a-*.png")))
    wide, high = extent_mm(image, CATEGORIES[0], 150)
    assert wide == pytest.approx(200.0, abs=0.5) and high == pytest.approx(100.0, abs=0.5)
    assert image.shape[1] / 150 * 25.4 == pytest.approx(297.0, abs=0.3)


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["share of use", "illustrative data", "building", "Source: town", "grid north",
                "1985 National Height Datum"]),
        ("zh", ["示意数据，非测绘成果", "树木", "数据来源：town", "坐标北", "东路",
                "1985国家高程基准"]),
    ],
)  # fmt: skip
def test_the_words_of_a_map_can_be_read_and_searched(
    tmp_path: Path, request: pytest.FixtureRequest, lang: str, words: list[str]
) -> None:
    read = tool(request, "pdftotext")
    sheet = Sheet(lang=lang, title="share of use" if lang == "en" else None)
    write_map(sheet, town(), path=tmp_path / "a.pdf")
    done = subprocess.run([read, "a.pdf", "-"], cwd=tmp_path, capture_output=True, check=True)
    text = done.stdout.decode()
    for one in [*words, "EPSG:4548", "1 : 1 000", "m"]:
        assert one in " ".join(text.split()), one


def test_every_font_is_inside_the_pdf(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    list_fonts = tool(request, "pdffonts")
    write_map(Sheet(lang="zh"), town(), path=tmp_path / "a.pdf")
    done = subprocess.run([list_fonts, "a.pdf"], cwd=tmp_path, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()[2:]
    assert lines and all("NotoSansCJKsc" in line for line in lines)
    assert all(line.split()[-5:-2] == ["yes", "yes", "yes"] for line in lines)


def test_the_mark_stands_on_maps_of_illustrative_data_alone(tmp_path: Path) -> None:
    red = []
    for told in (True, False):
        write_map(Sheet(), slab(300.0, 200.0, illustrative=told), path=tmp_path / "a.png")
        image = pixels(tmp_path / "a.png")
        red.append((np.abs(image - (140, 41, 36)).max(axis=-1) < 6).mean())
    assert red[0] > 0.001 > 10 * red[1]


def test_water_lies_where_the_run_says_and_houses_stand_in_it(tmp_path: Path) -> None:
    base, run = town(), rising()
    plain = write_map(Sheet(scale=1000), base, path=tmp_path / "a.png")
    write_map(Sheet(scale=1000), base, run, path=tmp_path / "b.png")
    wet = pixels(tmp_path / "b.png")

    def at(x: float, y: float) -> np.ndarray:
        x0, _, _, y1 = plain.bounds
        mm = 10.0 + (x - x0), 10.0 + 13.0 + (y1 - y)  # 1:1000: a metre is a millimetre
        return wet[int(mm[1] / 25.4 * DPI), int(mm[0] / 25.4 * DPI)]

    south_west, north_west = at(EAST + 15.0, NORTH + 45.0), at(EAST + 15.0, NORTH + 145.0)
    house = at(EAST + 27.0, NORTH + 25.0)
    assert south_west[2] - south_west[0] > 40 and abs(north_west[2] - north_west[0]) < 20
    assert abs(house[2] - house[0]) < 20


def drawn(path: Path, monkeypatch: pytest.MonkeyPatch, result: Result | None) -> Any:
    """Return the matplotlib figure of a map of the town."""
    figures: list[Any] = []
    save = _Writer.save

    def keep(writer: _Writer, *rest: Any) -> None:
        figures.append(writer.figure)
        save(writer, *rest)

    monkeypatch.setattr(_Writer, "save", keep)
    write_map(Sheet(scale=1000), town(), result, path=path)
    return figures[-1]


def test_street_names_stand_on_plates_over_water(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (None, rising()):
        names = drawn(tmp_path / "a.png", monkeypatch, run).axes[1].texts
        plates = {t.get_text(): t.get_bbox_patch() for t in names}
        assert {"东路", "南路"} <= set(plates)
        assert all((plate is not None) == (run is not None) for plate in plates.values())


def test_what_is_a_dot_on_the_map_is_a_dot_in_its_legend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = drawn(tmp_path / "a.png", monkeypatch, None).axes[0]
    dots = [p for p in page.patches if isinstance(p, Circle)]
    assert len(dots) == 1  # of the kinds the town has, the trees alone
    assert dots[0].get_facecolor()[:3] == pytest.approx(np.array(_TREE) / 255)


def test_the_largest_round_scale_that_fits_is_taken(tmp_path: Path) -> None:
    report = write_map(Sheet(), slab(1000.0, 500.0), path=tmp_path / "a.png")
    x0, y0, x1, y1 = report.bounds
    assert report.scale == 5000
    assert x0 < EAST and y0 < NORTH and x1 > EAST + 1000 and y1 > NORTH + 500


def test_a_box_asked_for_that_does_not_fit_is_refused_with_the_scale_that_does(
    tmp_path: Path,
) -> None:
    bounds = (EAST, NORTH, EAST + 4000.0, NORTH + 1000.0)
    with pytest.raises(RequestError) as caught:
        write_map(Sheet(scale=5000, bounds=bounds), town(), path=tmp_path / "a.png")
    assert caught.value.key == "scenes.does_not_fit" and "1:20000" in str(caught.value)
    report = write_map(Sheet(scale=500), town(), path=tmp_path / "a.png")
    assert report.cut is True


@pytest.mark.parametrize(
    ("sheet", "key"),
    [
        (Sheet(paper="B5"), "scenes.paper"),
        (Sheet(scale=0.0), "scenes.scale"),
        (Sheet(scale=float("nan")), "scenes.scale"),
        (Sheet(bounds=(1.0, 1.0, 0.0, 2.0)), "scenes.bounds"),
        (Sheet(layers=("castle",)), "twin.no_layer"),
        (Sheet(by="castle.height_m"), "twin.no_layer"),
        (Sheet(by="colour"), "table.no_column"),
        (Sheet(by="year"), "scenes.no_values"),
    ],
)
def test_what_no_map_can_be_made_of_is_refused(tmp_path: Path, sheet: Sheet, key: str) -> None:
    with pytest.raises(RequestError) as caught:
        write_map(sheet, town(), path=tmp_path / "a.png")
    assert caught.value.key == key and caught.value.remedy()
    assert list(tmp_path.iterdir()) == []


def test_a_run_and_an_attribute_an_odd_ending_and_an_empty_twin_are_refused(
    tmp_path: Path,
) -> None:
    for view, run, path, sheet, key in (
        (town(), rising(), "a.png", Sheet(by="height_m"), "scenes.by_and_run"),
        (town(), None, "a.svg", Sheet(), "scenes.ending"),
        (Twin(name="nothing", frame=FRAME), None, "a.pdf", Sheet(), "scenes.empty"),
    ):
        with pytest.raises(RequestError) as caught:
            write_map(sheet, view, run, path=tmp_path / path)
        assert caught.value.key == key
    with pytest.raises(StoreError):
        write_map(Sheet(), town(), path=tmp_path / "no" / "a.pdf")


def test_without_matplotlib_the_line_to_install_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingError) as caught:
        write_map(Sheet(), town(), path=tmp_path / "a.pdf")
    assert caught.value.exit_code == 3 and "cim-twin[viewer]" in caught.value.remedy()


def test_characters_the_font_lacks_are_shown_as_boxes_and_reported(tmp_path: Path) -> None:
    report = write_map(Sheet(title="𠮷 house"), town(), path=tmp_path / "a.pdf")
    assert report.unwritten == "𠮷"


def test_the_same_sheet_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        write_map(Sheet(lang="zh"), town(), rising(), path=tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_cancelled_map_leaves_no_file(tmp_path: Path) -> None:
    job = Job()
    job.listen = lambda p: job.cancel()
    with pytest.raises(CancelledError):
        write_map(Sheet(), town(), path=tmp_path / "a.pdf", job=job)
    assert list(tmp_path.iterdir()) == []


def test_cim_map_writes_a_pdf(
    sketch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.pdf"
    words = ["map", str(sketch), "-o", str(out), "--by", "height_m", "--scale", "5000", "--json"]
    assert main([*words, "--paper", "A3"]) == 0
    assert '"scale": 5000.0' in capsys.readouterr().out and out.read_bytes()[:5] == b"%PDF-"
    assert main([*words[:3], str(tmp_path / "no" / "a.pdf"), "--json"]) == 2


def colours_of(drawing: Drawing) -> dict[str, Any]:
    return dict(drawing.objects["building"])


def test_rare_texts_share_a_colour_and_missing_ones_are_named() -> None:
    uses = [f"use{i}" for i in range(10) for _ in range(10 - i)] + [None]
    table = layer("building", [box(0, 0, 5, 5)] * len(uses), use=uses)
    drawing = thematic(table, "use", lang="en")
    told = colours_of(drawing)
    ids = [str(i) for i in table.ids]
    assert len({told[i] for i in ids[:52]}) == 8 and told[ids[0]] == CATEGORIES[0]
    assert told[ids[52]] == told[ids[54]] != told[ids[51]]
    texts = [text for _, text in drawing.legend.keys]
    assert texts[0] == "use0 (10)" and "2 others (3)" in texts and len(texts) == 10


def test_one_tower_does_not_paint_the_town_in_one_colour() -> None:
    heights = [6.0 + i % 10 for i in range(99)] + [300.0]
    table = layer("building", [box(0, 0, 5, 5)] * 100, height_m=heights)
    drawing = thematic(table, "height_m")
    assert drawing.legend.marks[-1][1].startswith("≥")
    assert len(set(colours_of(drawing).values())) >= 10
    even = thematic(
        replace(table, columns={**table.columns, "height_m": np.arange(100.0)}), "height_m"
    )
    assert not even.legend.marks[-1][1].startswith("≥")
