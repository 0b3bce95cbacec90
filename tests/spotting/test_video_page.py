from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer.spotting.spot_video import Spotting
from mer.spotting.video_page import HEIGHT, LEFT, MAX_POINTS, RIGHT, WIDTH, _curve


def spotting_of(strength: np.ndarray) -> tuple[Spotting, pd.DataFrame]:
    numbers = np.arange(len(strength))
    curve = pd.DataFrame({"frame": numbers, "time": numbers / 30, "strength": strength})
    intervals = pd.DataFrame({"onset": [10], "apex": [15], "offset": [20]})
    return Spotting(intervals, curve, 3.5, 30.0, len(strength), [], Path("v.mp4"), "dis"), intervals


def test_the_curve_spans_the_picture():
    curve = _curve(*spotting_of(np.linspace(0, 7, 101)))
    assert curve["path"].startswith(f"M{LEFT}")
    assert curve["path"].count("M") == 1
    assert curve["path"].count("L") == 100
    assert f"L{WIDTH - RIGHT}.0 " in curve["path"]
    assert curve["top"] < curve["threshold"] < curve["bottom"] < HEIGHT
    assert not curve["lost"]
    [mark] = curve["marks"]
    assert mark["x"] + mark["width"] / 2 == pytest.approx(mark["apex"], abs=0.2)


def test_frames_without_a_face_interrupt_the_curve():
    strength = np.ones(50)
    strength[20:30] = np.nan
    curve = _curve(*spotting_of(strength))
    assert curve["lost"]
    assert curve["path"].count("M") == 2


def test_a_long_curve_keeps_its_peaks():
    strength = np.zeros(20 * MAX_POINTS)
    strength[12_345] = 9
    curve = _curve(*spotting_of(strength))
    assert curve["path"].count("L") <= MAX_POINTS
    x = round(LEFT + 12_345 * curve["dx"], 1)
    assert f"L{x} " in curve["path"]


def test_ticks_are_at_most_a_dozen():
    texts = [tick["text"] for tick in _curve(*spotting_of(np.ones(30 * 60)))["ticks"]]
    assert texts[:3] == ["0 s", "5 s", "10 s"]
    assert len(texts) <= 13
