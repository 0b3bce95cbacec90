import json

import cv2
import numpy as np
import pytest
from scipy.ndimage import shift
from scipy.spatial.transform import Rotation

from mer.face import (
    REGIONS,
    align,
    canonical_landmarks,
    crop,
    crop_landmarks,
    face_mask,
    frame_mask,
    region_mask,
    transform,
)
from mer.face.align import FACE_BOX, face_box
from mer.face.regions import OUTER_EYE_CORNERS, OVAL, STABLE


def face(scale=80.0, roll=0.0, yaw=0.0, pitch=0.0, at=(300.0, 200.0)):
    """The mean face in an image: `scale` pixels between the eyes, rotated by degrees, its origin `at` a point."""
    turn = Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_matrix()
    return scale * canonical_landmarks().astype(np.float64) @ turn.T + [*at, 0.0]


def texture(seed=0, waves=20, finest=0.25):
    """An analytic image, `f(x, y)`: waves of up to `finest` cycles per pixel, longer ones being stronger."""
    rng = np.random.default_rng(seed)
    frequency = np.exp(rng.uniform(np.log(0.005), np.log(finest), waves))
    angle, phase = rng.uniform(0, 2 * np.pi, (2, waves))
    strength = 1 / frequency
    strength *= 40 / np.sqrt((strength**2).sum() / 2)

    def f(x, y):
        return 128 + sum(
            s * np.sin(2 * np.pi * k * (np.cos(a) * x + np.sin(a) * y) + p)
            for s, k, a, p in zip(strength, frequency, angle, phase)
        )

    return f


def as_uint8(image):
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def translation_between(a, b, border=12):
    """The translation `(dx, dy)` of the content from `a` to `b`, by Gauss-Newton on all pixels."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    inner = (slice(border, -border),) * 2
    moved = np.zeros(2)
    for _ in range(5):
        back = shift(b, -moved[::-1], order=3, mode="nearest")
        slope_y, slope_x = np.gradient((a + back) / 2)
        slopes = np.stack([slope_x[inner].ravel(), slope_y[inner].ravel()], 1)
        moved += np.linalg.lstsq(slopes, (a - back)[inner].ravel(), rcond=None)[0]
    return moved


# --- the transform ---


@pytest.mark.parametrize("size", [64, 224, 301])
@pytest.mark.parametrize("roll", [0, 45, -45, 120])
def test_the_mean_face_is_aligned_to_its_position(size, roll):
    alignment = align(face(roll=roll), size)
    assert alignment.matrix.shape == (2, 3)
    assert alignment.size == size
    placed = transform(face(roll=roll), alignment.matrix)
    np.testing.assert_allclose(placed, crop_landmarks(size), atol=1e-3)
    assert alignment.scale == pytest.approx(np.linalg.norm(placed[263] - placed[33]), rel=1e-5)
    linear = alignment.matrix[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * np.linalg.det(linear), atol=1e-9)  # a similarity


def test_the_whole_face_is_in_the_crop_with_a_margin():
    placed = crop_landmarks(224)[:, :2]
    assert placed.min() > 0.1 * 224
    assert placed.max() < 0.9 * 224
    assert np.ptp(placed[:, 1]) > 0.7 * 224


def test_landmarks_in_a_crop_that_is_not_square_are_in_its_middle():
    np.testing.assert_array_equal(crop_landmarks((224, 224)), crop_landmarks(224))
    np.testing.assert_array_equal(crop_landmarks((224, 300)), crop_landmarks(224) + np.float32([38, 0, 0]))
    np.testing.assert_array_equal(crop_landmarks((300, 224)), crop_landmarks(224) + np.float32([0, 38, 0]))


@pytest.mark.parametrize("yaw", [-40, -20, 20, 40])
@pytest.mark.parametrize("pitch", [-20, 0, 20])
def test_a_turned_head_is_in_the_crop_at_the_same_scale(yaw, pitch):
    turned = face(yaw=yaw, pitch=pitch, roll=10)
    alignment = align(turned)
    placed = transform(turned, alignment.matrix)[list(OVAL), :2]
    assert placed.min() > 10
    assert placed.max() < 213
    assert alignment.scale == pytest.approx(align(face()).scale, rel=1e-3)


def test_the_inverse_maps_the_crop_to_the_image():
    alignment = align(face(roll=30))
    there = transform(face(), alignment.matrix)
    np.testing.assert_allclose(transform(there, alignment.inverse), face(), atol=1e-3)


@pytest.mark.parametrize("bad", [33, 356, 168])
def test_one_wrong_landmark_hardly_changes_the_alignment(bad):
    rng = np.random.default_rng(0)
    points = face(roll=12) + rng.normal(0, 0.8, (478, 3))
    good = transform(points, align(points).matrix)
    disturbed = points.copy()
    disturbed[bad, :2] += [90, -40]
    moved = transform(points, align(disturbed).matrix) - good
    assert np.abs(moved[:, :2]).max() < 4  # of 224 pixels


def test_an_expression_does_not_move_the_crop():
    points = face()
    smiling = points.copy()
    smiling[list(REGIONS["mouth"]), 1] -= 8
    smiling[list(REGIONS["right_brow"] + REGIONS["left_brow"]), 1] -= 10
    assert not set(STABLE) & {*REGIONS["mouth"], *REGIONS["right_brow"], *REGIONS["left_brow"]}
    np.testing.assert_array_equal(align(smiling).matrix, align(points).matrix)


def test_a_mirrored_face_gives_the_mirrored_crop():
    pairs = np.linalg.norm(
        canonical_landmarks()[:, None] - canonical_landmarks() * np.float32([-1, 1, 1]), axis=2
    ).argmin(1)
    rng = np.random.default_rng(1)
    image = as_uint8(cv2.GaussianBlur(rng.normal(128, 60, (400, 601)), None, 2))
    points = face(roll=20, scale=70) + rng.normal(0, 0.7, (478, 3))
    mirrored = (points * [-1, 1, 1] + [600, 0, 0])[pairs]
    a, b = crop(image, align(points)), crop(image[:, ::-1], align(mirrored))
    assert np.abs(a.astype(int) - b[:, ::-1]).max() <= 3  # OpenCV rounds coordinates to 1/32 pixel


@pytest.mark.parametrize(
    ("landmarks", "size", "message"),
    [
        (np.zeros((468, 3)), 224, r"\(468, 3\).*\(478, 3\)"),
        (np.zeros((478, 2)), 224, r"\(478, 2\)"),
        (np.full((478, 3), np.nan), 224, "not finite"),
        (np.ones((478, 3)), 224, "one point"),
        (face(), 8, "too small"),
    ],
)
def test_invalid_landmarks_and_sizes_are_refused(landmarks, size, message):
    with pytest.raises(ValueError, match=message):
        align(landmarks, size)


@pytest.mark.assets
def test_real_faces_fit_the_crop(assets):
    outside, scales = 0, []
    table = {}
    for folder in ("london_neutral", "london_smiling", "canada", "sfhq"):
        table |= json.loads((assets / "faces" / folder / "landmarks478.json").read_text())
    for entry in [table[name] for name in sorted(table)[::6]]:
        alignment = align(entry["lm"])
        placed = transform(entry["lm"], alignment.matrix)
        oval = placed[list(OVAL), :2]
        outside += oval.min() < 4 or oval.max() > 219
        eyes = placed[list(OUTER_EYE_CORNERS), 1]
        assert abs(eyes[1] - eyes[0]) < 12
        scales.append(alignment.scale)
    assert outside <= 1
    assert np.std(scales) / np.mean(scales) < 0.05


# --- the crop ---


@pytest.mark.parametrize("eyes", [330.0, 125.0, 72.0])  # pixels between the eyes; the crop has 94
def test_motion_in_the_image_is_motion_in_the_crop_times_the_scale(eyes):
    height, width = round(2.4 * eyes), round(2.6 * eyes)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    f = texture()
    alignment = align(face(scale=eyes, roll=17, at=(1.3 * eyes, 0.85 * eyes)))
    before = crop(as_uint8(f(x, y)), alignment)
    for motion in ([0.05, 0.02], [1.3, -0.8]):
        after = crop(as_uint8(f(x - motion[0], y - motion[1])), alignment)
        expected = alignment.matrix[:, :2] @ motion
        np.testing.assert_allclose(translation_between(before, after), expected, atol=0.01)


def test_the_crop_equals_the_image_and_is_averaged_if_smaller():
    """Compared with the analytic image: exact if enlarged, without moiré if reduced."""
    f = texture(finest=0.2)
    y, x = np.mgrid[:330, :300].astype(np.float64)
    alignment = align(face(scale=75.0, roll=17, at=(150, 130)))
    inverse = alignment.inverse
    v, u = np.mgrid[:224, :224]
    truth = f(*np.einsum("ij,jhw->ihw", inverse, np.stack([u, v, np.ones_like(u)]).astype(float)))
    assert np.sqrt(((crop(as_uint8(f(x, y)), alignment) - truth) ** 2)[:, 20:-20].mean()) < 1

    stripes = as_uint8(128 + 100 * np.sin(2 * np.pi * 0.43 * np.arange(1200)))[None].repeat(1100, 0)
    small = crop(stripes, align(face(scale=350.0, at=(600, 400))))
    assert small.astype(float).std() < 14  # sampling single points gives 70


def test_crops_of_color_gray_and_noncontiguous_images(astronaut):
    alignment = align(face(scale=60, at=(230, 110)))
    color = crop(astronaut, alignment)
    assert color.shape == (224, 224, 3)
    assert color.dtype == np.uint8
    np.testing.assert_array_equal(crop(np.ascontiguousarray(astronaut[..., 1]), alignment), color[..., 1])
    np.testing.assert_array_equal(crop(astronaut[:, :, ::-1], alignment), color[..., ::-1])


def test_the_border_is_repeated_outside_the_image_and_masked():
    image = np.full((200, 300, 3), 90, np.uint8)
    alignment = align(face(scale=80, at=(20, 100)))  # half of it left of the image
    assert (crop(image, alignment) == 90).all()
    mask = frame_mask(alignment, (200, 300))
    shown = crop(image, alignment)[..., 0] * 0
    shown[:] = cv2.warpAffine(np.ones((200, 300), np.uint8), alignment.matrix, (224, 224), flags=cv2.INTER_NEAREST)
    assert 0.3 < mask.mean() < 0.7
    assert (mask != shown).mean() < 0.01
    assert frame_mask(align(face()), (2000, 2000)).all() == (align(face()).inverse[:, 2] > 0).all()


# --- masks ---


def test_the_face_mask_is_the_oval():
    points = crop_landmarks(224)
    mask = face_mask(points, 224)
    assert mask.shape == (224, 224)
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}
    x, y = points[list(OVAL), :2].T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert mask.sum() == pytest.approx(area, rel=0.03)
    for point in (4, 13, 33, 263, 9, 200):
        u, v = points[point, :2].round().astype(int)
        assert mask[v, u] == 1
    assert mask[:20].sum() == mask[-15:].sum() == 0


def test_face_masks_across_the_border_and_of_other_shapes():
    points = crop_landmarks(224)
    whole = face_mask(points, (224, 224))
    moved = face_mask(points - [100, 0, 0], (224, 150))
    assert (moved[:, :124] != whole[:, 100:]).sum() <= 3  # OpenCV rounds an edge that it clips
    assert moved[:, 124:].sum() == 0
    assert face_mask(points + [1000, 0, 0], 224).sum() == 0


def test_region_masks_are_in_the_face_on_their_side():
    points = crop_landmarks(224)
    oval = face_mask(points, 224)
    for name in REGIONS:
        mask = region_mask(points, name, 224)
        assert mask.sum() > 20
        assert (mask & ~oval).sum() < 0.1 * mask.sum(), name
        columns = np.nonzero(mask)[1]
        if name.startswith("right_"):  # the subject's right is on the image's left
            assert columns.max() < 112
        if name.startswith("left_"):
            assert columns.min() > 111
    with pytest.raises(ValueError, match=r"unknown region 'ear'.*nose"):
        region_mask(points, "ear", 224)


@pytest.mark.parametrize("side", [56, 224])
def test_the_eyes_are_at_their_position_in_the_face_box(side):
    """A field of coordinates shows the source of each pixel of the box."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    box = face_box(np.dstack([x, y]), size=28)
    eyes = crop_landmarks(side)[[33, 263], :2]
    left, top, right, bottom = FACE_BOX
    column = 28 * (np.array([-0.5, 0.5]) - left) / (right - left) - 0.5
    row = 28 * (0 - top) / (bottom - top) - 0.5
    for k in (0, 1):
        seen = [np.interp(column[k], np.arange(28), box[14, :, 0]), np.interp(row, np.arange(28), box[:, 14, 1])]
        np.testing.assert_allclose(seen, eyes[k], atol=0.3)


def test_the_values_in_the_face_box_are_those_of_the_field():
    assert face_box(np.full((56, 56, 2), 3.0)) == pytest.approx(3.0)


@pytest.mark.parametrize("eyes", [125.0, 250.0, 400.0])
def test_a_reduced_crop_is_not_shifted(eyes):
    """Compared with the analytic image at the centers of the crop's pixels."""
    f = texture(finest=0.02)
    y, x = np.mgrid[: round(2.4 * eyes), : round(2.6 * eyes)].astype(np.float64)
    alignment = align(face(scale=eyes, at=(1.3 * eyes, 0.85 * eyes)))
    v, u = np.mgrid[:224, :224]
    truth = f(*np.einsum("ij,jhw->ihw", alignment.inverse, np.stack([u, v, np.ones_like(u)]).astype(float)))
    np.testing.assert_allclose(translation_between(truth, crop(as_uint8(f(x, y)), alignment), 40), 0, atol=0.03)
