"""How a kernel is compiled, cached and entered: the one decorator, and the one importer of numba.

*Cache.* numba keys a cached function on its own source file alone; after an edit
to a helper in another module the old machine code goes on answering. Here the key
is the kernel's file and every ``kernels`` module it imports, transitively, plus
numba, numpy, the CPU and the flags that change code. Each key has a folder of its
own under ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME``, else ``~/.cache``; where
none can be written, kernels compile in memory. Imports made by name at run time
(``importlib``) are not seen.

*Threads.* ``parallel`` turns on `prange` loops and nothing else: numba's own
parallel sums and array expressions depend on the number of threads. Such a kernel
is entered from Python only, by one thread of a process at a time, and never in a
forked child: numba's thread pools die or abort there. Start workers with "spawn".

*Arithmetic.* Divisions follow numpy (x/0 is inf, so loops vectorise); the GIL is
released; ``fastmath`` is never on in full.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import prange
from numba.core import caching, config, registry, runtime, types
from numba.extending import intrinsic
from numba.extending import overload as numba_overload

__all__ = [
    "cache_folder",
    "compiled",
    "kernel",
    "multiply_add",
    "part_of_row",
    "prange",
    "set_threads",
    "source_digest",
    "threads",
    "threads_for",
]

Function = TypeVar("Function", bound=Callable[..., Any])

# numba is typed in parts, and in other parts from one version to the next.
_caching: Any = caching
_config: Any = config
_runtime: Any = runtime
_njit: Any = numba.njit

_ROOT = Path(__file__).resolve().parent
_PACKAGE = __name__.partition(".")[0]
_KEPT_FOLDERS = 3
# float32 only: fused multiply-add, -0 = +0, x/y = x*(1/y). Never "nnan" or "reassoc":
# the first turns isnan false, the second breaks well-balanced sums.
_RELAXED = {"contract", "nsz", "arcp"}
# prange alone; numba's automatic parallel reductions sum in an order that threads decide.
_PARALLEL = {
    "prange": True,
    "comprehension": False,
    "reduction": False,
    "inplace_binop": False,
    "setitem": False,
    "numpy": False,
    "stencil": False,
    "fusion": False,
}
# No counting of references, no entry from Python or C.
_PART = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_kernels: dict[str, Any] = {}
_door = threading.RLock()
_forked = False


def _refuse_another_package() -> None:
    """Fail when the parent package that Python found is not ours."""
    parent = sys.modules[_PACKAGE]
    if not getattr(parent, "IS_CIM_KERNELS", False):
        raise ImportError(
            f"the package {_PACKAGE!r} found at {getattr(parent, '__file__', None)} is not "
            f"cim-twin's own at {_ROOT}; remove it from the path, or install cim-twin in an "
            "environment of its own"
        )


_refuse_another_package()


def _note_fork() -> None:
    global _forked  # noqa: PLW0603 - a fact of the process, set once by the fork itself
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@overload
def kernel(function: Function, /) -> Function: ...


@overload
def kernel(
    *,
    parallel: bool = False,
    relaxed: bool = False,
    inline: bool = False,
    part: bool = False,
    apart: bool = False,
) -> Callable[[Function], Function]: ...


def kernel(
    function: Function | None = None,
    /,
    *,
    parallel: bool = False,
    relaxed: bool = False,
    inline: bool = False,
    part: bool = False,
    apart: bool = False,
) -> Function | Callable[[Function], Function]:
    """Compile `function` at its first call, by the rules of the house.

    Parameters
    ----------
    function
        Plain Python on numpy arrays and scalars; other kernels may be called.
    parallel
        Run its `prange` loops on all threads. Such a kernel is called from Python only.
    relaxed
        Allow contract, nsz and arcp arithmetic; float32 only, a float64 array is refused.
    inline
        Paste the body into its callers, with their arithmetic rules.
    part
        Called by other kernels only, allocates nothing and returns numbers. Its arrays are
        borrowed: counting who holds each slice of a row costs more than a short row's arithmetic.
    apart
        A part whose arrays share no memory with one that it writes: loops need not look.

    Returns
    -------
    callable
        The kernel; its plain Python source stands in ``.py_func`` (not with
        ``NUMBA_DISABLE_JIT=1``, where the plain function itself comes back).

    Raises
    ------
    TypeError
        At the call: a relaxed kernel was given a float64 array; a part returns an array, or was
        called from Python.
    RuntimeError
        At the call: a parallel kernel was entered in a forked process.
    """
    if function is None:
        chosen = functools.partial(
            _compile, parallel=parallel, relaxed=relaxed, inline=inline, part=part, apart=apart
        )
        return cast(Callable[[Function], Function], chosen)
    return cast(Function, _compile(function, parallel=parallel, relaxed=relaxed, inline=inline))


def _compile(
    function: Callable[..., Any],
    *,
    parallel: bool,
    relaxed: bool,
    inline: bool,
    part: bool = False,
    apart: bool = False,
) -> Any:
    dispatcher = _njit(
        parallel=_PARALLEL if parallel else False,
        fastmath=_RELAXED if relaxed else False,
        inline="always" if inline else "never",
        error_model="numpy",
        nogil=True,
        **(_PART if part else {}),
    )(function)
    if not _config.DISABLE_JIT:
        flags = f"parallel={parallel} relaxed={relaxed} inline={inline}"
        if part:
            flags += f" part apart={apart}"
            _keep_from_python(dispatcher, function)
        if apart:
            dispatcher._compiler._customize_flags = _set_apart
        dispatcher._cache = _KernelCache(function, flags=flags, float64=not relaxed, part=part)
        _kernels[f"{function.__module__}.{function.__qualname__} ({flags})"] = dispatcher
    return _guarded(dispatcher, function) if parallel else dispatcher


def _keep_from_python(dispatcher: Any, function: Callable[..., Any]) -> None:
    """Let a call from Python, for which no code is made, end in an error."""

    def refuse(*args: Any, **named: Any) -> Any:
        raise TypeError(f"{function.__qualname__} is a part of other kernels; call those")

    def keep(compiled: Any) -> None:
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled

    dispatcher._compile_for_args, dispatcher.add_overload = refuse, keep


def _set_apart(flags: Any) -> Any:
    flags.noalias = True
    return flags


def _guarded(dispatcher: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into a parallel kernel, and no forked process."""

    @functools.wraps(function)
    def enter(*args: Any, **named: Any) -> Any:
        if _forked:
            raise RuntimeError(
                f"{function.__qualname__} runs on several threads and was called in a forked "
                "process, where they do not live; start workers with "
                'multiprocessing.get_context("spawn")'
            )
        with _door:
            return dispatcher(*args, **named)

    enter.dispatcher = dispatcher  # type: ignore[attr-defined]
    enter.py_func = function  # type: ignore[attr-defined]
    return enter


def compiled() -> dict[str, int]:
    """Return every kernel of this process by name with its number of compiled signatures."""
    return {name: len(found.signatures) for name, found in sorted(_kernels.items())}


def set_threads(count: int) -> int:
    """Let this thread's parallel kernels use `count` threads; return the number before."""
    before = int(numba.get_num_threads())
    numba.set_num_threads(min(count, int(_config.NUMBA_NUM_THREADS)))
    return before


def threads() -> int:
    """Return how many threads this thread's parallel kernels use."""
    return int(numba.get_num_threads())


_FEW_CELLS = 100_000


@contextlib.contextmanager
def threads_for(cells: int) -> Iterator[None]:
    """Let one thread do what is too small for more.

    Threads meet after every step, and wait awake: a grid of 12 x 12 cells took 50 times the
    CPU time with two of them on a busy machine.
    """
    if cells >= _FEW_CELLS:
        yield
        return
    before = set_threads(1)
    try:
        yield
    finally:
        set_threads(before)


# --- arithmetic that Python has no word for ---


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """Return a·b + c, rounded once where the CPU can (FMA): the same in every loop and tail."""
    return type(c)(float(a) * float(b) + float(c))


@intrinsic  # type: ignore[untyped-decorator]
def _fmuladd(context: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM's fmuladd of three numbers of one float type."""
    if not (a == b == c and isinstance(a, types.Float)):
        return None

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = values[0].type
        function = builder.module.declare_intrinsic(
            "llvm.fmuladd", [word], ir.FunctionType(word, [word] * 3)
        )
        return builder.call(function, values)

    return a(a, b, c), build


@numba_overload(multiply_add, strict=False)  # type: ignore[untyped-decorator]
def _multiply_add(a: Any, b: Any, c: Any) -> Any:
    def fused(a: Any, b: Any, c: Any) -> Any:
        return _fmuladd(a, b, c)  # type: ignore[call-arg]

    return fused


def part_of_row(array: Any, row: int, first: int, end: int) -> Any:
    """Return ``array[row, first:end]``; compiled, a view without checks, owner or cost."""
    return array[row, first:end]


@intrinsic  # type: ignore[untyped-decorator]
def _view_row(context: Any, array: Any, row: Any, first: Any, end: Any) -> Any:
    """A part of a row of a C-contiguous array, borrowed: whoever holds the array keeps it."""
    if not (isinstance(array, types.Array) and array.ndim == 2 and array.layout == "C"):
        return None
    view = types.Array(array.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrayobj: Any = import_module("numba.np.arrayobj")  # of the compiler: not when from disk
        whole = arrayobj.make_array(array)(context, builder, values[0])
        row, first, end = values[1:]
        size = context.get_abi_sizeof(context.get_data_type(array.dtype))
        size = context.get_constant(types.intp, size)
        stride = builder.extract_value(whole.strides, 0)
        start = builder.add(builder.mul(row, stride), builder.mul(first, size))
        data = builder.gep(builder.bitcast(whole.data, ir.IntType(8).as_pointer()), [start])
        part = arrayobj.make_array(view)(context, builder)
        arrayobj.populate_array(
            part, data=builder.bitcast(data, whole.data.type), shape=[builder.sub(end, first)],
            strides=[size], itemsize=size, meminfo=None,
        )  # fmt: skip
        return part._getvalue()

    return view(array, types.intp, types.intp, types.intp), build


@numba_overload(part_of_row, strict=False)  # type: ignore[untyped-decorator]
def _part_of_row(array: Any, row: Any, first: Any, end: Any) -> Any:
    def view(array: Any, row: Any, first: Any, end: Any) -> Any:
        return _view_row(array, row, first, end)  # type: ignore[call-arg]

    return view


# --- the cache: where, and under which key ---


def cache_folder() -> Path | None:
    """Return the folder that holds every kernel's cache; None where there is no home."""
    base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base, "cim-twin")
    try:
        return Path.home() / ".cache" / "cim-twin"
    except RuntimeError:
        return None


def source_digest(path: Path) -> str:
    """Digest of `path`, of each kernels module it imports (transitively), and of the compiler."""
    digest = hashlib.sha256(repr(_environment()).encode())
    seen: set[Path] = set()
    waiting = [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _imports(file, file.read_bytes())
    for file in sorted(seen):
        name = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file
        digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


@functools.cache
def _environment() -> tuple[object, ...]:
    """All but the sources that changes machine code: versions, CPU, numba's own settings."""
    flags = (_config.OPT, _config.BOUNDSCHECK, _config.DEBUGINFO_DEFAULT, _config.ENABLE_AVX)
    named = (_config.CPU_NAME, _config.CPU_FEATURES)
    magic = registry.cpu_target.target_context.codegen().magic_tuple()
    return (numba.__version__, np.__version__, sys.version_info[:2], magic, named, flags)


@functools.lru_cache(maxsize=512)
def _imports(file: Path, source: bytes) -> tuple[Path, ...]:
    """Files of the kernels modules that `file` names in its import statements."""
    inside = file.is_relative_to(_ROOT)
    package = (_PACKAGE, *file.relative_to(_ROOT).parts[:-1]) if inside else ()
    found: list[Path] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found += _module_files(tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = above + tuple(node.module.split(".") if node.module else ())
            for alias in node.names:
                found += _module_files((*module, alias.name)) or _module_files(module)
    return tuple(found)


def _module_files(dotted: tuple[str, ...]) -> list[Path]:
    """File of the kernels module of that dotted name: none, or one."""
    if not dotted or dotted[0] != _PACKAGE:
        return []
    plain = _ROOT.joinpath(*dotted[1:])
    candidates = (plain.with_name(plain.name + ".py"), plain / "__init__.py")
    return [path for path in candidates if path.is_file() and path.is_relative_to(_ROOT)][:1]


class _Locator(_caching._CacheLocator):  # type: ignore[misc]
    """Tells numba's cache the folder of one kernel and what its code came from."""

    def __init__(self, function: Callable[..., Any], flags: str) -> None:
        self._py_file = function.__code__.co_filename
        path = Path(self._py_file)
        self._stamp = source_digest(path) if path.is_file() else ""
        self._flags = hashlib.sha256(flags.encode()).hexdigest()[:6]
        self._line = function.__code__.co_firstlineno
        base = cache_folder()
        self._folder = base / f"{function.__module__}-{self._stamp}" if base else None

    @property
    def usable(self) -> bool:
        return bool(self._stamp) and self._folder is not None

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return f"{self._line}-{self._flags}"

    def ensure_cache_path(self) -> None:
        """Make the folder; the first time, drop the oldest ones of the same module."""
        folder = cast(Path, self._folder)
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            for old in list(_siblings(folder))[_KEPT_FOLDERS:]:
                shutil.rmtree(old, ignore_errors=True)

    def touch(self) -> None:
        """Mark the folder as used; one that is only readable serves as well."""
        with contextlib.suppress(OSError):
            os.utime(cast(Path, self._folder))


def _siblings(folder: Path) -> Iterator[Path]:
    """Cache folders of the same kernel module, the last used first."""
    module = folder.name.rpartition("-")[0]
    dated = []
    for path in folder.parent.glob(f"{module}-*"):
        try:
            dated.append((path == folder, path.stat().st_mtime_ns, path))
        except OSError:  # another process has just removed it
            continue
    yield from (path for _, _, path in sorted(dated, reverse=True))


class _Files(_caching.CompileResultCacheImpl):  # type: ignore[misc]
    """Names the files of one kernel inside its folder."""

    def __init__(self, function: Callable[..., Any], locator: _Locator) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = locator
        self._filename_base = self.get_filename_base(
            function.__qualname__, getattr(sys, "abiflags", "")
        )


class _KernelCache(_caching.FunctionCache):  # type: ignore[misc]
    """numba's file cache under our key; a cache that fails never stops a kernel."""

    def __init__(
        self, function: Callable[..., Any], *, flags: str, float64: bool, part: bool
    ) -> None:
        self._name = repr(function)
        self._py_func = function
        self._float64 = float64
        self._part = part
        locator = _Locator(function, flags)
        self._impl = _Files(function, locator)
        self._cache_path = locator.get_cache_path()
        self._cache_file = _caching.IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=locator.get_source_stamp(),
        )
        self._enabled = locator.usable

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code of `sig` from disk; None when it must be compiled."""
        if not self._float64:
            _refuse_float64(sig, self._py_func.__qualname__)
        if not self._enabled:
            return None
        try:
            # numba would first load all it needs to compile, half a CPU second with scipy's
            # share: machine code from disk needs its runtime alone (a compilation comes to the
            # rest by itself, in CompilerBase)
            _runtime.rtsys.initialize(target_context)
            found = self._load_overload(sig, target_context)
        except OSError:
            return None
        except (EOFError, ValueError, pickle.UnpicklingError):  # damaged: begin a new one
            with contextlib.suppress(OSError):
                self.flush()
            return None
        if found is not None:
            self._impl.locator.touch()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code of `sig`; go on without where nothing can be written."""
        if self._part:
            _refuse_array(data.signature.return_type, self._py_func.__qualname__)
        if not self._enabled:
            return
        try:
            super().save_overload(sig, data)
        except OSError:  # read-only, full, or pruned by another process
            self._enabled = False


def _refuse_array(returned: Any, name: str) -> None:
    if any(isinstance(one, types.Array) for one in getattr(returned, "types", (returned,))):
        raise TypeError(f"{name} is a part of other kernels and must not return an array")


def _refuse_float64(sig: Any, name: str) -> None:
    arguments = sig.args if hasattr(sig, "args") else sig
    for argument in arguments:
        if isinstance(argument, types.Array) and argument.dtype == types.float64:
            raise TypeError(
                f"{name} is a relaxed kernel, for float32 only, and was given a float64 array"
            )
