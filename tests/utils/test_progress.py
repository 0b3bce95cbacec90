import sys

import pytest

from mer.utils import progress


def test_items_pass_through_in_order(capsys: pytest.CaptureFixture) -> None:
    assert list(progress.track(iter("abc"), 3, "clips")) == ["a", "b", "c"]
    assert list(progress.untracked("abc", 3, "clips")) == ["a", "b", "c"]
    assert capsys.readouterr().out == ""


def test_a_log_gets_one_line_at_the_end_and_one_per_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    seconds = iter([0.0, 4.0, 12.0, 16.0, 20.0])  # at the start, then after each item
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    list(progress.track(range(4), 4, "clips"))
    assert capsys.readouterr().err.splitlines() == ["clips: 2/4, 12 s, 12 s left", "clips: 4/4, 20 s, 0 s left"]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress.track(range(3), 3, "clips")) == [0, 1, 2]
    shown = capsys.readouterr().err
    assert "clips" in shown
    assert "3/3" in shown
