"""Where a flood was when it stopped: written now and then, and taken up again to the bit."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, StoreError

__all__ = ["Checkpoint", "fingerprint"]

Array = NDArray[Any]


def fingerprint(asked: Mapping[str, Any], *arrays: Array) -> str:
    """Return what tells one question from another: its words and its arrays."""
    words = json.dumps(asked, sort_keys=True, default=_plain)
    digest = hashlib.sha256(words.encode())
    for array in arrays:
        digest.update(_plain(array).encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, np.ndarray):
        held = np.ascontiguousarray(value)
        return f"{held.dtype} {held.shape} {hashlib.sha256(held.tobytes()).hexdigest()}"
    fields = vars(value) if hasattr(value, "__dict__") else None
    return str(value) if fields is None else json.dumps(fields, sort_keys=True, default=_plain)


@dataclass
class Checkpoint:
    """A file that keeps where a run is.

    Attributes
    ----------
    path
        A ``.npz`` file; it always holds a whole state, the last one written.
    every_s
        Seconds of the wall clock between two; one is also written when a run is cancelled.
    resume
        Begin where the file says, which must be of the same question.

    Raises
    ------
    RequestError
        Its folder is not there, or `resume` and the file is not.
    """

    path: Path
    every_s: float = 60.0
    resume: bool = False
    _last_s: float = field(default_factory=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        if not self.path.parent.is_dir():
            raise RequestError("export.no_folder", given=self.path.parent)
        if self.resume and not self.path.is_file():
            raise RequestError("flood.checkpoint_missing", given=self.path)

    def due(self) -> bool:
        """Tell whether it is time to write one."""
        return time.monotonic() - self._last_s >= self.every_s

    def write(self, question: str, state: Mapping[str, Array]) -> None:
        """Write a state, whole or not at all.

        Raises
        ------
        StoreError
            The file cannot be written.
        """
        new = self.path.with_name(self.path.name + ".new")
        try:
            with new.open("wb") as file:
                kept: Any = {"question": np.array(question), **state}
                np.savez(file, **kept)
            new.replace(self.path)
        except OSError as error:
            why = {"why": str(error)}
            raise StoreError("store.cannot_write", given=self.path, values=why) from error
        self._last_s = time.monotonic()

    def read(self, question: str) -> dict[str, Array] | None:
        """Return the state to begin with; None where the run begins anew.

        Raises
        ------
        RequestError
            It is no checkpoint, or one of another question.
        """
        if not self.resume:
            return None
        try:
            with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            why = {"why": str(error)}
            raise RequestError("flood.no_checkpoint", given=self.path, values=why) from error
        if str(state.pop("question", "")) != question:
            raise RequestError("flood.other_checkpoint", given=self.path)
        return state

    def done(self) -> None:
        """Forget the file: the run it would go on with is over."""
        self.path.unlink(missing_ok=True)
