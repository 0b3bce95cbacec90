"""The result of an evaluation of action units: each unit is predicted by itself, present or absent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.evaluation.metrics import RESAMPLES, SEED, count, f1_by_class
from mer.evaluation.protocols.folds import people_of
from mer.evaluation.protocols.protocol import WITHOUT
from mer.evaluation.result import Result
from mer.utils.atomic_files import write_json, write_whole

SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # `(..., units)`, from counts `(..., units, 2, 3)`
    "f1": lambda counts: f1_by_class(counts)[..., 1],
    "macro_f1": lambda counts: f1_by_class(counts).mean(-1),
}


def count_units(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Counts `(people, runs, units, 2, 3)` of predictions, people and units sorted."""
    _, person = np.unique(people_of(rows).astype(str), return_inverse=True)
    _, unit = np.unique(rows["unit"].to_numpy(), return_inverse=True)
    labels, answers = rows["label"].tolist(), rows["prediction"].tolist()
    return count(labels, answers, classes, person, rows["seed"].to_numpy(), unit)


@dataclass(frozen=True, eq=False, repr=False)
class UnitResult(Result):
    """The result of :func:`mer.evaluate` under a protocol of action units.

    As :class:`mer.evaluation.result.Result`, but `predictions` has one row per unit, sample and seed and a column
    `unit`; the classes are `absent` and `present`, and `confusion` is summed over the units.
    """

    @property
    def without_units(self) -> dict[str, int]:
        """Database -> number of clips that count as having no unit, because their cell has no readable one."""
        reasons = {str(reason): int(n) for reason, n in self.left_out.items()}
        return {reason.removeprefix(WITHOUT): n for reason, n in reasons.items() if reason.startswith(WITHOUT)}

    def record(self) -> dict[str, Any]:
        """The content of `scores.json`; `without_units` instead of their entries in `left_out`."""
        record = super().record()
        left_out = {reason: n for reason, n in record["left_out"].items() if not reason.startswith(WITHOUT)}
        return record | {"left_out": left_out, "without_units": self.without_units}

    def unit_counts(self, dataset: str | None = None) -> np.ndarray:
        """Counts of one database or of all, `(people, runs, units, 2, 3)`."""
        rows = self.predictions if dataset is None else self.predictions[self.predictions["dataset"] == dataset]
        return count_units(rows, self.classes)

    @cached_property
    def scores(self) -> dict[str, Any]:
        """All scores, as plain values.

        `f1`, the mean over the units of the F1 of "present", and `macro_f1`, the mean over the units of the mean F1 of
        "present" and "absent"; each with `_interval` (95 %, over people) and `_sd` (over seeds); `n`, `n_subjects` and
        `n_failed`; the same for each of `databases`; `f1`, `macro_f1` and `present` for each of `units`; and
        `constant`, the scores of always predicting "present".
        """
        counts = self.unit_counts()
        pooled = counts.sum(0)  # (runs, units, 2, 3)
        each = {name: score(pooled).mean(0) for name, score in SCORES.items()}
        constant = np.zeros_like(pooled)
        constant[..., 1] = pooled.sum(-1)
        return {
            **self._summarize_units(counts),
            "units": {
                str(unit): {name: float(each[name][i]) for name in SCORES} | {"present": int(pooled[0, i, 1].sum())}
                for i, unit in enumerate(sorted(self.protocol.units))
            },
            "databases": {
                name: self._summarize_units(self.unit_counts(name)) for name in sorted(set(self.predictions["dataset"]))
            },
            "constant": {"class": "present"} | {name: float(score(constant).mean()) for name, score in SCORES.items()},
        }

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The scores as rows: one for all units, one per database, one per unit."""
        s = self.settings
        parts = {"all": self.scores, **self.scores["databases"]}
        parts |= {f"AU {unit}": scored for unit, scored in self.scores["units"].items()}
        rows = []
        for part, scored in parts.items():
            row: dict[str, Any] = {"model": s["model"], "protocol": self.protocol.name, "component": s["component"]}
            row |= {"seeds": self.runs, "part": part, "n": scored.get("n"), "present": scored.get("present")}
            for name in SCORES:
                low, high = scored.get(f"{name}_interval") or (None, None)
                row |= {name: scored[name], f"{name}_low": low, f"{name}_high": high}
            rows.append(row | {f"{key}_sha256": self.hashes[key][:16] for key in ("samples", "protocol", "flows")})
        return pd.DataFrame(rows)

    def save(self, folder: str | Path, with_faces: bool = False) -> Path:
        """Write `predictions.csv`, `scores.json`, `scores.csv`, `people.csv` and `report.html`; with a grid,
        `chosen.csv`. Returns the path of the report, which is written last. It shows no clips, so `with_faces` has no
        effect.
        """
        from mer.report import render_unit_report

        folder, record = Path(folder), self.record()
        self._write_tables(folder)
        write_json(folder / "scores.json", record)
        with write_whole(folder / "report.html") as file:
            file.write(render_unit_report(record))
        return folder / "report.html"

    def _summarize_units(self, counts: np.ndarray) -> dict[str, Any]:
        """Means over the units of the scores of counts `(people, runs, units, 2, 3)`."""
        people = len(counts)
        draws = np.random.default_rng(SEED).multinomial(people, np.full(people, 1 / people), size=RESAMPLES)
        drawn = np.tensordot(draws.astype(float), counts, axes=1)
        pooled = counts.sum(0)
        summary: dict[str, Any] = {}
        for name, score in SCORES.items():
            values = score(pooled).mean(-1)  # (runs,)
            summary[name] = float(values.mean())
            ends = np.percentile(score(drawn).mean((-1, -2)), [2.5, 97.5])
            summary[f"{name}_interval"] = ends.tolist() if people > 1 else None
            same = 0.0 if self.settings["seeds"] > 1 else None  # every seed of a deterministic model gives the same
            summary[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else same
        summary["n"] = int(pooled[0, 0].sum())
        summary["n_subjects"] = people
        summary["n_failed"] = int(pooled[0, 0, :, -1].sum())
        return summary

    def __str__(self) -> str:
        s = self.scores
        blank = sum(self.without_units.values())
        note = f"; {blank} of them count as having none, because their cells have no readable unit" if blank else ""
        return (
            f"{self.settings['model']} under {self.protocol.name}: mean F1 {s['f1']:.3f}, macro {s['macro_f1']:.3f} of "
            f"{len(self.protocol.units)} action units on {s['n']} clips{note}"
        )

    __repr__ = __str__
