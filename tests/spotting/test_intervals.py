from __future__ import annotations

import numpy as np
import pytest

from mer.spotting.intervals import THRESHOLD, _table, _vertex, find_intervals
from tests.spotting.drawn import bump, motion

N = 600


def blinks(depth: float = 9.0) -> np.ndarray:
    return sum(depth * bump(N, at, at + 3, at + 8) for at in range(40, N - 20, 90))


def talk(depth: float = 2.0) -> np.ndarray:
    t = np.arange(N)
    return depth * np.abs(np.sin(np.pi * t / 7)) * ((t > 150) & (t < 450)) * (1 + 0.4 * np.sin(t))


@pytest.mark.parametrize(
    ("onset", "apex", "offset", "kind"), [(300, 305, 312, "micro"), (300, 306, 314, "micro"), (280, 310, 350, "macro")]
)
def test_an_expression_is_found_at_its_frames(onset: int, apex: int, offset: int, kind: str) -> None:
    _, intervals = find_intervals(motion({"brows": 1.5 * bump(N, onset, apex, offset)}))
    assert len(intervals) == 1
    row = intervals.iloc[0]
    assert (row["kind"], abs(row["apex"] - apex) <= 1) == (kind, True)
    assert abs(row["onset"] - onset) <= max(2, (apex - onset) // 3)
    assert abs(row["offset"] - offset) <= max(2, (offset - apex) // 3)
    assert row["apex_time"] == pytest.approx(row["apex"] / 30, abs=0.02)


def test_a_smile_that_fills_most_of_a_short_clip_is_found() -> None:
    t = np.arange(72)
    _, intervals = find_intervals(motion({"mouth": 8 * np.clip((t - 12) / 14, 0, 1)}, n=72))
    assert intervals["kind"].tolist() == ["macro"]
    assert abs(intervals["onset"][0] - 12) <= 3


def test_a_face_at_rest_shows_no_expression() -> None:
    curve, intervals = find_intervals(motion({}))
    assert intervals.empty
    assert curve["strength"].max() < THRESHOLD
    assert list(curve) == ["frame", "time", "brows", "eyes", "nose", "mouth", "whole", "strength"]


def test_blinks_are_not_expressions() -> None:
    _, intervals = find_intervals(motion({"eyes": blinks(), "brows": 0.2 * blinks()}))
    assert intervals.empty


def test_speech_is_not_an_expression_but_a_raised_brow_in_it_is() -> None:
    assert find_intervals(motion({"mouth": talk()}))[1].empty
    _, intervals = find_intervals(motion({"mouth": talk(), "brows": 1.5 * bump(N, 300, 306, 313)}))
    assert len(intervals) == 1
    assert abs(intervals["apex"][0] - 306) <= 1


def test_the_residual_motion_of_a_nod_is_not_an_expression() -> None:
    nod = 40 * bump(N, 300, 310, 322)
    assert find_intervals(motion({"head": nod, "nose": 0.03 * nod, "mouth": 0.03 * nod}))[1].empty
    assert (
        len(find_intervals(motion({"nose": 0.03 * nod, "mouth": 0.03 * nod}))[1]) == 1
    )  # it is one if the head is still


def test_a_slow_drift_is_not_an_expression() -> None:
    assert find_intervals(motion({"brows": np.linspace(0, 2, N)}))[1].empty


def test_a_lost_face_leaves_a_gap_and_the_rest_is_searched() -> None:
    moved = motion({"brows": 1.5 * bump(N, 300, 306, 313)})
    moved.sites[100:140], moved.head[100:140] = np.nan, np.nan
    curve, intervals = find_intervals(moved)
    assert curve["strength"].isna().sum() == 40
    assert len(intervals) == 1
    assert abs(intervals["apex"][0] - 306) <= 1


def test_frame_numbers_are_those_of_the_video_if_every_seventh_is_sampled() -> None:
    moved = motion({"brows": 1.5 * bump(N, 300, 306, 313)})
    numbers = moved.numbers * 7 + 11
    shifted = type(moved)(numbers, moved.times, moved.rate, moved.sites, moved.head, moved.keys)
    apex = find_intervals(shifted)[1]["apex"][0]
    assert abs(apex - (306 * 7 + 11)) <= 7


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_very_short_videos_have_no_expression(n: int) -> None:
    curve, intervals = find_intervals(motion({}, n=n))
    assert len(curve) == n
    assert intervals.empty


@pytest.mark.parametrize("vertex", [2.6, 3.0, 3.3])
def test_the_apex_is_the_vertex_of_a_parabola(vertex: float) -> None:
    progress = 1 - 0.1 * (np.arange(7) - vertex) ** 2
    assert _vertex(progress, int(progress.argmax())) == pytest.approx(vertex)


@pytest.mark.parametrize(("frames", "kind"), [(14, "micro"), (15, "micro"), (16, "macro")])
def test_a_micro_expression_lasts_at_most_half_a_second(frames: int, kind: str) -> None:
    interval = {"onset": 30.0, "apex": 36.0, "offset": 30.0 + frames, "strength": 5.0}
    assert _table([interval], motion({}, rate=30.0))["kind"].tolist() == [kind]
