"""A file is there whole or not at all: written beside its place, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cim.errors import StoreError

__all__ = ["whole"]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes `path`'s place when the block ends well.

    Raises
    ------
    StoreError
        The folder is not there or cannot be written, or the disk is full.
    """
    partial = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        partial.touch()
        yield partial
        partial.replace(path)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError("store.cannot_write", given=path, values={"why": str(error)}) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
