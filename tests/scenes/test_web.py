"""The page opens in a real Chromium from a file, alone, and knows what is clicked."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import CancelledError, RequestError, StoreError
from cim.jobs import Job
from cim.model import GridFrame, Twin
from cim.model.result import Result, ResultField
from scenes.scene import Annotation, Bookmark, Eye, Plane, Scene, Style
from scenes.web import write_html
from tests.benchmarks.metropolis import metropolis
from tests.scenes.browser import Browser, missing, open_browser
from tests.scenes.conftest import note_undrawn
from tests.towns import EAST, FRAME, NORTH, box, layer, town

SMALL = Scene(size=(320, 180))


def header(page: Path) -> dict[str, Any]:
    """Return the header of the data inside a page."""
    found = re.search(r'id="data">([^<]*)<', page.read_text(encoding="utf-8"))
    assert found is not None
    data = gzip.decompress(base64.b64decode(found.group(1)))
    size = int.from_bytes(data[:4], "little")
    told: dict[str, Any] = json.loads(data[4 : 4 + size])
    return told


def rising(town_size_m: int = 200) -> Result:
    """A flood that covers the south-west quarter of the town, deeper with every hour."""
    frame = GridFrame(west=EAST, north=NORTH + town_size_m, cell_m=10.0, rows=20, cols=20)
    depth = np.zeros((3, 20, 20), dtype=np.float32)
    for hour in range(3):
        depth[hour, 10:, :10] = 0.2 * hour
    field = ResultField(
        "depth_m", "m", "grid", depth, {"en": "water depth", "zh": "水深"}, over_time=True
    )
    return Result(
        "flood",
        {"en": "flood", "zh": "内涝"},
        (field,),
        {},
        {},
        1,
        "cim-twin test",
        True,
        times_s=np.array([0.0, 3600.0, 7200.0]),
        grid=frame,
    )


def sunny(view: Twin) -> Result:
    """A share for each house, NaN for the first."""
    table = view.table("building")
    values = np.linspace(0.0, 1.0, len(table))
    values[0] = np.nan
    field = ResultField(
        "share", "1", "objects", values, {"en": "share", "zh": "份额"}, "building", table.ids
    )
    return Result("example", {"en": "e", "zh": "例"}, (field,), {}, {}, 1, "test", True)


def test_more_cuts_than_a_page_can_show_are_refused(tmp_path: Path) -> None:
    cuts = tuple(Plane((EAST + x, NORTH, 0.0), (1.0, 0.0, 0.0)) for x in range(7))
    page = tmp_path / "x.html"
    with pytest.raises(RequestError, match="7 cuts; a page shows 6"):
        write_html(replace(SMALL, clip=cuts), town(), path=page)
    assert not page.exists()
    write_html(replace(SMALL, clip=cuts[:6]), town(), path=page)
    assert len(header(page)["clip"]) == 6


def test_a_page_coloured_by_an_attribute_has_its_legend_in_both_languages(tmp_path: Path) -> None:
    page = tmp_path / "x.html"
    themed = replace(SMALL, styles=(Style("building", by="height_m"),), lang="en")
    write_html(themed, town(), path=page)
    legend = header(page)["legend"]
    assert (legend["en"]["title"], legend["zh"]["title"]) == ("height above ground", "建筑高度")
    assert legend["en"]["unit"] == "m" and len(legend["en"]["rgb"]) > 1
    write_html(replace(themed, styles=()), town(), path=page)
    assert header(page)["legend"] is None


@pytest.fixture(scope="module")
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """One Chromium for this file; the tests that need it are counted where there is none."""
    lacking = missing()
    if lacking:
        note_undrawn(f"{request.node.nodeid}: {lacking} not installed")
        pytest.skip(f"not installed: {lacking}")
    with open_browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(scope="module")
def city_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "城市.html"
    write_html(replace(SMALL, lang="en"), town(), path=path)
    return path


@pytest.fixture
def page(browser: Browser, city_page: Path) -> Browser:
    """Return the browser with the town's page as it is when it opens."""
    if browser.run("return decodeURI(location.href)") != f"file://{city_page}":
        browser.console()
        browser.requests()
        browser.open(city_page)
    browser.run("window.cim.home(); window.cim.select(null)")
    return browser


def test_the_page_opens_from_a_file_without_an_error_and_asks_nobody(page: Browser) -> None:
    assert page.run("return window.cim.ready") is True
    assert page.run("return window.cim.objects") == 12 + 4 + 30
    assert page.run("return window.cim.triangles") > 12 * 10
    assert page.console() == []
    assert [u for u in page.requests() if not u.startswith("file:")] == []


def test_the_picture_is_not_blank(page: Browser) -> None:
    shown = page.picture().astype(int)
    middle = shown[200:600, 200:900]
    assert middle.std(axis=(0, 1)).min() > 5.0
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 200


def test_every_house_answers_a_click_on_its_roof_with_its_id(page: Browser) -> None:
    view = town()
    table = view.table("building")
    page.run("window.cim.camera.tilt = 1.5698; window.cim.camera.turn = 0; window.cim.redraw()")
    for i, id_ in enumerate(table.ids):
        x, y = shapely.get_coordinates(table.geometry[i].centroid)[0]
        ground = float(view.grid("terrain").sample(np.array([[x, y]]))[0])
        top = ground + float(table.numbers("height_m")[i])
        across, down, _ = page.run("return window.cim.screen(...arguments)", x, y, top)
        assert page.run("return window.cim.pick(...arguments)", across, down) == id_
        place = page.run("return window.cim.where(...arguments)", across, down)
        np.testing.assert_allclose(place, (x, y, top), atol=0.6)  # a pixel is 0.5 m


def test_a_street_painted_on_the_ground_answers_too(page: Browser) -> None:
    page.run("window.cim.camera.tilt = 1.5698; window.cim.camera.turn = 0; window.cim.redraw()")
    x, y = EAST + 48.0, NORTH + 105.0
    across, down, _ = page.run("return window.cim.screen(...arguments)", x, y, 3.0)
    road = town().table("road")
    assert page.run("return window.cim.pick(...arguments)", across, down) == road.ids[0]


def test_a_click_opens_the_panel_with_the_attributes_and_the_empty_sky_closes_it(
    page: Browser,
) -> None:
    id_ = town().table("building").ids[3]
    place = page.run("return window.cim.place(arguments[0])", id_)
    across, down, _ = page.run("return window.cim.screen(...arguments[0])", place)
    page.click(across, down + 2)
    text = page.run("return document.getElementById('panel').innerText")
    assert id_ in text and "房屋4" in text and "15 m" in text
    page.click(640, 3)
    assert not page.run("return document.getElementById('panel').classList.contains('open')")


def test_dragging_turns_the_city_and_the_wheel_brings_it_near(page: Browser) -> None:
    before = page.run("return {...window.cim.camera}")
    page.drag(500, 400, 120, 0)
    page.run(
        "document.getElementById('city').dispatchEvent("
        "new WheelEvent('wheel', {deltaY: -300, clientX: 500, clientY: 400, cancelable: true}))"
    )
    after = page.run("return {...window.cim.camera}")
    assert after["turn"] == pytest.approx(before["turn"] - 0.72, abs=0.02)
    assert after["far"] < 0.8 * before["far"]


def test_a_layer_goes_and_comes_back(page: Browser) -> None:
    toggle = "document.querySelector('[data-layer=building]').click(); window.cim.redraw()"
    with_houses = page.picture()
    page.run(toggle)
    without = page.picture()
    page.run(toggle)
    assert (with_houses != without).any(axis=-1).mean() > 0.01
    assert (with_houses != page.picture()).any(axis=-1).mean() < 0.001


def test_chinese_and_english_change_in_place(page: Browser) -> None:
    body = "return document.body.innerText"
    assert "illustrative data" in page.run(body) and "building" in page.run(body)
    page.run("document.querySelector('#tools button').click()")
    assert "示意数据，非测绘成果" in page.run(body) and "建筑" in page.run(body)
    wide = "return document.fonts.check('16px \"CIM Sans\"', '建筑')"
    assert page.run(wide) is True


def test_a_long_title_leaves_no_lone_character_on_its_last_line(page: Browser) -> None:
    lines = """
        const title = document.getElementById("title"), kept = title.textContent, range = document.createRange();
        title.textContent = "城".repeat(arguments[0] - 1) + "米";
        range.selectNodeContents(title);
        const wide = [...range.getClientRects()].map((line) => line.width);
        title.textContent = kept;
        return wide;"""  # noqa: E501
    shares = [(wide := page.run(lines, count))[-1] / wide[0] for count in range(15, 60)]
    assert min(shares) > 0.4
    meets = """
        const title = document.getElementById("title"), kept = title.textContent;
        title.textContent = "城".repeat(60);
        const left = document.getElementById("head").getBoundingClientRect().right;
        title.textContent = kept;
        return left <= document.getElementById("right").getBoundingClientRect().left;"""
    assert page.run(meets)


def test_the_slider_shows_the_water_rising(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "flood.html"
    report = write_html(replace(SMALL, run="r"), town(), rising(), path=page)
    assert (report.moments, report.moments_of_run) == (3, 3)
    browser.open(page)
    assert browser.run("return document.getElementById('now').textContent") == "2:00:00"
    shots = []
    for step in range(3):
        browser.run("return window.cim.show(arguments[0])", step)
        browser.run("window.cim.redraw()")
        shots.append(browser.picture().astype(int))
    wet = [(abs(shot - shots[0]).max(axis=-1) > 8) for shot in shots]
    scene = wet[2].copy()
    scene[600:], scene[:, 990:] = False, False  # the slider and the cards
    assert scene.mean() > 0.02
    darker = shots[1][scene].sum(axis=-1).mean() - shots[2][scene].sum(axis=-1).mean()
    assert darker > 10  # deeper is darker blue
    assert browser.console() == []


def test_a_result_on_houses_colours_them_and_stands_in_the_panel(
    browser: Browser, tmp_path: Path
) -> None:
    view = town()
    page = tmp_path / "share.html"
    write_html(SMALL, view, sunny(view), path=page)
    browser.open(page)
    ids = view.table("building").ids
    browser.run("window.cim.select(arguments[0])", ids[-1])
    assert "share\t1" in browser.run("return document.getElementById('panel').innerText")
    browser.run("window.cim.select(arguments[0])", ids[0])
    assert "share" not in browser.run("return document.getElementById('panel').innerText")


def test_bookmarks_annotations_and_the_selection_of_a_scene_come_along(
    browser: Browser, tmp_path: Path
) -> None:
    view, page = town(), tmp_path / "kept.html"
    place = (EAST + 27.0, NORTH + 25.0, 15.0)
    eye = Eye(position=(EAST + 27.0, NORTH - 75.0, 115.0), focus=place)
    scene = replace(
        SMALL,
        run="r",
        bookmarks=(Bookmark("近处", eye=eye, time_s=3500.0),),
        annotations=(Annotation("门前积水", place),),
        selection=(str(view.table("building").ids[0]),),
    )
    write_html(scene, view, rising(), path=page)
    browser.open(page)
    assert view.table("building").ids[0] in browser.run(
        "return document.getElementById('panel').innerText"
    )
    browser.run("[...document.querySelectorAll('#tools button')].at(-1).click(); cim.redraw()")
    wide, high = browser.run("return [innerWidth, innerHeight]")
    across, down, _ = browser.run("return window.cim.screen(...arguments)", *place)
    assert across == pytest.approx((wide - 90) / 2, abs=1) and down == pytest.approx(
        high / 2, abs=1
    )
    assert browser.run("return cim.camera.far") == pytest.approx(100 * np.sqrt(2), rel=1e-4)
    box_ = browser.run("return document.querySelector('.note').getBoundingClientRect().toJSON()")
    assert box_["left"] < across < box_["right"] and box_["bottom"] == pytest.approx(down, abs=1)
    assert browser.run("return document.getElementById('now').textContent") == "1:00:00"


def test_what_a_cut_takes_away_is_neither_seen_nor_picked(browser: Browser, tmp_path: Path) -> None:
    view, page = town(), tmp_path / "cut.html"
    table = view.table("building")
    cut = Plane(at=(EAST + 47.0, NORTH, 0.0), normal=(1.0, 0.0, 0.0))
    named = Style("building", label="name")
    write_html(replace(SMALL, camera="top", clip=(cut,), styles=(named,)), view, path=page)
    browser.open(page)
    told = []
    for i in (0, 1):  # the first stands west of the cut, the second east of it
        x, y = shapely.get_coordinates(table.geometry[i].centroid)[0]
        across, down, _ = browser.run("return window.cim.screen(...arguments)", x, y, 10.0)
        told.append(browser.run("return window.cim.pick(...arguments)", across, down))
    assert told[0] is None and told[1] == table.ids[1]
    texts = browser.run("return [...document.querySelectorAll('.note')].map((n) => n.textContent)")
    assert "房屋2" in texts
    assert browser.console() == []


def test_names_that_look_like_markup_stay_text(browser: Browser, tmp_path: Path) -> None:
    evil = '</script><img src=x onerror="window.cracked=1">'
    table = layer("building", [box(20, 20, 30, 30)], name=[evil], height_m=[9.0])
    view = Twin(name="town", frame=FRAME, tables={"building": table}, titles={"en": evil})
    page = tmp_path / "evil.html"
    write_html(SMALL, view, path=page)
    browser.open(page)
    browser.run("window.cim.select(arguments[0])", table.ids[0])
    assert browser.run("return document.querySelector('#panel h2').textContent") == evil
    assert browser.run("return window.cracked === undefined") is True
    assert browser.run("return document.querySelectorAll('img').length") == 0


def test_the_page_keeps_places_to_the_millimetre_far_from_the_zero_of_the_map(
    tmp_path: Path,
) -> None:
    page = tmp_path / "far.html"
    write_html(SMALL, town(), path=page)
    told = header(page)
    x, y, _ = told["frame"]["origin"]
    assert x == int(x) and y == int(y) and abs(x - EAST) < 300 and abs(y - NORTH) < 300
    assert told["frame"]["crs"] == "EPSG:4548" and told["illustrative"] is True


def moved(view: Twin, east_m: float, north_m: float) -> Twin:
    """Return a twin shifted by whole metres, its terrain too."""
    tables = {
        name: replace(
            table, geometry=shapely.transform(table.geometry, lambda xy: xy + (east_m, north_m))
        )
        for name, table in view.tables.items()
    }
    grid = view.rasters["terrain"]
    frame = replace(grid.frame, west=grid.frame.west + east_m, north=grid.frame.north + north_m)
    return replace(view, tables=tables, rasters={"terrain": replace(grid, frame=frame)})


def test_a_twin_in_zone_prefixed_metres_and_a_local_one_look_the_same_to_the_pixel(
    browser: Browser, tmp_path: Path
) -> None:
    """An easting of 39,500,000 m steps by 4 m in float32: it must never reach the page."""
    shots = []
    for name, view in (
        ("far", moved(town(), 39_000_000.0, 0.0)),
        ("near", moved(town(), -EAST, -NORTH)),
    ):
        write_html(SMALL, view, path=tmp_path / f"{name}.html")
        browser.open(tmp_path / f"{name}.html")
        browser.run("window.cim.redraw()")
        shots.append(browser.picture())
    assert int((shots[0] != shots[1]).any(axis=-1).sum()) == 0


def test_the_same_scene_gives_the_same_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_html(SMALL, town(), rising(), path=tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_cancelled_page_leaves_no_file_and_spares_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("old", encoding="utf-8")
    job = Job()
    job.listen = lambda p: job.cancel()
    with pytest.raises(CancelledError):
        write_html(SMALL, town(), rising(), path=page, job=job)
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    assert page.read_text(encoding="utf-8") == "old"


def test_an_empty_twin_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        write_html(SMALL, Twin(name="nothing", frame=FRAME), path=tmp_path / "a.html")
    assert caught.value.key == "scenes.empty"
    with pytest.raises(StoreError) as refused:
        write_html(SMALL, town(), path=tmp_path / "no" / "a.html")
    assert refused.value.key == "store.cannot_write"
    assert list(tmp_path.iterdir()) == []


def test_a_city_in_tiles_is_picked_exactly_and_drawn_coarser_while_one_moves(
    browser: Browser, tmp_path: Path
) -> None:
    view = metropolis(16_000)
    page = tmp_path / "city.html"
    report = write_html(replace(SMALL, layers=("building",)), view, path=page)
    browser.open(page)
    whole = browser.run("window.cim.redraw(); return window.cim.drawn()")
    assert whole < report.triangles  # distant tiles are roofs, those out of sight not there
    assert browser.run("return window.cim.triangles") >= report.triangles
    seen = browser.picture()
    nearer = "window.cim.camera.far *= 0.4; window.cim.redraw(); return window.cim.drawn();"
    rest = browser.run(nearer)
    moving = "window.cim.touch(); window.cim.redraw(); return window.cim.drawn();"
    assert 0 < browser.run(moving) < rest
    id_ = str(view.table("building").ids[77])
    place = browser.run("return window.cim.place(arguments[0])", id_)
    near = """
      const c = window.cim.camera, [x, y, z] = arguments[0], o = arguments[1];
      Object.assign(c, { target: [x - o[0], y - o[1], z - o[2]], far: 90, tilt: 1.2 });
      window.cim.redraw(); return window.cim.drawn();"""
    assert browser.run(near, place, header(page)["frame"]["origin"]) < whole
    x, y, _ = browser.run("return window.cim.screen(...arguments[0])", place)
    assert browser.run("return window.cim.pick(arguments[0], arguments[1])", x, y + 2) == id_
    assert (browser.picture() != seen).any()
