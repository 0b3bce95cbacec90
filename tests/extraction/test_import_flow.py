import json

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
from tests.drawn_flows import drawn_field
from tests.extraction.imported import imported
from tests.published_set import CLASSES, composite_rows, write_published_set


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """442 images and their table; not to be written to."""
    folder = tmp_path_factory.mktemp("published")
    write_published_set(folder)
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_a_published_set_can_be_evaluated(published, tmp_path, monkeypatch):
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
def test_min_max_scaling_hardly_lowers_the_scores(tmp_path):
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


def test_the_content_of_a_flow_file(published, tmp_path):
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


def test_run_json_records_losses_and_inputs(small):
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


def test_channels_may_be_in_the_order_of_opencv(small):
    _, table, folder = small
    first, _ = imported(table, folder, scaling="centered")
    path = folder / "flows" / first["path"].iloc[0]
    assert load_flow(path).expression[1, 1].tolist() == [10 - 128, 20 - 128]
    imported(table, folder, scaling="centered", order="bgr")
    assert load_flow(path).expression[1, 1].tolist() == [30 - 128, 20 - 128]
    assert json.loads((folder / "flows/run.json").read_text())["import"]["lost"] == ["scale"]


def test_missing_gray_and_damaged_images_are_failed_clips(small, monkeypatch):
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


def test_invalid_tables_and_folders_are_refused(small, tmp_path):
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
def test_a_damaged_image_does_not_stop_the_others(small, content):
    _, table, folder = small
    broken = next(iter(sorted((folder / "images").iterdir())))
    broken.write_bytes(content)
    samples, _ = imported(table, folder)
    row = samples[samples["status"] != "ok"]
    assert row["status"].tolist() == ["unreadable"]
    assert row["message"].iloc[0] == f"{broken} is {'not a readable image' if content else 'empty'}"
    assert sum((folder / "flows" / path).is_file() for path in samples["path"]) == 5
