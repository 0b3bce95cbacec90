"""Head motion is recovered exactly without an expression, and robustly with one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from mer.face import canonical_landmarks, crop_landmarks, face_mask, region_mask
from mer.flow.rigid_head import BORDER, CAMERA_DISTANCE, RigidHead, fit_head_flow, soft_mask

SIZE = 224
ROTATIONS = [(0, 0, 0), (5, 0, 0), (0, -5, 0), (0, 0, 5), (2, -3, 4)]


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return crop_landmarks(SIZE)


@pytest.fixture(scope="module")
def mask(landmarks) -> np.ndarray:
    return face_mask(landmarks, SIZE)


@pytest.fixture(scope="module")
def inside(landmarks, mask) -> np.ndarray:
    """The face without its soft border."""
    interocular = np.linalg.norm(landmarks[33] - landmarks[263])
    return soft_mask(mask, BORDER * interocular) == 1


def moved_landmarks(landmarks: np.ndarray, rotation: tuple, translation: tuple) -> np.ndarray:
    """Landmarks in a pinhole camera after a rigid motion, computed point by point."""
    center = landmarks[[33, 263]].mean(axis=0)
    camera = CAMERA_DISTANCE * np.linalg.norm(landmarks[33] - landmarks[263])
    out = []
    for x, y, z in landmarks - center:
        point = np.array([x * (camera + z) / camera, y * (camera + z) / camera, z])
        point = Rotation.from_rotvec(rotation, degrees=True).apply(point) + translation
        out.append(camera * point[:2] / (camera + point[2]) + center[:2])
    return np.array(out)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("translation", [(0, 0, 0), (2.5, -1.5, 12)])
def test_rigid_head_flow_is_recovered_exactly(landmarks, mask, inside, rotation, translation):
    facial = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).flow(np.radians(rotation), translation)
    head = fit_head_flow(facial, landmarks, mask)
    assert np.linalg.norm(head - facial, axis=2).max() < 0.01
    assert head.dtype == np.float32


def test_rotation_and_translation_are_recovered(landmarks, mask):
    model = RigidHead.from_landmarks(landmarks, (SIZE, SIZE))
    turn, shift = np.radians((2, -3, 4)), np.array([2.5, -1.5, 12])
    rotation, translation = model.fit(model.flow(turn, shift), mask.astype(np.float32))
    assert rotation == pytest.approx(turn, abs=1e-5)
    assert translation == pytest.approx(shift, abs=1e-3)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_flow_matches_a_pinhole_camera(landmarks, rotation):
    """Compared with landmarks moved one by one; interpolated depth is accurate to a pixel or two."""
    translation = (2.5, -1.5, 12)
    model = RigidHead.from_landmarks(landmarks, (SIZE, SIZE))
    points = landmarks[:468]  # all but the irises
    expected = (moved_landmarks(landmarks, rotation, translation) - landmarks[:, :2])[:468]
    x, y = np.rint(points[:, :2]).astype(int).T
    estimated = model.flow(np.radians(rotation), translation)[y, x]
    # 5 degrees move a point by 0.09 px for each pixel of depth.
    assert np.median(np.linalg.norm(estimated - expected, axis=1)) < 0.05 + 0.02 * np.linalg.norm(rotation)


def test_scaling_and_translation_are_head_flow(landmarks, mask, inside):
    """An approaching head is magnified evenly, except for the effect of its depth."""
    y, x = np.mgrid[:SIZE, :SIZE]
    center = landmarks[[33, 263], :2].mean(axis=0)
    facial = 0.02 * (np.stack([x, y], axis=-1) - center) + (1.0, -2.0)
    head = fit_head_flow(facial, landmarks, mask)
    assert (
        np.linalg.norm(head - facial, axis=2)[inside].max() < 0.15
    )  # 12 % of 1.8 px: the depth of a face at this distance


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_flat_landmarks_take_depth_from_the_canonical_face(landmarks, mask, inside, rotation):
    """A rotated face whose depth differs from the canonical one, with landmarks that have only x and y."""
    person = canonical_landmarks() * (1, 1.03, 1.1)
    person = Rotation.from_euler("yx", (10, -6), degrees=True).apply(person) * 94 + (SIZE / 2, 80, 0)
    facial = RigidHead.from_landmarks(person, (SIZE, SIZE)).flow(np.radians(rotation), (2, -1, 5))
    mask = face_mask(person, SIZE)
    head = fit_head_flow(facial, person * (1, 1, 0), mask)
    assert np.linalg.norm(head - facial, axis=2)[mask > 0].mean() < 0.1


def moving(landmarks: np.ndarray, *regions: str) -> np.ndarray:
    """Smooth bumps of height 1 over regions of the face."""
    return gaussian_filter(np.max([region_mask(landmarks, r, SIZE) for r in regions], axis=0).astype(float), 4)


@pytest.mark.parametrize("regions", [("mouth",), ("left_brow", "right_brow"), ("mouth", "chin", "left_brow")])
@pytest.mark.parametrize("rotation", [(0, 0, 0), (1, -2, 1)])
def test_an_expression_does_not_bias_head_flow(monkeypatch, landmarks, mask, inside, regions, rotation):
    rigid = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).flow(np.radians(rotation), (1, -0.5, 2))
    expression = moving(landmarks, *regions)[..., None] * (1.5, -4.0)
    head = fit_head_flow(rigid + expression, landmarks, mask)
    assert np.linalg.norm(head - rigid, axis=2)[inside].max() < 0.01
    # The test is hard enough: least squares fails it.
    monkeypatch.setattr("mer.flow.rigid_head._TUKEY", 1e6)
    assert np.linalg.norm(fit_head_flow(rigid + expression, landmarks, mask) - rigid, axis=2)[inside].max() > 0.2


def test_noise_averages_out(landmarks, mask, inside):
    rng = np.random.default_rng(0)
    rigid = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).flow(np.radians((1, -2, 1)), (1, -0.5, 2))
    noise = 0.1 * gaussian_filter(rng.normal(size=rigid.shape), (4, 4, 0)) / 0.0705  # as flow noise: smooth, 0.1 px
    head = fit_head_flow(rigid + noise, landmarks, mask)
    assert np.linalg.norm(head - rigid, axis=2)[inside].mean() < 0.04


def test_expression_is_zero_outside_the_face(landmarks, mask):
    rng = np.random.default_rng(0)
    facial = gaussian_filter(rng.normal(size=(SIZE, SIZE, 2)), (5, 5, 0)).astype(np.float32) * 10
    expression = facial - fit_head_flow(facial, landmarks, mask)
    assert not expression[mask == 0].any()
    assert np.abs(expression[mask > 0]).mean() > 0.1
    # The border is soft: just inside it the expression is still small.
    edge = soft_mask(mask, 5)
    assert np.abs(expression[(edge > 0) & (edge < 0.2)]).mean() < 0.5 * np.abs(expression[edge == 1]).mean()


def test_a_mask_over_the_whole_crop_has_no_border(landmarks):
    facial = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).flow((0.02, 0, 0), (1, 0, 0))
    head = fit_head_flow(facial, landmarks, np.ones((SIZE, SIZE), np.uint8))
    assert np.linalg.norm(head - facial, axis=2).max() < 0.01


@pytest.mark.parametrize("shape", [(64, 64), (150, 200), (480, 480)])
def test_any_image_size_works(shape):
    landmarks = crop_landmarks(min(shape))
    mask = face_mask(landmarks, shape)
    facial = RigidHead.from_landmarks(landmarks, shape).flow(np.radians((2, -3, 1)), (1, 0.5, 2))
    assert np.linalg.norm(fit_head_flow(facial, landmarks, mask) - facial, axis=2).max() < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facial": np.zeros((SIZE, SIZE))}, "facial flow has shape"),
        ({"facial": np.full((SIZE, SIZE, 2), np.inf)}, "not finite"),
        ({"mask": np.ones((SIZE, SIZE - 1))}, "the mask is"),
        ({"mask": np.zeros((SIZE, SIZE))}, "too few"),
        ({"landmarks": np.zeros((68, 2))}, r"expected \(478, 3\)"),
        ({"landmarks": np.full((478, 3), np.nan)}, "not finite"),
        ({"landmarks": canonical_landmarks() / 100}, "less than a pixel apart"),
    ],
)
def test_invalid_input_is_rejected(landmarks, mask, change, message):
    given = {"facial": np.zeros((SIZE, SIZE, 2)), "landmarks": landmarks, "mask": mask} | change
    with pytest.raises(ValueError, match=message):
        fit_head_flow(**given)


def test_regions_that_move_have_less_weight_than_the_bridge_of_the_nose(landmarks):
    trust = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).trust
    chin = region_mask(landmarks, "chin", SIZE).astype(bool)
    x, y = landmarks[197, :2].round().astype(int)
    assert np.median(trust[chin]) == pytest.approx(0.3, abs=0.02)
    assert trust[y, x] > 0.9
