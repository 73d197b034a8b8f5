"""traffic: which streets fill when everyone takes their quickest way."""

from cim.traffic.demand import Trips, trips_between
from cim.traffic.run import traffic
from cim.traffic.streets import Streets, streets_of

__all__ = ["Streets", "Trips", "streets_of", "traffic", "trips_between"]
