import numpy as np
import pytest

from mer import plot
from mer.flow import Flow


@pytest.mark.parametrize(
    ("vector", "color"),
    [((1, 0), (255, 0, 0)), ((0, 0), (255, 255, 255)), ((0.5, 0), (255, 128, 128)), ((2, 0), (255, 0, 0))],
)
def test_colors_match_the_benchmark(vector, color):
    colors = plot.flow_to_rgb(np.array(vector, float).reshape(1, 1, 2), max_magnitude=1)
    assert colors.dtype == np.uint8
    np.testing.assert_allclose(colors[0, 0], color, atol=1)


def test_hue_shows_direction_and_saturation_shows_magnitude():
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


def test_zero_flow_is_white():
    assert (plot.flow_to_rgb(np.zeros((3, 4, 2))) == 255).all()


def test_plot_flow_uses_one_scale(ax, field):
    flow = Flow.split(field + 2, np.full_like(field, 2))
    plot.plot_flow(flow, max_magnitude=4, ax=ax)
    canvas = ax.images[0].get_array()
    np.testing.assert_array_equal(canvas[:, 34:66], plot.flow_to_rgb(flow.head, 4))
    assert [text.get_text() for text in ax.texts] == ["facial", "head", "expression"]


def test_arrows_mark_only_moving_parts(ax, field):
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


def test_drawing_functions_return_the_given_axes(ax, field):
    flow = Flow.split(field + 1, np.ones_like(field))
    image = np.zeros((32, 32, 3), np.uint8)
    for draw in (
        lambda: plot.plot_field(field, ax=ax),
        lambda: plot.plot_wheel(2.0, ax=ax),
        lambda: plot.plot_arrows(image, field, scale=3, ax=ax),
        lambda: plot.plot_strain(field, ax=ax),
        lambda: plot.plot_flow(flow, ax=ax),
    ):
        ax.clear()
        assert draw() is ax
        assert ax.has_data() or ax.images
    ax.figure.canvas.draw()


def test_arrows_reject_an_image_of_another_size(ax, field):
    with pytest.raises(ValueError, match="the image is"):
        plot.plot_arrows(np.zeros((3, 3, 3), np.uint8), field, ax=ax)
