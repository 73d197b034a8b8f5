"""The command ``cim``: one verb a file, one JSON object on standard output.

Exit codes: 0 done · 1 our fault · 2 bad input or wrong usage · 3 something this
machine lacks · 130 cancelled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cim import messages

__all__ = ["VERBS", "main"]

# verb -> the module of this package that holds it
VERBS = {
    "build": "build",
    "update": "update",
    "info": "info",
    "about": "about",
    "query": "query",
    "flood": "flood",
    "traffic": "traffic",
    "sun": "sun",
    "scheme": "scheme",
    "runs": "runs",
    "diff": "diff",
    "export": "export",
    "demo": "demo",
    "schema": "schema",
    "reindex": "reindex",
    "upgrade": "upgrade",
    "warm": "warm",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    Parameters
    ----------
    argv
        Words after ``cim``; those of the process where None.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    messages.set_language(_language(words))
    from cim.cli._app import run

    return run(words)


def _language(words: Sequence[str]) -> str | None:
    for i, word in enumerate(words):
        value = word.partition("=")[2] if word.startswith("--lang=") else None
        if word == "--lang" and i + 1 < len(words):
            value = words[i + 1]
        if value in messages.LANGUAGES:
            return value
    wanted = os.environ.get("CIM_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG", "")
    return "zh" if wanted.lower().startswith("zh") else None


def _entry() -> None:  # the console script
    sys.exit(main())
