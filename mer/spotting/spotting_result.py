"""Score a folder of spotted intervals under a spotting protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets.tables import restored
from mer.evaluation.protocols.protocol import Protocol, ProtocolError, find_protocol
from mer.spotting.scores import KINDS, VIDEO, match, score, score_recognition
from mer.spotting.spot_video import write_table
from mer.utils.atomic_files import write_json, write_whole


@dataclass(frozen=True, eq=False)
class SpottingResult:
    """The result of an evaluation of spotting.

    Attributes
    ----------
    protocol : Protocol
    scores : DataFrame
        One row per database and kind (`micro`, `macro`, `overall`), and the same for all databases together: `dataset,
        kind, annotated, spotted, tp, fp, fn, precision, recall, f1`. Under a protocol with recognition also
        `recognition_n, recognition_f1, recognition_uf1, recognition_uar`, and `strs`, the product of both F1 scores.
    matches : DataFrame
        See :func:`mer.spotting.scores.match`.
    notes : list of str
        Numbers of expressions that differ from the published ones, and videos that failed.
    """

    protocol: Protocol
    scores: pd.DataFrame
    matches: pd.DataFrame
    notes: list[str]

    def save(self, folder: str | Path) -> Path:
        """Write `scores.csv`, `scores.json`, `matches.csv`, and for each database a log in the format of the MEGC."""
        folder = Path(folder)
        for name, table in (("scores", self.scores), ("matches", self.matches)):
            write_table(table, folder / f"{name}.csv")
        record = {"protocol": self.protocol.name, "protocol_sha256": self.protocol.sha256, "notes": self.notes}
        write_json(folder / "scores.json", {**record, "scores": self.scores.to_dict("records")})
        for number, (dataset, part) in enumerate(self.matches.groupby("dataset"), start=1):
            with write_whole(folder / f"{dataset}.log.txt") as file:
                file.write(megc_log(part, MEGC_NUMBERS.get(str(dataset), number)))
        return folder


MEGC_NUMBERS = {"samm-lv": 1, "casme-sq": 2}


def megc_log(matches: pd.DataFrame, number: int) -> str:
    """The log of one database in the format of the MEGC.

    The first line is the number of the database. Each further line is `video onset offset spotted_onset spotted_offset
    outcome`, ordered by spotted onset, with `-` for a missing value.
    """
    table = matches.sort_values(["subject", "clip", "spotted_onset", "onset"], na_position="last")
    columns = ["onset", "offset", "spotted_onset", "spotted_offset"]
    lines = [
        " ".join([row["clip"], *("-" if pd.isna(row[name]) else str(row[name]) for name in columns), row["outcome"]])
        for row in table.to_dict("records")
    ]
    return "\n".join([str(number), *lines]) + "\n"


def evaluate_spotting(folder: str | Path, protocol: str | Path | Protocol = "spotting") -> SpottingResult:
    """Score a folder of :func:`mer.spotting.spot_dataset.spot_folder` under a protocol.

    Only `spotted.csv` and `truth.csv` are needed, so intervals spotted by other programs can be scored too.

    Parameters
    ----------
    folder : str or Path
    protocol : str, Path or Protocol
        A name in `mer.PROTOCOLS`, or a YAML file.

    Raises
    ------
    ValueError
        If a table or a column is missing, or the protocol does not apply to any row.
    """
    protocol = find_protocol(protocol)
    rules = protocol.spotting
    if not rules:
        raise ProtocolError(f"{protocol.name} is not a spotting protocol; `mer protocols` lists them")
    kinds = list(rules.get("kinds", KINDS))
    truth, spotted = (_read_table(Path(folder), name, protocol, kinds) for name in ("truth", "spotted"))
    if truth.empty:
        databases = f" of {', '.join(protocol.databases)}" if protocol.databases else ""
        raise ProtocolError(f"{protocol.name}: {folder}/truth.csv has no {' or '.join(kinds)}-expression{databases}")
    recognize = bool(rules.get("recognize"))
    if recognize and spotted["prediction"].eq("").all():
        raise ProtocolError(
            f"{protocol.name} needs the emotion of each spotted interval: `mer spot VIDEOS --model FILE` adds it, "
            "or fill in the column prediction of spotted.csv"
        )
    matches = match(truth, spotted, float(rules.get("iou", 0.5)))
    if recognize:
        classes = {
            column: [_class(protocol, dataset, text) for dataset, text in zip(matches["dataset"], matches[column])]
            for column in ("label", "prediction")
        }
        matches = matches.assign(**classes)
    scores = _scores(matches, sorted(set(truth["dataset"])), kinds, protocol.classes if recognize else None)
    return SpottingResult(protocol, scores, matches, _notes(protocol, truth, Path(folder)))


def _scores(
    matches: pd.DataFrame, databases: list[str], kinds: list[str], classes: Sequence[str] | None
) -> pd.DataFrame:
    """The rows of :attr:`SpottingResult.scores`; with `classes`, those of a protocol with recognition."""
    rows = []
    for dataset in [*databases, "all"] if len(databases) > 1 else databases:
        part = matches if dataset == "all" else matches[matches["dataset"] == dataset]
        for row in score(part, kinds).to_dict("records"):
            if classes is not None:
                own = part if row["kind"] == "overall" else part[part["kind"] == row["kind"]]
                recognition = score_recognition(own, classes)
                row |= {f"recognition_{name}": recognition[name] for name in ("n", "f1", "uf1", "uar")}
                row["strs"] = row["f1"] * recognition["f1"]
            rows.append({"dataset": dataset, **row})
    scores = pd.DataFrame(rows)
    if len(kinds) == 1:
        scores = scores[scores["kind"] != "overall"].reset_index(drop=True)
    return scores


def _read_table(folder: Path, name: str, protocol: Protocol, kinds: list[str]) -> pd.DataFrame:
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise ProtocolError(f"{path} is missing; `mer spot VIDEOS --out {folder}` on annotated videos writes it")
    table = restored(pd.read_csv(path, dtype=str, keep_default_na=False))
    missing = [column for column in (*VIDEO, "onset", "offset", "kind") if column not in table]
    if missing:
        raise ProtocolError(f"{path} has no column {', '.join(missing)}")
    for column in ("label", "prediction"):
        table[column] = table[column].str.strip().str.casefold() if column in table else ""
    for column in ("onset", "offset", "apex"):
        table[column] = pd.to_numeric(table.get(column, pd.Series("", table.index)), errors="coerce")
    broken = table[~(table["offset"] >= table["onset"])]
    if len(broken):
        raise ProtocolError(f"{path}, row {broken.index[0] + 2}: the offset is not after the onset")
    table["kind"] = table["kind"].str.casefold()
    keep = table["kind"].isin(kinds)
    if protocol.databases:
        keep &= table["dataset"].isin(protocol.databases)
    return table[keep].reset_index(drop=True)


def _class(protocol: Protocol, dataset: str, text: Any) -> str | None:
    """The class of an annotated or predicted emotion; a prediction may already be a class."""
    if not isinstance(text, str) or not text:
        return None
    return text if text in protocol.classes else protocol.class_of(dataset, text)


def _notes(protocol: Protocol, truth: pd.DataFrame, folder: Path) -> list[str]:
    """Numbers that differ from the published ones, and videos that failed."""
    notes = []
    for dataset, counts in protocol.counts.items():
        kinds = truth.loc[truth["dataset"] == dataset, "kind"]
        if kinds.empty:
            notes.append(f"{dataset} is missing")
            continue
        for kind, count in counts.items():
            published, found = count if isinstance(count, tuple) else (count,), int((kinds == kind).sum())
            if kind in set(truth["kind"]) and found not in published:
                expected = " or ".join(map(str, published))
                notes.append(f"{dataset} has {found} {kind}-expressions here, {expected} were published")
    videos = folder / "videos.csv"
    if videos.is_file():
        table = restored(pd.read_csv(videos, dtype=str, keep_default_na=False))
        failed = table[table["status"] != "ok"] if "status" in table else table.iloc[:0]
        notes += [f"{row['subject']}/{row['clip']}: {row['message']}" for row in failed.to_dict("records")]
    return notes
