from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer.datasets.samples import read_samples, write_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.metrics import count, uf1
from mer.evaluation.protocols.protocol import Protocol
from mer.features import block_hoof
from mer.flow import load_component
from mer.models import PerClip, TorchClassifier, ststnet
from tests.drawn_flows import MOTION, write_drawn_flows


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    """Six people with six clips each, whose classes can be told apart; not to be written to."""
    folder = tmp_path_factory.mktemp("flows")
    write_drawn_flows(folder)
    return folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Twelve people with clips whose labels are shuffled; not to be written to."""
    folder = tmp_path_factory.mktemp("noise")
    write_drawn_flows(folder, people=12, shuffled=True, seed=1)
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Fit classifiers of tests in this process, where they can be observed."""
    monkeypatch.setattr("mer.evaluation.model_set.is_trusted", lambda model: True)


@pytest.mark.parametrize("model", ["svm-linear", "svm-hoof"])
def test_drawn_classes_are_learned_and_shuffled_labels_are_not(model, flows, noise):
    assert evaluate(flows, model=model).scores["uf1"] > 0.9
    assert evaluate(noise, model=model).scores["uf1"] < 0.5


@pytest.mark.slow
def test_ststnet_learns_drawn_classes_and_not_shuffled_labels(flows, noise):
    few = partial(ststnet, epochs=25, learning_rate=1e-2)
    assert evaluate(flows, model=few, seeds=1).scores["uf1"] > 0.8
    assert evaluate(noise, model=few, seeds=1).scores["uf1"] < 0.5


def test_predictions_have_a_row_for_each_sample_and_seed(flows):
    result = evaluate(flows, model=Dice(), seeds=3)
    assert result.predictions.groupby("seed").size().to_dict() == {0: 36, 1: 36, 2: 36}
    assert result.runs == 3
    assert result.confusion.sum() == 3 * 36


def test_a_deterministic_model_runs_once_and_has_seed_0_only(flows):
    result = evaluate(flows, seeds=3)
    table = result.predictions
    assert table.columns.tolist() == [
        "dataset", "subject", "clip", "onset", "fold", "seed", "label", "prediction",
        "score_disgust", "score_happiness", "score_surprise",
    ]  # fmt: skip
    assert table.groupby("seed").size().to_dict() == {0: 36}
    assert (table["fold"] == table["dataset"] + "/" + table["subject"]).all()
    scores = table.filter(like="score_").to_numpy()
    assert (np.array(result.classes)[scores.argmax(1)] == table["prediction"]).all()
    assert result.confusion.sum() == 36
    assert (result.settings["seeds"], result.runs) == (3, 1)
    assert result.scores["uf1_sd"] == 0
    once = evaluate(flows, seeds=1)
    pd.testing.assert_frame_equal(table, once.predictions)
    assert once.scores["uf1_sd"] is None


def test_confusion_has_the_truth_by_row_and_the_prediction_by_column(flows):
    result = evaluate(flows, model="majority", seeds=1)  # always the first class
    np.testing.assert_array_equal(result.confusion, [[12, 0, 0], [12, 0, 0], [12, 0, 0]])


def test_scores_are_those_of_the_pooled_predictions(flows):
    result = evaluate(flows, model="majority")
    table = result.predictions[result.predictions["seed"] == 0]
    assert result.scores["uf1"] == pytest.approx(uf1(count(table["label"], table["prediction"], result.classes)))


def test_scores_do_not_depend_on_the_order_of_the_folds(tmp_path):
    table = write_drawn_flows(tmp_path, people=4, noise=1.5)
    forward = evaluate(tmp_path)
    write_samples(table.iloc[::-1], tmp_path / "samples.csv")
    backward = evaluate(tmp_path)
    assert backward.predictions["subject"].iloc[0] == "s03"
    assert backward.scores == forward.scores
    assert 0 < forward.scores["uf1"] < 1


# --- nothing leaks -------------------------------------------------------------------------------------------------


class Memory:
    """Remembers every clip that it was ever fitted on, and recognizes it; guesses otherwise. Has no get_params."""

    def __init__(self) -> None:
        self.known: dict[bytes, str] = {}

    def fit(self, X, y):
        self.known |= {row.tobytes(): label for row, label in zip(X, y)}
        return self

    def predict(self, X):
        return np.array([self.known.get(row.tobytes(), "disgust") for row in X])


class MemoryEstimator(ClassifierMixin, BaseEstimator):
    """The same, hidden in a parameter of an estimator of scikit-learn."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def fit(self, X, y):
        self.memory.fit(X, y)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.memory.predict(X)


def test_a_memory_kept_between_folds_would_leak(noise):
    """What the next test is worth: the same object, reused by hand, knows every answer from the second fold on."""
    table = read_samples(noise)
    X = np.stack([load_component(noise / path).ravel() for path in table["path"]])
    y, person, memory = table["label"].to_numpy(), table["subject"].to_numpy(), Memory()
    right = []
    for name in sorted(set(person)):
        memory.fit(X[person != name], y[person != name])
        right.extend(memory.predict(X[person == name]) == y[person == name])
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("model", [Memory(), MemoryEstimator(Memory()), Memory, lambda: MemoryEstimator(Memory())])
def test_a_memory_in_the_classifier_scores_chance(model, noise, in_this_process):
    result = evaluate(noise, model=model, seeds=2)
    assert set(result.predictions["prediction"]) == {"disgust"}  # it recognized no test clip
    assert result.scores["accuracy"] == pytest.approx(1 / 3)


class Vandal(KNeighborsClassifier):
    """Overwrites all that it is given."""

    def fit(self, X, y):
        super().fit(X.copy(), y.copy())
        X[:], y[:] = 7, "vandal"
        return self

    def predict(self, X):
        answer = super().predict(X.copy())
        X[:] = 7
        return answer


def test_a_classifier_that_overwrites_its_input_harms_nothing(flows, in_this_process):
    expected = evaluate(flows, model=KNeighborsClassifier(3)).predictions
    pd.testing.assert_frame_equal(evaluate(flows, model=Vandal(3)).predictions, expected)


class SpyScaler(StandardScaler):
    fitted: list = []  # noqa: RUF012  shared by all copies on purpose
    transformed: list = []  # noqa: RUF012

    def fit(self, X, y=None, sample_weight=None):
        SpyScaler.fitted.append({row.tobytes() for row in X})
        return super().fit(X, y)

    def transform(self, X, copy=None):
        SpyScaler.transformed.append({row.tobytes() for row in X})
        return super().transform(X)


def test_pipeline_steps_are_fitted_to_training_people_only(flows, in_this_process):
    SpyScaler.fitted.clear()
    SpyScaler.transformed.clear()
    evaluate(flows, model=make_pipeline(PerClip(block_hoof), SpyScaler(), SVC()), seeds=1)
    assert [len(rows) for rows in SpyScaler.fitted] == [30] * 6
    tested = [rows for rows in SpyScaler.transformed if len(rows) == 6]
    assert len(set().union(*tested)) == 36
    for trained, test in zip(SpyScaler.fitted, tested[::2]):  # asked twice a fold, for the answer and for the scores
        assert not trained & test


def test_features_are_computed_once_for_each_clip(flows):
    calls = []

    def feature(field: np.ndarray) -> np.ndarray:
        calls.append(field.shape)
        return field[::4, ::4]

    class Keeps(PerClip):
        def __sklearn_clone__(self):
            return self  # `feature` counts its calls

    evaluate(flows, model=make_pipeline(Keeps(feature), SVC()), seeds=3)
    assert calls == [(24, 24, 2)] * 36


# --- settings chosen inside the folds, epochs picked outside of them -------------------------------------------------


def test_settings_are_chosen_on_training_people(flows):
    def nearest(n: int) -> Pipeline:
        return make_pipeline(PerClip(block_hoof), KNeighborsClassifier(n))

    result = evaluate(flows, model=nearest(5), grid={"n_neighbors": [24, 3]}, seeds=1)  # of 24 inner clips, all vote
    assert set(result.chosen["kneighborsclassifier__n_neighbors"]) == {3}
    assert len(result.chosen) == 6
    pd.testing.assert_frame_equal(result.predictions, evaluate(flows, model=nearest(3), seeds=1).predictions)


def test_a_model_is_chosen_on_training_people(flows, noise):
    result = evaluate(flows, model=["majority", "svm-hoof"], seeds=1)
    assert result.chosen["model"].tolist() == ["svm-hoof"] * 6
    pd.testing.assert_frame_equal(result.predictions, evaluate(flows, seeds=1).predictions)
    assert result.settings["model"] == "majority,svm-hoof"
    assert "--model=majority,svm-hoof" in result.command
    both = evaluate(noise, model=["svm-linear", "svm-hoof", "majority"], seeds=1)
    assert both.chosen["model"].nunique() > 1  # folds differ in what they take
    assert both.scores["uf1"] < 0.5  # choosing adds no knowledge of the test people
    with pytest.raises(ValueError, match="a grid for one model, or several models"):
        evaluate(flows, model=["majority", "svm-hoof"], grid={"strategy": ["most_frequent"]})


class Peeker(ClassifierMixin, BaseEstimator):
    """With `trick=1` it answers from a memory of whatever rows any of its copies ever saw with labels."""

    seen: list = []  # noqa: RUF012  shared by all copies on purpose

    def __init__(self, trick: int = 0) -> None:
        self.trick = trick

    def fit(self, X, y):
        Peeker.seen.append({row.tobytes() for row in X})
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.trick])


def test_the_inner_evaluation_sees_no_test_person(flows, in_this_process):
    Peeker.seen.clear()
    result = evaluate(flows, model=Peeker(), grid={"trick": [0, 1]}, seeds=1)
    table = read_samples(flows)
    rows = [(load_component(flows / path) / np.float32(12)).ravel().tobytes() for path in table["path"]]
    each = 2 * 5 + 1  # two settings on five inner folds, and the fit itself
    assert len(Peeker.seen) == 6 * each
    for fold, person in enumerate(sorted(set(table["subject"]))):
        tested = {row for row, subject in zip(rows, table["subject"]) if subject == person}
        fits = Peeker.seen[fold * each : (fold + 1) * each]
        assert not any(fit & tested for fit in fits)
        assert set().union(*fits) == set(rows) - tested
        for inner in fits[:-1]:  # a person is on one side of an inner fold
            people = [{row for row, subject in zip(rows, table["subject"]) if subject == name} for name in
                      set(table["subject"]) - {person}]  # fmt: skip
            assert sum(bool(rows_of & inner) for rows_of in people) == 4
    assert len(result.chosen) == 6


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"D": [1]}, "'D' is not a parameter of the model"),
        ({"C": []}, "'C' has no values"),
        ({"options": [{}]}, "belongs to the features"),
    ],
)
def test_wrong_grids_are_refused(flows, grid, words):
    with pytest.raises(ValueError, match=words):
        evaluate(flows, grid=grid)


class Wanderer(ClassifierMixin, BaseEstimator):
    """A network that answers another class in every epoch; in the last one always disgust."""

    epochs = 3

    def fit(self, X, y, watch=None):
        self.classes_ = np.unique(y)
        for epoch in (1, 2, 3):
            self.now_ = self.classes_[epoch % 3]
            if watch:
                watch(self, epoch)
        return self

    def predict(self, X):
        return np.full(len(X), self.now_)


def test_the_oracle_is_scored_separately_from_the_result(own):
    folder, table = own
    for person, label in (("s00", "happiness"), ("s01", "surprise")):
        rows = table.index[table["subject"] == person][:3]
        table.loc[rows, "label"] = label
    write_samples(table, folder / "samples.csv")
    honest = evaluate(folder, model=Wanderer(), seeds=1)
    result = evaluate(folder, model=Wanderer(), seeds=1, oracle_epoch=True)
    assert set(result.predictions["prediction"]) == {"disgust"}
    pd.testing.assert_series_equal(result.predictions["prediction"], honest.predictions["prediction"])
    assert result.scores["uf1"] == honest.scores["uf1"]
    picked = result.predictions.groupby("subject")[["oracle_epoch", "oracle_prediction"]].first()
    assert picked.loc["s00"].tolist() == [1, "happiness"]
    assert picked.loc["s01"].tolist() == [2, "surprise"]
    assert picked.loc["s02"].tolist() == [3, "disgust"]  # of equals, the last
    oracle = result.scores["oracle"]
    assert oracle["what"].startswith("ORACLE, NOT A RESULT")
    assert oracle["accuracy"] > result.scores["accuracy"]
    assert oracle["uf1_gain"] == pytest.approx(oracle["uf1"] - result.scores["uf1"])
    assert "oracle" not in honest.scores


def test_the_epochs_of_a_network_are_watched_behind_a_scaler(flows):
    def few(random_state):
        network = TorchClassifier(small_network, channels=2, epochs=4, random_state=random_state)
        return make_pipeline(PerClip(block_hoof), StandardScaler(), network)

    plain, watched = evaluate(flows, model=few, seeds=1), evaluate(flows, model=few, seeds=1, oracle_epoch=True)
    columns = plain.predictions.columns
    pd.testing.assert_frame_equal(plain.predictions, watched.predictions[columns])
    assert watched.predictions["oracle_epoch"].between(1, 4).all()
    assert watched.scores["oracle"]["accuracy"] >= watched.scores["accuracy"]


def small_network(channels: int, size: int, n_classes: int):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(channels * size * size, n_classes))


def test_the_oracle_needs_a_network(flows):
    with pytest.raises(ValueError, match="one network whose fit"):
        evaluate(flows, oracle_epoch=True)


# --- what is fitted is fitted in the fold -----------------------------------------------------------------------------


def test_class_weights_are_those_of_the_training_people(own, in_this_process):
    """The one clip of fear is of s00: its weight must not reach the classifier that is tested on s00."""
    folder, table = own
    table.loc[0, "label"] = "fear"
    write_samples(table, folder / "samples.csv")
    weights = []

    class Weighs(SVC):
        def fit(self, X, y, sample_weight=None):
            super().fit(X, y)
            weights.append(dict(zip(self.classes_, self.class_weight_)))
            return self

    evaluate(folder, model=lambda: Weighs(class_weight="balanced"), seeds=1)
    assert ["fear" in each for each in weights] == [False, True, True]
    assert weights[0]["disgust"] == pytest.approx(12 / (3 * 4))
    assert weights[1]["fear"] == pytest.approx(12 / (4 * 1))


def test_feature_selection_sees_the_training_people_only(noise):
    """Many features without meaning: chosen with everybody's labels, a few of them seem to tell the classes apart."""
    table = read_samples(noise)
    X = np.stack([load_component(noise / path).ravel() for path in table["path"]])
    y, people = table["label"].to_numpy(), table["subject"].to_numpy()
    leaked = SelectKBest(k=10).fit_transform(X, y)
    answers = cross_val_predict(LinearDiscriminantAnalysis(), leaked, y, groups=people, cv=LeaveOneGroupOut())
    honest = evaluate(noise, model=make_pipeline(SelectKBest(k=10), LinearDiscriminantAnalysis()), seeds=1)
    assert (answers == y).mean() > 0.55  # the leak that the evaluation would have to have
    assert honest.scores["accuracy"] < 0.45


# --- other splits -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path):
    """Two databases, whose people have the same names."""
    table = pd.concat([write_drawn_flows(tmp_path, people=3, dataset=name, seed=i) for i, name in enumerate("ab")])
    write_samples(table, tmp_path / "samples.csv")
    return tmp_path


def protocol_of(split: object) -> Protocol:
    return Protocol("own", classes=tuple(sorted(MOTION)), split=split)


def test_one_database_trains_and_another_is_tested(two):
    result = evaluate(two, protocol=protocol_of({"train": ["a"], "test": ["b"]}), seeds=2)
    assert set(result.predictions["dataset"]) == {"b"}
    assert set(result.predictions["fold"]) == {"a to b"}
    assert len(result.predictions) == 18
    assert result.scores["n"] == 18
    assert result.scores["n_subjects"] == 3
    assert result.scores["uf1"] > 0.9


def test_databases_are_left_out_in_turn_and_their_mean_is_given(two):
    result = evaluate(two, protocol=protocol_of("dataset"), seeds=1)
    assert set(result.predictions["fold"]) == {"a", "b"}
    means = [result.scores["databases"][name]["uar"] for name in "ab"]
    assert result.scores["databases_mean"]["uar"] == pytest.approx(np.mean(means))


def test_people_in_fixed_folds(two):
    result = evaluate(two, protocol=protocol_of({"folds": 3}), seeds=1)
    people = result.predictions[["fold", "dataset", "subject"]].drop_duplicates()
    assert people["fold"].value_counts().to_dict() == {f"fold 0{n}": 2 for n in (1, 2, 3)}


# --- seeds and workers ---------------------------------------------------------------------------------------------


class Dice(ClassifierMixin, BaseEstimator):
    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.random.default_rng(self.random_state).choice(self.classes_, len(X))


def test_seeds_differ_and_are_repeatable(flows):
    first, again = evaluate(flows, model=Dice(), seeds=3), evaluate(flows, model=Dice, seeds=3)
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    assert first.scores["uf1_sd"] > 0
    assert first.confusion.sum() == 3 * 36
    by_seed = [set(rows["prediction"]) for _, rows in first.predictions.groupby("seed")]
    assert len(by_seed) == 3
    assert first.predictions.query("seed == 0")["prediction"].tolist() != (
        first.predictions.query("seed == 1")["prediction"].tolist()
    )


def test_scores_do_not_depend_on_the_number_of_workers(flows):
    alone, together = evaluate(flows, workers=1), evaluate(flows, workers=2)
    pd.testing.assert_frame_equal(alone.predictions, together.predictions)
    assert alone.scores == together.scores


@pytest.mark.slow
def test_networks_do_not_depend_on_the_number_of_workers(flows):
    few = partial(ststnet, epochs=3)
    alone, together = evaluate(flows, model=few, seeds=2, workers=1), evaluate(flows, model=few, seeds=2, workers=2)
    pd.testing.assert_frame_equal(alone.predictions, together.predictions)


# --- clips that fail, folders that do not fit ------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    """A flow folder to write to."""
    return tmp_path, write_drawn_flows(tmp_path, people=3, clips=6)


def test_failed_clips_count_as_wrong_and_are_listed(own):
    folder, table = own
    table.loc[0, ["status", "message"]] = "no_face", "no face in frame 3"
    write_samples(table, folder / "samples.csv")
    (folder / table.loc[1, "path"]).unlink()
    (folder / table.loc[2, "path"]).write_bytes(b"nothing")
    result = evaluate(folder)
    assert result.failed["status"].tolist() == ["no_face", "unreadable", "unreadable"]
    assert result.failed["message"].tolist()[0] == "no face in frame 3"
    assert "is missing" in result.failed["message"].tolist()[1]
    assert (result.predictions["prediction"] == "").sum() == 3
    assert result.predictions.loc[:2].filter(like="score_").isna().all(axis=None)
    assert (result.scores["n"], result.scores["n_failed"]) == (18, 3)
    assert result.scores["accuracy"] <= 15 / 18
    assert result.confusion.sum() == 15


def test_flow_that_is_not_finite_is_a_failed_clip(own):
    folder, table = own
    path = folder / table.loc[0, "path"]
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["expression"][0, 0] = np.nan
    np.savez(path, **arrays)
    assert "not finite" in evaluate(folder).failed["message"].tolist()[0]


def test_a_person_without_flow_is_tested_and_wrong(own):
    folder, table = own
    table.loc[table["subject"] == "s00", "status"] = "no_face"
    write_samples(table, folder / "samples.csv")
    result = evaluate(folder)
    assert result.subjects.set_index("subject").loc["s00", "accuracy"] == 0
    table.loc[table["subject"] == "s01", "status"] = "no_face"
    write_samples(table, folder / "samples.csv")
    with pytest.raises(ValueError, match="at least two people need readable flow, but 12 of 18 clips"):
        evaluate(folder)


def test_a_folder_without_flow_is_refused(own):
    folder, table = own
    write_samples(table.assign(status="no_face", message="no face"), folder / "samples.csv")
    with pytest.raises(ValueError, match="18 of 18 clips have none; the first is s00/c00: no face"):
        evaluate(folder)


def test_a_fold_with_one_training_class_predicts_it(own):
    folder, table = own
    table.loc[table["subject"] == "s00", "label"] = "happiness"
    table.loc[table["subject"] != "s00", "label"] = "surprise"
    write_samples(table, folder / "samples.csv")
    result = evaluate(folder)
    tested = result.predictions.set_index("subject")
    assert set(tested.loc["s00", "prediction"]) == {"surprise"}
    assert set(tested.loc["s00", "score_surprise"]) == {1}
    assert result.scores["classes"]["happiness"] == {"f1": 0, "recall": 0, "n": 6}


def test_a_class_of_one_person_is_never_predicted_for_that_person(own):
    folder, table = own
    table.loc[(table["subject"] == "s00") & (table["label"] == "disgust"), "label"] = "fear"
    write_samples(table, folder / "samples.csv")
    result = evaluate(folder)
    assert result.classes == ("disgust", "fear", "happiness", "surprise")
    assert result.scores["classes"]["fear"]["recall"] == 0
    rows = result.predictions[result.predictions["subject"] == "s00"]
    assert rows["score_fear"].isna().all()


def test_flow_is_measured_in_interocular_distances(own, in_this_process):
    folder, table = own
    seen = []

    class Spy(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(np.abs(X).max())
            return super().fit(X, y)

    evaluate(folder, model=Spy(1))
    write_samples(table.assign(scale=24.0), folder / "samples.csv")
    evaluate(folder, model=Spy(1))
    assert len(seen) == 6
    assert seen[3:] == pytest.approx([value / 2 for value in seen[:3]])
    write_samples(table.assign(scale=np.nan), folder / "samples.csv")
    evaluate(folder, model=Spy(1))  # pixels
    assert len(seen) == 9
    assert seen[6:] == pytest.approx([value * 12 for value in seen[:3]])
    table.loc[4, "scale"] = np.nan
    write_samples(table, folder / "samples.csv")
    with pytest.raises(ValueError, match=r"c04_0.npz has no scale"):
        evaluate(folder)


def test_the_component_selects_the_flow(flows):
    assert evaluate(flows, component="head").scores["uf1"] < 0.4  # the drawn head does not move
    with pytest.raises(ValueError, match="facial, head, expression"):
        evaluate(flows, component="eyes")


@pytest.mark.parametrize("settings", [{"seeds": 0}, {"workers": 0}])
def test_numbers_below_one_are_refused(flows, settings):
    with pytest.raises(ValueError, match="must be at least 1"):
        evaluate(flows, **settings)


def test_predictions_that_are_not_classes_are_refused(flows):
    class Odd(Dice):
        def predict(self, X):
            return np.full(len(X), "joy")

    with pytest.raises(ValueError, match="predict returned joy, but the classes are disgust, happiness, surprise"):
        evaluate(flows, model=Odd())


def test_flow_of_another_size_fails_unless_features_resize_it(own):
    folder, _ = own
    write_drawn_flows(folder / "other", people=1, size=30)
    (folder / "other/videos/s00/c00_0.npz").replace(folder / "videos/s00/c00_0.npz")
    assert evaluate(folder).scores["n_failed"] == 0  # features bring them to one size
    result = evaluate(folder, model=KNeighborsClassifier(1))
    assert result.scores["n_failed"] == 1
    assert "another size" in result.failed["message"].item()
    write_drawn_flows(folder / "small", people=3, size=30)
    for path in sorted((folder / "small/videos").rglob("*.npz"))[: len(list((folder / "videos").rglob("*.npz"))) // 2]:
        path.replace(folder / "videos" / path.relative_to(folder / "small/videos"))
    with pytest.raises(ValueError, match="differ in size"):  # which one is wrong?
        evaluate(folder, model=KNeighborsClassifier(1))


def test_progress_is_reported(flows):
    told = []

    def track(items, total, what):
        told.append((what, total))
        return items

    evaluate(flows, track=track)
    assert told == [("reading flow", 36), ("svm-hoof, fold by fold", 6)]


def test_labels_of_the_drawn_flows_are_the_classes(flows):
    assert evaluate(flows, model="majority").classes == tuple(sorted(MOTION))
