import numpy as np
import pytest
from matplotlib.figure import Figure

from mer import plot
from mer.flow import Flow
from tests.drawn_flows import drawn_field


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture
def field() -> np.ndarray:
    return drawn_field("happiness", np.random.default_rng(0), size=32)


@pytest.mark.parametrize(
    ("vector", "color"),
    [((1, 0), (255, 0, 0)), ((0, 0), (255, 255, 255)), ((0.5, 0), (255, 128, 128)), ((2, 0), (191, 0, 0))],
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
