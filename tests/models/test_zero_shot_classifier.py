import numpy as np
import pytest
from sklearn.metrics import f1_score

from mer.face.align import face_box
from mer.models.synthetic_prior import zero_shot, zero_shot_strict
from mer.models.zero_shot_classifier import CLASSES, WEIGHTS, ZeroShot, build_network, load_weights, normalized_flow
from mer.synth.drawn_motions import drawn_motions
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.unit_motions import expression_flow


def rows(clips) -> np.ndarray:
    return clips.flows.reshape(len(clips.flows), -1)


def test_it_classifies_rendered_people(rendered):
    for model in (zero_shot(), zero_shot_strict()):
        answers = model.fit(rows(rendered), rendered.labels).predict(rows(rendered))
        assert f1_score(rendered.labels, answers, average="macro") > 0.6


def test_labels_are_not_used(rendered):
    X, y = rows(rendered), rendered.labels
    shuffled = np.random.default_rng(0).permutation(y)
    first, second = (zero_shot().fit(X, labels).predict_proba(X) for labels in (y, shuffled))
    np.testing.assert_array_equal(first, second)


def test_strict_does_not_depend_on_the_training_clips(rendered):
    X, y = rows(rendered), rendered.labels
    one, other = zero_shot_strict().fit(X[:20], y[:20]), zero_shot_strict().fit(X[100:], y[100:])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    one, other = zero_shot().fit(X[:20], y[:20]), zero_shot().fit(X[100:], y[100:])
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X))


def test_predictions_do_not_depend_on_other_test_clips(rendered):
    X = rows(rendered)
    model = zero_shot().fit(X[:90], rendered.labels[:90])
    np.testing.assert_allclose(model.predict_proba(X[90:95]), model.predict_proba(X[90:])[:5], atol=1e-6)


def test_input_does_not_depend_on_shift_or_strength():
    field = np.random.default_rng(0).normal(size=(28, 28, 2)).astype(np.float32)
    np.testing.assert_allclose(normalized_flow(field), normalized_flow(field * [3, 0.1] + [5, -1]), atol=1e-4)
    np.testing.assert_allclose(normalized_flow(as_8bit_image(field)), normalized_flow(field), atol=0.06)


def test_aligned_crops_and_face_boxes_give_the_same_input():
    person = drawn_motions(np.random.default_rng(0))
    intensities = np.zeros(person.fields.shape[0])
    intensities[5] = 1
    aligned = expression_flow(person, intensities) * person.mask[..., None]
    assert not aligned[:, :4].any()
    np.testing.assert_array_equal(normalized_flow(aligned), normalized_flow(aligned, "aligned"))
    np.testing.assert_allclose(normalized_flow(aligned), normalized_flow(face_box(aligned), "box"), atol=1e-6)
    with pytest.raises(ValueError, match="auto, aligned, box"):
        normalized_flow(aligned, "face")


def test_zero_flow_is_classified():
    still = np.zeros((4, 28 * 28 * 2), np.float32)
    probability = zero_shot().fit(still, np.array(["negative"] * 4)).predict_proba(still)
    np.testing.assert_allclose(probability.sum(1), 1)


def test_other_classes_are_refused(rendered):
    X = rows(rendered)[:4]
    with pytest.raises(ValueError, match=r"negative, positive, surprise.*disgust.*megc2019"):
        zero_shot().fit(X, np.array(["disgust", "negative", "positive", "surprise"]))


def test_shipped_weights():
    assert WEIGHTS.stat().st_size < 500_000
    states = load_weights(WEIGHTS)
    assert states
    assert sum(p.numel() for p in build_network().parameters()) == 20307
    assert [*ZeroShot().fit(np.zeros((3, 1568))).classes_] == list(CLASSES)


def test_missing_and_damaged_weights_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights at"):
        ZeroShot(weights=tmp_path / "none.safetensors").fit(np.zeros((3, 1568)))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"not a \.safetensors file"):
        ZeroShot(weights=broken).fit(np.zeros((3, 1568)))
