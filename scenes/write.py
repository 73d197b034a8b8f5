"""Which file a scene becomes: the ending of its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes.film import read_path, write_film
from scenes.glb import write_glb
from scenes.render import render_scene
from scenes.scene import Scene
from scenes.web import write_html

__all__ = ["ENDINGS", "check", "write"]

ENDINGS = (".png", ".mp4", ".html", ".glb")


def check(out: Path, *, path: str | None = None, seconds: float | None = None) -> None:
    """Fail early where a file cannot be what it is called, before anything is read.

    Raises
    ------
    RequestError
        An unknown ending, no such folder, or an option of films for another file.
    """
    ending = out.suffix.lower()
    if ending not in ENDINGS:
        raise RequestError("scenes.ending", given=out, values={"known": ", ".join(ENDINGS)})
    if not out.parent.is_dir():
        raise RequestError("export.no_folder", given=out.parent)
    if ending != ".mp4" and (path is not None or seconds is not None):
        raise RequestError("scenes.only_film", given=out)


def write(
    scene: Scene,
    view: TwinView,
    result: Result | None = None,
    *,
    path: Path,
    way: str | None = None,
    seconds: float | None = None,
    job: Job = QUIET,
) -> Any:
    """Write a scene as what the ending of `path` says, and return that file's report.

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`.
    path
        ``.png``, ``.mp4``, ``.html`` or ``.glb``.
    way, seconds
        Of a film: see `scenes.film.read_path` and `scenes.film.write_film`.
    job
        Who listens.

    Raises
    ------
    RequestError
        An unknown ending, or what the writer itself refuses.
    """
    check(path, path=way, seconds=seconds)
    ending = path.suffix.lower()
    if ending == ".png":
        return render_scene(scene, view, result, path=path)
    if ending == ".html":
        return write_html(scene, view, result, path=path, job=job)
    if ending == ".glb":
        return write_glb(scene, view, result, path=path, job=job)
    along = None if way is None else read_path(way, scene)
    return write_film(scene, view, result, path=path, way=along, seconds=seconds, job=job)
