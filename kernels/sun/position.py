"""Where does the sun stand, at a place and an instant?

*True solar time* (真太阳时) is what a sundial shows: 12 h when the sun is due south.
It differs from the clock by the longitude (4 minutes a degree) and by the equation
of time (up to 16 minutes through the year). The rules on sunlight count in it.

All functions take scalars or arrays and broadcast; instants are Unix seconds (UTC),
angles degrees, azimuths clockwise from north. Positions are geometric: without
refraction (under 0.02 degrees above 30 degrees of altitude, 0.1 at 8) and parallax.

Source: Meeus, J. (1998), Astronomical Algorithms, 2nd ed., chapters 13, 25 and 28, the
formulas of low accuracy: 0.01 degrees of solar longitude. Universal time stands
for terrestrial time, which shifts the sun by less than 0.001 degrees this century.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "SunDirection",
    "declination_of",
    "equation_of_time",
    "hour_angle_of",
    "instant_of",
    "sun_direction",
    "sun_direction_at",
    "true_solar_time_of",
]

Floats = npt.NDArray[np.float64]

_DAY_S = 86_400.0
_S_PER_DEG = 240.0  # the sky turns one degree in 240 s of solar time


class SunDirection(NamedTuple):
    """Altitude above the horizon and azimuth clockwise from north, degrees."""

    altitude_deg: Floats
    azimuth_deg: Floats


class _Sun(NamedTuple):
    """The sun's apparent place among the stars, and what time-keeping needs of it."""

    mean_longitude_deg: Floats
    right_ascension_deg: Floats
    declination_deg: Floats
    nutation_deg: Floats  # in right ascension


def _apparent_sun(unix_s: npt.ArrayLike) -> _Sun:
    century = (np.asarray(unix_s, float) / _DAY_S + 2_440_587.5 - 2_451_545.0) / 36_525.0
    mean_longitude = 280.46646 + century * (36_000.76983 + century * 0.0003032)
    anomaly = np.radians(357.52911 + century * (35_999.05029 - century * 0.0001537))
    centre = (
        (1.914602 - century * (0.004817 + century * 0.000014)) * np.sin(anomaly)
        + (0.019993 - century * 0.000101) * np.sin(2.0 * anomaly)
        + 0.000289 * np.sin(3.0 * anomaly)
    )
    node = np.radians(125.04 - 1934.136 * century)
    wobble = -0.00478 * np.sin(node)
    longitude = np.radians(mean_longitude + centre - 0.00569 + wobble)
    tilt = np.radians(23.4392911 - 0.0130042 * century + 0.00256 * np.cos(node))
    ascension = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    return _Sun(
        mean_longitude, np.degrees(ascension), np.degrees(declination), wobble * np.cos(tilt)
    )


def declination_of(unix_s: npt.ArrayLike) -> Floats:
    """Return the sun's declination (赤纬) in degrees; within 0.01 degrees."""
    return _apparent_sun(unix_s).declination_deg


def equation_of_time(unix_s: npt.ArrayLike) -> Floats:
    """Return true less mean solar time (时差) in seconds; within about 3 s.

    -658 s on 20 January: the sundial is eleven minutes behind the clock.
    """
    sun = _apparent_sun(unix_s)
    apart = sun.mean_longitude_deg - 0.0057183 - sun.right_ascension_deg + sun.nutation_deg
    return ((apart + 180.0) % 360.0 - 180.0) * _S_PER_DEG


def true_solar_time_of(unix_s: npt.ArrayLike, longitude_deg: npt.ArrayLike) -> Floats:
    """Return the true solar time, seconds after true midnight, in [0, 86400)."""
    unix, longitude = np.asarray(unix_s, float), np.asarray(longitude_deg, float)
    time_s: Floats = (unix + longitude * _S_PER_DEG + equation_of_time(unix)) % _DAY_S
    return time_s


def hour_angle_of(unix_s: npt.ArrayLike, longitude_deg: npt.ArrayLike) -> Floats:
    """Return the hour angle (时角) in degrees: 0 at true noon, positive in the afternoon."""
    angle: Floats = true_solar_time_of(unix_s, longitude_deg) / _S_PER_DEG - 180.0
    return angle


def instant_of(
    day: npt.ArrayLike, true_solar_time_s: npt.ArrayLike, longitude_deg: npt.ArrayLike
) -> Floats:
    """Return the instant (Unix seconds) at which a sundial shows a given time of a given day.

    Parameters
    ----------
    day
        The date at the place, as days after 1970-01-01.
    true_solar_time_s
        Seconds after true midnight.
    longitude_deg
        East positive.
    """
    mean = np.asarray(day, float) * _DAY_S + np.asarray(true_solar_time_s, float)
    mean = mean - np.asarray(longitude_deg, float) * _S_PER_DEG
    instant = mean - equation_of_time(mean)
    answer: Floats = mean - equation_of_time(instant)  # a second round changes it by under 0.01 s
    return answer


def sun_direction(
    latitude_deg: npt.ArrayLike, declination_deg: npt.ArrayLike, hour_angle_deg: npt.ArrayLike
) -> SunDirection:
    """Return where the sun stands at an hour angle, for a latitude and a declination.

    ``sin a = sin phi sin delta + cos phi cos delta cos H`` (Meeus, 13.5 and 13.6).
    """
    latitude = np.radians(np.asarray(latitude_deg, float))
    declination = np.radians(np.asarray(declination_deg, float))
    hour = np.radians(np.asarray(hour_angle_deg, float))
    up = np.sin(latitude) * np.sin(declination)
    up = up + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    north = np.cos(latitude) * np.sin(declination)
    north = north - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    altitude = np.arctan2(up, np.hypot(east, north))
    return SunDirection(np.degrees(altitude), np.degrees(np.arctan2(east, north)) % 360.0)


def sun_direction_at(
    unix_s: npt.ArrayLike, longitude_deg: npt.ArrayLike, latitude_deg: npt.ArrayLike
) -> SunDirection:
    """Return where the sun stands at an instant; within about 0.015 degrees, geometric.

    Examples
    --------
    >>> noon = 1768882926.0  # 2026-01-20 12:22:06 +08:00 in Tianjin
    >>> [float(angle.round(1)) for angle in sun_direction_at(noon, 117.2, 39.13)]
    [30.7, 180.0]
    """
    hour = hour_angle_of(unix_s, longitude_deg)
    return sun_direction(latitude_deg, declination_of(unix_s), hour)
