import numpy as np
import pytest

from mer.face import crop_landmarks
from mer.models.flow_images import flow_image, parts_image


@pytest.fixture
def flow() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(56, 56, 2)).astype(np.float32)


def test_published_scaling_stretches_each_channel(flow):
    image = flow_image(flow)
    assert image.shape == (28, 28, 3)
    np.testing.assert_allclose(image.min((0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(image.max((0, 1)), 255, rtol=1e-5)
    np.testing.assert_allclose(flow_image(3 * flow), image, atol=0.01)  # strength is lost
    np.testing.assert_allclose(flow_image(flow, top=1.0, channels=2), image[..., :2] / 255, atol=1e-6)


def test_metric_scaling_preserves_strength_and_removes_a_shift(flow):
    metric = flow_image(flow, scaling="metric")
    np.testing.assert_allclose(flow_image(3 * flow, scaling="metric"), 3 * metric, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(flow_image(flow + 1, scaling="metric"), metric, atol=1e-5)


def test_unit_scaling_does_not_depend_on_the_unit(flow):
    unit = flow_image(flow, scaling="unit")
    np.testing.assert_allclose(flow_image(30 * flow + 5, scaling="unit"), unit, atol=1e-4)
    np.testing.assert_allclose((unit[..., :2] ** 2).sum(-1).mean(), 1, rtol=1e-4)


@pytest.mark.parametrize("scaling", ["minmax", "metric", "unit"])
def test_constant_flow_is_not_divided_by_zero(scaling):
    assert not flow_image(np.full((28, 28, 2), 0.5, np.float32), scaling=scaling).any()


def test_other_scalings_and_channels_are_refused():
    with pytest.raises(ValueError, match="minmax"):
        flow_image(np.zeros((28, 28, 2)), scaling="min-max")
    with pytest.raises(ValueError, match="4 channels"):
        flow_image(np.zeros((28, 28, 2)), channels=4)


@pytest.mark.parametrize(("point", "corner"), [(468, (0, 0)), (473, (0, 1)), (61, (1, 0)), (291, (1, 1))])
def test_parts_of_the_face_are_arranged_as_in_htnet(point, corner):
    x, y = crop_landmarks(28)[point, :2]
    rows, columns = np.mgrid[:28, :28]
    flow = np.zeros((28, 28, 2), np.float32)
    flow[..., 1] = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2)
    image = parts_image(flow)[..., 1]
    quarters = {(i, j): image[14 * i : 14 * i + 14, 14 * j : 14 * j + 14].max() for i in (0, 1) for j in (0, 1)}
    assert max(quarters, key=quarters.get) == corner
