"""flood: where water stands when it rains on the city, and what that means for people."""

from cim.flood.area import Area, AreaView
from cim.flood.borders import Border
from cim.flood.checkpoint import Checkpoint
from cim.flood.ensemble import Member, agreement, ensemble
from cim.flood.rain import (
    SOURCES,
    Storm,
    design_depth_mm,
    design_storm,
    even_storm,
    recorded_storm,
)
from cim.flood.rain_field import gauged_rain, gridded_rain
from cim.flood.run import flood, flood_cost
from cim.flood.water_files import flood_files
from cim.flood.water_run import Inflow, WaterRun, run_water
from cim.flood.worth import worth

__all__ = [
    "SOURCES",
    "Area",
    "AreaView",
    "Border",
    "Checkpoint",
    "Inflow",
    "Member",
    "Storm",
    "WaterRun",
    "agreement",
    "design_depth_mm",
    "design_storm",
    "ensemble",
    "even_storm",
    "flood",
    "flood_cost",
    "flood_files",
    "gauged_rain",
    "gridded_rain",
    "recorded_storm",
    "run_water",
    "worth",
]
