"""The loaders provide the labels, people and counts that protocols require, on complete copies."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mer.datasets import DATASETS, find_dataset, load_dataset
from mer.datasets.identifiers import clip_key, subject_name
from mer.evaluation.protocols.protocol import PROTOCOLS
from tests.datasets.copies import casme2, casme3, frames, samm


def spread(counts: dict[str, int], people: list[str], apart: dict[str, str]) -> list[tuple[str, str]]:
    """`(person, label)` for these counts of clips; each person in `apart` has one clip, with that label."""
    labels = [label for label, n in counts.items() for _ in range(n - list(apart.values()).count(label))]
    others = [person for person in people if person not in apart]
    return [*apart.items(), *((others[i % len(others)], label) for i, label in enumerate(labels))]


def whole_casme2(root: Path) -> pd.DataFrame:
    people = [str(i + 1) for i in range(26)]
    clips = spread(DATASETS["casme2"].published[0].labels, people, {"10": "others", "18": "others"})
    rows = [(int(person), f"EP01_{i}", 10, 12, 14, "4", label) for i, (person, label) in enumerate(clips)]
    places = [i for i, row in enumerate(rows) if row[-1] == "disgust"]
    rows[places[0]] = (4, "EP12_01f", 261, "/", 264, "4", "disgust")
    rows[places[1]] = (5, "EP09_05f", 69, 69, 72, "4", "disgust")
    return load_dataset("casme2", casme2(root, rows))


def whole_samm(root: Path) -> pd.DataFrame:
    people = [f"{i:03d}" for i in range(6, 38) if i not in (8, 27, 29)]
    clips = spread(DATASETS["samm"].published[0].labels, people, {"025": "other"})
    rows = [(p, f"{p}_1_{i}", 10, 12, 14, "4", label.title(), "I") for i, (p, label) in enumerate(clips)]
    return load_dataset("samm", samm(root, rows))


def whole_smic(root: Path) -> pd.DataFrame:
    people = [str(i) for i in (*range(1, 7), 8, 9, *range(11, 16), 18, 19, 20)]
    clips = spread({"ne": 70, "po": 51, "sur": 43}, people, {})
    for i, (person, code) in enumerate(clips):
        frames(root / "HS" / f"s{person}" / "micro" / code / f"s{person}_{code}_{i:02d}", range(3))
    return load_dataset("smic", root)


def whole_casme3(root: Path) -> pd.DataFrame:
    clips = spread(DATASETS["casme3"].published[0].labels, [f"spNO.{i}" for i in range(1, 95)], {})
    rows = [(p, "a", 10 + 3 * i, 11 + 3 * i, 12 + 3 * i, "4", "I", label) for i, (p, label) in enumerate(clips)]
    return load_dataset("casme3", casme3(root, rows, [10]))


WHOLE = {"casme2": whole_casme2, "samm": whole_samm, "smic": whole_smic, "casme3": whole_casme3}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    return {name: read(tmp_path_factory.mktemp(name)) for name, read in WHOLE.items()}


@pytest.mark.parametrize(
    ("protocol", "databases", "n"),
    [
        ("megc2019", ("casme2", "samm", "smic"), 442),
        ("casme2-3", ("casme2",), 145),
        ("casme2-5", ("casme2",), 246),
        ("casme2-7", ("casme2",), 255),
        ("samm-3", ("samm",), 133),
        ("samm-5", ("samm",), 136),
        ("smic", ("smic",), 164),
        ("casme3-3", ("casme3",), 699),
        ("casme3-4", ("casme3",), 860),
        ("casme3-7", ("casme3",), 860),
    ],
)
def test_a_protocol_finds_its_clips_in_complete_copies(tables, protocol, databases, n):
    chosen, _ = PROTOCOLS[protocol].select(pd.concat([tables[name] for name in databases], ignore_index=True))
    assert len(chosen) == n


def test_clips_and_people_match_the_organizers_list(tables):
    for name, subject, clip, listed in (
        ("casme2", "sub04", "EP12_01f", ("casme2", "sub04", "EP12_01f")),
        ("samm", "036", None, ("samm", "36", None)),
        ("smic", "s01", "s01_ne_00", ("smic", "s01", "s01_ne_00")),
    ):
        table = tables[name]
        row = table[(table["subject"] == subject) & ((table["clip"] == clip) | (clip is None))].iloc[0]
        listed_key = clip_key(name, listed[1], listed[2] or row["clip"])
        assert clip_key(row["dataset"], row["subject"], row["clip"]) == listed_key


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_people_have_one_name(name):
    subject = DATASETS[name].subject("7")
    assert subject_name(name, subject) == subject


def test_all_databases_are_registered():
    for name in ("casme", "casme2", "samm", "smic", "casme-sq", "samm-lv", "casme3", "mmew", "4dme", "dfme"):
        assert find_dataset(name) is DATASETS[name]


def test_an_unknown_database_and_a_missing_folder(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'casme4'; expected casme, casme2, samm"):
        load_dataset("casme4", tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder; give the one that holds CASME II"):
        load_dataset("casme2", tmp_path / "nowhere")
