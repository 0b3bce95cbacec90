import shutil
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

from mer.datasets import DATASETS, Copy, read_copy
from mer.datasets.check import KINDS, check_copy, counts, verdict
from mer.datasets.frame_folders import Frames
from mer.datasets.samples import conform, read_samples
from tests.cli.test_cli import mer  # noqa: F401
from tests.datasets.copies import book, casme2

PUBLISHED = DATASETS["casme2"].published[0].labels


def whole_casme2(root):
    """As many clips of each label, and as many people, as were published."""
    labels = [label for label, n in PUBLISHED.items() for _ in range(n)]
    rows = [(i % 26 + 1, f"EP{i // 26:02d}_{i:03d}", 10, 12, 14, "4", label) for i, label in enumerate(labels)]
    return casme2(root, rows)


def findings(root):
    return list(check_copy(DATASETS["casme2"], read_copy(DATASETS["casme2"], root)))


def test_a_whole_copy_is_as_published(tmp_path, mer):  # noqa: F811
    status, out, _ = mer("doctor", "--dataset", "casme2", str(whole_casme2(tmp_path)))
    assert status == 0
    assert "as published" in out
    assert "255 of 255 rows can be used" in out


def test_a_problem_is_in_the_report_and_in_the_exit_status(tmp_path, mer):  # noqa: F811
    root = whole_casme2(tmp_path)
    clip = next((root / "CASME2_RAW_selected" / "sub03").iterdir())
    for frame in clip.iterdir():
        frame.unlink()
    status, out, err = mer("doctor", "--dataset", "casme2", str(root))
    assert status == 1
    assert err == ""
    assert "WRONG" in out
    assert "missing_clip" in out
    assert clip.name in out


def test_counts_are_compared_with_the_nearest_edition(tmp_path):
    rows = [(i + 1, "EP01_01", 10, 12, 14, "4", "happiness") for i in range(3)]
    copy = read_copy(DATASETS["casme2"], casme2(tmp_path, rows))
    table = {label: (here, published) for label, here, published in counts(DATASETS["casme2"], copy.samples)}
    assert table["happiness"] == (3, "32 (-29)")
    assert table["all"] == (3, "255 (-252)")
    states = {(finding.what, finding.state) for finding in findings(tmp_path)}
    assert {("counts", "WRONG"), ("people", "WRONG"), ("clips", "ok")} <= states


def test_folders_without_a_row_and_odd_cells_are_notes(tmp_path):
    rows = [(1, "EP01_01", 10, 12, 14, "4+soft focus+AD38", "happiness"), (1, "EP01_02", 10, 12, 14, "4+smile", "joy"),
            (1, "EP01_03", 10, 12, 14, "4", "fear")]  # fmt: skip
    root = casme2(tmp_path, rows)
    extra = root / "CASME2_RAW_selected" / "sub02" / "EP77"
    extra.mkdir(parents=True)
    (extra / "img1.jpg").touch()
    (root / "other").mkdir()
    (root / "other" / "picture1.png").touch()
    notes = {finding.what: finding.detail for finding in findings(root) if finding.state == "note"}
    assert notes["odd labels"].startswith("joy (1); expected others")
    assert notes["odd units"] == "1 cell with unknown codes: 4+smile"
    assert notes["not in the sheet"] == "1 folder: sub02/EP77"
    assert notes["unknown folders"] == "1 folder: other"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "casme9", "."), "unknown dataset 'casme9'"),
        (("--dataset", "casme2"), "name the folder of the database"),
        (("somewhere",), "name the database"),
        (("--dataset", "samm", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_wrong_arguments_give_one_message(mer, tmp_path, monkeypatch, arguments, message):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    status, _, err = mer("doctor", *arguments)
    assert status == 2
    assert message in " ".join(err.split())


def test_the_documentation_lists_every_database_and_label():
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name, database in DATASETS.items():
        row = next(row for row in rows if f"`{name}`" in row.split("|")[1])
        if "the same" not in row and "as SAMM" not in row:
            assert set(database.labels) <= {label.strip() for label in row.split("|")[5].split(",")}


# --- copies that are not as published ---


def report_on(database, samples, bare=None):
    """The findings about a table, as `what -> (state, detail)`, and the verdict."""
    found = Frames({}, "", [], [])
    copy = Copy(conform(samples).assign(source=""), None, found, [], set(), bare or {})
    findings = list(check_copy(database, copy))
    return {one.what: (one.state, one.detail) for one in findings}, verdict(database, copy.samples, findings)


def clips_of(database, n=None):
    """A table of as many clips and people as the last edition has, or the first `n` of them."""
    edition = database.published[-1]
    labels = [label for label, count in edition.labels.items() for _ in range(count)]
    labels = labels or [next(iter(database.labels), "positive")] * edition.total
    people = edition.people or 5
    rows = [(f"s{i % people}", f"c{i}", i, i + 2, i + 4, "4", label) for i, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["subject", "clip", "onset", "apex", "offset", "aus", "label"])[:n]


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_only_the_published_numbers_are_as_published(name):
    database = DATASETS[name]
    edition = database.published[-1]
    found, (fine, sentence) = report_on(database, clips_of(database))
    assert fine
    assert sentence == "as published" + ", but some published numbers could not be verified" * bool(edition.unchecked)
    assert {state for state, _ in found.values()} <= {"ok", "note"}
    fewer = clips_of(database, edition.total // 2)
    found, (fine, sentence) = report_on(database, fewer)
    assert not fine
    assert "as published" not in sentence
    checked = any("clips" not in one.unchecked for one in database.published)
    assert found["counts"][0] == ("WRONG" if checked else "differs")


def test_the_published_numbers_that_could_not_be_verified():
    unchecked = {name: {part for one in database.published for part in one.unchecked}
                 for name, database in DATASETS.items()}  # fmt: skip
    assert {name: parts for name, parts in unchecked.items() if parts} == {
        "casme": {"labels", "clips", "people"},
        "casme2": {"labels"},
        "mmew": {"labels", "people"},
        "smic-e": {"people"},
        "smic-nir": {"people"},
        "smic-vis": {"people"},
    }


def test_a_difference_from_unverified_numbers_is_not_a_problem_but_not_as_published():
    table = clips_of(DATASETS["mmew"])
    for changed in (table.assign(label="others"), table.assign(subject=table["subject"].replace("s35", "s0"))):
        found, (fine, sentence) = report_on(DATASETS["mmew"], changed)
        assert not fine
        assert sentence == "the numbers differ from published ones that could not be verified"
        assert [what for what, (state, _) in found.items() if state in ("WRONG", "differs")] in (["counts"], ["people"])


@pytest.mark.parametrize(("place", "what"), [(4, "apexes"), (5, "offsets"), (7, "action units")])
@pytest.mark.parametrize("header", [True, False])
def test_a_missing_or_blank_column_is_a_problem(tmp_path, place, what, header):
    root = whole_casme2(tmp_path)
    rows = [list(row) for row in load_workbook(root / "CASME2-coding-20140508.xlsx").active.values]
    for i, row in enumerate(rows):
        row[place] = row[place] if header and not i else "/" if place == 4 else 0 if place == 5 else None
    book(root / "CASME2-coding-20140508.xlsx", S=rows)
    trouble = "the column is blank in all 255 rows" if header else "the sheet has no such column"
    wrong = {one.what: one.detail for one in findings(root) if one.state == "WRONG"}
    assert wrong == {what: f"{trouble}; the owners' sheet has them"}


def test_databases_without_an_annotated_apex_or_action_units():
    for name in ("smic", "smic-vis", "smic-nir"):
        assert DATASETS[name].annotated == ()
    assert DATASETS["smic-e"].annotated == ("offset",)
    assert DATASETS["casme3-c"].annotated == ("offset", "aus")


def test_blank_and_misspelled_cells_are_listed():
    table = clips_of(DATASETS["samm"])
    table.loc[[3, 5], "label"] = ""
    table.loc[7:13, "label"] = "angre"
    table.loc[2, "aus"] = ""
    found, _ = report_on(DATASETS["samm"], table)
    assert found["labels"] == ("WRONG", "2 rows without any: s3/c3, s5/c5")
    assert found["action units"] == ("note", "1 row without any: s2/c2")
    detail = found["odd labels"][1]
    assert detail.startswith("angre (7); expected anger, happiness")
    assert detail.endswith("\nangre: s7/c7, s8/c8, s9/c9, s10/c10, s11/c11 and 2 more")
    assert report_on(DATASETS["4dme"], clips_of(DATASETS["4dme"]).assign(label=""))[0]["labels"][0] == "WRONG"


def test_each_kind_of_message_has_a_line_with_its_count_and_an_example(tmp_path):
    root = whole_casme2(tmp_path)
    raw = root / "CASME2_RAW_selected"
    for i, clip in enumerate(sorted((raw / "sub03").iterdir())):
        (clip / ("img10.jpg" if i else "img12.jpg")).unlink()
    wrong = {one.what: one.detail.splitlines() for one in findings(root) if one.state == "WRONG"}
    number, most, one = wrong["missing_frames"]
    assert number.startswith("10 rows: ")
    assert most.startswith("9 rows, such as sub03/EP01_028: onset 10 missing")
    assert one.startswith("sub03/EP00_002: apex 12 missing")


def test_the_number_of_lines_is_limited():
    words = [chr(ord("a") + i) * 4 for i in range(KINDS + 2)]
    table = clips_of(DATASETS["samm"], len(words)).assign(status="unreadable", message=words)
    found, _ = report_on(DATASETS["samm"], table)
    assert len(found["unreadable"][1].splitlines()) == 1 + KINDS + 1
    assert found["unreadable"][1].endswith("\nand 2 other messages")


def test_all_rows_can_be_written_to_a_file(tmp_path, mer):  # noqa: F811
    root = whole_casme2(tmp_path / "copy")
    shutil.rmtree(root / "CASME2_RAW_selected" / "sub03")
    status, out, _ = mer("doctor", "--dataset", "casme2", str(root))
    assert status == 1
    assert "to list every clip with its status" in out
    status, out, _ = mer("doctor", "--dataset", "casme2", str(root), "--out", str(tmp_path / "rows.csv"))
    assert status == 1
    assert "every clip: " in out
    rows = read_samples(tmp_path / "rows.csv")
    assert len(rows) == 255
    missing = rows[rows["subject"] == "sub03"]
    assert set(missing["status"]) == {"missing_clip"}
    assert missing["message"].str.startswith("no folder of sub03").all()
