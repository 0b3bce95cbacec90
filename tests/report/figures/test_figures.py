from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mer import plot
from mer.flow import Flow
from tests.drawn_flows import drawn_field

TRAINING = Path(__file__).parents[3] / "benchmarks" / "decflow_training.csv"
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


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture
def field() -> np.ndarray:
    return drawn_field("happiness", np.random.default_rng(0), size=32)


@pytest.mark.parametrize(
    ("vector", "color"),
    [((1, 0), (255, 0, 0)), ((0, 0), (255, 255, 255)), ((0.5, 0), (255, 128, 128)), ((2, 0), (255, 0, 0))],
)
def test_colors_of_the_benchmark(vector, color):
    found = plot.flow_to_rgb(np.array(vector, float).reshape(1, 1, 2), max_magnitude=1)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[0, 0], color, atol=1)


def test_hue_turns_with_direction_and_length_fades():
    def of(x: float, y: float) -> np.ndarray:
        return plot.flow_to_rgb(np.array([[[x, y]]], float), 1.0)[0, 0].astype(int)

    down, left, up = of(0, 1), of(-1, 0), of(0, -1)
    assert down[:2].min() > 200  # yellow
    assert down[2] == 0
    assert left[0] == 0  # cyan
    assert left[1:].min() > 190
    assert up[2] == 255  # blue to violet
    assert up[1] == 0
    assert of(0.1, 0).min() > of(0.9, 0).min()


def test_no_motion_is_white_and_not_a_division_by_zero():
    assert (plot.flow_to_rgb(np.zeros((3, 4, 2))) == 255).all()


def test_every_figure_draws_into_the_given_axes(ax, field):
    flow = Flow.split(field + 1, np.ones_like(field))
    image = np.zeros((32, 32, 3), np.uint8)
    for draw in (
        lambda: plot.plot_field(field, ax=ax),
        lambda: plot.plot_wheel(2.0, ax=ax),
        lambda: plot.plot_arrows(image, field, scale=3, ax=ax),
        lambda: plot.plot_strain(field, ax=ax),
        lambda: plot.plot_flow(flow, ax=ax),
        lambda: plot.plot_confusion(np.eye(2), ["a", "b"], ax=ax),
        lambda: plot.plot_curve(np.arange(5), marks={"apex": 3}, threshold=2, ax=ax),
        lambda: plot.plot_spotting(np.arange(5), threshold=2, ax=ax),
        lambda: plot.plot_subjects(PREDICTIONS, ax=ax),
        lambda: plot.plot_training(TRAINING, ax=ax),
    ):
        ax.clear()
        assert draw() is ax
        assert ax.has_data() or ax.images
    ax.figure.canvas.draw()


def test_without_axes_new_ones_are_made(field):
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    made = plot.plot_field(field)
    assert made.figure is plt.gcf()
    plt.close("all")


def test_the_three_flows_share_one_scale(ax, field):
    flow = Flow.split(field + 2, np.full_like(field, 2))
    plot.plot_flow(flow, max_magnitude=4, ax=ax)
    canvas = ax.images[0].get_array()
    np.testing.assert_array_equal(canvas[:, 34:66], plot.flow_to_rgb(flow.head, 4))
    assert [text.get_text() for text in ax.texts] == ["facial", "head", "expression"]


def test_confusion_shows_counts_and_per_cent_with_contrast(ax):
    plot.plot_confusion(np.array([[9, 1], [2.5, 2.5]]), ["a", "b"], ax=ax)
    texts = {text.get_text(): text.get_color() for text in ax.texts}
    assert texts == {"9\n90 %": "white", "1\n10 %": "black", "2.5\n50 %": "black"}


def test_confusion_shows_failed_clips_where_there_are_any(ax):
    plot.plot_confusion(np.array([[9, 0, 1], [0, 5, 0]]), ["a", "b"], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "failed"]
    ax.clear()
    plot.plot_confusion(np.array([[9, 1, 0], [0, 5, 0]]), ["a", "b"], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_shapes_that_do_not_fit_are_refused(ax, field):
    with pytest.raises(ValueError, match="2 x 2"):
        plot.plot_confusion(np.eye(3)[:2, :1], ["a", "b"], ax=ax)
    with pytest.raises(ValueError, match="the image is"):
        plot.plot_arrows(np.zeros((3, 3, 3), np.uint8), field, ax=ax)


def test_arrows_stand_where_something_moves_and_point_there(ax, field):
    still = np.zeros((28, 28, 2), np.float32)
    still[14:, :, 0] = 2
    plot.plot_field(still, arrows=True, ax=ax)
    quiver = ax.collections[0]
    assert len(quiver.U) == 14 * 7
    assert (quiver.U > 0).all()
    assert (quiver.V == 0).all()
    ax.clear()
    plot.plot_field(np.zeros_like(still), arrows=True, ax=ax)
    assert not ax.collections


def test_a_spotted_interval_is_shaded_with_its_apex_on_the_curve(ax):
    curve = pd.DataFrame({"frame": [10, 11, 12, 13], "value": [0.0, 1, 4, 0]})
    found = pd.DataFrame({"onset": [11], "apex": [12], "offset": [13]})
    truth = pd.DataFrame({"onset": [10, 12], "offset": [11, 13]})
    plot.plot_spotting(curve, found, truth, threshold=2, fps=2, ax=ax)
    *labeled, shaded = ax.patches
    assert (shaded.get_x(), shaded.get_width()) == (5.5, 1)
    assert [bar.get_x() for bar in labeled] == [5, 6]
    assert all(bar.get_hatch() for bar in labeled)
    apex = next(line for line in ax.lines if line.get_marker() == "v")
    assert (apex.get_xdata()[0], apex.get_ydata()[0]) == (6, 4)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["labeled", "found", "apex"]


def test_an_interval_without_an_apex_has_no_triangle(ax):
    plot.plot_spotting(np.arange(9.0), pd.DataFrame({"onset": [2], "apex": [np.nan], "offset": [5]}), ax=ax)
    assert not [line for line in ax.lines if line.get_marker() == "v"]
    assert ax.get_xlabel() == "frame"


def test_micro_is_darker_than_macro_and_a_lost_face_is_told(ax):
    curve = pd.DataFrame({"frame": [0, 2, 4, 6, 8], "strength": [1.0, np.nan, np.nan, 2, 3]})
    found = pd.DataFrame({"onset": [0, 5], "offset": [1, 9], "kind": ["micro", "macro"]})
    plot.plot_spotting(curve, found, column="strength", ax=ax)
    micro, macro, lost = ax.patches
    assert micro.get_facecolor()[0] < macro.get_facecolor()[0]
    assert (lost.get_x(), lost.get_width()) == (2, 2)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["micro", "macro", "no face"]
    assert ax.get_ylabel() == "strength"


def test_each_person_is_a_column_of_clips(ax):
    plot.plot_subjects(PREDICTIONS, ax=ax)
    shades = ax.collections[0].get_facecolor()[:, 0]
    # a: s2 (1 of 1) stands before s1 (1 of 2); b: s1 with a clip on which the seeds disagree, and one without flow
    np.testing.assert_allclose(shades, [0, 0, 1, 0.5, 1])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["s2", "s1", "s1"]
    assert [text.get_text() for text in ax.texts] == ["a", "b"]
    (cross,) = ax.lines
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (3, 1.5)


def test_stages_of_training_stand_one_after_another(ax):
    log = pd.DataFrame(
        {"stage": [1, 1, 2], "step": [10, 20, 5], "part": "val", "expression": [0.3, 0.2, 0.1], "none": [0.3, 0.4, 0.4]}
    )
    plot.plot_training(log, ("expression",), relative=True, ax=ax)
    first, second, *_ = ax.lines
    np.testing.assert_allclose(first.get_xydata(), [[10, 1], [20, 0.5]])
    np.testing.assert_allclose(second.get_xydata(), [[25, 0.25]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["expression", "'no expression'"]
    with pytest.raises(ValueError, match="lacks head"):
        plot.plot_training(log, ("head",), ax=ax)
