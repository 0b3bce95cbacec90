import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score

from mer.face.align import face_box
from mer.models import new_model
from mer.models.synthetic_prior import svm_hoof_synth, zero_shot, zero_shot_strict
from mer.models.zero_shot_classifier import CLASSES, WEIGHTS, ZeroShot, build_network, load_weights, normalized_flow
from mer.models.zero_shot_training import save_weights, train_networks
from mer.synth.drawn_motions import drawn_motions
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import micro_flows
from mer.synth.unit_motions import expression_flow


@pytest.fixture(scope="module")
def rendered():
    """People whom the networks have not seen, drawn by hand, with flow that is not too bad."""
    return micro_flows([], people=20, clips=9, seed=1234, hardship=0.5)


def rows(clips) -> np.ndarray:
    return clips.flows.reshape(len(clips.flows), -1)


def test_it_reads_rendered_people(rendered):
    for model in (zero_shot(), zero_shot_strict()):
        answers = model.fit(rows(rendered), rendered.labels).predict(rows(rendered))
        assert f1_score(rendered.labels, answers, average="macro") > 0.6


def test_labels_are_not_looked_at(rendered):
    X, y = rows(rendered), rendered.labels
    shuffled = np.random.default_rng(0).permutation(y)
    first, second = (zero_shot().fit(X, labels).predict_proba(X) for labels in (y, shuffled))
    np.testing.assert_array_equal(first, second)


def test_strict_learns_nothing_from_anybody(rendered):
    X, y = rows(rendered), rendered.labels
    one, other = zero_shot_strict().fit(X[:20], y[:20]), zero_shot_strict().fit(X[100:], y[100:])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    one, other = zero_shot().fit(X[:20], y[:20]), zero_shot().fit(X[100:], y[100:])
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X))


def test_test_clips_do_not_see_each_other(rendered):
    X = rows(rendered)
    model = zero_shot().fit(X[:90], rendered.labels[:90])
    np.testing.assert_allclose(model.predict_proba(X[90:95]), model.predict_proba(X[90:])[:5], atol=1e-6)


def test_neither_zero_nor_strength_matters():
    field = np.random.default_rng(0).normal(size=(28, 28, 2)).astype(np.float32)
    np.testing.assert_allclose(normalized_flow(field), normalized_flow(field * [3, 0.1] + [5, -1]), atol=1e-4)
    np.testing.assert_allclose(normalized_flow(as_8bit_image(field)), normalized_flow(field), atol=0.06)


def test_aligned_crops_and_face_boxes_give_the_same_form():
    person = drawn_motions(np.random.default_rng(0))
    intensities = np.zeros(person.fields.shape[0])
    intensities[5] = 1
    aligned = expression_flow(person, intensities) * person.mask[..., None]
    assert not aligned[:, :4].any()
    np.testing.assert_array_equal(normalized_flow(aligned), normalized_flow(aligned, "aligned"))
    np.testing.assert_allclose(normalized_flow(aligned), normalized_flow(face_box(aligned), "box"), atol=1e-6)
    with pytest.raises(ValueError, match="auto, aligned, box"):
        normalized_flow(aligned, "face")


def test_a_clip_without_motion_gets_an_answer():
    still = np.zeros((4, 28 * 28 * 2), np.float32)
    probability = zero_shot().fit(still, np.array(["negative"] * 4)).predict_proba(still)
    np.testing.assert_allclose(probability.sum(1), 1)


def test_other_classes_are_refused(rendered):
    X = rows(rendered)[:4]
    with pytest.raises(ValueError, match=r"negative, positive, surprise.*disgust.*megc2019"):
        zero_shot().fit(X, np.array(["disgust", "negative", "positive", "surprise"]))


def test_stacking_uses_labels_and_reading(rendered):
    X, y = rows(rendered), rendered.labels
    train, test = rendered.people < 10, rendered.people >= 10
    answers = svm_hoof_synth().fit(X[train], y[train]).predict(X[test])
    alone = new_model("svm-hoof").fit(X[train], y[train]).predict(X[test])
    score, of_alone = (f1_score(y[test], a, average="macro") for a in (answers, alone))
    assert score > of_alone
    silent = svm_hoof_synth(prior_weight=0).fit(X[train], y[train]).predict_proba(X[test])
    assert (np.array(CLASSES)[silent.argmax(1)] == alone_by_distance(X, y, train, test)).all()


def test_the_ensemble_with_a_reading(rendered):
    X, y = rows(rendered), rendered.labels
    train, test = rendered.people < 10, rendered.people >= 10
    model = new_model("ensemble-synth").fit(X[train], y[train])
    alone = new_model("ensemble").fit(X[train], y[train])
    score, of_alone = (f1_score(y[test], m.predict(X[test]), average="macro") for m in (model, alone))
    assert score > of_alone
    assert model[-1].prior_weight_ in (1, 2, 4, 8)


def alone_by_distance(X, y, train, test) -> np.ndarray:
    model = new_model("svm-hoof").fit(X[train], y[train])
    return model.classes_[model.decision_function(X[test]).argmax(1)]


def test_they_are_clones_of_themselves():
    for name in ("zero-shot", "zero-shot-strict", "svm-hoof-synth", "ensemble-synth"):
        clone(new_model(name))


def test_weights_are_small_and_say_what_they_are():
    assert WEIGHTS.stat().st_size < 500_000
    states = load_weights(WEIGHTS)
    assert states
    assert sum(p.numel() for p in build_network().parameters()) == 20307
    assert [*ZeroShot().fit(np.zeros((3, 1568))).classes_] == list(CLASSES)


def test_wrong_weights_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights at"):
        ZeroShot(weights=tmp_path / "none.safetensors").fit(np.zeros((3, 1568)))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"not a \.safetensors file"):
        ZeroShot(weights=broken).fit(np.zeros((3, 1568)))


def test_networks_learn_and_are_the_same_again(tmp_path):
    clips = micro_flows([], people=16, clips=16, seed=7, hardship=0.2)
    first, again = (train_networks(clips, networks=1, epochs=10, seed=3)[0] for _ in range(2))
    assert all((value == again.state_dict()[name]).all() for name, value in first.state_dict().items())
    path = tmp_path / "networks.safetensors"
    save_weights([first], path, {"data": "rendered"})
    model = zero_shot_strict(weights=path).fit(rows(clips), clips.labels)
    assert f1_score(clips.labels, model.predict(rows(clips)), average="macro") > 0.5
