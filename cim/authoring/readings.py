"""One day of sensor readings that fit each other: level follows rain, traffic the level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cim.authoring.dice import roll

__all__ = ["make_readings"]

_STEPS = 96
_STEP_MIN = 15


def make_readings(day: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (sensor, time, value) rows of ``day.toml``, every 15 minutes, sensor by sensor.

    Rain fills a bucket that the pumps empty; the bucket's content gives the depth on the
    street and the level in the manhole; depth slows traffic; rain washes the air.
    """
    rain = _rain(day["rain"])
    stored = _stored(rain, day["pond"])
    depth = [round(mm * day["pond"]["depth_m_per_mm"], 3) for mm in stored]
    series: dict[str, list[str]] = {
        "rain-1": [f"{mm * 60 / _STEP_MIN:.1f}" for mm in rain],
        "level-1": [f"{value:.3f}" for value in depth],
        "level-2": [f"{_pipe_level(mm, day['pipe']):.3f}" for mm in stored],
    }
    for name, busiest in day["traffic"]["busiest_veh_h"].items():
        on_pond = name == "traffic-2"
        series[name] = [
            str(_traffic(name, step, busiest, rain[step], depth[step] if on_pond else 0.0, day))
            for step in range(_STEPS)
        ]
    for name in ("air-1", "air-2"):
        series[name] = _air(name, rain, day["air"])
    return [
        (sensor, _time(step, day), value)
        for sensor, values in series.items()
        for step, value in enumerate(values)
    ]


def _rain(table: Mapping[str, Any]) -> list[float]:
    hour, minute = (int(part) for part in table["start"].split(":"))
    first = (hour * 60 + minute) // _STEP_MIN
    amounts = [0.0] * _STEPS
    amounts[first : first + len(table["mm"])] = [float(mm) for mm in table["mm"]]
    return amounts


def _stored(rain: list[float], table: Mapping[str, Any]) -> list[float]:
    out_mm = table["drain_mm_h"] * _STEP_MIN / 60
    content, contents = 0.0, []
    for amount in rain:
        content = max(0.0, content + table["runoff"] * amount - out_mm)
        contents.append(content)
    return contents


def _pipe_level(stored_mm: float, table: Mapping[str, Any]) -> float:
    return min(float(table["top_m"]), float(table["dry_m"] + table["rise_m_per_mm"] * stored_mm))


def _traffic(
    name: str, step: int, busiest: int, rain_mm: float, depth_m: float, day: Mapping[str, Any]
) -> int:
    table = day["traffic"]
    hour, quarter = divmod(step, 4)
    share, following = table["share"][hour], table["share"][(hour + 1) % 24]
    flow = float(busiest * (share + (following - share) * quarter / 4))
    if rain_mm > 0.0:
        flow *= table["wet_factor"]
    if depth_m > day["pond"]["slow_from_m"]:
        flow *= table["flooded_factor"]
    return round(flow * (95 + roll(f"{name}/{step}", 11)) / 100)


def _air(name: str, rain: list[float], table: Mapping[str, Any]) -> list[str]:
    washed, values = 0.0, []
    for step, amount in enumerate(rain):
        washed = min(0.8, washed * table["recovery"] + table["wash_per_mm"] * amount)
        noise = (97 + roll(f"{name}/{step}", 7)) / 100
        values.append(f"{table['pm25'][step // 4] * (1.0 - washed) * noise:.1f}")
    return values


def _time(step: int, day: Mapping[str, Any]) -> str:
    hour, minute = divmod(step * _STEP_MIN, 60)
    return f"{day['date']}T{hour:02d}:{minute:02d}:00{day['offset']}"
