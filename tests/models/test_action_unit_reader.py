import numpy as np
import pytest

from mer.features import mirror
from mer.models.action_unit_reader import SIDED, UNITS_READ, WEIGHTS, action_units, fit_readout, read_units, targets_of
from mer.synth.drawn_motions import drawn_motions
from mer.synth.micro_flows import micro_flows
from mer.synth.unit_motions import UNITS, expression_flow


def clip(*units: str, strength: float = 0.3, size: int = 56) -> np.ndarray:
    """Exact flow of a drawn face on the aligned crop, interocular distances."""
    person = drawn_motions(np.random.default_rng(2), size=size, variety=0.3)
    intensities = np.zeros(len(UNITS))
    intensities[[UNITS.index(unit) for unit in units]] = strength
    return expression_flow(person, intensities) * person.mask[..., None]


def test_smiles_and_raised_brows_are_distinguished():
    smile, brows = action_units(clip("L12", "R12")), action_units(clip("L1", "R1", "L2", "R2"))
    assert list(smile) == list(UNITS_READ)
    assert max(smile, key=smile.__getitem__) in ("12", "6", "10")
    assert max(brows, key=brows.__getitem__) in ("1", "2")
    assert smile["12"] > 3 * brows["12"]
    assert brows["1"] + brows["2"] > 3 * (smile["1"] + smile["2"])


def test_left_and_right_are_distinguished():
    left, right = (action_units(clip(f"{side}12"), sides=True) for side in "LR")
    assert list(left) == list(SIDED)
    assert left["L12"] > 1.5 * left["R12"]
    assert right["R12"] > 1.5 * right["L12"]


def test_the_mirrored_face_has_the_mirrored_units():
    flow = clip("L12", "R4")
    original, mirrored = action_units(flow, sides=True), action_units(mirror(flow), sides=True)
    for name in SIDED:
        twin = {"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:]
        assert mirrored[twin] == pytest.approx(original[name], abs=5e-3)  # OpenCV rounds places to 1/32 pixel


def test_intensity_grows_with_the_motion():
    weak, strong = (action_units(clip("L12", "R12", strength=s))["12"] for s in (0.05, 0.1))
    assert strong == pytest.approx(2 * weak, rel=1e-3)


def test_the_unit_of_length_is_the_interocular_distance():
    flow = clip("L4", "R4", strength=0.1)
    assert action_units(flow * 96, scale=96.0)["4"] == pytest.approx(action_units(flow)["4"], rel=1e-3)


def test_zero_flow_has_zero_intensities():
    assert set(action_units(np.zeros((28, 28, 2))).values()) == {0.0}


@pytest.mark.parametrize(
    ("flow", "options", "message"),
    [
        (np.zeros((28, 28)), {}, "not a finite field"),
        (np.full((28, 28, 2), np.nan), {}, "not a finite field"),
        (np.zeros((28, 28, 2)), {"scale": 0.0}, "positive"),
        (np.zeros((28, 28, 2)), {"crop": "nose"}, "auto, aligned, box"),
    ],
)
def test_wrong_input(flow, options, message):
    with pytest.raises(ValueError, match=message):
        action_units(flow, **options)


def test_a_fitted_readout_predicts_its_training_data():
    shown = micro_flows([], people=20, clips=10, seed=3, hardship=0.2, any_units=True)
    weights = fit_readout(shown.flows, shown.motion, ridge=0.1)
    read, true = read_units(shown.flows, weights), targets_of(shown.motion)
    corner = [SIDED.index("L12"), SIDED.index("R12")]
    shares = [values / values.max(1, keepdims=True).clip(1e-6) for values in (read, true)]
    assert np.corrcoef(shares[0][:, corner].ravel(), shares[1][:, corner].ravel())[0, 1] > 0.5


def test_weights_are_small():
    assert WEIGHTS.stat().st_size < 200_000
