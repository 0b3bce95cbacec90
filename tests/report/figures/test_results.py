import numpy as np
import pandas as pd
import pytest

from mer import plot

PREDICTIONS = pd.DataFrame(
    [
        ("a", "s1", "c1", 0, 0, "joy", "joy"),
        ("a", "s1", "c2", 0, 0, "joy", "fear"),
        ("a", "s2", "c1", 0, 0, "joy", "joy"),
        ("b", "s1", "c1", 0, 0, "joy", ""),
        ("b", "s1", "c1", 9, 0, "joy", "joy"),
        ("b", "s1", "c1", 9, 1, "joy", "fear"),
    ],
    columns=["dataset", "subject", "clip", "onset", "seed", "label", "prediction"],
)


def test_confusion_shows_counts_and_percentages_with_contrast(ax):
    plot.plot_confusion(np.array([[9, 1], [2.5, 2.5]]), ["a", "b"], ax=ax)
    texts = {text.get_text(): text.get_color() for text in ax.texts}
    assert texts == {"9\n90 %": "white", "1\n10 %": "black", "2.5\n50 %": "black"}


def test_confusion_shows_failed_clips_if_any(ax):
    plot.plot_confusion(np.array([[9, 0, 1], [0, 5, 0]]), ["a", "b"], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "failed"]
    ax.clear()
    plot.plot_confusion(np.array([[9, 1, 0], [0, 5, 0]]), ["a", "b"], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_confusion_rejects_counts_of_another_shape(ax):
    with pytest.raises(ValueError, match="2 x 2"):
        plot.plot_confusion(np.eye(3)[:2, :1], ["a", "b"], ax=ax)


def test_each_person_is_a_column_of_clips(ax):
    plot.plot_subjects(PREDICTIONS, ax=ax)
    shades = ax.collections[0].get_facecolor()[:, 0]
    # a: s2 (1 of 1) before s1 (1 of 2); b: s1 with a clip on which seeds disagree and one without flow
    np.testing.assert_allclose(shades, [0, 0, 1, 0.5, 1])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["s2", "s1", "s1"]
    assert [text.get_text() for text in ax.texts] == ["a", "b"]
    (cross,) = ax.lines
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (3, 1.5)


def test_drawing_functions_return_the_given_axes(ax):
    assert plot.plot_confusion(np.eye(2), ["a", "b"], ax=ax) is ax
    assert ax.images
    ax.clear()
    assert plot.plot_subjects(PREDICTIONS, ax=ax) is ax
    assert ax.has_data()
    ax.figure.canvas.draw()
