"""What has changed since the last run is made again, and nothing else."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import read_samples
from mer.extraction.clip import extract_clip
from mer.extraction.extract import extract_flow
from mer.extraction.frame_files import clip_path
from mer.extraction.sources import content_hash, find_sources, is_same, read_sources, write_sources
from mer.utils.progress import untracked
from tests.datasets.test_video import write_picture, write_video
from tests.extraction.test_extract import contents, still
from tests.faults.test_clips import seen

LABELS = "subject,clip,onset,apex,offset,fps,label,aus\n"


@pytest.fixture
def videos(tmp_path, monkeypatch) -> Path:
    """A folder of six frames, a video of six frames, and their labels."""
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    for number in range(1, 7):
        write_picture(tmp_path / "videos" / "al" / "frames" / f"{number}.png", 30 * number)
    write_video(tmp_path / "videos" / "al" / "video.mp4", n=6)
    label(tmp_path / "videos")
    return tmp_path / "videos"


def label(videos: Path, frames: str = "1,3,5,100,happy,12", video: str = "0,3,5,,sad,4") -> None:
    (videos / "labels.csv").write_text(f"{LABELS}al,frames,{frames}\nal,video,{video}\n")


def extract(videos: Path, **options) -> tuple[pd.DataFrame, set[str]]:
    """The table by clip, and the clips that were extracted."""
    made: set[str] = set()
    out = videos.parent / "flows"

    def note(row, *rest):
        made.add(row["clip"])
        return extract_clip(row, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mer.extraction.extract.extract_clip", note)
        table = extract_flow(videos, out, **{"method": still, "size": 64, "apex": "midpoint", **options})
    assert (table["status"] == "ok").all(), table["message"].tolist()
    assert table.equals(read_samples(out))
    return table.set_index("clip"), made


def as_made_from_scratch(videos: Path, **options) -> bool:
    """Whether the flow folder equals one without an earlier run."""
    out = videos.parent / "flows"
    extract_flow(videos, videos.parent / "fresh", **{"method": still, "size": 64, "apex": "midpoint", **options})
    fresh, here = contents(videos.parent / "fresh"), contents(out)
    return {name: data for name, data in fresh.items() if name != ".mer-sources.csv"} == {
        name: data for name, data in here.items() if name != ".mer-sources.csv"
    }


def test_nothing_is_made_again_without_a_change(videos):
    assert extract(videos)[1] == {"frames", "video"}
    assert extract(videos)[1] == set()
    assert extract(videos, verify=True)[1] == set()


@pytest.mark.parametrize("verify", [False, True])
def test_a_changed_video_is_extracted_again(videos, verify):
    extract(videos, verify=verify)
    write_video(videos / "al" / "video.mp4", n=7)
    notes: list[str] = []
    assert extract(videos, verify=verify, warn=notes.append)[1] == {"video"}
    assert notes == ["1 clip is extracted again, since the video or a label has changed, such as al/video"]
    assert extract(videos, verify=verify)[1] == set()
    assert as_made_from_scratch(videos)


def test_a_changed_frame_is_noticed_in_a_folder(videos):
    extract(videos)
    write_picture(videos / "al" / "frames" / "5.png", 255)
    assert extract(videos)[1] == {"frames"}
    os.rename(videos / "al/frames/5.png", videos / "al/frames/50.png")
    os.rename(videos / "al/frames/6.png", videos / "al/frames/5.png")
    assert extract(videos)[1] == {"frames"}  # size and time of the folder are as before
    (videos / "al" / "frames" / "Thumbs.db").touch()
    assert extract(videos)[1] == set()


def test_a_touched_video_is_not_extracted_again_if_its_content_is_known(videos):
    extract(videos, verify=True)
    for options in ({}, {"verify": True}, {}):
        os.utime(videos / "al" / "video.mp4")
        assert extract(videos, **options)[1] == set()


def test_verify_notices_a_change_that_keeps_size_and_time(videos):
    video = videos / "al" / "video.mp4"
    extract(videos, verify=True)
    before, data = video.stat(), bytearray(video.read_bytes())
    data[-1] ^= 1
    video.write_bytes(data)
    os.utime(video, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert extract(videos)[1] == set()
    assert extract(videos, verify=True)[1] == {"video"}


def test_corrected_labels_reach_the_table_without_extraction(videos):
    extract(videos)
    label(videos, "1,3,6,200,angry,1+2", "0,3,4,25,fear,5")
    table, made = extract(videos)
    assert made == set()
    assert table["label"].to_dict() == {"frames": "angry", "video": "fear"}
    assert table["aus"].to_dict() == {"frames": "1+2", "video": "5"}
    assert table["offset"].to_dict() == {"frames": 6, "video": 4}
    assert table["fps"].to_dict() == {"frames": 200, "video": 25}
    assert as_made_from_scratch(videos)
    label(videos, "1,3,,,angry,1+2", "0,3,99,,fear,5")  # back to what the files say
    table, made = extract(videos)
    assert made == set()
    assert table["offset"].to_dict() == {"frames": 6, "video": 5}
    assert table.loc["video", "fps"] > 0
    assert np.isnan(table.loc["frames", "fps"])


def test_a_corrected_apex_is_extracted_again(videos):
    extract(videos)
    label(videos, "1,4,5,100,happy,12")
    table, made = extract(videos)
    assert made == {"frames"}
    assert table.loc["frames", ["apex", "apex_source"]].tolist() == [4, "label"]
    label(videos, "1,,5,100,happy,12")
    table, made = extract(videos)
    assert made == {"frames"}
    assert table.loc["frames", ["apex", "apex_source"]].tolist() == [3, "midpoint"]
    assert as_made_from_scratch(videos)


def test_a_corrected_onset_replaces_the_flow(videos):
    extract(videos, clips=True)
    label(videos, "2,3,5,100,happy,12")
    assert extract(videos, clips=True)[1] == {"frames"}
    flows = videos.parent / "flows" / "videos" / "al"
    assert sorted(path.name for path in flows.iterdir()) == [
        "frames_2.clip.npz", "frames_2.npz", "video_0.clip.npz", "video_0.npz",
    ]  # fmt: skip
    assert as_made_from_scratch(videos, clips=True)


def test_a_corrected_offset_is_extracted_again_if_something_depends_on_it(videos):
    label(videos, "1,,5,100,happy,12")
    extract(videos)
    label(videos, "1,,6,100,happy,12")
    assert extract(videos)[1] == {"frames"}  # the apex is searched up to the offset
    extract(videos, clips=True)
    label(videos, "1,,6,100,happy,12", "0,3,4,,sad,4")
    assert extract(videos, clips=True)[1] == {"video"}  # frames are kept up to the offset
    assert as_made_from_scratch(videos, clips=True)
    assert clip_path(videos.parent / "flows/videos/al/video_0.npz").is_file()


def test_an_offset_before_the_apex_is_extracted_again(videos):
    extract(videos)
    label(videos, "1,3,2,100,happy,12")
    table, made = extract(videos)
    assert made == {"frames"}
    assert "labeled apex 3 is not between onset 1 and offset 2" in table.loc["frames", "message"]
    assert extract(videos)[1] == set()


def test_a_folder_without_the_record_is_accepted(videos):
    extract(videos)
    (videos.parent / "flows" / ".mer-sources.csv").unlink()
    write_video(videos / "al" / "video.mp4", n=7)
    label(videos, "1,4,5,100,happy,12", "0,3,5,30,sad,4")
    table, made = extract(videos)
    assert made == {"frames"}  # the apex is in the table
    assert table.loc["video", "fps"] == 30
    assert extract(videos)[1] == set()
    write_video(videos / "al" / "video.mp4", n=8)
    assert extract(videos)[1] == {"video"}


def test_records_of_other_datasets_stay(videos, tmp_path):
    extract(videos)
    other = tmp_path / "more"
    (other / "bo").mkdir(parents=True)
    write_video(other / "bo" / "clip.mp4", n=6)
    (other / "labels.csv").write_text("subject,clip,apex,dataset\nbo,clip,3,more\n")
    extract_flow(other, tmp_path / "flows", method=still, size=64, apex="midpoint")
    assert sorted(read_sources(tmp_path / "flows")) == [
        "more/bo/clip_0.npz", "videos/al/frames_1.npz", "videos/al/video_0.npz",
    ]  # fmt: skip
    table = read_samples(tmp_path / "flows")
    assert (table["status"] == "ok").sum() == 3


def test_a_killed_run_leaves_no_old_flow_for_a_new_source(videos, monkeypatch):
    extract(videos)
    write_video(videos / "al" / "video.mp4", n=7)

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    for where in ("write_sources", "extract_clip"):
        with monkeypatch.context() as patch:
            patch.setattr(f"mer.extraction.extract.{where}", killed)
            with pytest.raises(KeyboardInterrupt):
                extract_flow(videos, videos.parent / "flows", method=still, size=64, apex="midpoint")
    assert extract(videos)[1] == {"video"}
    assert as_made_from_scratch(videos)


def test_versions_are_recorded_by_clip(videos, monkeypatch):
    def run() -> dict:
        extract(videos)
        return json.loads((videos.parent / "flows" / "run.json").read_text())

    first = run()
    assert "groups" not in first
    monkeypatch.setattr("mer.extraction.flow_folder.__version__", "99.0")
    assert run() == first  # nothing was made
    write_video(videos / "al" / "video.mp4", n=7)
    second = run()
    assert second["versions"]["mer"] == "99.0"
    old, new = {"versions": first["versions"], "clips": ["videos/al/frames_1.npz"]}, ["videos/al/video_0.npz"]
    assert second["groups"] == [{"versions": second["versions"], "clips": new}, old]
    write_video(videos / "al" / "more.mp4", n=6)
    third = run()
    assert third["groups"][0]["clips"] == ["videos/al/more_0.npz", *new]
    assert third["groups"][1] == old
    write_picture(videos / "al" / "frames" / "5.png", 255)
    assert "groups" not in run()  # all clips by one version


# --- the record ---


def row(source: Path, **labels) -> dict:
    return {"path": "a", "source": str(source), "apex": None, "offset": pd.NA, "fps": float("nan"), **labels}


def test_the_record_survives_a_round_trip(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"abc")
    sources = find_sources([row(tmp_path / "v.mp4", apex=3, fps=29.97)], {}, True, untracked)
    write_sources(tmp_path, sources)
    assert read_sources(tmp_path) == sources
    assert sources["a"] == {
        "size": "3", "mtime": str((tmp_path / "v.mp4").stat().st_mtime_ns), "listing": "",
        "sha256": content_hash(tmp_path / "v.mp4"), "apex": "3", "offset": "", "fps": "29.97",
    }  # fmt: skip


def test_a_missing_source_differs_from_an_existing_one(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"abc")
    before = find_sources([row(tmp_path / "v.mp4")], {}, True, untracked)
    after = find_sources([row(tmp_path / "gone.mp4")], before, True, untracked)
    assert not is_same(after["a"], before["a"])


def test_a_damaged_record_is_reported(tmp_path):
    (tmp_path / ".mer-sources.csv").write_bytes(b"path,size\na,b,c,d\n\xff")
    with pytest.raises(ValueError, match=r"sources\.csv is damaged.*remove it"):
        read_sources(tmp_path)
