from __future__ import annotations

import numpy as np
import pytest
from long_video import GAP, MICRO_SECONDS, _head_course, label_rows, long_clip


@pytest.fixture(scope="module")
def clip(head):
    return long_clip(head, "makehuman", np.random.default_rng(0), 40.0, 30.0, micro=6, macro=2)


def test_expressions_are_in_order_apart_and_as_long_as_they_should(clip) -> None:
    assert len(clip.states) == 1200
    kinds = [shown.kind for shown in clip.expressions]
    assert kinds.count("micro") == 6
    assert kinds.count("macro") == 2
    for shown in clip.expressions:
        assert shown.onset < shown.apex < shown.offset
        seconds = (shown.offset - shown.onset) / 30
        assert (seconds <= MICRO_SECONDS[1] + 0.05) == (shown.kind == "micro")
    gaps = [b.onset - a.offset for a, b in zip(clip.expressions, clip.expressions[1:])]
    assert min(gaps) >= GAP * 30 - 2


def test_the_face_is_where_the_labels_say(clip) -> None:
    for shown in clip.expressions:
        unit = max(shown.units, key=lambda name: shown.units[name])
        course = [state.units.get(unit, 0.0) for state in clip.states[shown.onset : shown.offset + 1]]
        assert np.argmax(course) == shown.apex - shown.onset
        assert course[0] < 0.5 * max(course)


def test_nothing_but_the_head_moves_without_what_is_asked_for(head) -> None:
    rng = np.random.default_rng(1)
    still = long_clip(head, "makehuman", rng, 4.0, 25.0, micro=0, macro=0, talk=0, distraction=0, head_motion=0)
    assert all(state.units == {} for state in still.states)
    assert len({state.rotation for state in still.states}) == 1
    assert still.expressions == []


def test_the_same_seed_draws_the_same_video(head) -> None:
    first, second = (long_clip(head, "makehuman", np.random.default_rng(3), 5.0, 25.0) for _ in range(2))
    assert first.states == second.states or [s.units for s in first.states] == [s.units for s in second.states]
    assert [s.rotation for s in first.states] == [s.rotation for s in second.states]


def test_rows_of_labels(clip) -> None:
    rows = label_rows(3, clip)
    assert len(rows) == 8
    assert list(rows[0]) == ["subject", "clip", "onset", "apex", "offset", "kind", "label", "aus", "fps"]
    assert rows[0]["subject"] == "s03"


@pytest.mark.parametrize("seconds", [1, 3, 6, 20])
def test_a_head_stays_before_the_camera_however_short_the_video(seconds):
    times = np.arange(25 * seconds) / 25
    for seed in range(20):
        turns, places, _ = _head_course(np.random.default_rng(seed), times, 25.0, 1.0, 4.0)
        assert np.abs(turns).max() < 40
        assert np.abs(places).max() < 0.8
