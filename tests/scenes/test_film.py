"""A film shows the moments of a run and the camera's way, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.errors import CancelledError, MissingError, RequestError
from cim.jobs import Job, Progress
from scenes.compose import compose
from scenes.film import orbit, read_path, through, write_film
from scenes.scene import Bookmark, Eye, Scene
from tests.scenes.test_web import rising, sunny
from tests.towns import EAST, NORTH, town

SMALL = Scene(size=(161, 90))


def pictures(path: Path) -> tuple[list[np.ndarray], Any]:
    """Return all pictures of a film, decoded, and its stream."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
        return shown, stream


def blue(picture: np.ndarray) -> float:
    """Return how blue a picture is, the legend left out."""
    left = picture[:, : picture.shape[1] * 3 // 4]
    return float((left[..., 2] - left[..., 0]).mean())


def test_the_water_rises_through_the_film(screen: None, tmp_path: Path) -> None:
    path = tmp_path / "flood.mp4"
    report = write_film(SMALL, town(), rising(), path=path)
    shown, stream = pictures(path)
    assert (report.moments, report.moments_of_run, report.pictures) == (3, 3, 3)
    assert report.size == (160, 90) == (stream.width, stream.height)
    assert stream.average_rate == 25 and len(shown) == round(1.2 * 25)
    levels = [blue(p) for p in (shown[0], shown[14], shown[-1])]
    assert levels[0] < levels[1] < levels[2]
    still = [np.abs(a - b).mean() for a, b in zip(shown[1:9], shown[:8], strict=True)]
    assert max(still) < 1.0  # a moment stands still


def test_colours_come_through_the_code_as_they_went_in(screen: None, tmp_path: Path) -> None:
    from PIL import Image

    from scenes.render import render_scene

    scene = replace(SMALL, size=(320, 180))
    write_film(scene, town(), path=tmp_path / "a.mp4", way=orbit(turn_deg=1.0), seconds=0.1)
    render_scene(scene, town(), path=tmp_path / "a.png")
    truth = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    shown, _ = pictures(tmp_path / "a.mp4")
    bias = (shown[0] - truth).reshape(-1, 3).mean(axis=0)
    assert np.abs(bias).max() < 2.0  # the wrong matrix or range shifts green by 5 or more


def test_the_camera_goes_once_around(screen: None, tmp_path: Path) -> None:
    report = write_film(SMALL, town(), path=tmp_path / "a.mp4", way=orbit(), seconds=0.2)
    shown, _ = pictures(tmp_path / "a.mp4")
    assert report.pictures == len(shown) == 5
    assert np.abs(shown[2] - shown[0]).mean() > 4.0
    assert np.abs(shown[-1] - shown[0]).mean() < 2.0


def test_a_cancel_leaves_no_file_and_spares_the_old_one(screen: None, tmp_path: Path) -> None:
    path = tmp_path / "flood.mp4"
    path.write_bytes(b"old")
    job = Job()

    def listen(step: Progress) -> None:
        if step.done >= 12:
            job.cancel()

    job.listen = listen
    with pytest.raises(CancelledError):
        write_film(SMALL, town(), rising(), path=path, job=job)
    assert [p.name for p in tmp_path.iterdir()] == ["flood.mp4"] and path.read_bytes() == b"old"


def test_what_does_not_move_is_refused_with_what_to_do(tmp_path: Path) -> None:
    view = town()
    for result in (None, sunny(view)):
        with pytest.raises(RequestError) as caught:
            write_film(SMALL, view, result, path=tmp_path / "a.mp4")
        assert caught.value.key == "scenes.still" and "--path orbit" in caught.value.remedy()
    with pytest.raises(RequestError) as caught:
        write_film(replace(SMALL, time_s=3600.0), view, rising(), path=tmp_path / "a.mp4")
    assert caught.value.key == "scenes.still"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 601.0])
def test_an_impossible_length_is_refused(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        write_film(SMALL, town(), rising(), path=tmp_path / "a.mp4", seconds=seconds)
    assert caught.value.key == "scenes.seconds"


def test_without_the_encoder_the_line_to_install_is_told(
    screen: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingError) as caught:
        write_film(SMALL, town(), rising(), path=tmp_path / "a.mp4")
    assert caught.value.exit_code == 3 and "cim-twin[viewer]" in caught.value.remedy()


def test_an_orbit_keeps_its_distance_and_comes_home() -> None:
    picture = compose(SMALL, town())
    start, way = picture.camera, orbit()
    for share in (0.0, 0.25, 0.7, 1.0):
        camera = way(picture, share)
        far = np.linalg.norm(camera.position - camera.focus)
        assert far == pytest.approx(np.linalg.norm(start.position - start.focus))
        assert camera.position[2] == pytest.approx(start.position[2])
        out = camera.position - camera.focus
        turn = np.degrees(np.arctan2(out[0], -out[1]))
        assert (turn - camera.turn_deg + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(way(picture, 1.0).position, start.position, atol=1e-6)


def test_a_way_passes_its_stations_in_the_scenes_own_metres() -> None:
    picture = compose(SMALL, town())
    stations = [
        ((EAST, NORTH - 50.0 * k, 40.0), (EAST + 100.0, NORTH + 100.0 - k, 3.0)) for k in range(3)
    ]
    way, o = through(stations), picture.origin
    for k, (position, focus) in enumerate(stations):
        camera = way(picture, k / 2)
        np.testing.assert_allclose(camera.position + (o.x, o.y, o.z), position, atol=1e-6)
        np.testing.assert_allclose(camera.focus + (o.x, o.y, o.z), focus, atol=1e-6)


def test_a_path_is_read_from_words_or_a_file(tmp_path: Path) -> None:
    picture = compose(SMALL, town())
    half = read_path("orbit:180", SMALL)(picture, 1.0)
    assert half.turn_deg == pytest.approx(
        (picture.camera.turn_deg + 180 + 180) % 360 - 180, abs=1e-9
    )
    file = tmp_path / "way.json"
    one = {"position": [EAST, NORTH, 50.0], "focus": [EAST + 9, NORTH + 9, 3.0]}
    file.write_text(json.dumps([one, {**one, "position": [EAST, NORTH + 80, 50.0]}]))
    assert read_path(str(file), SMALL)(picture, 1.0).position[1] + picture.origin.y == NORTH + 80


def test_a_film_follows_the_bookmarks_of_its_scene() -> None:
    picture = compose(SMALL, town())
    eyes = [Eye((EAST, NORTH + 9.0 * k, 40.0), (EAST + 90.0, NORTH + 90.0, 3.0)) for k in range(2)]
    kept = (Bookmark("a", eye=eyes[0]), Bookmark("box only"), Bookmark("b", eye=eyes[1]))
    way = read_path("bookmarks", replace(SMALL, bookmarks=kept))
    assert way(picture, 1.0).position[1] + picture.origin.y == pytest.approx(NORTH + 9.0)


@pytest.mark.parametrize(
    "text", ["spiral", "bookmarks", "orbit:0", "orbit:nan", "[]", "[1]", '[{"position": [1, 2]}]']
)
def test_what_is_no_path_is_refused(text: str, tmp_path: Path) -> None:
    given = text
    if text.startswith("["):
        file = tmp_path / "way.json"
        file.write_text(text)
        given = str(file)
    with pytest.raises(RequestError) as caught:
        read_path(given, SMALL)
    assert caught.value.key == "scenes.path" and "position" in caught.value.remedy()
