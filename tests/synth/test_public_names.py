from __future__ import annotations

import subprocess
import sys

import mer.synth


def test_every_public_name_loads():
    assert set(mer.synth.__all__) >= {"FACE_MODELS", "Settings", "make_benchmark", "make_dataset", "read_facialflownet"}
    for name in mer.synth.__all__:
        assert getattr(mer.synth, name) is not None
    assert set(mer.synth.FACE_MODELS) == {"makehuman", "ict", "flame"}


def test_reading_and_drawn_flow_do_not_need_numba():
    program = (
        "import sys; from mer.synth import read_facialflownet; from mer.synth.micro_flows import micro_flows; "
        "micro_flows([], 1, 1); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
