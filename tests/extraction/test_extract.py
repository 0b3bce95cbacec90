import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import COLUMNS, SamplesError, read_samples
from mer.extraction.extract import extract_flow
from mer.flow import Flow, load_flow
from tests.datasets.test_video import write_picture, write_video


def still(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    """A flow method that returns zeros."""
    return np.zeros((*onset.shape[:2], 2), np.float32)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def flows(sample_videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("extract") / "flows"
    extract_flow(sample_videos, out)
    return out


def test_a_flow_folder_is_complete(sample_videos, flows):
    table = read_samples(flows)
    assert tuple(table.columns) == COLUMNS
    assert (table["status"] == "ok").all()
    assert table["label"].value_counts().to_dict() == {"negative": 2, "positive": 2, "surprise": 2}
    assert (table["apex_source"] == "label").all()
    assert table["scale"].between(60, 160).all()
    assert table["fps"].tolist() == [50] * 6
    for row in table.to_dict("records"):
        assert row["path"] == f"{row['dataset']}/{row['subject']}/{row['clip']}_{row['onset']}.npz"
        with np.load(flows / row["path"], allow_pickle=False) as archive:
            arrays = dict(archive)
        assert set(arrays) == {"facial", "head", "expression", "mask"}
        assert arrays["mask"].dtype == np.uint8
        assert arrays["mask"].shape == (224, 224)
        assert 0.2 < arrays["mask"].mean() < 0.9
        for name in ("facial", "head", "expression"):
            assert arrays[name].dtype == np.float32
            assert arrays[name].shape == (224, 224, 2)
        assert np.abs(arrays["facial"] - arrays["head"] - arrays["expression"]).max() < 1e-5
        assert 0.01 < np.abs(arrays["expression"]).max() < 20


def test_run_json_records_how_the_flows_were_made(sample_videos, flows):
    run = json.loads((flows / "run.json").read_text())
    assert {"command", "versions", "seed", "method", "weights", "weights_sha256", "align", "size"} <= set(run)
    assert run["size"] == 224
    assert run["inputs"] == {"sample": str(sample_videos.resolve())}
    assert run["note"].startswith("Synthetic")


def test_a_run_with_nothing_to_do_keeps_run_json(sample_videos, flows, monkeypatch):
    before = (flows / "run.json").read_bytes()
    monkeypatch.setattr("sys.argv", ["/usr/bin/other.py", "--again"])
    extract_flow(sample_videos, flows)
    assert (flows / "run.json").read_bytes() == before


def test_the_mouth_corners_of_a_drawn_smile_move_up_and_outward(flows, sample_videos):
    table = read_samples(flows)
    units = pd.read_csv(sample_videos / "labels.csv").set_index(["subject", "clip"])["aus"].astype(str)
    for row in table[table["label"] == "positive"].to_dict("records"):
        assert "12" in units[row["subject"], row["clip"]]
        flow = load_flow(flows / row["path"])
        ys, xs = np.nonzero(flow.mask)
        lower = ys > np.quantile(ys, 0.65)
        ys, xs = ys[lower], xs[lower]
        strongest = np.argsort(-np.linalg.norm(flow.expression[ys, xs], axis=1))[:300]
        vectors, side = flow.expression[ys[strongest], xs[strongest]], xs[strongest] - 112
        assert vectors[:, 1].mean() < 0
        assert (np.sign(side) * vectors[:, 0]).mean() > 0


def test_a_second_run_makes_only_missing_flows(sample_videos, tmp_path):
    extract_flow(sample_videos, tmp_path / "flows", method=still)
    before = contents(tmp_path / "flows")
    paths = sorted((tmp_path / "flows").rglob("*.npz"))
    times = {path: path.stat().st_mtime_ns for path in paths[1:]}
    paths[0].unlink()
    extract_flow(sample_videos, tmp_path / "flows", method=still)
    assert contents(tmp_path / "flows") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_an_interrupted_run_resumes_to_the_same_bytes(sample_videos, tmp_path, flows):
    def stop_at_three(items, total, what):
        for done, item in enumerate(items):
            if done == 3:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        extract_flow(sample_videos, tmp_path / "flows", track=stop_at_three)
    assert (read_samples(tmp_path / "flows")["status"] == "ok").sum() == 3
    counts = []
    extract_flow(sample_videos, tmp_path / "flows", track=lambda items, total, what: counts.append(total) or items)
    assert counts == [3]
    assert contents(tmp_path / "flows") == contents(flows)


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_workers(sample_videos, tmp_path, flows):
    extract_flow(sample_videos, tmp_path / "flows", workers=2)
    assert contents(tmp_path / "flows") == contents(flows)


def test_other_settings_are_refused_without_overwrite(sample_videos, tmp_path):
    extract_flow(sample_videos, tmp_path / "flows", method=still)
    with pytest.raises(ValueError, match="size 224, now 128; choose another --out, or --overwrite"):
        extract_flow(sample_videos, tmp_path / "flows", method=still, size=128)
    with pytest.raises(ValueError, match="method"):
        extract_flow(sample_videos, tmp_path / "flows", method="farneback")
    table = extract_flow(sample_videos, tmp_path / "flows", method=still, size=128, overwrite=True)
    assert load_flow(tmp_path / "flows" / table["path"][0]).facial.shape == (128, 128, 2)


def test_a_folder_with_other_files_is_refused(sample_videos, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty and not a flow folder"):
        extract_flow(sample_videos, tmp_path, method=still)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_changed_labels_remake_only_their_clips(sample_videos, tmp_path):
    videos = shutil.copytree(sample_videos, tmp_path / "videos")
    extract_flow(videos, tmp_path / "flows", method=still)
    labels = pd.read_csv(videos / "labels.csv", dtype=str)
    labels.loc[0, "apex"] = "5"
    labels.loc[1, "label"] = "other"
    labels.to_csv(videos / "labels.csv", index=False)
    counts = []
    table = extract_flow(
        videos, tmp_path / "flows", method=still, track=lambda items, total, what: counts.append(total) or items
    )
    assert counts == [1]
    changed = table[(table["subject"] == labels.loc[1, "subject"]) & (table["clip"] == labels.loc[1, "clip"])]
    assert changed["label"].item() == "other"


def test_several_databases_share_one_flow_folder(sample_videos, tmp_path):
    extract_flow(sample_videos, tmp_path / "flows", method=still)
    clip = next((sample_videos / "p01").glob("*.mp4"))
    table = extract_flow(clip, tmp_path / "flows", method=still)
    assert len(table) == 1
    assert read_samples(tmp_path / "flows")["dataset"].value_counts().to_dict() == {"sample": 6, "videos": 1}


def test_every_fault_has_a_status(sample_videos, tmp_path):
    videos = tmp_path / "videos"
    good = next((sample_videos / "p01").glob("*.mp4"))
    for name in ("good", "offset", "gone", "wrong_apex", "cut_off"):
        (videos / "al").mkdir(parents=True, exist_ok=True)
        shutil.copy(good, videos / "al" / f"{name}.mp4")
    write_video(videos / "al" / "grey.mp4", size=(320, 240))
    write_video(videos / "al" / "short.mp4", n=1)
    (videos / "al" / "broken.mp4").write_bytes(b"no video")
    write_picture(videos / "al" / "frames" / "img1.png", 9)
    write_picture(videos / "al" / "frames" / "img01.png", 9)
    (videos / "labels.csv").write_text(
        "subject,clip,onset,apex,offset\n"
        "al,good,2,9,\nal,offset,9,,4\nal,gone,40,,\nal,wrong_apex,3,2,\nal,nowhere,,,\nal,cut_off,,99,\n"
    )
    table = extract_flow(videos, tmp_path / "flows", method=still).set_index("clip")
    assert table["status"].to_dict() == {
        "broken": "unreadable",
        "frames": "unreadable",
        "gone": "missing_frames",
        "good": "ok",
        "grey": "no_face",
        "nowhere": "missing_clip",
        "offset": "bad_annotation",
        "short": "too_short",
        "cut_off": "missing_frames",
        "wrong_apex": "ok",
    }
    assert table.loc["good", ["onset", "apex", "offset", "apex_source"]].tolist() == [2, 9, 19, "label"]
    assert table.loc["wrong_apex", "apex_source"] == "spotted"
    assert "labeled apex 2 is not between onset 3 and offset 19" in table.loc["wrong_apex", "message"]
    assert (table.loc[table["status"] != "ok", "message"] != "").all()
    assert sorted(path.name for path in (tmp_path / "flows").rglob("*.npz")) == [
        "good_2.npz",
        "wrong_apex_3.npz",
    ]


def test_a_lost_face_has_a_status(astronaut, tmp_path):
    folder = tmp_path / "videos" / "al" / "a"
    folder.mkdir(parents=True)
    from PIL import Image

    Image.fromarray(astronaut).save(folder / "1.png")
    Image.fromarray(np.full_like(astronaut, 90)).save(folder / "2.png")
    (tmp_path / "videos" / "labels.csv").write_text("subject,clip,apex\nal,a,2\n")
    table = extract_flow(tmp_path / "videos", tmp_path / "flows", method=still)
    assert table["status"].tolist() == ["face_lost"]


def test_names_cannot_escape_the_folder(sample_videos, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(next((sample_videos / "p01").glob("*.mp4")), videos / "a.mp4")
    (videos / "labels.csv").write_text("subject,clip,dataset\n..,a,../..\n")
    table = extract_flow(videos, tmp_path / "out" / "flows", method=still)
    assert table["status"].tolist() == ["ok"]
    assert len(list((tmp_path / "out" / "flows").rglob("*.npz"))) == len(list(tmp_path.rglob("*.npz"))) == 1


def test_a_custom_method(sample_videos, tmp_path):
    def one_pixel_right(onset, apex):
        assert onset.dtype == np.uint8
        field = np.zeros((*onset.shape[:2], 2), np.float32)
        return Flow.split(field + [1, 0], field)

    clip = next((sample_videos / "p01").glob("*.mp4"))
    table = extract_flow(clip, tmp_path / "flows", method=one_pixel_right)
    assert (load_flow(tmp_path / "flows" / table["path"][0]).expression == [1, 0]).all()
    assert "one_pixel_right" in json.loads((tmp_path / "flows" / "run.json").read_text())["method"]


def test_a_failing_method_has_a_status(sample_videos, tmp_path):
    def broken(onset, apex):
        raise RuntimeError("no memory left")

    table = extract_flow(next((sample_videos / "p01").glob("*.mp4")), tmp_path / "flows", method=broken)
    assert table["status"].tolist() == ["failed"]
    assert table["message"].tolist() == ["RuntimeError: no memory left"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"align": "dlib"}, "unknown face detector 'dlib'; expected mediapipe, mtcnn"),
        ({"face": "tallest"}, "unknown choice of face"),
        ({"size": 8}, "expected 32 to 2048"),
        ({"method": "magic"}, "magic"),
    ],
)
def test_invalid_settings_are_refused(sample_videos, tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        extract_flow(sample_videos, tmp_path / "flows", **wrong)
    assert not (tmp_path / "flows").exists()


def test_two_clips_with_one_file_name_are_refused(sample_videos, tmp_path):
    clip = next((sample_videos / "p01").glob("*.mp4"))
    for subject in ("a?b", "a*b"):
        (tmp_path / "videos" / subject).mkdir(parents=True)
        shutil.copy(clip, tmp_path / "videos" / subject / "c.mp4")
    with pytest.raises(SamplesError, match="two clips would be written to"):
        extract_flow(tmp_path / "videos", tmp_path / "flows", method=still)
