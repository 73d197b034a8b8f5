"""Shared fixtures: real data from outside, counted and named where it is absent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_MISSING = pytest.StashKey[list[str]]()
ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MISSING] = []


@pytest.fixture
def testdata(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Return a function from a path in the real-data folder to the file; skips where absent."""

    def find(relative: str) -> Path:
        folder = os.environ.get("CIM_TESTDATA")
        path = Path(folder, relative) if folder else None
        if path is None or not path.exists():
            request.config.stash[_MISSING].append(f"{request.node.nodeid}: {relative}")
            pytest.skip(f"real data not here: {relative} (set CIM_TESTDATA)")
        return path

    return find


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test starts in English; one that wants Chinese says so."""
    from cim import messages

    monkeypatch.delenv("CIM_LANG", raising=False)
    messages.set_language(None)
    yield
    messages.set_language(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = terminalreporter.config.stash[_MISSING]
    if missing:
        terminalreporter.write_sep("-", f"{len(missing)} tests did not run without real data")
        for line in missing:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def sketch_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sketch of Wudadao once for the whole run."""
    from cim.cli._keep import keep
    from cim.jobs import QUIET
    from cim.sources import build_twin, read_district

    path = tmp_path_factory.mktemp("sketch") / "wudadao.cim"
    built = build_twin(read_district(ROOT / "data" / "wudadao" / "district.toml"))
    keep(built, path, replace=False, job=QUIET)
    return path


@pytest.fixture
def sketch(sketch_once: Path, tmp_path: Path) -> Path:
    """Return a copy of the sketch of Wudadao that a test may change."""
    import shutil

    path = tmp_path / "wudadao.cim"
    shutil.copytree(sketch_once, path)
    return path
