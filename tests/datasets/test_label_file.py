import pytest

from mer.datasets.label_file import find_labels, match_clips, read_labels
from mer.datasets.tables import SamplesError

TABLE = "subject,clip,label\np1,a,happy\n"


@pytest.mark.parametrize("name", ["labels.csv", "Labels.csv", "labels.CSV", "label.csv", "labels.csv.txt"])
def test_a_file_with_a_similar_name_is_found(name, tmp_path):
    (tmp_path / name).write_text(TABLE)
    assert find_labels(tmp_path) == tmp_path / name
    assert read_labels(tmp_path / name)["label"].tolist() == ["happy"]


def test_several_similar_files_are_refused_and_the_exact_one_wins(tmp_path):
    (tmp_path / "Labels2.csv").write_text(TABLE)
    (tmp_path / "label.csv").write_text(TABLE)
    with pytest.raises(SamplesError, match="name one of them labels"):
        find_labels(tmp_path)
    (tmp_path / "labels.csv").write_text(TABLE)
    with pytest.warns(UserWarning, match=r"label\.csv"):
        assert find_labels(tmp_path) == tmp_path / "labels.csv"


def test_a_misspelt_column_is_named_with_the_likely_one(tmp_path):
    (tmp_path / "labels.csv").write_text("subject,clip,emotion\np1,a,happy\n")
    with pytest.raises(SamplesError, match="'emotion'; did you mean 'label'"):
        read_labels(tmp_path / "labels.csv")


def test_intervals_of_an_analysis_are_annotations(tmp_path):
    """Their column `emotion` was read by a model and is not a label."""
    (tmp_path / "intervals.csv").write_text("subject,clip,onset,apex,strength,emotion\np1,a,3,5,4.2,positive\n")
    labels = read_labels(tmp_path / "intervals.csv")
    assert labels[["onset", "apex"]].to_numpy().tolist() == [["3", "5"]]
    assert "label" not in labels


def test_rows_are_joined_to_clips_in_another_spelling(tmp_path):
    (tmp_path / "labels.csv").write_text("subject,clip,label\n6,A.mp4,x\n7,nowhere,y\n")
    matches = match_clips(read_labels(tmp_path / "labels.csv"), [("006", "a"), ("007", "b")])
    assert matches[0][0] == ("006", "a")
    assert matches[1][0] is None
