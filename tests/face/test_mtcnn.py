import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mer.face import canonical_landmarks
from mer.face.mtcnn import FIVE_POINTS, find_five_points, landmarks_from_five


def placed(yaw=0.0, pitch=0.0, roll=0.0, scale=70.0):
    turn = Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_matrix()
    return scale * canonical_landmarks().astype(np.float64) @ turn.T + [200.0, 150.0, 0.0]


@pytest.mark.parametrize("roll", [0, 45, -90, 180])
def test_a_frontal_face_is_reconstructed(roll):
    face = placed(roll=roll)
    landmarks = landmarks_from_five(face[list(FIVE_POINTS), :2])
    assert landmarks.shape == (478, 3)
    assert landmarks.dtype == np.float32
    np.testing.assert_allclose(landmarks[:, :2], face[:, :2], atol=0.01)
    np.testing.assert_allclose(landmarks[:, 2] - landmarks[:, 2].mean(), face[:, 2] - face[:, 2].mean(), atol=0.01)


@pytest.mark.parametrize("turn", [{"yaw": 25}, {"yaw": -25}, {"pitch": 15}])
def test_a_turned_face_is_fitted_better_than_a_frontal_one(turn):
    """The rotation is underestimated, but not ignored."""
    face = placed(**turn)
    straight = placed()
    fitted = landmarks_from_five(face[list(FIVE_POINTS), :2])

    def error(points):
        off = (points - face)[:, :2]
        return np.sqrt(((off - off.mean(0)) ** 2).mean())

    assert error(fitted) < 0.8 * error(straight)


def test_points_are_in_pixels_of_a_large_image(astronaut):
    """A large image is downscaled before detection; the results are in its own pixels."""
    [(small, box, score)] = find_five_points(astronaut)
    large = np.kron(astronaut, np.ones((4, 4, 1), np.uint8))  # pixel x becomes 4 x to 4 x + 3
    [(points, large_box, _)] = find_five_points(large)
    assert points.shape == (5, 2)
    assert box.shape == (4,)
    assert score > 0.99
    assert np.abs((points - 1.5) / 4 - small).mean() < 1
    np.testing.assert_allclose((large_box - 1.5) / 4, box, atol=8)
