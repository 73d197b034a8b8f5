"""``python -m bim_import.authoring FOLDER [NAME …]``: make the IFC models of a district."""

from __future__ import annotations

import sys
from pathlib import Path

from bim_import.authoring.recipe import author_models
from cim import messages
from cim.errors import CimError

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Make the models; print the files written, or what is wrong, and return the exit code."""
    try:
        if not arguments:
            raise CimError("bim.authoring_usage")
        for path in author_models(Path(arguments[0]), names=arguments[1:]):
            print(messages.text("authoring.wrote", {"given": path}), file=sys.stderr)
    except CimError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
