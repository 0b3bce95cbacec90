from __future__ import annotations

import numpy as np
import pytest
from long_video import GAP, MICRO_SECONDS, _draw_head_motion, label_rows, long_clip


@pytest.fixture(scope="module")
def clip(head):
    return long_clip(head, "makehuman", np.random.default_rng(0), 40.0, 30.0, micro=6, macro=2)


def test_expressions_are_sorted_separate_and_of_the_right_duration(clip) -> None:
    assert len(clip.states) == 1200
    kinds = [expression.kind for expression in clip.expressions]
    assert kinds.count("micro") == 6
    assert kinds.count("macro") == 2
    for expression in clip.expressions:
        assert expression.onset < expression.apex < expression.offset
        seconds = (expression.offset - expression.onset) / 30
        assert (seconds <= MICRO_SECONDS[1] + 0.05) == (expression.kind == "micro")
    gaps = [b.onset - a.offset for a, b in zip(clip.expressions, clip.expressions[1:])]
    assert min(gaps) >= GAP * 30 - 2


def test_the_expression_peaks_at_the_labeled_apex(clip) -> None:
    for expression in clip.expressions:
        unit = max(expression.units, key=lambda name: expression.units[name])
        course = [state.units.get(unit, 0.0) for state in clip.states[expression.onset : expression.offset + 1]]
        assert np.argmax(course) == expression.apex - expression.onset
        assert course[0] < 0.5 * max(course)


def test_a_video_without_events_is_still(head) -> None:
    rng = np.random.default_rng(1)
    still = long_clip(head, "makehuman", rng, 4.0, 25.0, micro=0, macro=0, talk=0, distraction=0, head_motion=0)
    assert all(state.units == {} for state in still.states)
    assert len({state.rotation for state in still.states}) == 1
    assert still.expressions == []


def test_the_same_seed_draws_the_same_video(head) -> None:
    first, second = (long_clip(head, "makehuman", np.random.default_rng(3), 5.0, 25.0) for _ in range(2))
    assert first.states == second.states or [s.units for s in first.states] == [s.units for s in second.states]
    assert [s.rotation for s in first.states] == [s.rotation for s in second.states]


def test_label_rows_have_the_columns_of_spotting(clip) -> None:
    rows = label_rows(3, clip)
    assert len(rows) == 8
    assert list(rows[0]) == ["subject", "clip", "onset", "apex", "offset", "kind", "label", "aus", "fps"]
    assert rows[0]["subject"] == "s03"


@pytest.mark.parametrize("seconds", [1, 3, 6, 20])
def test_the_head_stays_in_front_of_the_camera_in_short_videos(seconds):
    times = np.arange(25 * seconds) / 25
    for seed in range(20):
        rotation, translation, _ = _draw_head_motion(np.random.default_rng(seed), times, 25.0, 1.0, 4.0)
        assert np.abs(rotation).max() < 40
        assert np.abs(translation).max() < 0.8
