"""What the tests of pictures share: a machine that can draw, counted where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenes import probe

_UNDRAWN: list[str] = []


def note_undrawn(what: str) -> None:
    """Note a test that could not run here, to be named at the end."""
    _UNDRAWN.append(what)


@pytest.fixture
def screen(request: pytest.FixtureRequest) -> None:
    """Let a test draw; it is skipped, counted and named where this machine has no OpenGL."""
    found = probe.opengl()
    if not found.ok:
        _UNDRAWN.append(request.node.nodeid)
        pytest.skip(f"this machine cannot draw: {found.reason}")


@pytest.fixture
def unasked() -> Iterator[None]:
    """Forget what the probe found, before and after."""
    probe.opengl.cache_clear()
    yield
    probe.opengl.cache_clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _UNDRAWN:
        terminalreporter.write_sep("-", f"{len(_UNDRAWN)} tests of pictures did not run")
        for line in _UNDRAWN:
            terminalreporter.write_line(line)
