"""A machine that cannot draw is found in a child process and told what to install."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cim.cli import main
from cim.errors import MissingError
from scenes import probe
from scenes.render import render_scene
from scenes.scene import Scene
from tests.towns import town

LINE = "apt install libegl1 libegl-mesa0 libgl1-mesa-dri libgomp1"
CHILDREN = {
    "stops with an error": "import sys; sys.exit('libEGL.so.1: cannot open shared object file')",
    "is killed as VTK kills it": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "says nothing": "pass",
    "draws without OpenGL": "print('OK', 'vtkOSOpenGLRenderWindow', 0)",
}


@pytest.fixture(params=CHILDREN)
def broken(request: Any, monkeypatch: pytest.MonkeyPatch, unasked: None) -> str:
    monkeypatch.setattr(probe, "_CHILD", CHILDREN[request.param])
    return str(request.param)


def test_a_child_that_fails_means_that_this_machine_cannot_draw(broken: str) -> None:
    found = probe.opengl()
    assert not found.ok
    assert found.reason
    if broken == "stops with an error":
        assert "libEGL.so.1" in found.reason


def test_the_answer_holds_without_asking_twice(
    monkeypatch: pytest.MonkeyPatch, unasked: None
) -> None:
    asked = []

    def count(*given: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(given)
        return subprocess.CompletedProcess([], 0, stdout="OK vtkEGLRenderWindow 1\n", stderr="")

    monkeypatch.setattr(subprocess, "run", count)
    assert probe.opengl().ok and probe.opengl().renderer == "vtkEGLRenderWindow"
    assert len(asked) == 1


def test_drawing_then_fails_with_the_line_to_install_in_both_languages(
    broken: str, tmp_path: Path
) -> None:
    with pytest.raises(MissingError) as caught:
        render_scene(Scene(), town(), path=tmp_path / "town.png")
    error = caught.value
    assert (error.exit_code, error.key) == (3, "scenes.no_opengl")
    assert LINE in error.remedy("en") and LINE in error.remedy("zh")
    assert error.message("zh") != error.message("en")
    assert not (tmp_path / "town.png").exists()


def test_the_command_exits_3_and_leaves_no_picture(
    sketch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unasked: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(probe, "_CHILD", CHILDREN["stops with an error"])
    png = tmp_path / "none.png"
    assert main(["render", str(sketch), "-o", str(png), "--lang", "zh"]) == 3
    assert LINE in " ".join(capsys.readouterr().err.split())
    assert not png.exists()


def test_a_child_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, unasked: None) -> None:
    def hang(*given: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    assert not probe.opengl().ok


def test_without_the_viewer_the_extra_to_install_is_named(
    monkeypatch: pytest.MonkeyPatch, unasked: None
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("pyvista", "vtkmodules") else real(name),
    )
    with pytest.raises(MissingError) as caught:
        probe.require_opengl()
    assert (caught.value.exit_code, caught.value.key) == (3, "scenes.no_viewer")
    for lang in ("en", "zh"):
        assert "pip install 'cim-twin[viewer]'" in caught.value.remedy(lang)


def test_asking_loads_no_vtk_into_this_process() -> None:
    code = (
        "import sys\nfrom scenes.probe import opengl\nopengl()\n"
        "print([m for m in sys.modules if m.startswith(('vtk', 'pyvista'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkNoSuchWindow"},
    )
    assert done.stdout.strip() == "[]"
