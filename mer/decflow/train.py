"""Train DecFlow end to end.

    python -m mer.decflow.train --data FACES                          # lite, photographs warped on the fly
    python -m mer.decflow.train --data FACES --resume                 # resumes where it stopped, bit for bit
    python -m mer.decflow.train --data FACES render:ict=FILE@FACES    # alternates with faces rendered on the fly
    torchrun --nproc-per-node 2 -m mer.decflow.train --data FACES     # several processes; several machines likewise
    python -m mer.decflow.train --preset raft --init raft_small_C_T_V2-01064c6d.pth --data FFN
    python -m mer.decflow.train --preset paper-1 --init gma-sintel.pth resnet50.pth --data FFN --out one
    python -m mer.decflow.train --preset paper-2 --init one/weights.safetensors --data FFN --out two

FACES is a folder of portraits with `landmarks478.json`; FFN is a folder in FacialFlowNet's layout. The batch is split
among the processes: two processes take half of it each and give the same result as one, except for networks with
trained batch normalization (paper-1, raft-large) on CPUs, where each process has its own statistics. The run folder
holds `checkpoint.pt` (everything that `--resume` needs), `log.csv`, and the averaged weights in `weights.safetensors`
with their card.
"""

from __future__ import annotations

import sys

from mer.decflow.config import Config, parse
from mer.utils.shutdown import clean_end, one_line_errors


def train(config: Config) -> dict[str, float]:
    """Train a network or resume training; returns the errors of the last validation, in pixels."""
    from mer.decflow.training_loop import run  # torch, which --help does without

    return run(config)


def main(arguments: list[str] | None = None, program: str = "python -m mer.decflow.train") -> int:
    config = parse(arguments, __doc__, program)
    with clean_end("mer train decflow", "run it again with --resume to continue from the last checkpoint, if any"):
        train(config)
    return 0


if __name__ == "__main__":
    with one_line_errors("mer.decflow.train", debug="--debug" in sys.argv):
        sys.exit(main([argument for argument in sys.argv[1:] if argument != "--debug"]))
