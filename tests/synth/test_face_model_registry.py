"""Face models and what goes wrong with their files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mer.face.canonical import canonical_landmarks
from mer.synth.blendshapes import ACTION_UNITS, parse_unit, shape_offsets, shape_weights
from mer.synth.face_model import FaceModelError, closest_points
from mer.synth.face_model_registry import load_face_model
from mer.synth.fit import fit_face
from mer.synth.flame import load_flame
from mer.synth.makehuman import load_makehuman


def portrait_landmarks() -> np.ndarray:
    points = canonical_landmarks() * 100
    points[:, :2] += 256
    return points


def test_makehuman_has_landmarks_where_they_belong(makehuman):
    points = np.zeros((478, 3))
    points[makehuman.marked] = makehuman.landmarks(makehuman.vertices)
    assert makehuman.marked.sum() == 468
    assert points[4, 2] == points[makehuman.marked, 2].min()  # the tip of the nose is nearest
    assert points[10, 1] < points[9, 1] < points[1, 1] < points[13, 1] < points[152, 1]  # brow to chin
    assert points[33, 0] < points[133, 0] < points[362, 0] < points[263, 0]  # the subject's right eye is on the left
    unit = points[263, 0] - points[33, 0]
    assert abs(points[33, 1] - points[263, 1]) < 0.02 * unit  # symmetric


@pytest.mark.parametrize("unit", list(ACTION_UNITS))
def test_every_unit_moves_the_face(makehuman, unit):
    offsets = sum(w * shape_offsets(makehuman, s) for s, w in shape_weights({unit: 1.0}, "makehuman").items())
    unit_length = np.ptp(makehuman.landmarks(makehuman.vertices)[:, 0])
    assert 0.005 < np.abs(offsets).max() / unit_length < 0.5


@pytest.mark.parametrize(
    ("unit", "point", "axis", "sign"),
    [("1", 107, 1, -1), ("2", 105, 1, -1), ("4", 107, 1, 1), ("12", 61, 1, -1), ("15", 61, 1, 1), ("26", 152, 1, 1),
     ("45", 159, 1, 1), ("20", 61, 0, -1), ("5", 159, 1, -1), ("9", 48, 1, -1), ("17", 17, 1, -1)],
)  # fmt: skip
def test_units_pull_where_facs_says(makehuman, unit, point, axis, sign):
    offsets = sum(w * shape_offsets(makehuman, s) for s, w in shape_weights({unit: 1.0}, "makehuman").items())
    corners, weights = makehuman.corners[point], makehuman.weights[point]
    assert sign * (weights @ offsets[corners])[axis] > 0.002


def test_sides(makehuman):
    assert parse_unit("L12") == ("12", "L")
    left, right, both = (
        sum(w * shape_offsets(makehuman, s) for s, w in shape_weights({unit: 1.0}, "makehuman").items())
        for unit in ("L1", "R1", "1")
    )
    np.testing.assert_allclose(left + right, both, atol=1e-9)  # MakeHuman has the inner brows in one shape
    strength = np.linalg.norm(left, axis=1)
    assert (strength @ makehuman.vertices[:, 0]) / strength.sum() > 0.05
    with pytest.raises(ValueError, match="no action unit '99'"):
        parse_unit("99")
    with pytest.raises(ValueError, match="has no sides"):
        parse_unit("L26")


def test_a_fit_meets_the_landmarks(makehuman):
    landmarks = portrait_landmarks()
    fit = fit_face(makehuman, landmarks)
    found = fit.camera.project(makehuman.landmarks(fit.vertices))[:, :2]
    off = np.linalg.norm(found - landmarks[makehuman.marked, :2], axis=1)
    assert np.median(off) < 1.0  # of 100 px between the eyes
    assert off.max() < 6


def test_closest_points():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    triangles = np.array([[0, 1, 2]])
    corners, weights = closest_points(np.array([[0.2, 0.2, 5], [2, -1, 0], [1, 1, 1.0]]), vertices, triangles)
    points = np.einsum("nk,nkd->nd", weights, vertices[corners])
    np.testing.assert_allclose(points, [[0.2, 0.2, 0], [1, 0, 0], [0.5, 0.5, 0]], atol=1e-12)


@pytest.mark.assets
def test_the_file_and_the_package_hold_the_same_face(assets, makehuman):
    other = load_makehuman(assets / "models" / "makehuman_head_faceunits.npz")
    assert set(other.expressions) == set(makehuman.expressions)
    points = [m.landmarks(m.vertices + m.expressions["jawOpen"]) for m in (other, makehuman)]
    np.testing.assert_allclose(*points, atol=2e-3)


@pytest.mark.assets
def test_ict(assets):
    model = load_face_model("ict", assets / "models" / "ict_facekit_light.npz")
    assert model.identity.shape[0] == 100
    fit = fit_face(model, portrait_landmarks())
    found = fit.camera.project(model.landmarks(fit.vertices))[:, :2]
    assert np.median(np.linalg.norm(found - portrait_landmarks()[model.marked, :2], axis=1)) < 1.0
    for unit in ACTION_UNITS:
        for shape in shape_weights({unit: 1.0}, "ict"):
            assert np.isfinite(shape_offsets(model, shape)).all()


def flame_arrays() -> dict[str, np.ndarray]:
    """A relief with a nose and FLAME's keys: as small as a file of FLAME's can be."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-0.12:0.14:32j, -0.09:0.09:28j]
    z = 0.06 - 4.0 * (x**2 + 0.6 * y**2) + 0.025 * np.exp(-((x / 0.012) ** 2) - ((y - 0.0) / 0.02) ** 2)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(31)[:, None] * 28 + np.arange(27)).ravel()
    faces = np.concatenate([np.c_[corner, corner + 1, corner + 28], np.c_[corner + 1, corner + 29, corner + 28]])
    centers = np.array(
        [[0, -0.1, -0.05], [0, -0.05, -0.05], [0, -0.02, 0.0], [0.032, 0.035, 0.04], [-0.032, 0.035, 0.04]]
    )
    regressor = np.stack(
        [np.linalg.lstsq(np.c_[vertices, np.ones(len(vertices))].T, np.append(c, 1), rcond=None)[0] for c in centers]
    )
    weights = np.zeros((len(vertices), 5))
    weights[:, 2] = np.clip(-(vertices[:, 1] + 0.02) / 0.05, 0, 1)
    weights[:, 1] = 1 - weights[:, 2]
    middles = vertices[rng.integers(len(vertices), size=400)]
    bumps = np.exp(-((vertices[:, None] - middles) ** 2).sum(-1) / 0.03**2)  # (V, 400)
    directions = bumps[:, None, :] * rng.normal(0, 0.004, (1, 3, 400))
    return {
        "v_template": vertices,
        "f": faces.astype(np.uint32),
        "shapedirs": directions,
        "J_regressor": regressor,
        "weights": weights,
    }


def test_flame_file(tmp_path):
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    model = load_face_model("flame", tmp_path / "flame.npz")
    assert model.marked.sum() == 468
    assert {"jawOpen", "mouthSmileLeft", "browInnerUp"} <= set(model.expressions)
    points = model.landmarks(model.vertices)
    assert points[4, 2] == pytest.approx(points[:, 2].min(), abs=0.004)
    drop = np.einsum("k,kd->d", model.weights[152], model.expressions["jawOpen"][model.corners[152]])
    assert drop[1] > 0.003  # the jaw opens downwards
    found = fit_face(model, portrait_landmarks())
    assert np.isfinite(found.vertices).all()


def test_flame_pickle_runs_no_code(tmp_path):
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(flame_arrays(), protocol=2))
    assert load_flame(path).marked.any()

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path.write_bytes(pickle.dumps({**flame_arrays(), "posedirs": Evil()}, protocol=2))
    with pytest.raises(FaceModelError, match="which is no array"):
        load_flame(path)


@pytest.mark.parametrize("name", ["makehuman", "ict", "flame"])
def test_damaged_files_get_a_clear_error(tmp_path, name):
    path = tmp_path / "model.npz"
    with pytest.raises(FileNotFoundError, match=r"model.npz"):
        load_face_model(name, path)
    path.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(FaceModelError, match="not a readable face model"):
        load_face_model(name, path)
    np.savez(path, neutral=np.zeros((3, 3)))
    with pytest.raises(FaceModelError, match="no array"):
        load_face_model(name, path)


def test_a_model_that_is_not_there():
    with pytest.raises(ValueError, match="no face model 'smpl'"):
        load_face_model("smpl")
    with pytest.raises(FileNotFoundError, match="--face-model-path"):
        load_face_model("ict")
    with pytest.raises(FileNotFoundError, match=r"flame\.is\.tue\.mpg\.de"):
        load_face_model("flame")


def test_nonsense_in_a_model_is_named(tmp_path):
    arrays = flame_arrays()
    np.savez(tmp_path / "a.npz", **(arrays | {"f": arrays["f"] + 10_000}))
    with pytest.raises(FaceModelError, match="a triangle names vertex"):
        load_flame(tmp_path / "a.npz")
    arrays["v_template"][3, 1] = np.nan
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(FaceModelError, match="not finite"):
        load_flame(tmp_path / "b.npz")
