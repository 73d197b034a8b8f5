"""A file that is being made is there whole or not at all, whatever stops it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cim.errors import StoreError
from scenes.files import whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("old", encoding="utf-8")
    with whole(path) as partial:
        partial.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old" and partial.suffix == ".html"
    assert path.read_text(encoding="utf-8") == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(StoreError) as caught, whole(path) as partial:
        partial.write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "a.html" in str(caught.value) and "No space" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    assert path.read_text(encoding="utf-8") == "old"


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.html").mkdir()
    with pytest.raises(StoreError), whole(tmp_path / "a.html") as partial:
        partial.write_text("new", encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_film_stopped_from_outside_exits_130_and_leaves_nothing(
    screen: None, sketch: Path, tmp_path: Path, how: signal.Signals
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    words = ["render", str(sketch), "-o", str(folder / "a.mp4"), "--path", "orbit"]
    command = [sys.executable, "-m", "cim.cli", *words, "--size", "160x90", "--seconds", "60"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as film:
        assert film.stderr is not None
        for line in film.stderr:
            if "filming" in line:
                break
        assert [p.suffix for p in folder.iterdir()] == [".mp4"]  # begun, under another name
        film.send_signal(how)
        told = film.stderr.read()
        assert film.wait(timeout=60) == 130, told
    assert list(folder.iterdir()) == []
