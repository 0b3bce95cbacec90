"""Files from other sources: flow, weights, fitted models and protocols."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from mer.decflow.data.sources import open_source
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.flow_error import evaluate_flow
from mer.evaluation.protocols.protocol import ProtocolError, find_protocol
from mer.flow import Flow, read_flo
from mer.flow.facialflownet import read_facialflownet, write_sequence
from mer.models.model_files import load_model, save_model
from tests.drawn_flows import write_drawn_flows
from tests.faults.rows import row

FLOWS = {
    "NaN": lambda path: edit(path, lambda a: a["expression"].__setitem__((0, 0), np.nan)),
    "infinite": lambda path: edit(path, lambda a: a["expression"].__setitem__((0, 0), np.inf)),
    "flat": lambda path: edit(path, lambda a: a.update(expression=a["expression"][..., 0])),
    "three channels": lambda path: edit(path, lambda a: a.update(expression=np.zeros((24, 24, 3)))),
    "no array": lambda path: edit(path, lambda a: a.pop("expression")),
    "text": lambda path: edit(path, lambda a: a.update(expression=np.array(["a"]))),
    "other size": lambda path: edit(path, lambda a: a.update(expression=np.zeros((9, 9, 2)))),
    "objects": lambda path: np.savez(path, expression=np.array([{"a": 1}], dtype=object)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:900]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "bomb": lambda path: bomb(path),
}


def edit(path: Path, change) -> None:
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


def bomb(path: Path) -> None:
    """A small file whose header declares an array of 8 TB."""
    head = {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 20, 2)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("expression.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, head)
        file.write(bytes(1000))


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """Evaluate a flow folder with one kind of damage per clip; returns the failed clips by damage."""
    folder = tmp_path_factory.mktemp("stored")
    table = write_drawn_flows(folder, people=5, clips=6)
    for damage, path in zip(FLOWS.values(), table["path"]):
        damage(folder / path)
    failed = evaluate(folder, model=KNeighborsClassifier(1), seeds=1).failed.set_index(["subject", "clip"])
    return {name: failed.loc[(r["subject"], r["clip"])] for name, r in zip(FLOWS, table.to_dict("records"))}


@pytest.mark.parametrize("name", FLOWS)
@row(
    "flow file with NaN or infinity, wrong shape or size, truncated, missing, with Python objects, or a zip bomb",
    "`unreadable` in `failed`, counted as wrong; exit 1",
)
def test_a_damaged_flow_file_fails_its_clip(damaged, name):
    assert damaged[name]["status"] == "unreadable"
    assert damaged[name]["message"]


@pytest.mark.parametrize("head", [(1 << 30, 1 << 30), (-1, 5), (0, 0)])
@row("`.flo` file whose header declares more data than the file has", "one error, no memory is allocated")
def test_a_flo_header_that_declares_too_much(tmp_path, head):
    (tmp_path / "a.flo").write_bytes(b"PIEH" + np.array(head, "<i4").tobytes() + bytes(64))
    with pytest.raises(ValueError, match=r"a\.flo"):
        read_flo(tmp_path / "a.flo")


def write_pairs(root: Path) -> Path:
    """A FacialFlowNet folder of one sequence of three frames; the folder of its facial flows."""
    shape = (64, 64)
    flow = Flow.split(np.ones((*shape, 2)), np.zeros((*shape, 2)))
    landmarks = np.random.default_rng(0).uniform(8, 56, (3, 478, 3))
    for split in ("train", "test"):
        write_sequence(
            root, split, "happy", "s01", [np.full((*shape, 3), 90, np.uint8)] * 3, [flow] * 2,
            occlusions=[np.zeros(shape, np.uint8)] * 2, landmarks=landmarks, record={},
        )  # fmt: skip
    return root / "flow/facial/test/happy/s01"


@row(
    "`.flo` file that marks pixels of unknown flow (NaN, or 1e9 pixels and more)",
    "one error that names the file; never a motion of 1e9 pixels",
)
def test_unknown_flow_is_never_a_motion(tmp_path):
    file = write_pairs(tmp_path) / "0001.flo"
    file.write_bytes(file.read_bytes()[:-8] + np.full(2, 1.666666752e9, "<f4").tobytes())
    with pytest.raises(ValueError, match=r"0001\.flo has 2 values that are not finite or mark unknown flow"):
        read_flo(file)
    with pytest.raises(ValueError, match=r"0001\.flo has 2 values"):
        evaluate_flow(tmp_path, ["dis"])
    train = tmp_path / "flow/head/train/happy/s01"
    for number in (0, 1):
        (train / f"{number:04d}.flo").write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=r"\.flo has 2 values"):
        open_source(tmp_path, "train")(np.random.default_rng(0), 32)


@row(
    "FacialFlowNet sequence that lacks a frame, flow or mask, even if the counts fit",
    "one error that counts such sequences and names the numbers; files are never paired by position",
)
def test_a_sequence_with_a_gap_is_incomplete(tmp_path):
    flows = write_pairs(tmp_path)
    (tmp_path / "image/facial/test/happy/s01/0000.jpg").unlink()
    (flows / "0001.flo").unlink()
    with pytest.raises(ValueError, match="1 incomplete sequences: test/happy/s01: no frame 0, no facial flow 1"):
        read_facialflownet(tmp_path, "test")


@row(
    "`samples.csv` from Windows or edited by hand: backslashes and blanks in `path`, `OK`, a scale of 0",
    "read as usual; a clip whose scale is not positive is `unreadable`",
)
def test_a_samples_table_of_another_system_is_read(tmp_path):
    table = write_drawn_flows(tmp_path, people=5, clips=2)
    rows = table.astype({"scale": object}).assign(
        path=table["path"].str.replace("/", "\\") + "  ", status="OK", scale=[0, *[90] * (len(table) - 1)]
    )
    rows.to_csv(tmp_path / "samples.csv", index=False)
    failed = evaluate(tmp_path, model=KNeighborsClassifier(1), seeds=1).failed
    assert len(failed) == 1
    assert "scale 0.0 is not positive" in failed["message"].iloc[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    from mer.models import new_model

    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("model") / "model.npz"
    fitted = new_model("logistic").fit(rng.normal(size=(12, 8 * 8 * 2)).astype(np.float32), np.array(["a", "b"] * 6))
    save_model(path, "logistic", fitted)
    return path


def change_head(source: Path, out: Path, change) -> Path:
    with np.load(source, allow_pickle=False) as archive:
        arrays = dict(archive)
    head = json.loads(str(arrays.pop("head")))
    change(head)
    np.savez(out, head=np.array(json.dumps(head)), **arrays)
    return out


HEADS = {
    "another value instead of a method": lambda head: head["steps"]["classifier"].update(predict="x"),
    "a class": lambda head: head["steps"]["classifier"].update(__class__="x"),
    "an unknown part": lambda head: head["steps"]["classifier"].update(coef_={"part": "os.system", "given": {}}),
    "a missing array": lambda head: head["steps"]["classifier"].update(coef_={"array": "none"}),
    "no steps": lambda head: head.pop("steps"),
    "another model": lambda head: head.update(model="magic"),
    "a list": lambda head: head.update(steps=[1]),
}


@pytest.mark.parametrize("name", HEADS)
@row("fitted model that was tampered with or has another version", "exit 2; nothing in it is executed")
def test_a_model_that_was_tampered_with(model, tmp_path, name):
    path = change_head(model, tmp_path / "m.npz", HEADS[name])
    with pytest.raises(ValueError, match=r"m\.npz"):
        load_model(path)


@pytest.mark.parametrize("keep", [0, 10, 500])
@row("truncated model file", "exit 2: not a model that mer saved")
def test_a_truncated_model(model, tmp_path, keep):
    (tmp_path / "m.npz").write_bytes(model.read_bytes()[:keep])
    with pytest.raises(ValueError, match="not a model that mer saved"):
        load_model(tmp_path / "m.npz")


@row("pickled model", "exit 2; it is not unpickled")
def test_a_pickled_model_is_refused(tmp_path):
    import pickle

    (tmp_path / "m.npz").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match="not a model that mer saved"):
        load_model(tmp_path / "m.npz")


@row("damaged or pickled weights", "exit 2: not a readable safetensors file")
def test_damaged_weights(tmp_path):
    from mer.decflow.weights import SHIPPED, WeightsError, read_tensors

    whole = next(SHIPPED.glob("*.safetensors")).read_bytes()
    for content in (b"", whole[:100], whole[:-10], b"\x80\x04}\x94.", b"\xff" * 64):
        (tmp_path / "w.safetensors").write_bytes(content)
        with pytest.raises(WeightsError, match=r"w\.safetensors is not a readable"):
            read_tensors(tmp_path / "w.safetensors")


@row("weights of another network", "exit 2, lists missing and unexpected tensors and wrong shapes")
def test_weights_of_another_network():
    from mer.decflow.networks import build
    from mer.decflow.weights import WeightsError, fill

    tensors = build("lite").state_dict()
    tensors["stranger"] = tensors.pop(next(iter(tensors)))
    with pytest.raises(WeightsError, match=r"1 missing.*1 left over: stranger"):
        fill(build("lite"), tensors, "w")


@row("training checkpoint that is damaged or contains code", "exit 2: not a checkpoint; the code is not executed")
def test_a_damaged_checkpoint(tmp_path):
    import torch

    from mer.decflow.checkpoint import read_checkpoint
    from mer.decflow.config import Config

    (tmp_path / "a.pt").write_bytes(b"nothing")
    torch.save({"step": Path()}, tmp_path / "b.pt")
    torch.save({"step": 3}, tmp_path / "c.pt")
    for name in "abc":
        with pytest.raises(ValueError, match="not a checkpoint of a run"):
            read_checkpoint(tmp_path / f"{name}.pt", torch.device("cpu"), Config())


@row("unknown protocol", "exit 2, lists the known protocols")
def test_an_unknown_protocol():
    with pytest.raises(ProtocolError, match=r"no protocol 'lpso'.*loso"):
        find_protocol("lpso")


WRONG = {
    "title": "5", "source": "[a]", "classes": "5", "labels": "{casme2: 5}", "units": "[true]", "drop": "[5]",
    "counts": "{casme2: {joy: -1}}", "people": "{casme2: x}", "hints": "{casme2: [a]}", "split": "{folds: 0}",
    "list_sha256": "12", "spotting": "{iou: 7}",
}  # fmt: skip


@pytest.mark.parametrize("key", WRONG)
@row("protocol file with an error", "exit 2, names the key")
def test_each_wrong_key_is_named(tmp_path, key):
    (tmp_path / "mine.yaml").write_text(f"{key}: {WRONG[key]}\n")
    with pytest.raises(ProtocolError, match=rf"mine\.yaml: .*{key}"):
        find_protocol(tmp_path / "mine.yaml")


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system [ls]", "[" * 3000, "a: 2001-99-99", "\x00", LAUGHS, "classes: &a [*a]"]
)
@row(
    "protocol file with code, recursive aliases or deep nesting", "exit 2; nothing is executed, no memory is allocated"
)
def test_malicious_protocols(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ProtocolError, match=r"mine\.yaml"):
        find_protocol(tmp_path / "mine.yaml")
