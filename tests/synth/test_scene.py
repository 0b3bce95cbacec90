"""Flow labels are exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from mer.synth.head import SHEET, SKIN
from mer.synth.raster import visible_triangles
from mer.synth.scene import BACKGROUND, State, expressed_vertices, label_pair, landmarks_at, move_head, render

SMILE = {"12": 0.6, "L1": 0.5}
TURN = {"rotation": (3.0, 8.0, -2.0), "translation": (0.1, 0.05, 0.2)}


def warped_back(second: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The second picture sampled where the flow leads from each pixel."""
    y, x = np.mgrid[: second.shape[0], : second.shape[1]]
    where = [y + field[..., 1].astype(float), x + field[..., 0].astype(float)]
    return np.dstack([map_coordinates(second[..., c], where, order=3, mode="nearest") for c in range(3)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (State(), State(units={"12": 0.3}, rotation=(1.0, 2.0, 0.5))),
        (State(units={"4": 0.3}), State(units={"L12": 0.8, "26": 0.6}, **TURN)),
        (State(), State(rotation=(5.0, -12.0, 3.0))),
        (State(rotation=(0.0, 5.0, 0.0)), State(units={"9": 0.1}, rotation=(0.2, 5.3, 0.0))),
    ],
)
def test_the_second_picture_warped_back_equals_the_first(scene, first, second):
    labels = label_pair(scene, first, second)
    error = np.abs(warped_back(render(scene, second), labels.flow.facial) - render(scene, first)).mean(axis=-1)
    skin = (labels.part == SKIN) & (labels.occlusion == 0)
    assert skin.sum() > 5000
    assert error[skin].mean() < 1.5
    unmoved = np.abs(render(scene, second) - render(scene, first)).mean(axis=-1)
    assert error[skin].mean() < 0.5 * unmoved[skin].mean()  # the label explains the change


def test_expression_flow_is_exactly_zero_without_expression(scene):
    flow = label_pair(scene, State(units=SMILE), State(units=SMILE, **TURN)).flow
    assert np.abs(flow.facial).max() > 5
    assert not flow.expression.any()


def test_head_flow_is_exactly_zero_without_head_motion(scene):
    flow = label_pair(scene, State(**TURN), State(units=SMILE, **TURN)).flow
    assert np.abs(flow.facial).max() > 1
    assert not flow.head.any()


def test_the_background_is_still_and_hair_moves_with_the_head(scene):
    labels = label_pair(scene, State(), State(units=SMILE, **TURN))
    assert not labels.flow.facial[labels.part == BACKGROUND].any()
    top = labels.part[:30] == SHEET
    assert top.sum() > 100
    assert np.abs(labels.flow.expression[:30][top]).max() < 0.01  # the scalp follows the brow, ever less
    assert np.linalg.norm(labels.flow.head[:30][top], axis=-1).min() > 0.5
    assert not labels.flow.mask[labels.part == SHEET].any()


def test_head_flow_is_the_projection_of_the_rigid_motion(scene):
    """Intersect each ray with its triangle, rotate and project the point, without the renderer's code."""
    second = State(**TURN)
    flow = label_pair(scene, State(), second).flow
    pitch, yaw, roll = np.radians(TURN["rotation"])
    turn = (
        Rotation.from_rotvec([0, yaw, 0]).as_matrix()
        @ Rotation.from_rotvec([-pitch, 0, 0]).as_matrix()
        @ Rotation.from_rotvec([0, 0, roll]).as_matrix()
    )
    camera, head = scene.camera, scene.head
    labels = label_pair(scene, State(), second)
    vertices = expressed_vertices(scene, State())
    index = visible_triangles(camera.project(vertices), head.triangles, scene.size, scene.size)
    rows, columns = np.nonzero(labels.part < BACKGROUND)
    for y, x in list(zip(rows, columns))[::97]:
        a, b, c = vertices[head.triangles[index[y, x]]]
        ray = np.array([(x - camera.center[0]) / camera.focal, (y - camera.center[1]) / camera.focal, 1.0])
        point = ray * np.linalg.solve(np.column_stack([b - a, c - a, -ray]), -a)[2]
        moved = turn @ (point - head.pivot) + head.pivot + TURN["translation"]
        motion = camera.focal * moved[:2] / moved[2] + camera.center - [x, y]
        np.testing.assert_allclose(flow.head[y, x], motion, atol=1e-4)
    assert len(rows) > 10_000


@pytest.mark.parametrize("shift", [0.1, 0.37, 1.0])
def test_subpixel_motion_is_labeled_and_rendered_correctly(scene, shift):
    """The head shifts by a known fraction of a pixel, parallel to the screen."""
    distance = scene.head.vertices[scene.head.part == SKIN, 2].mean()
    by = shift / scene.camera.focal * distance
    labels = label_pair(scene, State(), State(translation=(by, 0.0, 0.0)))
    skin = (labels.part == SKIN) & (labels.occlusion == 0)
    # A point at depth z moves by focal * by / z, and by nothing downwards.
    depth = scene.camera.focal * by / labels.flow.facial[skin][:, 0]
    low, high = np.percentile(scene.head.vertices[scene.head.part == SKIN, 2], [0, 100])
    assert depth.min() > low - 0.01
    assert depth.max() < high + 0.01
    assert np.abs(labels.flow.facial[skin][:, 1]).max() < 1e-6
    # The shift that best explains the difference of the pictures, to first order.
    states = (State(), State(translation=(by, 0.0, 0.0)))
    first, second = (gaussian_filter(render(scene, s).mean(axis=-1), 2.0) for s in states)
    if shift <= 0.1:
        slope = (np.gradient(first, axis=1) + np.gradient(second, axis=1)) / 2
        inner = skin & np.roll(skin, 8, 1) & np.roll(skin, -8, 1) & np.roll(skin, 8, 0) & np.roll(skin, -8, 0)
        seen = -((second - first)[inner] * slope[inner]).sum() / (slope[inner] ** 2).sum()
        labeled = (labels.flow.facial[..., 0][inner] * slope[inner] ** 2).sum() / (slope[inner] ** 2).sum()
        assert abs(seen - labeled) < 0.005


def test_landmarks_follow_the_surface(scene):
    first, second = State(), State(units=SMILE, **TURN)
    before, after = landmarks_at(scene, first), landmarks_at(scene, second)
    labels = label_pair(scene, first, second)
    for point in (1, 4, 9, 105, 334, 50, 280, 199, 205, 425):
        x, y = before[point, :2].round().astype(int)
        assert np.abs(after[point, :2] - before[point, :2] - labels.flow.facial[y, x]).max() < 0.6


def test_occlusion_marks_points_that_the_head_will_hide(scene):
    labels = label_pair(scene, State(), State(translation=(0.25, 0.0, 0.0)))
    background = labels.part == BACKGROUND
    hidden = background & (labels.occlusion > 0)
    x = np.nonzero(hidden)[1]
    assert 50 < hidden.sum() < 0.5 * background.sum()
    assert (x > scene.size / 2).mean() > 0.8  # the head has moved to the right


def test_no_background_shows_through_eyes_and_mouth(scene):
    wide = State(units={"27": 0.8, "5": 0.8})
    picture = render(scene, wide)
    marks = landmarks_at(scene, wide)
    behind = scene.background[0, 0].astype(float)
    for upper, lower in ((13, 14), (159, 145), (386, 374)):
        x = marks[[upper, lower], 0].mean().round().astype(int)
        column = picture[int(marks[upper, 1]) : int(marks[lower, 1]) + 1, x]
        assert np.abs(column - behind).sum(axis=1).min() > 15


def test_head_motion_is_rigid(scene):
    vertices = expressed_vertices(scene, State())[::50]
    moved = move_head(scene, vertices, State(**TURN))
    before, after = (np.linalg.norm(v[:, None] - v[None], axis=-1) for v in (vertices, moved))
    np.testing.assert_allclose(before, after, atol=1e-9)
