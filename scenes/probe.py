"""Whether this machine can draw, asked in a child process: VTK without OpenGL kills its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from cim.errors import MissingError

__all__ = ["Probe", "opengl", "require_opengl"]

_CHILD = (
    "import vtkmodules.vtkRenderingOpenGL2\n"
    "from vtkmodules.vtkRenderingCore import vtkRenderWindow\n"
    "w = vtkRenderWindow()\n"
    "w.SetOffScreenRendering(1)\n"
    "w.SetSize(8, 8)\n"
    "w.Render()\n"
    "print('OK', w.GetClassName(), w.SupportsOpenGL())\n"
)


@dataclass(frozen=True)
class Probe:
    """What the child found: whether it can draw, with which window, else why not."""

    ok: bool
    renderer: str
    reason: str


@cache
def opengl() -> Probe:
    """Try to draw in a child process; the answer holds for the life of this one."""
    try:
        import importlib.util

        if importlib.util.find_spec("vtkmodules") is None:
            return Probe(False, "", "vtk")
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **offscreen()},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(False, "", str(error))
    words = done.stdout.split()
    if done.returncode == 0 and words[:1] == ["OK"] and words[-1] == "1":
        return Probe(True, words[1], "")
    lines = done.stderr.strip().splitlines()
    told = lines[-1].rpartition("| ")[2] if lines else f"exit {done.returncode}"
    return Probe(False, "", re.sub(r"\x1b\[[0-9;]*m", "", told))


def offscreen() -> dict[str, str]:
    """Return the environment that makes VTK draw without a display."""
    if "VTK_DEFAULT_OPENGL_WINDOW" in os.environ or os.name == "nt":
        return {}
    return {"VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"}


def require_opengl() -> None:
    """Fail where this machine cannot draw, and prepare this process where it can.

    Raises
    ------
    MissingError
        The viewer extra or OpenGL is missing; the remedy is the line to install.
    """
    found = opengl()
    if not found.ok:
        key = "scenes.no_viewer" if found.reason == "vtk" else "scenes.no_opengl"
        raise MissingError(key, given=found.reason)
    os.environ.update(offscreen())
