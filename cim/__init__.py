"""cim: a city information model that answers questions.

`open` a twin and ask: ``city["building"]``, ``city.query.near(…)``,
``city.flood(…)``, ``city.traffic()``, ``city.sun(…)``. Every answer is data, a
`Result`; pictures are made of it by ``scenes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cim._version import VERSION as __version__

if TYPE_CHECKING:
    from cim.city import City, Layer, open
    from cim.errors import CimError
    from cim.flood import design_storm as storm
    from cim.jobs import Job
    from cim.model.edit import Edit, Scheme
    from cim.model.result import Result, ResultField
    from cim.model.twin import Twin, TwinView
    from cim.registry import standard
    from cim.sources import build_twin, read_district
    from cim.store import create  # type: ignore[no-redef]

__all__ = [
    "CimError",
    "City",
    "Edit",
    "Job",
    "Layer",
    "Result",
    "ResultField",
    "Scheme",
    "Twin",
    "TwinView",
    "__version__",
    "build_twin",
    "create",
    "open",
    "read_district",
    "standard",
    "storm",
]

_WHERE = {
    "CimError": "cim.errors",
    "City": "cim.city",
    "Edit": "cim.model.edit",
    "Job": "cim.jobs",
    "Layer": "cim.city",
    "Result": "cim.model.result",
    "ResultField": "cim.model.result",
    "Scheme": "cim.model.edit",
    "Twin": "cim.model.twin",
    "TwinView": "cim.model.twin",
    "build_twin": "cim.sources",
    "create": "cim.store",
    "open": "cim.city",
    "read_district": "cim.sources",
    "standard": "cim.registry",
    "storm": "cim.flood",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: ``import cim`` stays light."""
    if name not in _WHERE:
        raise AttributeError(f"module 'cim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), {"storm": "design_storm"}.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
