"""What the city's rules and codes are: standards as data (more registers come here)."""

from cim.registry.standards import (
    STATUSES,
    Standard,
    UnknownStandardError,
    cite,
    standard,
    standards,
)

__all__ = ["STATUSES", "Standard", "UnknownStandardError", "cite", "standard", "standards"]
