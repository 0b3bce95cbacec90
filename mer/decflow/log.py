"""The log of a training run: a table, and optionally TensorBoard."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from mer.utils.atomic_files import write_whole

COLUMNS = ("step", "part", "loss", "facial", "head", "expression", "none", "seconds")  # none: the zero-flow baseline


class Log:
    """`log.csv`, one row per report, and TensorBoard if requested.

    Parameters
    ----------
    file : Path
        Rows of an earlier part of the run are kept up to `step`, the steps done.
    """

    def __init__(self, file: Path, step: int, *, tensorboard: bool) -> None:
        self.file, self.began = file, time.monotonic()
        rows = _rows_until(file, step) if step and file.exists() else []
        with write_whole(file) as new:
            writer = csv.DictWriter(new, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self.board = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ValueError("--tensorboard needs TensorBoard: python -m pip install 'mer[train]'") from error
            self.board = SummaryWriter(str(file.parent / "tensorboard"), purge_step=step or None)

    def write(self, step: int, part: str, values: dict[str, float]) -> None:
        """Add a row, `part` being `train` or `val`, and print it."""
        seconds = round(time.monotonic() - self.began, 1)
        row = {"step": step, "part": part, "seconds": seconds, **{k: f"{v:.5f}" for k, v in values.items()}}
        with open(self.file, "a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"{part}/{name}", value, step)

    def picture(self, step: int, batch: dict[str, Tensor], flows: tuple[Tensor, Tensor]) -> None:
        """Facial, head and expression flow in color, the estimates above the true flows."""
        if self.board is None:
            return
        rows = []
        for facial, head in (flows, (batch["facial"], batch["head"])):
            fields = [field[0].float() for field in (facial, head, facial - head)]
            rows.append(torch.cat([_colors(field) for field in fields], dim=2))
        self.board.add_image("val/facial, head, expression", torch.cat(rows, dim=1), step)


def _rows_until(file: Path, step: int) -> list[dict[str, str]]:
    """Complete rows up to a step: later ones will be written again, and a killed run may leave an incomplete one."""
    with open(file, encoding="utf-8", newline="") as old:
        complete = [row for row in csv.DictReader(old) if row["seconds"]]
    return [row for row in complete if row["step"].isdigit() and int(row["step"]) <= step]


def _colors(flow: Tensor) -> Tensor:
    """`(2, H, W)` pixels as `(3, H, W)` in 0 to 1: gray means no motion, full color the field's largest motion."""
    scaled = flow / flow.norm(dim=0).max().clamp_min(0.1)
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3], device=flow.device)
    rotated = torch.cos(angles)[:, None, None] * scaled[0] + torch.sin(angles)[:, None, None] * scaled[1]
    return (0.5 + 0.5 * rotated).clamp(0, 1).cpu()
