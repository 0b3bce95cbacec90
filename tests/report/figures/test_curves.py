from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer import plot

TRAINING = Path(__file__).parents[3] / "benchmarks" / "decflow_training.csv"


def test_a_predicted_interval_is_shaded_with_its_apex_on_the_curve(ax):
    curve = pd.DataFrame({"frame": [10, 11, 12, 13], "value": [0.0, 1, 4, 0]})
    intervals = pd.DataFrame({"onset": [11], "apex": [12], "offset": [13]})
    truth = pd.DataFrame({"onset": [10, 12], "offset": [11, 13]})
    plot.plot_spotting(curve, intervals, truth, threshold=2, fps=2, ax=ax)
    *labeled, shaded = ax.patches
    assert (shaded.get_x(), shaded.get_width()) == (5.5, 1)
    assert [bar.get_x() for bar in labeled] == [5, 6]
    assert all(bar.get_hatch() for bar in labeled)
    apex = next(line for line in ax.lines if line.get_marker() == "v")
    assert (apex.get_xdata()[0], apex.get_ydata()[0]) == (6, 4)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ground truth", "predicted", "apex"]


def test_an_interval_without_an_apex_has_no_triangle(ax):
    plot.plot_spotting(np.arange(9.0), pd.DataFrame({"onset": [2], "apex": [np.nan], "offset": [5]}), ax=ax)
    assert not [line for line in ax.lines if line.get_marker() == "v"]
    assert ax.get_xlabel() == "frame"


def test_micro_is_darker_than_macro_and_missing_faces_are_marked(ax):
    curve = pd.DataFrame({"frame": [0, 2, 4, 6, 8], "strength": [1.0, np.nan, np.nan, 2, 3]})
    intervals = pd.DataFrame({"onset": [0, 5], "offset": [1, 9], "kind": ["micro", "macro"]})
    plot.plot_spotting(curve, intervals, column="strength", ax=ax)
    micro, macro, lost = ax.patches
    assert micro.get_facecolor()[0] < macro.get_facecolor()[0]
    assert (lost.get_x(), lost.get_width()) == (2, 2)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["micro", "macro", "no face"]
    assert ax.get_ylabel() == "strength"


def test_training_stages_follow_one_another(ax):
    log = pd.DataFrame(
        {"stage": [1, 1, 2], "step": [10, 20, 5], "part": "val", "expression": [0.3, 0.2, 0.1], "none": [0.3, 0.4, 0.4]}
    )
    plot.plot_training(log, ("expression",), relative=True, ax=ax)
    first, second, *_ = ax.lines
    np.testing.assert_allclose(first.get_xydata(), [[10, 1], [20, 0.5]])
    np.testing.assert_allclose(second.get_xydata(), [[25, 0.25]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["expression", "zero flow"]
    with pytest.raises(ValueError, match="lacks head"):
        plot.plot_training(log, ("head",), ax=ax)


def test_drawing_functions_return_the_given_axes(ax):
    for draw in (
        lambda: plot.plot_curve(np.arange(5), marks={"apex": 3}, threshold=2, ax=ax),
        lambda: plot.plot_spotting(np.arange(5), threshold=2, ax=ax),
        lambda: plot.plot_training(TRAINING, ax=ax),
    ):
        ax.clear()
        assert draw() is ax
        assert ax.has_data()
    ax.figure.canvas.draw()
