"""Paths in a flow folder, its `run.json`, and when a run may resume in it."""

import json
import re

import pandas as pd
import pytest

from mer.datasets.samples import SamplesError, conform, write_samples
from mer.extraction.flow_folder import (
    LIBRARIES,
    LONGEST_NAME,
    SETTINGS,
    command,
    earlier_run,
    flow_path,
    inside,
    read_run,
    refuse_equal_paths,
    refuse_foreign,
    run_record,
    versions,
)

RECORDED = {
    **dict.fromkeys(SETTINGS),
    "method": "dis",
    "align": "mtcnn",
    "size": 64,
    "stabilize": False,
    "apex": "flow",
}


def table(**columns) -> pd.DataFrame:
    row = {"dataset": "d", "subject": "s", "clip": "c", "onset": 3, "status": "ok", "path": "d/s/c_3.npz", **columns}
    return conform(pd.DataFrame([row]))


def record(videos, **changed):
    return run_record({**RECORDED, "face": "largest", **changed}, videos, table())


@pytest.fixture
def folder(tmp_path):
    """A flow folder of one clip, made by an earlier run."""
    (tmp_path / "videos").mkdir()
    out = tmp_path / "flows"
    (out / "d/s").mkdir(parents=True)
    (out / "d/s/c_3.npz").write_bytes(b"flow")
    write_samples(table(), out / "samples.csv")
    (out / "run.json").write_text(json.dumps(record(tmp_path / "videos")))
    return out


# --- names ---


def test_a_path_consists_of_dataset_subject_clip_and_onset():
    assert flow_path({"dataset": "casme2", "subject": "sub01", "clip": "EP02_01f", "onset": 46}) == (
        "casme2/sub01/EP02_01f_46.npz"
    )


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a/b", "a_b"), ("a\\b", "a_b"), ('<a:b*"?|>', "_a_b_____"), (".", "_"), ("..", "_"), (".a.", ".a."),
     ("é 1", "é 1"), ("a\nb", "a_b"), ("a\x1f\x20", "a_ "), ("", "_")],
)  # fmt: skip
def test_special_characters_become_underscores(name, safe):
    assert flow_path({"dataset": name, "subject": name, "clip": name, "onset": 0}) == f"{safe}/{safe}/{safe}_0.npz"


def test_long_names_are_shortened_and_stay_different():
    longest = "x" * LONGEST_NAME
    assert flow_path({"dataset": "d", "subject": "s", "clip": longest, "onset": 0}) == f"d/s/{longest}_0.npz"
    names = [longest + "a", longest + "b", "é" * LONGEST_NAME]
    paths = [flow_path({"dataset": "d", "subject": "s", "clip": name, "onset": 0}) for name in names]
    assert len(set(paths)) == 3
    for name, path in zip(names, paths):
        file = path.split("/")[2]
        length = len(file.removesuffix("_0.npz").encode())
        assert length == LONGEST_NAME - (name[0] == "é")  # letters of two bytes are not cut in half
        kept, mark, digest = file.removesuffix("_0.npz").rpartition("~")
        assert mark
        assert len(digest) == 12
        assert name.startswith(kept)


def test_two_clips_with_one_path_are_refused_unless_one_has_failed():
    two = pd.concat([table(status="", path="d/s/c_3.npz"), table(status="", path="D/s/C_3.npz", clip="C")])
    with pytest.raises(SamplesError, match=r"two clips would be written to D/s/C_3\.npz; rename s/C"):
        refuse_equal_paths(two)
    refuse_equal_paths(pd.concat([two[:1], two[1:].assign(status="missing_frames")]))
    refuse_equal_paths(two[:1])
    refuse_equal_paths(two.assign(path=["d/s/ß_3.npz", "d/s/ss_3.npz"]))


@pytest.mark.parametrize(
    ("path", "is_inside"), [("a/b", True), ("a/../b", True), ("../b", False), ("/etc/passwd", False)]
)
def test_paths_outside_the_folder_are_recognized(tmp_path, path, is_inside):
    assert inside(tmp_path, path) is is_inside


# --- run.json ---


def test_the_record_holds_the_settings(tmp_path):
    (tmp_path / "NOTE.txt").write_text("  Synthetic.\n")
    found = record(tmp_path)
    assert found["note"] == "Synthetic."
    assert found["inputs"] == {"d": str(tmp_path.resolve())}
    assert found["seed"] is None
    assert {name: found[name] for name in SETTINGS} == {**RECORDED, "face": "largest"}
    assert set(found["versions"]) == {"mer", "python", *LIBRARIES}
    assert isinstance(found["command"], list)
    assert record(tmp_path / "none")["note"] == ""


@pytest.mark.parametrize(
    ("program", "name"),
    [("/usr/bin/mer", "mer"), ("/lib/mer/__main__.py", "mer"), ("/lib/pytest/__main__.py", "pytest")],
)
def test_the_command_starts_with_the_name_of_the_program(monkeypatch, program, name):
    monkeypatch.setattr("sys.argv", [program, "extract-flow", "videos"])
    assert command() == [name, "extract-flow", "videos"]


def test_a_missing_library_is_recorded_as_not_installed(monkeypatch):
    monkeypatch.setattr("mer.extraction.flow_folder.LIBRARIES", ("numpy", "no-such-library"))
    assert versions()["no-such-library"] == "not installed"
    assert versions()["numpy"][0].isdigit()


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"inputs": []}', '{"inputs": "a"}'])
def test_a_damaged_run_json_is_reported(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json is damaged.*--overwrite"):
        read_run(tmp_path / "run.json")


# --- resuming ---


def test_a_run_with_the_same_settings_resumes(folder, tmp_path):
    now = record(tmp_path / "videos")
    earlier = earlier_run(folder, now, overwrite=False)
    assert earlier["path"].tolist() == ["d/s/c_3.npz"]
    assert (folder / "d/s/c_3.npz").exists()
    assert now["inputs"] == {"d": str((tmp_path / "videos").resolve())}


def test_inputs_and_note_of_the_earlier_run_are_kept(folder, tmp_path):
    old = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**old, "note": "Old.", "inputs": {**old["inputs"], "other": "/gone"}}))
    now = record(tmp_path / "videos")
    earlier_run(folder, now, overwrite=False)
    assert now["note"] == "Old."
    assert now["inputs"] == {**old["inputs"], "other": "/gone"}
    now = {**record(tmp_path / "videos"), "note": "New."}
    earlier_run(folder, now, overwrite=False)
    assert now["note"] == "New."


@pytest.mark.parametrize(
    ("name", "value"),
    [("method", "tvl1"), ("weights", "a"), ("weights_sha256", "0"), ("align", "mediapipe"), ("size", 65),
     ("stabilize", True), ("face", "left"), ("apex", "strain"), ("apex_flow", {"method": "dis"})],
)  # fmt: skip
def test_a_different_setting_is_refused_by_name(folder, tmp_path, name, value):
    was = {**RECORDED, "face": "largest"}[name]
    words = re.escape(f"made with {name} {was!r}, now {value!r}; choose another --out, or --overw")
    with pytest.raises(ValueError, match=words):
        earlier_run(folder, record(tmp_path / "videos", **{name: value}), overwrite=False)


def test_a_record_without_an_apex_search_can_be_resumed(folder, tmp_path):
    run = json.loads((folder / "run.json").read_text())
    del run["apex"], run["apex_flow"]
    (folder / "run.json").write_text(json.dumps(run))
    assert len(earlier_run(folder, record(tmp_path / "videos"), overwrite=False)) == 1


def test_other_videos_of_the_same_database_are_refused_while_the_first_exist(folder, tmp_path):
    (tmp_path / "more").mkdir()
    with pytest.raises(
        ValueError, match=r"holds flows of 'd' from .*videos, not .*more; .* in labels\.csv, or --overwrite$"
    ):
        earlier_run(folder, record(tmp_path / "more"), overwrite=False)
    (tmp_path / "videos").rmdir()  # moved
    assert len(earlier_run(folder, record(tmp_path / "more"), overwrite=False)) == 1


def test_overwrite_removes_the_flows_and_their_table_and_nothing_else(folder, tmp_path):
    (folder / "mine.txt").write_text("kept")
    outside = tmp_path / "c_3.npz"
    outside.write_bytes(b"kept")
    rows = [table(), table(path="d/s/b_1.npz", clip="b", status="no_face"), table(path="../c_3.npz", clip="a")]
    write_samples(pd.concat(rows), folder / "samples.csv")
    (folder / "d/s/b_1.npz").write_bytes(b"kept")
    assert len(earlier_run(folder, record(tmp_path / "videos", size=65), overwrite=True)) == 0
    left = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert left == ["b_1.npz", "mine.txt", "run.json"]
    assert outside.exists()
    (folder / "run.json").unlink()
    assert len(earlier_run(folder, record(tmp_path / "videos"), overwrite=False)) == 0


def test_a_folder_with_other_files_is_refused_without_overwrite(folder, tmp_path):
    refuse_foreign(folder, overwrite=False)
    refuse_foreign(tmp_path / "none", overwrite=False)
    with pytest.raises(ValueError, match="is not empty and not a flow folder"):
        refuse_foreign(tmp_path, overwrite=False)
    refuse_foreign(tmp_path, overwrite=True)


def test_the_command_is_recorded_as_typed(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/mer", "extract-flow", "videos"])
    assert record(tmp_path)["command"] == ["mer", "extract-flow", "videos"]


def test_a_run_killed_before_its_table_was_written_resumes(folder, tmp_path):
    (folder / "samples.csv").unlink()
    for overwrite in (False, True):
        assert len(earlier_run(folder, record(tmp_path / "videos"), overwrite)) == 0


def test_overwrite_accepts_a_missing_flow(folder, tmp_path):
    (folder / "d/s/c_3.npz").unlink()
    assert len(earlier_run(folder, record(tmp_path / "videos"), overwrite=True)) == 0
    assert not (folder / "samples.csv").exists()


@pytest.mark.parametrize("left_out", ["note", "inputs"])
def test_a_record_without_note_or_inputs_can_be_resumed(folder, tmp_path, left_out):
    old = json.loads((folder / "run.json").read_text())
    del old[left_out]
    (folder / "run.json").write_text(json.dumps(old))
    now = record(tmp_path / "videos")
    assert len(earlier_run(folder, now, overwrite=False)) == 1
    assert (now["note"], now["inputs"]) == ("", {"d": str((tmp_path / "videos").resolve())})
