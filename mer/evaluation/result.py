"""The result of an evaluation: predictions, their scores, and the files that store both."""

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
from mer.datasets.identifiers import one_spelling
from mer.datasets.tables import write_csv
from mer.evaluation.metrics import SCORES, count, f1_by_class, recall_by_class, summarize
from mer.evaluation.protocols.folds import people_of
from mer.evaluation.protocols.protocol import Protocol
from mer.extraction.flow_folder import versions
from mer.utils.atomic_files import write_whole

ORACLE = "ORACLE, NOT A RESULT: each test person's best epoch, picked by that person's own labels"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The result of :func:`mer.evaluate`.

    Attributes
    ----------
    predictions : DataFrame
        One row per sample and seed; for a deterministic model, which runs once, seed 0 only. The columns are `dataset,
        subject, clip, onset, fold, seed, label, prediction` and one `score_<class>` per class: a probability or a
        decision value, blank if the classifier has neither. `label` is the class under the protocol. `prediction` is
        empty if the flow failed. With `oracle_epoch`, also `oracle_epoch` and `oracle_prediction`, which were picked on
        the test people.
    classes : tuple of str
    protocol : Protocol
    settings : dict
        The arguments of `evaluate` as plain values, and: `seeded`, whether the model draws random numbers; `apart`,
        whether each fold ran in a fresh process; `estimator`, `pretrained`, `sees` and `apex`.
    failed : DataFrame
        The clips without flow, with their status and message; they count as wrong.
    left_out : Series
        Reason -> number of clips that the protocol leaves out.
    run : dict
        The `run.json` of the flow folder; empty if there is none.
    hashes : dict
        SHA-256 of `samples` (the sorted lines `dataset, subject, clip, onset, class`, tab-separated), `protocol` (its
        rules), `flows` (the fields that were read, in any order), `run` (the bytes of `run.json`) and `list` (the
        organizers' list, if it was used).
    chosen : DataFrame
        With a grid or several models, one row per fold and seed: `fold, seed`, and the `model` or the settings that the
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
        """Counts of one database or of all, `(subjects, runs, C, C + 1)`, as :mod:`mer.evaluation.metrics` takes them.

        `answers` is the column of the predictions to count.
        """
        rows = self.predictions if dataset is None else self.predictions[self.predictions["dataset"] == dataset]
        _, person = np.unique(people_of(rows).astype(str), return_inverse=True)  # sorted
        return count(rows["label"], rows[answers], self.classes, person, rows["seed"].to_numpy())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts `(classes, classes)`, truth by row and prediction by column, summed over the runs.

        Clips without a prediction are in no column.
        """
        return self.confusion_with_failed[:, :-1]

    @property
    def confusion_with_failed(self) -> np.ndarray:
        """The same with a last column for the clips without a prediction, `(classes, classes + 1)`."""
        return self.counts().sum((0, 1))

    @property
    def runs(self) -> int:
        """How many times each fold was trained: once per seed, or once for a deterministic model."""
        return self.settings["seeds"] if self.settings["seeded"] else 1

    def _summarize(self, counts: np.ndarray) -> dict[str, Any]:
        scores = summarize(counts)
        if self.runs < self.settings["seeds"]:  # every seed gives the same
            scores |= {f"{name}_sd": 0.0 for name in SCORES}
        return scores

    @cached_property
    def scores(self) -> dict[str, Any]:
        """All scores, as plain values.

        `uf1`, `uar` and `accuracy`, each with `_interval` (95 %, over people) and `_sd` (over seeds); `n`, `n_subjects`
        and `n_failed`; the same for each of `databases`, and `databases_mean`, the mean over them; `weighted_f1`, the
        mean over the classes weighted by their number of clips; `f1`, `recall` and `n` for each of `classes`;
        `constant`, the scores of always predicting the most frequent class; and with `oracle_epoch`, `oracle`: the
        scores of picking epochs on the test people, and their gain over the result (`_gain`).
        """
        counts = self.counts()
        pooled = counts.sum(0)  # (runs, C, C + 1)
        f1, recall, n = f1_by_class(pooled).mean(0), recall_by_class(pooled).mean(0), pooled[0].sum(-1)
        constant = np.zeros_like(pooled[0])
        constant[:, n.argmax()] = n
        databases = {name: self._summarize(self.counts(name)) for name in sorted(set(self.predictions["dataset"]))}
        honest = self._summarize(counts)
        return {
            **honest,
            "weighted_f1": float((f1 * n).sum() / n.sum()),
            "databases": databases,
            "databases_mean": {name: float(np.mean([part[name] for part in databases.values()])) for name in SCORES},
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
        oracle = self._summarize(self.counts(answers="oracle_prediction"))
        return {"what": ORACLE, **oracle, **{f"{name}_gain": oracle[name] - honest[name] for name in SCORES}}

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """One row per person: `dataset, subject, clips, failed, accuracy`, the last over all seeds."""
        rows = self.predictions.assign(
            failed=self.predictions["prediction"] == "",
            accuracy=self.predictions["prediction"] == self.predictions["label"],
        )
        names = one_spelling(zip(rows["dataset"], rows["subject"]))
        rows["subject"] = [names[row] for row in zip(rows["dataset"], rows["subject"])]
        people = rows.groupby(["dataset", "subject"], sort=False)
        rows_per_clip = rows["seed"].nunique() * max(1, len(self.protocol.units))
        return pd.DataFrame(
            {
                "clips": people.size() // rows_per_clip,
                "failed": people["failed"].sum() // rows_per_clip,
                "accuracy": people["accuracy"].mean(),
            }
        ).reset_index()

    @property
    def command(self) -> str:
        """The command that reproduces this result; a call in Python if the model has no name."""
        s = self.settings
        if s["named"]:
            options = [f"--{key}={s[key]}" for key in ("protocol", "model", "component", "seeds")]
            grid = [f"--grid={key}={','.join(map(str, values))}" for key, values in (s.get("grid") or {}).items()]
            listed = [f"--megc-csv={s['megc_csv']}"] if s.get("megc_csv") else []
            oracle = ["--oracle-epoch"] if s.get("oracle_epoch") else []
            return shlex.join(["mer", "evaluate", s["flows"], *options, *grid, *listed, *oracle])
        names = ("protocol", "component", "seeds", *(key for key in ("grid", "megc_csv", "oracle_epoch") if s.get(key)))
        arguments = ", ".join(f"{key}={s[key]!r}" for key in names)
        return f"mer.evaluate({s['flows']!r}, model={s['model']}, {arguments})"

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The scores as rows, one for all clips and one per database, so that those of many runs can be stacked.

        `model, protocol, component, seeds` (the number of runs), `part`, the numbers of clips and people, each score
        with `_low`, `_high` and `_sd`, and the first 16 digits of the SHA-256 of the samples, the protocol and the
        flows. The part `ORACLE, not a result` has the scores of picking epochs on the test people.
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
            Show onset and apex of the worst confusions in the report, from the videos that `run.json` names. Check the
            license of the database first: most forbid publishing faces.

        Returns
        -------
        Path
            The report. It is written last, so that it exists only if all files are complete.
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
            write_csv(table, file, index=True)
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
                write_csv(table, file)
        if "chosen" not in tables:  # remove that of an earlier result
            (folder / "chosen.csv").unlink(missing_ok=True)

    def record(self) -> dict[str, Any]:
        """Everything except the predictions as plain values: the content of `scores.json`."""
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
