"""A whole new generation of a twin, made beside the old one and put in its place by one rename."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cim.errors import CancelledError, StoreError
from cim.jobs import QUIET, Job
from cim.model.layers import Layers, id_keys
from cim.model.twin import Twin
from cim.store import disk
from cim.store.folder import current_number, generations, has_history
from cim.store.lock import one_writer
from cim.store.stored import StoredTwin, open_twin
from cim.store.writing import begun, write_generation

__all__ = ["begun_rows", "check_target", "create", "tidy"]


def check_target(path: Path, *, replace: bool = False) -> None:
    """Refuse a target before any work is done.

    Raises
    ------
    StoreError
        A twin is there and `replace` is false; something else is there; or its
        folder cannot be written.
    """
    if path.suffix != ".cim":
        raise StoreError("store.name", given=path)
    if (path / "current").exists():
        if not replace:
            raise StoreError("store.exists", given=path)
        return
    if path.exists() and not _leftover(path):
        if not has_history(path):
            raise StoreError("store.not_ours", given=path)
        if not replace:
            raise StoreError("store.lost_pointer", given=path)
    if not path.parent.is_dir():
        raise StoreError("store.no_folder", given=path.parent)


def _leftover(path: Path) -> bool:
    """Tell whether a folder holds only what a stopped first build leaves behind."""
    if not path.is_dir():
        return False
    return {child.name for child in path.iterdir()} <= {"lock", "g0001", "current.tmp"}


def create(
    twin: Twin,
    path: Path | str,
    *,
    replace: bool = False,
    report: Mapping[str, Any] | None = None,
    sources: Sequence[Mapping[str, Any]] = (),
    observations: Sequence[tuple[str, float, float]] = (),
    why: str = "build",
    name: str = "",
    job: Job = QUIET,
) -> StoredTwin:
    """Write a twin to disk: a new one, or a new generation of one that is there.

    Until the last step the old twin is what others see; a process killed at any
    moment leaves the old one, or the new one, whole.

    Parameters
    ----------
    twin
        What to keep.
    path
        The folder ``NAME.cim``.
    replace
        Whether a twin that is there may be replaced. Its runs and schemes stay, its
        version number goes on.
    report
        The report of the import, kept as ``report.json``.
    sources
        Records of the files it was made of.
    observations
        (sensor id, seconds since 1970 UTC, value).
    why
        For the history.
    name
        A hash of all the twin was made of. With it a build that was killed or cancelled
        leaves what it had committed, unseen, and the next one of that name goes on from
        there; what another name left is removed.
    job
        Progress and cancel.

    Raises
    ------
    StoreError
        A twin is there already, another writer is at work, two features have one
        id, or the disk refuses.
    CancelledError
        The job was cancelled; without a `name` nothing is left behind.
    """
    target = Path(path)
    check_target(target, replace=replace)
    _check_ids(twin)
    fresh = not target.exists() or _leftover(target)
    with disk.guarded(target):
        disk.make_folder(target)
        disk.sync_folder(target.parent)
        try:
            with one_writer(target):
                check_target(target, replace=replace)  # another may have built meanwhile
                folder = _next_generation(target, name)
                try:
                    write_generation(
                        twin, target, folder, report, sources, observations, why, name, job
                    )
                    disk.write_text(target / "current", folder.name + "\n")
                except BaseException as error:
                    stopped = isinstance(error, CancelledError | KeyboardInterrupt)
                    if not (name and stopped and begun(folder) > (name, 0)):
                        _abandon(target, folder, fresh=fresh)
                    raise
                tidy(target)
        except BaseException:
            if fresh:
                with suppress(OSError):  # refused where anybody has put something into it
                    target.rmdir()
            raise
    return open_twin(target)


def _abandon(target: Path, folder: Path, *, fresh: bool) -> None:
    """Remove what a failing build has written, unless it is already what others see."""
    if current_number(target) == int(folder.name[1:]):
        return
    disk.remove_folder(folder)
    if fresh:
        with suppress(OSError):
            (target / "lock").unlink()


def _check_ids(twin: Twin) -> None:
    """Refuse two features with one id."""
    tables = twin.tables
    if isinstance(tables, Layers):
        keys = np.sort(np.concatenate([tables.ids(name) for name in tables]))
    else:
        keys = np.sort(np.concatenate([*(id_keys(t.ids) for t in tables.values()), id_keys(())]))
    if not (keys[1:] == keys[:-1]).any():
        return
    seen: dict[str, str] = {}
    for layer in twin.layers():
        for id_ in (id_ for piece in twin.pieces(layer) for id_ in piece.ids):
            if id_ in seen:
                raise StoreError(
                    "store.twice", given=id_, values={"layers": f"{seen[id_]}, {layer}"}
                )
            seen[id_] = layer


def begun_rows(target: Path, name: str) -> int:
    """Return how many rows a stopped build of this name has left to go on from."""
    if not target.is_dir():
        return 0
    found = [begun(target / f"g{number:04d}") for number in generations(target)[-1:]]
    return next((rows for known, rows in found if name and known == name), 0)


def _next_generation(target: Path, name: str) -> Path:
    """Return the folder to build in, after removing what stopped builds left behind.

    What a build of the same name left, on the same older generation, stays to be gone on with.
    """
    current, known = current_number(target), generations(target)
    if current is not None:
        left = [number for number in known if number > current]
    else:  # without a pointer to trust, nothing of a twin that once was is removed
        left = [] if (target / "current").exists() or has_history(target) else known
    chosen = target / f"g{max({*known} - {*left}, default=0) + 1:04d}"
    for number in left:
        folder = target / f"g{number:04d}"
        if not (name and folder == chosen and begun(folder)[0] == name):
            disk.remove_folder(folder)
    return chosen


def tidy(target: Path) -> None:
    """Remove generations older than the last one but one, and what stopped writers left."""
    current = current_number(target)
    if current is None:
        return
    for number in generations(target):
        if not current - 1 <= number <= current:
            disk.remove_folder(target / f"g{number:04d}")
    if (target / "current.tmp").exists():
        disk.remove_file(target / "current.tmp")
    runs = target / "runs"
    if runs.is_dir():
        for child in runs.iterdir():
            if child.suffix == ".tmp":
                disk.remove_folder(child)
