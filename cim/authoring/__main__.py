"""``python -m cim.authoring FOLDER``: make the layers of a demo district from its tables."""

from __future__ import annotations

import sys
from pathlib import Path

from cim import messages
from cim.authoring.recipe import author
from cim.errors import CimError

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Make the layers; print the files written, or what is wrong, and return the exit code."""
    try:
        if len(arguments) != 1:
            raise CimError("authoring.usage", given=" ".join(arguments))
        for path in author(Path(arguments[0])):
            print(messages.text("authoring.wrote", {"given": path}), file=sys.stderr)
    except CimError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
