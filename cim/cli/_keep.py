"""From files to a twin on disk, as the verbs that build do it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from cim.errors import RequestError
from cim.jobs import Job

if TYPE_CHECKING:
    from cim.sources import Built
    from cim.store import StoredTwin

__all__ = ["keep", "point"]


def keep(
    built: Built, path: Path, *, replace: bool, job: Job, resumable: bool = False
) -> StoredTwin:
    """Write what a build made, with its report, sources and observations.

    Parameters
    ----------
    built
        What `cim.sources.build_twin` returned.
    path
        The folder ``NAME.cim``.
    replace
        Whether a twin that is there may be replaced.
    job
        Progress and cancel.
    resumable
        Whether what a stopped build has committed stays for the next one to go on from.
    """
    from cim.store import create

    seen = built.observations
    return create(
        dataclasses.replace(built.twin, titles=built.title),
        path,
        replace=replace,
        report=built.report.record(),
        sources=[source.record() for source in built.sources],
        observations=list(
            zip(seen.sensor, seen.epoch_s.tolist(), seen.value.tolist(), strict=True)
        ),
        name=built.name if resumable else "",
        job=job,
    )


def point(text: str | None) -> list[float] | None:
    """Return the numbers of --at."""
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise RequestError("source.at", given=f"at = {text}", values={"file": "--at"}) from error
