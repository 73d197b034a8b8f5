"""Kept pictures change only when they look different, and README shows none that is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from tests.likeness import alike, difference
from tests.pictures import KEPT, ROOT, keep


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def test_noise_is_alike_a_moved_house_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    base = np.tile(rng.integers(0, 200, (1, 120, 3)), (80, 1, 1))
    one = saved(tmp_path / "one.png", base)
    noisy = saved(tmp_path / "noisy.png", base + rng.integers(0, 3, base.shape))
    moved = base.copy()
    moved[20:40, 20:40] = 255  # 400 of 9600 pixels
    assert alike(one, noisy)
    assert not alike(one, saved(tmp_path / "moved.png", moved))
    assert difference(base, base[:40]) == (255.0, 1.0)


def test_a_picture_is_replaced_only_when_it_looks_different(tmp_path: Path) -> None:
    grey = np.full((50, 50, 3), 90)
    kept, fresh = tmp_path / "kept.png", saved(tmp_path / "fresh.png", grey)
    assert keep(fresh, kept) == "new"
    before = kept.read_bytes()
    assert keep(saved(tmp_path / "near.png", grey + 1), kept) == "looks the same, kept"
    assert kept.read_bytes() == before
    assert keep(saved(tmp_path / "far.png", grey + 40), kept) == "replaced"
    assert kept.read_bytes() != before


def test_every_picture_a_readme_shows_is_there_and_every_kept_one_is_shown() -> None:
    shown: set[str] = set()
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        links = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
        assert links
        assert [link for link in links if not (ROOT / link).is_file()] == []
        shown.update(Path(link).name for link in links)
    assert {p.name for p in KEPT.glob("*.png")} <= shown
