import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mer.datasets import DATASETS, load_dataset
from mer.datasets.example_copies import LAYOUTS, write_layout
from mer.datasets.samples import read_samples
from tests.cli.test_cli import mer  # noqa: F401

CLASSES = {"disgust": "negative", "repression": "negative", "anger": "negative", "contempt": "negative",
           "happiness": "positive"}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(LAYOUTS))
def copy(request, sample_videos, tmp_path_factory) -> tuple[str, Path]:
    name = request.param
    return name, write_layout(sample_videos, tmp_path_factory.mktemp("layouts") / name, name)


@pytest.mark.slow
def test_a_written_layout_is_read_as_the_database(copy, sample_videos):
    name, root = copy
    table = load_dataset(name, root)
    assert (table["status"] == "").all()
    assert set(table["label"]) <= set(DATASETS[name].labels)
    labels = pd.read_csv(sample_videos / "labels.csv")
    assert table["label"].replace(CLASSES).value_counts().to_dict() == labels["label"].value_counts().to_dict()
    if name != "smic":
        assert (table["apex"] - table["onset"]).dropna().isin(labels["apex"] - labels["onset"]).all()


@pytest.mark.slow
def test_all_commands_run_on_a_written_layout(copy, mer, tmp_path):  # noqa: F811
    name, root = copy
    flows = tmp_path / "flows"
    status, out, _ = mer("doctor", "--dataset", name, str(root))
    assert status == 1  # it is whole, but for the counts of the real database
    assert [line.split("|")[2].strip() for line in out.splitlines() if "| WRONG" in line] == ["people", "counts"]
    status, out, err = mer(
        "extract-flow", str(root), "--dataset", name, "--out", str(flows), "--method", "farneback", "--size", "96"
    )
    assert status == 0, err
    assert "6 of 6 clips" in out
    table = read_samples(flows)
    assert set(table["dataset"]) == {name}
    assert all((flows / path).is_file() for path in table["path"])
    assert (table["apex_source"] == ("spotted" if name == "smic" else "label")).sum() >= 5
    status, out, err = mer("evaluate", str(flows), "--protocol", "loso", "--model", "svm-hoof")
    assert status == 0, err
    assert "UF1" in out
    status, _, err = mer("evaluate", str(flows), "--protocol", "megc2019")
    assert status == 2
    assert f"{name} has 2 negative clips, not" in err


@pytest.mark.slow
def test_a_second_extraction_changes_nothing(copy, mer, tmp_path):  # noqa: F811
    name, root = copy
    arguments = ("extract-flow", str(root), "--dataset", name, "--out", str(tmp_path), "--method", "farneback")
    mer(*arguments, "--size", "64")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert mer(*arguments, "--size", "64")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == before


def test_unknown_layouts_and_labels_are_refused(tmp_path, sample_videos):
    with pytest.raises(ValueError, match="cannot write the layout of 'mmew'; expected casme2, samm, smic"):
        write_layout(sample_videos, tmp_path, "mmew")
    shutil.copytree(sample_videos, tmp_path / "videos")
    labels = tmp_path / "videos" / "labels.csv"
    labels.write_text(labels.read_text().replace("surprise", "joy"))
    with pytest.raises(ValueError, match="label 'joy'; expected negative, positive, surprise"):
        write_layout(tmp_path / "videos", tmp_path / "out", "samm")


@pytest.mark.slow
def test_three_layouts_form_a_composite(sample_videos, mer, tmp_path):  # noqa: F811
    flows = tmp_path / "flows"
    for name in LAYOUTS:
        root = write_layout(sample_videos, tmp_path / name, name)
        if name == "samm":  # a frame between onset and apex is lost, which is noted and does no harm
            frames = sorted((root / "SAMM" / "007").rglob("*.jpg"))
            frames[3].unlink()
        settings = ("--out", str(flows), "--method", "farneback", "--size", "64")
        assert mer("extract-flow", str(root), "--dataset", name, *settings)[0] == 0
    assert read_samples(flows)["dataset"].value_counts().to_dict() == {"casme2": 6, "samm": 6, "smic": 6}
    messages = read_samples(flows).query("message != ''")["message"].tolist()
    assert messages == ["1 of 20 frames from onset to offset are missing"]
    rules = yaml.safe_load((Path(__file__).parents[2] / "protocols" / "megc2019.yaml").read_text())
    small = {name: {"negative": 2, "positive": 2, "surprise": 2} for name in LAYOUTS}
    rules |= {"counts": small, "people": dict.fromkeys(LAYOUTS, 2), "list_sha256": ""}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(rules))
    status, out, err = mer("evaluate", str(flows), "--protocol", str(tmp_path / "small.yaml"), "--model", "svm-hoof")
    assert status == 0, err
    assert "UF1" in out
