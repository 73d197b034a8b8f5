"""flood: where water stands when it rains on the city."""

from cim.flood.rain import (
    SOURCES,
    Storm,
    design_depth_mm,
    design_storm,
    even_storm,
    recorded_storm,
)
from cim.flood.run import flood, flood_cost

__all__ = [
    "SOURCES",
    "Storm",
    "design_depth_mm",
    "design_storm",
    "even_storm",
    "flood",
    "flood_cost",
    "recorded_storm",
]
