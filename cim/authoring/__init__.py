"""Facts in tables -> layers of a demo district, the same bytes every time.

``python -m cim.authoring data/wudadao`` makes every layer of the folder again.
"""

from __future__ import annotations

from cim.authoring.recipe import author

__all__ = ["author"]
