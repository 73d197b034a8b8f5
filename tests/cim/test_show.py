"""Answers on the terminal: numbers keep their places, reports read as sentences."""

from __future__ import annotations

import pytest

from cim import messages
from cim.cli import _show


@pytest.fixture(autouse=True)
def english() -> None:
    messages.set_language("en")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (4330857.1254, "4330857.125"),
        (517200.0, "517200"),
        (0.41666666, "0.416667"),
        ((297.0, 210.0), "297, 210"),
        ({"en": "flood", "zh": "内涝"}, "flood"),
        (
            {"count": 3, "left_out": [{"id": "a"}, {"id": "b"}]},
            "count 3, left_out (2; --json lists them)",
        ),
        ([str(n) for n in range(21)], "(21; --json lists them)"),
    ],
)
def test_a_value_is_one_line_that_loses_no_place(
    value: object, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _show.record("any", {"value": value} if not isinstance(value, dict) else {"m": {"x": value}})
    assert capsys.readouterr().out.splitlines()[-1].split(": ")[-1] == line


def test_what_a_report_says_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"action": "note", "key": "k", "reason": "Taken.", "file": "a.shp", "object": None}
    _show.record("update", {"added": 0, "entries": [entry]})
    assert capsys.readouterr().out.splitlines()[-1] == "  note a.shp: Taken."


def test_a_record_of_empty_lists_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _show.record("build", {"kept": 0, "resumed": {"files": [], "rows": 0}, "notes": []})
    assert capsys.readouterr().out.splitlines() == ["kept: 0"]
    _show.record("build", {"resumed": {"files": [], "rows": 7}, "ledger": {"rain": 0.0}})
    assert "  rows: 7" in capsys.readouterr().out.splitlines()


def test_progress_into_a_pipe_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(_show.time, "monotonic", lambda: now[0])
    with _show.progress() as job:
        for step in range(100):  # half a second each
            now[0] += 0.5
            job.step(step + 1, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("6 %")
    assert len(lines) == 16


def test_a_group_of_zeros_is_not_shown_but_a_verdict_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    groups = {"roads": {"links": 0, "worst": None}, "ponds": {"passes": False}, "ids": [],
              "rain": 0.0, "rules": {"a": "b", "c": "d"}, "lost": [{"id": "a"}]}  # fmt: skip
    _show.record("flood", {"summary": groups})
    assert capsys.readouterr().out.splitlines() == [
        "summary", "  ponds: passes False", "  rain: 0", "  rules: (2; --json lists them)",
        "  lost: (1; --json lists them)",
    ]  # fmt: skip


def test_notes_are_paragraphs_the_first_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    long = " ".join(["water"] * 60)
    _show.record("flood", {"notes": [long, *(f"note {n}" for n in range(19))]})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100 and " ".join(lines[1:5]).split()[1:61] == ["water"] * 60
    assert lines[-2:] == ["  - note 10", "  … (8; --json lists them)"]
