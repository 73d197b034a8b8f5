"""What was made of a file before is kept per test run, not in the user's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache_folder: Path) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("CIM_CACHE", str(cache_folder))
    yield
    patch.undo()
