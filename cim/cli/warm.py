"""cim warm: compile the kernels ahead of the first question."""

from __future__ import annotations

from typing import Any

from cim.cli import _show
from cim.cli._app import answer
from cim.jobs import cpu_clock

__all__ = ["verb"]


def verb() -> dict[str, Any]:
    """Compile all kernels."""
    from kernels.warm import warm_all

    with cpu_clock() as cpu_s, _show.progress() as job:
        took = warm_all(lambda done, total, _: job.step(done, total, what="cli.warm.compiling"))
        kernels = {name: round(seconds, 3) for name, seconds in took.items()}
        return answer(None, {"kernels": kernels, "cpu_s": round(cpu_s(), 3)})
