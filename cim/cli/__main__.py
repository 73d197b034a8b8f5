"""``python -m cim.cli``: the command ``cim``."""

import sys

from cim.cli import main

sys.exit(main())
