import pytest

from mer.datasets.samples import SamplesError
from mer.datasets.video_folder import list_clips
from tests.datasets.test_video import write_picture


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def keys(table):
    return list(table[["dataset", "subject", "clip"]].itertuples(index=False, name=None))


def test_subjects_are_folders_and_clips_are_files_or_folders_of_frames(tmp_path):
    touch(
        tmp_path / "bo" / "smile.mp4",
        tmp_path / "bo" / "frown.AVI",
        tmp_path / "bo" / "notes.txt",
        tmp_path / ".git/a.mp4",
    )
    write_picture(tmp_path / "al" / "ep.01" / "img1.png", 1)
    touch(tmp_path / "al" / ".hidden.mp4", tmp_path / "empty" / "nothing.txt")
    table = list_clips(tmp_path)
    assert keys(table) == [("videos", "al", "ep.01"), ("videos", "bo", "frown"), ("videos", "bo", "smile")]
    assert (table["status"] == "").all()
    assert table["source"].tolist() == [str(tmp_path / p) for p in ("al/ep.01", "bo/frown.AVI", "bo/smile.mp4")]


def test_labels_are_joined_and_missing_clips_are_rows(tmp_path):
    touch(tmp_path / "006" / "a.mp4", tmp_path / "006" / "b.mp4")
    (tmp_path / "labels.csv").write_text(
        "\ufeffSubject, Clip ,label,onset,apex,dataset\n006,a,positive,3,7,mine\n006,a,surprise,20,,mine\n"
        "006,gone,negative,,,mine\n",
        encoding="utf-8",
    )
    table = list_clips(tmp_path)
    assert keys(table) == [("mine", "006", "a")] * 2 + [("mine", "006", "gone"), ("videos", "006", "b")]
    assert table["onset"].fillna(-1).tolist() == [3, 20, -1, -1]
    assert table["label"].tolist() == ["positive", "surprise", "negative", ""]
    assert table["status"].tolist() == ["", "", "missing_clip", ""]


def test_blanks_at_the_ends_of_names_are_ignored(tmp_path):
    touch(tmp_path / "bo " / "a .mp4")
    (tmp_path / "labels.csv").write_text("subject,clip,label\nbo,a,positive\n")
    table = list_clips(tmp_path)
    assert keys(table) == [("videos", "bo", "a")]
    assert table[["label", "status"]].to_numpy().tolist() == [["positive", ""]]


def test_a_single_video(tmp_path):
    touch(tmp_path / "me.mov")
    assert keys(list_clips(tmp_path / "me.mov")) == [("videos", "me", "me")]


def test_clips_without_a_subject_folder(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert keys(list_clips(tmp_path)) == [("videos", "a", "a"), ("videos", "b", "b")]
    (tmp_path / "labels.csv").write_text("subject,clip\nbo,a\nbo,b\n")
    table = list_clips(tmp_path)
    assert keys(table) == [("videos", "bo", "a"), ("videos", "bo", "b")]
    assert (table["status"] == "").all()


def test_annotations_in_another_place(tmp_path):
    touch(tmp_path / "v" / "bo" / "a.mp4")
    (tmp_path / "mine.csv").write_text("subject,clip,aus\nbo,a,R4+ref(6)\n")
    assert list_clips(tmp_path / "v", tmp_path / "mine.csv")["aus"].tolist() == ["R4+ref(6)"]
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        list_clips(tmp_path / "v", tmp_path / "none.csv")


def test_two_files_with_the_same_name_are_one_unreadable_row(tmp_path):
    touch(tmp_path / "bo" / "a.mp4", tmp_path / "bo" / "a.avi", tmp_path / "bo" / "b.avi")
    table = list_clips(tmp_path)
    assert table["status"].tolist() == ["unreadable", ""]
    assert "a.avi and a.mp4" in table["message"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,clip\nbo,a\n", "no column subject"),
        ("subject,clip,Clip\nbo,a,b\n", "the column .clip. twice"),
        ("subject,clip\nbo,a\nbo,a\n", "bo/a appears twice"),
        ("", "not a table"),
        ("subject,clip,lable\nbo,a,x\n", "a column 'lable'; .*'label'"),
        ("subject,clip,onsett\nbo,a,3\n", "a column 'onsett'; .*'onset'"),
        ("subject,clip,emotion\nbo,a,x\n", "a column 'emotion'; did you mean 'label'"),
        ("subject,file,label\nbo,a,x\n", "no column clip.*did you mean 'clip' by 'file'"),
        ("subject,clip,Onset (ms)\nbo,a,350\n", "'onset .ms.' holds times"),
        ("subject,clip,onset_s\nbo,a,0.35\n", "'onset_s' holds times"),
    ],
)
def test_label_files_that_cannot_be_used(tmp_path, text, message):
    touch(tmp_path / "bo" / "a.mp4")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(SamplesError, match=message):
        list_clips(tmp_path)


def test_other_columns_are_ignored(tmp_path):
    touch(tmp_path / "bo" / "a.mp4")
    (tmp_path / "labels.csv").write_text("subject,clip,label,camera,notes\nbo,a,x,left,none\n")
    assert list_clips(tmp_path)["label"].tolist() == ["x"]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        list_clips(tmp_path / "none")
    with pytest.raises(SamplesError, match="no videos in"):
        list_clips(tmp_path)
    touch(tmp_path / "a.txt")
    with pytest.raises(SamplesError, match="neither a folder nor a video"):
        list_clips(tmp_path / "a.txt")


def test_labels_in_another_spelling_are_joined(tmp_path):
    touch(tmp_path / "006" / "a.mp4", tmp_path / "007" / "EP01.avi", tmp_path / "007" / "b.mp4")
    (tmp_path / "labels.csv").write_text("subject,clip,label\n6,A.mp4,pos\n7.0,ep1 ,neg\n7,c,neg\n")
    with pytest.warns(UserWarning, match=r"2 rows of the labels fit .*, such as 6/A\.mp4 is 006/a"):
        table = list_clips(tmp_path)
    assert table[["subject", "clip", "label", "status"]].to_numpy().tolist() == [
        ["006", "a", "pos", ""], ["007", "EP01", "neg", ""], ["007", "b", "", ""], ["7", "c", "neg", "missing_clip"],
    ]  # fmt: skip


def test_a_clip_that_is_labeled_already_is_only_suggested(tmp_path):
    touch(tmp_path / "1" / "a.mp4")
    (tmp_path / "labels.csv").write_text("subject,clip,label\n1,a,pos\n01,a,neg\n")
    missing = list_clips(tmp_path).set_index("subject").loc["01"]
    assert missing["status"] == "missing_clip"
    assert missing["message"] == "labeled, but not in the folder; did you mean 1/a?"


@pytest.mark.parametrize("name", ["Labels.csv", "labels.CSV", "labels.csv.txt", "label.csv", "lables.csv"])
def test_a_label_file_with_a_similar_name_is_read(tmp_path, name):
    touch(tmp_path / "bo" / "a.mp4")
    (tmp_path / name).write_text("subject;clip;label\nbo;a;x\n")
    assert list_clips(tmp_path)["label"].tolist() == ["x"]
    (tmp_path / "Labels.txt").write_text("subject,clip,label\nbo,a,y\n")
    with pytest.raises(SamplesError, match=r"name one of them labels\.csv"):
        list_clips(tmp_path)


def test_clips_in_other_places_are_rows_and_other_files_are_named(tmp_path):
    touch(tmp_path / "p1" / "a.mp4", tmp_path / "p1" / "day2" / "deep.mp4", tmp_path / "p1" / "pictures" / "x.webp")
    touch(tmp_path / "p1" / "photo1.jpg", tmp_path / "notes.docx")
    write_picture(tmp_path / "p1" / "webp" / "img1.webp", 1)
    with pytest.warns(UserWarning, match=r"neither clips nor labels, so ignored: notes.docx, p1/photo1.jpg"):
        table = list_clips(tmp_path)
    assert table.set_index("clip")["status"].to_dict() == {
        "a": "", "webp": "", "day2/deep": "unreadable", "pictures": "unreadable",
    }  # fmt: skip
    assert "p1/day2/deep.mp4 is one folder too deep" in " ".join(table["message"])
