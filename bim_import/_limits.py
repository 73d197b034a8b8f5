"""What a worker may use: CPU from now on, and memory; the system ends it beyond."""

from __future__ import annotations

__all__ = ["allow_cpu", "limit_memory"]


def allow_cpu(more_s: float) -> None:
    """Let this process run for `more_s` seconds of CPU from now; then the system ends it."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + more_s) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or limit <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def limit_memory(megabytes: int) -> None:
    """Let this process have `megabytes` of addresses."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * 2**20
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
