"""Many floods at once: the same answers as one by one, progress, cancel, refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cim.errors import CancelledError, RequestError
from cim.flood import even_storm, flood
from cim.flood.ensemble import Member, agreement, ensemble
from cim.jobs import Job, Progress
from tests.towns import town

LIGHT, HEAVY = (even_storm(depth_mm=mm, duration_min=10) for mm in (30, 90))


def test_an_ensemble_answers_as_single_runs_do_and_says_how_sure_it_is() -> None:
    view = town(size_m=60, houses=4)
    members = [Member("light", LIGHT), Member("heavy", HEAVY), Member("rough", HEAVY, manning=0.1),
               Member("exact", HEAVY, solver="godunov", precision="f64")]  # fmt: skip
    heard: list[Progress] = []
    results = ensemble(view, members, duration_s=600.0, workers=2, job=Job(listen=heard.append))
    alone = flood(view, storm=HEAVY, duration_s=600.0)
    for name in ("depth_max_m", "road_lane_depth_m"):
        np.testing.assert_array_equal(results[1].field(name).values, alone.field(name).values)
    assert [r.parameters["member"] for r in results] == ["light", "heavy", "rough", "exact"]
    assert [r.parameters["solver"]["scheme"] for r in results[2:]] == ["local inertial", "godunov"]
    assert results[3].parameters["precision"] == "f64"
    assert not any(f.over_time for r in results for f in r.fields)
    assert heard[-1].done == heard[-1].total == 4
    assert [h.done for h in heard] == sorted(h.done for h in heard)
    sure = agreement(results, "depth_max_m", above=0.05)
    deep = [np.nan_to_num(r.field("depth_max_m").values) > 0.05 for r in results]
    known = np.isfinite(results[0].field("depth_max_m").values)
    np.testing.assert_allclose(sure[known], np.mean(deep, axis=0)[known])
    assert np.isnan(sure[~known]).all()


def test_a_cancel_stops_every_process_soon() -> None:
    job = Job()
    asked_s: list[float] = []

    def listen(progress: Progress) -> None:
        if progress.done > 0 and not asked_s:
            job.cancel()
            asked_s.append(time.monotonic())

    job.listen = listen
    members = [Member(str(i), HEAVY) for i in range(4)]
    with pytest.raises(CancelledError):
        ensemble(town(size_m=200), members, duration_s=36000.0, cell_m=1.0, workers=2, job=job)
    assert asked_s


def test_an_error_of_a_member_and_names_twice_come_back() -> None:
    with pytest.raises(RequestError):
        ensemble(town(), [Member("a", LIGHT), Member("a", HEAVY)])
    with pytest.raises(RequestError):
        ensemble(town(), [])
    with pytest.raises(RequestError) as caught:
        ensemble(town(), [Member("a", LIGHT, order=3)])
    assert caught.value.key == "flood.solver"
    with pytest.raises(RequestError) as caught:
        ensemble(town(), [Member("a", LIGHT, manning=0.0)], workers=1)
    assert caught.value.key == "flood.manning"
    assert caught.value.given == "0.0"
