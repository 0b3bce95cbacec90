"""Run the notebooks and save their outputs: `python notebooks/run.py [NOTEBOOK ...]`.

Each notebook runs in a temporary folder. Images are compressed and warnings are dropped, so that files stay small and
differ little between runs.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute a notebook and return it with its outputs; `nbclient.exceptions.CellExecutionError` if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1800,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        kernel_name="python3",
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_small(output) for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def _small(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Store images of few colors as PNG with a palette and others as JPEG: a PNG of color-coded flow is large."""
    data = output.get("data", {})
    if "image/png" in data:
        image = Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))).convert("RGB")
        file, few = io.BytesIO(), image.getcolors(1 << 12)
        if few:
            image.quantize(256).save(file, format="PNG", optimize=True)
        else:
            image.save(file, format="JPEG", quality=70, optimize=True, progressive=True)
        data["image/png" if few else "image/jpeg"] = base64.b64encode(file.getvalue()).decode()
    return output


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(HERE.glob("*.ipynb"))):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            notebook = run(path, Path(folder))
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - began:.0f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)
