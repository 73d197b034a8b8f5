"""planning: what planners ask of buildings and ground. First: shadows at a moment."""

from cim.planning.sun import sun

__all__ = ["sun"]
