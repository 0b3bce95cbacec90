import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.samples import SamplesError, read_samples, write_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.protocols.protocol import PROTOCOLS
from mer.extraction.import_flow import import_flow
from mer.flow import Flow, load_flow, save_flow
from tests.datasets.copies import book
from tests.drawn_flows import drawn_field
from tests.published_set import CLASSES, composite_rows, write_published_set


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """442 images and their table; not to be written to."""
    folder = tmp_path_factory.mktemp("published")
    write_published_set(folder)
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_a_published_set_is_evaluated_as_it_is(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("import-flow", published / "images", "--table", published / "list.csv", "--out", "flows")
    assert done.exit_code == 0, done.output
    assert "442 of 442 clips (casme2 145, samm 133, smic 164)" in done.output
    assert "note:" not in done.output
    samples = read_samples("flows")
    assert samples.loc[samples["dataset"] == "samm", "subject"].iloc[0] == "006"
    assert (samples["apex_source"] == "label").all()
    chosen, left_out = PROTOCOLS["megc2019"].select(samples)
    assert chosen["class"].value_counts().to_dict() == {"negative": 250, "positive": 109, "surprise": 83}
    assert left_out.empty
    done = run("evaluate", "flows", "--protocol", "megc2019", "--model", "svm-hoof")
    assert done.exit_code == 0, done.output
    scores = json.loads((tmp_path / "results/megc2019-svm-hoof-expression/scores.json").read_text())
    assert (scores["n"], scores["n_subjects"], scores["n_failed"]) == (442, 68, 0)
    assert scores["uf1"] > 0.9
    assert "The median of a channel represents no motion" in " ".join(
        done.output.split()
    )  # what is lost, in every result


@pytest.mark.slow
def test_scores_barely_fall_by_min_max_scaling(tmp_path):
    """The same 442 noisy fields, as metric flow and as published images."""
    rng = np.random.default_rng(2)
    rows = composite_rows()
    fields = [drawn_field(CLASSES[label], rng, 28, noise=3.0) * rng.lognormal(0, 0.5) for label in rows["label"]]
    write_published_set(tmp_path, fields)
    samples = import_flow(tmp_path / "images", tmp_path / "list.csv", tmp_path / "imported")
    for path, field in zip(samples["path"], fields):
        save_flow(tmp_path / "metric" / path, Flow.split(field, np.zeros_like(field)))
    write_samples(samples, tmp_path / "metric/samples.csv")
    metric, imported = (
        evaluate(tmp_path / name, "megc2019", "svm-hoof", seeds=1).scores["uf1"] for name in ("metric", "imported")
    )
    assert 0.6 < imported < 0.97  # neither trivial nor lost
    assert imported > metric - 0.05


def test_what_a_flow_file_holds(published, tmp_path):
    table = import_flow(published / "images", published / "list.csv", tmp_path / "flows")
    row = table[table["dataset"] == "samm"].iloc[0]
    assert row["path"] == f"samm/006/{row['clip']}_0.npz"
    flow = load_flow(tmp_path / "flows" / row["path"])
    np.testing.assert_array_equal(flow.expression, flow.facial - flow.head)
    assert not flow.head.any()
    np.testing.assert_allclose(np.median(flow.expression, axis=(0, 1)), 0)
    np.testing.assert_allclose(np.ptp(flow.expression, axis=(0, 1)), 1)
    with np.load(tmp_path / "flows" / row["path"], allow_pickle=False) as archive:
        image = cv2.imread(str(published / "images" / f"006_{row['clip']} .png"))[..., ::-1]
        np.testing.assert_array_equal(archive["strain"], image[..., 2])
    restored = flow.expression * 255  # u and v up to a constant
    np.testing.assert_allclose(restored - restored[0, 0], image[..., :2] - image[0, 0, :2].astype(float), atol=1e-4)
    assert pd.isna(row["onset"])
    assert pd.isna(row["scale"])


# --- what such a set may do ------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """Six clips whose images are flat but for the channels: a writer of images, and the table."""
    images = tmp_path / "images"
    images.mkdir()
    table = composite_rows().groupby("dataset").head(2).reset_index(drop=True).astype(str)

    def write(name: str, levels: tuple[int, int, int] = (10, 20, 30), kind: type = np.uint8) -> None:
        """An image with `levels` of red, green and blue; one pixel is brighter by its channel's number and one."""
        pixels = np.full((4, 4, 3), levels, kind)
        pixels[0, 0] += np.array([1, 2, 3], kind)
        path = images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode(path.suffix, pixels[..., ::-1])[1].tofile(path)

    for row in table.to_dict("records"):
        write(f"{row['sub']}_{row['filename_o']} .png")
    return write, table, tmp_path


def imported(table: pd.DataFrame, folder, **options) -> tuple[pd.DataFrame, list[str]]:
    notes: list[str] = []
    table.to_csv(folder / "list.csv", index=False)
    options = {"overwrite": True, "warn": notes.append} | options
    return import_flow(folder / "images", folder / "list.csv", folder / "flows", **options), notes


def test_run_json_says_what_is_lost_and_what_it_was_made_of(small):
    _, table, folder = small
    imported(table, folder)
    record = json.loads((folder / "flows/run.json").read_text())
    assert record["method"] == "imported"
    assert record["size"] == 4
    assert record["import"]["lost"] == ["scale", "sign", "zero"]
    assert record["import"]["zero"].startswith("the median")
    assert record["import"]["images"] == 6
    assert len(record["import"]["table_sha256"]) == len(record["import"]["images_sha256"]) == 64
    imported(table, folder, overwrite=False)  # again does no harm
    with pytest.raises(ValueError, match="holds other flows"):
        imported(table, folder, order="bgr", overwrite=False)
    imported(table, folder, order="bgr")


def test_channels_in_the_order_of_opencv(small):
    _, table, folder = small
    first, _ = imported(table, folder, scaling="centered")
    path = folder / "flows" / first["path"].iloc[0]
    assert load_flow(path).expression[1, 1].tolist() == [10 - 128, 20 - 128]
    imported(table, folder, scaling="centered", order="bgr")
    assert load_flow(path).expression[1, 1].tolist() == [30 - 128, 20 - 128]
    assert json.loads((folder / "flows/run.json").read_text())["import"]["lost"] == ["scale"]


def test_names_of_images_may_be_spelled_in_many_ways(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    names = ["SUB01_EP00_01F.PNG", "2_EP01_01f.bmp", "6_006_0_2.png", "007_007_1_2 .TIF", "s01_s1_ne_00.png", "x.png"]
    for name in names:
        write(name)
    table.loc[5, "imagename"] = "x.png"
    samples, notes = imported(table, folder)
    assert (samples["status"] == "ok").all()
    assert samples["subject"].tolist() == ["sub01", "sub02", "006", "007", "s01", "s02"]
    assert notes == []


def test_numbers_that_a_spreadsheet_changed(small):
    _, table, folder = small
    table["label"] = table["label"] + ".0"
    table["apex"] = ["40.0", "", "/", "41", "42", "43"]
    table["dataset"] = ["CASME II", "CASME2", "SAMM", "samm", "SMIC-HS", "smic"]
    table.loc[2:3, "sub"] = ["6.0", "7"]
    samples, notes = imported(table, folder)
    assert (samples["status"] == "ok").all()
    assert set(samples["label"]) <= {"0", "1", "2"}
    assert samples["dataset"].tolist() == ["casme2", "casme2", "samm", "samm", "smic", "smic"]
    assert samples["subject"].tolist()[2:4] == ["006", "007"]
    assert samples["apex"].isna().tolist() == [False, True, True, False, False, False]
    assert samples["apex_source"].tolist() == ["label", "", "", "label", "label", "label"]
    assert len(notes) == 1
    assert "'apex' are not numbers, such as '/'" in notes[0]


def test_missing_gray_and_damaged_images_are_failed_clips_and_extra_ones_a_note(small, monkeypatch):
    write, table, folder = small
    names = sorted((folder / "images").iterdir())
    names[0].unlink()
    names[1].write_bytes(b"no image")
    cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tofile(names[2])
    write("stranger.png")
    (folder / "images/Thumbs.db").write_bytes(b"")
    (folder / "images/._x.png").write_bytes(b"")
    samples, notes = imported(table, folder)
    status = dict(zip(samples["clip"], samples["status"]))
    assert sorted(status.values()) == ["missing_clip", "ok", "ok", "ok", "unreadable", "unreadable"]
    assert any("three channels" in message for message in samples["message"])
    assert len(notes) == 1
    assert notes[0].startswith("1 images belong to no row")
    done = run("import-flow", folder / "images", "--table", folder / "list.csv", "--out", folder / "again")
    assert done.exit_code == 1
    assert "missing_clip: no image of this clip" in done.output


def test_sixteen_bits_transparency_and_flat_channels(small):
    write, table, folder = small
    first, second = sorted((folder / "images").glob("sub*"))
    write(first.name, (10 * 257, 20 * 257, 30 * 257), np.uint16)
    cv2.imencode(".png", np.full((4, 4, 4), 77, np.uint8))[1].tofile(second)
    samples, _ = imported(table, folder, scaling="centered")
    assert load_flow(folder / "flows" / samples["path"][0]).expression[1, 1].tolist() == [10 - 128, 20 - 128]
    imported(table, folder)
    flat = load_flow(folder / "flows" / samples["path"][1]).expression
    assert not flat.any()  # a channel without motion is zero, and not 0 / 0


def test_equal_names_in_folders_of_their_own(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    table["sub"], table["filename_o"], table["sub_filename"] = "1", "a", ""
    table = table.drop_duplicates("dataset")
    for i, place in enumerate(("CASME2", "SAMM", "smic")):
        write(f"{place}/1_a.png", (i, i, i))
    samples, _ = imported(table, folder, scaling="centered")
    fields = [load_flow(folder / "flows" / path).expression[1, 1, 0] for path in samples["path"]]
    assert fields == [-128, -127, -126]


def test_copies_of_an_image_are_a_note_and_different_ones_an_error(small):
    write, table, folder = small
    write("u_train/sub01_EP00_01f.png")
    assert imported(table, folder)[1][0].startswith("1 clips have several equal images")
    write("u_train/sub01_EP00_01f.png", (1, 2, 3))
    with pytest.raises(SamplesError, match=r"casme2/sub01/EP00_01f has several images that differ"):
        imported(table, folder)


def test_rows_that_stand_twice(small):
    _, table, folder = small
    twice = pd.concat([table, table.iloc[:1]], ignore_index=True)
    samples, notes = imported(twice, folder)
    assert len(samples) == 6
    assert "rows 1 and 7 are equal; casme2/sub01/EP00_01f is read once" in notes[0]
    twice.loc[6, "label"] = "2" if twice.loc[0, "label"] != "2" else "1"
    with pytest.raises(SamplesError, match=r"rows 1 and 7 are both casme2/sub01/EP00_01f, and differ"):
        imported(twice, folder)


def test_one_image_is_not_taken_for_two_people(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    write("a.png")
    table["filename_o"], table["sub_filename"], table["imagename"] = "a", "", ""
    with pytest.raises(SamplesError, match=r"image of both casme2/sub01/a and casme2/sub02/a; add the subject"):
        imported(table, folder)


def test_the_organizers_list_serves_as_a_table(small):
    _, table, folder = small
    table[["dataset", "sub", "filename_o", "label"]].to_csv(folder / "list.csv", index=False, header=False)
    samples = import_flow(folder / "images", folder / "list.csv", folder / "flows")
    assert samples["status"].tolist() == ["ok"] * 6
    assert samples["clip"].tolist() == table["filename_o"].tolist()


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "cp1252"), ("\t", "utf-16")])
def test_other_separators_and_encodings(small, separator, encoding):
    _, table, folder = small
    table["note"] = "é"
    table.to_csv(folder / "list.csv", index=False, sep=separator, encoding=encoding)
    assert (import_flow(folder / "images", folder / "list.csv", folder / "flows")["status"] == "ok").all()


def test_headers_may_be_named_and_labels_too(small):
    _, table, folder = small
    table = table.rename(columns={"sub": "who", "label": "Emotion"}).drop(columns=["dataset"])
    with pytest.raises(SamplesError, match=r"no column for the subject.*--column subject=HEADER"):
        imported(table, folder)
    with pytest.raises(SamplesError, match="no column 'whom'"):
        imported(table, folder, columns={"subject": "whom"})
    table.to_csv(folder / "list.csv", index=False)
    done = run(
        "import-flow", folder / "images", "--table", folder / "list.csv", "--out", folder / "flows",
        "--column", "subject=who", "--dataset", "Mine", "--labels", "0=negative,1=positive,2=surprise",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    samples = read_samples(folder / "flows")
    assert set(samples["dataset"]) == {"mine"}
    assert set(samples["label"]) <= {"negative", "positive", "surprise"}
    assert isinstance(run("import-flow", "x", "--table", "y", "--labels", "0").exception, ValueError)


def test_tables_and_folders_that_cannot_be_used(small, tmp_path):
    _, table, folder = small
    with pytest.raises(FileNotFoundError, match="not a folder of images"):
        import_flow(folder / "nowhere", folder / "list.csv")
    (folder / "empty").mkdir()
    table.to_csv(folder / "list.csv", index=False)
    with pytest.raises(FileNotFoundError, match="no image in"):
        import_flow(folder / "empty", folder / "list.csv", folder / "flows")
    with pytest.raises(SamplesError, match=r"the first clip is expected as sub01_x\.png, the first image is"):
        imported(table.assign(filename_o="x", sub_filename="", imagename="").head(1), folder)
    with pytest.raises(SamplesError, match="row 2: no subject"):
        imported(table.assign(sub=["a", "", "c", "d", "e", "f"]), folder)
    with pytest.raises(ValueError, match="order is rgb or bgr"):
        imported(table, folder, order="gbr")
    (folder / "flows").mkdir()
    (folder / "flows/mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty and not a flow folder"):
        imported(table, folder, overwrite=False)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_an_image_that_is_none_stops_no_other(small, content):
    _, table, folder = small
    broken = next(iter(sorted((folder / "images").iterdir())))
    broken.write_bytes(content)
    samples, _ = imported(table, folder)
    row = samples[samples["status"] != "ok"]
    assert row["status"].tolist() == ["unreadable"]
    assert row["message"].iloc[0] == f"{broken} is {'not a readable image' if content else 'empty'}"
    assert sum((folder / "flows" / path).is_file() for path in samples["path"]) == 5


def test_a_workbook_serves_as_a_table(small):
    _, table, folder = small
    table["sub"] = [int(sub) if sub.isdigit() else sub for sub in table["sub"]]
    with pd.ExcelWriter(folder / "list.xlsx") as writer:
        pd.DataFrame().to_excel(writer, sheet_name="nothing", index=False)
        table.astype({"label": float}).to_excel(writer, sheet_name="list", index=False)
    samples = import_flow(folder / "images", folder / "list.xlsx", folder / "flows")
    assert samples["status"].tolist() == ["ok"] * 6
    assert samples["label"].tolist() == table["label"].tolist()
    assert {"006", "007"} <= set(samples["subject"])
    (folder / "bad.xlsx").write_bytes(b"no workbook")
    with pytest.raises(SamplesError, match=r"bad\.xlsx is not a readable workbook"):
        import_flow(folder / "images", folder / "bad.xlsx", folder / "flows")
    book(folder / "blank.xlsx", nothing=[[]])
    with pytest.raises(SamplesError, match=r"blank\.xlsx is empty"):
        import_flow(folder / "images", folder / "blank.xlsx", folder / "flows")


@pytest.mark.parametrize(
    ("clip", "image"),
    [("s1_ne_01", "s01_s01_ne_01 .png"), ("s01_ne_01", "s01_s1_ne_01 .png"), ("s01_ne_01", "s1_s1_ne_01.png"),
     ("s1_ne_01", "s01_ne_01.png")],
)  # fmt: skip
def test_clips_of_smic_are_spelled_in_two_ways(small, clip, image):
    write, _, folder = small
    write(image)
    table = pd.DataFrame([{"dataset": "smic", "sub": "s1", "filename_o": clip, "label": "0"}])
    samples, _ = imported(table, folder)
    assert samples["status"].tolist() == ["ok"]
