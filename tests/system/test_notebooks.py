import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each_notebook
def test_what_is_committed_was_run_from_start_to_end(path):
    """Outputs are kept, so that a notebook can be read where it can't be run; `make notebooks` makes them."""
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert sum(bool({"image/png", "image/jpeg"} & {*output.get("data", {})}) for output in outputs) >= 2
    assert len(text) < 400_000
    assert not [folder for folder in ("/tmp/", "/home/", "/root/", "/Users/") if folder in text]


@pytest.mark.slow
@each_notebook
def test_the_notebook_runs_from_start_to_end(path, tmp_path):
    pytest.importorskip("nbclient")
    from notebooks.run import run

    assert run(path, tmp_path).cells
