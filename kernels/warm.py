"""Which kernels can be compiled before they are needed, and compiling them all.

A kernel module that is worth the wait has a function ``warm()``: it calls its
kernels once on tiny arrays of every type they are used with. The machine code
then lies in the cache of `kernels._jit`, and the first question is as fast as
the second.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable

import kernels

__all__ = ["warm_all", "warmable"]


def warmable() -> list[str]:
    """Names of the kernel modules that can compile ahead, in alphabetical order."""
    names = sorted(found.name for found in pkgutil.walk_packages(kernels.__path__, "kernels."))
    asked = [name for name in names if name != __name__]
    return [name for name in asked if hasattr(importlib.import_module(name), "warm")]


def warm_all(listen: Callable[[int, int, str], None] | None = None) -> dict[str, float]:
    """Compile every kernel that says how, and keep the machine code for later processes.

    Parameters
    ----------
    listen
        Called before each module with (modules done, modules in all, module name), and once at
        the end with an empty name.

    Returns
    -------
    dict of str to float
        CPU seconds that each module took, about 0 where the cache held it already.
    """
    names = warmable()
    took: dict[str, float] = {}
    for done, name in enumerate(names):
        if listen is not None:
            listen(done, len(names), name)
        start_s = time.process_time()
        importlib.import_module(name).warm()
        took[name] = time.process_time() - start_s
    if listen is not None:
        listen(len(names), len(names), "")
    return took
