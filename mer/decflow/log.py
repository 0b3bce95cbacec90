"""What a training run tells: a table, and TensorBoard where it is asked for."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from mer.utils.atomic_files import write_whole


class Log:
    """`log.csv`, one row per report, and TensorBoard where it is asked for."""

    COLUMNS = ("step", "part", "loss", "facial", "head", "expression", "none", "seconds")

    def __init__(self, file: Path, step: int, *, tensorboard: bool) -> None:
        self.file, self.began = file, time.monotonic()
        rows: list[dict[str, str]] = []
        if step and file.exists():  # rows after the checkpoint will be written again
            with open(file, encoding="utf-8", newline="") as old:
                whole = [row for row in csv.DictReader(old) if row["seconds"]]  # a run that was killed cuts the last
            rows = [row for row in whole if row["step"].isdigit() and int(row["step"]) <= step]
        with write_whole(file) as new:
            writer = csv.DictWriter(new, self.COLUMNS, lineterminator="\n")
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
        seconds = round(time.monotonic() - self.began, 1)
        row = {"step": step, "part": part, "seconds": seconds, **{k: f"{v:.5f}" for k, v in values.items()}}
        with open(self.file, "a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.COLUMNS, lineterminator="\n").writerow(row)
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"{part}/{name}", value, step)

    def picture(self, step: int, batch: dict[str, Tensor], flows: tuple[Tensor, Tensor]) -> None:
        """Found above true: facial, head and expression flow, as colors of x and y."""
        if self.board is None:
            return
        rows = []
        for facial, head in (flows, (batch["facial"], batch["head"])):
            fields_ = [field_[0].float() for field_ in (facial, head, facial - head)]
            rows.append(torch.cat([_colors(field_) for field_ in fields_], dim=2))
        self.board.add_image("val/facial, head, expression", torch.cat(rows, dim=1), step)


def _colors(flow: Tensor) -> Tensor:
    """`(2, H, W)` pixels as `(3, H, W)` in 0 to 1: grey is still; full color is the field's own largest motion."""
    scaled = flow / flow.norm(dim=0).max().clamp_min(0.1)
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3], device=flow.device)
    turned = torch.cos(angles)[:, None, None] * scaled[0] + torch.sin(angles)[:, None, None] * scaled[1]
    return (0.5 + 0.5 * turned).clamp(0, 1).cpu()
