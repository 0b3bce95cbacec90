from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from mer.cli.evaluate_flow import evaluate_flow
from mer.cli.train import train
from mer.flow import Flow
from mer.flow.facialflownet import write_sequence
from tests.decflow.faces import write_faces
from tests.evaluation.test_flow_error import landmarks


def test_train_decflow_has_the_flags_of_the_script(tmp_path):
    faces = write_faces(tmp_path / "faces", 24)
    arguments = f"decflow --data {faces} --out {tmp_path / 'run'} --steps 1 --batch 1 --size 64 --val-pairs 1"
    done = CliRunner().invoke(train, [*arguments.split(), "--iterations", "1"])
    assert done.exit_code == 0, done.output
    written = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")}  # not the lock
    assert written == {"checkpoint.pt", "log.csv", "weights.json", "weights.safetensors"}
    shown = CliRunner().invoke(train, ["decflow", "--help"])
    assert shown.exit_code == 0
    assert "--occlusion-mask" in shown.output


def test_evaluate_flow_prints_a_table_and_writes_all_rows(tmp_path):
    pytest.importorskip("mer.extraction.methods")
    rng, mask = np.random.default_rng(0), np.zeros((64, 64), np.uint8)
    mask[8:56, 12:52] = 1
    frame = rng.integers(0, 255, (64, 64, 3), np.uint8)
    still = Flow.split(np.zeros((64, 64, 2)), np.zeros((64, 64, 2)), mask)
    write_sequence(
        tmp_path / "data", "test", "happiness", "a", [frame, frame], [still],
        occlusions=[np.zeros_like(mask)], landmarks=np.stack([landmarks()] * 2), record={},
    )  # fmt: skip
    app = typer.Typer()
    app.command()(evaluate_flow)
    out = tmp_path / "rows.csv"
    done = CliRunner().invoke(
        app, [str(tmp_path / "data"), "--method", "farneback", "--method", "dis", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    for text in ("farneback", "dis", "no expression", "within_1px", "upstream", "mouth"):
        assert text in done.output
    assert set(pd.read_csv(out)["method"]) == {"farneback", "dis", "no expression"}
    missing = CliRunner().invoke(app, [str(tmp_path / "nowhere")])
    assert isinstance(missing.exception, FileNotFoundError)
