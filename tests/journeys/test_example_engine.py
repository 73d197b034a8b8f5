"""A new engine gets a kept run, a picture, a Chinese label, progress and cancel for nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cim import messages
from cim.errors import CancelledError
from cim.jobs import Job, Progress
from cim.store import create, open_run, open_twin, save_run
from scenes.probe import opengl
from tests.journeys.tree_distance import tree_distance
from tests.towns import town


def test_the_engine_is_at_most_80_lines() -> None:
    lines = Path(__file__).with_name("tree_distance.py").read_text().splitlines()
    assert len(lines) <= 80


def test_its_run_is_kept_and_comes_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "town.cim"
    create(town(), path)
    result = tree_distance(open_twin(path))
    run = save_run(path, result)
    back = open_run(path, run)
    np.testing.assert_array_equal(back.fields[0].values, result.fields[0].values)
    assert list(back.fields[0].ids) == list(result.fields[0].ids)
    assert back.illustrative and back.summary == result.summary
    assert [r["run"] for r in open_twin(path).runs()] == [run]


def test_its_picture_has_a_legend_and_speaks_chinese(tmp_path: Path) -> None:
    if not opengl().ok:
        pytest.skip("no OpenGL on this machine")
    from PIL import Image

    from scenes.verbs import render

    path = tmp_path / "town.cim"
    create(town(), path)
    run = save_run(path, tree_distance(open_twin(path)))
    pictures = {}
    for lang in messages.LANGUAGES:
        messages.set_language(lang)
        png = tmp_path / f"{lang}.png"
        told = render(twin=path, out=png, run=run, size="640x360")
        assert told["objects"] >= 12
        pictures[lang] = np.asarray(Image.open(png).convert("RGB"), dtype=int)
    assert pictures["en"].shape == (360, 640, 3)
    assert (pictures["en"] != pictures["zh"]).any(), "the legend is the same in both languages"


def test_it_tells_progress_and_can_be_cancelled() -> None:
    heard: list[Progress] = []
    tree_distance(town(houses=120), job=Job(listen=heard.append))
    assert [h.share for h in heard] == sorted(h.share for h in heard)
    assert len(heard) >= 3 and heard[-1].share == 1.0

    job = Job()
    job.listen = lambda _: job.cancel()
    with pytest.raises(CancelledError):
        tree_distance(town(houses=120), job=job)
