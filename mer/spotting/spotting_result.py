"""A folder of spotted intervals under a spotting protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mer.evaluation.protocols.protocol import Protocol, ProtocolError, find_protocol
from mer.spotting.scores import KINDS, VIDEO, match, score, score_recognition
from mer.utils.atomic_files import write_json, write_whole


@dataclass(frozen=True, eq=False)
class SpottingResult:
    """What an evaluation of spotting found.

    Attributes
    ----------
    protocol : Protocol
    scores : DataFrame
        One row a database and kind (`micro`, `macro`, `overall`), and the same for all databases together: `dataset, kind,
        annotated, spotted, tp, fp, fn, precision, recall, f1`; under a protocol that recognizes, also `recognition_f1,
        recognition_uf1, recognition_uar` and `strs`, their product with the F1 of spotting.
    matches : DataFrame
        One row an interval or pair of them; see :func:`mer.spotting.scores.match`.
    notes : list of str
        Where the numbers differ from the protocol's, and what was left out.
    """  # noqa: E501

    protocol: Protocol
    scores: pd.DataFrame
    matches: pd.DataFrame
    notes: list[str]

    def save(self, folder: str | Path) -> Path:
        """Write `scores.csv`, `scores.json`, `matches.csv`, and a log as the MEGC asks for it for each database."""
        folder = Path(folder)
        for name, table in (("scores", self.scores), ("matches", self.matches)):
            with write_whole(folder / f"{name}.csv") as file:
                table.to_csv(file, index=False, lineterminator="\n")
        record = {"protocol": self.protocol.name, "protocol_sha256": self.protocol.sha256, "notes": self.notes}
        write_json(folder / "scores.json", {**record, "scores": self.scores.to_dict("records")})
        for number, (dataset, part) in enumerate(self.matches.groupby("dataset"), start=1):
            with write_whole(folder / f"{dataset}.log.txt") as file:
                file.write(megc_log(part, MEGC_NUMBERS.get(str(dataset), number)))
        return folder


MEGC_NUMBERS = {"samm-lv": 1, "casme-sq": 2}


def megc_log(matches: pd.DataFrame, number: int) -> str:
    """A database's log in the form of the MEGC: its number, then `video onset offset spotted_onset spotted_offset outcome`
    a line, by spotted onset; `-` where there is none.
    """  # noqa: E501
    table = matches.sort_values(["subject", "clip", "spotted_onset", "onset"], na_position="last")
    columns = ["onset", "offset", "spotted_onset", "spotted_offset"]
    lines = [
        " ".join([row["clip"], *("-" if pd.isna(row[name]) else str(row[name]) for name in columns), row["outcome"]])
        for row in table.to_dict("records")
    ]
    return "\n".join([str(number), *lines]) + "\n"


def evaluate_spotting(folder: str | Path, protocol: str | Path | Protocol = "spotting") -> SpottingResult:
    """Score a folder of :func:`mer.spotting.spot_dataset.spot_folder` under a protocol.

    `spotted.csv` and `truth.csv` are all that is read: intervals that another program spotted are scored in the same way.

    Raises
    ------
    ValueError
        Where a table is missing or lacks a column, or nothing in it takes part in the protocol.
    """  # noqa: E501
    chosen = find_protocol(protocol)
    rules = chosen.spotting
    if not rules:
        raise ProtocolError(f"{chosen.name} is no protocol of spotting; `mer protocols` lists them")
    kinds = list(rules.get("kinds", KINDS))
    truth, spotted = (_table(Path(folder), name, chosen, kinds) for name in ("truth", "spotted"))
    if truth.empty:
        named = f" of {', '.join(chosen.databases)}" if chosen.databases else ""
        raise ProtocolError(f"{chosen.name}: {folder}/truth.csv has no {' or '.join(kinds)}-expression{named}")
    matches = match(truth, spotted, float(rules.get("iou", 0.5)))
    recognize = bool(rules.get("recognize"))
    if recognize:
        if spotted["prediction"].eq("").all():
            raise ProtocolError(
                f"{chosen.name} needs the emotion of each spotted interval: `mer spot VIDEOS --model FILE` names it, "
                "or fill in the column prediction of spotted.csv"
            )
        classes = {
            column: [_class(chosen, dataset, text) for dataset, text in zip(matches["dataset"], matches[column])]
            for column in ("label", "prediction")
        }
        matches = matches.assign(**classes)
    rows = []
    databases = sorted(set(truth["dataset"]))
    for dataset in [*databases, "all"] if len(databases) > 1 else databases:
        part = matches if dataset == "all" else matches[matches["dataset"] == dataset]
        for row in score(part, kinds).to_dict("records"):
            if recognize:
                own = part if row["kind"] == "overall" else part[part["kind"] == row["kind"]]
                told = score_recognition(own, chosen.classes)
                row |= {f"recognition_{name}": told[name] for name in ("n", "f1", "uf1", "uar")}
                row["strs"] = row["f1"] * told["f1"]
            rows.append({"dataset": dataset, **row})
    scores = pd.DataFrame(rows)
    if len(kinds) == 1:
        scores = scores[scores["kind"] != "overall"].reset_index(drop=True)
    return SpottingResult(chosen, scores, matches, _notes(chosen, truth, Path(folder)))


def _table(folder: Path, name: str, protocol: Protocol, kinds: list[str]) -> pd.DataFrame:
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise ProtocolError(f"{path} is not there; `mer spot VIDEOS --out {folder}` on annotated videos writes it")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
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
    """The class of an emotion, as annotated or as answered: an answer may be a class already."""
    if not isinstance(text, str) or not text:
        return None
    return text if text in protocol.classes else protocol.class_of(dataset, text)


def _notes(protocol: Protocol, truth: pd.DataFrame, folder: Path) -> list[str]:
    notes = []
    for dataset, counts in protocol.counts.items():
        here = truth[truth["dataset"] == dataset]
        if here.empty:
            notes.append(f"{dataset} is not in it")
            continue
        for kind, number in counts.items():
            numbers, found = number if isinstance(number, tuple) else (number,), int((here["kind"] == kind).sum())
            if kind in set(truth["kind"]) and found not in numbers:
                expected = " or ".join(map(str, numbers))
                notes.append(f"{dataset} has {found} {kind}-expressions here, {expected} were published")
    videos = folder / "videos.csv"
    if videos.is_file():
        table = pd.read_csv(videos, dtype=str, keep_default_na=False)
        failed = table[table["status"] != "ok"] if "status" in table else table.iloc[:0]
        notes += [f"{row['subject']}/{row['clip']}: {row['message']}" for row in failed.to_dict("records")]
    return notes
