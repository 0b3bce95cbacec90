"""The networks as flow methods."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_methods_loads_neither_torch_nor_training_code():
    code = (
        "import sys, mer.decflow.methods\n"
        "training = ('data', 'losses', 'train', 'config', 'checkpoint', 'log', 'initialize')\n"
        "print([m for m in ('torch', *(f'mer.decflow.{t}' for t in training)) if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inference_loads_no_training_code():
    code = (
        "import sys, numpy as np, mer.decflow.methods as m\n"
        "frame = np.zeros((64, 64, 3), np.uint8); m.decflow(frame, frame)\n"
        "training = ('data', 'losses', 'train', 'config', 'checkpoint', 'log', 'initialize')\n"
        "print([t for t in training if f'mer.decflow.{t}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
