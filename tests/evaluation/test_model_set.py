import pytest
from sklearn.neighbors import KNeighborsClassifier

from mer.evaluation.model_set import ModelSet
from mer.evaluation.protocols.protocol import PROTOCOLS


def test_names_and_objects_are_told_apart():
    named, mixed = ModelSet(["svm-hoof", "gbm"], None), ModelSet(["svm-hoof", KNeighborsClassifier(3)], None)
    assert named.named
    assert named.name == "svm-hoof,gbm"
    assert not mixed.named
    assert mixed.name == "svm-hoof,KNeighborsClassifier"
    assert len(mixed.candidates) == 2


def test_a_grid_has_full_parameter_names():
    models = ModelSet(["svm-hoof"], {"C": [0.5, 2]})
    (name,) = models.grid
    assert name.endswith("__C")
    assert [candidate.settings[name] for candidate in models.candidates] == [0.5, 2]


def test_only_networks_are_seeded_and_only_other_peoples_classes_are_not_trusted():
    assert not ModelSet(["svm-linear"], None).seeded
    assert ModelSet(["ststnet"], None).seeded

    class Own(KNeighborsClassifier):
        pass

    assert ModelSet([KNeighborsClassifier()], None).trusted
    assert not ModelSet([Own()], None).trusted
    with pytest.raises(ValueError, match="a cluster fits the classifiers of mer and scikit-learn only"):
        ModelSet([Own()], None).check(False, PROTOCOLS["loso"], "tcp://127.0.0.1:1")


def test_descriptions_do_not_contain_addresses():
    (line,) = ModelSet(["svm-hoof"], None).descriptions
    assert " at 0x" not in line


def test_an_oracle_epoch_needs_one_network():
    with pytest.raises(ValueError, match="oracle_epoch needs"):
        ModelSet(["svm-hoof"], None).check(True, PROTOCOLS["loso"], None)
