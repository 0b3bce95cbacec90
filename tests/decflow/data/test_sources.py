from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mer.decflow.data.augment import camera_shake, mirror, occlude, resample
from mer.decflow.data.skin_motion import bumps, patches, waves
from mer.decflow.data.sources import Batches, open_source, place_mean_face
from mer.decflow.data.warped_photos import Motion, read_photos, warped_pair
from mer.decflow.prior import cell_means, face_map
from mer.face.canonical import canonical_landmarks, mirrored_landmarks
from tests.decflow.faces import write_faces

QUIET = Motion(noise=(0.01, 0.011), light=1e-6, coarse=0, still_head=0, still_face=0)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("faces"), 24)


def pulled_back(image, flow):
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(image.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC)


def error_within(pair, flow):
    inner = cv2.erode(pair.mask, np.ones((9, 9))) > 0
    moved, onset = pulled_back(pair.apex, flow), pair.onset.astype(np.float32)
    return np.abs(moved - onset)[inner].mean()


@pytest.mark.parametrize("seed", range(4))
def test_the_flow_of_a_warped_pair_explains_its_frames(faces, seed):
    rng = np.random.default_rng(seed)
    pair = warped_pair(read_photos([faces], "train")[0], rng, 128, QUIET)
    still = error_within(pair, np.zeros_like(pair.facial))
    assert error_within(pair, pair.facial) < 1.5  # grey levels: rounding, interpolation
    assert error_within(pair, pair.facial) < still
    # Half a pixel off is seen, so the agreement means something.
    assert error_within(pair, pair.facial + 0.5) > 2 * error_within(pair, pair.facial)


def test_a_still_face_and_a_still_head_are_still(faces):
    photo = read_photos([faces], "train")[0]
    face = warped_pair(photo, np.random.default_rng(0), 96, replace(QUIET, still_face=1))
    assert np.array_equal(face.facial, face.head)
    head = warped_pair(photo, np.random.default_rng(0), 96, replace(QUIET, still_head=1))
    assert not head.head.any()
    assert head.facial.any()
    outside = cv2.dilate(head.mask, np.ones((25, 25))) == 0
    assert np.abs(head.facial[outside]).max() < 0.02  # skin moves in the face alone


def test_people_are_in_one_split(faces):
    splits = {name: {photo.file.name for photo in read_photos([faces], name)} for name in ("train", "val", "test")}
    assert sum(map(len, splits.values())) == len(set().union(*splits.values())) == 24


def test_mirrored_pairs_still_explain_their_frames(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    flipped = mirror(pair)
    assert error_within(flipped, flipped.facial) == pytest.approx(error_within(pair, pair.facial), rel=0.05)
    assert np.array_equal(mirror(flipped).facial, pair.facial)
    assert np.allclose(mirror(flipped).landmarks, pair.landmarks, atol=1e-3)
    swap = mirrored_landmarks()
    assert np.array_equal(swap[swap], np.arange(478))
    assert swap[33] == 263


def test_scaled_pairs_still_explain_their_frames(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    bigger = resample(pair, np.array([1.3, 1.2]), np.array([-20.3, -10.7]), 144)
    assert bigger.onset.shape == (144, 144, 3)
    assert error_within(bigger, bigger.facial) < 2
    lengths = [np.linalg.norm(p.facial[p.mask > 0], axis=1).mean() for p in (bigger, pair)]
    assert 1.1 < lengths[0] / lengths[1] < 1.4
    assert np.allclose(bigger.landmarks[:, 0], 1.3 * pair.landmarks[:, 0] - 20.3, atol=1e-3)


def test_what_a_patch_hides_is_not_visible(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    covered = occlude(pair, np.random.default_rng(0))
    changed = (covered.apex != pair.apex).any(axis=2)
    assert changed.any()
    seen = pulled_back(changed.astype(np.float32), pair.facial) > 0.2
    assert not covered.visible[seen].any()
    assert covered.visible.mean() > 0.8


def test_pair_n_is_the_same_each_time_and_differs_from_others(faces):
    dataset = Batches([open_source(faces, "train")], 96, seed=5)
    one, again, other = dataset[3], dataset[3], dataset[4]
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["onset"] != other["onset"]).any()
    assert {name: tuple(value.shape) for name, value in one.items()} == {
        "onset": (3, 96, 96), "apex": (3, 96, 96), "facial": (2, 96, 96), "head": (2, 96, 96),
        "mask": (1, 96, 96), "visible": (1, 96, 96), "prior": (5, 24, 24), "start": (4, 24, 24),
    }  # fmt: skip


def test_the_face_map_reads_canonical_coordinates_at_the_landmarks():
    points = canonical_landmarks() * 50
    points[:, :2] += [64, 50]
    found = face_map(points, (128, 128))
    for index in (1, 33, 263, 61, 291):  # nose tip, eye corners, mouth corners
        x, y = (points[index, :2] - 1.5) / 4
        patch = found[:3, int(y) : int(y) + 2, int(x) : int(x) + 2].mean(axis=(1, 2))
        assert np.abs(patch - canonical_landmarks()[index]).max() < 0.1
    assert found[4, 16, 16] == 1
    assert found[4, 0, 0] == 0
    assert np.isfinite(found).all()


def test_the_mean_face_is_placed_by_the_mask_where_there_are_no_landmarks(faces):
    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    placed = place_mean_face(replace(pair, landmarks=None))
    assert np.linalg.norm(placed[:, :2] - pair.landmarks[:, :2], axis=1).mean() < 8


def test_cells_are_means():
    field = np.random.default_rng(0).normal(size=(8, 12, 2)).astype(np.float32)
    assert np.allclose(cell_means(field)[:, 1, 2], field[4:8, 8:12].mean(axis=(0, 1)), atol=1e-6)


def test_a_camera_that_moves_takes_head_and_facial_flow_with_it(faces):
    """And leaves the expression's length: the frames agree with the flows as before."""
    rng = np.random.default_rng(3)
    pair = warped_pair(read_photos([faces], "train")[0], rng, 160, QUIET)
    scale, shift = np.full(2, 0.9), np.array([3.0, -2.0])
    moved = resample(pair, scale, shift, 128, camera_shake(rng, 128))
    steady = resample(pair, scale, shift, 128)
    assert np.abs(moved.head - steady.head).mean() > 0.3
    assert error_within(moved, moved.facial) < 2
    assert error_within(moved, moved.facial) < 0.7 * error_within(moved, steady.facial)
    lengths = [np.linalg.norm(p.facial - p.head, axis=-1) for p in (moved, steady)]
    assert np.abs(lengths[0] - lengths[1]).max() < 0.05 * lengths[1].max() + 1e-6


@pytest.mark.parametrize("kind", [bumps, patches, waves])
def test_each_kind_of_skin_motion_is_smooth(kind):
    y, x = np.mgrid[:64, :64].astype(float) * 2
    points = canonical_landmarks() * 50 + [64, 50, 0]
    for seed in range(5):
        field = kind(points, x, y, np.random.default_rng(seed), 50.0)
        assert field.shape == (64, 64, 2)
        assert np.abs(field).max() > 0
        assert np.abs(np.gradient(field, axis=(0, 1))).max() < 0.5 * np.abs(field).max()


def test_generic_pairs_show_no_face_and_their_flow_explains_them():
    source, better = open_source("generic", "train"), []
    for seed in range(25):
        pair = source(np.random.default_rng(seed), 96)
        assert pair.mask.all()
        assert not pair.head.any()
        left = []
        for flow in (0 * pair.facial, pair.facial):
            d = (pulled_back(pair.apex, flow) - pair.onset)[8:-8, 8:-8]
            left.append(np.abs(cv2.GaussianBlur(d, (0, 0), 1) - cv2.GaussianBlur(d, (0, 0), 6)).mean())
        if np.linalg.norm(pair.facial, axis=-1).mean() > 1:
            better.append(left[1] < 0.8 * left[0])
    assert len(better) > 3
    assert all(better)
    assert set(Batches([source], 96, seed=0)[0]) >= {"onset", "apex", "facial", "prior", "start"}


@pytest.mark.parametrize(("folder", "match"), [("nowhere", "landmarks478.json"), (".", "landmarks478.json")])
def test_a_folder_that_is_no_data_is_named(tmp_path, folder, match):
    with pytest.raises(FileNotFoundError, match=match):
        open_source(tmp_path / folder, "train")


def test_a_facialflownet_folder_is_read_and_augmented(faces, tmp_path):
    facialflownet = pytest.importorskip("mer.flow.facialflownet")
    from mer.flow import Flow

    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    facialflownet.write_sequence(
        tmp_path, "train", "happiness", "a", [pair.onset, pair.apex], [Flow.split(pair.facial, pair.head, pair.mask)],
        occlusions=[np.zeros_like(pair.mask)], landmarks=np.stack([pair.landmarks] * 2), record={}, quality=100,
    )  # fmt: skip
    source = open_source(tmp_path, "train")
    for seed in range(3):
        again = source(np.random.default_rng(seed), 96)
        assert again.onset.shape == (96, 96, 3)
        seen = (again.visible > 0) & (cv2.erode(again.mask, np.ones((9, 9))) > 0)
        # Light and noise are new, so compare what the flow explains with what no flow would.
        residual = [
            np.abs(np.diff((pulled_back(again.apex, f) - again.onset).mean(axis=2)))[:, :][seen[:, 1:]].mean()
            for f in (again.facial, again.facial + 1.5)
        ]
        assert residual[0] < residual[1]
