"""Pictures look as they did, drawn through EGL and through OSMesa alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes import probe
from tests.likeness import MOST_FAR, MOST_MEAN, difference
from tests.scenes.conftest import note_undrawn
from tests.scenes.references import FOLDER, NAMES

ROOT = Path(__file__).resolve().parents[2]
WAYS = {"EGL": "vtkEGLRenderWindow", "OSMesa": "vtkOSOpenGLRenderWindow"}


@pytest.fixture(scope="module", params=WAYS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All reference pictures, drawn one way in a process of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    env = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": WAYS[request.param]}
    asked = [sys.executable, "-c", probe._CHILD]
    found = subprocess.run(asked, env=env, capture_output=True, text=True, check=False)
    if not found.stdout.startswith(f"OK {WAYS[request.param]}"):
        note_undrawn(f"{request.node.nodeid}: this machine cannot draw through {request.param}")
        pytest.skip(f"no {request.param}")
    draw = [sys.executable, "-m", "tests.scenes.references", str(folder)]
    subprocess.run(draw, env=env, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_looks_as_its_reference(drawn: Path, name: str) -> None:
    fresh, kept = (
        np.asarray(Image.open(p / f"{name}.png").convert("RGB")) for p in (drawn, FOLDER)
    )
    mean, far = difference(fresh, kept)
    told = f"{drawn / name}.png: mean {mean:.2f} of 255, {100 * far:.2f} % of pixels far"
    meant = "if the look was meant to change: python -m tests.scenes.references " + str(FOLDER)
    assert mean < MOST_MEAN and far < MOST_FAR, f"{told}; {meant}"


def test_the_reference_pictures_are_small_and_differ_from_one_another() -> None:
    files = sorted(FOLDER.glob("*.png"))
    assert {f.stem for f in files} == set(NAMES)
    assert max(f.stat().st_size for f in files) <= 60_000
    images = [np.asarray(Image.open(f).convert("RGB")) for f in files]
    for i, one in enumerate(images):
        for other in images[:i]:
            mean, far = difference(one, other)
            assert mean >= MOST_MEAN or far >= MOST_FAR  # else the test could not tell them apart
