import numpy as np

from mer.models import MODELS, ststnet, symnet_input
from tests.drawn_flows import MOTION, drawn_field


def test_ststnet_learns_drawn_classes():
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(45)])
    fields = np.stack([drawn_field(label, rng) for label in y])
    model = ststnet(0, epochs=40, learning_rate=5e-3).fit(fields[:30], y[:30])
    assert model.score(fields[30:], y[30:]) > 0.8


def test_ststnet_classifies_zero_flow():
    still = np.zeros((8, 28, 28, 2))
    assert np.isfinite(ststnet(0, epochs=2).fit(still, ["a", "b"] * 4).predict_proba(still[:1])).all()


def test_settings_of_the_classifier_can_be_changed():
    classifier = MODELS["mmnet"](device="cuda", batch_size=7, widths=(8, 8, 8, 8))[-1]
    assert (classifier.device, classifier.batch_size, classifier.weight_decay) == ("cuda", 7, 0.6)
    assert classifier.network.keywords == {"widths": (8, 8, 8, 8)}


def test_symnet_input_does_not_depend_on_the_unit_or_on_a_shift():
    field = np.random.default_rng(0).normal(size=(56, 56, 2)).astype(np.float32)
    windows = symnet_input(field)
    assert windows.shape == (7, 7, 17)
    np.testing.assert_allclose(symnet_input(30 * field + 5), windows, atol=1e-3)
