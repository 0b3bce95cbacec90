"""What an evaluation found: predictions, the scores that follow from them, and the files that keep both."""

from __future__ import annotations

import io
import json
import platform
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from mer._version import __version__
from mer.datasets.identifiers import subject_name
from mer.evaluation.metrics import SCORES, count, f1_by_class, recall_by_class, summarize
from mer.evaluation.protocols.folds import people_of
from mer.evaluation.protocols.protocol import Protocol
from mer.extraction.flow_folder import versions
from mer.utils.atomic_files import write_whole

ORACLE = "ORACLE, NOT A RESULT: each test person's best epoch, picked by looking at that person's own labels"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The result of :func:`mer.evaluate`.

    Attributes
    ----------
    predictions : DataFrame
        One row per sample and seed: `dataset, subject, clip, onset, fold, seed, label, prediction` and one column
        `score_<class>` per class: a probability or the distance from a decision boundary, whichever the classifier has,
        blank if it has neither. `label` is the class under the protocol. `prediction` is empty where the flow failed.
        With `oracle_epoch`, also `oracle_epoch` and `oracle_prediction`, which were picked on the test people.
    classes : tuple of str
    protocol : Protocol
    settings : dict
        What `evaluate` was asked for, as text.
    failed : DataFrame
        The clips without flow, with their status and message; they count as wrong.
    left_out : Series
        Reason -> number of clips of the folder that the protocol leaves out.
    run : dict
        The flow folder's `run.json`; empty where there is none.
    hashes : dict
        SHA-256 of `samples` (the sorted lines `dataset, subject, clip, onset, class`, tab-separated), `protocol` (its
        rules), `flows` (the fields that were read, in the order of the table), `run` (the bytes of `run.json`) and
        `list` (the organizers' list, where it was joined).
    chosen : DataFrame
        With a grid or several models, one row a fold and seed: `fold, seed`, and the `model` or the settings that the
        inner evaluation chose.
    """

    predictions: pd.DataFrame
    classes: tuple[str, ...]
    protocol: Protocol
    settings: dict[str, Any]
    failed: pd.DataFrame
    left_out: pd.Series
    run: dict[str, Any] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    chosen: pd.DataFrame = field(default_factory=pd.DataFrame)

    def counts(self, dataset: str | None = None, answers: str = "prediction") -> np.ndarray:
        """Counts of one database or of all, `(subjects, seeds, C, C + 1)`, as :mod:`mer.evaluation.metrics` takes them.

        `answers` is the column of the predictions: `oracle_prediction` is no result.
        """
        rows = self.predictions if dataset is None else self.predictions[self.predictions["dataset"] == dataset]
        _, person = np.unique(people_of(rows).astype(str), return_inverse=True)  # whatever the order of the rows
        return count(rows["label"], rows[answers], self.classes, person, rows["seed"].to_numpy())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts `(classes, classes)`, truth by row, summed over the runs: one for each seed, and a single one for a
        model that draws no random numbers. Clips without an answer are in no column.
        """
        return self.confusion_with_failed[:, :-1]

    @property
    def confusion_with_failed(self) -> np.ndarray:
        """The same with one more column, `(classes, classes + 1)`: the clips without an answer."""
        return self.counts().sum((0, 1)) * self.runs // self.settings["seeds"]

    @property
    def runs(self) -> int:
        """How often each fold was trained."""
        return self.settings["seeds"] if self.settings["seeded"] else 1

    @cached_property
    def scores(self) -> dict[str, Any]:
        """All scores, as plain values.

        `uf1`, `uar` and `accuracy`, each with `_interval` (95 %, over people) and `_sd` (over seeds); `n`, `n_subjects`
        and `n_failed`; the same for each of `databases`, and `databases_mean`, the mean over them; `weighted_f1`, the
        mean over the classes by their number of clips; `f1`, `recall` and `n` for each of `classes`; `constant`, what
        always answering the most frequent class would score; and with `oracle_epoch`, `oracle`: what picking epochs on
        the test people would have scored, and by how much that is more (`_gain`).
        """
        counts = self.counts()
        pooled = counts.sum(0)  # (seeds, C, C + 1)
        f1, recall, n = f1_by_class(pooled).mean(0), recall_by_class(pooled).mean(0), pooled[0].sum(-1)
        constant = np.zeros_like(pooled[0])
        constant[:, n.argmax()] = n
        databases = {name: summarize(self.counts(name)) for name in sorted(set(self.predictions["dataset"]))}
        honest = summarize(counts)
        return {
            **honest,
            "weighted_f1": float((f1 * n).sum() / n.sum()),
            "databases": databases,
            "databases_mean": {name: float(np.mean([one[name] for one in databases.values()])) for name in SCORES},
            "classes": {
                name: {"f1": float(f1[i]), "recall": float(recall[i]), "n": int(n[i])}
                for i, name in enumerate(self.classes)
            },
            "constant": {
                "class": self.classes[int(n.argmax())],
                **{name: float(score(constant)) for name, score in SCORES.items()},
            },
            **({"oracle": self._oracle(honest)} if "oracle_prediction" in self.predictions else {}),
        }

    def _oracle(self, honest: dict[str, Any]) -> dict[str, Any]:
        oracle = summarize(self.counts(answers="oracle_prediction"))
        return {"what": ORACLE, **oracle, **{f"{name}_gain": oracle[name] - honest[name] for name in SCORES}}

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """One row a person: `dataset, subject, clips, failed, accuracy`, the last over all seeds."""
        rows = self.predictions.assign(
            failed=self.predictions["prediction"] == "",
            accuracy=self.predictions["prediction"] == self.predictions["label"],
        )
        rows["subject"] = [subject_name(*row) for row in zip(rows["dataset"], rows["subject"])]
        people = rows.groupby(["dataset", "subject"], sort=False)
        seeds = rows["seed"].nunique() * max(1, len(self.protocol.units))
        return pd.DataFrame(
            {
                "clips": people.size() // seeds,
                "failed": people["failed"].sum() // seeds,
                "accuracy": people["accuracy"].mean(),
            }
        ).reset_index()

    @property
    def command(self) -> str:
        """The command that gives this result again; a call in Python where the model has no name."""
        s = self.settings
        if s["named"]:
            options = [f"--{key}={s[key]}" for key in ("protocol", "model", "component", "seeds")]
            grid = [f"--grid={key}={','.join(map(str, values))}" for key, values in (s.get("grid") or {}).items()]
            listed = [f"--megc-csv={s['megc_csv']}"] if s.get("megc_csv") else []
            oracle = ["--oracle-epoch"] if s.get("oracle_epoch") else []
            return shlex.join(["mer", "evaluate", s["flows"], *options, *grid, *listed, *oracle])
        names = ("protocol", "component", "seeds", *(key for key in ("grid", "megc_csv", "oracle_epoch") if s.get(key)))
        given = ", ".join(f"{key}={s[key]!r}" for key in names)
        return f"mer.evaluate({s['flows']!r}, model={s['model']}, {given})"

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The scores as rows, one for all clips and one for each database, so that those of many runs can be stacked.

        `model, protocol, component, seeds, part`, the numbers of clips and people, each score with `_low`, `_high` and
        `_sd`, and the first 16 digits of the SHA-256 of the samples, the protocol and the flows. A part that begins
        with `ORACLE` is no result.
        """
        s = self.settings
        parts = {"all": self.scores, **self.scores["databases"]}
        if "oracle" in self.scores:
            parts["ORACLE, not a result"] = self.scores["oracle"]
        rows = []
        for part, scored in parts.items():
            row: dict[str, Any] = {"model": s["model"], "protocol": self.protocol.name, "component": s["component"]}
            row |= {"seeds": self.runs, "part": part, **{key: scored[key] for key in ("n", "n_subjects", "n_failed")}}
            for name in SCORES:
                low, high = scored[f"{name}_interval"] or (None, None)
                row |= {
                    name: scored[name],
                    f"{name}_low": low,
                    f"{name}_high": high,
                    f"{name}_sd": scored[f"{name}_sd"],
                }
            rows.append(
                row | {f"{key}_sha256": self.hashes.get(key, "")[:16] for key in ("samples", "protocol", "flows")}
            )
        return pd.DataFrame(rows)

    def save(self, folder: str | Path, with_faces: bool = False) -> Path:
        """Write `predictions.csv`, `scores.json`, `scores.csv`, `people.csv`, `confusion.csv`, `confusion.png` and
        `report.html`; with a grid or several models, `chosen.csv`.

        Parameters
        ----------
        folder : str or Path
        with_faces : bool
            Show onset and apex of the worst confusions in the report, from the videos that `run.json` names. Mind the
            licence of the database: most forbid publishing faces.

        Returns
        -------
        Path
            The report. It is written last, so that it stands only beside complete files.
        """
        from matplotlib.figure import Figure

        from mer.evaluation.confusions import with_pictures, worst_confusions
        from mer.report import render_report
        from mer.report.figures import plot_confusion

        folder = Path(folder)
        record, counts = self.record(), self.confusion_with_failed
        mean = counts / self.runs
        size = len(self.classes)
        figure = Figure(figsize=(1.6 + 1.1 * size, 1.2 + size), layout="constrained")
        plot_confusion(mean, self.classes, figure.add_subplot())
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150)
        self._write_tables(folder)
        with write_whole(folder / "scores.json") as file:
            json.dump(record, file, indent=2, ensure_ascii=False)
            file.write("\n")
        with write_whole(folder / "confusion.csv") as file:
            table = pd.DataFrame(counts, index=pd.Index(self.classes, name="truth"), columns=[*self.classes, "failed"])
            table.to_csv(file, lineterminator="\n")
        with write_whole(folder / "confusion.png", "wb") as file:
            file.write(picture.getvalue())
        worst = worst_confusions(self.predictions, self.runs)
        confusions = with_pictures(worst, self.settings["flows"], self.run, with_faces)
        with write_whole(folder / "report.html") as file:
            file.write(render_report(record, mean, self.subjects, confusions, with_faces))
        return folder / "report.html"

    def _write_tables(self, folder: Path) -> None:
        tables = {"predictions": self.predictions, "scores": self.rows, "people": self.subjects}
        tables |= {"chosen": self.chosen} if len(self.chosen) else {}
        for name, table in tables.items():
            with write_whole(folder / f"{name}.csv") as file:
                table.to_csv(file, index=False, lineterminator="\n")
        if "chosen" not in tables:  # of an earlier result in this folder
            (folder / "chosen.csv").unlink(missing_ok=True)

    def record(self) -> dict[str, Any]:
        """Everything but the predictions as plain values: the content of `scores.json`."""
        return {
            **self.scores,
            "protocol": self.protocol.name,
            "class_names": list(self.classes),
            "settings": self.settings,
            "command": self.command,
            "chosen": {
                name: {str(value): int(n) for value, n in self.chosen[name].value_counts().items()}
                for name in self.chosen.columns.drop(["unit", "fold", "seed"], errors="ignore")
            },
            "failed": self.failed.astype(object).where(self.failed.notna(), None).to_dict("records"),
            "left_out": {str(reason): int(n) for reason, n in self.left_out.items()},
            "sha256": self.hashes,
            "flow_run": self.run,
            "versions": {
                "mer": __version__,
                "python": platform.python_version(),
                "scikit-learn": sklearn.__version__,
                **versions(),
            },
        }

    def __str__(self) -> str:
        s = self.scores
        parts = [f"{name.upper() if name != 'accuracy' else name} {s[name]:.3f}" for name in SCORES]
        oracle = f"; {ORACLE}: UF1 {s['oracle']['uf1']:.3f}" if "oracle" in s else ""
        return f"{self.settings['model']} under {self.protocol.name}: {', '.join(parts)} on {s['n']} clips{oracle}"

    __repr__ = __str__
